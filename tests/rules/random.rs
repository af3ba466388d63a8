//! Whole games under faults: letters come late, twice and out of turn, aggregates crash; the game must not notice.

use crate::fixtures::DEMO;
use crate::plan::Plan;
use crate::rng::{Rng, for_each_seed};
use crate::world::{World, player, secs, sight, team};
use std::collections::BTreeMap;
use waystone::ids::EntityId;
use waystone::quest::aggregate::Message;
use waystone::quest::command::{Attempt, Command, PlayerCommand, Sighting, TeamCommand};
use waystone::quest::view;

#[test]
fn planned_games_under_faults_bring_the_same_awards() {
    for_each_seed(300, "planned_games", |seed| {
        let plan = Plan::new(seed);
        let calm = plan.play(None);
        let wild = plan.play(Some(seed));
        for (name, members) in &plan.teams {
            assert!(calm.is_finished(name) && wild.is_finished(name), "{name} has not finished");
            assert_eq!(calm.run(name).points, wild.run(name).points, "points of {name}");
            for who in members {
                assert_eq!(calm.player(who).points, wild.player(who).points, "points of {who}");
                assert_eq!(calm.player(who).badges, wild.player(who).badges, "badges of {who}");
                assert_eq!(wild.count_told(who, "code.given"), 1, "{who} hears of the ticket once");
            }
        }
        assert_eq!(calm.awards(), wild.awards());
        calm.check();
        wild.check();
    });
}

#[test]
fn free_agents_under_faults_always_finish() {
    for_each_seed(60, "free_agents", |seed| {
        let world = Agents::play(seed);
        world.check();
    });
}

const PLACES: [&str; 7] = ["kivi", "smiths", "runeberg", "amanda", "crypt", "senate", "esplanadi"];

/// Players who know only what their phones know, and now and then do something silly.
pub struct Agents {
    world: World,
    rng: Rng,
    /// Team and place of each.
    players: BTreeMap<String, (String, Option<&'static str>)>,
}

impl Agents {
    /// Lets them play until every team has finished.
    pub fn play(seed: u64) -> World {
        // Agents dawdle, so the time limit goes.
        let mut world = World::with(&[&DEMO.replace("time_limit: 3h, ", "").replace("stock: 40", "stock: 1")]);
        let mut rng = Rng::new(seed);
        let mut players = BTreeMap::new();
        for nth in 0..1 + rng.below(3) {
            let members: Vec<String> = (0..2 + rng.below(3)).map(|n| format!("t{nth}-p{n}")).collect();
            world.playing(&format!("t{nth}"), &members.iter().map(String::as_str).collect::<Vec<_>>());
            players.extend(members.into_iter().map(|who| (who, (format!("t{nth}"), None))));
        }
        world.disturb(seed);
        let mut agents = Self { world, rng, players };
        let names: Vec<String> = agents.players.keys().cloned().collect();
        for turn in 0..6_000 {
            let who = agents.rng.pick(&names).clone();
            if turn < 300 && agents.rng.one_in(8) {
                agents.be_silly(&who);
            } else {
                agents.play_on(&who);
            }
            let (letters, pause) = (agents.rng.below(8), agents.rng.below(12) as u64);
            agents.world.carry_some(letters);
            agents.world.idle(secs(pause));
            if agents.players.values().all(|(name, _)| agents.world.is_finished(name)) {
                agents.world.carry();
                return agents.world;
            }
        }
        let open = |name: &String| agents.world.run(name).open.keys().cloned().collect::<Vec<_>>();
        let states: Vec<_> = agents.players.iter().map(|(who, (name, at))| (who, at, open(name))).collect();
        panic!("teams wander for ever: {states:?}");
    }

