//! Being somewhere: visits, stays, teams that must be there together, corridors.

use crate::fixtures::{DEMO, team_quest};
use crate::world::{World, player, secs};
use crate::world_act::step;
use std::collections::BTreeSet;
use waystone::ids::RegionId;
use waystone::quest::event::Event;
use waystone::quest::event::TeamEvent;
use waystone::quest::guidance;

fn gathering(members: &[&str]) -> World {
    let mut world = World::with(&[DEMO]);
    world.playing("fox", members);
    world
}

#[test]
fn visit_is_not_done_before_the_stay_is_over() {
    let mut world = gathering(&["ada", "bo"]);
    world.enter("ada", "kivi");
    world.enter("bo", "kivi");
    world.now = world.now + secs(30);
    world.stayed("ada", "kivi");
    world.stayed("bo", "kivi");
    assert!(!world.is_done("fox", "gather"));
    assert_eq!(world.player("ada").points, 0);
    world.check();
}

#[test]
fn visit_is_done_when_the_stay_is_over() {
    let mut world = gathering(&["ada", "bo"]);
    world.enter("ada", "kivi");
    world.enter("bo", "kivi");
    world.later(secs(60));
    assert!(world.is_done("fox", "gather"));
    assert_eq!((world.player("ada").points, world.player("bo").points, world.run("fox").points), (50, 50, 50));
    assert!(world.is_open("fox", "smiths") && !world.is_open("fox", "stand-guard"));
    world.check();
}

#[test]
fn visit_left_before_the_stay_is_over_begins_anew() {
    let mut world = gathering(&["ada", "bo"]);
    world.enter("bo", "kivi");
    world.enter("ada", "kivi");
    world.later(secs(40));
    world.leave("ada", "kivi");
    world.enter("ada", "kivi");
    world.later(secs(40));
    assert!(!world.is_done("fox", "gather"), "two stays of 40 s are not one of 60 s");
    world.later(secs(20));
    assert!(world.is_done("fox", "gather"));
    world.check();
}

#[test]
fn stay_counts_from_the_opening_for_one_who_is_inside_already() {
    let steps = "  - { id: one, visit: { at: a } }\n  - { id: two, after: one, visit: { at: b, stay: 60s } }";
    let mut world = World::with(&[&team_quest(steps, "")]);
    world.playing("fox", &["ada", "bo"]);
    world.enter("ada", "b");
    world.later(secs(300));
    world.enter("bo", "a");
    assert!(world.is_open("fox", "two") && !world.is_done("fox", "two"));
    world.later(secs(59));
    assert!(!world.is_done("fox", "two"));
    world.later(secs(1));
    assert!(world.is_done("fox", "two"));
    world.check();
}

#[test]
fn visit_opened_while_inside_is_done_at_once() {
    let steps = "  - { id: one, visit: { at: a } }\n  - { id: two, after: one, visit: { at: b }, points: 7 }";
    let mut world = World::with(&[&team_quest(steps, "")]);
    world.playing("fox", &["ada", "bo"]);
    world.enter("ada", "b");
    world.later(secs(5));
    world.enter("bo", "a");
    assert!(world.is_finished("fox"));
    assert_eq!((world.player("ada").points, world.player("bo").points), (7, 0));
    world.check();
}

#[test]
fn many_visits_at_one_place_all_open_while_inside() {
    let steps: Vec<String> =
        (0..12).map(|n| format!("      - {{ id: s{n}, visit: {{ at: a }}, points: 1 }}")).collect();
    let steps = format!("  - id: all\n    sequence:\n{}", steps.join("\n"));
    let mut world = World::with(&[&team_quest(&steps, "")]);
    world.playing("fox", &["ada", "bo"]);
    world.enter("ada", "a");
    assert!(world.is_finished("fox"), "a chain of twelve openings broke off: {:?}", world.run("fox").open);
    assert_eq!((world.player("ada").points, world.player("bo").runs[&world.quest].done.len()), (12, 13));
    world.check();
}

#[test]
fn player_reentering_earns_nothing_twice() {
    let mut world = World::with(&[&team_quest(
        "  - { id: one, visit: { at: a }, points: 5 }\n  - { id: two, visit: { at: b } }",
        "",
    )]);
    world.playing("fox", &["ada"]);
    for _ in 0..3 {
        world.enter("ada", "a");
        world.enter("ada", "a");
        world.leave("ada", "a");
    }
    assert_eq!((world.player("ada").points, world.run("fox").points), (5, 5));
    world.check();
}

