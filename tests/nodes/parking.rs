//! What may not be awake, on a node that is not the asker's: entities that panic, and more entities than there is room.

use crate::nodes::Nodes;
use serde_json::json;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use waystone::actors::operator::{self, Unparked};
use waystone::cluster::router::Undelivered;
use waystone::cluster::shard::Shard;
use waystone::faults;
use waystone::ids::{EntityId, PlayerId};
use waystone::quest::act::CommandId;
use waystone::quest::aggregate::Message;
use waystone::quest::command::{Command, PlayerCommand};
use waystone::quest::refusal::Refusal;

const QUEST: &str = "
schema: quest/v1
id: stroll
title: Stroll
places:
  gate: { center: [24.94, 60.17], radius: 40 }
steps:
  - { id: there, visit: { at: gate }, points: 5 }
";

/// A player whose shard this node owns.
fn player_of(nodes: &Nodes, node: usize) -> PlayerId {
    let names = (0..).map(|n| PlayerId::new(format!("p{n}")).expect("an id"));
    let owned = |id: &PlayerId| nodes.node(node).ownership.serves(Shard::of(&EntityId::Player(id.clone()))).is_some();
    names.into_iter().find(|id| owned(id)).expect("a node has its share")
}

fn named(id: &PlayerId, cmd: &str, name: &str) -> Message {
    let profile = PlayerCommand::Profile { name: Some(name.to_owned()), lang: None };
    Message::from_client(id, Some(CommandId::new(cmd).expect("an id")), Command::Player(profile))
}

#[tokio::test(start_paused = true)]
async fn an_entity_that_is_parked_elsewhere_is_seen_redriven_and_dropped_from_here() {
    let nodes = Nodes::start(QUEST).await;
    let ill = player_of(&nodes, 2);
    let (here, id) = (nodes.node(0), EntityId::Player(ill.clone()));
    let send = |cmd: &'static str, name: &'static str| here.router.send(id.clone(), named(&ill, cmd, name));
    send("c1", "Ada").await.expect("nothing is wrong yet");
    assert!(operator::parked(here).await.cards.parked.is_empty());

    let fault = faults::poison("Belladonna");
    for _ in 0..3 {
        assert_eq!(send("c2", "Belladonna").await, Err(Undelivered::Unavailable), "over the link as anywhere");
    }
    assert_eq!(send("c3", "Ada").await, Err(Undelivered::Parked));
    assert_eq!(Refusal::from(Undelivered::Parked).code, 1003);
    for node in 0..3 {
        let seen = operator::parked(nodes.node(node)).await;
        let [card] = seen.cards.parked.as_slice() else { panic!("from node {node}: {seen:?}") };
        assert_eq!((card.entity.clone(), card.panics), (id.to_string(), 3));
        assert!(seen.silent.is_empty(), "all nodes have answered: {seen:?}");
    }

    assert_eq!(operator::unpark(here, id.clone(), false).await, Ok(Unparked::Redriven));
    assert_eq!(send("c2", "Belladonna").await, Err(Undelivered::Unavailable), "the fault is still there");
    assert_eq!(send("c3", "Ada").await, Err(Undelivered::Parked), "so it is parked again, at once");
    assert_eq!(operator::unpark(nodes.node(1), id.clone(), true).await, Ok(Unparked::Dropped));
    drop(fault);
    let again = send("c2", "Belladonna").await;
    assert!(matches!(&again, Err(Undelivered::Refused(refusal)) if refusal.code == 1007), "{again:?}");
    send("c4", "Ada L").await.expect("it plays on");
    // After half a minute without a panic it counts as well.
    sleep(Duration::from_secs(31)).await;
    send("c5", "Ada").await.expect("it plays on");
    assert_eq!(operator::unpark(here, id.clone(), true).await, Ok(Unparked::NotParked));
    nodes.end().await;
}

/// As many as come are served by three nodes that may each have 60 awake: who has spoken last stays, who is idle goes,
/// and nothing of it is lost.
#[tokio::test(start_paused = true)]
async fn more_players_than_may_be_awake_are_served_in_turn() {
    const ROOM: usize = 60;
    const PLAYERS: usize = 400;
    let nodes = Nodes::start(QUEST).await;
    let bound = |node: usize| {
        let shards = nodes.node(node).ownership.count();
        nodes.node(node).awake.share(shards).most * shards
    };
    for node in 0..3 {
        nodes.node(node).awake.limit(ROOM);
    }
    // Each shard has room for two at least, so that is the bound in fact.
    assert!((0..3).map(bound).sum::<usize>() < PLAYERS * 2, "or nobody need go");
    for round in 0..3 {
        for n in 0..PLAYERS {
            let player = PlayerId::new(format!("many{n}")).expect("an id");
            let name = format!("Many {n} {round}");
            let begun = Instant::now();
            loop {
                let message = named(&player, &format!("c{round}"), &name);
                match nodes.node(n % 3).router.send(EntityId::Player(player.clone()), message).await {
                    Ok(_) => break,
                    Err(Undelivered::Busy) => sleep(Duration::from_millis(50)).await,
                    Err(other) => panic!("{player}: {other:?}"),
                }
                assert!(begun.elapsed() < Duration::from_secs(10), "{player} is answered busy for too long");
            }
        }
        for node in 0..3 {
            let awake = usize::try_from(nodes.node(node).counters.read(0).entities).expect("few");
            assert!(awake <= bound(node), "{awake} awake on node {node}, at most {}", bound(node));
        }
    }
    let mut last = nodes.phone("many7", 1).await;
    assert_eq!(last.session.state().await.expect("it can be asked")["name"], "Many 7 2");
    last.act("team.create", json!({ "name": "Us" })).await;
    drop(last);
    nodes.end().await;
}
