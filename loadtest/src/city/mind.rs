//! What a player knows and wants: takes notices in, and says which commands to give. No sockets, no time of its own.
//!
//! It plays both quests as a member of a team: reaches places, does there what is asked, starts a finished quest again.
//! Promise: what it asks it asks under an id of its own, so that a repeat after a lost connection is the same command;
//! what waits is bounded by [`COMMANDS_MAX`].

use super::ground::{Ground, Team};
use super::town::{self, Town, Verb};
use super::traveller::Kind;
use crate::record::measure;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::time::Instant;

/// Commands that wait for one another: more than a person has in mind. What is due beyond it is counted as refused.
const COMMANDS_MAX: usize = 16;
/// How long the founder waits for those who are late, in ticks.
const LATE_TICKS: u32 = 10;

/// A command to be given.
#[derive(Debug, Clone)]
pub struct Todo {
    pub method: &'static str,
    pub data: Value,
    /// When it was due.
    pub due: Instant,
    /// The question or the place that it wins, if any.
    pub wins: Option<(bool, usize)>,
}

/// A player's mind.
#[derive(Debug)]
pub struct Mind {
    ground: Arc<Ground>,
    team: Arc<Team>,
    player: String,
    member: u32,
    kind: Kind,
    pub todo: VecDeque<Todo>,
    commands: u32,
    asked_in: bool,
    is_in: bool,
    waited: u32,
    /// Runs that are going on, and what is done in them, a bit a step: the walk's and the quiz's.
    runs: [Option<u64>; 2],
    /// The founder has asked for a start that is not answered by a notice yet.
    starting: [bool; 2],
    /// Whether it has played the quiz, and when questions were due for which there was none left.
    quizzed: bool,
    owed: VecDeque<Instant>,
    /// When the fix was due that the server speaks of when it says that one is somewhere.
    pub deciding: Option<Instant>,
}

impl Mind {
    /// Of a member of a team, from 0.
    pub fn new(ground: &Arc<Ground>, team: &Arc<Team>, player: &str, member: u32, kind: Kind) -> Self {
        Self {
            ground: Arc::clone(ground),
            team: Arc::clone(team),
            player: player.to_owned(),
            member,
            kind,
            todo: VecDeque::new(),
            commands: 0,
            asked_in: false,
            is_in: false,
            waited: 0,
            runs: [None; 2],
            starting: [false; 2],
            quizzed: false,
            owed: VecDeque::new(),
            deciding: None,
        }
    }

    /// Whether it plays the quiz.
    pub fn quizzes(&self) -> bool {
        self.kind == Kind::Honest && self.quizzed
    }

    /// Once a tick, while connected: what must be done without a notice that says so.
    pub fn tick(&mut self, now: Instant) {
        if !self.is_in && !self.asked_in {
            if self.member == 0 {
                self.asked_in = true;
                self.want("team.create", json!({ "name": format!("Team of {}", self.player) }), now, None);
            } else if let Some(code) = self.team.code() {
                self.asked_in = true;
                self.want("team.join", json!({ "code": code }), now, None);
            }
        }
        if self.member == 0 && self.is_in {
            self.waited += 1;
            if self.team.joined() >= self.ground.plan.members || self.waited > LATE_TICKS {
                self.start(0, now);
                if self.kind == Kind::Honest && self.ground.plan.awards > 0.0 {
                    self.start(1, now);
                }
            }
        }
    }

    fn start(&mut self, quest: usize, now: Instant) {
        if self.runs[quest].is_none() && !self.starting[quest] {
            self.starting[quest] = true;
            let id = [town::WALK, town::QUIZ][quest];
            self.want("quest.start", json!({ "quest": id }), now, None);
        }
    }

    /// A question is due: the next that nobody of the team has asked. If there is none the run is about to end, and it is
    /// asked in the next one, with the time at which it was due.
    pub fn question(&mut self, due: Instant) {
        let number = self.runs[1].and_then(|done| self.team.ask(done, town::QUESTIONS));
        let Some(number) = number else {
            self.owed.push_back(due);
            if self.owed.len() > COMMANDS_MAX {
                self.owed.pop_front();
                self.ground.counts.error("questions that found too many waiting");
            }
            return;
        };
        let data = json!({ "quest": town::QUIZ, "step": format!("q{number}"), "text": town::ANSWER });
        self.want("quest.answer", data, due, Some((true, number)));
    }

    fn want(&mut self, method: &'static str, mut data: Value, due: Instant, wins: Option<(bool, usize)>) {
        if self.todo.len() >= COMMANDS_MAX {
            self.ground.counts.error("commands that found too many waiting");
            return;
        }
        self.commands += 1;
        data["cmd"] = json!(format!("{}", self.commands));
        self.todo.push_back(Todo { method, data, due, wins });
    }

    /// A command was done.
    pub fn done(&mut self, todo: &Todo, answer: &Value) {
        if let (Some(invite), "team.create") = (answer["invite"].as_str(), todo.method) {
            self.team.invite(invite);
        }
        if todo.wins.is_some() {
            self.ground.counts.took(measure::AWARD_ACK, todo.due.elapsed());
        }
    }

