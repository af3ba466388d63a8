//! One test for each reason, most with its near miss.

use super::*;
use crate::geo::position::Position;
use crate::units::{Meters, MetersPerSecond};

const START: i64 = 1_750_000_000_000;

/// A fix so many metres north of a place, at so many seconds.
fn fix(north: f64, seconds: f64, accuracy: f64) -> Fix {
    let position = Position::new(24.94, 60.17 + north / 111_418.0).expect("on earth");
    let time = Timestamp::from_millis(START + (seconds * 1000.0) as i64);
    Fix::new(position, time).with_accuracy(Meters::lossy(accuracy)).expect("not negative")
}

fn judge(gate: &mut Gate, fix: Fix) -> Verdict {
    gate.judge(&fix, fix.time())
}

fn flags(verdict: Verdict) -> Vec<Reason> {
    match verdict {
        Verdict::Accept { flags, .. } => flags,
        Verdict::Hold(reason) | Verdict::Refuse(reason) => panic!("not accepted: {reason:?}"),
    }
}

#[test]
fn times_out_of_bounds_are_refused() {
    let now = Timestamp::from_millis(START);
    let judge = |seconds| Gate::default().judge(&fix(0.0, seconds, 5.0), now);
    assert_eq!(judge(30.1), Verdict::Refuse(Reason::Future));
    assert_eq!(judge(-600.1), Verdict::Refuse(Reason::Late));
    assert_eq!([flags(judge(30.0)), flags(judge(-600.0))], [vec![], vec![]]);
}

#[test]
fn order_is_by_number_where_there_is_one_else_by_time() {
    let mut gate = Gate::default();
    assert_eq!(flags(judge(&mut gate, fix(0.0, 10.0, 5.0).with_seq(7))), []);
    for (next, reason) in [
        (fix(0.0, 11.0, 5.0).with_seq(7), Reason::Repeated),
        (fix(0.0, 11.0, 5.0).with_seq(6), Reason::Late),
        (fix(0.0, 10.0, 5.0).with_seq(8), Reason::NotRising),
        (fix(0.0, 9.0, 5.0).with_seq(8), Reason::NotRising),
        (fix(0.0, 10.0, 5.0), Reason::Repeated),
        (fix(0.0, 9.999, 5.0), Reason::Late),
    ] {
        assert_eq!(judge(&mut gate, next), Verdict::Refuse(reason));
    }
    assert_eq!(flags(judge(&mut gate, fix(0.0, 10.001, 5.0).with_seq(8))), []);
}

#[test]
fn a_jump_is_held_until_a_second_fix_agrees() {
    // 200 m in a second at a claimed 1.5 m: neither walked nor explained.
    let mut gate = Gate::default();
    judge(&mut gate, fix(0.0, 0.0, 5.0));
    assert_eq!(judge(&mut gate, fix(200.0, 1.0, 1.5)), Verdict::Hold(Reason::Jump));
    assert_eq!(flags(judge(&mut gate, fix(201.0, 2.0, 5.0))), [Reason::Jump]);
    assert_eq!(flags(judge(&mut gate, fix(202.0, 3.0, 5.0))), []);
    // Back where it was: the one in between was wild.
    let mut gate = Gate::default();
    judge(&mut gate, fix(0.0, 0.0, 5.0));
    assert_eq!(judge(&mut gate, fix(200.0, 1.0, 1.5)), Verdict::Hold(Reason::Jump));
    assert_eq!(flags(judge(&mut gate, fix(2.0, 2.0, 5.0))), []);
    // A bad accuracy explains it.
    let mut gate = Gate::default();
    judge(&mut gate, fix(0.0, 0.0, 5.0));
    assert_eq!(flags(judge(&mut gate, fix(200.0, 1.0, 120.0))), [Reason::TooFast]);
}

