//! What may not be awake, on a node that is not the asker's: entities that panic, and more entities than there is room.

use crate::nodes::Nodes;
use crate::waking::WALK;
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

/// Two places; who is at the one that is parked plays on at the other.
#[tokio::test(start_paused = true)]
async fn a_place_that_is_parked_keeps_nobody_from_another() {
    const AWAY: [f64; 2] = [24.90, 60.17];
    let yard = "  yard: { center: [24.96, 60.17], radius: 40 }\nsteps:\n  - { id: rest, visit: { at: yard } }\n  \
                - { id: never, answer: { question: Done?, accept: [never] } }";
    let nodes = Nodes::start(&WALK.replace("steps:", yard)).await;
    let mut phone = nodes.phone("parker", 0).await;
    phone.act("team.create", json!({ "name": "Us" })).await;
    phone.start("walk").await;
    nodes.until("it plays", || phone.heard("step.opened") == 3).await;
    let fault = faults::poison(r#""sight":{"player":"parker""#);
    phone.stand(AWAY).await;
    sleep(Duration::from_secs(120)).await;
    // Until it is parked the fix waits for its answer; after that it does not.
    let refusal = phone.try_to_stand([24.94, 60.17]).await.expect_err("the region panics");
    assert_eq!(refusal.code, 1003);
    sleep(Duration::from_secs(5)).await;
    let [card] = <[_; 1]>::try_from(operator::parked(nodes.node(1)).await.cards.parked).expect("one is parked");
    assert!(card.entity.to_string().starts_with("region/"), "{card:?}");
    for _ in 0..5 {
        for place in [AWAY, [24.94, 60.17]] {
            sleep(Duration::from_secs(120)).await;
            phone.stand(place).await;
        }
    }
    drop(fault);
    sleep(Duration::from_secs(120)).await;
    phone.stand([24.96, 60.17]).await;
    nodes.until("it is at the yard", || phone.heard("region.entered") == 1).await;
    let id = card.entity.parse().expect("an entity");
    assert_eq!(operator::unpark(nodes.node(2), id, false).await, Ok(Unparked::Redriven));
    // Of all that it missed the place is told the last: four visits.
    nodes.until("it was at the gate", || phone.heard("region.entered") == 5 && phone.heard("region.left") == 4).await;
    assert_eq!(phone.heard("step.completed"), 2, "a step was done at each place");
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
