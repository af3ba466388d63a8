//! Small games of a few players who do what comes into their heads, by the methods of the wire, over bad
//! connections. They found teams, join and leave them, start quests, do steps, give up and start again.

use crate::fixtures::quest;
use crate::phones::Phones;
use crate::rng::Rng;
use crate::world::{World, player, secs, sight};
use serde_json::json;
use std::collections::BTreeMap;
use waystone::ids::EntityId;
use waystone::quest::aggregate::Message;
use waystone::quest::command::{Command, PlayerCommand, Sighting};
use waystone::quest::player::PlayerRun;

const STEPS: &str = "
  - { id: s1, points: 10, visit: { at: a, team: { share: 1.0 } },
      hints: [{ text: look, after: 0s, cost: 3 }] }
  - { id: s2, points: 7, answer: { at: b, question: How many?, accept: [two], tries: 3, wait: 2s } }
  - { id: s3, after: s1, points: 5, scan: { at: c } }
  - { id: s4, points: 6, photo: { at: d, review: operator } }
  - { id: s5, points: 4, visit: { at: e, stay: 5s, team: { members: 2, together: 10s } } }
  - id: s6
    after: s3
    points: 5
    choose: { question: Where?, options: [{ id: west, label: West }, { id: east, label: East, points: 4 }] }";

const REWARDS: &str = "rewards:
  - { give: { badge: walker }, each: player }
  - { give: { points: 100 }, each: team }
  - { give: { points: 7 }, each: player }
  - { give: { code_pool: tickets }, each: team, stock: 1, otherwise: { points: 50 } }
  - { give: { code_pool: tickets }, each: team, stock: 1, otherwise: { badge: patient } }
  - { give: { badge: eastern }, each: team, when: { step: s6, chose: east } }";

const PLAY: &str = "{ mode: team, team_size: [1, 60], repeat: again, time_limit: 9m }";
const PLACES: [&str; 5] = ["a", "b", "c", "d", "e"];

/// A game, its phones, and who is where.
struct Throng {
    phones: Phones,
    at: BTreeMap<String, Option<&'static str>>,
    names: Vec<String>,
}

/// Plays a game to its rest.
pub fn play(seed: u64) -> Phones {
    let mut rng = Rng::new(seed);
    let world = World::with(&[&quest("small", PLAY, STEPS, REWARDS)]);
    let names: Vec<String> = (0..3 + rng.below(4)).map(|n| format!("p{n}")).collect();
    let at = names.iter().map(|who| (who.clone(), None)).collect();
    let mut throng = Throng { phones: Phones::new(world, rng), at, names };
    for who in throng.names.clone() {
        throng.phones.add(&who);
    }
    // One game in ten is calm, so that a fault of the checker is not always blamed on the chaos.
    if !seed.is_multiple_of(10) {
        throng.phones.world.disturb(seed);
    }
    // Most games are broken off; in some, several teams come to the end.
    let turns = if seed % 8 == 1 { 240 } else { 20 + throng.phones.rng.below(40) };
    for _ in 0..turns {
        let who = throng.phones.rng.pick(&throng.names).clone();
        throng.turn(&who);
        let (letters, pause) = (throng.phones.rng.below(8), throng.phones.rng.below(4) as u64);
        throng.phones.world.carry_some(letters);
        throng.phones.world.idle(secs(pause));
    }
    throng.phones.settle();
    throng.phones
}

impl Throng {
    fn turn(&mut self, who: &str) {
        if !self.phones.is_up(who) {
            match self.phones.rng.below(6) {
                0 => self.phones.replace(who),
                1 | 2 => {}
                _ => self.phones.connect(who),
            }
            return;
        }
        match self.phones.rng.below(20) {
            0 => self.phones.disconnect(who),
            1 | 2 => self.phones.look(who),
            3 => self.phones.look_at_board(who),
            4 => self.phones.send_fix(who),
            5 => self.phones.command(who, "team.say", json!({ "text": "where are you?" })),
            6 => self.be_silly(who),
            7..=9 => {
                let most = self.phones.rng.below(4);
                self.phones.hear(who, most);
            }
            _ => self.play_on(who),
        }
    }

