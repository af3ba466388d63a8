//! What is promised of reading, of snapshots, wakes, deliveries and published quests.

use super::*;
use crate::ids::QuestId;
use crate::persist::{ESTATE_ENTRIES, PublishedSource, ReadError};

async fn fill<B: Bench>(bench: &B, entity: &EntityId, to: u64) {
    for seq in 1..=to {
        bench.journal().append(sending(entity, seq)).await.expect("it is the next");
    }
}

async fn undelivered<B: Bench>(bench: &B, shard: Shard) -> Vec<u64> {
    let stored = bench.journal().undelivered(shard, 0, 100).await.expect("readable");
    stored.iter().map(|stored| stored.offset).collect()
}

#[track_caller]
fn assert_corrupt<T: std::fmt::Debug>(result: Result<T, ReadError>, entity: &EntityId, seq: u64) -> (u64, String) {
    match result {
        Err(ReadError::Corrupt { entity: found, seq: at, offset, reason }) => {
            assert_eq!((found, at), (entity.to_string(), seq));
            (offset, reason)
        }
        other => panic!("{other:?} is no fault of what is stored"),
    }
}

pub(super) async fn what_is_unknown_is_empty<B: Bench>(bench: B) {
    let loaded = bench.journal().load(&player("nobody")).await.expect("readable");
    assert!(loaded.snapshot.is_none() && loaded.tail.is_empty());
    let shard = Shard::of(&player("nobody"));
    assert!(bench.journal().scan(shard, 0, 9).await.expect("readable").is_empty());
    assert!(bench.journal().undelivered(shard, 0, 9).await.expect("readable").is_empty());
    assert!(bench.journal().wakes(shard).await.expect("readable").is_empty());
    assert!(bench.journal().published().await.expect("readable").is_empty());
}

pub(super) async fn a_snapshot_spares_the_entries_before_it<B: Bench>(mut bench: B) {
    let ada = player("ada");
    fill(&bench, &ada, 5).await;
    bench.journal().save_snapshot(&ada, 3, vec![0, 255, 7]).await.expect("kept");
    bench.reopen().await;
    let loaded = bench.journal().load(&ada).await.expect("readable");
    assert_eq!(loaded.snapshot, Some((3, vec![0, 255, 7])));
    assert_eq!(loaded.tail.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [4, 5]);
    bench.journal().append(append(&ada, 6)).await.expect("the stream goes on");
}

pub(super) async fn an_older_snapshot_is_ignored<B: Bench>(bench: B) {
    let ada = player("ada");
    fill(&bench, &ada, 5).await;
    for (seq, state) in [(4, vec![4]), (2, vec![2]), (4, vec![5])] {
        bench.journal().save_snapshot(&ada, seq, state).await.expect("kept or ignored");
    }
    assert_eq!(bench.journal().load(&ada).await.expect("readable").snapshot, Some((4, vec![4])));
    bench.journal().save_snapshot(&ada, 5, vec![5]).await.expect("kept");
    assert_eq!(bench.journal().load(&ada).await.expect("readable").snapshot, Some((5, vec![5])));
}

pub(super) async fn a_snapshot_of_no_entry_is_ignored<B: Bench>(bench: B) {
    let ada = player("ada");
    fill(&bench, &ada, 2).await;
    for seq in [0, 3] {
        bench.journal().save_snapshot(&ada, seq, vec![1]).await.expect("ignored");
    }
    let loaded = bench.journal().load(&ada).await.expect("readable");
    assert!(loaded.snapshot.is_none());
    assert_eq!(loaded.tail.len(), 2);
}

pub(super) async fn undelivered_comes_in_order<B: Bench>(bench: B) {
    let shard = Shard::of(&player("ada"));
    let entities: Vec<EntityId> = players_of(shard).take(3).collect();
    for entity in &entities {
        bench.journal().append(sending(entity, 1)).await.expect("the first");
        bench.journal().append(append(entity, 2)).await.expect("the second");
    }
    assert_eq!(undelivered(&bench, shard).await, [1, 3, 5]);
    let page = bench.journal().undelivered(shard, 1, 1).await.expect("readable");
    assert_eq!(page.len(), 1);
    assert_eq!((page[0].offset, &page[0].entity, page[0].entry.out.len()), (3, &entities[1], 1));
}

