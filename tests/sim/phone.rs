//! A phone: it plays by what it knows, writes down what it asked and was told, and comes back after every loss. A
//! command without an outcome is asked again under its id before any other.

use crate::rng::Rng;
use crate::world::{EPOCH_LIMIT, World};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use waystone::actors::contract::{CloseReason, Hello, Push, Sink, StreamPosition};
use waystone::actors::game::Session;
use waystone::geo::position::{Fix, Position};
use waystone::ids::PlayerId;
use waystone::quest::act::Act;
use waystone::quest::notice::Notice;
use waystone::quest::refusal::Refusal;
use waystone::units::Meters;
use waystone::verify::history::{self, Connected, Diary, Outcome};

/// How long a phone waits for an answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// Metres a step, at two seconds: a brisk walk.
const STRIDE: f64 = 4.0;
/// Degrees of longitude in a metre at the quest's places.
const DEGREE: f64 = 1.0 / 55_800.0;

/// The socket's side: what was pushed and not yet read.
#[derive(Debug, Default)]
struct Socket(Mutex<Inbox>);

#[derive(Debug, Default)]
struct Inbox {
    notices: VecDeque<(u64, Arc<Notice>)>,
    closed: bool,
    gone: bool,
}

impl Sink for Socket {
    fn push(&self, push: Push) {
        let mut inbox = self.0.lock().expect("no holder panics");
        if let (Push::Notice { offset, notice }, false) = (push, inbox.gone) {
            inbox.notices.push_back((offset, notice));
        }
    }
    fn close(&self, _: CloseReason) {
        self.0.lock().expect("no holder panics").closed = true;
    }
}

/// What the players of a team tell each other over the street.
#[derive(Debug, Default)]
pub struct Street {
    pub invite: Mutex<Option<String>>,
}

/// A phone and its player.
pub struct Phone {
    pub player: PlayerId,
    world: Arc<World>,
    street: Arc<Street>,
    founder: bool,
    rng: Rng,
    diary: Diary,
    seen: Option<StreamPosition>,
    state: Value,
    /// Metres east of the first place.
    east: f64,
    goal: f64,
    fixes: u64,
    commands: u32,
    pending: Option<(&'static str, Value)>,
}

/// A connection.
struct Line {
    session: Session,
    socket: Arc<Socket>,
    life: u64,
}

impl Phone {
    pub fn new(world: &Arc<World>, street: &Arc<Street>, name: &str, founder: bool, seed: u64) -> Self {
        let player = PlayerId::new(name).expect("an id");
        Self {
            diary: world.recorder.client(player.clone()),
            player,
            world: Arc::clone(world),
            street: Arc::clone(street),
            founder,
            rng: Rng::new(seed),
            seen: None,
            state: Value::Null,
            east: -50.0,
            goal: 0.0,
            fixes: 0,
            commands: 0,
            pending: None,
        }
    }

    /// Plays until the world is calm, then until nothing is left to ask.
    pub async fn play(mut self) -> Self {
        while !self.world.is_over() {
            let Some(mut line) = self.connect().await else {
                tokio::time::sleep(Duration::from_millis(200)).await;
                continue;
            };
            while !self.world.is_over() && self.is_up(&line) {
                self.turn(&mut line).await;
                let pause = 100 + self.rng.below(400) as u64;
                tokio::time::sleep(Duration::from_millis(pause)).await;
                if self.world.weather.strikes(30) {
                    break;
                }
            }
            self.hang_up(&line);
        }
        self
    }

    /// Comes back once all is calm: settles what is open, and writes down what it sees at the end.
    pub async fn settle(&mut self) -> Result<(), String> {
        for _ in 0..50 {
            let Some(mut line) = self.connect().await else {
                tokio::time::sleep(Duration::from_millis(200)).await;
                continue;
            };
            if self.pending.is_some() {
                self.ask_pending(&mut line).await;
            }
            if self.pending.is_none() {
                self.hang_up(&line);
                return Ok(());
            }
            self.hang_up(&line);
        }
        Err(format!("{} gets no outcome for {:?}", self.player, self.pending))
    }

