//! What a simulated player does next: finds a team, goes to an open step along the streets, does what the step asks.
//! It knows only what its phone knows, and the answers, having been here before.

use crate::demo::ground::Ground;
use crate::demo::phone::{Phone, RunView};
use crate::ids::{PlayerId, StepId};
use crate::quest::definition::Verb;
use crate::quest::notice::StepView;
use crate::units::MetersPerSecond;
use crate::walk::LonLat;
use crate::walk::streets::Streets;
use crate::walk::walker::{NoiseModel, Walker};
use rand::Rng;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// A fix a second, as a phone in a game sends.
const TICK: Duration = Duration::from_secs(1);
/// Ticks between two tries at a step: a person looks up, thinks, types.
const TRY_EVERY: u32 = 4;
/// A strolling and a hurrying walker, metres per second.
const SPEEDS: std::ops::Range<f64> = 1.1..1.9;
/// Faster than this a fix counts for nothing in the demo's quest; a margin below its 8 m/s.
const SPEED_MAX: f64 = 6.0;
/// How far from the first place a player switches the phone on, metres.
const START_WITHIN: f64 = 400.0;
/// How near a companion keeps, metres.
const COMPANION_NEAR: f64 = 12.0;

/// What someone is out for.
#[derive(Debug, Clone)]
pub enum Errand {
    /// To play with a team that the founder makes.
    Play {
        /// The team's name.
        team: String,
        /// Whether this one makes it.
        founder: bool,
        /// How many they are.
        size: u32,
        /// The founder calls the code across the street.
        invite: Arc<watch::Sender<Option<String>>>,
    },
    /// To join a person's team and go where that person goes.
    Accompany {
        /// The code.
        invite: String,
    },
}

/// A simulated player.
#[derive(Debug)]
pub struct Brain {
    ground: Arc<Ground>,
    streets: Arc<Streets>,
    player: PlayerId,
    errand: Errand,
    rng: StdRng,
    walker: Walker,
    /// Which of several open steps this one prefers.
    taste: usize,
    target: Option<StepId>,
    ticks: u32,
    commands: u32,
    listening: bool,
}

impl Brain {
    /// Somewhere near the first place.
    pub fn new(
        ground: Arc<Ground>,
        streets: Arc<Streets>,
        player: PlayerId,
        errand: Errand,
        mut rng: StdRng,
    ) -> Self {
        let first = ground.quest.roots.first().and_then(|step| ground.quest.steps.get(step));
        let place = first.and_then(|step| ground.quest.places.get(step.verb.place()?));
        let center = place.and_then(|place| center(&place.outline));
        let mut start = streets.position(streets.node(rng.random::<u32>() as usize));
        // A few dozen draws find a street near the place; if none does, the walk is longer.
        for _ in 0..200 {
            if center.is_none_or(|center| center.meters_to(start) <= START_WITHIN) {
                break;
            }
            start = streets.position(streets.node(rng.random::<u32>() as usize));
        }
        let speed = (rng.random_range(SPEEDS) * ground.pace).min(SPEED_MAX);
        let noise = rand::SeedableRng::seed_from_u64(rng.random());
        let walker = Walker::new(start, MetersPerSecond::lossy(speed), NoiseModel::phone(), noise);
        let taste = rng.random::<u32>() as usize;
        Self {
            ground,
            streets,
            player,
            errand,
            rng,
            walker,
            taste,
            target: None,
            ticks: 0,
            commands: 0,
            listening: false,
        }
    }

