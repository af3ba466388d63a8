//! Places where the process can be made to die, bugs that can be planted, to show that our tests would notice, and what
//! makes a node unlike the others of its cluster.
//!
//! All of it exists only with the feature `faults`, which tests switch on and no release has: without it every
//! function here is an empty one that the compiler removes. Promise: nothing happens at any place unless it was asked
//! for by `arm` or `plant`, and a death is at once, with nothing written, flushed or said after it, as of `kill -9`.

mod bugs;
mod odd;
mod poison;

pub use bugs::{BUGS, Bug, planted, spoilt};
#[cfg(feature = "faults")]
pub use bugs::{Planted, plant};
pub use odd::{clock_off_ms, hold, newest_protocol};
pub use poison::taste;
#[cfg(feature = "faults")]
pub use poison::{Poisoned, poison};

/// A moment at which the process can be made to die.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Point {
    /// An entity has decided, and its append has not been asked for.
    BeforeAppend = 1,
    /// The entry is durable, and nobody has been told.
    AfterAppend,
    /// Who asked for an entry has been answered, its player too, and a message of the entry has not been carried.
    BeforeSend,
    /// A message of a chain has been taken by its receiver, and the sender's side does not know it yet.
    MidChain,
    /// A snapshot is about to be written.
    InSnapshot,
    /// A batch is on its way, and its commit is not confirmed. SQLite has run its statements; Postgres has been sent the
    /// one that it is there, and may yet do it.
    InBatch,
}

/// Every point, with its name in [`VARIABLE`].
pub const POINTS: [(&str, Point); 6] = [
    ("before-append", Point::BeforeAppend),
    ("after-append", Point::AfterAppend),
    ("before-send", Point::BeforeSend),
    ("mid-chain", Point::MidChain),
    ("in-snapshot", Point::InSnapshot),
    ("in-batch", Point::InBatch),
];

/// The environment variable that arms a point: `after-append:40` dies when the place is reached the 40th time. In the
/// same form, with commas between: `clock:3600` has a clock that is an hour ahead, `protocol:1` speaks version 1 at most,
/// `hold:3` lets shards stay for 3 s instead of 10, `poison:Belladonna` panics at that word.
pub const VARIABLE: &str = "WAYSTONE_FAULT";

#[cfg(feature = "faults")]
mod armed {
    use super::{POINTS, Point};
    use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
    use std::time::Duration;

    /// How long a late death waits: an answer is through the actors and out of the socket by then.
    const SAID: Duration = Duration::from_millis(100);

    static ARMED: AtomicU8 = AtomicU8::new(0);
    static LEFT: AtomicU64 = AtomicU64::new(0);

    pub fn arm(text: &str) -> Result<(), String> {
        text.split(',').try_for_each(arm_one)
    }

    fn arm_one(text: &str) -> Result<(), String> {
        let bad = || format!("{}: \"{text}\" is not like after-append:40", super::VARIABLE);
        let (name, count) = text.split_once(':').ok_or_else(bad)?;
        if name == "poison" {
            // For as long as the process lives.
            std::mem::forget(super::poison(count));
            return Ok(());
        }
        if let Some(set) = super::odd::set(name, count) {
            return set.map_err(|_| bad());
        }
        let (_, point) = POINTS.into_iter().find(|(known, _)| *known == name).ok_or_else(bad)?;
        LEFT.store(count.parse().ok().filter(|count| *count > 0).ok_or_else(bad)?, Ordering::SeqCst);
        ARMED.store(point as u8, Ordering::SeqCst);
        Ok(())
    }

    fn has_come(point: Point) -> bool {
        ARMED.load(Ordering::SeqCst) == point as u8 && LEFT.fetch_sub(1, Ordering::SeqCst) == 1
    }

    pub fn reach(point: Point) {
        if has_come(point) {
            std::process::abort();
        }
    }

    pub async fn reach_late(point: Point) {
        if has_come(point) {
            tokio::time::sleep(SAID).await;
            std::process::abort();
        }
    }

    pub async fn reach_amid<T>(point: Point, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        let dies = has_come(point);
        std::future::poll_fn(|context| {
            let polled = work.as_mut().poll(context);
            if dies {
                std::process::abort();
            }
            polled
        })
        .await
    }
}

/// Arms what the text names; an error says what is wrong with the text.
#[cfg(feature = "faults")]
pub fn arm(text: &str) -> Result<(), String> {
    armed::arm(text)
}

/// Arms nothing: this binary has no faults, and says so rather than letting a test believe in a death.
#[cfg(not(feature = "faults"))]
pub fn arm(_: &str) -> Result<(), String> {
    Err(format!("{VARIABLE} is set, but this binary was built without the feature `faults`"))
}

/// The process has come to a point; dies if it is armed and its time has come.
#[inline]
pub fn reach(point: Point) {
    #[cfg(feature = "faults")]
    armed::reach(point);
    #[cfg(not(feature = "faults"))]
    let _ = point;
}

/// As [`reach`], at a place behind which nothing may happen while others hear what was said before it.
#[inline]
pub async fn reach_late(point: Point) {
    #[cfg(feature = "faults")]
    armed::reach_late(point).await;
    #[cfg(not(feature = "faults"))]
    let _ = point;
}

/// As [`reach`], in the middle of some work: it has been begun, which sends what it asks, and has not been waited for.
#[inline]
pub async fn reach_amid<T>(point: Point, work: impl Future<Output = T>) -> T {
    #[cfg(feature = "faults")]
    return armed::reach_amid(point, work).await;
    #[cfg(not(feature = "faults"))]
    {
        let _ = point;
        work.await
    }
}