    /// The last look: all that it is owed has come.
    pub async fn look(&mut self) -> Result<Value, String> {
        let mut line = self.connect().await.ok_or_else(|| format!("{} cannot connect at the end", self.player))?;
        self.read(&mut line);
        self.diary.settled();
        self.refresh(&line).await;
        self.hang_up(&line);
        Ok(self.state.clone())
    }

    async fn connect(&mut self) -> Option<Line> {
        let (game, life) = self.world.game()?;
        let socket = Arc::new(Socket::default());
        let hello = Hello { player: self.player.clone(), name: None, lang: None, resume: self.seen.clone() };
        let connect = game.connect(hello, Arc::clone(&socket) as Arc<dyn Sink>);
        let (session, welcome) = tokio::time::timeout(PATIENCE, connect).await.ok()?.ok()?;
        if self.world.life() != life {
            return None;
        }
        let position = |at: &StreamPosition| history::Position { epoch: at.epoch.clone(), offset: at.offset };
        let from = self.seen.as_ref().filter(|_| welcome.recovered).map_or(welcome.position.offset, |at| at.offset);
        self.diary.connected(Connected {
            epoch: welcome.position.epoch.clone(),
            resumed: self.seen.as_ref().map(position),
            recovered: welcome.recovered,
            offset: from,
        });
        self.seen = Some(StreamPosition { epoch: welcome.position.epoch, offset: from });
        for (offset, notice) in welcome.missed {
            self.hear(offset, &notice);
        }
        Some(Line { session, socket, life })
    }

    fn hang_up(&mut self, line: &Line) {
        line.socket.0.lock().expect("no holder panics").gone = true;
        self.diary.disconnected("");
    }

    /// A connection ends with its server, or when the server says so.
    fn is_up(&self, line: &Line) -> bool {
        self.world.life() == line.life && !line.socket.0.lock().expect("no holder panics").closed
    }

    fn hear(&mut self, offset: u64, notice: &Notice) {
        self.diary.told(offset, &serde_json::to_value(notice).expect("plain data"));
        if let Some(seen) = &mut self.seen {
            seen.offset = offset;
        }
    }

    fn read(&mut self, line: &mut Line) {
        if self.world.life() != line.life {
            return;
        }
        let notices = std::mem::take(&mut line.socket.0.lock().expect("no holder panics").notices);
        for (offset, notice) in notices {
            self.hear(offset, &notice);
        }
    }

    /// One thing after the other, as a person would.
    async fn turn(&mut self, line: &mut Line) {
        self.read(line);
        self.walk(line).await;
        if self.pending.is_none() {
            self.refresh(line).await;
            self.decide();
        }
        if self.pending.is_some() {
            self.ask_pending(line).await;
        }
        self.read(line);
    }

    async fn refresh(&mut self, line: &Line) {
        let request = self.diary.asked("state.get", &json!({}));
        match self.answer(line, line.session.state()).await {
            Some(Ok(state)) => {
                self.diary.state(request, &state);
                self.state = state;
            }
            _ => self.diary.answered(request, Outcome::Unknown),
        }
    }

    /// What the phone sees of an answer: nothing when it is late, or when the server has died meanwhile.
    async fn answer(
        &self,
        line: &Line,
        answer: impl Future<Output = Result<Value, Refusal>>,
    ) -> Option<Result<Value, Refusal>> {
        let answered = tokio::time::timeout(PATIENCE, answer).await.ok();
        answered.filter(|_| self.world.life() == line.life)
    }

