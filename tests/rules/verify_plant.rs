//! A sound game of two teams, and how to find and change what its journal says.

use crate::fixtures::team_quest;
use crate::world::{World, player, secs, team};
use crate::world_act::step;
use waystone::cluster::shard::Shard;
use waystone::ids::{EntityId, QuestId, RegionId};
use waystone::persist::Stored;
use waystone::quest::command::{Command, News, PlayerCommand};
use waystone::quest::entry::Entry;
use waystone::quest::event::{Event, PlayerEvent, TeamEvent};

pub const STEPS: &str = "
  - { id: s1, points: 10, visit: { at: a, team: { share: 1.0 } },
      hints: [{ text: look, after: 0s, cost: 3 }] }
  - id: s2
    after: s1
    points: 5
    choose: { question: Where?, options: [{ id: west, label: West }, { id: east, label: East, points: 4 }] }";

pub const REWARDS: &str = "rewards:
  - { give: { badge: walker }, each: player }
  - { give: { points: 100 }, each: team }
  - { give: { points: 7 }, each: player }
  - { give: { code_pool: tickets }, each: team, stock: 1, otherwise: { points: 50 } }
  - { give: { badge: eastern }, each: team, when: { step: s2, chose: east } }";

/// Two teams, one ticket; `fox` gets it.
pub fn game() -> World {
    let mut world = World::with(&[&team_quest(STEPS, REWARDS)]);
    for (name, members) in [("fox", ["ada", "bo"]), ("owl", ["olga", "otto"])] {
        world.playing(name, &members);
        world.hint(name, members[0], "s1", 0).expect("at once");
        members.iter().for_each(|who| world.enter(who, "a"));
        world.later(secs(5));
        world.choose(members[1], "s2", "east").expect("an option");
        assert!(world.is_finished(name));
    }
    world
}

pub type Log = Vec<Stored>;

/// The entry of an entity in which a fact is found, and the fact's place.
pub fn find(log: &Log, id: &EntityId, fact: impl Fn(&Event) -> bool) -> (usize, usize) {
    let place = |(at, stored): (usize, &Stored)| {
        let event = stored.entry.events.iter().position(&fact).filter(|_| stored.entity == *id)?;
        Some((at, event))
    };
    log.iter().enumerate().find_map(place).expect("the game has such a fact")
}

pub fn fox() -> EntityId {
    EntityId::Team(team("fox"))
}

pub fn owl() -> EntityId {
    EntityId::Team(team("owl"))
}

pub fn ada() -> EntityId {
    EntityId::Player(player("ada"))
}

pub fn area() -> EntityId {
    EntityId::Region(RegionId::of_quest(&QuestId::new("small").expect("valid")))
}

/// Finds a fact and lets it be changed, with the entry around it.
pub fn change(log: &mut Log, id: &EntityId, fact: impl Fn(&Event) -> bool, by: impl Fn(&mut Entry, usize)) {
    let (at, event) = find(log, id, fact);
    by(&mut log[at].entry, event);
}

/// Adds an entry to an entity's stream, made from its last.
pub fn add(log: &mut Log, id: &EntityId, make: impl Fn(&mut Entry)) {
    let last = log.iter().rfind(|stored| stored.entity == *id).expect("it has entries").entry.clone();
    let head =
        log.iter().filter(|stored| Shard::of(&stored.entity) == Shard::of(id)).map(|stored| stored.offset).max();
    let (events, out, notices, awards) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut entry = Entry { seq: last.seq + 1, cause: None, events, out, notices, awards, reply: None, ..last };
    make(&mut entry);
    log.push(Stored { entity: id.clone(), offset: head.expect("it has entries") + 1, epoch: 1, entry });
}

pub fn team_fact(of: impl Fn(&TeamEvent) -> bool) -> impl Fn(&Event) -> bool {
    move |event| matches!(event, Event::Team(fact) if of(fact))
}

pub fn player_fact(of: impl Fn(&PlayerEvent) -> bool) -> impl Fn(&Event) -> bool {
    move |event| matches!(event, Event::Player(fact) if of(fact))
}

pub fn is_step(event: &Event, id: &str) -> bool {
    match event {
        Event::Team(TeamEvent::StepCompleted { step: known, .. })
        | Event::Player(PlayerEvent::StepCompleted { step: known, .. }) => *known == step(id),
        _ => false,
    }
}

pub fn s1(event: &Event) -> bool {
    is_step(event, "s1")
}

pub fn s2(event: &Event) -> bool {
    is_step(event, "s2")
}

pub fn add_points(entry: &mut Entry, at: usize) {
    match &mut entry.events[at] {
        Event::Team(
            TeamEvent::StepCompleted { points, .. }
            | TeamEvent::RewardGiven { points, .. }
            | TeamEvent::RewardGone { points, .. },
        )
        | Event::Player(PlayerEvent::StepCompleted { points, .. } | PlayerEvent::PointsGiven { points, .. }) => {
            *points += 1;
        }
        other => panic!("{other:?} has no points"),
    }
}

pub fn news_of(entry: &mut Entry) -> impl Iterator<Item = &mut News> {
    entry.out.iter_mut().flat_map(|outgoing| match &mut outgoing.command {
        Command::Player(PlayerCommand::News { items, .. }) => items.as_mut_slice(),
        _ => &mut [],
    })
}
