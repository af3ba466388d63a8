//! Players in pairs, each pair on two nodes: both say something all the time, under a command id that is sent again until
//! it is acknowledged, and write down what they hear.

use crate::nodes::Cluster;
use serde_json::{Value, json};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use waystone::ids::PlayerId;
use waystone::net::client::{Client, Push, Resume};

/// Pairs: enough that every node has teams and players of others' sessions.
const PAIRS: usize = 12;
/// How often each says something.
const EVERY: Duration = Duration::from_millis(150);
const ANSWER: Duration = Duration::from_secs(6);
/// How long everything may take to be heard at the end.
const HEARD: Duration = Duration::from_secs(20);

/// A player's evidence.
#[derive(Debug, Default)]
struct Evidence {
    /// What was heard: offset and text of what somebody said, if it was that.
    heard: Vec<(u64, Option<String>)>,
    /// What was acknowledged, when it was first tried, and how long it took.
    said: Vec<(String, Instant, Duration)>,
    connects: usize,
    faults: Vec<String>,
}

struct Player {
    id: PlayerId,
    evidence: Mutex<Evidence>,
    client: watch::Sender<Option<Client>>,
}

/// All of them.
pub(crate) struct Players {
    all: Vec<Arc<Player>>,
    readers: JoinSet<()>,
    speakers: JoinSet<()>,
    stop: watch::Sender<bool>,
}

/// How long the slowest command of each player took.
#[derive(Debug)]
pub(crate) struct Gap {
    p50: Duration,
    p99: Duration,
    /// Of the slowest player.
    pub max: Duration,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "slowest answer of each player p50 {:?}, p99 {:?}, max {:?}", self.p50, self.p99, self.max)
    }
}

impl Player {
    fn evidence(&self) -> MutexGuard<'_, Evidence> {
        self.evidence.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hear(&self, offset: u64, data: &Value) {
        let said = (data["type"] == "team.said").then(|| data["text"].as_str().unwrap_or_default().to_owned());
        self.evidence().heard.push((offset, said));
    }