    async fn walk(&mut self, line: &Line) {
        if self.rng.one_in(2) {
            return;
        }
        self.east += (self.goal - self.east).clamp(-STRIDE, STRIDE);
        self.fixes += 1;
        // Nobody stands like a statue.
        let sway = (self.fixes % 7) as f64 * 0.3;
        let at = Position::new(24.94 + (self.east + sway) * DEGREE, 60.17).expect("on the globe");
        let fix = Fix::new(at, self.world.clock.now()).with_accuracy(Meters::lossy(5.0)).expect("a number");
        // What cannot be sent now is lost, as with an app that keeps nothing.
        let sent = async { line.session.fixes(vec![fix.with_seq(self.fixes)]).await.map(|_| Value::Null) };
        drop(tokio::time::timeout(PATIENCE, sent).await);
    }

    fn command(&mut self, method: &'static str, mut data: Value) {
        self.commands += 1;
        data["cmd"] = json!(format!("{}-{}", self.player, self.commands));
        self.pending = Some((method, data));
    }

    fn decide(&mut self) {
        let team = self.state["team"].clone();
        if team.is_null() {
            return self.find_team();
        }
        if self.founder {
            *self.street.invite.lock().expect("no holder panics") = team["invite"].as_str().map(str::to_owned);
        }
        match self.rng.below(40) {
            0 => return self.command("team.say", json!({ "text": "Hello" })),
            1 => {
                let on = self.rng.one_in(2);
                return self.command("team.share", json!({ "on": on }));
            }
            2 if !self.founder => return self.command("team.leave", json!({})),
            _ => {}
        }
        let runs = self.state["runs"].as_array().cloned().unwrap_or_default();
        match runs.first() {
            Some(run) if run["over"] == false => self.do_a_step(run),
            _ if self.founder && self.world.may_start() => self.command("quest.start", json!({ "quest": "dash" })),
            _ => {}
        }
    }

    fn find_team(&mut self) {
        let invite = self.street.invite.lock().expect("no holder panics").clone();
        match invite {
            None if self.founder => self.command("team.create", json!({ "name": "Owls" })),
            Some(code) => self.command("team.join", json!({ "code": code })),
            None => {}
        }
    }

    fn do_a_step(&mut self, run: &Value) {
        let open = run["open"].as_array().cloned().unwrap_or_default();
        let done = |step: &&Value| run["reached"].as_array().is_some_and(|list| list.contains(&step["id"]));
        let open: Vec<&Value> = open.iter().filter(|step| !done(step)).collect();
        let Some(step) = open.get(self.rng.below(open.len())) else { return };
        let id = step["id"].as_str().unwrap_or_default();
        self.goal = if id == "rest" { 67.0 } else { 0.0 };
        let at = |more: Value| {
            let mut data = json!({ "quest": "dash", "step": id });
            data.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
            data
        };
        match id {
            "riddle" if self.rng.one_in(6) => self.command("quest.hint", at(json!({ "hint": 0 }))),
            "riddle" => {
                let text = if self.rng.one_in(3) { "five" } else { "4" };
                self.command("quest.answer", at(json!({ "text": text })));
            }
            "sign" => self.command("quest.scan", at(json!({ "code": "K-1" }))),
            _ => {}
        }
    }

    async fn ask_pending(&mut self, line: &mut Line) {
        let Some((method, data)) = self.pending.clone() else { return };
        let Ok(Some((cmd, act))) = Act::parse(method, &data.to_string()) else {
            panic!("{method} {data} is no command")
        };
        let request = self.diary.asked(method, &data);
        let outcome = match self.answer(line, line.session.act(cmd, act)).await {
            Some(Ok(answer)) => Outcome::Done(answer),
            Some(Err(refusal)) if !matches!(refusal.code, 100 | 111 | 1003 | 1004) => Outcome::Refused(refusal.code),
            _ => Outcome::Unknown,
        };
        if outcome != Outcome::Unknown {
            self.pending = None;
        }
        self.diary.answered(request, outcome);
        debug_assert!(self.world.life() < EPOCH_LIMIT);
    }
}
