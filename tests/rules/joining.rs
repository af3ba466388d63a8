//! Coming and going: founding, joining late, leaving while playing, joining two teams at once.

use crate::fixtures::{DEMO, TEAM, quest, team_quest};
use crate::world::{World, player, secs};
use crate::world_act::code;
use waystone::quest::aggregate::Message;
use waystone::quest::command::{Command, TeamCommand};
use waystone::quest::view;

const STEPS: &str = "
  - { id: s1, visit: { at: a }, points: 5 }
  - { id: s2, after: s1, visit: { at: b }, points: 6 }
  - { id: s3, after: s2, visit: { at: c }, points: 7 }";

fn join(who: &str) -> Message {
    let (player_name, secret) = (who.to_owned(), "sesame".to_owned());
    Message::bare(Command::Team(TeamCommand::Join { player: player(who), player_name, secret }))
}

#[test]
fn team_is_joined_only_with_its_secret() {
    let mut world = World::with(&[DEMO]);
    world.found("fox", &["ada"]);
    assert_eq!(code(&world.create("fox", "olga")), 1306);
    assert_eq!(code(&world.join("owl", "bo")), 1303, "there is no such team");
    let guess = TeamCommand::Join { player: player("bo"), player_name: "bo".into(), secret: "guess".into() };
    assert_eq!(code(&world.tell_team("fox", guess)), 1303);
    world.join("fox", "bo").expect("the secret is right");
    assert_eq!(world.count_told("ada", "team.member"), 1);
    let entries = world.log.len();
    world.join("fox", "bo").expect("a second join says the same");
    assert_eq!(world.log.len(), entries);
    world.check();
}

#[test]
fn team_takes_no_more_than_it_can_bear() {
    let mut world = World::with(&[DEMO]);
    world.found("fox", &["p0"]);
    for n in 1..60 {
        world.join("fox", &format!("p{n}")).expect("there is room");
    }
    assert_eq!(code(&world.join("fox", "p60")), 1304);
    world.check();
}

#[test]
fn late_member_learns_what_is_done_and_open() {
    let mut world = World::with(&[&team_quest(STEPS, "")]);
    world.playing("fox", &["ada"]);
    world.enter("ada", "a");
    world.join("fox", "bo").expect("the secret is right");
    let run = world.player("bo").runs[&world.quest].clone();
    assert_eq!((run.done.len(), run.open.len()), (1, 1));
    assert_eq!(world.player("bo").points, 0, "what was done before is not theirs");
    world.enter("bo", "b");
    assert_eq!((world.player("bo").points, world.run("fox").points), (6, 11));
    world.check();
}

#[test]
fn late_member_who_is_there_already_does_the_step_at_once() {
    let steps = "  - { id: s1, visit: { at: a, team: { members: 2 } } }\n  - { id: s2, visit: { at: b } }";
    let mut world = World::with(&[&team_quest(steps, "")]);
    world.playing("fox", &["ada", "cleo"]);
    world.enter("ada", "a");
    world.enter("bo", "a");
    assert!(!world.is_done("fox", "s1"), "bo is no member yet");
    world.join("fox", "bo").expect("the secret is right");
    assert!(world.is_done("fox", "s1"));
    world.check();
}

#[test]
fn member_who_left_earns_and_learns_nothing_more() {
    let mut world = World::with(&[&team_quest(STEPS, "")]);
    world.playing("fox", &["ada", "bo"]);
    world.enter("bo", "a");
    world.quit("fox", "bo").expect("a member may leave");
    assert_eq!(code(&world.quit("fox", "bo")), 1301);
    let told = world.told("bo").len();
    world.enter("bo", "b");
    world.enter("ada", "c");
    assert!(!world.is_done("fox", "s2"));
    assert_eq!((world.player("bo").points, world.told("bo").len()), (5, told));
    let state = view::state(&world.player("bo"), &player("bo"), &world.catalog);
    assert_eq!(state["runs"][0]["over"], true);
    assert_eq!(state["runs"][0]["open"].as_array().map(Vec::len), Some(0), "no step is open to one who left");
    world.check();
}

