//! A player in the test's own process: it survives the server, comes back, and plays until its quest is settled.
//!
//! It knows what its phone knows (`state.get` and notices) and, having been here before, the answers.

use crate::ground::Ground;
use crate::record::{Acknowledged, Record};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};
use waystone::net::client::{ClientError, Link, LinkEvent, Repeat};
use waystone::walk::LonLat;

/// A fix now and then: seven a second, below the twenty that the server takes.
const TICK: Duration = Duration::from_millis(150);
/// Metres a tick: a fast runner, which makes a lap of the sprint some ten seconds long.
const STRIDE: f64 = 6.0;
/// Ticks between two tries at a step.
const TRY_EVERY: u32 = 3;
/// How long a call may take before it is sent again under the same id.
const CALL: Duration = Duration::from_secs(3);
/// Longest life of a witness: longer, and its chain has stopped somewhere.
const LIFE: Duration = Duration::from_secs(300);
/// Refusals that say "later", not "no": too many requests, unavailable, busy.
const LATER: [u32; 3] = [111, 1003, 1004];
/// Metres in a degree of latitude, and of longitude at the sprint.
const METERS: (f64, f64) = (111_320.0, 55_370.0);

/// What a witness is out for.
#[derive(Debug, Clone)]
pub(crate) struct Errand {
    /// The team's name.
    pub team: String,
    /// Whether this one founds it.
    pub founder: bool,
    /// Which of several open steps it prefers.
    pub taste: usize,
    /// The founder calls the code across the street.
    pub invite: Arc<watch::Sender<Option<String>>>,
}

/// Plays one quest from switching the phone on to the last reward. An error says where it stopped.
pub(crate) async fn play(ground: Arc<Ground>, record: Arc<Record>, errand: Errand) -> Result<(), String> {
    let (minter, player) = (Arc::clone(&ground), record.player.clone());
    let (link, events) = Link::start(&ground.url(), Arc::new(move || minter.token(&player)), None);
    let mut person = Person::new(Arc::clone(&ground), Arc::clone(&record), link.clone(), errand);
    let lived = tokio::select! {
        lived = person.live() => lived,
        fault = listen(events, &record, &ground) => Err(fault),
    };
    record.rest(link.resume().map_or_else(String::new, |resume| resume.epoch));
    lived
}

/// Writes down what comes, as it comes; returns only when the server told us to stay away.
pub(crate) async fn listen(mut events: mpsc::Receiver<LinkEvent>, record: &Record, ground: &Ground) -> String {
    while let Some(event) = events.recv().await {
        match event {
            LinkEvent::Up { continued, from, at: Some(at) } => record.connected(continued, from, at),
            LinkEvent::Up { at: None, .. } => return format!("{} was given no stream", record.player),
            LinkEvent::Notice { offset, data } => {
                record.tell(offset, data);
                ground.told.send_modify(|count| *count += 1);
            }
            LinkEvent::Ended { reason } => return format!("{} was told to stay away: {reason}", record.player),
            LinkEvent::Down { reason, .. } => record.disconnected(reason),
            LinkEvent::Publication { .. } => {}
        }
    }
    format!("{}'s link ended by itself", record.player)
}

struct Person {
    ground: Arc<Ground>,
    record: Arc<Record>,
    link: Link,
    errand: Errand,
    /// `state.get` as of a version of the record.
    state: Value,
    version: usize,
    here: LonLat,
    path: Vec<LonLat>,
    target: String,
    ticks: u32,
    seq: u64,
    commands: u32,
    tries: u32,
    founded: bool,
    hinted: bool,
}

impl Person {
    fn new(ground: Arc<Ground>, record: Arc<Record>, link: Link, errand: Errand) -> Self {
        // A little south of the start, so that everyone has to come in.
        let here = LonLat::new(24.94392, 60.17128);
        Self {
            ground,
            record,
            link,
            errand,
            state: Value::Null,
            version: usize::MAX,
            here,
            path: Vec::new(),
            target: String::new(),
            ticks: 0,
            seq: 0,
            commands: 0,
            tries: 0,
            founded: false,
            hinted: false,
        }
    }

