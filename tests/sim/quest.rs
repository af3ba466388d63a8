//! The game that is simulated: three steps, a reward for each player, one ticket for two teams; and players whose
//! streams lie in one shard, so that they share its cursor.

use std::sync::LazyLock;
use waystone::actors::world::World;
use waystone::cluster::shard::Shard;
use waystone::content;
use waystone::ids::{EntityId, PlayerId, QuestId};
use waystone::persist::PublishedSource;

const SOURCE: &str = "
schema: quest/v1
id: sim
title: Sim
play: { mode: team, team_size: [1, 5], time_limit: 8m, repeat: again }
places:
  a: { center: [24.94, 60.17], radius: 40, name: A }
steps:
  - { id: meet, title: Meet, points: 10, visit: { at: a } }
  - id: word
    title: Word
    points: 7
    answer: { question: How many?, accept: [two], tries: 3, wait: 2s }
    hints: [{ text: few, after: 0s, cost: 3 }]
  - id: side
    title: Side
    points: 5
    choose: { question: Where?, options: [{ id: west, label: West }, { id: east, label: East, points: 4 }] }
rewards:
  - { give: { badge: walker }, each: player }
  - { give: { code_pool: tickets }, each: team, stock: 1, otherwise: { points: 50 } }
";

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let world = World::default();
    match content::publish(SOURCE, "sim", 1, &|step| step.to_string()) {
        Ok(quest) => world.publish(vec![quest]),
        Err(report) => panic!("{report:?}"),
    }
    world
});

/// The content that all nodes play.
pub fn world() -> World {
    WORLD.clone()
}

/// The same for the journal.
pub fn published() -> PublishedSource {
    PublishedSource { quest: QuestId::new("sim").expect("an id"), version: 1, source: SOURCE.to_owned() }
}

/// Where the first step is, and not far from it.
pub const PLACE: [f64; 2] = [24.94, 60.17];
pub const AWAY: [f64; 2] = [24.942, 60.17];

static PLAYERS: LazyLock<Vec<PlayerId>> = LazyLock::new(|| {
    let id = |n: u32| PlayerId::new(format!("p{n}")).expect("an id");
    let home = |player: &PlayerId| Shard::of(&EntityId::Player(player.clone()));
    let first = home(&id(0));
    (0..).map(id).filter(|player| home(player) == first).take(3).collect()
});

/// The players.
pub fn players() -> &'static [PlayerId] {
    &PLAYERS
}
