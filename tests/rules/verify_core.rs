//! What games leave behind is found sound: by the core on the entries, and by the reader on a journal.

use crate::fixtures::DEMO;
use crate::phones::EPOCH;
use crate::plan::Plan;
use crate::random::Agents;
use crate::world::World;
use std::collections::{BTreeMap, BTreeSet};
use waystone::cluster::shard::Shard;
use waystone::ids::{EntityId, QuestId};
use waystone::persist::memory::MemoryJournal;
use waystone::persist::{Append, Journal, PublishedSource, Stored};
use waystone::quest::catalog::Catalog;
use waystone::verify::{Check, History, Verdict, verify};

/// The core's verdict on entries, all of whose letters are acknowledged up to an offset in each shard.
pub fn verdict(log: &[Stored], catalog: &Catalog, acked: u64) -> Verdict {
    let mut shards: BTreeMap<Shard, Vec<&Stored>> = BTreeMap::new();
    for stored in log {
        shards.entry(Shard::of(&stored.entity)).or_default().push(stored);
    }
    verdict_on(shards, catalog, acked, None)
}

/// The same, with a history held against them.
pub fn verdict_with(log: &[Stored], catalog: &Catalog, history: &History) -> Verdict {
    let mut shards: BTreeMap<Shard, Vec<&Stored>> = BTreeMap::new();
    log.iter().for_each(|stored| shards.entry(Shard::of(&stored.entity)).or_default().push(stored));
    verdict_on(shards, catalog, u64::MAX, Some(history))
}

pub fn verdict_on(
    shards: BTreeMap<Shard, Vec<&Stored>>,
    catalog: &Catalog,
    acked: u64,
    history: Option<&History>,
) -> Verdict {
    let mut check = Check::new(catalog);
    if let Some(history) = history {
        check = check.with_history(history, EPOCH);
    }
    for (shard, entries) in shards {
        entries.iter().for_each(|stored| check.take(shard, stored));
        check.end_of_shard(shard, acked);
    }
    check.finish()
}

#[test]
fn planned_games_are_found_sound() {
    for seed in 0..25 {
        let world = Plan::new(seed).play(Some(seed));
        let verdict = verdict(&world.log, &world.catalog, u64::MAX);
        assert!(verdict.is_clean(), "seed {seed}: {}", verdict.render());
        assert_eq!((verdict.entries, verdict.pending), (world.log.len() as u64, 0));
        assert_eq!(verdict.entities, world.live.len() as u64);
    }
}

#[test]
fn free_agents_are_found_sound() {
    for seed in 100..120 {
        let world = Agents::play(seed);
        let verdict = verdict(&world.log, &world.catalog, u64::MAX);
        assert!(verdict.is_clean(), "seed {seed}: {}", verdict.render());
    }
}

#[test]
fn letters_under_way_are_pending_and_no_difference() {
    let mut world = World::with(&[DEMO]);
    world.playing("fox", &["ada", "bo"]);
    let (entries, awards) = (world.log.len(), world.awards().len());
    world.disturb(1);
    let region = EntityId::Region(world.region_of("kivi"));
    let entered = waystone::quest::command::Sighting::Entered;
    let sight = crate::world::sight(&crate::world::player("ada"), entered, world.now);
    world.post(&region, &sight).expect("never refused");
    let verdict = verdict(&world.log, &world.catalog, 0);
    assert!(verdict.is_clean(), "{}", verdict.render());
    assert_eq!((verdict.entries, verdict.awards, verdict.pending), (entries as u64 + 1, awards as u64, 1));
    assert_eq!(verdict.render().lines().last(), Some("no differences"));
}

/// A journal in memory that holds a game.
async fn journal_of(world: &World) -> MemoryJournal {
    let journal = MemoryJournal::new();
    let (quest, source) = (QuestId::new("bronze-and-granite").expect("valid"), DEMO.to_owned());
    journal.publish(PublishedSource { quest, version: 1, source }).await.expect("the first version");
    journal.claim(Shard::all().collect()).await.expect("nobody else is there");
    for stored in &world.log {
        let append = Append { entity: stored.entity.clone(), entry: stored.entry.clone(), wake: None };
        let offset = journal.append(append).await.expect("the entry is sound");
        assert_eq!(offset, stored.offset);
        if stored.entry.seq.is_multiple_of(5) {
            let aggregate = world.rebuilt_up_to(&stored.entity, stored.entry.seq);
            let state = serde_json::to_vec(&aggregate).expect("a snapshot can be written");
            journal.save_snapshot(&stored.entity, stored.entry.seq, state).await.expect("a snapshot can be kept");
        }
    }
    journal
}

#[tokio::test]
async fn journal_is_read_and_found_sound() {
    let world = Plan::new(3).play(Some(3));
    let journal = journal_of(&world).await;
    let verdict = verify(&journal).await.expect("it can be read");
    assert!(verdict.is_clean(), "{}", verdict.render());
    assert_eq!(verdict.entries, world.log.len() as u64);
}

#[tokio::test]
async fn wrong_snapshot_and_unreadable_quest_are_found() {
    let world = Plan::new(3).play(None);
    let journal = journal_of(&world).await;
    let ada = EntityId::Player(crate::world::player("t0-p0"));
    let mut aggregate = world.rebuilt(&ada);
    if let waystone::quest::aggregate::State::Player(player) = &mut aggregate.state {
        player.points += 1;
    }
    let state = serde_json::to_vec(&aggregate).expect("a snapshot can be written");
    journal.save_snapshot(&ada, aggregate.seq, state).await.expect("a snapshot can be kept");
    let bo = EntityId::Player(crate::world::player("t0-p1"));
    let seq = world.rebuilt(&bo).seq;
    journal.save_snapshot(&bo, seq, b"{".to_vec()).await.expect("a snapshot can be kept");
    let broken = PublishedSource { quest: QuestId::new("x").expect("valid"), version: 1, source: "x".to_owned() };
    journal.publish(broken).await.expect("the journal does not read quests");
    let verdict = verify(&journal).await.expect("it can be read");
    let found: BTreeSet<(&str, &str)> = verdict.differences.iter().map(|d| (d.entity.as_str(), d.check)).collect();
    let expected = [("x@1", "quest"), ("player/t0-p0", "snapshot"), ("player/t0-p1", "snapshot")];
    assert_eq!(found, BTreeSet::from(expected), "{}", verdict.render());
}
