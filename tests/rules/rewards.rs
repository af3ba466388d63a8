//! What is given at the end: badges, points, and what there is not enough of.

use crate::fixtures::{AGAIN, DEMO, quest, team_quest};
use crate::world::{World, player, secs, sight};
use waystone::ids::{EntityId, RegionId};
use waystone::quest::command::Sighting;

const TICKETS: &str = "rewards:
  - { give: { badge: walker }, each: player }
  - { give: { code_pool: tickets }, each: team, stock: 3, otherwise: { points: 200 } }";

const STEPS: &str = "  - { id: s1, visit: { at: a }, points: 5 }";

#[test]
fn demo_quest_is_played_to_its_end() {
    let mut world = World::with(&[DEMO]);
    world.playing("fox", &["ada", "bo", "cleo"]);
    ["ada", "bo", "cleo"].iter().for_each(|who| world.enter(who, "kivi"));
    world.later(secs(60));
    world.enter("ada", "senate");
    world.choose("ada", "side", "light").expect("an option");
    world.enter("bo", "runeberg");
    world.scan("bo", "poet", "code-poet").expect("the code");
    world.enter("cleo", "esplanadi");
    world.walked("cleo", "esplanadi", 0b1111);
    assert!(world.is_done("fox", "statues") && world.is_open("fox", "stand-guard"));
    world.enter("bo", "senate");
    world.later(secs(180));
    assert!(world.is_done("fox", "stand-guard"), "{:?}", world.run("fox"));
    assert!(!world.is_done("fox", "crypt"));
    world.enter("cleo", "crypt");
    assert!(world.is_finished("fox"));
    assert_eq!(world.run("fox").points, 50 + 10 + 30 + 40);
    assert_eq!(["ada", "bo", "cleo"].map(|who| world.player(who).points), [60, 80, 90]);
    for who in ["ada", "bo", "cleo"] {
        assert!(world.has_badge(who, "bronze-hunter") && world.has_badge(who, "night-watch"));
        assert_eq!((world.count_told(who, "code.given"), world.count_told(who, "badge.given")), (1, 2));
        assert_eq!(world.count_told(who, "quest.finished"), 1);
    }
    world.check();
}

#[test]
fn reward_for_a_choice_is_not_given_for_another_choice() {
    let steps = "  - id: side\n    choose: { question: Who?, options: [{ id: law, label: Law }, { id: light, label: Light }] }";
    for (option, given) in [("light", true), ("law", false)] {
        let rewards = "rewards:\n  - { give: { badge: night }, each: team, when: { step: side, chose: light } }";
        let mut world = World::with(&[&team_quest(steps, rewards)]);
        world.playing("fox", &["ada", "bo"]);
        world.choose("ada", "side", option).expect("an option");
        assert_eq!((world.has_badge("ada", "night"), world.has_badge("bo", "night")), (given, given));
        world.check();
    }
}

#[test]
fn three_tickets_for_eleven_teams_in_the_same_second_go_to_three() {
    for seed in 0..20 {
        let mut world = World::with(&[&team_quest(STEPS, TICKETS)]);
        let teams: Vec<String> = (0..11).map(|n| format!("team-{n}")).collect();
        for name in &teams {
            world.playing(name, &[&format!("{name}-ada"), &format!("{name}-bo")]);
        }
        world.disturb(seed);
        let region = EntityId::Region(world.region_of("a"));
        for name in &teams {
            let entered = sight(&player(&format!("{name}-ada")), Sighting::Entered, world.now);
            world.post(&region, &entered).expect("a sighting is never refused");
        }
        world.carry();
        let members: Vec<String> = teams.iter().map(|name| format!("{name}-bo")).collect();
        let codes = members.iter().filter(|who| world.count_told(who, "code.given") == 1).count();
        let gone = members.iter().filter(|who| world.count_told(who, "reward.gone") == 1).count();
        let consoled = teams.iter().filter(|name| world.run(name).points == 205).count();
        assert_eq!((codes, gone, consoled), (3, 8, 8), "seed {seed}");
        let area = world.region(&RegionId::of_quest(&world.quest));
        assert_eq!(area.stock.values().map(|given| given.len()).sum::<usize>(), 3);
        world.check();
    }
}

#[test]
fn team_that_comes_again_gets_the_number_that_it_has() {
    let mut world = World::with(&[&quest("small", AGAIN, STEPS, TICKETS)]);
    world.playing("owl", &["olga"]);
    world.playing("fox", &["ada"]);
    world.enter("ada", "a");
    world.start("fox", "ada").expect("the quest may be repeated");
    assert!(world.is_finished("fox"), "ada is still there");
    let area = world.region(&RegionId::of_quest(&world.quest));
    assert_eq!(area.stock.values().map(|given| given.len()).sum::<usize>(), 1);
    assert_eq!(world.known("ada").matches("TICKETS-0001").count(), 2);
    world.enter("olga", "a");
    assert!(world.known("olga").contains("TICKETS-0002"));
    world.check();
}

#[test]
fn stock_is_not_refilled_by_a_new_version() {
    let mut world = World::with(&[&quest("small", AGAIN, STEPS, &TICKETS.replace("stock: 3", "stock: 1"))]);
    world.playing("fox", &["ada"]);
    world.enter("ada", "a");
    world.publish(&quest("small", AGAIN, STEPS, &TICKETS.replace("stock: 3", "stock: 2")), 2);
    for (name, who, points) in [("owl", "olga", 5), ("elk", "eva", 205)] {
        world.playing(name, &[who]);
        world.enter(who, "a");
        assert_eq!(world.run(name).points, points, "{name}");
    }
    world.check();
}

#[test]
fn new_run_does_not_begin_while_the_last_one_waits_for_its_stock() {
    let mut world = World::with(&[&quest("small", AGAIN, STEPS, TICKETS)]);
    world.playing("fox", &["ada"]);
    let region = EntityId::Region(world.region_of("a"));
    let entered = sight(&player("ada"), Sighting::Entered, world.now);
    world.post(&region, &entered).expect("a sighting is never refused");
    // Region to player, player to team; the team's claim to the quest's area is under way.
    while !world.team("fox").runs.values().any(|run| run.over.is_some()) {
        world.carry_some(1);
    }
    let start = waystone::quest::command::TeamCommand::Start {
        player: player("ada"),
        quest: world.quest.clone(),
        finished: true,
    };
    let start = waystone::quest::aggregate::Message::bare(waystone::quest::command::Command::Team(start));
    let refused = world.post(&World::team_id("fox"), &start).expect_err("the last run's ticket would be lost");
    assert!(refused.temporary);
    world.carry();
    world.tell(&World::team_id("fox"), &start).expect("the ticket has come");
    assert_eq!(world.count_told("ada", "code.given"), 2);
    world.check();
}

#[test]
fn badge_is_given_to_a_player_once() {
    let mut world = World::with(&[&quest("small", AGAIN, STEPS, TICKETS)]);
    world.playing("fox", &["ada", "bo"]);
    world.enter("bo", "a");
    world.start("fox", "ada").expect("the quest may be repeated");
    assert_eq!(world.run("fox").run.run, 2);
    assert_eq!((world.count_told("ada", "badge.given"), world.count_told("ada", "quest.finished")), (1, 2));
    world.check();
}
