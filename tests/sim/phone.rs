//! A player's phone: connects where a node is to be found, asks, retries under the same command id what has no
//! outcome, resumes from the last offset that it heard; and writes all of it down.

use crate::chance::Chance;
use crate::game::Scene;
use crate::host::Host;
use serde_json::{Value, json};
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use waystone::actors::access::Credential;
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
const PATIENCE: Duration = Duration::from_secs(8);
/// Tries of one command before the game counts as stuck: some minutes.
const TRIES: u32 = 80;

/// The phone.
pub struct Phone {
    pub player: PlayerId,
    pub chance: Chance,
    diary: Arc<Diary>,
    scene: Rc<Scene>,
    line: Option<Line>,
    /// A session that the phone has left and the server still takes for live.
    ghost: Option<Session>,
    /// The stream's epoch and the last offset known.
    known: Option<StreamPosition>,
    commands: u32,
    fixes: u64,
    /// What must not have happened.
    pub faults: Vec<String>,
}

struct Line {
    host: Rc<Host>,
    session: Session,
    ear: Arc<Ear>,
}

/// The phone's end of the socket.
#[derive(Debug)]
struct Ear {
    diary: Arc<Diary>,
    dead: CancellationToken,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    /// Notices that came before the welcome.
    early: Vec<(u64, Value)>,
    welcomed: bool,
    closed: bool,
    last: u64,
}

impl Ear {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().expect("nobody panics with it")
    }

    fn hear(&self, held: &mut Held, offset: u64, notice: &Value) {
        self.diary.told(offset, notice);
        held.last = offset;
    }

    fn welcome(&self, from: u64, missed: &[(u64, Arc<Notice>)]) {
        let mut held = self.held();
        (held.welcomed, held.last) = (true, from);
        let missed = missed.iter().map(|(offset, notice)| (*offset, plain(notice)));
        let all: Vec<_> = missed.chain(std::mem::take(&mut held.early)).collect();
        for (offset, notice) in all {
            self.hear(&mut held, offset, &notice);
        }
    }

    fn hang_up(&self) -> u64 {
        let mut held = self.held();
        held.closed = true;
        held.last
    }
}

/// Whether a refusal comes from the rules; the others leave open what has become of the call.
fn is_an_answer(refusal: &Refusal) -> bool {
    !refusal.temporary || refusal.code > 1_100
}

fn plain(notice: &Notice) -> Value {
    serde_json::to_value(notice).expect("plain data")
}

impl Sink for Ear {
    fn push(&self, push: Push) {
        let mut held = self.held();
        let Push::Notice { offset, notice } = push else { return };
        if held.closed || self.dead.is_cancelled() {
            return;
        }
        let notice = plain(&notice);
        if held.welcomed { self.hear(&mut held, offset, &notice) } else { held.early.push((offset, notice)) }
    }

    fn close(&self, _: CloseReason) {
        self.held().closed = true;
    }
}

impl Phone {
    pub fn new(player: &PlayerId, scene: &Rc<Scene>) -> Self {
        let diary = Arc::new(scene.recorder.client(player.clone()));
        let chance = Chance::of(scene.seed, player.as_str());
        let (player, scene) = (player.clone(), Rc::clone(scene));
        let (line, ghost, known, faults) = (None, None, None, Vec::new());
        Self { player, chance, diary, scene, line, ghost, known, commands: 0, fixes: 0, faults }
    }

    /// Hangs up; what it hears from here on is not for it any more.
    pub fn disconnect(&mut self, reason: &str) {
        if let Some(line) = self.line.take() {
            let last = line.ear.hang_up();
            if let Some(known) = &mut self.known {
                known.offset = last;
            }
            self.diary.disconnected(reason);
            // Half of the time the server learns of it only by the next session.
            self.ghost = Some(line.session).filter(|_| self.chance.percent(50));
        }
    }

    /// Connects, unless it is: each try at the node that serves now.
    pub async fn connect(&mut self) -> bool {
        for _ in 0..TRIES {
            if let Some(line) = &self.line {
                if !line.host.dead.is_cancelled() && !line.ear.held().closed {
                    return true;
                }
                self.disconnect("the connection is gone");
            }
            let host = self.scene.host();
            if !self.try_to_connect(&host).await {
                let pause = Duration::from_millis(50) + self.chance.millis(500);
                tokio::time::sleep(pause).await;
            }
        }
        self.faults.push(format!("{} cannot connect", self.player));
        false
    }

