//! Waiting for another process, with a deadline.

use crate::Result;
use std::time::Duration;

/// How often it is looked.
const LOOK: Duration = Duration::from_millis(10);

/// Looks again and again until `look` finds something; `None`: it did not within the deadline.
pub(crate) fn until<T>(deadline: Duration, mut look: impl FnMut() -> Result<Option<T>>) -> Result<Option<T>> {
    for _ in 0..deadline.as_millis() / LOOK.as_millis() {
        if let Some(found) = look()? {
            return Ok(Some(found));
        }
        pause(LOOK);
    }
    look()
}

/// Waits for a while.
#[expect(clippy::disallowed_methods, reason = "this crate has no runtime, and says that it blocks")]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}
