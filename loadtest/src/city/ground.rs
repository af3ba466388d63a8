//! What all players of one generator share: the plan, the town, the counts, the history, and the orders of the conductor.

use super::counts::Counts;
use super::pipe::Plan;
use super::town::Town;
use crate::fault::Fault;
use crate::signer::Signer;
use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;
use waystone::clock::Clock;
use waystone::config;
use waystone::units::Timestamp;
use waystone::verify::Recorder;
use waystone::walk::Track;

/// Connects of one generator under way at the same time: enough to keep two cores busy; whoever must wait for a turn is
/// charged with the wait, since it was due.
const DIALS: usize = 128;
/// Looks at the state at the end under way at the same time.
const LOOKS: usize = 64;

/// What the conductor wants just now.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Wish {
    /// Counts orders to drop sockets, and of how large a share.
    pub drops: (u32, f64),
    /// Counts orders to be deaf: how large a share, and for how many seconds.
    pub deaf: (u32, f64, f64),
    /// Nobody does anything new.
    pub rest: bool,
    /// The last look.
    pub settle: bool,
}

/// The ground.
#[derive(Debug)]
pub struct Ground {
    pub plan: Plan,
    pub town: Arc<Town>,
    pub tracks: Vec<Arc<Track>>,
    pub counts: Counts,
    pub recorder: Recorder,
    pub wish: watch::Receiver<Wish>,
    pub dials: Semaphore,
    pub looks: Semaphore,
    /// Players who wait for something, and when a notice came last, in milliseconds since the begin.
    pub waiting: AtomicU64,
    last_notice: AtomicU64,
    signer: Signer,
    /// The first second's begin, by both clocks.
    pub begun: (Instant, Timestamp),
}

impl Ground {
    /// By a plan; the first second begins now.
    pub fn new(plan: Plan, town: Arc<Town>, recorder: Recorder, wish: watch::Receiver<Wish>) -> Result<Self, Fault> {
        let signer = Signer::Secret(config::read_secret(&plan.secret_file)?);
        let tracks = plan.tracks.iter().map(|path| track(path)).collect::<Result<_, _>>()?;
        let counts = Counts::new(town.places().len());
        Ok(Self {
            plan,
            town,
            tracks,
            counts,
            recorder,
            wish,
            dials: Semaphore::new(DIALS),
            looks: Semaphore::new(LOOKS),
            waiting: AtomicU64::new(0),
            last_notice: AtomicU64::new(0),
            signer,
            begun: (Instant::now(), Clock::system().now()),
        })
    }

    /// A player's token.
    pub fn token(&self, player: &str) -> Result<String, Fault> {
        self.signer.token(player)
    }

    /// The time of a moment, as a right clock shows it.
    pub fn time_of(&self, moment: Instant) -> Timestamp {
        self.begun.1 + moment.saturating_duration_since(self.begun.0)
    }

    /// A notice has come.
    pub fn heard_notice(&self) {
        let since = u64::try_from(self.begun.0.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_notice.store(since, Ordering::Relaxed);
        self.counts.notice();
    }

    /// Milliseconds since the last notice.
    pub fn silence_ms(&self) -> u64 {
        let now = u64::try_from(self.begun.0.elapsed().as_millis()).unwrap_or(u64::MAX);
        now.saturating_sub(self.last_notice.load(Ordering::Relaxed))
    }

    /// How far the run is, from 0 to 1, at a moment.
    pub fn progress(&self, moment: Instant) -> f64 {
        moment.saturating_duration_since(self.begun.0).as_secs_f64() / self.plan.seconds.max(0.001)
    }
}

fn track(path: &Path) -> Result<Arc<Track>, Fault> {
    let bytes = std::fs::read(path).map_err(|source| Fault::Io { path: path.to_owned(), source })?;
    let name = path.to_string_lossy();
    let read = waystone::walk::TrackKind::of_name(&name).and_then(|kind| waystone::walk::track::read(&bytes, kind));
    read.map(Arc::new).map_err(|err| Fault::Settings(format!("{name}: {err}")))
}

/// What the members of a team call to each other across the street.
#[derive(Debug, Default)]
pub struct Team(Mutex<Calls>);

#[derive(Debug, Default)]
struct Calls {
    invite: Option<String>,
    joined: u32,
    /// Questions of this run that somebody has asked, a bit each.
    asked: u64,
    /// By quest and number: when that which completes the step was due, and how many have yet to ask.
    due: HashMap<(bool, usize), (Instant, u32)>,
}

impl Team {
    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The founder has a code.
    pub fn invite(&self, code: &str) {
        self.calls().invite = Some(code.to_owned());
    }

    /// The code.
    pub fn code(&self) -> Option<String> {
        self.calls().invite.clone()
    }

    /// One more is in it.
    pub fn join(&self) {
        self.calls().joined += 1;
    }

    /// How many are in it.
    pub fn joined(&self) -> u32 {
        self.calls().joined
    }

    /// The first question that is not done and that nobody has asked, of so many; it is asked by that.
    pub fn ask(&self, done: u64, questions: usize) -> Option<usize> {
        let mut calls = self.calls();
        let number = (0..questions).find(|number| (calls.asked | done) & (1 << number) == 0)?;
        calls.asked |= 1 << number;
        Some(number)
    }

    /// A question was refused: somebody else may ask it.
    pub fn unask(&self, number: usize) {
        self.calls().asked &= !(1 << number);
    }

    /// A new run has begun.
    pub fn ask_anew(&self) {
        self.calls().asked = 0;
    }

    /// Somebody does what completes a step.
    pub fn does(&self, quiz: bool, number: usize, due: Instant, members: u32) {
        self.calls().due.insert((quiz, number), (due, members));
    }

    /// When what completed a step was due, for one of the members.
    pub fn done(&self, quiz: bool, number: usize) -> Option<Instant> {
        let mut calls = self.calls();
        let (due, left) = calls.due.get_mut(&(quiz, number))?;
        let (due, last) = (*due, *left <= 1);
        *left = left.saturating_sub(1);
        if last {
            calls.due.remove(&(quiz, number));
        }
        Some(due)
    }
}
