//! One player's life in a run: the timetable, the connection that comes back, fixes and commands until each is answered.
//!
//! Everything due has its time, whatever the server does; what cannot be sent waits in the phone, with that time, and goes
//! as a batch when there is a connection again. Promise: a command is asked again under its id until it is answered or
//! the run ends; the phone's queue is bounded by [`QUEUE_MAX`], as that of a real one, and what falls out is counted.

mod farewell;
mod talk;

use super::ground::{Ground, Team};
use super::mind::{Mind, Todo};
use super::traveller::{Kind, Traveller};
use crate::fault::Fault;
use crate::phone::Phone;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::tungstenite::Utf8Bytes;
use waystone::verify::history::{Diary, Position};
use waystone::walk::Reading;

/// Fixes that a phone keeps while it cannot send them: three batches.
const QUEUE_MAX: usize = 300;
/// The share of the warm-up over which those of the beginning are let in; in the rest teams find together.
const LET_IN: f64 = 0.6;

/// A reading and when it was due.
type Due = (Reading, Instant);

/// A player at play.
#[derive(Debug)]
pub struct Life {
    ground: Arc<Ground>,
    index: u32,
    player: String,
    diary: Diary,
    traveller: Traveller,
    kind: Kind,
    mind: Mind,
    /// Among all players, from 0 to 1.
    place: f64,
    rng: StdRng,
    phone: Option<Box<Phone>>,
    known: Option<Position>,
    door: usize,
    failures: u32,
    lost_at: Option<Instant>,
    dial_at: Option<Instant>,
    queue: VecDeque<Due>,
    awaited: VecDeque<(u32, Vec<Due>)>,
    command: Option<Given>,
    tick: u32,
    question: u32,
    /// Counted among those who wait for something.
    waits: bool,
    seen: (u32, u32),
    deaf_until: Option<Instant>,
}

/// A command under way.
#[derive(Debug)]
struct Given {
    todo: Todo,
    tries: u32,
    /// Its number on the wire and in the diary; none while it waits to be asked again.
    id: Option<(u32, u64)>,
    again_at: Instant,
}

impl Life {
    /// Of one member of a team.
    pub fn new(
        ground: &Arc<Ground>,
        (team_number, team): (u32, &Arc<Team>),
        member: u32,
        traveller: Traveller,
        kind: Kind,
    ) -> Result<Self, Fault> {
        let plan = &ground.plan;
        let index = team_number * plan.members + member;
        let player = format!("{}{index}", plan.prefix);
        let id = waystone::ids::PlayerId::new(player.clone()).map_err(|err| Fault::phone(&player, err))?;
        let players = f64::from(plan.teams * plan.members);
        Ok(Self {
            ground: Arc::clone(ground),
            index,
            diary: ground.recorder.client(id),
            traveller,
            kind,
            mind: Mind::new(ground, team, &player, member, kind),
            place: f64::from(index) / players,
            rng: StdRng::seed_from_u64(plan.seed ^ (u64::from(index) << 20)),
            phone: None,
            known: None,
            door: index as usize,
            failures: 0,
            lost_at: None,
            dial_at: None,
            queue: VecDeque::new(),
            awaited: VecDeque::new(),
            command: None,
            tick: 0,
            question: 0,
            waits: false,
            seen: (0, 0),
            deaf_until: None,
            player,
        })
    }

    /// Lives until the conductor wants the last look, and takes it.
    pub async fn live(mut self) {
        let mut wish = self.ground.wish.clone();
        let mut alarm = pin!(sleep_until(self.next_due()));
        // What is looked at late because this very player was busy with a dial says nothing about the generator.
        let mut free_since = Instant::now();
        loop {
            let reads = self.phone.is_some() && self.deaf_until.is_none();
            tokio::select! {
                () = &mut alarm => {
                    self.wake(&mut free_since).await;
                    alarm.as_mut().reset(self.next_due());
                }
                frame = next_frame(self.phone.as_deref_mut()), if reads => {
                    self.take_frame(frame).await;
                    alarm.as_mut().reset(self.next_due());
                }
                changed = wish.changed() => {
                    let now = *wish.borrow_and_update();
                    if changed.is_err() || now.settle {
                        break;
                    }
                    self.heed(now.drops, now.deaf);
                    alarm.as_mut().reset(self.next_due());
                }
            }
        }
        Box::pin(self.look_back()).await;
    }

    fn period(&self) -> Duration {
        Duration::from_secs_f64(1.0 / self.ground.plan.rate.max(0.01))
    }

    /// When this one's n-th tick is due: players take their turns within a period.
    fn due(&self, tick: u32) -> Instant {
        let turn = self.period().mul_f64((f64::from(self.index) * 0.618_034).fract());
        self.ground.begun.0 + turn + self.period() * tick
    }

