//! A sound game of two teams with the history that its phones wrote, and how to find and change a line of it.

use crate::fixtures::team_quest;
use crate::phones::Phones;
use crate::rng::Rng;
use crate::verify_core::verdict_with;
use crate::verify_plant::{Log, REWARDS, STEPS};
use crate::world::{World, player, secs};
use serde_json::{Value, json};
use std::sync::OnceLock;
use waystone::quest::catalog::Catalog;
use waystone::verify::history::{Answered, Asked, Connected, Did, FORM, Head, Line, Outcome, StateSeen, Told};
use waystone::verify::{History, Verdict};

/// A journal and a history of one game.
#[derive(Clone)]
pub struct Case {
    pub log: Log,
    pub lines: Vec<Line>,
    pub catalog: Catalog,
}

/// A fault: its name, the check that must find it, and how it is planted.
pub type Fault = (&'static str, &'static str, fn(&mut Case));

/// The teams' ids, made from who created them.
pub fn teams(case: &Case) -> [waystone::ids::TeamId; 2] {
    ["ada", "olga"].map(|who| {
        let made = case.replies(who, "team.create")[0]["team"].as_str().expect("a team's id").to_owned();
        waystone::ids::TeamId::new(made).expect("an id")
    })
}

impl Case {
    /// The game, played once for all.
    pub fn sound() -> Self {
        static PLAYED: OnceLock<Case> = OnceLock::new();
        PLAYED.get_or_init(play).clone()
    }

    pub fn verdict(&self) -> Verdict {
        let head = Head { history: FORM, by: "a test".to_owned() };
        let mut text = serde_json::to_string(&head).expect("JSON") + "\n";
        for line in &self.lines {
            text += &(serde_json::to_string(line).expect("JSON") + "\n");
        }
        let history = History::parse("planted", text.as_bytes()).expect("every line is one");
        verdict_with(&self.log, &self.catalog, &history)
    }

    /// The places of the lines of a player that are meant.
    pub fn all(&self, who: &str, meant: impl Fn(&Did) -> bool) -> Vec<usize> {
        let of = |(at, line): (usize, &Line)| (line.player == player(who) && meant(&line.what)).then_some(at);
        self.lines.iter().enumerate().filter_map(of).collect()
    }

    /// The place of the first such line.
    pub fn first(&self, who: &str, meant: impl Fn(&Did) -> bool) -> usize {
        *self.all(who, meant).first().expect("the game has such a line")
    }

    /// The place of the last such line.
    pub fn last(&self, who: &str, meant: impl Fn(&Did) -> bool) -> usize {
        *self.all(who, meant).last().expect("the game has such a line")
    }

    /// The place of a notice of a kind.
    pub fn told(&self, who: &str, kind: &str) -> usize {
        self.first(who, |did| matches!(did, Did::Told(told) if told.notice["type"] == kind))
    }

    pub fn notice(&mut self, at: usize) -> &mut Told {
        match &mut self.lines[at].what {
            Did::Told(told) => told,
            other => panic!("{other:?} tells nothing"),
        }
    }

    pub fn welcome(&mut self, at: usize) -> &mut Connected {
        match &mut self.lines[at].what {
            Did::Connected(connected) => connected,
            other => panic!("{other:?} is no welcome"),
        }
    }

    pub fn state(&mut self, at: usize) -> &mut StateSeen {
        match &mut self.lines[at].what {
            Did::State(state) => state,
            other => panic!("{other:?} is no state"),
        }
    }

    /// The place of the question of a method.
    pub fn asked(&self, who: &str, method: &str) -> usize {
        self.first(who, |did| matches!(did, Did::Asked(asked) if asked.method == method))
    }

    /// The place of the first answer to a method.
    pub fn answer_to(&self, who: &str, method: &str) -> usize {
        let Did::Asked(Asked { request, .. }) = &self.lines[self.asked(who, method)].what else { unreachable!() };
        self.first(who, |did| matches!(did, Did::Answered(answered) if answered.request == *request))
    }