    async fn try_to_connect(&mut self, host: &Rc<Host>) -> bool {
        let held = Mutex::default();
        let ear = Arc::new(Ear { diary: Arc::clone(&self.diary), dead: host.dead.clone(), held });
        let hello = Hello {
            player: self.player.clone(),
            name: None,
            lang: None,
            resume: self.known.clone(),
            credential: Credential::default(),
        };
        let connecting = host.game.connect(hello, Arc::clone(&ear) as Arc<dyn Sink>);
        let connected = tokio::select! {
            biased;
            () = host.dead.cancelled() => return false,
            connected = tokio::time::timeout(PATIENCE, connecting) => connected,
        };
        let Ok(Ok((session, welcome))) = connected else { return false };
        let resumed = self.known.take();
        if resumed.is_some() && !welcome.recovered {
            self.faults.push(format!("{} was to go on after {resumed:?}, and cannot", self.player));
        }
        let StreamPosition { epoch, offset } = welcome.position;
        let from = resumed.as_ref().filter(|_| welcome.recovered).map_or(offset, |resumed| resumed.offset);
        self.known = Some(StreamPosition { epoch: epoch.clone(), offset: from });
        let resumed = resumed.map(|at| history::Position { epoch: at.epoch, offset: at.offset });
        self.diary.connected(Connected { epoch, resumed, recovered: welcome.recovered, offset: from });
        ear.welcome(from, &welcome.missed);
        self.line = Some(Line { host: Rc::clone(host), session, ear });
        true
    }

    /// A new command, tried until it has an outcome; `None` when it was refused.
    pub async fn command(&mut self, method: &str, mut data: Value) -> Option<Value> {
        self.commands += 1;
        data["cmd"] = json!(format!("c{}", self.commands));
        let text = data.to_string();
        for _ in 0..TRIES {
            if !self.connect().await {
                return None;
            }
            let Ok(Some((cmd, act))) = Act::parse(method, &text) else { panic!("{method} {text} is no command") };
            let request = self.diary.asked(method, &data);
            let answer = self.on_line(async |session| session.act(cmd, act).await).await;
            match answer {
                Some(Ok(reply)) => {
                    self.diary.answered(request, Outcome::Done(reply.clone()));
                    return Some(reply);
                }
                Some(Err(refusal)) if is_an_answer(&refusal) => {
                    self.diary.answered(request, Outcome::Refused(refusal.code));
                    return None;
                }
                _ => self.diary.answered(request, Outcome::Unknown),
            }
            self.breathe().await;
        }
        self.faults.push(format!("{} gets no answer to {method} {text}", self.player));
        None
    }

    /// After a call without an outcome.
    async fn breathe(&mut self) {
        if self.chance.percent(40) {
            self.disconnect("no answer");
        }
        let pause = Duration::from_millis(100) + self.chance.millis(900);
        tokio::time::sleep(pause).await;
    }

    /// One call; `None` when there is no answer: the node has died, or the phone has lost its patience or its net.
    async fn on_line<T>(
        &mut self,
        call: impl AsyncFnOnce(&Session) -> Result<T, Refusal>,
    ) -> Option<Result<T, Refusal>> {
        let tunnel = !self.scene.is_calm() && self.chance.percent(8);
        let patience = if tunnel { self.chance.millis(40) } else { PATIENCE };
        let line = self.line.as_ref()?;
        let answer = tokio::select! {
            biased;
            () = line.host.dead.cancelled() => None,
            answer = tokio::time::timeout(patience, call(&line.session)) => answer.ok(),
        };
        if answer.is_none() && tunnel {
            self.disconnect("the tunnel");
        }
        answer
    }

    /// Stands at a place until the server has taken it in.
    pub async fn stand_at(&mut self, [lon, lat]: [f64; 2]) {
        for _ in 0..TRIES {
            if !self.connect().await {
                return;
            }
            let now = self.scene.clock.now();
            let fix = |n: u64| {
                let position = Position::new(lon, lat).expect("on the earth");
                let time = now - Duration::from_secs(1 - n);
                let fix = Fix::new(position, time).with_accuracy(Meters::new(5.0).expect("some")).expect("good");
                fix.with_seq(self.fixes + n)
            };
            let fixes = vec![fix(0), fix(1)];
            self.fixes += 2;
            let request = self.diary.asked("fixes", &Value::Null);
            let answer = self.on_line(async |session| session.fixes(fixes).await).await;
            match answer {
                Some(Ok(reply)) => {
                    let reply = serde_json::to_value(reply).expect("plain data");
                    return self.diary.answered(request, Outcome::Done(reply));
                }
                _ => self.diary.answered(request, Outcome::Unknown),
            }
            self.breathe().await;
        }
        self.faults.push(format!("{} cannot send its fixes", self.player));
    }

    /// Asks for the state; once, for it is only a look.
    pub async fn look(&mut self) -> Option<Value> {
        if !self.connect().await {
            return None;
        }
        let request = self.diary.asked("state.get", &json!({}));
        match self.on_line(async |session| session.state().await).await {
            Some(Ok(state)) => {
                self.diary.state(request, &state);
                Some(state)
            }
            Some(Err(refusal)) if is_an_answer(&refusal) => {
                self.diary.answered(request, Outcome::Refused(refusal.code));
                None
            }
            _ => {
                self.diary.answered(request, Outcome::Unknown);
                None
            }
        }
    }

    /// The game is at rest, and all has been heard.
    pub fn settled(&self) {
        self.diary.settled();
    }
}
