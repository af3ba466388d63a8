//! What is promised of writing.

use super::*;
use crate::quest::notice::{Notice, What};
use futures_util::future::join_all;
use serde_json::json;

pub(super) async fn offsets_are_dense_and_answered<B: Bench>(bench: B) {
    let shard = Shard::of(&player("ada"));
    let mut expected = 0;
    for entity in players_of(shard).take(3) {
        for seq in 1..=3 {
            expected += 1;
            assert_eq!(bench.journal().append(append(&entity, seq)).await.expect("it is the next"), expected);
        }
    }
    let stored = bench.journal().scan(shard, 0, 100).await.expect("readable");
    assert_eq!(stored.iter().map(|stored| stored.offset).collect::<Vec<_>>(), (1..=9).collect::<Vec<_>>());
}

pub(super) async fn an_entry_comes_back_whole<B: Bench>(mut bench: B) {
    let entity = region("walk:kivi");
    let mut whole = caused(&entity, 1, "c-1");
    whole.entry.hops = 3;
    whole.entry.out = sending(&entity, 1).entry.out;
    whole.entry.reply = Some(json!({"ok": [1, 2.5, null, "å"]}));
    whole.entry.awards = vec!["walk@1#1:points".to_owned()];
    let what = What::TeamLeft { team: TeamId::new("owls").expect("valid") };
    whole.entry.notices = vec![Notice { at: Timestamp::from_millis(-1), what }];
    bench.journal().append(whole.clone()).await.expect("the first");
    bench.reopen().await;
    assert_eq!(bench.journal().load(&entity).await.expect("readable").tail, [whole.entry]);
}

pub(super) async fn a_number_that_stands_is_refused<B: Bench>(bench: B) {
    let ada = player("ada");
    bench.journal().append(append(&ada, 1)).await.expect("the first");
    bench.journal().append(append(&ada, 2)).await.expect("the second");
    for seq in [1, 2] {
        assert_conflict(&bench.journal().append(append(&ada, seq)).await, "seq");
    }
    assert_eq!(seqs(bench.journal(), &ada).await, [1, 2]);
}

pub(super) async fn a_gap_is_refused<B: Bench>(bench: B) {
    let ada = player("ada");
    assert_conflict(&bench.journal().append(append(&ada, 2)).await, "seq");
    bench.journal().append(append(&ada, 1)).await.expect("the first");
    assert_conflict(&bench.journal().append(append(&ada, 3)).await, "seq");
    assert_eq!(seqs(bench.journal(), &ada).await, [1]);
}

pub(super) async fn number_zero_is_refused<B: Bench>(bench: B) {
    for seq in [0, u64::MAX] {
        assert_conflict(&bench.journal().append(append(&player("ada"), seq)).await, "seq");
    }
    assert!(seqs(bench.journal(), &player("ada")).await.is_empty());
}

pub(super) async fn a_second_cause_is_refused<B: Bench>(mut bench: B) {
    let ada = player("ada");
    bench.journal().append(caused(&ada, 1, "c-1")).await.expect("the first");
    assert_conflict(&bench.journal().append(caused(&ada, 2, "c-1")).await, "cause");
    bench.reopen().await;
    assert_conflict(&bench.journal().append(caused(&ada, 2, "c-1")).await, "cause");
    bench.journal().append(caused(&ada, 2, "c-2")).await.expect("another cause");
}

pub(super) async fn a_second_award_is_refused<B: Bench>(mut bench: B) {
    let ada = player("ada");
    bench.journal().append(awarded(&ada, 1, &["gold", "tin"])).await.expect("the first");
    assert_conflict(&bench.journal().append(awarded(&ada, 2, &["iron", "tin"])).await, "award");
    bench.reopen().await;
    assert_conflict(&bench.journal().append(awarded(&ada, 2, &["gold"])).await, "award");
    bench.journal().append(awarded(&ada, 2, &["iron"])).await.expect("the refused entry kept no award");
}

pub(super) async fn an_award_twice_in_one_entry_is_refused<B: Bench>(bench: B) {
    assert_conflict(&bench.journal().append(awarded(&player("ada"), 1, &["gold", "gold"])).await, "award");
    assert!(seqs(bench.journal(), &player("ada")).await.is_empty());
}

pub(super) async fn what_is_refused_leaves_nothing<B: Bench>(bench: B) {
    let (ada, shard) = (player("ada"), Shard::of(&player("ada")));
    bench.journal().append(awarded(&ada, 1, &["gold"])).await.expect("the first");
    let mut guilty = caused(&ada, 2, "c-1");
    guilty.entry.awards = vec!["tin".to_owned(), "gold".to_owned()];
    guilty.entry.out = sending(&ada, 2).entry.out;
    guilty.wake = Some(Timestamp::from_millis(5));
    assert_conflict(&bench.journal().append(guilty).await, "award");
    assert!(bench.journal().wakes(shard).await.expect("readable").is_empty());
    assert!(bench.journal().undelivered(shard, 0, 9).await.expect("readable").is_empty());
    let mut clean = caused(&ada, 2, "c-1");
    clean.entry.awards = vec!["tin".to_owned()];
    assert_eq!(bench.journal().append(clean).await.expect("cause and award are free"), 2, "an offset was spent");
}

pub(super) async fn causes_and_awards_belong_to_one_entity<B: Bench>(bench: B) {
    for entity in [player("ada"), team("ada"), region("ada"), player("bo")] {
        bench.journal().append(caused(&entity, 1, "c-1")).await.expect("its own cause");
        bench.journal().append(awarded(&entity, 2, &["gold"])).await.expect("its own award");
    }
}