#[test]
fn everyone_is_needed_and_one_is_missing() {
    let mut world = gathering(&["ada", "bo", "cleo"]);
    world.enter("ada", "kivi");
    world.enter("bo", "kivi");
    world.later(secs(3_000));
    assert!(!world.is_done("fox", "gather"));
    assert_eq!(world.count_told("cleo", "step.reached"), 2, "those who wait are told how many are there");
    world.check();
}

#[test]
fn together_counts_one_who_left_a_moment_ago() {
    let mut world = gathering(&["ada", "bo"]);
    world.enter("ada", "kivi");
    world.later(secs(60));
    world.enter("bo", "kivi");
    world.later(secs(10));
    world.leave("ada", "kivi");
    world.later(secs(50));
    assert!(world.is_done("fox", "gather"), "ada left 50 s ago, 2 m are allowed");
    assert_eq!(world.player("ada").points, 50);
    world.check();
}

#[test]
fn together_does_not_count_one_who_left_too_long_ago() {
    let mut world = gathering(&["ada", "bo"]);
    world.enter("ada", "kivi");
    world.later(secs(60));
    world.leave("ada", "kivi");
    world.later(secs(61));
    world.enter("bo", "kivi");
    world.later(secs(60));
    assert!(!world.is_done("fox", "gather"));
    world.check();
}

#[test]
fn together_counts_to_the_very_end_of_the_grace() {
    for (grace, done) in [(120, true), (121, false)] {
        let mut world = gathering(&["ada", "bo"]);
        world.enter("ada", "kivi");
        world.later(secs(60));
        world.leave("ada", "kivi");
        world.later(secs(grace - 60));
        world.enter("bo", "kivi");
        world.later(secs(60));
        assert_eq!(world.is_done("fox", "gather"), done, "after {grace} s");
    }
}

#[test]
fn together_counts_one_who_comes_back_and_stays_again() {
    let mut world = gathering(&["ada", "bo"]);
    world.enter("ada", "kivi");
    world.later(secs(60));
    world.leave("ada", "kivi");
    world.later(secs(300));
    world.enter("bo", "kivi");
    world.later(secs(60));
    world.enter("ada", "kivi");
    world.later(secs(59));
    assert!(!world.is_done("fox", "gather"), "the stay begins anew");
    world.later(secs(1));
    assert!(world.is_done("fox", "gather"));
    world.check();
}

#[test]
fn member_who_leaves_the_team_is_not_waited_for() {
    let mut world = gathering(&["ada", "bo", "cleo"]);
    world.enter("ada", "kivi");
    world.enter("bo", "kivi");
    world.later(secs(60));
    assert!(!world.is_done("fox", "gather"));
    world.quit("fox", "cleo").expect("a member may leave");
    assert!(world.is_done("fox", "gather"));
    assert_eq!((world.player("ada").points, world.player("cleo").points), (50, 0));
    world.check();
}

#[test]
fn member_who_reached_and_left_the_team_does_not_count() {
    let mut world = gathering(&["ada", "bo", "cleo"]);
    world.enter("ada", "kivi");
    world.later(secs(60));
    world.quit("fox", "ada").expect("a member may leave");
    world.enter("bo", "kivi");
    world.later(secs(60));
    assert!(!world.is_done("fox", "gather"), "cleo is missing, and ada is no member");
    world.check();
}

#[test]
fn member_who_left_the_team_and_came_back_must_be_there_again() {
    let mut world = gathering(&["ada", "bo"]);
    world.enter("ada", "kivi");
    world.later(secs(60));
    world.quit("fox", "ada").expect("a member may leave");
    world.leave("ada", "kivi");
    world.later(secs(1_000));
    world.join("fox", "ada").expect("the secret is right");
    world.enter("bo", "kivi");
    world.later(secs(60));
    assert!(!world.is_done("fox", "gather"), "ada left the place a quarter of an hour ago");
    world.check();
}

