//! What can make one node of a cluster unlike the others: a clock that is wrong, and the protocol of an older version; and
//! what lets tests of whole clusters wait for shorter spans than people do.
//!
//! Promise: as the room's. A node is odd from its start to its end, by what [`super::arm`] was told.

/// How far the machine's clock is taken to be off, in seconds.
#[cfg(feature = "faults")]
static CLOCK_OFF_S: std::sync::atomic::AtomicI64 = std::sync::atomic::AtomicI64::new(0);

/// The newest protocol version that links shall speak; 0: the newest there is.
#[cfg(feature = "faults")]
static NEWEST: std::sync::atomic::AtomicU16 = std::sync::atomic::AtomicU16::new(0);

/// How long shards stay where they are at least, in seconds; 0: as long as always.
#[cfg(feature = "faults")]
static HOLD_S: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

/// Makes this process odd, if the word is one of these; `None`: it is another word.
#[cfg(feature = "faults")]
pub(super) fn set(word: &str, value: &str) -> Option<Result<(), std::num::ParseIntError>> {
    use std::sync::atomic::Ordering::SeqCst;
    match word {
        "clock" => Some(value.parse().map(|off| CLOCK_OFF_S.store(off, SeqCst))),
        "protocol" => Some(value.parse().map(|newest| NEWEST.store(newest, SeqCst))),
        "hold" => Some(value.parse().map(|hold| HOLD_S.store(hold, SeqCst))),
        _ => None,
    }
}

/// How far the machine's clock is off, in milliseconds.
#[inline]
pub fn clock_off_ms() -> i64 {
    #[cfg(feature = "faults")]
    return CLOCK_OFF_S.load(std::sync::atomic::Ordering::Relaxed).saturating_mul(1_000);
    #[cfg(not(feature = "faults"))]
    0
}

/// The newest protocol version that links speak, which is `newest` in this version.
#[inline]
pub fn newest_protocol(newest: u16) -> u16 {
    #[cfg(feature = "faults")]
    if let older @ 1.. = NEWEST.load(std::sync::atomic::Ordering::Relaxed) {
        return older.min(newest);
    }
    newest
}

/// How long shards stay where they are at least, which is `hold` but in tests that have no time.
#[inline]
pub fn hold(hold: std::time::Duration) -> std::time::Duration {
    #[cfg(feature = "faults")]
    if let shorter @ 1.. = HOLD_S.load(std::sync::atomic::Ordering::Relaxed) {
        return std::time::Duration::from_secs(shorter).min(hold);
    }
    hold
}