pub(super) async fn what_is_delivered_does_not_come_again<B: Bench>(bench: B) {
    let (ada, shard) = (player("ada"), Shard::of(&player("ada")));
    fill(&bench, &ada, 3).await;
    bench.journal().delivered(shard, 2);
    bench.journal().delivered(shard, 1);
    assert_eq!(undelivered(&bench, shard).await, [3]);
}

pub(super) async fn delivery_travels_with_an_append<B: Bench>(bench: B) {
    let (ada, shard) = (player("ada"), Shard::of(&player("ada")));
    fill(&bench, &ada, 2).await;
    bench.journal().delivered(shard, 2);
    bench.journal().append(sending(&ada, 3)).await.expect("the next");
    let rival = bench.rival().await;
    let claims = rival.claim(vec![shard]).await.expect("claimable");
    assert_eq!(claims[0].out_acked, 2);
    let stored = rival.undelivered(shard, 0, 9).await.expect("readable");
    assert_eq!(stored.iter().map(|stored| stored.offset).collect::<Vec<_>>(), [3]);
}

pub(super) async fn delivery_is_written_at_the_close<B: Bench>(mut bench: B) {
    let (ada, shard) = (player("ada"), Shard::of(&player("ada")));
    fill(&bench, &ada, 3).await;
    bench.journal().delivered(shard, 2);
    bench.reopen().await;
    assert_eq!(undelivered(&bench, shard).await, [3]);
    assert_eq!(bench.journal().claim(vec![shard]).await.expect("claimable")[0].out_acked, 2);
}

pub(super) async fn delivery_stops_at_the_head<B: Bench>(mut bench: B) {
    let (ada, shard) = (player("ada"), Shard::of(&player("ada")));
    fill(&bench, &ada, 1).await;
    bench.journal().delivered(shard, 1000);
    bench.reopen().await;
    fill(&bench, &players_of(shard).find(|other| *other != ada).expect("endless"), 1).await;
    assert_eq!(undelivered(&bench, shard).await, [2], "what came later counts as delivered");
}

pub(super) async fn a_wake_is_replaced_and_removed<B: Bench>(mut bench: B) {
    let (ada, shard) = (player("ada"), Shard::of(&player("ada")));
    for (seq, due) in [(1, 70), (2, 50)] {
        bench.journal().append(waking(&ada, seq, due)).await.expect("the next");
    }
    bench.reopen().await;
    let wakes = bench.journal().wakes(shard).await.expect("readable");
    assert_eq!(wakes, [(ada.clone(), Timestamp::from_millis(50))]);
    bench.journal().append(append(&ada, 3)).await.expect("the next");
    assert!(bench.journal().wakes(shard).await.expect("readable").is_empty());
}

pub(super) async fn wakes_come_in_order<B: Bench>(bench: B) {
    let shard = Shard::of(&player("ada"));
    let entities: Vec<EntityId> = players_of(shard).take(3).collect();
    for (entity, due) in entities.iter().zip([30, -10, 20]) {
        bench.journal().append(waking(entity, 1, due)).await.expect("the first");
    }
    let wakes = bench.journal().wakes(shard).await.expect("readable");
    let expected = [(1, -10), (2, 20), (0, 30)];
    assert_eq!(wakes, expected.map(|(n, due): (usize, i64)| (entities[n].clone(), Timestamp::from_millis(due))));
}

pub(super) async fn what_is_left_to_do_comes_for_many_shards_at_once<B: Bench>(mut bench: B) {
    let names = ["ada", "bob", "cy", "dee"].map(player);
    let shards: Vec<Shard> = names.iter().map(Shard::of).collect();
    fill(&bench, &names[0], 3).await;
    bench.journal().append(waking(&names[0], 4, 70)).await.expect("the next");
    bench.journal().delivered(shards[0], 1);
    fill(&bench, &names[1], u64::from(ESTATE_ENTRIES)).await;
    bench.journal().append(waking(&names[2], 1, 20)).await.expect("the first");
    bench.reopen().await;
    let mut claims = bench.journal().claim(shards.clone()).await.expect("claimable");
    claims.sort_by_key(|claim| claim.shard);
    let estates = bench.journal().estates(claims).await.expect("readable");
    let offsets = |left: &[crate::persist::Stored]| left.iter().map(|stored| stored.offset).collect::<Vec<_>>();
    let told: Vec<_> = estates
        .iter()
        .map(|estate| (estate.shard, estate.undelivered.as_deref().map(offsets), estate.wakes.clone()))
        .collect();
    let wakes = |place: usize, due| vec![(names[place].clone(), Timestamp::from_millis(due))];
    let mut expected = [
        (shards[0], Some(vec![2, 3]), wakes(0, 70)),
        (shards[1], None, vec![]),
        (shards[2], Some(vec![]), wakes(2, 20)),
        (shards[3], Some(vec![]), vec![]),
    ];
    expected.sort_by_key(|(shard, ..)| *shard);
    assert_eq!(told, expected, "in the order of the claims; what is much is left to pages");
}

