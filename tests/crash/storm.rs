//! The story of the kills.

use crate::ground::Ground;
use crate::ledger::Ledger;
use crate::party::Parties;
use crate::plan::{Moment, Plan};
use crate::record::{Acknowledged, Record};
use crate::server::{Folder, Server, Start, say};
use crate::witness;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval};
use waystone::net::client::{ClientError, Link, Repeat};

/// Teams of two witnesses at play at any time.
const TEAMS: usize = 4;
/// Walkers in the server, who add to the crowd and die with it.
const WALKERS: u32 = 8;
/// How long teams at play may take to finish once nobody kills any more.
const FINISH: Duration = Duration::from_secs(90);
/// How long chains may take to end after the last team has finished.
const CHAINS: Duration = Duration::from_secs(10);
/// Longest call of the closing questions.
const CALL: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_at_any_moment_loses_nothing_and_gives_nothing_twice() {
    let begun = Instant::now();
    let (folder, mut plan) = (Folder::new("storm"), Plan::from_env());
    let how = Start::on_free_port(WALKERS);
    let ground = Ground::new(&folder.data(), how.port);
    let mut server = Server::start(&folder, how).await;
    let parties = Parties::set_out(&ground, TEAMS);

    let (mut struck, mut ledger) = (BTreeMap::<Moment, u32>::new(), Ledger::default());
    for kill in 0..plan.kills {
        let moment = plan.moment(kill);
        server = plan.strike(moment, server, &folder, how, &ground).await;
        *struck.entry(moment).or_default() += 1;
        // Told first, read then: what is told while we read is looked at next time.
        let testimonies = ground.testimonies();
        ledger.read_on(&folder.data()).await;
        let faults = ledger.faults_of(&testimonies);
        assert!(faults.is_empty(), "after kill {kill} ({moment:?}):\n{}", faults.join("\n"));
        // Beside the server at its busiest: everyone comes back just now.
        let verified = folder.verify().await;
        assert_eq!(verified.status.code(), Some(0), "after kill {kill} ({moment:?}), verify: {verified:?}");
    }

    // Without walkers there is an end to wait for.
    server.kill();
    let server = Server::start(&folder, Start { walkers: 0, ..how }).await;
    let teams = parties.finish(FINISH).await.unwrap_or_else(|stopped| panic!("a chain has stopped: {stopped}"));
    let finished = begun.elapsed();
    no_message_waits(&folder).await;

    let records = ground.records();
    for record in &records {
        answers_stand(&ground, record).await;
    }
    let testimonies = ground.testimonies();
    let ledger = Ledger::of(&folder.data()).await;
    let faults = ledger.faults_of(&testimonies);
    assert!(faults.is_empty(), "at the end:\n{}", faults.join("\n"));
    for record in &records {
        let (told, stands) = (record.told().len(), ledger.notices(&record.player));
        assert_eq!(told, stands, "{} was to be told all that the journal has for it", record.player);
    }
    codes_are_distinct(&records);

    let count = |what: fn(&Record) -> usize| records.iter().map(|record| what(record)).sum::<usize>();
    say(&format!(
        "{} kills {struck:?}, seed {}: {teams} teams of witnesses finished, told {} notices of which {} awards, \
         {} commands acknowledged, {} connections; {} entries, stock given {:?}; lost 0, twice 0; \
         {finished:.0?} of play, {:.0?} in all",
        plan.kills + 1,
        plan.seed,
        count(|record| record.told().len()),
        count(Record::awards),
        count(|record| record.acknowledged().len()),
        count(Record::connects),
        ledger.entries,
        ledger.stock(),
        begun.elapsed(),
    ));
    assert!(teams >= TEAMS, "each of {TEAMS} teams was to play, {teams} did");
    let verified = folder.verify().await;
    let verdict: Value = serde_json::from_slice(&verified.stdout).unwrap_or_default();
    assert_eq!(verified.status.code(), Some(0), "`waystone verify` was to find no fault: {verified:?}");
    assert_eq!(verdict["pending"], 0, "every chain was to have ended: {verdict}");
    server.stop().await;
}

/// Every message that was sent has been heard, soon after the last step.
pub(crate) async fn no_message_waits(folder: &Folder) {
    let (begun, mut look) = (Instant::now(), interval(Duration::from_millis(250)));
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        let pending = Ledger::of(&folder.data()).await.pending();
        if pending.is_empty() {
            return;
        }
        assert!(
            begun.elapsed() < CHAINS,
            "no message was to wait after {CHAINS:?}; these do:\n{}",
            pending.join("\n")
        );
    }
}

/// Asks again for every acknowledged command, under its id; and compares the state with what was told.
async fn answers_stand(ground: &Arc<Ground>, record: &Arc<Record>) {
    let (minter, player) = (Arc::clone(ground), record.player.clone());
    let (link, events) = Link::start(&ground.url(), Arc::new(move || minter.token(&player)), record.resume());
    let asking = async {
        for Acknowledged { method, data, reply } in record.acknowledged() {
            let again = ask(&link, &method, data.clone()).await;
            let again = again.unwrap_or_else(|err| panic!("{method} {data} was to be answered {reply} again: {err}"));
            assert_eq!(again, reply, "{method} {data} was to be answered as before");
        }
        ask(&link, "state.get", json!({})).await.expect("the state can be had")
    };
    let state = tokio::select! {
        state = asking => state,
        fault = witness::listen(events, record, ground) => panic!("{fault}"),
    };
    let player = &record.player;
    assert_eq!(state["points"], record.points(), "{player}'s points were to be the sum of what it was told");
    let badges: BTreeSet<String> = serde_json::from_value(state["badges"].clone()).expect("a list of texts");
    assert_eq!(badges, record.badges(), "{player}'s badges were to be those that it was told of");
    assert!(badges.contains("sprinter"), "{player} was to have the badge of all who finish: {badges:?}");
}

async fn ask(link: &Link, method: &str, data: Value) -> Result<Value, ClientError> {
    link.rpc(method, data, Repeat::Safe, CALL).await
}

/// A code belongs to one team.
fn codes_are_distinct(records: &[Arc<Record>]) {
    let mut owners: BTreeMap<String, String> = BTreeMap::new();
    for record in records {
        let player = record.player.to_string();
        let team = player.rsplit_once('.').map_or(player.as_str(), |(team, _)| team).to_owned();
        for code in record.codes() {
            let owner = owners.entry(code.clone()).or_insert_with(|| team.clone());
            assert_eq!(*owner, team, "the code {code} was to belong to one team");
        }
    }
}
