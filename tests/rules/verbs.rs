//! What players do at a place: answer, scan, photograph, choose.

use crate::fixtures::{DEMO, team_quest};
use crate::world::{World, secs};
use crate::world_act::code;
use serde_json::json;

/// A team of two at the demo quest, past its first step.
fn at_the_statues() -> World {
    let mut world = World::with(&[DEMO]);
    world.playing("fox", &["ada", "bo"]);
    world.enter("ada", "kivi");
    world.enter("bo", "kivi");
    world.later(secs(60));
    world
}

#[test]
fn answer_is_compared_without_case_and_spaces() {
    let accept = "accept: [\"Tove  Jansson\"]";
    for (text, right) in [("  tove JANSSON ", true), ("TOVE\tjansson", true), ("tovejansson", false)] {
        let steps = format!("  - {{ id: one, answer: {{ question: Who?, {accept} }} }}");
        let mut world = World::with(&[&team_quest(&steps, "")]);
        world.playing("fox", &["ada"]);
        world.answer("ada", "one", text).expect("an answer may be wrong");
        assert_eq!(world.is_done("fox", "one"), right, "{text:?}");
        world.check();
    }
}

#[test]
fn answer_elsewhere_is_refused_and_changes_nothing() {
    let mut world = at_the_statues();
    let before = (world.live.clone(), world.log.len());
    assert_eq!(code(&world.answer("ada", "smiths", "2")), 1203);
    assert_eq!(code(&world.scan("ada", "poet", "code-poet")), 1203);
    assert_eq!(code(&world.photo("ada", "amanda")), 1203);
    assert_eq!(code(&world.choose("ada", "side", "law")), 1203);
    assert_eq!((world.live, world.log.len()), before);
}

#[test]
fn wrong_answers_are_counted_then_one_must_wait() {
    let mut world = at_the_statues();
    world.enter("ada", "smiths");
    for left in [2, 1, 0] {
        let answer = world.answer("ada", "smiths", "five").expect("a wrong answer is an answer").expect("a reply");
        assert_eq!((&answer["correct"], &answer["tries_left"]), (&json!(false), &json!(left)));
    }
    assert_eq!(code(&world.answer("ada", "smiths", "2")), 1205, "even the right one must wait");
    world.later(secs(119));
    assert_eq!(code(&world.answer("ada", "smiths", "2")), 1205);
    world.later(secs(1));
    let answer = world.answer("ada", "smiths", "KAKSI").expect("the wait is over").expect("a reply");
    assert_eq!(answer, json!({ "correct": true }));
    assert!(world.is_done("fox", "smiths"));
    assert_eq!(code(&world.answer("ada", "smiths", "2")), 1202);
    world.check();
}

#[test]
fn wait_gives_all_tries_back() {
    let mut world = at_the_statues();
    world.enter("ada", "smiths");
    for _ in 0..3 {
        world.answer("ada", "smiths", "five").expect("an answer may be wrong");
    }
    world.later(secs(120));
    let answer = world.answer("ada", "smiths", "six").expect("the wait is over").expect("a reply");
    assert_eq!(answer["tries_left"], json!(2));
    world.check();
}

#[test]
fn tries_of_one_member_are_not_another_ones() {
    let mut world = at_the_statues();
    world.enter("ada", "smiths");
    world.enter("bo", "smiths");
    for _ in 0..3 {
        world.answer("ada", "smiths", "five").expect("an answer may be wrong");
    }
    world.answer("bo", "smiths", "two").expect("bo has not tried yet");
    assert!(world.is_done("fox", "smiths"));
    assert_eq!((world.player("ada").points, world.player("bo").points), (50, 80));
    world.check();
}

#[test]
fn scan_takes_only_the_code_that_hangs_here() {
    let mut world = at_the_statues();
    world.enter("ada", "runeberg");
    let before = world.live.clone();
    assert_eq!(code(&world.scan("ada", "poet", "code-smiths")), 1206);
    assert_eq!(world.live, before);
    world.scan("ada", "poet", " CODE-poet ").expect("the code is right");
    assert!(world.is_done("fox", "poet"));
    world.check();
}

