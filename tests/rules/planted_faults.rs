//! Lies planted in the history of a sound game, each a small change: every one must be found, by the check that is
//! meant to find it.

use crate::planted::*;
use crate::planted_journal::JOURNAL;
use serde_json::json;
use std::collections::BTreeSet;
use waystone::ids::{BadgeId, TeamId};
use waystone::quest::act::CommandId;
use waystone::verify::CHECKS;
use waystone::verify::history::{Answered, Asked, BoardSeen, Did, Outcome, Position, RowSeen, StateSeen, Told};

const TOLD: &[Fault] = &[
    ("a notice is left out", "gap", |case| drop(case.lines.remove(case.told("ada", "quest.started")))),
    ("a notice is told twice", "twin", |case| {
        let at = case.told("ada", "quest.started");
        case.lines.insert(at, case.lines[at].clone());
    }),
    ("two notices come in the wrong order", "gap", |case| {
        let told = case.all("ada", is_told);
        case.lines.swap(told[1], told[2]);
    }),
    ("a notice tells of other points", "told", |case| {
        let at = case.told("ada", "step.completed");
        case.notice(at).notice["points"] = json!(11);
    }),
    ("a notice has another text", "told", |case| {
        let at = case.told("ada", "team.said");
        case.notice(at).notice["text"] = json!("we have got lost");
    }),
    ("a notice has a field more", "told", |case| {
        let at = case.told("ada", "quest.started");
        case.notice(at).notice["bonus"] = json!(1);
    }),
    ("a badge is told that was never given", "told", |case| {
        let at = case.told("ada", "badge.given");
        case.notice(at).notice["badge"] = json!("hero");
    }),
    ("a badge is told after the end", "phantom", |case| {
        let at = case.last("ada", is_told);
        let Told { offset, .. } = *case.notice(at);
        let notice = json!({ "type": "badge.given", "quest": "small", "badge": "hero", "at": 0 });
        case.insert(at + 1, "ada", Did::Told(Told { offset: offset + 1, notice }));
    }),
    ("a code is told that another team has", "told", |case| {
        let code = case.told("ada", "code.given");
        let stolen = case.notice(code).notice.clone();
        let at = case.told("olga", "reward.gone");
        case.notice(at).notice = stolen;
    }),
    ("somebody is told without being connected", "history", |case| {
        let at = case.first("bo", |did| matches!(did, Did::Disconnected(_)));
        let told = case.lines.remove(case.last("bo", is_told));
        case.lines.insert(at + 1, told);
    }),
    ("the last notice never comes", "undelivered", |case| drop(case.lines.remove(case.last("ada", is_told)))),
    ("somebody hears nothing", "undelivered", |case| {
        case.lines.retain(|line| line.player != crate::world::player("ada") || !is_told(&line.what));
    }),
];

const RESUMED: &[Fault] = &[
    ("a resume skips a notice", "gap", |case| {
        let back = case.last("bo", is_welcome);
        let next = *case.all("bo", is_told).iter().find(|at| **at > back).expect("it is told what it missed");
        case.lines.remove(next);
    }),
    ("a resume goes on after another place", "resume", |case| {
        let back = case.last("bo", is_welcome);
        case.welcome(back).offset += 1;
        let next = *case.all("bo", is_told).iter().find(|at| **at > back).expect("it is told what it missed");
        case.lines.remove(next);
    }),
    ("a client resumes where it was not", "resume", |case| {
        let back = case.last("bo", is_welcome);
        let welcome = case.welcome(back);
        welcome.offset -= 1;
        welcome.resumed.as_mut().expect("it resumes").offset -= 1;
    }),
    ("a client resumes twice from one place", "resume", |case| {
        let back = case.last("bo", is_welcome);
        let (welcome, first) = (case.lines[back].clone(), case.lines[back + 1].clone());
        case.lines.splice(back..back, [welcome, first]);
        case.insert(back + 2, "bo", Did::Disconnected(Default::default()));
    }),
    ("a client is recovered that resumed nothing", "resume", |case| {
        let back = case.last("bo", is_welcome);
        case.welcome(back).resumed = None;
    }),
    ("a client must begin anew, though all is kept", "resume", |case| {
        let back = case.last("bo", is_welcome);
        case.welcome(back).recovered = false;
    }),
    ("a client is recovered in another stream", "resume", |case| {
        let back = case.last("bo", is_welcome);
        case.welcome(back).resumed = Some(Position { epoch: "older".to_owned(), offset: 1 });
    }),
    ("a stream is of another journal", "stream", |case| {
        let at = case.first("ada", is_welcome);
        case.welcome(at).epoch = "older".to_owned();
    }),
    ("a welcome names an end that was never reached", "phantom", |case| {
        case.lines.retain(|line| line.player != crate::world::player("otto") || is_welcome(&line.what));
        let at = case.first("otto", is_welcome);
        case.welcome(at).offset = 900;
    }),
    ("a welcome names an end that was passed", "stale", |case| {
        let back = case.last("bo", is_welcome);
        let welcome = case.welcome(back);
        (welcome.recovered, welcome.resumed, welcome.offset) = (false, None, 1);
    }),
];

