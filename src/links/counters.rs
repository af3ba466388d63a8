//! What links have done, as numbers for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($( #[doc = $doc:literal] $name:ident; )*) => {
        /// Counted by all links of a node.
        #[derive(Debug, Default)]
        pub(super) struct Counters { $( $name: AtomicU64, )* }

        /// [`crate::links`] in numbers, since the node started.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub struct Counts { $( #[doc = $doc] pub $name: u64, )* }

        impl Counts {
            /// All of them: name, sentence, number.
            pub fn list(&self) -> Vec<(&'static str, &'static str, u64)> {
                vec![ $( (stringify!($name), $doc, self.$name), )* ]
            }
        }

        impl Counters {
            $( pub(super) fn $name(&self, more: usize) {
                self.$name.fetch_add(u64::try_from(more).unwrap_or(u64::MAX), Ordering::Relaxed);
            } )*

            pub(super) fn read(&self) -> Counts {
                Counts { $( $name: self.$name.load(Ordering::Relaxed), )* }
            }
        }
    };
}

counters! {
    /// Calls sent to peers.
    calls_sent;
    /// Calls that were refused here, since there was no link or no room.
    calls_not_sent;
    /// Calls that were sent and not answered in time, or not before the link fell.
    calls_unanswered;
    /// Calls of peers.
    calls_received;
    /// Calls of peers whose handling has panicked, or whose answer cannot be sent.
    calls_failed;
    /// Notes sent to peers.
    notes_sent;
    /// Notes of peers.
    notes_received;
    /// Notes dropped here, since there was no link or no room.
    notes_dropped;
    /// Calls and notes of peers that came too late to be worth anything.
    received_late;
    /// Envelopes that could not be read.
    received_unreadable;
    /// Bytes of bodies sent, replies included.
    bytes_sent;
    /// Bytes of bodies received, replies included.
    bytes_received;
    /// Messages sent, each with a batch.
    messages_sent;
    /// Links that came up, the first time or again.
    connections;
    /// Streams of peers that were taken.
    streams_taken;
    /// Who was turned away: no certificate of ours, no hello, another cluster, too many.
    turned_away;
}
