//! A run as it goes, on the terminal: whoever runs it hands in each second, and need not wait for the terminal.
//!
//! On a terminal the view is drawn in place, at most four times a second; elsewhere (a pipe, `NO_COLOR`, `TERM=dumb`,
//! `--plain`) a line comes every five seconds. The terminal is as before when the view ends, on Ctrl-C and on a panic.
//! All of it goes to standard error: standard output is for what came of the run. A terminal that takes nothing (Ctrl-S)
//! never holds up the run: drawing has a thread of its own, only the newest second waits for it, and the end waits a
//! second at most.
//!
//! Reading order: this file, `frame` (what is said, without a terminal), `screen` (how it gets there).

mod frame;
mod screen;

pub use frame::{Plan, Shot};

use frame::Frames;
use screen::Screen;
use std::io::{self, Write as _};
use std::process;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// From frame to frame on a terminal: the eye follows no more, and each costs the machine that is measured.
const FRAME: Duration = Duration::from_millis(250);
/// From line to line elsewhere, in seconds of the run.
const LINE_S: u32 = 5;
/// How long the end waits for the last frame.
const LAST: Duration = Duration::from_secs(1);
/// What a shell expects of a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// How a run is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Drawn in place.
    Screen,
    /// A line now and then.
    Lines,
    /// Not at all.
    Off,
}

impl Mode {
    /// What standard error can take.
    pub fn choose(plain: bool) -> Self {
        // This asks for a terminal, NO_COLOR and TERM.
        let can = console::Term::stderr().features().colors_supported();
        if can && !plain { Self::Screen } else { Self::Lines }
    }
}

/// The view of one run.
#[derive(Debug)]
pub struct Live {
    shared: Arc<Shared>,
    interrupted: CancellationToken,
    tasks: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Shared {
    slot: Mutex<Slot>,
    changed: Condvar,
}

/// What waits to be drawn: one shot, the newest.
#[derive(Debug, Default)]
struct Slot {
    shot: Option<Shot>,
    ending: bool,
    ended: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for the last frame, and waits for it a little.
    fn end(&self) {
        let mut slot = self.lock();
        slot.ending = true;
        self.changed.notify_all();
        let waited = self.changed.wait_timeout_while(slot, LAST, |slot| !slot.ended);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

impl Live {
    /// Opens the view. From here on the first Ctrl-C closes it and tells [`Self::interrupted`]; the second ends the program.
    pub fn start(plan: Plan, mode: Mode) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        shared.lock().ended = mode == Mode::Off;
        if mode != Mode::Off {
            let shared = Arc::clone(&shared);
            let draw = move || match mode {
                Mode::Screen => on_screen(&shared, Frames::new(plan)),
                _ => in_lines(&shared, &Frames::new(plan)),
            };
            // It ends with the view, or with the program where the terminal takes nothing.
            thread::Builder::new().name("live view".to_owned()).spawn(draw)?;
        }
        let interrupted = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(watch_for_interrupt(Arc::clone(&shared), interrupted.clone()));
        Ok(Self { shared, interrupted, tasks })
    }

    /// Shows this from now on; never waits.
    pub fn show(&self, shot: Shot) {
        self.shared.lock().shot = Some(shot);
        self.shared.changed.notify_all();
    }

    /// Ends when someone has pressed Ctrl-C. A run stops then, and reports what it has.
    pub async fn interrupted(&self) {
        self.interrupted.cancelled().await;
    }

    /// Draws what was shown last and leaves the terminal as it was.
    pub async fn end(mut self) {
        self.tasks.shutdown().await;
        let shared = Arc::clone(&self.shared);
        // Waiting for the terminal is bounded, and must not hold up a worker.
        let _ = tokio::task::spawn_blocking(move || shared.end()).await;
    }
}

/// A run that fails half way leaves the terminal as it was, too.
impl Drop for Live {
    fn drop(&mut self) {
        self.shared.end();
    }
}

async fn watch_for_interrupt(shared: Arc<Shared>, interrupted: CancellationToken) {
    if tokio::signal::ctrl_c().await.is_err() {
        return;
    }
    let closed = Arc::clone(&shared);
    let _ = tokio::task::spawn_blocking(move || closed.end()).await;
    interrupted.cancel();
    if tokio::signal::ctrl_c().await.is_ok() {
        process::exit(INTERRUPTED);
    }
}

fn on_screen(shared: &Shared, mut frames: Frames) {
    let mut screen = Screen::open();
    loop {
        let (shot, ending) = next(shared);
        if let Some(shot) = shot {
            frames.take(shot);
        }
        // A terminal that has gone is no reason to stop measuring.
        let _ = screen.draw(&frames.screen());
        if ending {
            break;
        }
        let slot = shared.lock();
        let waited = shared.changed.wait_timeout_while(slot, FRAME, |slot| !slot.ending);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
    drop(screen);
    shared.lock().ended = true;
    shared.changed.notify_all();
}

fn in_lines(shared: &Shared, frames: &Frames) {
    let (mut due, mut last) = (0, None);
    loop {
        let (shot, ending) = next(shared);
        last = shot.or(last);
        let shot = last.take_if(|shot| shot.second.t >= due || ending);
        if let Some(shot) = shot {
            due = shot.second.t + LINE_S;
            // A pipe that has gone is no reason to stop measuring.
            let _ = writeln!(io::stderr(), "{}", frames.line(&shot));
        }
        if ending {
            break;
        }
    }
    shared.lock().ended = true;
    shared.changed.notify_all();
}

/// Waits for the next shot or the end.
fn next(shared: &Shared) -> (Option<Shot>, bool) {
    let slot = shared.lock();
    let waited = shared.changed.wait_while(slot, |slot| slot.shot.is_none() && !slot.ending);
    let mut slot = waited.unwrap_or_else(PoisonError::into_inner);
    (slot.shot.take(), slot.ending)
}