const DONE: &[Fault] = &[
    ("an answer is another than the entry's", "reply", |case| {
        let at = case.answer_to("ada", "quest.start");
        *case.outcome(at) = Outcome::Done(json!({ "quest": "small", "version": 2, "ends_at": null }));
    }),
    ("a command has two answers", "reply", |case| {
        let at = case.answer_to("bo", "team.say");
        *case.outcome(at) = Outcome::Done(json!({ "said": true }));
    }),
    ("a refused command is done", "refused", |case| {
        let at = case.answer_to("bo", "quest.choose");
        *case.outcome(at) = Outcome::Refused(1201);
    }),
    ("a command is acknowledged and not done", "acknowledged", |case| {
        let at = case.answer_to("ada", "quest.scan");
        *case.outcome(at) = Outcome::Done(json!({}));
    }),
    ("sharing is acknowledged and was never so", "acknowledged", |case| {
        let (cmd, end) = (CommandId::new("x1").expect("valid"), case.lines.len());
        let (method, data) = ("team.share".to_owned(), json!({ "cmd": "x1", "on": true }));
        case.insert(end, "ada", Did::Asked(Asked { request: 900, method, cmd: Some(cmd), data }));
        let done = Answered { request: 900, outcome: Outcome::Done(json!({})) };
        case.insert(end + 1, "ada", Did::Answered(done));
    }),
    ("a command is done with another content", "content", |case| {
        let at = case.asked("bo", "quest.choose");
        let Did::Asked(asked) = &mut case.lines[at].what else { unreachable!() };
        asked.data["option"] = json!("west");
    }),
    ("a command is done that nobody asked", "unasked", |case| {
        let answer = case.answer_to("bo", "quest.choose");
        case.lines.remove(answer);
        case.lines.remove(case.asked("bo", "quest.choose"));
    }),
    ("an answer has no question", "history", |case| drop(case.lines.remove(case.asked("bo", "quest.choose")))),
];

