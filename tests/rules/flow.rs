//! How steps follow each other: groups, conditions, hours, time limits.

use crate::fixtures::{AGAIN, quest, team_quest};
use crate::world::{World, secs};
use crate::world_act::code;

const VISITS: &str = "
      - { id: s1, visit: { at: a }, points: 10 }
      - { id: s2, visit: { at: b }, points: 20 }
      - { id: s3, visit: { at: c }, points: 40 }
      - { id: s4, visit: { at: d } }";

fn group(group: &str) -> World {
    let mut world = World::with(&[&team_quest(&format!("  - id: all\n    {group}{VISITS}"), "")]);
    world.playing("fox", &["ada", "bo"]);
    world
}

#[test]
fn sequence_opens_its_steps_one_by_one() {
    let mut world = group("sequence:");
    for (id, place, next) in [("s1", "a", "s2"), ("s2", "b", "s3"), ("s3", "c", "s4")] {
        assert!(world.is_open("fox", id) && !world.is_open("fox", next));
        world.enter("ada", place);
        world.leave("ada", place);
        assert!(world.is_done("fox", id) && world.is_open("fox", next));
    }
    world.enter("bo", "d");
    assert!(world.is_finished("fox") && world.is_done("fox", "all"));
    world.check();
}

#[test]
fn sequence_ignores_a_place_visited_too_early() {
    let mut world = group("sequence:");
    world.enter("ada", "b");
    world.leave("ada", "b");
    world.enter("ada", "a");
    assert!(world.is_open("fox", "s2") && !world.is_done("fox", "s2"));
    assert_eq!(world.count_told("ada", "region.entered"), 2);
    world.check();
}

#[test]
fn any_of_is_done_when_enough_is_and_the_rest_closes() {
    let steps = format!(
        "  - id: all\n    any_of:\n      need: 3\n      steps:{}\n  - {{ id: last, visit: {{ at: e }} }}",
        VISITS.replace("      -", "        -")
    );
    let mut world = World::with(&[&team_quest(&steps, "")]);
    world.playing("fox", &["ada", "bo"]);
    for place in ["d", "b"] {
        world.enter("ada", place);
    }
    assert!(!world.is_done("fox", "all") && world.is_open("fox", "s1"));
    world.enter("bo", "a");
    assert!(world.is_done("fox", "all") && !world.is_open("fox", "s3"));
    assert_eq!(world.count_told("ada", "step.closed"), 1);
    world.enter("ada", "c");
    assert!(!world.is_done("fox", "s3"), "a closed step cannot be done");
    assert_eq!(world.run("fox").points, 30);
    world.check();
}

#[test]
fn all_of_takes_all_in_any_order() {
    let mut world = group("all_of:");
    for place in ["d", "a", "c"] {
        world.enter("ada", place);
        assert!(!world.is_finished("fox"));
    }
    world.enter("bo", "b");
    assert!(world.is_finished("fox"));
    world.check();
}

#[test]
fn conditions_open_steps_by_all_any_not_and_points() {
    let steps = "
  - { id: s1, visit: { at: a }, points: 10 }
  - { id: s2, visit: { at: b }, points: 20 }
  - { id: both, after: { all: [s1, s2] }, visit: { at: e } }
  - { id: either, after: { any: [s1, s2] }, visit: { at: e } }
  - { id: rich, after: { points: 30 }, visit: { at: e } }
  - id: opt
    any_of:
      need: 1
      steps:
        - { id: early, after: { not: s1 }, visit: { at: c } }
        - { id: late, visit: { at: d } }";
    let mut world = World::with(&[&team_quest(steps, "")]);
    world.playing("fox", &["ada"]);
    let open = |world: &World| ["both", "either", "rich", "early"].map(|id| world.is_open("fox", id));
    assert_eq!(open(&world), [false, false, false, true]);
    world.enter("ada", "a");
    assert_eq!(open(&world), [false, true, false, false], "`early` closes when s1 is done");
    world.enter("ada", "b");
    assert_eq!(open(&world), [true, true, true, false]);
    world.enter("ada", "e");
    world.enter("ada", "d");
    assert!(world.is_finished("fox"));
    world.check();
}

#[test]
fn choice_decides_which_step_opens() {
    let steps = "
  - id: fork
    choose: { question: Where?, options: [{ id: left, label: Left }, { id: right, label: Right }] }
  - { id: west, after: { any: [{ step: fork, chose: left }, { not: { step: fork, chose: left } }] }, visit: { at: a } }
  - id: ways
    any_of:
      need: 1
      steps:
        - { id: lake, after: { step: fork, chose: left }, visit: { at: b } }
        - { id: hill, after: { step: fork, chose: right }, visit: { at: c } }";
    let mut world = World::with(&[&team_quest(steps, "")]);
    world.playing("fox", &["ada"]);
    assert!(!world.is_open("fox", "lake") && !world.is_open("fox", "hill"));
    world.choose("ada", "fork", "right").expect("an option");
    assert!(!world.is_open("fox", "lake") && world.is_open("fox", "hill"));
    world.check();
}

