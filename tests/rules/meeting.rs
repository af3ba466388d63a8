//! Coming together: what sessions have seen counts once, for those who are members, in the run that it was seen in.

use crate::fixtures::{AGAIN, quest, team_quest};
use crate::rng::for_each_seed;
use crate::verify_core::verdict;
use crate::world::{World, player};
use crate::world_act::code;
use waystone::quest::command::TeamCommand;
use waystone::quest::event::{Event, RunRef, TeamEvent};
use waystone::quest::evidence::Nearness;
use waystone::quest::guidance;
use waystone::units::Meters;

const STEPS: &str = "  - { id: reunion, meet: { within: 30m, members: 2, stay: 30s }, points: 20 }\n  \
                     - { id: two, after: reunion, visit: { at: a }, points: 5 }";

fn small() -> String {
    team_quest(STEPS, "").replace("[1, 60]", "[2, 60]")
}

fn playing(members: &[&str]) -> World {
    let mut world = World::with(&[&small()]);
    world.playing("fox", members);
    world
}

/// What a session would say of these, the first being the centre.
fn met(world: &World, run: &RunRef, who: &[&str], step: &str) -> TeamCommand {
    let near = |who: &&str| Nearness {
        player: player(who),
        distance: Meters::lossy(12.5),
        accuracy: (Meters::lossy(5.0), Meters::lossy(8.0)),
        probability: 0.96875,
        rule: "dwell".to_owned(),
        fix_times: (world.now, world.now),
        since: waystone::units::Timestamp::from_millis(world.now.as_millis() - 30_000),
    };
    let near = who[1..].iter().map(near).collect();
    TeamCommand::Met { run: run.clone(), at: world.at(step), center: player(who[0]), near }
}

fn meet(world: &mut World, who: &[&str]) {
    let command = met(world, &world.run("fox").run, who, "reunion");
    world.tell_team("fox", command).expect("a meeting is never refused");
}

fn sound(world: &World) {
    world.check();
    let verdict = verdict(&world.log, &world.catalog, u64::MAX);
    assert!(verdict.is_clean(), "{}", verdict.render());
}

#[test]
fn who_met_has_done_it_once_however_often_it_is_said() {
    let mut world = playing(&["ada", "bo", "cy"]);
    let state = guidance::of(&world.player("ada"), &player("ada"), 0, &world.catalog);
    assert_eq!(state.meets.len(), 1, "the session knows what to look for");
    meet(&mut world, &["ada", "bo"]);
    assert!(world.is_done("fox", "reunion") && world.is_open("fox", "two"));
    let entries = world.log.len();
    meet(&mut world, &["bo", "ada"]);
    meet(&mut world, &["ada", "bo", "cy"]);
    assert_eq!(world.log.len(), entries, "a repeat writes nothing");
    let points: Vec<i64> = ["ada", "bo", "cy"].iter().map(|who| world.player(who).points).collect();
    assert_eq!((points, world.run("fox").points), (vec![20, 20, 0], 20));
    assert!(guidance::of(&world.player("ada"), &player("ada"), 0, &world.catalog).meets.is_empty());
    world.enter("cy", "a");
    assert!(world.is_finished("fox"));
    meet(&mut world, &["ada", "bo"]);
    sound(&world);
}

#[test]
fn strangers_twins_and_too_few_do_not_meet() {
    let mut world = playing(&["ada", "bo"]);
    world.found("owl", &["olga"]);
    let entries = world.log.len();
    for who in [&["ada"][..], &["ada", "ada"], &["ada", "olga"], &["olga", "ada", "bo"], &["ada", "olga", "olga"]] {
        meet(&mut world, who);
    }
    assert_eq!(world.log.len(), entries);
    // A step of another verb is not done by meeting, nor a meeting by answering.
    let other = met(&world, &world.run("fox").run, &["ada", "bo"], "two");
    world.tell_team("fox", other).expect("a meeting is never refused");
    assert_eq!(code(&world.answer("ada", "reunion", "here")), 1208);
    assert!(!world.is_done("fox", "two") && !world.is_done("fox", "reunion"));
    meet(&mut world, &["ada", "olga", "bo", "bo"]);
    let by = world.run("fox").done.into_values().next().expect("it is done").by;
    assert_eq!(by.into_iter().collect::<Vec<_>>(), [player("ada"), player("bo")]);
    sound(&world);
}

