//! What can go wrong with one handle on a journal in memory, on demand: writes that fail, wait, or are the last.

use super::MemoryJournal;
use super::data::place;
use crate::cluster::shard::Shard;
use crate::ids::EntityId;
use std::time::Duration;

pub(super) struct Delays(Box<dyn FnMut() -> Duration + Send>);

impl std::fmt::Debug for Delays {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Delays(..)")
    }
}

impl Delays {
    pub(super) fn next(&mut self) -> Duration {
        (self.0)()
    }
}

/// Faults of one handle, on demand.
#[derive(Debug)]
pub struct Faults<'a>(&'a MemoryJournal);

impl<'a> Faults<'a> {
    pub(super) fn of(journal: &'a MemoryJournal) -> Self {
        Self(journal)
    }

    /// The next `n` appends answer `Unavailable` and write nothing.
    pub fn fail_next(&self, n: u32) {
        self.0.handle().fail = n;
    }

    /// The process dies when its next append is written: that one never answers, and the handle is of no more use.
    /// Go on with [`MemoryJournal::reopen`].
    pub fn crash_after_commit(&self) {
        self.0.handle().crash = true;
    }

    /// Each append waits as long as is said, before it is written and again before it is answered.
    pub fn delays(&self, choose: impl FnMut() -> Duration + Send + 'static) {
        self.0.handle().delays = Some(Delays(Box::new(choose)));
    }

    /// The shard's next append that bears messages is written and never answers; others do.
    pub fn mute_next(&self, shard: Shard) {
        self.0.handle().mute = Some(shard);
    }

    /// From now on nothing can be written, or everything again.
    pub fn read_only(&self, on: bool) {
        self.0.handle().fail = if on { u32::MAX } else { 0 };
    }

    /// The process dies now: whatever is asked of this handle is refused.
    pub fn crash(&self) {
        let (mut data, mut handle) = (self.0.data(), self.0.handle());
        handle.gone = Some("the process has crashed");
        data.died(&self.0.me);
    }

    /// The database cannot be reached through this handle from now on, or again: nothing is written, read or renewed.
    pub fn cut(&self, on: bool) {
        self.0.handle().cut = on;
    }

    /// Replaces the stored form of an entry that is there, as a newer version or a broken disk might.
    pub fn overwrite(&self, entity: &EntityId, seq: u64, ver: u32, payload: &[u8]) {
        let mut data = self.0.data();
        let record = data.streams.get_mut(entity).and_then(|stream| stream.records.get_mut(place(seq)));
        if let Some(record) = record {
            (record.ver, record.payload) = (ver, payload.to_vec());
        }
    }
}