    /// When this one's n-th question is due, if there are any.
    fn question_due(&self) -> Option<Instant> {
        let plan = &self.ground.plan;
        let players = f64::from(plan.teams * plan.members);
        (plan.awards > 0.0 && self.kind == Kind::Honest).then(|| {
            let every = Duration::from_secs_f64(players / plan.awards);
            let turn = every.mul_f64((f64::from(self.index) * 0.754_878).fract());
            self.ground.begun.0 + turn + every * self.question
        })
    }

    fn next_due(&self) -> Instant {
        let again = self.command.as_ref().filter(|given| given.id.is_none() && self.phone.is_some());
        let times = [self.question_due(), self.dial_at, again.map(|given| given.again_at), self.deaf_until];
        times.into_iter().flatten().fold(self.due(self.tick), Instant::min)
    }

    fn at_rest(&self) -> bool {
        let until = self.ground.begun.0 + Duration::from_secs_f64(self.ground.plan.seconds);
        self.ground.wish.borrow().rest || Instant::now() >= until
    }

    /// Whether the curve has this one in the city.
    fn is_out(&self, at: Instant) -> bool {
        let plan = &self.ground.plan;
        if plan.curve.is_gentle()
            && at < self.ground.begun.0 + Duration::from_secs_f64(plan.warmup * LET_IN * self.place)
        {
            return false;
        }
        plan.curve.has(self.place, self.ground.progress(at).min(1.0))
    }

    /// Does what is due.
    async fn wake(&mut self, free_since: &mut Instant) {
        let now = Instant::now();
        let (due, rest) = (self.due(self.tick), self.at_rest());
        if self.deaf_until.is_some_and(|until| until <= now) {
            self.deaf_until = None;
        }
        if due <= now {
            if !rest && due >= *free_since {
                self.ground.counts.late(now - due);
            }
            self.tick += 1;
            let out = self.is_out(due);
            if out && !rest {
                self.walk(due);
                if self.phone.is_some() {
                    self.mind.tick(due);
                }
            } else if !out && !rest && self.command.is_none() && self.phone.is_some() {
                self.leave("it has gone home");
            }
            if self.phone.is_none() && self.dial_at.is_none() && (out || (rest && self.known.is_some())) {
                self.dial_at = Some(if out { due } else { now });
            }
        }
        while let Some(due) = self.question_due().filter(|due| *due <= now) {
            self.question += 1;
            if !rest && self.is_out(due) && self.mind.quizzes() {
                self.mind.question(due);
            }
        }
        if let Some(due) = self.dial_at.filter(|due| *due <= now && self.phone.is_none()) {
            self.dial(due).await;
            *free_since = Instant::now();
        }
        self.send_all().await;
        self.note_waiting();
    }

    /// Another step, and what the phone says of it.
    fn walk(&mut self, due: Instant) {
        let readings = self.traveller.observe(self.period(), self.ground.time_of(due));
        if matches!(self.kind, Kind::Honest) {
            readings.iter().for_each(|reading| self.ground.counts.seen_at(reading.at()));
        }
        self.ground.counts.offered(readings.len() as u64);
        self.queue.extend(readings.into_iter().map(|reading| (reading, due)));
        while self.queue.len() > QUEUE_MAX {
            self.queue.pop_front();
            self.ground.counts.count("fixes that fell out of full phones", 1);
        }
    }

    /// Drops the socket, or stops reading, if it is among those who are meant.
    fn heed(&mut self, drops: (u32, f64), deaf: (u32, f64, f64)) {
        let place = f64::from(self.index) * 0.618_034;
        let meant = |share: f64, number: u32| (place + f64::from(number) * 0.37).fract() < share;
        if drops.0 != self.seen.0 && meant(drops.1, drops.0) && self.phone.is_some() {
            self.leave("dropped");
            self.lost_at = Some(Instant::now());
            self.dial_at = Some(Instant::now() + Duration::from_millis(self.rng.random_range(0..1_000)));
        }
        if deaf.0 != self.seen.1 && meant(deaf.1, deaf.0) {
            self.deaf_until = Some(Instant::now() + Duration::from_secs_f64(deaf.2));
        }
        self.seen = (drops.0, deaf.0);
    }

    fn note_waiting(&mut self) {
        let away = self.phone.is_none() && self.known.is_some();
        let waits = away || !self.awaited.is_empty() || self.command.is_some() || !self.mind.todo.is_empty();
        if waits != self.waits {
            self.waits = waits;
            let waiting = &self.ground.waiting;
            if waits {
                waiting.fetch_add(1, Ordering::Relaxed)
            } else {
                waiting.fetch_sub(1, Ordering::Relaxed)
            };
        }
    }
}

/// What the server says next; never anything without a connection.
async fn next_frame(phone: Option<&mut Phone>) -> Result<Utf8Bytes, Fault> {
    match phone {
        Some(phone) => phone.frame().await,
        None => std::future::pending().await,
    }
}
