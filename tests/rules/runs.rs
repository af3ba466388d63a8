//! Who may start what, how often, in which version.

use crate::fixtures::{AGAIN, TEAM, quest, team_quest};
use crate::world::{World, secs, team};
use crate::world_act::{code, step};
use waystone::ids::QuestId;
use waystone::quest::team::solo_team;

const STEPS: &str = "  - { id: s1, visit: { at: a }, points: 5 }";

#[test]
fn quest_that_is_played_once_cannot_be_started_again() {
    let mut world = World::with(&[&team_quest(STEPS, "")]);
    world.playing("fox", &["ada"]);
    assert_eq!(code(&world.start("fox", "ada")), 1105);
    world.enter("ada", "a");
    assert_eq!(code(&world.start("fox", "ada")), 1105);
    world.check();
}

#[test]
fn repeated_run_gives_its_awards_under_keys_of_its_own() {
    let mut world = World::with(&[&quest("small", AGAIN, STEPS, "")]);
    world.playing("fox", &["ada"]);
    world.enter("ada", "a");
    world.leave("ada", "a");
    assert_eq!(world.player("ada").points, 5);
    world.start("fox", "ada").expect("the quest may be repeated");
    assert!(!world.is_done("fox", "s1"));
    world.enter("ada", "a");
    assert_eq!((world.player("ada").points, world.run("fox").points), (10, 5));
    let keys: Vec<String> = world.awards().into_iter().map(|(_, award)| award).collect();
    for key in ["small@1#1:step:s1", "small@1#2:step:s1"] {
        assert_eq!(keys.iter().filter(|known| *known == key).count(), 2, "one of the team, one of the player");
    }
    world.check();
}

#[test]
fn quest_that_requires_another_waits_for_it() {
    let rest = "requires: { quest: welcome }";
    let mut world = World::with(&[&quest("second", TEAM, STEPS, rest)]);
    world.found("fox", &["ada"]);
    let before = world.live.clone();
    let second = QuestId::new("second").expect("valid");
    assert_eq!(code(&world.start_quest("fox", "ada", &second, false)), 1107);
    assert_eq!(world.live, before);
    world.start_quest("fox", "ada", &second, true).expect("the first is finished");
    world.check();
}

#[test]
fn team_of_the_wrong_size_cannot_start() {
    let mut world = World::with(&[crate::fixtures::DEMO]);
    world.found("fox", &["ada"]);
    assert_eq!(code(&world.start("fox", "ada")), 1305);
    for who in ["bo", "cleo", "dan", "eva", "finn"] {
        world.join("fox", who).expect("the secret is right");
    }
    assert_eq!(code(&world.start("fox", "ada")), 1305);
    world.quit("fox", "finn").expect("a member may leave");
    assert_eq!(code(&world.start("fox", "finn")), 1301);
    world.start("fox", "ada").expect("five may play");
    world.check();
}

#[test]
fn quest_is_started_only_while_it_is_open() {
    let rest = "available: { zone: Europe/Helsinki, hours: [\"Mo-Su 18:00-21:00\"] }";
    let mut world = World::with(&[&team_quest(STEPS, rest)]);
    world.found("fox", &["ada"]);
    assert_eq!(code(&world.start("fox", "ada")), 1103);
    world.later(secs(6 * 3_600));
    world.start("fox", "ada").expect("it is 18:00");
    world.later(secs(3 * 3_600));
    assert!(!world.is_open("fox", "s1"), "it is 21:00");
    world.later(secs(21 * 3_600));
    assert!(world.is_open("fox", "s1"));
    world.check();
}

#[test]
fn solo_quest_makes_a_team_of_one() {
    let mut world = World::with(&[&quest("small", "{ mode: solo }", STEPS, "")]);
    let solo = solo_team(&crate::world::player("ada")).expect("short");
    world.start(solo.as_str(), "ada").expect("a solo quest needs no team");
    world.enter("ada", "a");
    assert!(world.is_finished(solo.as_str()));
    assert_eq!(world.player("ada").points, 5);
    assert_eq!(world.player("ada").team, None, "a solo run is no team");
    assert_eq!(code(&world.join(solo.as_str(), "bo")), 1303, "nobody joins a team of one");
    assert_eq!(code(&world.start(solo.as_str(), "bo")), 1301);
    world.check();
}

#[test]
fn solo_run_goes_on_when_its_player_leaves_a_team() {
    let solo_quest = quest("alone", "{ mode: solo }", STEPS, "");
    let mut world = World::with(&[&team_quest(STEPS, ""), &solo_quest]);
    let solo = solo_team(&crate::world::player("ada")).expect("short");
    world.found("fox", &["ada", "bo"]);
    world.start(solo.as_str(), "ada").expect("a solo quest needs no team");
    world.quit("fox", "ada").expect("a member may leave");
    world.enter("ada", "a");
    assert!(world.is_finished(solo.as_str()));
    world.check();
}

#[test]
fn team_under_way_stays_on_its_version() {
    let mut world = World::with(&[&team_quest(STEPS, "")]);
    world.playing("fox", &["ada"]);
    let of_first = world.region_of("a");
    world.publish(&team_quest("  - { id: s1, visit: { at: a }, points: 9 }", ""), 2);
    world.enter("ada", "a");
    assert!(!world.is_finished("fox"), "place a of version 2 is another place");
    let entered =
        crate::world::sight(&crate::world::player("ada"), waystone::quest::command::Sighting::Entered, world.now);
    world.tell(&waystone::ids::EntityId::Region(of_first), &entered).expect("never refused");
    assert_eq!((world.is_finished("fox"), world.run("fox").points), (true, 5));
    world.playing("owl", &["olga"]);
    world.enter("olga", "a");
    assert_eq!(world.run("owl").points, 9);
    world.check();
}

#[test]
fn late_part_of_a_given_up_run_does_not_count_in_the_next() {
    let mut world = World::with(&[&quest("small", AGAIN, STEPS, "")]);
    world.playing("fox", &["ada", "bo"]);
    let region = waystone::ids::EntityId::Region(world.region_of("a"));
    let entered =
        crate::world::sight(&crate::world::player("ada"), waystone::quest::command::Sighting::Entered, world.now);
    world.post(&region, &entered).expect("never refused");
    // The region has told the player; the player's word to the team is under way.
    world.carry_some(1);
    let fox = World::team_id("fox");
    let tell = |command| waystone::quest::aggregate::Message::bare(waystone::quest::command::Command::Team(command));
    let abandon = waystone::quest::command::TeamCommand::Abandon {
        player: crate::world::player("bo"),
        quest: world.quest.clone(),
    };
    let start = waystone::quest::command::TeamCommand::Start {
        player: crate::world::player("bo"),
        quest: world.quest.clone(),
        finished: true,
    };
    world.post(&fox, &tell(abandon)).expect("bo may give up");
    world.post(&fox, &tell(start)).expect("bo may start again");
    world.carry();
    // ada stands at the place when the second run opens its step there, so she does it, once.
    assert_eq!(world.run("fox").run.run, 2);
    assert!(world.run("fox").done.contains_key(&step("s1")));
    assert_eq!((world.run("fox").points, world.player("ada").points), (5, 5));
    assert_eq!(world.team("fox").members.len(), 2);
    assert!(team("fox").as_str() == "fox");
    world.check();
}