    /// Lives until the quest is over; a companion until it is told to stop.
    pub async fn live(mut self, mut phone: Phone) {
        let mut every = tokio::time::interval(TICK);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            every.tick().await;
            self.ticks += 1;
            if phone.catch_up().await && self.decide(&mut phone).await {
                return;
            }
            self.walker.advance(TICK);
            phone.report(self.walker.observe(self.ground.clock.now())).await;
        }
    }

    /// The next thing to do; true when all is done.
    async fn decide(&mut self, phone: &mut Phone) -> bool {
        match self.errand.clone() {
            Errand::Accompany { invite } => {
                self.accompany(phone, invite).await;
                false
            }
            Errand::Play { team, founder, size, invite } => {
                let Some(mine) = phone.view.team.clone() else {
                    self.find_team(phone, team, founder, &invite).await;
                    return false;
                };
                if founder {
                    invite.send_replace(Some(mine.invite));
                }
                let quest = self.ground.quest.quest.id.to_string();
                let Some(run) = phone.view.runs.iter().find(|run| run.quest == quest).cloned() else {
                    if founder && mine.members.len() >= size as usize {
                        self.command(phone, "quest.start", json!({ "quest": quest })).await;
                    }
                    return false;
                };
                if run.over {
                    return true;
                }
                self.play(phone, &run).await;
                false
            }
        }
    }

    async fn find_team(
        &mut self,
        phone: &mut Phone,
        team: String,
        founder: bool,
        invite: &watch::Sender<Option<String>>,
    ) {
        let code = invite.borrow().clone();
        match code {
            _ if founder => self.command(phone, "team.create", json!({ "name": team })).await,
            Some(code) => self.command(phone, "team.join", json!({ "code": code })).await,
            None => None,
        };
    }

    /// Joins, listens where the person is, and goes there.
    async fn accompany(&mut self, phone: &mut Phone, invite: String) {
        let Some(team) = phone.view.team.clone() else {
            self.command(phone, "team.join", json!({ "code": invite })).await;
            return;
        };
        if !self.listening {
            self.listening = true;
            phone.listen(&format!("team:{}", team.id)).await;
            self.walker.set_speed(MetersPerSecond::lossy(SPEED_MAX));
        }
        if let Some(mate) = phone.mate
            && mate.meters_to(self.walker.position()) > COMPANION_NEAR
            && (self.walker.is_there() || self.ticks.is_multiple_of(TRY_EVERY))
        {
            self.walker.walk_to(self.streets.route_to_point(self.walker.position(), mate));
        }
    }

    /// Goes to an open step, or does what it asks.
    async fn play(&mut self, phone: &mut Phone, run: &RunView) {
        let waits = |step: &&StepView| {
            let id = step.id.to_string();
            step.place.is_some() && !run.reached.contains(&id) && !run.in_review.contains(&id)
        };
        let open: Vec<&StepView> = run.open.iter().filter(waits).collect();
        let current = self.target.as_ref().and_then(|target| open.iter().find(|step| step.id == *target));
        let Some(step) = current.or_else(|| open.get(self.taste % open.len().max(1))) else { return };
        if self.target.as_ref() != Some(&step.id) {
            self.target = Some(step.id.clone());
            self.set_out(step);
        } else if self.walker.is_there() && self.ticks.is_multiple_of(TRY_EVERY) {
            self.attempt(phone, run, step).await;
        }
    }

    /// Takes the way to a step's place, and along it if that is the step.
    fn set_out(&mut self, step: &StepView) {
        let Some(outline) = step.place.as_ref().map(|place| &place.outline) else { return };
        let here = self.walker.position();
        if outline["type"] == "LineString" {
            let mut line = points(&outline["coordinates"]);
            if let (Some(first), Some(last)) = (line.first(), line.last())
                && last.meters_to(here) < first.meters_to(here)
            {
                line.reverse();
            }
            let Some(first) = line.first().copied() else { return };
            let mut path = self.streets.route_to_point(here, first);
            path.extend(line);
            self.walker.walk_to(path);
        } else if let Some(center) = center(outline) {
            // People do not all stand on the plinth; three metres' worth of degrees either way.
            let aside = |rng: &mut StdRng| rng.random_range(-2.7e-5..2.7e-5);
            let spot = LonLat::new(center.lon + 2.0 * aside(&mut self.rng), center.lat + aside(&mut self.rng));
            self.walker.walk_to(self.streets.route_to_point(here, spot));
        }
    }

    async fn attempt(&mut self, phone: &mut Phone, run: &RunView, step: &StepView) {
        let at = |more: Value| {
            let mut data = json!({ "quest": run.quest, "step": step.id });
            if let (Some(data), Value::Object(more)) = (data.as_object_mut(), more) {
                data.extend(more);
            }
            data
        };
        let known = self.ground.quest.steps.get(&step.id).map(|step| step.verb.clone());
        match known {
            Some(Verb::Answer { accept, .. }) => {
                let right = accept.first().cloned().unwrap_or_default();
                let text = if self.rng.random_bool(0.3) { "seven".to_owned() } else { right };
                self.command(phone, "quest.answer", at(json!({ "text": text }))).await;
            }
            Some(Verb::Scan { code, .. }) => {
                self.command(phone, "quest.scan", at(json!({ "code": code }))).await;
            }
            Some(Verb::Photo { .. }) => {
                let photo = format!("demo:walker/{}/{}.jpg", self.player, step.id);
                self.command(phone, "quest.photo", at(json!({ "photo": photo }))).await;
            }
            Some(Verb::Choose { options, .. }) => {
                let option = options.get(self.taste % options.len().max(1)).map(|option| option.id.clone());
                self.command(phone, "quest.choose", at(json!({ "option": option }))).await;
            }
            // A corridor walked with gaps in the GPS is walked again, back.
            Some(Verb::Follow { .. }) => self.set_out(step),
            // Being there is enough; noise may have carried the fixes out, so shift a little now and then.
            Some(Verb::Visit { .. }) if self.ticks.is_multiple_of(8 * TRY_EVERY) => self.set_out(step),
            // Walkers of a team wander about the same places, so they meet by themselves.
            Some(
                Verb::Visit { .. } | Verb::Meet { .. } | Verb::Sequence(_) | Verb::AnyOf { .. } | Verb::AllOf(_),
            )
            | None => {}
        }
    }

    async fn command(&mut self, phone: &mut Phone, method: &str, data: Value) -> Option<Value> {
        self.commands += 1;
        // The process may start again with the same seed: the time keeps ids apart from those of the last run.
        let cmd = format!("{}-{}", self.ground.clock.now().as_millis(), self.commands);
        match phone.act(method, &cmd, data).await {
            Ok(reply) => Some(reply),
            Err(err) => {
                tracing::debug!(player = %self.player, method, %err, "a command was refused");
                None
            }
        }
    }
}

fn points(coordinates: &Value) -> Vec<LonLat> {
    let pair = |point: &Value| Some(LonLat::new(point[0].as_f64()?, point[1].as_f64()?));
    coordinates.as_array().map(Vec::as_slice).unwrap_or_default().iter().filter_map(pair).collect()
}

/// The middle of an outline: a point's own, else the mean of the outer ring's or the line's vertices.
fn center(outline: &Value) -> Option<LonLat> {
    let coordinates = &outline["coordinates"];
    let vertices = match outline["type"].as_str()? {
        "Point" => return Some(LonLat::new(coordinates[0].as_f64()?, coordinates[1].as_f64()?)),
        "Polygon" => points(&coordinates[0]),
        "MultiPolygon" => points(&coordinates[0][0]),
        _ => points(coordinates),
    };
    let count = vertices.len() as f64;
    let sum = vertices.iter().fold((0.0, 0.0), |sum, point| (sum.0 + point.lon, sum.1 + point.lat));
    (count > 0.0).then(|| LonLat::new(sum.0 / count, sum.1 / count))
}