    pub fn outcome(&mut self, at: usize) -> &mut Outcome {
        match &mut self.lines[at].what {
            Did::Answered(Answered { outcome, .. }) => outcome,
            other => panic!("{other:?} is no answer"),
        }
    }

    pub fn cmd(&self, who: &str, method: &str) -> waystone::quest::act::CommandId {
        match &self.lines[self.asked(who, method)].what {
            Did::Asked(Asked { cmd: Some(cmd), .. }) => cmd.clone(),
            other => panic!("{other:?} is no command"),
        }
    }

    /// What was answered to a method.
    fn replies(&self, who: &str, method: &str) -> Vec<Value> {
        match &self.lines[self.answer_to(who, method)].what {
            Did::Answered(Answered { outcome: Outcome::Done(reply), .. }) => vec![reply.clone()],
            _ => Vec::new(),
        }
    }

    /// Writes a line of a player.
    pub fn insert(&mut self, at: usize, who: &str, what: Did) {
        self.lines.insert(at, Line { at: None, player: player(who), device: 0, what });
    }
}

pub fn is_welcome(did: &Did) -> bool {
    matches!(did, Did::Connected(_))
}

pub fn is_told(did: &Did) -> bool {
    matches!(did, Did::Told(_))
}

pub fn is_state(did: &Did) -> bool {
    matches!(did, Did::State(_))
}

pub fn is_board(did: &Did) -> bool {
    matches!(did, Did::Board(_))
}

fn play() -> Case {
    let world = World::with(&[&team_quest(STEPS, REWARDS)]);
    let mut phones = Phones::new(world, Rng::new(1));
    let everyone = ["ada", "bo", "olga", "otto"];
    everyone.iter().for_each(|who| phones.add(who));
    for (founder, friend) in [("ada", "bo"), ("olga", "otto")] {
        phones.command(founder, "team.create", json!({ "name": founder }));
        rest(&mut phones, &[founder]);
        let team = phones.world.player(founder).team.expect("it is founded");
        let code = phones.world.team(team.as_str()).invite(&team);
        phones.command(friend, "team.join", json!({ "code": code }));
        rest(&mut phones, &[founder, friend]);
        phones.command(founder, "quest.start", json!({ "quest": "small" }));
        rest(&mut phones, &[founder, friend]);
        phones.command(founder, "quest.hint", json!({ "quest": "small", "step": "s1", "hint": 0 }));
        rest(&mut phones, &[founder, friend]);
        phones.look(founder);
        phones.look_at_board(founder);
        phones.command_twice(friend, "team.say", json!({ "text": "we are on our way" }));
        phones.command(friend, "team.share", json!({ "on": true }));
        phones.command(founder, "quest.scan", json!({ "quest": "small", "step": "s2", "code": "x" }));
        // The friend is in a tunnel while much happens.
        phones.disconnect(friend);
        [founder, friend].iter().for_each(|who| phones.world.enter(who, "a"));
        phones.world.later(secs(5));
        rest(&mut phones, &[founder]);
        phones.look(founder);
        phones.look_at_board(founder);
        phones.connect(friend);
        phones.look(friend);
        phones.command(friend, "quest.choose", json!({ "quest": "small", "step": "s2", "option": "east" }));
        rest(&mut phones, &[founder, friend]);
        phones.look_at_board(founder);
    }
    phones.settle();
    let lines = phones.history().lines().skip(1).map(|line| serde_json::from_str(line).expect("a line")).collect();
    Case { log: phones.world.log, lines, catalog: phones.world.catalog }
}

/// All letters are carried, and these hear what is for them.
fn rest(phones: &mut Phones, who: &[&str]) {
    phones.world.carry();
    who.iter().for_each(|who| phones.hear(who, usize::MAX));
}