#[test]
fn step_for_two_members_is_done_by_two_of_many() {
    let steps =
        "  - { id: one, visit: { at: a, team: { members: 2 } }, points: 3 }\n  - { id: two, visit: { at: b } }";
    let mut world = World::with(&[&team_quest(steps, "")]);
    world.playing("fox", &["ada", "bo", "cleo"]);
    world.enter("ada", "a");
    world.leave("ada", "a");
    world.later(secs(3_600));
    assert!(!world.is_done("fox", "one"));
    world.enter("cleo", "a");
    assert!(world.is_done("fox", "one"), "without `together` a part once done stands");
    let points = ["ada", "bo", "cleo"].map(|who| world.player(who).points);
    assert_eq!((points, world.run("fox").points), ([3, 0, 3], 3));
    world.check();
}

#[test]
fn quarters_of_a_way_count_in_any_order_and_once() {
    let mut world =
        World::with(&[&team_quest("  - { id: one, follow: { along: way, within: 15m }, points: 4 }", "")]);
    world.playing("fox", &["ada"]);
    world.enter("ada", "way");
    for quarters in [0b0100, 0b0001, 0b0001, 0b0100, 0b1001] {
        world.walked("ada", "way", quarters);
        assert!(!world.is_done("fox", "one"));
    }
    world.walked("ada", "way", 0b0010);
    assert!(world.is_finished("fox"));
    world.walked("ada", "way", 0b1111);
    assert_eq!(world.player("ada").points, 4);
    world.check();
}

#[test]
fn quarters_walked_before_a_break_still_count() {
    let mut world = World::with(&[&team_quest("  - { id: one, follow: { along: way, within: 15m } }", "")]);
    world.playing("fox", &["ada"]);
    world.enter("ada", "way");
    world.walked("ada", "way", 0b0011);
    world.leave("ada", "way");
    world.walked("ada", "way", 0b1100);
    assert!(!world.is_done("fox", "one"), "nobody walks along a way from outside");
    world.enter("ada", "way");
    world.walked("ada", "way", 0b1100);
    assert!(world.is_done("fox", "one"));
    world.check();
}

#[test]
fn waking_a_team_that_waits_writes_nothing() {
    let mut world = gathering(&["ada", "bo"]);
    world.enter("ada", "kivi");
    world.later(secs(60));
    let (entries, told) = (world.log.len(), world.count_told("bo", "step.reached"));
    let wake = waystone::quest::aggregate::Message::bare(waystone::quest::command::Command::Wake);
    world.tell(&World::team_id("fox"), &wake).expect("a wake is never refused");
    assert_eq!((world.log.len(), world.count_told("bo", "step.reached")), (entries, told));
}

#[test]
fn completed_step_names_those_who_did_it() {
    let mut world = gathering(&["ada", "bo"]);
    world.enter("ada", "kivi");
    world.enter("bo", "kivi");
    world.later(secs(60));
    let by = world.entries(&World::team_id("fox")).flat_map(|entry| &entry.events).find_map(|event| match event {
        Event::Team(TeamEvent::StepCompleted { step: id, by, .. }) if *id == step("gather") => Some(by.len()),
        _ => None,
    });
    assert_eq!(by, Some(2));
}

#[test]
fn guidance_speaks_of_the_places_that_the_state_shows_and_of_no_others() {
    let steps = "  - { id: one, visit: { at: a } }\n  - { id: two, after: one, visit: { at: secret } }\n  \
                 - { id: three, after: two, visit: { at: b } }";
    let mut world = World::with(&[&team_quest(steps, "")]);
    world.playing("fox", &["ada", "bo"]);
    let guidance = |world: &World| guidance::of(&world.player("ada"), &player("ada"), 0, &world.catalog);
    let names = |world: &World| {
        let places = guidance(world).places.values().next().expect("one quest is under way").clone();
        let of = |regions: BTreeSet<RegionId>| -> Vec<String> {
            regions.iter().map(|region| region.as_str().rsplit(':').next().unwrap_or_default().to_owned()).collect()
        };
        (of(places.open), of(places.shown))
    };
    let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<String>>();
    assert_eq!(names(&world), (list(&["a"]), list(&[])));
    world.enter("ada", "a");
    assert_eq!(names(&world), (list(&["secret"]), list(&["secret"])));
    world.enter("ada", "secret");
    assert_eq!(names(&world), (list(&["b"]), list(&["secret"])));
    world.enter("ada", "b");
    assert!(guidance(&world).places.is_empty(), "the run is over");
    world.check();
}