    async fn live(&mut self) -> Result<(), String> {
        let begun = Instant::now();
        let mut every = interval(TICK);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !self.record.is_settled() {
            every.tick().await;
            if begun.elapsed() > LIFE {
                let told: Vec<Value> = self.record.told().into_iter().rev().take(3).map(|(_, data)| data).collect();
                return Err(format!(
                    "{} was to finish within {LIFE:?}; it stands at {:?} for {:?}, knows {}, heard last {told:?}, and its \
                     last fix was answered {:?}",
                    self.record.player,
                    self.here,
                    self.target,
                    self.state,
                    self.record.last_fix()
                ));
            }
            self.ticks += 1;
            if self.catch_up().await {
                self.decide().await;
            }
            self.walk().await;
        }
        Ok(())
    }

    /// Asks for the state when anything has come since it was asked last.
    async fn catch_up(&mut self) -> bool {
        let version = self.record.version();
        if version == self.version {
            return true;
        }
        let request = self.record.diary.asked("state.get", &json!({}));
        let state = self.link.rpc("state.get", json!({}), Repeat::Safe, CALL).await;
        self.record.looked(request, &state);
        let Ok(state) = state else { return false };
        (self.state, self.version) = (state, version);
        true
    }

    async fn decide(&mut self) {
        let Some(mine) = self.state["team"].as_object().cloned() else { return self.find_team().await };
        if self.errand.founder {
            self.errand.invite.send_replace(mine["invite"].as_str().map(str::to_owned));
        }
        let run = self.state["runs"].as_array().and_then(|runs| runs.first()).cloned();
        match run {
            Some(run) if run["over"] == false => self.do_a_step(&run).await,
            Some(_) => {}
            None if self.errand.founder && mine["members"].as_array().is_some_and(|members| members.len() > 1) => {
                self.command("quest.start", json!({ "quest": "sprint" })).await;
            }
            None => {}
        }
    }

    async fn find_team(&mut self) {
        // Answered is as good as done: the news is on its way.
        if self.founded {
            return;
        }
        let invite = self.errand.invite.borrow().clone();
        let joined = match invite {
            _ if self.errand.founder => self.command("team.create", json!({ "name": self.errand.team })).await,
            Some(code) => self.command("team.join", json!({ "code": code })).await,
            None => None,
        };
        self.founded = joined.is_some();
    }

    async fn do_a_step(&mut self, run: &Value) {
        let known = |list: &Value, id: &Value| list.as_array().is_some_and(|list| list.contains(id));
        let open = run["open"].as_array().map(Vec::as_slice).unwrap_or_default();
        let waits = |step: &&Value| {
            step["place"].is_object()
                && !known(&run["reached"], &step["id"])
                && !known(&run["in_review"], &step["id"])
        };
        let open: Vec<&Value> = open.iter().filter(waits).collect();
        let current = open.iter().find(|step| step["id"] == self.target.as_str());
        let Some(step) = current.or_else(|| open.get(self.errand.taste % open.len().max(1))).copied() else { return };
        if step["id"] != self.target.as_str() {
            self.target = step["id"].as_str().unwrap_or_default().to_owned();
            self.tries = 0;
            self.set_out(step);
        } else if self.path.is_empty() && self.ticks.is_multiple_of(TRY_EVERY) {
            self.attempt(step).await;
        }
    }

    /// Takes the way to a step's place, and along it if that is the step.
    fn set_out(&mut self, step: &Value) {
        let outline = &step["place"]["outline"];
        let points = |list: &Value| -> Vec<LonLat> {
            let point = |at: &Value| Some(LonLat::new(at[0].as_f64()?, at[1].as_f64()?));
            list.as_array().map(|list| list.iter().filter_map(point).collect()).unwrap_or_default()
        };
        let coordinates = &outline["coordinates"];
        self.path = match outline["type"].as_str() {
            Some("Point") => points(&json!([coordinates])),
            Some("LineString") => {
                let mut line = points(coordinates);
                if line.first().map(|end| end.meters_to(self.here)) > line.last().map(|end| end.meters_to(self.here))
                {
                    line.reverse();
                }
                line
            }
            _ => {
                let ring = points(&coordinates[0]);
                let count = ring.len().max(1) as f64;
                let sum = ring.iter().fold((0.0, 0.0), |sum, at| (sum.0 + at.lon, sum.1 + at.lat));
                vec![LonLat::new(sum.0 / count, sum.1 / count)]
            }
        };
    }

