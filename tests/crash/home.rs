//! How every story of deaths ends: nobody kills any more, the teams at play finish, and all that was told and
//! promised is held against the journal and against what the server answers now.

use crate::ground::Ground;
use crate::ledger::Ledger;
use crate::party::Parties;
use crate::record::{Acknowledged, Record};
use crate::server::{Folder, Server, Start};
use crate::witness;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval};
use waystone::net::client::{ClientError, Link, Repeat};

/// How long teams at play may take to finish once nobody kills any more.
const FINISH: Duration = Duration::from_secs(90);
/// How long chains may take to end after the last team has finished.
const CHAINS: Duration = Duration::from_secs(10);
/// Longest call of the closing questions.
const CALL: Duration = Duration::from_secs(10);

/// What has come of a story.
#[derive(Debug)]
pub(crate) struct Story {
    /// Teams that played to their end.
    pub teams: usize,
    told: usize,
    awards: usize,
    acknowledged: usize,
    connects: usize,
    entries: usize,
    stock: Vec<usize>,
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { teams, told, awards, acknowledged, connects, entries, stock } = self;
        write!(
            f,
            "{teams} teams of witnesses finished, told {told} notices of which {awards} awards, {acknowledged} commands \
             acknowledged, {connects} connections; {entries} entries, stock given {stock:?}; lost 0, twice 0"
        )
    }
}

/// Starts a server that nobody kills, waits until the teams have finished, and checks everything.
pub(crate) async fn bring(folder: &Folder, ground: &Arc<Ground>, parties: Parties, how: Start) -> Story {
    // Without walkers there is an end to wait for.
    let server = Server::start(folder, Start { walkers: 0, fault: None, ..how }).await;
    settle(folder, ground, parties, server).await
}

/// Waits until the teams have finished, checks everything, and ends the server in order.
pub(crate) async fn settle(folder: &Folder, ground: &Arc<Ground>, parties: Parties, server: Server) -> Story {
    let teams = parties.finish(FINISH).await.unwrap_or_else(|stopped| panic!("a chain has stopped: {stopped}"));
    no_message_waits(folder).await;

    let records = ground.records();
    for record in &records {
        answers_stand(ground, record).await;
    }
    let testimonies = ground.testimonies();
    let ledger = Ledger::of(folder).await;
    let faults = ledger.faults_of(&testimonies);
    assert!(faults.is_empty(), "at the end:\n{}", faults.join("\n"));
    for record in &records {
        let (told, stands) = (record.told().len(), ledger.notices(&record.player));
        assert_eq!(told, stands, "{} was to be told all that the journal has for it", record.player);
    }
    codes_are_distinct(&records);
    let verified = folder.verify().await;
    let verdict: Value = serde_json::from_slice(&verified.stdout).unwrap_or_default();
    assert_eq!(verified.status.code(), Some(0), "`waystone verify` was to find no fault: {verified:?}");
    assert_eq!(verdict["pending"], 0, "every chain was to have ended: {verdict}");
    server.stop().await;

    let count = |what: fn(&Record) -> usize| records.iter().map(|record| what(record)).sum::<usize>();
    Story {
        teams,
        told: count(|record| record.told().len()),
        awards: count(Record::awards),
        acknowledged: count(|record| record.acknowledged().len()),
        connects: count(Record::connects),
        entries: ledger.entries,
        stock: ledger.stock(),
    }
}

/// Every message that was sent has been heard, soon after the last step.
pub(crate) async fn no_message_waits(folder: &Folder) {
    let (begun, mut look) = (Instant::now(), interval(Duration::from_millis(250)));
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        let pending = Ledger::of(folder).await.pending();
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
