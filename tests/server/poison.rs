//! A message that makes its entity panic: it parks that entity and nothing else, and an operator sees it, has it tried
//! again, or drops it.

use crate::harness::{TestServer, eventually, quick};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use waystone::actors::operator::{self, Unparked};
use waystone::actors::start::{RunningNode, start};
use waystone::actors::world::World;
use waystone::clock::Clock;
use waystone::cluster::router::Undelivered;
use waystone::cluster::shard::Shard;
use waystone::faults;
use waystone::ids::{EntityId, PlayerId, RegionId, TeamId};
use waystone::persist::memory::MemoryJournal;
use waystone::quest::act::CommandId;
use waystone::quest::aggregate::Message;
use waystone::quest::command::{Command, PlayerCommand, RegionCommand, Sighting, TeamCommand};
use waystone::quest::evidence::Evidence;
use waystone::quest::refusal::Refusal;
use waystone::units::{Meters, Timestamp};
use waystone::verify;

async fn node(journal: &MemoryJournal) -> RunningNode {
    start(Clock::system(), Arc::new(journal.clone()), World::default()).await.expect("memory answers")
}

fn player(name: &str) -> PlayerId {
    PlayerId::new(name).expect("an id")
}

fn named(id: &PlayerId, cmd: Option<&str>, name: &str) -> Message {
    let profile = PlayerCommand::Profile { name: Some(name.to_owned()), lang: None };
    let cmd = cmd.map(|cmd| CommandId::new(cmd).expect("an id"));
    Message::from_client(id, cmd, Command::Player(profile))
}

pub fn evidence() -> Evidence {
    Evidence {
        distance: Meters::lossy(12.5),
        accuracy: Meters::lossy(8.0),
        probability: 0.96875,
        rule: "certain".to_owned(),
        fix_time: Timestamp::from_millis(0),
        score: 1.0,
        flags: Vec::new(),
        rules: 1,
        fixes: 2,
        threshold: Some(0.75),
        margin: None,
    }
}

/// A player of the same shard as another.
fn neighbour(of: &EntityId) -> PlayerId {
    let names = (0..).map(|n| player(&format!("n{n}")));
    let mut same = names.filter(|id| Shard::of(&EntityId::Player(id.clone())) == Shard::of(of));
    same.next().expect("one in 256 is")
}

