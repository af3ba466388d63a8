//! The table of entities that panic, by a clock that stands still until everyone waits for it.

use super::*;
use crate::ids::{PlayerId, TeamId};

fn entity(n: usize) -> EntityId {
    EntityId::Team(TeamId::new(format!("t{n}")).expect("an id"))
}

fn poison() -> Poison {
    let cmd = crate::quest::act::CommandId::new("c1").expect("an id");
    let player = PlayerId::new("ada").expect("an id");
    Poison { name: "team.say".to_owned(), cause: Some((Cause::Client { player, cmd, fingerprint: 1 }, 0)) }
}

fn panics(parked: &Parked, n: usize) -> Verdict {
    parked.panicked(&entity(n), Timestamp::from_millis(1_000), poison(), "index out of bounds")
}

fn times(n: usize, panics: impl Fn() -> Verdict) -> Vec<Verdict> {
    (0..n).map(|_| panics()).collect()
}

#[tokio::test(start_paused = true)]
async fn the_third_panic_parks_until_it_is_well() {
    let parked = Parked::default();
    assert_eq!([panics(&parked, 1), panics(&parked, 1)], [Verdict::Again; 2]);
    assert!(parked.admits(&entity(1)));
    assert_eq!(panics(&parked, 1), Verdict::Parked(PAUSE_MIN, 1));
    assert!(!parked.admits(&entity(1)) && parked.admits(&entity(2)));
    tokio::time::advance(PAUSE_MIN).await;
    assert!(parked.admits(&entity(1)) && parked.count() == 1, "it is tried again by itself, in sight");
    assert_eq!(panics(&parked, 1), Verdict::Parked(PAUSE_MIN * 2, 2), "one more panic is enough");
    tokio::time::advance(PAUSE_MIN * 2 + TRIAL).await;
    assert_eq!(parked.count(), 0, "well again");
    assert_eq!(panics(&parked, 1), Verdict::Again, "it begins from the start");
}

#[tokio::test(start_paused = true)]
async fn each_pause_is_twice_the_last_up_to_ten_minutes() {
    let parked = Parked::default();
    let mut pause = PAUSE_MIN;
    let mut seen = Vec::new();
    times(2, || panics(&parked, 1));
    for _ in 0..7 {
        assert_eq!(panics(&parked, 1), Verdict::Parked(pause, u32::try_from(seen.len()).expect("few") + 1));
        seen.push(pause.as_secs());
        // A message that waits comes within two seconds of the pause.
        tokio::time::advance(pause + Duration::from_secs(2)).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
    assert_eq!(seen, [30, 60, 120, 240, 480, 600, 600]);
}

#[tokio::test(start_paused = true)]
async fn panics_far_apart_do_not_park() {
    let parked = Parked::default();
    for _ in 0..10 {
        assert_eq!(panics(&parked, 1), Verdict::Again);
        tokio::time::advance(WINDOW).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_operator_sees_name_and_cause_and_has_it_tried_again() {
    let parked = Parked::default();
    assert!(!parked.redrive(&entity(1)), "it is not parked");
    times(3, || panics(&parked, 1));
    times(2, || panics(&parked, 2));
    let at = Timestamp::from_millis(5_000);
    let cards = parked.cards(at);
    let card = ParkedCard {
        entity: "team/t1".to_owned(),
        since: Timestamp::from_millis(1_000),
        until: at + PAUSE_MIN,
        on_trial: false,
        panics: 3,
        message: "team.say".to_owned(),
        cause: Some("c ada c1".to_owned()),
        panic: "index out of bounds".to_owned(),
    };
    assert_eq!(cards, ParkedCards { parked: vec![card], more: 0, unkept: 0 });
    assert!(parked.redrive(&entity(1)) && parked.admits(&entity(1)));
    assert!(parked.cards(at).parked[0].on_trial);
    assert_eq!(panics(&parked, 1), Verdict::Parked(PAUSE_MIN * 2, 2), "it was tried in vain");
    parked.forget(Shard::of(&entity(1)));
    assert_eq!((parked.count(), parked.admits(&entity(1))), (0, true));
}

#[tokio::test(start_paused = true)]
async fn the_table_and_what_is_shown_of_it_are_bounded() {
    let parked = Parked::default();
    for n in 0..KEPT_MAX {
        times(2, || panics(&parked, n));
    }
    assert_eq!(panics(&parked, KEPT_MAX), Verdict::NoRoom);
    assert!(matches!(panics(&parked, 0), Verdict::Parked(..)), "whoever is there already is parked");
    for n in 1..SHOWN_MAX + 5 {
        panics(&parked, n);
    }
    let cards = parked.cards(Timestamp::from_millis(0));
    assert_eq!((cards.parked.len(), cards.more, cards.unkept), (SHOWN_MAX, 5, 1));
    tokio::time::advance(PAUSE_MIN + TRIAL).await;
    assert_eq!(panics(&parked, KEPT_MAX), Verdict::Again, "there is room again");
}