const SEEN: &[Fault] = &[
    ("a state has a point more", "state", |case| {
        let at = case.all("ada", is_state)[1];
        case.state(at).points += 1;
    }),
    ("a state has a badge that was never given", "state", |case| {
        let at = case.all("ada", is_state)[1];
        case.state(at).badges.insert(BadgeId::new("hero").expect("valid"));
    }),
    ("a state lacks a badge", "state", |case| {
        let at = case.last("ada", is_state);
        case.state(at).badges.clear();
    }),
    ("a state is of an offset that was never reached", "phantom", |case| {
        let at = case.last("ada", is_state);
        case.state(at).offset += 100;
    }),
    ("a state is older than what was told", "stale", |case| {
        let (old, at) = (case.first("ada", is_state), case.all("ada", is_state)[1]);
        let before = case.state(old).clone();
        let state = case.state(at);
        *state = StateSeen { request: state.request, ..before };
    }),
    ("a state is of the middle of an entry", "state", |case| {
        let at = case.all("ada", is_state)[1];
        case.state(at).offset += 2;
    }),
    ("a state at rest is not the last", "stale", |case| {
        let at = case.last("ada", is_state);
        case.state(at).offset -= 1;
    }),
    ("a state shows another team", "state", |case| {
        let [fox, owl] = teams(case);
        let at = case.all("ada", is_state)[1];
        let team = case.state(at).team.as_mut().filter(|team| team.id == fox).expect("it is in it");
        team.id = owl;
    }),
    ("a state at rest shows no team", "state", |case| {
        let at = case.last("ada", is_state);
        case.state(at).team = None;
    }),
    ("a team has a point more", "state", |case| {
        let at = case.all("ada", is_state)[1];
        case.state(at).team.as_mut().expect("it is in one").runs[0].points += 1;
    }),
    ("a team lacks a member", "state", |case| {
        let at = case.all("ada", is_state)[1];
        case.state(at).team.as_mut().expect("it is in one").members.pop_last();
    }),
    ("a team at rest is as it was before", "state", |case| {
        let (old, at) = (case.first("ada", is_state), case.last("ada", is_state));
        let before = case.state(old).team.clone();
        case.state(at).team = before;
    }),
];

const BOARDS: &[Fault] = &[
    ("a board has a point more", "board", |case| {
        let at = case.all("ada", is_board)[1];
        board(case, at).rows[0].points += 1;
    }),
    ("a board is in the wrong order", "board", |case| {
        let at = case.last("ada", is_board);
        board(case, at).rows.reverse();
    }),
    ("a board has a team twice", "board", |case| {
        let at = case.all("ada", is_board)[1];
        let twin = board(case, at).rows[0].clone();
        board(case, at).rows.push(twin);
    }),
    ("a board has a team that never was", "board", |case| {
        let at = case.all("ada", is_board)[1];
        let team = TeamId::new("ghosts").expect("valid");
        board(case, at).rows.push(RowSeen { team, points: 0 });
    }),
    ("a board goes back", "board", |case| {
        let boards = case.all("ada", is_board);
        case.lines.swap(boards[0], boards[2]);
    }),
    ("a board at rest lacks a team", "board", |case| {
        let at = case.last("ada", is_board);
        board(case, at).rows.pop();
    }),
    ("a board at rest has old points", "board", |case| {
        let at = case.last("olga", is_board);
        let old = board(case, case.first("olga", is_board)).rows.clone();
        board(case, at).rows = old;
    }),
];

fn board(case: &mut Case, at: usize) -> &mut BoardSeen {
    match &mut case.lines[at].what {
        Did::Board(board) => board,
        other => panic!("{other:?} is no board"),
    }
}

#[test]
fn sound_game_with_its_history_is_found_sound() {
    let verdict = Case::sound().verdict();
    assert!(verdict.is_clean() && verdict.pending == 0, "{}", verdict.render());
    let counted = verdict.history.expect("a history was compared");
    assert!(counted.clients == 4 && counted.connections == 6 && counted.told > 60, "{counted:?}");
}

#[test]
fn every_planted_history_is_found() {
    let sets = [TOLD, RESUMED, DONE, SEEN, BOARDS, JOURNAL];
    let faults: Vec<&Fault> = sets.into_iter().flatten().collect();
    let names: BTreeSet<&str> = faults.iter().map(|(name, ..)| *name).collect();
    assert!(names.len() >= 60 && names.len() == faults.len(), "{} planted histories", names.len());
    let mut missed = Vec::new();
    for (name, check, plant) in faults {
        let mut case = Case::sound();
        plant(&mut case);
        let verdict = case.verdict();
        let known = |word: &str| CHECKS.iter().any(|(known, _)| *known == word);
        assert!(verdict.differences.iter().all(|found| known(found.check)), "{}", verdict.render());
        if !verdict.differences.iter().any(|difference| difference.check == *check) {
            missed.push(format!("{name}: {check} is not among\n{}", verdict.render()));
        }
    }
    assert!(missed.is_empty(), "{} are not found:\n{}", missed.len(), missed.join("\n"));
}