async fn clean(journal: &MemoryJournal, dropped: u64) {
    let verdict = verify::verify(&journal.reopen()).await.expect("readable");
    assert_eq!((verdict.render(), verdict.dropped, verdict.is_clean()), (verdict.render(), dropped, true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn poison_parks_its_entity_and_nothing_else_until_it_is_mended() {
    let (journal, ada) = (MemoryJournal::new(), player("ada"));
    let running = node(&journal).await;
    let (node, id) = (&running.node, EntityId::Player(ada.clone()));
    let bob = neighbour(&id);
    let send = |to: &PlayerId, text: &str| {
        node.router.send(EntityId::Player(to.clone()), named(to, Some(&format!("c-{text}")), text))
    };
    send(&ada, "Ada").await.expect("nothing is wrong yet");
    let fault = faults::poison("Nightshade");
    for _ in 0..3 {
        assert_eq!(send(&ada, "Nightshade").await, Err(Undelivered::Unavailable));
    }
    let (begun, mut turned_away) = (Instant::now(), 0);
    for n in 0..200 {
        send(&bob, &format!("Bob_{n}")).await.expect("a neighbour does not notice");
        turned_away += usize::from(send(&ada, "Ada_L").await == Err(Undelivered::Parked));
    }
    assert_eq!(turned_away, 200, "whatever is asked of a parked entity is turned away");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}: and nobody waits", begun.elapsed());
    assert_eq!(Refusal::from(Undelivered::Parked).code, 1003, "clients know that code");

    let everywhere = operator::parked(node).await;
    let [card] = everywhere.cards.parked.as_slice() else { panic!("{everywhere:?}") };
    assert_eq!((card.entity.as_str(), card.panics, card.on_trial), ("player/ada", 3, false));
    assert_eq!((card.message.as_str(), card.cause.as_deref()), ("player.profile", Some("c ada c-Nightshade")));
    assert_eq!(card.panic, "planted poison");

    let unpark = |drop| operator::unpark(node, id.clone(), drop);
    assert_eq!(unpark(false).await, Ok(Unparked::Redriven));
    assert_eq!(send(&ada, "Nightshade").await, Err(Undelivered::Unavailable), "the fault is still there");
    assert_eq!(send(&ada, "Ada_L").await, Err(Undelivered::Parked), "so it is parked again, at once");
    drop(fault);
    assert_eq!(unpark(false).await, Ok(Unparked::Redriven));
    send(&ada, "Nightshade").await.expect("mended");
    assert_eq!(operator::unpark(node, EntityId::Player(bob), true).await, Ok(Unparked::NotParked));
    running.drain().await;
    clean(&journal, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_command_is_refused_for_good() {
    let (journal, ada) = (MemoryJournal::new(), player("ada"));
    let running = node(&journal).await;
    let (node, id) = (&running.node, EntityId::Player(ada.clone()));
    let send =
        |cmd| node.router.send(id.clone(), named(&ada, cmd, if cmd.is_some() { "Hemlock" } else { "Hemlocks" }));
    let fault = faults::poison("Hemlock");
    for _ in 0..3 {
        assert_eq!(send(Some("c1")).await, Err(Undelivered::Unavailable));
    }
    assert_eq!(operator::unpark(node, id.clone(), true).await, Ok(Unparked::Dropped));
    drop(fault);
    let again = send(Some("c1")).await;
    assert!(matches!(&again, Err(Undelivered::Refused(refusal)) if refusal.code == 1007), "{again:?}");
    send(Some("c2")).await.expect("another command is another command");
    let fault = faults::poison("Hemlock");
    for _ in 0..3 {
        assert!(send(None).await.is_err());
    }
    assert_eq!(operator::unpark(node, id.clone(), true).await, Ok(Unparked::NothingToDrop), "it has no name");
    drop(fault);
    running.drain().await;
    // What was dropped stays dropped, in the next run too.
    let next = journal.reopen();
    let running = self::node(&next).await;
    let again = running.node.router.send(id.clone(), named(&ada, Some("c1"), "Hemlock")).await;
    assert!(matches!(&again, Err(Undelivered::Refused(refusal)) if refusal.code == 1007), "{again:?}");
    running.drain().await;
    clean(&journal, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_courier_stops_carrying_what_is_dropped_and_carries_what_comes_after_it() {
    let (journal, ada) = (MemoryJournal::new(), player("ada"));
    let running = node(&journal).await;
    let node = &running.node;
    let hut = RegionId::new("wolfsbane-hut").expect("an id");
    let sight = |what| {
        let sight = RegionCommand::Sight { player: ada.clone(), what, why: evidence() };
        node.router.send(EntityId::Region(hut.clone()), Message::bare(Command::Region(sight)))
    };
    // The region's own command does not bear its name; the letter to the player does.
    let fault = faults::poison(r#""region":"wolfsbane-hut""#);
    sight(Sighting::Entered).await.expect("the region itself is well");
    eventually("the player is parked", async || match node.parked.count() {
        1 => Ok(()),
        n => Err(format!("{n} parked")),
    })
    .await;
    sight(Sighting::Left).await.expect("the region itself is well");
    assert_eq!(node.courier.letters(), 2);
    let cards = operator::parked(node).await.cards;
    assert_eq!(cards.parked[0].cause.as_deref(), Some("m region/wolfsbane-hut 1 0"), "{cards:?}");
    assert_eq!(operator::unpark(node, EntityId::Player(ada.clone()), true).await, Ok(Unparked::Dropped));
    drop(fault);
    eventually("all letters are carried", async || match node.courier.letters() {
        0 => Ok(()),
        n => Err(format!("{n} letters")),
    })
    .await;
    running.drain().await;
    clean(&journal, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shard_that_panics_is_started_anew_with_what_was_parked() {
    let (journal, ada) = (MemoryJournal::new(), player("ada"));
    let running = node(&journal).await;
    let (node, id) = (&running.node, EntityId::Player(ada.clone()));
    let bob = neighbour(&id);
    let send = |to: &PlayerId, text: &str| node.router.send(EntityId::Player(to.clone()), named(to, None, text));
    let fault = faults::poison("Foxglove");
    for _ in 0..3 {
        assert_eq!(send(&ada, "Foxglove").await, Err(Undelivered::Unavailable));
    }
    let team = EntityId::Team(TeamId::new("digitalis").expect("an id"));
    let of_shard = faults::poison("the shard of team/digitalis");
    let leave = Message::bare(Command::Team(TeamCommand::Leave { player: ada.clone() }));
    assert_eq!(node.router.send(team.clone(), leave.clone()).await, Err(Undelivered::Unavailable));
    drop(of_shard);
    eventually("the shard is back", async || match node.router.send(team.clone(), leave.clone()).await {
        Err(Undelivered::Refused(refusal)) => Ok(refusal),
        other => Err(format!("{other:?}")),
    })
    .await;
    send(&bob, "Bob").await.expect("the neighbours are there");
    assert_eq!(send(&ada, "Ada").await, Err(Undelivered::Parked), "what was parked still is");
    drop(fault);
    running.drain().await;
    clean(&journal, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_sees_redrives_and_drops_by_http() {
    let server = TestServer::start(quick()).await;
    let (mut ada, mut bob) = (server.phone("ada").await, server.phone("bob").await);
    ada.found("Oleanders").await;
    bob.found("Bobs").await;
    let fault = faults::poison("Oleander tea");
    let say = json!({ "cmd": "tea", "text": "Oleander tea" });
    for n in 0..4 {
        let refused = ada.refused("team.say", say.clone()).await;
        assert_eq!((refused.0, refused.2), (1003, true), "try {n}: {refused:?}");
    }
    bob.act("team.say", json!({ "text": "we are well" })).await;
    assert_eq!(server.metric("waystone_parked_entities").await, 1);

    let (parked, token) = ("/v1/operator/parked", server.operator_token());
    let page = server.look(parked).await;
    let card = &page["parked"][0];
    assert_eq!((&card["message"], &card["panics"], &page["silent"]), (&json!("team.say"), &json!(3), &json!([])));
    assert!(!page.to_string().contains("Oleander tea"), "what was said is nobody's business: {page}");
    let wish = |what: &str| json!({ "entity": card["entity"], "do": what });
    assert_eq!(server.post(parked, &server.token("ada"), &wish("drop")).await.status, 403);
    assert_eq!(server.http("GET", parked, &[], "").await.status, 401);
    assert_eq!(server.post(parked, &token, &json!({ "entity": "team/none", "do": "drop" })).await.status, 404);
    assert_eq!(server.post(parked, &token, &json!({ "entity": "none", "do": "drop" })).await.status, 404);
    assert_eq!(server.post(parked, &token, &wish("burn")).await.status, 400);

    let done = async |what| {
        let response = server.post(parked, &token, &wish(what)).await;
        assert_eq!(response.status, 200, "{response:?}");
        let done: Value = response.json()["done"].clone();
        done
    };
    assert_eq!(done("redrive").await, "redriven");
    assert_eq!(ada.refused("team.say", say.clone()).await.0, 1003, "it fails again");
    assert_eq!(server.look(parked).await["parked"][0]["panics"], 4);
    assert_eq!(done("drop").await, "dropped");
    let refused = ada.refused("team.say", say.clone()).await;
    assert_eq!((refused.0, refused.2), (1007, false), "the command is over: {refused:?}");
    ada.act("team.say", json!({ "text": "coffee" })).await;
    drop(fault);
    server.end().await;
}
