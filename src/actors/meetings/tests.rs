//! What sessions of a team see together.

use super::*;
use crate::geo::position::Position;
use crate::ids::{QuestId, StepId};
use crate::quest::definition::QuestRef;
use crate::quest::event::RunRef;
use crate::quest::guidance::Guidance;
use crate::units::Meters;

const START: i64 = 1_700_000_000_000;

fn watched(members: u16, stay_s: u64) -> Guidance {
    let quest = QuestRef { id: QuestId::new("q").expect("an id"), version: 1 };
    let meet = Meet {
        team: TeamId::new("fox").expect("an id"),
        run: RunRef { quest, run: 1 },
        step: StepId::new("reunion").expect("an id"),
        within: Meters::lossy(30.0),
        members,
        stay: Duration::from_secs(stay_s),
        max_accuracy: Some(Meters::lossy(50.0)),
        min_score: 0.0,
    };
    Guidance { meets: vec![meet], ..Guidance::default() }
}

fn who(name: &str) -> PlayerId {
    PlayerId::new(name).expect("an id")
}

/// A fix so many metres north, at a second: what is to be brought says who is the centre and who is near.
fn see(
    meetings: &Meetings,
    guidance: &Guidance,
    name: &str,
    north: f64,
    second: i64,
) -> Option<(String, Vec<String>)> {
    let now = Timestamp::from_millis(START + second * 1_000);
    let place = Position::new(24.94, 60.17 + north / 111_400.0).expect("on earth");
    let fix = Fix::new(place, now).with_accuracy(Meters::lossy(5.0)).expect("positive");
    let mut due = meetings.seen(&who(name), &guidance.meets, &fix, now);
    assert!(due.len() <= 1);
    let (_, command) = due.pop()?;
    let TeamCommand::Met { center, near, .. } = command else { panic!("{command:?}") };
    Some((center.to_string(), near.iter().map(|near| near.player.to_string()).collect()))
}

#[test]
fn one_with_enough_round_it_is_the_centre_and_it_is_said_again() {
    let (meetings, guidance) = (Meetings::default(), watched(3, 0));
    // A line of three: only the one in the middle is near both others.
    assert_eq!(see(&meetings, &guidance, "ada", 0.0, 0), None);
    assert_eq!(see(&meetings, &guidance, "cy", 36.0, 0), None);
    let wanted = Some(("bo".to_owned(), vec!["ada".to_owned(), "cy".to_owned()]));
    assert_eq!(see(&meetings, &guidance, "bo", 18.0, 0), wanted);
    assert_eq!(see(&meetings, &guidance, "bo", 18.0, 1), None, "it was brought just now");
    assert_eq!(see(&meetings, &guidance, "ada", 0.0, 6), wanted, "the step is still open");
    meetings.apart(&who("cy"), &guidance.meets);
    assert_eq!(see(&meetings, &guidance, "bo", 18.0, 12), None, "cy has gone");
    for name in ["ada", "bo"] {
        meetings.apart(&who(name), &guidance.meets);
    }
    assert!(meetings.lock().meetings.is_empty());
}

#[test]
fn a_stay_must_be_of_all_at_once() {
    let (meetings, guidance) = (Meetings::default(), watched(3, 30));
    let mut met = Vec::new();
    for second in 0..60 {
        for (name, from) in [("ada", 0), ("bo", 0), ("cy", 20)] {
            if second >= from && see(&meetings, &guidance, name, 0.0, second).is_some() {
                met.push(second);
            }
        }
    }
    assert_eq!(met.first(), Some(&50), "cy came at 20");
}

#[test]
fn vague_fixes_do_not_meet_and_a_clock_ahead_is_not_ahead() {
    let (meetings, guidance) = (Meetings::default(), watched(2, 0));
    assert_eq!(see(&meetings, &guidance, "ada", 0.0, 0), None);
    let now = Timestamp::from_millis(START);
    let place = Position::new(24.94, 60.17).expect("on earth");
    let vague = Fix::new(place, now).with_accuracy(Meters::lossy(60.0)).expect("positive");
    assert_eq!(meetings.seen(&who("bo"), &guidance.meets, &vague, now), []);
    let ahead = Fix::new(place, now + Duration::from_secs(25)).with_accuracy(Meters::lossy(5.0)).expect("positive");
    assert_eq!(meetings.seen(&who("bo"), &guidance.meets, &ahead, now).len(), 1);
}

#[test]
fn what_did_not_arrive_is_owed_also_when_they_have_parted() {
    let (meetings, guidance) = (Meetings::default(), watched(2, 0));
    see(&meetings, &guidance, "ada", 0.0, 0);
    assert!(see(&meetings, &guidance, "bo", 5.0, 0).is_some());
    // What `bring` does when the journal is out of reach.
    let mut all = meetings.lock();
    let gathering = all.meetings.values_mut().next().expect("one meeting");
    gathering.owed = gathering.together(&who("ada"), &guidance.meets[0]);
    drop(all);
    see(&meetings, &guidance, "ada", -500.0, 1);
    assert!(see(&meetings, &guidance, "bo", 500.0, 6).is_some(), "they were together");
    assert_eq!(see(&meetings, &guidance, "bo", 505.0, 12), None);
}

#[test]
fn what_nobody_comes_to_any_more_is_forgotten_and_so_is_a_shard_that_leaves() {
    let (meetings, guidance) = (Meetings::default(), watched(2, 0));
    let mut other = watched(2, 0);
    other.meets[0].team = TeamId::new("owl").expect("an id");
    see(&meetings, &guidance, "ada", 0.0, 0);
    see(&meetings, &other, "bo", 0.0, 500);
    see(&meetings, &other, "bo", 0.0, 700);
    let left: Vec<_> = meetings.lock().meetings.keys().map(|(team, _)| team.to_string()).collect();
    assert_eq!(left, ["owl"], "nobody of the other team was seen for ten minutes");
    meetings.forget(Shard::of(&EntityId::Team(TeamId::new("owl").expect("an id"))));
    assert!(meetings.lock().meetings.is_empty());
}