pub(super) async fn a_shard_that_is_not_claimed_is_lost<B: Bench>(bench: B) {
    let rival = bench.rival().await;
    assert_lost(&rival.append(append(&player("ada"), 1)).await);
    bench.journal().append(append(&player("ada"), 1)).await.expect("the owner is undisturbed");
}

pub(super) async fn an_old_claim_is_lost<B: Bench>(bench: B) {
    let ada = player("ada");
    bench.journal().append(append(&ada, 1)).await.expect("the owner");
    let rival = bench.rival().await;
    rival.claim(vec![Shard::of(&ada)]).await.expect("claimable");
    assert_lost(&bench.journal().append(append(&ada, 2)).await);
    assert_lost(&bench.journal().append(append(&ada, 2)).await);
    assert_eq!(rival.append(append(&ada, 2)).await.expect("the new owner"), 2);
    bench.journal().claim(vec![Shard::of(&ada)]).await.expect("claimable");
    assert_lost(&rival.append(append(&ada, 3)).await);
    assert_eq!(bench.journal().append(append(&ada, 3)).await.expect("the owner again"), 3);
}

pub(super) async fn other_shards_commit_beside_a_lost_one<B: Bench>(bench: B) {
    let entities: Vec<EntityId> = (0..60).map(|n| player(&format!("p{n}"))).collect();
    let taken = Shard::of(&entities[0]);
    bench.rival().await.claim(vec![taken]).await.expect("claimable");
    let appends = entities.iter().map(|entity| bench.journal().append(append(entity, 1)));
    for (entity, result) in entities.iter().zip(join_all(appends).await) {
        if Shard::of(entity) == taken {
            assert_lost(&result);
            assert!(seqs(bench.journal(), entity).await.is_empty());
        } else {
            result.expect("its shard is still ours");
            assert_eq!(seqs(bench.journal(), entity).await, [1]);
        }
    }
}

pub(super) async fn a_claim_tells_epoch_and_head<B: Bench>(bench: B) {
    let (ada, shard) = (player("ada"), Shard::of(&player("ada")));
    let [first] = bench.journal().claim(vec![shard]).await.expect("claimable")[..] else { panic!("one claim") };
    bench.journal().append(append(&ada, 1)).await.expect("the first");
    let [second] = bench.journal().claim(vec![shard]).await.expect("claimable")[..] else { panic!("one claim") };
    assert_eq!((first.shard, first.head, first.out_acked), (shard, 0, 0));
    assert_eq!((second.shard, second.epoch, second.head), (shard, first.epoch + 1, 1));
    bench.journal().append(append(&ada, 2)).await.expect("the handle uses its newest claim");
}

pub(super) async fn appends_to_one_entity_may_queue<B: Bench>(bench: B) {
    let ada = player("ada");
    let results = join_all((1..=20).map(|seq| bench.journal().append(append(&ada, seq)))).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!(seqs(bench.journal(), &ada).await, (1..=20).collect::<Vec<_>>());
}

pub(super) async fn only_the_guilty_is_refused<B: Bench>(bench: B) {
    let ada = player("ada");
    bench.journal().append(caused(&ada, 1, "c-1")).await.expect("the first");
    let guilty = [caused(&ada, 2, "c-1"), append(&ada, 3), awarded(&player("bo"), 1, &["a", "a"])];
    let innocent = (0..70).map(|n| waking(&player(&format!("p{n}")), 1, n));
    let appends: Vec<Append> = innocent.clone().chain(guilty).chain(innocent.map(|a| append(&a.entity, 2))).collect();
    let results = join_all(appends.iter().map(|append| bench.journal().append(append.clone()))).await;
    for (append, result) in appends.iter().zip(&results) {
        match (append.entity.key(), append.entry.seq) {
            ("ada", 2) => assert_conflict(result, "cause"),
            ("ada", 3) => assert_conflict(result, "seq"),
            ("bo", _) => assert_conflict(result, "award"),
            _ => assert!(result.is_ok(), "{result:?}"),
        }
    }
    for shard in Shard::all() {
        let stored = bench.journal().scan(shard, 0, 500).await.expect("readable");
        assert!((1..).zip(&stored).all(|(offset, stored)| stored.offset == offset), "a gap in {shard:?}");
        assert!(bench.journal().wakes(shard).await.expect("readable").is_empty());
    }
}

pub(super) async fn a_thousand_at_once_are_dense_and_durable<B: Bench>(mut bench: B) {
    let streams = (0..50).map(|n| {
        let journal = bench.journal();
        async move {
            let entity = player(&format!("p{n}"));
            for seq in 1..=20 {
                journal.append(append(&entity, seq)).await.expect("it is the next");
            }
        }
    });
    join_all(streams).await;
    bench.reopen().await;
    for n in 0..50 {
        assert_eq!(seqs(bench.journal(), &player(&format!("p{n}"))).await, (1..=20).collect::<Vec<_>>());
    }
    let mut total = 0;
    for shard in Shard::all() {
        let stored = bench.journal().scan(shard, 0, 4000).await.expect("readable");
        assert!((1..).zip(&stored).all(|(offset, stored)| stored.offset == offset), "a gap in {shard:?}");
        total += stored.len();
    }
    assert_eq!(total, 1000);
}

pub(super) async fn a_closed_journal_takes_nothing<B: Bench>(bench: B) {
    assert_eq!(bench.journal().ready(), Ok(()));
    bench.journal().close().await;
    bench.journal().close().await;
    let refused = bench.journal().append(append(&player("ada"), 1)).await;
    assert!(matches!(refused, Err(AppendError::Unavailable(_))), "{refused:?}");
    assert!(bench.journal().load(&player("ada")).await.is_err());
    assert!(bench.journal().ready().is_err());
}
