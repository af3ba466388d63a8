//! How every story of deaths ends: nobody kills any more, the teams at play finish, and all that was told and
//! promised is held against the journal and against what the server answers now.

use crate::ground::Ground;
use crate::party::Parties;
use crate::record::{Acknowledged, Record};
use crate::server::{Folder, Server, Start};
use crate::witness;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval};
use waystone::net::client::{Link, Repeat};

/// How long teams at play may take to finish once nobody kills any more.
const FINISH: Duration = Duration::from_secs(90);
/// How long chains may take to end after the last team has finished.
const CHAINS: Duration = Duration::from_secs(10);
/// How often it is looked whether something has come.
const LOOK: Duration = Duration::from_millis(20);
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
    entries: u64,
    codes: usize,
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { teams, told, awards, acknowledged, connects, entries, codes } = self;
        write!(
            f,
            "{teams} teams of witnesses finished, told {told} notices of which {awards} awards, {acknowledged} commands \
             acknowledged, {connects} connections; {entries} entries, {codes} codes given; lost 0, twice 0"
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
    let faults = ground.faults();
    assert!(faults.is_empty(), "at the end:\n{}", faults.join("\n"));
    let verified = folder.verify().await;
    let verdict: Value = serde_json::from_slice(&verified.stdout).unwrap_or_default();
    assert_eq!(verified.status.code(), Some(0), "`waystone verify` was to find no fault: {verified:?}");
    assert_eq!(verdict["pending"], 0, "every chain was to have ended: {verdict}");
    let told = records.iter().map(|record| record.told().len()).sum::<usize>();
    assert_eq!(verdict["history"]["told"], told, "all that was told was to be compared: {verdict}");
    server.stop().await;

    let count = |what: fn(&Record) -> usize| records.iter().map(|record| what(record)).sum::<usize>();
    Story {
        teams,
        told: count(|record| record.told().len()),
        awards: count(Record::awards),
        acknowledged: count(|record| record.acknowledged().len()),
        connects: count(Record::connects),
        entries: verdict["entries"].as_u64().expect("a count"),
        codes: records.iter().flat_map(|record| record.codes()).collect::<BTreeSet<_>>().len(),
    }
}

/// Every message that was sent has been heard, soon after the last step.
pub(crate) async fn no_message_waits(folder: &Folder) {
    let (begun, mut look) = (Instant::now(), interval(Duration::from_millis(250)));
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        let verified = folder.verify().await;
        let verdict: Value = serde_json::from_slice(&verified.stdout).unwrap_or_default();
        assert_eq!(verified.status.code(), Some(0), "while messages wait, verify: {verified:?}");
        if verdict["pending"] == 0 {
            return;
        }
        assert!(begun.elapsed() < CHAINS, "no message was to wait after {CHAINS:?}: {verdict}");
    }
}

/// Asks again for every acknowledged command, under its id; then looks at the state and the board, when it has been told
/// all that it knows of. `waystone verify` compares.
async fn answers_stand(ground: &Arc<Ground>, record: &Arc<Record>) {
    let (minter, player) = (Arc::clone(ground), record.player.clone());
    let (link, events) = Link::start(&ground.url(), Arc::new(move || minter.token(&player)), record.resume());
    let asking = async {
        for Acknowledged { method, data, .. } in record.acknowledged() {
            let request = record.diary.asked(&method, &data);
            let again = link.rpc(&method, data.clone(), Repeat::Safe, CALL).await;
            record.answered(request, &again);
            again.unwrap_or_else(|err| panic!("{method} {data} was to be answered again: {err}"));
        }
        let ends = look(&link, record).await["offset"].as_u64().expect("an offset");
        let (begun, mut hears) = (Instant::now(), interval(LOOK));
        while record.told().last().is_none_or(|(offset, _)| *offset < ends) && begun.elapsed() < CALL {
            hears.tick().await;
        }
        record.diary.settled();
        look(&link, record).await;
        let request = record.diary.asked("subscribe", &Value::Null);
        let board = link.subscribe("board:sprint", CALL).await.expect("anyone may see the board");
        record.diary.board(Some(request), &board["data"]);
    };
    tokio::select! {
        () = asking => {}
        fault = witness::listen(events, record, ground) => panic!("{fault}"),
    };
    record.diary.disconnected("it has seen all");
    let badges = record.badges();
    assert!(badges.contains("sprinter"), "{} was to have the badge of all who finish: {badges:?}", record.player);
}

async fn look(link: &Link, record: &Record) -> Value {
    let request = record.diary.asked("state.get", &json!({}));
    let state = link.rpc("state.get", json!({}), Repeat::Safe, CALL).await;
    record.looked(request, &state);
    state.expect("the state can be had")
}