#[test]
fn a_teleport_is_held_then_cools_down() {
    let mut gate = Gate::default();
    judge(&mut gate, fix(0.0, 0.0, 5.0));
    assert_eq!(judge(&mut gate, fix(5_000.0, 10.0, 5.0)), Verdict::Hold(Reason::Teleport));
    assert_eq!(judge(&mut gate, fix(9_000.0, 11.0, 5.0)), Verdict::Hold(Reason::Teleport));
    assert_eq!(flags(judge(&mut gate, fix(9_003.0, 12.0, 5.0))), [Reason::Jump, Reason::Teleport, Reason::CoolDown]);
    assert_eq!(flags(judge(&mut gate, fix(9_004.0, 71.9, 5.0))), [Reason::CoolDown]);
    assert_eq!(flags(judge(&mut gate, fix(9_005.0, 72.0, 5.0))), []);
}

#[test]
fn a_drive_is_not_a_jump_and_a_flight_is_flagged() {
    let mut gate = Gate::default();
    for second in 0..60 {
        let second = f64::from(second);
        let drive = fix(second * 25.0, second, 5.0).with_speed(MetersPerSecond::lossy(25.0));
        // The first step is as equal to the next as a script's, but a minute has not passed.
        assert_eq!(flags(judge(&mut gate, drive)), []);
    }
    let mut gate = Gate::default();
    judge(&mut gate, fix(0.0, 0.0, 5.0));
    assert_eq!(flags(judge(&mut gate, fix(6_000.0, 60.0, 5.0))), [Reason::TooFast]);
}

#[test]
fn mock_and_too_exact_lower_the_score() {
    let verdict = judge(&mut Gate::default(), fix(0.0, 0.0, 0.5).with_mock(true));
    let Verdict::Accept { score, flags } = verdict else { panic!("accepted") };
    assert_eq!(flags, [Reason::Mock, Reason::TooExact]);
    assert!(score > 0.0 && score < 0.1, "{score}");
}

#[test]
fn equal_steps_at_equal_times_for_a_minute_are_too_perfect() {
    let mut gate = Gate::default();
    let seen: Vec<bool> =
        (0..70).map(|s| !flags(judge(&mut gate, fix(f64::from(s) * 1.4, f64::from(s), 5.0))).is_empty()).collect();
    // The first step is at 1 s; it has been repeated for a minute at 61 s.
    assert_eq!(seen.iter().position(|&flagged| flagged), Some(61));
    let mut gate = Gate::default();
    let honest = (0..200).map(|s| {
        let wobble = f64::from(s * s % 7) * 0.1;
        flags(judge(&mut gate, fix(f64::from(s) * 1.4 + wobble, f64::from(s), 5.0)))
    });
    assert!(honest.into_iter().all(|flags| flags.is_empty()));
}

#[test]
fn codes_are_those_of_json() {
    for reason in [Reason::Future, Reason::NotRising, Reason::CoolDown, Reason::TooPerfect, Reason::Jump] {
        assert_eq!(serde_json::to_value(reason).expect("a word"), reason.code());
    }
}

#[test]
fn a_shadow_tells_its_differences_and_decides_nothing() {
    let mut gate = Gate::default();
    let mut shadow = Shadow::new(&RuleSet::V3);
    let mut differences = Vec::new();
    // A train at 60 m/s: fine for the current set, flagged by the draft; and one coarse fix.
    for (i, accuracy) in [5.0, 5.0, 5.0, 5.0, 150.0].into_iter().enumerate() {
        let seconds = 10.0 * i as f64;
        let next = fix(60.0 * seconds, seconds, accuracy).with_speed(MetersPerSecond::lossy(60.0));
        let verdict = gate.judge(&next, next.time());
        differences.push(shadow.judge(&next, next.time(), &verdict));
    }
    assert_eq!(differences[0], None);
    assert!(differences[1..].iter().all(|difference| difference.is_some()), "{differences:?}");
    assert!(differences.contains(&Some(Difference::Score)), "{differences:?}");
    // A repeat is one for both.
    let again = fix(0.0, 0.0, 5.0);
    let verdict = gate.judge(&again, again.time());
    assert_eq!(shadow.judge(&again, again.time(), &verdict), None);
}

#[test]
fn versions_are_named_and_in_order() {
    let versions: Vec<u16> = RuleSet::ALL.iter().map(|set| set.version).collect();
    assert_eq!(versions, [1, 2, 3, 4]);
    assert_eq!(RuleSet::of_version(4), Some(RuleSet::CURRENT));
    assert_eq!(RuleSet::of_version(9), None);
}