#[test]
fn who_has_left_the_team_met_nobody() {
    let mut world = playing(&["ada", "bo", "cy"]);
    world.quit("fox", "bo").expect("bo is a member");
    meet(&mut world, &["ada", "bo"]);
    meet(&mut world, &["bo", "ada"]);
    assert!(!world.is_done("fox", "reunion"));
    meet(&mut world, &["ada", "bo", "cy"]);
    assert!(world.is_done("fox", "reunion"));
    assert_eq!((world.player("bo").points, world.player("cy").points), (0, 20));
    sound(&world);
}

#[test]
fn a_meeting_of_an_ended_run_does_not_count_in_the_next() {
    let mut world = World::with(&[&quest("small", AGAIN, STEPS, "").replace("[1, 60]", "[2, 60]")]);
    world.playing("fox", &["ada", "bo"]);
    let first = world.run("fox").run;
    world.abandon("fox", "ada").expect("it is under way");
    let late = met(&world, &first, &["ada", "bo"], "reunion");
    world.tell_team("fox", late.clone()).expect("never refused");
    world.start("fox", "bo").expect("again");
    world.tell_team("fox", late).expect("never refused");
    assert!(!world.is_done("fox", "reunion"));
    meet(&mut world, &["bo", "ada"]);
    assert!(world.is_done("fox", "reunion"));
    sound(&world);
}

#[test]
fn meetings_under_faults_bring_the_same_awards() {
    for_each_seed(60, "meetings", |seed| {
        let play = |chaos: bool| {
            let mut world = playing(&["ada", "bo", "cy", "dee"]);
            if chaos {
                world.disturb(seed);
            }
            // Each session says what it sees, one more often than the other.
            for n in 0..2 + seed % 3 {
                meet(&mut world, if n % 2 == 0 { &["cy", "ada", "bo"] } else { &["ada", "bo", "cy"] });
            }
            world.enter("dee", "a");
            world
        };
        let (calm, wild) = (play(false), play(true));
        assert!(calm.is_finished("fox") && wild.is_finished("fox"));
        assert_eq!(calm.awards(), wild.awards());
        for who in ["ada", "bo", "cy", "dee"] {
            assert_eq!(calm.player(who).points, wild.player(who).points, "points of {who}");
        }
        sound(&calm);
        sound(&wild);
    });
}

#[test]
fn planted_faults_of_a_meeting_are_found() {
    let mut world = playing(&["ada", "bo", "cy"]);
    meet(&mut world, &["ada", "bo"]);
    sound(&world);
    type Plant = fn(&mut Nearness);
    let faults: [(&str, Plant); 3] = [
        ("too far", |near| near.distance = Meters::lossy(43.5)),
        ("too short", |near| near.since = near.fix_times.0),
        ("being no member", |near| near.player = player("olga")),
    ];
    let planted = |plant: &dyn Fn(&mut Vec<Nearness>)| {
        let mut log = world.log.clone();
        for event in log.iter_mut().flat_map(|stored| &mut stored.entry.events) {
            if let Event::Team(TeamEvent::Met { near, .. }) = event {
                plant(near);
            }
        }
        verdict(&log, &world.catalog, u64::MAX).render()
    };
    for (text, plant) in faults {
        let found = planted(&|near| near.iter_mut().for_each(plant));
        assert!(found.contains(text), "{text}: {found}");
    }
    let found = planted(&|near| near.extend(near.clone()));
    assert!(found.contains("meets twice"), "{found}");
    let found = planted(&Vec::clear);
    assert!(found.contains("did reunion"), "bo did what it did not: {found}");
    // Without the fact nobody has done it.
    let mut log = world.log.clone();
    log.iter_mut().for_each(|stored| {
        stored.entry.events.retain(|event| !matches!(event, Event::Team(TeamEvent::Met { .. })));
    });
    assert!(!verdict(&log, &world.catalog, u64::MAX).is_clean());
}