#[test]
fn part_sent_before_leaving_counts_for_nothing_afterwards() {
    let mut world = World::with(&[&team_quest(STEPS, "")]);
    world.playing("fox", &["ada", "bo"]);
    let region = waystone::ids::EntityId::Region(world.region_of("a"));
    let entered = crate::world::sight(&player("bo"), waystone::quest::command::Sighting::Entered, world.now);
    world.post(&region, &entered).expect("never refused");
    world.carry_some(1);
    let leave = Message::bare(Command::Team(TeamCommand::Leave { player: player("bo") }));
    world.post(&World::team_id("fox"), &leave).expect("a member may leave");
    world.carry();
    assert!(!world.is_done("fox", "s1"));
    assert_eq!(world.player("bo").points, 0);
    world.check();
}

#[test]
fn two_joins_that_cross_end_in_one_team() {
    for seed in 0..30 {
        let mut world = World::with(&[&team_quest(STEPS, "")]);
        world.playing("fox", &["ada"]);
        world.playing("owl", &["olga"]);
        world.disturb(seed);
        world.post(&World::team_id("fox"), &join("bo")).expect("the secret is right");
        world.post(&World::team_id("owl"), &join("bo")).expect("the secret is right");
        world.carry();
        let team = world.player("bo").team.expect("bo is in a team");
        for name in ["fox", "owl"] {
            let member = world.team(name).members.contains_key(&player("bo"));
            assert_eq!(member, team.as_str() == name, "seed {seed}: bo is in {team}");
        }
        assert_eq!(world.player("bo").runs[&world.quest].team, team);
        world.enter("bo", "a");
        assert!(world.is_done(team.as_str(), "s1"));
        world.check();
    }
}

#[test]
fn player_who_changes_teams_earns_a_step_once() {
    let mut world = World::with(&[&team_quest(STEPS, "")]);
    world.playing("fox", &["ada", "bo"]);
    world.playing("owl", &["olga"]);
    world.enter("bo", "a");
    world.quit("fox", "bo").expect("a member may leave");
    world.join("owl", "bo").expect("the secret is right");
    world.leave("bo", "a");
    world.enter("bo", "a");
    assert!(world.is_done("owl", "s1"), "it counts for the new team");
    assert_eq!((world.run("owl").points, world.player("bo").points), (5, 5), "but not for the player again");
    world.check();
}

#[test]
fn team_may_play_two_quests_at_once() {
    let second = quest("second", TEAM, STEPS, "");
    let mut world = World::with(&[&team_quest(STEPS, ""), &second]);
    world.playing("fox", &["ada", "bo"]);
    let first = waystone::ids::QuestId::new("small").expect("valid");
    world.start_quest("fox", "ada", &first, true).expect("another quest");
    world.enter("ada", "a");
    assert!(world.is_done("fox", "s1"));
    assert!(world.team("fox").runs[&first].done.is_empty(), "its places are others");
    assert_eq!(world.player("bo").runs.len(), 2);
    world.check();
}

#[test]
fn team_without_members_ends_by_its_time_limit() {
    let mut world = World::with(&[DEMO]);
    world.playing("fox", &["ada", "bo"]);
    world.enter("ada", "kivi");
    world.later(secs(60));
    for who in ["ada", "bo"] {
        world.quit("fox", who).expect("a member may leave");
    }
    assert!(world.run("fox").done.is_empty(), "nobody is left to do anything");
    world.later(secs(3 * 3_600));
    assert!(world.run("fox").over.is_some());
    world.check();
}

#[test]
fn everyone_hears_what_is_said_once() {
    let mut world = World::with(&[DEMO]);
    world.found("fox", &["ada", "bo"]);
    world.tell_team("fox", TeamCommand::Say { player: player("ada"), text: "here!".into() }).expect("a member");
    let said = TeamCommand::Say { player: player("olga"), text: "hi".into() };
    assert_eq!(code(&world.tell_team("fox", said)), 1301);
    assert_eq!((world.count_told("ada", "team.said"), world.count_told("bo", "team.said")), (1, 1));
    world.check();
}