#[test]
fn photo_counts_when_an_operator_approves() {
    let mut world = at_the_statues();
    assert_eq!(code(&world.review("ada", "amanda", true)), 1210, "there is no photo yet");
    world.enter("ada", "amanda");
    assert_eq!(world.photo("ada", "amanda"), Ok(Some(json!({ "review": "pending" }))));
    assert!(!world.is_done("fox", "amanda"));
    world.leave("ada", "amanda");
    world.review("ada", "amanda", true).expect("a photo waits");
    assert!(world.is_done("fox", "amanda"));
    assert!(world.review("ada", "amanda", true).is_err(), "it was judged already");
    assert_eq!(world.player("ada").points, 90);
    world.check();
}

#[test]
fn photo_that_is_turned_down_may_be_sent_again() {
    let mut world = at_the_statues();
    world.enter("ada", "amanda");
    world.photo("ada", "amanda").expect("ada is there");
    world.review("ada", "amanda", false).expect("a photo waits");
    assert_eq!(world.count_told("ada", "photo.rejected"), 1);
    assert_eq!(code(&world.review("ada", "amanda", true)), 1210, "the photo is gone");
    world.photo("ada", "amanda").expect("ada is still there");
    world.review("ada", "amanda", true).expect("a photo waits");
    assert!(world.is_done("fox", "amanda"));
    world.check();
}

#[test]
fn choice_outside_the_options_is_refused() {
    let mut world = at_the_statues();
    world.enter("ada", "senate");
    let before = world.live.clone();
    assert_eq!(code(&world.choose("ada", "side", "order")), 1207);
    assert_eq!(world.live, before);
    world.choose("ada", "side", "law").expect("law is an option");
    assert_eq!((world.is_done("fox", "side"), world.run("fox").points), (true, 50));
    world.check();
}

#[test]
fn choice_may_bring_points_of_its_own() {
    let mut world = at_the_statues();
    world.enter("ada", "senate");
    world.choose("ada", "side", "light").expect("light is an option");
    assert_eq!((world.run("fox").points, world.player("ada").points), (60, 60));
    world.check();
}

#[test]
fn two_members_choosing_at_once_choose_once() {
    let mut world = at_the_statues();
    world.enter("ada", "senate");
    world.enter("bo", "senate");
    for (who, option) in [("ada", "law"), ("bo", "light")] {
        let attempt = waystone::quest::command::Attempt::Choose(option.to_owned());
        let attempt = waystone::quest::command::PlayerCommand::Try { at: world.at("side"), with: attempt };
        let command = waystone::quest::command::Command::Player(attempt);
        let message = waystone::quest::aggregate::Message::bare(command);
        world.post(&World::player_id(who), &message).expect("the step is open for both");
    }
    world.carry();
    assert_eq!(world.run("fox").points, 50, "the first choice stands");
    assert_eq!(world.player("bo").points, 50);
    world.check();
}

#[test]
fn trying_a_step_in_another_way_is_refused() {
    let mut world = at_the_statues();
    world.enter("ada", "smiths");
    let before = world.live.clone();
    assert_eq!(code(&world.scan("ada", "smiths", "2")), 1208);
    assert_eq!(code(&world.answer("ada", "statues", "2")), 1208);
    assert_eq!(world.live, before);
}

#[test]
fn unknown_quest_and_step_are_refused_and_change_nothing() {
    let mut world = at_the_statues();
    world.found("owl", &["olga"]);
    let before = world.live.clone();
    assert_eq!(code(&world.answer("ada", "nowhere", "2")), 1102);
    assert_eq!(code(&world.hint("fox", "ada", "nowhere", 0)), 1102);
    assert_eq!(code(&world.answer("olga", "smiths", "2")), 1104);
    assert_eq!(code(&world.answer("ada", "crypt", "2")), 1201);
    let known = std::mem::replace(&mut world.quest, waystone::ids::QuestId::new("atlantis").expect("valid"));
    assert_eq!(code(&world.answer("ada", "smiths", "2")), 1101);
    assert_eq!(code(&world.start("fox", "ada")), 1101);
    assert_eq!(code(&world.abandon("fox", "ada")), 1104);
    world.quest = known;
    world.live.retain(|id, _| before.contains_key(id));
    assert_eq!(world.live, before);
    world.check();
}