    fn play_on(&mut self, who: &str) {
        let me = self.phones.player(who);
        if me.is_none_or(|me| me.team.is_none()) {
            return self.find_team(who);
        }
        let run = me.and_then(|me| me.runs.values().find(|run| !run.over)).cloned();
        let Some(run) = run else {
            return self.phones.command(who, "quest.start", json!({ "quest": "small" }));
        };
        let open: Vec<&str> =
            run.open.iter().filter(|(_, open)| !open.reached).map(|(step, _)| step.as_str()).collect();
        if open.is_empty() {
            return self.phones.hear(who, 9);
        }
        let step = (*self.phones.rng.pick(&open)).to_owned();
        let place = PLACES[usize::from(step.as_bytes()[1] - b'1').min(4)];
        if step != "s6" && self.at[who] != Some(place) {
            return self.go(who, Some(place));
        }
        self.attempt(who, &step, &run);
    }

    fn attempt(&mut self, who: &str, step: &str, run: &PlayerRun) {
        let data = |key: &str, value: &str| json!({ "quest": "small", "step": step, key: value });
        match step {
            "s2" => {
                let text = *self.phones.rng.pick(&["two", "three"]);
                self.phones.command(who, "quest.answer", data("text", text));
            }
            "s3" => self.phones.command(who, "quest.scan", data("code", "code-s3")),
            "s4" => {
                self.phones.command(who, "quest.photo", data("photo", "photos/1.jpg"));
                if run.open.values().any(|open| open.photo.is_some()) {
                    let approve = !self.phones.rng.one_in(4);
                    let review = PlayerCommand::Review { at: self.phones.world.at(step), approve, reason: None };
                    let message = Message::bare(Command::Player(review));
                    self.phones.world.post(&EntityId::Player(player(who)), &message).unwrap_or_default();
                }
            }
            "s6" => {
                let option = *self.phones.rng.pick(&["west", "east"]);
                self.phones.command(who, "quest.choose", data("option", option));
            }
            _ => self.phones.hear(who, 2),
        }
    }

    fn find_team(&mut self, who: &str) {
        let invites: Vec<String> = self
            .names
            .iter()
            .filter_map(|who| self.phones.player(who)?.team.as_ref())
            .map(|team| self.phones.world.team(team.as_str()).invite(team))
            .collect();
        if invites.is_empty() || self.phones.rng.one_in(3) {
            return self.phones.command(who, "team.create", json!({ "name": format!("team of {who}") }));
        }
        let code = self.phones.rng.pick(&invites).clone();
        self.phones.command(who, "team.join", json!({ "code": code }));
    }

    fn go(&mut self, who: &str, place: Option<&'static str>) {
        let from = self.at.insert(who.to_owned(), place).flatten();
        if from == place {
            return;
        }
        for (place, what) in [(from, Sighting::Left), (place, Sighting::Entered)] {
            let Some(place) = place else { continue };
            let world = &mut self.phones.world;
            let region = EntityId::Region(world.region_of(place));
            let message = sight(&player(who), what, world.now);
            world.post(&region, &message).expect("a sighting is never refused");
        }
    }

    fn be_silly(&mut self, who: &str) {
        match self.phones.rng.below(8) {
            0 => self.phones.command(who, "team.leave", json!({})),
            1 => self.phones.command(who, "quest.leave", json!({ "quest": "small" })),
            2 | 3 => {
                let hint = json!({ "quest": "small", "step": "s1", "hint": 0 });
                self.phones.command(who, "quest.hint", hint);
            }
            4 => {
                let on = self.phones.rng.one_in(2);
                self.phones.command(who, "team.share", json!({ "on": on }));
            }
            5 => self.phones.command(who, "profile.set", json!({ "name": "Otso", "lang": "fi" })),
            6 => self.find_team(who),
            _ => self.go(who, None),
        }
    }
}