    async fn attempt(&mut self, step: &Value) {
        self.tries += 1;
        let first = self.tries == 1;
        let (quest, id) = ("sprint", step["id"].clone());
        match step["verb"].as_str() {
            Some("answer") if self.errand.founder && !self.hinted => {
                self.hinted = true;
                self.command("quest.hint", json!({ "quest": quest, "step": id, "hint": 0 })).await;
                self.command("team.say", json!({ "text": "I have asked for a hint" })).await;
            }
            Some("answer") => {
                let text = if first { "seven" } else { "four" };
                self.command("quest.answer", json!({ "quest": quest, "step": id, "text": text })).await;
            }
            Some("scan") => {
                self.command("quest.scan", json!({ "quest": quest, "step": id, "code": "S-1872" })).await;
            }
            Some("choose") => {
                let option = if self.errand.taste.is_multiple_of(2) { "night" } else { "day" };
                self.command("quest.choose", json!({ "quest": quest, "step": id, "option": option })).await;
            }
            Some("photo") => {
                let told = self.record.told();
                let blurred = told.iter().all(|(_, data)| data["type"] != "photo.rejected");
                let photo = format!("crash:{}/{}", self.record.player, if blurred { "blurred" } else { "sharp" });
                self.command("quest.photo", json!({ "quest": quest, "step": id, "photo": photo })).await;
            }
            // A corridor walked with gaps is walked again, back.
            Some("follow") => self.set_out(step),
            _ => {}
        }
    }

    /// Sends a command, again and again under the same id, until it is answered; `None`: it was refused.
    async fn command(&mut self, method: &str, mut data: Value) -> Option<Value> {
        self.commands += 1;
        data["cmd"] = json!(format!("{}-{}", self.record.player, self.commands));
        let begun = Instant::now();
        let mut again = interval(TICK);
        while begun.elapsed() < LIFE {
            again.tick().await;
            self.ground.sending.send_modify(|count| *count += 1);
            let request = self.record.diary.asked(method, &data);
            let outcome = self.link.rpc(method, data.clone(), Repeat::Never, CALL).await;
            self.record.answered(request, &outcome);
            match outcome {
                Ok(reply) => {
                    self.record.acknowledge(Acknowledged { method: method.to_owned(), data });
                    return Some(reply);
                }
                Err(ClientError::Rpc { code, message, .. }) if !LATER.contains(&code) => {
                    if matches!(code, 100 | 1005 | 1302) {
                        self.record.fault(format!("{method} {data} was answered with {code}: {message}"));
                    }
                    return None;
                }
                Err(_) => {}
            }
        }
        self.record.fault(format!("{method} {data} was to be answered within {LIFE:?}"));
        None
    }

    /// A stride, and a fix.
    async fn walk(&mut self) {
        if let Some(next) = self.path.first().copied() {
            let way = self.here.meters_to(next);
            if way <= STRIDE {
                self.here = next;
                self.path.remove(0);
            } else {
                let part = STRIDE / way;
                let (lon, lat) = (next.lon - self.here.lon, next.lat - self.here.lat);
                self.here = LonLat::new(self.here.lon + part * lon, self.here.lat + part * lat);
            }
        }
        self.seq += 1;
        // Nobody stands like a statue: a metre this way and that, which no two fixes share.
        let sway = |n: u64| (n % 5) as f64 / 5.0 - 0.4;
        let (lon, lat) = (sway(self.seq) / METERS.1, sway(self.seq / 3) / METERS.0);
        let fix = json!({
            "lon": self.here.lon + lon, "lat": self.here.lat + lat, "acc": 4,
            "t": self.ground.clock.now().as_millis(), "seq": self.seq,
        });
        // What cannot be sent now is lost, as with a phone app that keeps none.
        let outcome = self.link.rpc("fixes", json!({ "fixes": [fix] }), Repeat::Never, CALL).await;
        self.record.fixed(&outcome);
    }
}
