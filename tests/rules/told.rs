//! What players are told, and what they are not: hidden places, content, hints, languages.

use crate::fixtures::{DEMO, team_quest};
use crate::world::{World, secs};
use crate::world_act::code;

const HIDING: &str = "
  - { id: s1, visit: { at: a } }
  - { id: s2, after: s1, visit: { at: secret } }
  - { id: s3, after: s2, visit: { at: b } }";

#[test]
fn hidden_place_is_in_nothing_that_a_player_knows_until_a_step_there_opens() {
    let mut world = World::with(&[&team_quest(HIDING, "")]);
    world.playing("fox", &["ada", "bo"]);
    world.enter("ada", "secret");
    world.leave("ada", "secret");
    world.enter("ada", "secret");
    world.enter("bo", "c");
    for who in ["ada", "bo"] {
        let known = world.known(who);
        for word in ["secret", "Treasure", "24.98", "60.18"] {
            assert!(!known.contains(word), "{who} knows of {word}: {known}");
        }
    }
    world.enter("bo", "a");
    assert!(world.is_done("fox", "s2"), "ada stands in the cave");
    assert!(world.known("bo").contains("Treasure cave"));
    assert!(world.known("ada").contains("@1:secret"));
    world.leave("ada", "secret");
    assert_eq!(world.count_told("ada", "region.left"), 1);
    world.check();
}

#[test]
fn hidden_place_of_a_quest_that_is_over_is_not_told_afterwards() {
    let mut world = World::with(&[&team_quest(HIDING, "")]);
    world.playing("fox", &["ada"]);
    world.abandon("fox", "ada").expect("ada may give up");
    world.enter("ada", "secret");
    assert!(!world.known("ada").contains("secret"));
    world.check();
}

#[test]
fn content_is_shown_on_arrival_and_when_opened_while_inside() {
    let ar = "ar: { anchor: { at: [24.92, 60.17, 1.0] }, model: \"https://cdn.example.org/m.glb\", \
              fallback: \"https://cdn.example.org/m.webp\" }";
    let steps = format!(
        "  - {{ id: s1, visit: {{ at: a }} }}\n  - {{ id: s2, after: s1, {ar}, visit: {{ at: b, stay: 60s, team: {{ share: 1.0 }} }} }}"
    );
    let mut world = World::with(&[&team_quest(&steps, "")]);
    world.playing("fox", &["ada", "bo", "cleo"]);
    world.enter("ada", "b");
    world.later(secs(10));
    assert_eq!(world.count_told("ada", "content"), 0, "the step is not open yet");
    // Between the team's decision and the player's hearing of it some time passes.
    let region = waystone::ids::EntityId::Region(world.region_of("a"));
    let entered = waystone::quest::command::Sighting::Entered;
    let sight = crate::world::sight(&crate::world::player("cleo"), entered, world.now);
    world.post(&region, &sight).expect("a sighting is never refused");
    while !world.lanes.is_empty() {
        world.carry_some(1);
        world.now = world.now + std::time::Duration::from_millis(3);
    }
    assert_eq!(world.count_told("ada", "content"), 1, "opened while inside");
    world.enter("bo", "b");
    world.stayed("bo", "b");
    assert_eq!(world.count_told("bo", "content"), 1, "on arrival, once");
    world.leave("bo", "b");
    world.enter("bo", "b");
    assert_eq!(world.count_told("bo", "content"), 2, "and on each arrival");
    world.check();
}

#[test]
fn hint_cannot_be_had_too_early() {
    let mut world = at_the_smiths();
    let before = world.live.clone();
    assert_eq!(code(&world.hint("fox", "ada", "smiths", 0)), 1209);
    assert_eq!(code(&world.hint("fox", "ada", "smiths", 1)), 1209, "there is only one");
    assert_eq!(code(&world.hint("fox", "ada", "crypt", 0)), 1201);
    assert_eq!(code(&world.hint("fox", "olga", "smiths", 0)), 1301);
    assert_eq!(world.live, before);
}

#[test]
fn hint_takes_its_cost_off_once() {
    let mut world = at_the_smiths();
    world.later(secs(300));
    let first = world.hint("fox", "ada", "smiths", 0).expect("five minutes are over").expect("a reply");
    assert_eq!(first["cost"], 5);
    let second = world.hint("fox", "bo", "smiths", 0).expect("it is known").expect("a reply");
    assert_eq!(second["cost"], 0, "twice is free");
    assert_eq!((world.count_told("ada", "hint.given"), world.count_told("bo", "hint.given")), (1, 1));
    world.answer("ada", "smiths", "2").expect("right");
    assert_eq!((world.run("fox").points, world.player("ada").points), (75, 75));
    world.check();
}

#[test]
fn hints_never_make_points_negative() {
    let hints = "hints: [{ text: look, after: 0s, cost: 8 }, { text: up, after: 0s, cost: 8 }]";
    let steps = format!("  - {{ id: s1, points: 10, {hints}, visit: {{ at: a }} }}");
    let mut world = World::with(&[&team_quest(&steps, "")]);
    world.playing("fox", &["ada"]);
    for hint in [0, 1] {
        world.hint("fox", "ada", "s1", hint).expect("at once");
    }
    world.enter("ada", "a");
    assert_eq!((world.run("fox").points, world.player("ada").points), (0, 0));
    world.check();
}

#[test]
fn everyone_is_told_in_their_own_language() {
    let mut world = World::with(&[DEMO]);
    world.speak("aino", "fi");
    world.speak("pia", "fi-FI");
    world.speak("olga", "ru");
    world.playing("fox", &["aino", "bo", "pia", "olga"]);
    assert!(world.known("aino").contains("Tavataan kirjailijan luona"));
    assert!(world.known("pia").contains("Tavataan kirjailijan luona"));
    assert!(!world.known("aino").contains("Meet at the writer"));
    assert!(world.known("bo").contains("Meet at the writer"));
    assert!(world.known("olga").contains("Meet at the writer"), "what is not translated comes in English");
    world.check();
}

#[test]
fn final_count_of_points_includes_those_of_rewards() {
    let rewards = "rewards:\n  - { give: { points: 100 }, each: team }\n  - { give: { points: 7 }, each: player }";
    let mut world = World::with(&[&team_quest("  - { id: s1, visit: { at: a }, points: 10 }", rewards)]);
    world.playing("fox", &["ada", "bo"]);
    world.enter("ada", "a");
    assert_eq!((world.run("fox").points, world.player("ada").points, world.player("bo").points), (110, 17, 7));
    assert!(
        world.known("bo").contains(r#""type":"quest.finished","quest":"small","points":110"#),
        "{}",
        world.known("bo")
    );
    world.check();
}

fn at_the_smiths() -> World {
    let mut world = World::with(&[DEMO]);
    world.playing("fox", &["ada", "bo"]);
    world.enter("ada", "kivi");
    world.enter("bo", "kivi");
    world.later(secs(60));
    world.enter("ada", "smiths");
    world
}
