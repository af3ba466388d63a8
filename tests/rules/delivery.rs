//! What comes twice, late or after a crash: clients' commands, messages, snapshots.

use crate::fixtures::{DEMO, team_quest};
use crate::world::{World, player, secs, sight};
use crate::world_act::code;
use waystone::ids::EntityId;
use waystone::quest::aggregate::{Aggregate, Decision, Message};
use waystone::quest::command::{Attempt, Command, HOPS_MAX, News, PlayerCommand, Sighting, TeamCommand};
use waystone::quest::entry::{Cause, MessageId};

const STEPS: &str = "
  - { id: s1, visit: { at: a }, points: 5 }
  - { id: s2, answer: { question: Who?, accept: [me], tries: 2, wait: 1m } }";

fn playing() -> World {
    let mut world = World::with(&[&team_quest(STEPS, "")]);
    world.playing("fox", &["ada", "bo"]);
    world
}

fn guess(world: &World, text: &str) -> Command {
    Command::Player(PlayerCommand::Try { at: world.at("s2"), with: Attempt::Answer(text.to_owned()) })
}

#[test]
fn repeated_command_gets_the_same_answer_and_has_no_second_effect() {
    let mut world = playing();
    let ada = World::player_id("ada");
    let wrong = guess(&world, "you");
    let first = world.command("ada", "c1", &ada, wrong.clone());
    let state = world.live.clone();
    world.crash(&ada);
    let again = world.command("ada", "c1", &ada, wrong.clone());
    assert_eq!((first, &world.live), (again, &state));
    let other = world.command("ada", "c2", &ada, wrong).expect("another command").expect("a reply");
    assert_eq!(other["tries_left"], 0, "another id is another try");
    world.check();
}

#[test]
fn command_id_with_another_content_is_a_conflict() {
    let mut world = playing();
    let ada = World::player_id("ada");
    let (wrong, right) = (guess(&world, "you"), guess(&world, "me"));
    world.command("ada", "c1", &ada, wrong).expect("a wrong answer is an answer");
    let state = world.live.clone();
    assert_eq!(code(&world.command("ada", "c1", &ada, right)), 1005);
    assert_eq!(world.live, state);
}

#[test]
fn command_ids_of_two_players_do_not_meet() {
    let mut world = playing();
    let fox = World::team_id("fox");
    for who in ["ada", "bo"] {
        let say = Command::Team(TeamCommand::Say { player: player(who), text: who.to_owned() });
        world.command(who, "c1", &fox, say).expect("each has ids of their own");
    }
    assert_eq!(world.count_told("ada", "team.said"), 2);
    world.check();
}

#[test]
fn answer_is_kept_however_much_the_others_say() {
    let mut world = playing();
    let fox = World::team_id("fox");
    let say = |who: &str, text: &str| Command::Team(TeamCommand::Say { player: player(who), text: text.to_owned() });
    world.command("ada", "c1", &fox, say("ada", "where are you?")).expect("said");
    // Twice as many as answers are kept.
    for n in 0..128 {
        world.command("bo", &format!("c{n}"), &fox, say("bo", "here")).expect("said");
    }
    let told = world.count_told("bo", "team.said");
    world.command("ada", "c1", &fox, say("ada", "where are you?")).expect("the same answer");
    assert_eq!(world.count_told("bo", "team.said"), told, "it was said again");
    assert_eq!(code(&world.command("ada", "c1", &fox, say("ada", "something else"))), 1005);
    world.command("bo", "c127", &fox, say("bo", "here")).expect("the last of the others is known, too");
    assert_eq!(world.count_told("bo", "team.said"), told);
    world.check();
}

#[test]
fn repeated_command_of_a_refused_one_may_succeed() {
    let mut world = World::with(&[DEMO]);
    world.found("fox", &["ada"]);
    let start =
        Command::Team(TeamCommand::Start { player: player("ada"), quest: world.quest.clone(), finished: true });
    let fox = World::team_id("fox");
    assert_eq!(code(&world.command("ada", "c1", &fox, start.clone())), 1305);
    world.join("fox", "bo").expect("the secret is right");
    world.command("ada", "c1", &fox, start).expect("a refusal leaves nothing behind");
    world.check();
}

#[test]
fn message_that_comes_again_after_a_crash_changes_nothing() {
    let mut world = playing();
    world.enter("ada", "a");
    let letters: Vec<(EntityId, Message)> = world
        .log
        .iter()
        .flat_map(|stored| {
            stored.entry.out.iter().zip(0..).map(|(out, n)| {
                let id = MessageId { sender: stored.entity.clone(), seq: stored.entry.seq, n };
                let cause = Some(Cause::Message(id));
                (out.to.clone(), Message { cause, hops: stored.entry.hops + 1, command: out.command.clone() })
            })
        })
        .collect();
    let state = world.live.clone();
    for id in state.keys() {
        world.crash(id);
    }
    assert!(letters.len() > 8, "there is something to be carried again");
    for (to, letter) in &letters {
        assert_eq!(world.post(to, letter), Ok(None), "{to} answers {letter:?}");
    }
    assert_eq!((&world.live, world.lanes.len()), (&state, 0));
    world.check();
}

#[test]
fn entity_is_read_back_from_its_snapshot_as_it_was() {
    let mut world = World::with(&[DEMO]);
    world.playing("fox", &["ada", "bo"]);
    for who in ["ada", "bo"] {
        world.enter(who, "kivi");
    }
    world.later(secs(60));
    world.enter("ada", "smiths");
    world.answer("ada", "smiths", "nine").expect("a wrong answer is an answer");
    world.hint("fox", "ada", "smiths", 0).expect_err("too early");
    for (id, aggregate) in world.live.clone() {
        let snapshot = serde_json::to_vec(&aggregate).unwrap_or_else(|err| panic!("{id}: {err}"));
        let read: Aggregate = serde_json::from_slice(&snapshot).unwrap_or_else(|err| panic!("{id}: {err}"));
        assert_eq!(read, aggregate);
    }
}

#[test]
fn sighting_reported_twice_is_recorded_once() {
    let mut world = playing();
    world.enter("ada", "a");
    let entries = world.log.len();
    for what in [Sighting::Entered, Sighting::Entered] {
        let message = sight(&player("ada"), what, world.now);
        let region = EntityId::Region(world.region_of("a"));
        world.tell(&region, &message).expect("never refused");
    }
    world.leave("ada", "a");
    let left = world.log.len();
    assert_eq!(left, entries + 2, "one entry of the region, one of the player");
    world.leave("ada", "a");
    assert_eq!(world.log.len(), left);
    world.check();
}

#[test]
fn chain_without_end_is_cut_but_heard() {
    let world = playing();
    let ada = &world.live[&World::player_id("ada")];
    let news = PlayerCommand::News { team: crate::world::team("fox"), items: vec![News::Left] };
    let id = MessageId { sender: World::team_id("fox"), seq: 1_000, n: 0 };
    let message = Message { cause: Some(Cause::Message(id)), hops: HOPS_MAX + 1, command: Command::Player(news) };
    match ada.decide(world.now, &world.catalog, &message) {
        Ok(Decision::Append(entry)) => {
            assert!(entry.events.is_empty() && entry.out.is_empty() && entry.notices.is_empty());
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn command_for_another_kind_of_entity_is_refused() {
    let mut world = playing();
    let state = world.live.clone();
    let say = TeamCommand::Say { player: player("ada"), text: "hi".into() };
    let refused = world.tell(&World::player_id("ada"), &Message::bare(Command::Team(say)));
    assert_eq!((code(&refused), &world.live), (100, &state));
}