pub(super) async fn a_scan_is_ordered_and_paged<B: Bench>(bench: B) {
    let shard = Shard::of(&player("ada"));
    for entity in players_of(shard).take(4) {
        fill(&bench, &entity, 5).await;
    }
    let (mut after, mut seen) = (0, Vec::new());
    loop {
        let page = bench.journal().scan(shard, after, 7).await.expect("readable");
        assert!(page.len() <= 7);
        let Some(last) = page.last() else { break };
        after = last.offset;
        seen.extend(page.iter().map(|stored| stored.offset));
    }
    assert_eq!(seen, (1..=20).collect::<Vec<_>>());
}

pub(super) async fn a_shard_is_loaded_page_by_page<B: Bench>(bench: B) {
    let shard = Shard::of(&player("ada"));
    let mut entities: Vec<EntityId> = players_of(shard).take(7).collect();
    for (n, entity) in (1..).zip(&entities) {
        fill(&bench, entity, n).await;
        if n > 4 {
            bench.journal().save_snapshot(entity, n - 1, vec![1]).await.expect("kept");
        }
    }
    let in_order = entities.clone();
    entities.sort();
    let (mut after, mut seen) = (None, Vec::new());
    loop {
        let page = bench.journal().load_page(shard, after.clone(), 3).await.expect("readable");
        assert!(page.len() <= 3);
        let Some((last, _)) = page.last() else { break };
        after = Some(last.clone());
        for (entity, loaded) in page {
            let loaded = loaded.expect("readable");
            let n = 1 + in_order.iter().position(|known| *known == entity).expect("one of ours") as u64;
            assert_eq!(loaded.snapshot.is_some(), n > 4);
            assert_eq!(loaded.tail.last().expect("the last is not in the snapshot").seq, n);
            seen.push(entity);
        }
    }
    assert_eq!(seen, entities);
}

pub(super) async fn entries_can_be_read_past_a_snapshot<B: Bench>(bench: B) {
    let ada = player("ada");
    fill(&bench, &ada, 3).await;
    bench.journal().save_snapshot(&ada, 3, vec![0]).await.expect("kept");
    assert!(bench.journal().load(&ada).await.expect("readable").tail.is_empty());
    let whole = bench.journal().load_entries(&ada).await.expect("readable");
    assert!(whole.snapshot.is_none());
    assert_eq!(whole.tail.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [1, 2, 3]);
}

pub(super) async fn an_entity_that_cannot_be_read_spoils_no_page<B: Bench>(bench: B) {
    let shard = Shard::of(&player("ada"));
    let entities: Vec<EntityId> = players_of(shard).take(3).collect();
    for entity in &entities {
        fill(&bench, entity, 2).await;
    }
    bench.overwrite(&entities[1], 1, 1, "?").await;
    let page = bench.journal().load_page(shard, None, 9).await.expect("readable");
    assert_eq!(page.len(), 3);
    for (entity, loaded) in page {
        assert_eq!(loaded.is_err(), entity == entities[1], "{entity}");
    }
}

pub(super) async fn an_entry_bears_the_epoch_of_its_writing<B: Bench>(mut bench: B) {
    let (ada, shard) = (player("ada"), Shard::of(&player("ada")));
    fill(&bench, &ada, 2).await;
    bench.reopen().await;
    let next = append(&ada, 3);
    bench.journal().append(next).await.expect("the next");
    let page = bench.journal().scan(shard, 0, 9).await.expect("readable");
    assert_eq!(page.iter().map(|stored| stored.epoch).collect::<Vec<_>>(), [1, 1, 2]);
    assert_eq!(bench.journal().epoch(shard).await.expect("readable"), 2);
    let rival = bench.rival().await;
    rival.claim(vec![shard]).await.expect("it takes over");
    assert_eq!(bench.journal().epoch(shard).await.expect("readable"), 3);
}

