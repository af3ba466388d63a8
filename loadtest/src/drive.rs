//! Drives one phone: fixes by a timetable whatever the server does (open loop), or one after the other (closed loop).
//!
//! In the open loop a fix has the time at which it was due, and its latency begins there: a server that stalls for a
//! second is charged for all that a second brings, not for one slow answer.

use crate::fault::Fault;
use crate::phone::Phone;
use crate::tally::Tally;
use crate::wire::{self, Line, Spot};
use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_tungstenite::tungstenite::Utf8Bytes;
use waystone::clock::Clock;

/// How long after the last command answers and notices may still come.
const GRACE: Duration = Duration::from_secs(5);
/// Least time between two fixes of one phone in the closed loop: the server takes 20 a second of each.
const HASTE: Duration = Duration::from_millis(55);

/// What a phone's holder does.
pub trait Role: Send + 'static {
    /// Where it is at a tick of its timetable.
    fn spot(&mut self, tick: u32, due: Instant) -> Spot;
    /// A push came.
    fn pushed(&mut self, text: &str) -> Result<(), String>;
    /// What is still awaited when all fixes have been answered.
    fn missing(&self) -> Option<String>;
}

/// When a phone sends.
#[derive(Debug, Clone, Copy)]
pub struct Timetable {
    /// The first fix.
    pub first: Instant,
    /// From fix to fix; of no effect in the closed loop.
    pub period: Duration,
    /// No fix at or after it.
    pub until: Instant,
}

/// A phone at work.
#[derive(Debug)]
pub struct Driver<R> {
    phone: Phone,
    index: usize,
    role: R,
    tally: Arc<Tally>,
    /// Number, when it was due, when it was sent; fixes are answered in order.
    awaited: VecDeque<(u32, Instant, Instant)>,
    /// Milliseconds since 1970 at a moment of the monotonic clock.
    epoch: (i64, Instant),
}

impl<R: Role> Driver<R> {
    /// Takes a phone over.
    pub fn new(phone: Phone, index: usize, role: R, tally: Arc<Tally>) -> Self {
        let epoch = (Clock::system().now().as_millis(), Instant::now());
        Self { phone, index, role, tally, awaited: VecDeque::new(), epoch }
    }

    /// By the timetable, whatever happens; faults are tallied.
    pub async fn open_loop(mut self, times: Timetable) {
        if let Err(fault) = self.by_timetable(times).await {
            self.tally.fault(fault);
        }
        self.settle();
    }

    /// One fix after the other is answered; faults are tallied.
    pub async fn closed_loop(mut self, times: Timetable) {
        if let Err(fault) = self.one_by_one(times).await {
            self.tally.fault(fault);
        }
        self.settle();
    }

    async fn by_timetable(&mut self, times: Timetable) -> Result<(), Fault> {
        let (mut due, mut tick) = (times.first, 0);
        let mut alarm = pin!(sleep_until(due));
        loop {
            tokio::select! {
                () = &mut alarm => {
                    if due >= times.until + GRACE {
                        return Ok(());
                    }
                    if due >= times.until {
                        if self.is_settled() {
                            return Ok(());
                        }
                        due = times.until + GRACE;
                    } else {
                        self.report(tick, due).await?;
                        tick += 1;
                        due += times.period;
                    }
                    alarm.as_mut().reset(due);
                }
                frame = self.phone.frame() => {
                    self.take(&frame?).await?;
                    if due >= times.until && self.is_settled() {
                        return Ok(());
                    }
                }
            }
        }
    }

    async fn one_by_one(&mut self, times: Timetable) -> Result<(), Fault> {
        sleep_until(times.first).await;
        let mut tick = 0;
        loop {
            let sent = Instant::now();
            if sent >= times.until {
                return Ok(());
            }
            self.report(tick, sent).await?;
            tick += 1;
            while !self.awaited.is_empty() {
                match timeout_at(times.until + GRACE, self.phone.frame()).await {
                    Ok(frame) => self.take(&frame?).await?,
                    Err(_) => return Ok(()),
                }
            }
            let next = sent + HASTE;
            if next > Instant::now() {
                sleep_until(next).await;
            }
        }
    }

    async fn report(&mut self, tick: u32, due: Instant) -> Result<(), Fault> {
        let spot = self.role.spot(tick, due);
        let (wall, at) = self.epoch;
        let since = due.saturating_duration_since(at).as_millis();
        let id = self.phone.next_id();
        let text = wire::fix(id, spot, wall.saturating_add(i64::try_from(since).unwrap_or(i64::MAX)));
        self.awaited.push_back((id, due, Instant::now()));
        self.tally.sent();
        self.phone.send(text).await
    }

    async fn take(&mut self, frame: &Utf8Bytes) -> Result<(), Fault> {
        for line in wire::lines(frame) {
            match line {
                Line::Ping => self.phone.send(Utf8Bytes::from_static(wire::PONG)).await?,
                Line::Push(text) => {
                    self.tally.pushed();
                    if let Err(what) = self.role.pushed(text) {
                        self.tally.fault(Fault::phone(&self.phone.player, what));
                    }
                }
                Line::Reply { id, text } => match self.awaited.pop_front() {
                    Some((awaited, due, sent)) if awaited == id => {
                        self.tally.answered(self.index, due, sent);
                        if !wire::is_accepted(text) {
                            self.tally.fault(Fault::phone(&self.phone.player, format_args!("not accepted: {text}")));
                        }
                    }
                    _ => return Err(Fault::phone(&self.phone.player, format_args!("not awaited: {text}"))),
                },
                Line::Refused(text) => {
                    self.awaited.pop_front();
                    self.tally.fault(Fault::phone(&self.phone.player, text));
                }
                Line::Strange(text) => return Err(Fault::phone(&self.phone.player, text)),
            }
        }
        Ok(())
    }

    fn is_settled(&self) -> bool {
        self.awaited.is_empty() && self.role.missing().is_none()
    }

    /// At the end: whatever has not come is a fault.
    fn settle(&self) {
        let player = &self.phone.player;
        if !self.awaited.is_empty() {
            self.tally.fault(Fault::phone(player, format_args!("{} fixes never answered", self.awaited.len())));
        }
        if let Some(missing) = self.role.missing() {
            self.tally.fault(Fault::phone(player, missing));
        }
    }
}