    /// A command is refused for good.
    pub fn refused(&mut self, todo: &Todo) {
        match todo.method {
            "team.create" | "team.join" => self.asked_in = false,
            "quest.start" => self.starting = [false; 2],
            _ => {}
        }
        if let Some((true, number)) = todo.wins {
            self.team.unask(number);
        }
    }

    /// What was missed is not to be had: it looks at what there is.
    pub fn begin_anew(&mut self, state: &Value) {
        let open = |quest: &str| {
            let runs = state["runs"].as_array().map(Vec::as_slice).unwrap_or_default();
            let run = runs.iter().rfind(|run| run["quest"] == quest && run["over"] == false)?;
            let done = run["done"].as_array().map(Vec::as_slice).unwrap_or_default();
            Some(done.iter().filter_map(|step| town::number(step.as_str()?)).fold(0, |bits, step| bits | 1 << step))
        };
        self.is_in = !state["team"].is_null();
        self.runs = [open(town::WALK), open(town::QUIZ)];
        self.starting = [false; 2];
    }

    /// A notice has come.
    pub fn hear(&mut self, notice: &Value, now: Instant) {
        let quest = usize::from(notice["quest"] == town::QUIZ);
        match notice["type"].as_str().unwrap_or_default() {
            "team.joined" if !self.is_in => {
                self.is_in = true;
                self.team.join();
            }
            "quest.started" => self.started(quest),
            "quest.finished" | "quest.ended" => {
                self.runs[quest] = None;
                if self.member == 0 {
                    self.start(quest, now);
                }
            }
            "step.completed" => self.completed(notice, quest),
            "region.entered" => self.arrived(notice, now),
            "badge.given" | "points.given" => self.ground.counts.award(None),
            // It is the team's, and all of them are told.
            "code.given" if self.member == 0 => self.ground.counts.award(None),
            _ => {}
        }
    }

    fn started(&mut self, quest: usize) {
        (self.runs[quest], self.starting[quest]) = (Some(0), false);
        if quest == 1 {
            self.quizzed = true;
            // One of them, so that it happens once a run.
            if self.member == 0 {
                self.team.ask_anew();
            }
            for due in std::mem::take(&mut self.owed) {
                self.question(due);
            }
        }
    }

    fn completed(&mut self, notice: &Value, quest: usize) {
        let Some(number) = notice["step"].as_str().and_then(town::number) else { return };
        if let Some(done) = &mut self.runs[quest] {
            *done |= 1_u64.checked_shl(u32::try_from(number).unwrap_or(u32::MAX)).unwrap_or(0);
        }
        let by = notice["by"].as_array().map(Vec::as_slice).unwrap_or_default();
        let (quiz, counts) = (quest == 1, &self.ground.counts);
        if let Some(due) = self.team.done(quiz, number) {
            let visits = !quiz && Town::verb(number) == Verb::Visit;
            let measure = if visits { measure::FIX_TO_NOTICE } else { super::counts::AWARD_TO_NOTICE };
            counts.took(measure, due.elapsed());
        } else if quiz || Town::verb(number) != Verb::Together {
            counts.count("notices of steps without a known beginning", 1);
        }
        // One of those who did it counts for all, so that an award is counted once.
        if by.first().is_some_and(|first| *first == json!(self.player)) {
            counts.award((!quiz).then_some(number));
            if let Kind::Spoofer(ruse) = self.kind {
                counts.count(&format!("won by {}", ruse.name()), 1);
            }
        }
    }

    fn arrived(&mut self, notice: &Value, now: Instant) {
        let Some(place) = notice["place"].as_str().and_then(town::number) else { return };
        let Some(done) = self.runs[0] else { return };
        if done & (1_u64 << place.min(63)) != 0 {
            return;
        }
        let members = self.ground.plan.members;
        let step = format!("s{place}");
        let data = |more: (&str, &str)| {
            let mut data = json!({ "quest": town::WALK, "step": step });
            data[more.0] = json!(more.1);
            data
        };
        let (method, data) = match Town::verb(place) {
            Verb::Visit => return self.team.does(false, place, self.deciding.unwrap_or(now), members),
            // Whose fix decides is not known to those who wait for the other.
            Verb::Together => return,
            // Spoofers are after what being somewhere wins.
            _ if self.kind != Kind::Honest => return,
            Verb::Answer => ("quest.answer", data(("text", town::ANSWER))),
            Verb::Scan => ("quest.scan", data(("code", town::CODE))),
            Verb::Choose => ("quest.choose", data(("option", town::OPTION))),
        };
        self.want(method, data, now, Some((false, place)));
    }

    /// A command is sent for the first time: members will want to know when it was due.
    pub fn gives(&self, todo: &Todo) {
        if let Some((quiz, number)) = todo.wins {
            self.team.does(quiz, number, todo.due, self.ground.plan.members);
        }
    }
}