    fn post(&mut self, to: &EntityId, message: &Message) {
        // Agents act on old news, so refusals are part of the game.
        let before = self.world.live.get(to).map(|aggregate| aggregate.seq);
        if self.world.post(to, message).is_err() && before.is_some() {
            assert_eq!(self.world.live.get(to).map(|aggregate| aggregate.seq), before, "a refusal has changed {to}");
        }
    }

    fn go(&mut self, who: &str, place: Option<&'static str>) {
        let Some((_, at)) = self.players.get_mut(who) else { return };
        let from = std::mem::replace(at, place);
        if from == place {
            return;
        }
        let (now, me) = (self.world.now, player(who));
        for (place, what) in [(from, Sighting::Left), (place, Sighting::Entered)] {
            if let Some(place) = place {
                let region = EntityId::Region(self.world.region_of(place));
                self.post(&region, &sight(&me, what, now));
            }
        }
    }

    fn try_at(&mut self, who: &str, step: &str, with: Attempt) {
        let at = self.world.at(step);
        let message = Message::bare(Command::Player(PlayerCommand::Try { at, with }));
        self.post(&EntityId::Player(player(who)), &message);
    }

    /// Goes by what the phone shows: picks an open step and does what it asks for.
    fn play_on(&mut self, who: &str) {
        let state = view::state(&self.world.player(who), &player(who), &self.world.catalog);
        let (name, at) = self.players[who].clone();
        if self.world.player(who).team.is_none() {
            let (player_name, secret) = (who.to_owned(), "sesame".to_owned());
            let join = TeamCommand::Join { player: player(who), player_name, secret };
            return self.post(&EntityId::Team(team(&name)), &Message::bare(Command::Team(join)));
        }
        let open: Vec<(String, String)> = state["runs"][0]["open"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|step| Some((step["id"].as_str()?.to_owned(), step["place"]["id"].as_str()?.to_owned())))
            .collect();
        if open.is_empty() {
            return;
        }
        let (step, place) = self.rng.pick(&open).clone();
        let staying =
            open.iter().any(|(_, place)| Some(place.as_str()) == at && matches!(at, Some("kivi" | "senate")));
        if at != Some(place.as_str()) {
            if !(staying && open.len() < 3) {
                let place = PLACES.into_iter().find(|known| *known == place);
                self.go(who, place);
            }
            return;
        }
        match step.as_str() {
            "smiths" => {
                let text = *self.rng.pick(&["2", "nine", " TWO "]);
                self.try_at(who, "smiths", Attempt::Answer(text.to_owned()));
            }
            "poet" => self.try_at(who, "poet", Attempt::Scan("code-poet".to_owned())),
            "side" => self.try_at(who, "side", Attempt::Choose("light".to_owned())),
            "amanda" => {
                self.try_at(who, "amanda", Attempt::Photo("photo".to_owned()));
                let approve = self.rng.one_in(2);
                let review = PlayerCommand::Review { at: self.world.at("amanda"), approve, reason: None };
                self.post(&EntityId::Player(player(who)), &Message::bare(Command::Player(review)));
            }
            "promenade" => {
                let quarters = 1 << self.rng.below(4);
                let region = EntityId::Region(self.world.region_of("esplanadi"));
                let walked = sight(&player(who), Sighting::Walked { quarters }, self.world.now);
                self.post(&region, &walked);
            }
            _ => {}
        }
    }

    /// Wanders off, leaves the team, buys hints, says things twice.
    fn be_silly(&mut self, who: &str) {
        let fox = EntityId::Team(team(&self.players[who].0));
        let team_command = match self.rng.below(4) {
            0 => {
                let place = *self.rng.pick(&PLACES);
                return self.go(who, Some(place));
            }
            1 => TeamCommand::Leave { player: player(who) },
            2 => TeamCommand::Hint { player: player(who), at: self.world.at("smiths"), hint: 0 },
            _ => TeamCommand::Say { player: player(who), text: "where are you?".to_owned() },
        };
        self.post(&fox, &Message::bare(Command::Team(team_command)));
    }
}