    /// Stays connected, to any node that takes it, and hears.
    async fn listen(self: Arc<Self>, urls: Vec<String>, token: String, first: usize) {
        let (mut node, mut resume) = (first, None::<Resume>);
        loop {
            let connected = Client::connect(&urls[node % urls.len()], &token, resume.clone()).await;
            let Ok((client, connected)) = connected else {
                node += 1;
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            if let Some((_, own)) = connected.own() {
                if resume.is_some() && !own.recovered {
                    self.evidence().faults.push(format!("{} could not go on where it was", self.id));
                }
                for missed in &own.publications {
                    self.hear(missed.offset.unwrap_or(0), &missed.data);
                }
                resume = Some(Resume { epoch: own.epoch.clone(), offset: own.offset });
            }
            self.evidence().connects += 1;
            self.client.send_replace(Some(client.clone()));
            while let Some(push) = client.next_push().await {
                match push {
                    Push::Publication { data, offset: Some(offset), .. } => {
                        self.hear(offset, &data);
                        resume.iter_mut().for_each(|resume| resume.offset = offset);
                    }
                    Push::Publication { .. } => {}
                    Push::Disconnected { .. } => break,
                }
            }
            self.client.send_replace(None);
            node += 1;
        }
    }

    /// Has a command done, however often that must be tried; gives the answer.
    async fn insist(&self, method: &str, data: Value) -> Value {
        loop {
            let client = self.client.borrow().clone();
            if let Some(client) = client
                && let Ok(answer) = client.rpc_within(method, data.clone(), ANSWER).await
            {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn speak(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        for number in 0.. {
            if tokio::time::timeout(EVERY, stop.wait_for(|stop| *stop)).await.is_ok() {
                return;
            }
            let (text, begun) = (format!("{} {number}", self.id), Instant::now());
            self.insist("team.say", json!({ "cmd": format!("say-{number}"), "text": text })).await;
            self.evidence().said.push((text, begun, begun.elapsed()));
        }
    }
}

impl Players {
    /// Connects them, makes the teams, and lets them talk.
    pub(crate) async fn set_out(cluster: &Cluster) -> Self {
        let (mut readers, mut speakers, stop) = (JoinSet::new(), JoinSet::new(), watch::Sender::new(false));
        let mut all = Vec::new();
        for number in 0..PAIRS * 2 {
            let id = PlayerId::new(format!("talker{number}")).expect("an id");
            let token = cluster.token(&id);
            let player = Arc::new(Player { id, evidence: Mutex::default(), client: watch::Sender::new(None) });
            // The two of a pair on different nodes.
            readers.spawn(Arc::clone(&player).listen(cluster.urls(), token, number / 2 + number % 2));
            all.push(player);
        }
        for (number, pair) in all.chunks(2).enumerate() {
            let team = json!({ "cmd": "found", "name": format!("Pair {number}") });
            let team = pair[0].insist("team.create", team).await;
            pair[1].insist("team.join", json!({ "cmd": "join", "code": team["invite"] })).await;
        }
        for player in &all {
            speakers.spawn(Arc::clone(player).speak(stop.subscribe()));
        }
        Self { all, readers, speakers, stop }
    }

    /// Now.
    pub(crate) fn mark(&self) -> Instant {
        Instant::now()
    }

    /// How long answers took since then, when so much more time has passed.
    pub(crate) async fn longest_since(&self, begun: Instant, wait: Duration) -> Gap {
        tokio::time::sleep(wait).await;
        let slowest = |player: &Arc<Player>| {
            let evidence = player.evidence();
            let since = evidence.said.iter().filter(|(_, tried, took)| *tried + *took >= begun);
            since.map(|(_, _, took)| *took).max().unwrap_or(begun.elapsed())
        };
        let mut slowest: Vec<Duration> = self.all.iter().map(slowest).collect();
        slowest.sort_unstable();
        let at = |share: usize| slowest[(slowest.len() * share / 100).min(slowest.len() - 1)];
        Gap { p50: at(50), p99: at(99), max: at(100) }
    }

    /// Lets them finish, and holds what they heard against what was acknowledged.
    pub(crate) async fn rest(mut self) -> String {
        self.stop.send_replace(true);
        let finished = async { while self.speakers.join_next().await.is_some() {} };
        tokio::time::timeout(HEARD, finished).await.expect("the last words are acknowledged");
        let begun = Instant::now();
        loop {
            let missing = self.missing();
            if missing.is_empty() {
                break;
            }
            assert!(begun.elapsed() < HEARD, "acknowledged, but not heard: {missing:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        self.readers.shutdown().await;
        let (mut said, mut heard, mut connects) = (0, 0, 0);
        for player in &self.all {
            let evidence = player.evidence();
            assert!(evidence.faults.is_empty(), "{:?}", evidence.faults);
            let offsets: Vec<u64> = evidence.heard.iter().map(|(offset, _)| *offset).collect();
            let dense = offsets.windows(2).all(|two| two[1] == two[0] + 1);
            assert!(dense, "{} heard notices twice, or not in order, or not at all: {offsets:?}", player.id);
            (said, heard, connects) =
                (said + evidence.said.len(), heard + offsets.len(), connects + evidence.connects);
        }
        format!(
            "{said} commands acknowledged, {heard} notices heard by {} players over {connects} connections: lost 0, twice 0",
            self.all.len()
        )
    }

    /// What was acknowledged and is not heard by both of a pair.
    fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        for pair in self.all.chunks(2) {
            let said: Vec<String> = pair
                .iter()
                .flat_map(|one| one.evidence().said.iter().map(|(text, ..)| text.clone()).collect::<Vec<_>>())
                .collect();
            for one in pair {
                let evidence = one.evidence();
                let heard: std::collections::BTreeSet<&str> =
                    evidence.heard.iter().filter_map(|(_, text)| text.as_deref()).collect();
                missing.extend(
                    said.iter()
                        .filter(|text| !heard.contains(text.as_str()))
                        .map(|text| format!("{} not by {}", text, one.id)),
                );
            }
        }
        missing
    }
}