fn quest(id: &str, version: u32, source: &str) -> PublishedSource {
    PublishedSource { quest: QuestId::new(id).expect("valid"), version, source: source.to_owned() }
}

pub(super) async fn publishing_again_is_no_fault<B: Bench>(mut bench: B) {
    let all = [quest("walk", 1, "a: å\u{0}b"), quest("art", 1, ""), quest("walk", 2, "b")];
    for source in all.iter().chain(&all) {
        bench.journal().publish(source.clone()).await.expect("the same text");
    }
    bench.reopen().await;
    assert_eq!(bench.journal().published().await.expect("readable"), all);
}

pub(super) async fn another_text_of_a_version_is_refused<B: Bench>(bench: B) {
    bench.journal().publish(quest("walk", 1, "a")).await.expect("the first");
    let refused = bench.journal().publish(quest("walk", 1, "b")).await;
    assert!(matches!(refused, Err(AppendError::Conflict(_))), "{refused:?}");
    assert_eq!(bench.journal().published().await.expect("readable"), [quest("walk", 1, "a")]);
    bench.journal().append(append(&player("ada"), 1)).await.expect("the writer goes on");
}

pub(super) async fn an_unknown_event_stops_its_entity_only<B: Bench>(bench: B) {
    let (ada, bo) = (player("ada"), player("bo"));
    fill(&bench, &ada, 3).await;
    fill(&bench, &bo, 3).await;
    let payload = r#"{"seq":2,"at":0,"events":[{"player":{"teleported":{"to":"60.1"}}}]}"#;
    bench.overwrite(&ada, 2, 1, payload).await;
    let (_, reason) = assert_corrupt(bench.journal().load(&ada).await, &ada, 2);
    assert!(reason.contains("teleported"), "{reason}");
    assert_eq!(seqs(bench.journal(), &bo).await, [1, 2, 3]);
    bench.journal().append(append(&bo, 4)).await.expect("others go on");
}

pub(super) async fn an_unknown_form_stops_its_entity_only<B: Bench>(bench: B) {
    let (ada, bo) = (player("ada"), player("bo"));
    fill(&bench, &ada, 1).await;
    fill(&bench, &bo, 1).await;
    bench.overwrite(&ada, 1, 2, "{}").await;
    let (_, reason) = assert_corrupt(bench.journal().load(&ada).await, &ada, 1);
    assert!(reason.contains("form is 2"), "{reason}");
    for broken in ["", "{", "[]", r#"{"seq":1,"at":60.123,"events":[]}"#] {
        bench.overwrite(&ada, 1, 1, broken).await;
        let (_, reason) = assert_corrupt(bench.journal().load(&ada).await, &ada, 1);
        assert!(!reason.contains("60"), "{reason} tells what was stored");
    }
    assert_eq!(seqs(bench.journal(), &bo).await, [1]);
}

pub(super) async fn an_entry_under_another_number_is_a_fault<B: Bench>(bench: B) {
    let ada = player("ada");
    fill(&bench, &ada, 2).await;
    bench.overwrite(&ada, 2, 1, r#"{"seq":1,"at":0,"events":[]}"#).await;
    assert_corrupt(bench.journal().load(&ada).await, &ada, 2);
}

pub(super) async fn a_page_ends_before_what_cannot_be_read<B: Bench>(bench: B) {
    let (ada, shard) = (player("ada"), Shard::of(&player("ada")));
    fill(&bench, &ada, 4).await;
    bench.overwrite(&ada, 3, 9, "{}").await;
    for scan in [true, false] {
        let page = async |after| match scan {
            true => bench.journal().scan(shard, after, 9).await,
            false => bench.journal().undelivered(shard, after, 9).await,
        };
        assert_eq!(page(0).await.expect("readable").len(), 2);
        let (offset, _) = assert_corrupt(page(2).await, &ada, 3);
        assert_eq!(page(offset).await.expect("readable").len(), 1);
    }
}

pub(super) async fn a_nul_in_a_name_survives<B: Bench>(mut bench: B) {
    let owls = team("owls");
    let append = named(&owls, 1, "a\u{0}b\u{1F989}");
    bench.journal().append(append.clone()).await.expect("the first");
    bench.reopen().await;
    assert_eq!(bench.journal().load(&owls).await.expect("readable").tail, [append.entry]);
}