/// Noon in Helsinki is 09:00 UTC in summer.
fn evenings() -> World {
    let steps = "
  - { id: s1, visit: { at: a } }
  - { id: s2, available: { zone: Europe/Helsinki, hours: [\"Mo-Su 18:00-21:00\"] }, visit: { at: b, stay: 60s } }";
    let mut world = World::with(&[&team_quest(steps, "")]);
    world.playing("fox", &["ada", "bo"]);
    world
}

#[test]
fn hours_open_a_step_by_the_clock_of_its_zone() {
    let mut world = evenings();
    world.later(secs(6 * 3_600 - 1));
    assert!(!world.is_open("fox", "s2"));
    world.later(secs(1));
    assert!(world.is_open("fox", "s2"), "it is 18:00 in Helsinki");
    assert_eq!(world.count_told("bo", "step.opened"), 2);
    world.check();
}

#[test]
fn hours_close_a_step_and_open_it_the_next_day() {
    let mut world = evenings();
    world.later(secs(9 * 3_600));
    assert!(!world.is_open("fox", "s2"), "it is 21:00 in Helsinki");
    world.enter("ada", "b");
    world.later(secs(600));
    assert!(!world.is_done("fox", "s2"));
    world.later(secs(21 * 3_600 - 600));
    assert!(world.is_open("fox", "s2"), "it is 18:00 of the next day, and ada is still there");
    world.later(secs(60));
    assert!(world.is_done("fox", "s2"));
    world.check();
}

#[test]
fn part_of_a_step_that_closed_is_not_kept() {
    let steps = "
  - id: s1
    available: { zone: Europe/Helsinki, hours: [\"Mo-Su 12:00-12:10\"] }
    visit: { at: a, team: { members: 2 } }";
    let mut world = World::with(&[&team_quest(steps, "")]);
    world.playing("fox", &["ada", "bo"]);
    world.enter("ada", "a");
    world.leave("ada", "a");
    world.later(secs(24 * 3_600));
    world.enter("bo", "a");
    assert!(!world.is_done("fox", "s1"), "ada was there yesterday");
    world.enter("ada", "a");
    assert!(world.is_done("fox", "s1"));
    world.check();
}

#[test]
fn step_is_not_done_after_its_hours_even_if_the_alarm_is_late() {
    let mut world = evenings();
    world.later(secs(6 * 3_600));
    world.enter("ada", "b");
    // The team's owner is down when the alarm should ring; only the player's stay is reported.
    world.now = world.now + secs(3 * 3_600);
    world.stayed("ada", "b");
    assert!(!world.is_done("fox", "s2"), "it is 21:00");
    world.check();
}

#[test]
fn time_limit_ends_the_run_by_the_clock() {
    let play = "{ mode: team, team_size: [1, 60], time_limit: 1h }";
    let mut world = World::with(&[&quest("small", play, "  - { id: s1, visit: { at: a }, points: 5 }", "")]);
    world.playing("fox", &["ada"]);
    world.later(secs(3_599));
    assert_eq!(world.run("fox").over, None);
    world.later(secs(1));
    assert!(world.run("fox").over.is_some() && !world.is_finished("fox"));
    assert_eq!(world.count_told("ada", "quest.ended"), 1);
    world.enter("ada", "a");
    assert_eq!(world.player("ada").points, 0);
    assert_eq!(code(&world.answer("ada", "s1", "x")), 1106);
    world.check();
}

#[test]
fn step_is_not_done_after_the_time_limit_even_if_the_alarm_is_late() {
    let play = "{ mode: team, team_size: [1, 60], time_limit: 1h }";
    let mut world = World::with(&[&quest("small", play, "  - { id: s1, visit: { at: a }, points: 5 }", "")]);
    world.playing("fox", &["ada"]);
    world.now = world.now + secs(3_601);
    world.enter("ada", "a");
    assert!(!world.is_finished("fox"));
    assert_eq!((world.run("fox").points, world.player("ada").points), (0, 0));
    world.check();
}

#[test]
fn member_leaving_after_the_time_limit_completes_nothing() {
    let play = "{ mode: team, team_size: [1, 60], time_limit: 1h }";
    let steps = "  - { id: s1, visit: { at: a, team: { share: 1.0 } }, points: 5 }";
    let mut world = World::with(&[&quest("small", play, steps, "")]);
    world.playing("fox", &["ada", "bo"]);
    world.enter("ada", "a");
    world.now = world.now + secs(3_601);
    world.quit("fox", "bo").expect("a member may leave");
    assert_eq!((world.is_finished("fox"), world.run("fox").points), (false, 0));
    world.check();
}

#[test]
fn given_up_run_is_over_for_all_and_may_be_repeated_only_if_the_quest_says_so() {
    for (play, again) in [(AGAIN, 0), (crate::fixtures::TEAM, 1105)] {
        let mut world = World::with(&[&quest("small", play, "  - { id: s1, visit: { at: a } }", "")]);
        world.playing("fox", &["ada", "bo"]);
        assert_eq!(code(&world.abandon("fox", "olga")), 1301, "olga is no member");
        world.abandon("fox", "bo").expect("a member may give up");
        assert_eq!(world.count_told("ada", "quest.ended"), 1);
        assert_eq!(code(&world.abandon("fox", "bo")), 1104);
        assert_eq!(code(&world.start("fox", "ada")), again);
        world.check();
    }
}
