//! What is promised of ownership: what is free, what is released, and who hears that a shard is lost.

use super::*;
use futures_util::future::join_all;
use std::time::Duration;
use tokio::sync::broadcast::error::TryRecvError;

fn all() -> Vec<Shard> {
    Shard::all().collect()
}

pub(super) async fn what_is_held_is_not_claimed_again<B: Bench>(bench: B) {
    let ada = player("ada");
    let epoch = bench.journal().epoch(Shard::of(&ada)).await.expect("readable");
    assert!(bench.journal().claim_free(all()).await.expect("it can be asked").is_empty());
    assert_eq!(bench.journal().epoch(Shard::of(&ada)).await.expect("readable"), epoch);
    bench.journal().append(append(&ada, 1)).await.expect("nothing has changed");
}

pub(super) async fn only_what_nobody_serves_is_free<B: Bench>(bench: B) {
    let (ada, rival) = (player("ada"), bench.rival().await);
    let shard = Shard::of(&ada);
    if B::LEASES {
        assert!(rival.claim_free(all()).await.expect("it can be asked").is_empty(), "the first one lives");
        bench.journal().append(append(&ada, 1)).await.expect("nothing has changed");
        let before = bench.journal().epoch(shard).await.expect("readable");
        bench.journal().release(vec![shard]).await.expect("it is ours");
        let claims = rival.claim_free(all()).await.expect("it can be asked");
        let found: Vec<(Shard, u64, u64)> =
            claims.iter().map(|claim| (claim.shard, claim.epoch, claim.head)).collect();
        assert_eq!(found, [(shard, before + 1, 1)]);
        rival.append(append(&ada, 2)).await.expect("it is the rival's now");
    }
    bench.journal().close().await;
    let left = usize::from(crate::cluster::shard::SHARDS) - usize::from(B::LEASES);
    assert_eq!(rival.claim_free(all()).await.expect("it can be asked").len(), left, "the first one is gone");
}

pub(super) async fn what_is_released_takes_nothing_and_is_no_loss<B: Bench>(bench: B) {
    let (ada, mut losses) = (player("ada"), bench.journal().losses());
    let shard = Shard::of(&ada);
    bench.journal().append(append(&ada, 1)).await.expect("the first");
    bench.journal().release(vec![shard]).await.expect("it is ours");
    assert_lost(&bench.journal().append(append(&ada, 2)).await);
    let other = Shard::all().find(|other| *other != shard).expect("there are more");
    let bob = players_of(other).next().expect("there are some");
    bench.journal().append(append(&bob, 1)).await.expect("other shards are still held");
    assert_eq!(losses.try_recv(), Err(TryRecvError::Empty));
    assert!(tokio::time::timeout(Duration::from_millis(20), bench.journal().lost()).await.is_err());
    bench.journal().release(vec![shard]).await.expect("what is not held is passed over");
    let again = bench.journal().claim_free(vec![shard, other]).await.expect("it is nobody's");
    assert_eq!(again.iter().map(|claim| (claim.shard, claim.head)).collect::<Vec<_>>(), [(shard, 1)]);
    bench.journal().append(append(&ada, 2)).await.expect("the stream goes on");
}

pub(super) async fn a_release_comes_after_what_was_asked_before<B: Bench>(bench: B) {
    let shard = Shard::of(&player("ada"));
    let entities: Vec<EntityId> = players_of(shard).take(40).collect();
    let appends = join_all(entities.iter().map(|entity| bench.journal().append(append(entity, 1))));
    // Both are polled in order, so the appends are asked for first.
    let (done, released) = tokio::join!(biased; appends, bench.journal().release(vec![shard]));
    released.expect("it is ours");
    assert!(done.iter().all(Result::is_ok), "they were asked for before: {done:?}");
    assert_eq!(bench.journal().scan(shard, 0, 100).await.expect("readable").len(), 40);
}

pub(super) async fn a_release_writes_how_far_deliveries_are<B: Bench>(bench: B) {
    let (ada, shard) = (player("ada"), Shard::of(&player("ada")));
    for seq in 1..=3 {
        bench.journal().append(sending(&ada, seq)).await.expect("it is the next");
    }
    bench.journal().delivered(shard, 2);
    bench.journal().release(vec![shard]).await.expect("it is ours");
    let claims = bench.rival().await.claim_free(vec![shard]).await.expect("it is nobody's");
    assert_eq!(claims.iter().map(|claim| claim.out_acked).collect::<Vec<_>>(), [2]);
}

pub(super) async fn deliveries_are_as_the_claim_found_them<B: Bench>(bench: B) {
    let (ada, shard) = (player("ada"), Shard::of(&player("ada")));
    for seq in 1..=3 {
        bench.journal().append(sending(&ada, seq)).await.expect("it is the next");
    }
    bench.journal().delivered(shard, 2);
    // Nobody has written that down when another takes over.
    bench.rival().await.claim(vec![shard]).await.expect("it seizes");
    assert_lost(&bench.journal().append(append(&ada, 4)).await);
    let claims = bench.journal().claim(vec![shard]).await.expect("it seizes back");
    assert_eq!(claims[0].out_acked, 0);
    let left = bench.journal().undelivered(shard, 0, 9).await.expect("readable");
    assert_eq!(left.iter().map(|stored| stored.offset).collect::<Vec<_>>(), [1, 2, 3]);
}

pub(super) async fn each_loss_is_told_once<B: Bench>(bench: B) {
    let (ada, rival, mut losses) = (player("ada"), bench.rival().await, bench.journal().losses());
    rival.claim(vec![Shard::of(&ada)]).await.expect("it seizes");
    assert_lost(&bench.journal().append(append(&ada, 1)).await);
    assert_lost(&bench.journal().append(append(&ada, 1)).await);
    assert_eq!(losses.recv().await, Ok(Shard::of(&ada)));
    assert_eq!(losses.try_recv(), Err(TryRecvError::Empty));
    let mut rivals = rival.losses();
    bench.journal().release(vec![Shard::of(&ada)]).await.expect("it is not held");
    rival.append(append(&ada, 1)).await.expect("nothing was taken from the new owner");
    assert_eq!(rivals.try_recv(), Err(TryRecvError::Empty));
}
