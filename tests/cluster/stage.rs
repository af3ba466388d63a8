//! The stage: a cluster with players at play, on which one scene follows the other.

use crate::gaps::Gaps;
use crate::nodes::Cluster;
use crate::party::Parties;
use crate::players::{Mark, Players};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// How long players play before the first fault.
const CALM: Duration = Duration::from_secs(2);
/// Teams of two who play the quest, beside those who talk.
const TEAMS: usize = 4;
/// How long teams at play may take to finish at the end, and what they sent one another to be heard.
const FINISH: Duration = Duration::from_secs(90);
const CHAINS: Duration = Duration::from_secs(10);

/// What each fault has cost, over all rounds.
type Told = BTreeMap<&'static str, Gaps>;

/// One cluster at a time: two of them, unoptimised, are more than two cores can carry, and what is seen then is hunger.
static TURN: Mutex<()> = Mutex::const_new(());

/// Plays scenes as often as asked for, each time on a stage of its own: what there is to check grows with the play.
pub(crate) async fn play(names: [&'static str; 3], scenes: impl AsyncFn(&mut Stage, u32)) {
    let _turn = TURN.lock().await;
    let mut all = Told::new();
    for round in 0..rounds() {
        let mut stage = Stage::open(names).await;
        scenes(&mut stage, round).await;
        for (what, gaps) in stage.close().await {
            all.entry(what).or_default().merge(gaps);
        }
    }
    for (what, gaps) in all {
        say(&format!("in all  {what}: {gaps}"));
    }
}

/// How often each scene is played.
#[expect(clippy::disallowed_methods, reason = "a long run is asked for by hand")]
pub(crate) fn rounds() -> u32 {
    std::env::var("WAYSTONE_CLUSTER_ROUNDS").map_or(1, |text| text.parse().expect("a number of rounds"))
}

/// The stage.
pub(crate) struct Stage {
    pub cluster: Cluster,
    players: Players,
    parties: Parties,
    told: Told,
    begun: Instant,
}

impl Stage {
    /// Starts the cluster, and lets them play.
    async fn open(names: [&'static str; 3]) -> Self {
        let begun = Instant::now();
        let cluster = Cluster::start(names).await;
        let players = Players::set_out(&cluster.ground).await;
        let parties = Parties::set_out(&cluster.ground, TEAMS);
        tokio::time::sleep(CALM).await;
        Self { cluster, players, parties, told: Told::new(), begun }
    }

    /// The moment before a fault strikes a node.
    pub(crate) async fn mark(&self, node: Option<&str>) -> Mark {
        self.players.mark(&self.cluster, node).await
    }

    /// What a fault has cost, now that it is over.
    pub(crate) async fn tell(&mut self, what: &'static str, mark: &Mark) -> Gaps {
        let gaps = self.players.gaps_since(mark).await;
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load = load.split(' ').next().unwrap_or_default();
        let (at, moves) = (self.begun.elapsed().as_secs_f64(), self.cluster.moves().await - mark.moves);
        say(&format!("{at:4.0} s (load {load})  {what}: {gaps}; {moves} changes of owner"));
        let faults = self.players.faults();
        assert!(faults.is_empty(), "{what}: {faults:?}");
        self.told.entry(what).or_default().merge(gaps.clone());
        gaps
    }

    /// The checker over everything so far, while these nodes come to own everything.
    pub(crate) async fn settle(&self, names: &[&str]) {
        let ((), verdict) = tokio::join!(self.cluster.all_owned_by(names), self.cluster.verify());
        drop::<Value>(verdict);
        self.players.go_home().await;
    }

    /// The checker over everything so far, wherever shards are.
    pub(crate) async fn check(&self) {
        drop::<Value>(self.cluster.verify().await);
        self.go_home().await;
    }

    /// Everyone is where it was before the fault.
    pub(crate) async fn go_home(&self) {
        self.players.go_home().await;
    }

    /// The awards of the quest so far, by what players were told.
    pub(crate) fn awards(&self) -> usize {
        self.cluster.ground.records().iter().map(|record| record.awards()).sum()
    }

    /// Everyone finishes, and all is held against all.
    async fn close(self) -> Told {
        let Self { cluster, players, parties, told, begun } = self;
        let teams = match parties.finish(FINISH).await {
            Ok(teams) => teams,
            Err(stopped) => {
                let verdict = cluster.verify().await;
                panic!("a chain has stopped: {stopped}; {:?}; verify: {verdict}", stuck(&cluster));
            }
        };
        let talk = players.rest().await;
        let ended = Instant::now();
        let verdict = loop {
            let verdict = cluster.verify().await;
            if verdict["pending"] == 0 {
                break verdict;
            }
            assert!(ended.elapsed() < CHAINS, "no message was to wait after {CHAINS:?}: {verdict}");
        };
        let records = cluster.ground.records();
        let faults: Vec<String> = records.iter().flat_map(|record| record.faults()).collect();
        assert!(faults.is_empty(), "{faults:?}");
        let awards: usize = records.iter().map(|record| record.awards()).sum();
        say(&format!("{teams} teams finished, {awards} awards; {talk}; verify: {verdict}"));
        cluster.end().await;
        say(&format!("{:.0?} in all", begun.elapsed()));
        told
    }
}

/// Witnesses who do not come to their end, what they heard last, and what their last fix was answered.
fn stuck(cluster: &Cluster) -> Vec<String> {
    let records = cluster.ground.records();
    let stuck = records.iter().filter(|record| !record.is_settled());
    stuck.map(|record| format!("{}: {:?}, {:?}", record.player, record.told().pop(), record.last_fix())).collect()
}

/// For who reads the test's output.
#[expect(clippy::print_stdout, reason = "figures are for people who run the test with --nocapture")]
pub(crate) fn say(text: &str) {
    println!("{text}");
}
