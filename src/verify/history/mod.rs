//! What clients asked and were told, in a file of their own: the evidence that a journal cannot give against itself.
//!
//! [`Recorder`] writes it beside the clients, [`History`] reads one or more files of it. Promise: read once, from
//! front to back, and kept in a form that grows with the number of notices, but not with their length; the line of
//! everything that is kept is known. A history is of one journal and ends before that journal is read: whatever was
//! told must be there by then.

mod chain;
mod index;
mod line;
mod read;
mod recorder;

pub(super) use index::{Call, Need, Place, Seen, StateAt, ToldAt, print, team_print};
pub use index::{Counted, History};
pub use line::{
    Answered, Asked, BoardSeen, Connected, Did, Disconnected, FORM, Head, Line, Outcome, Position, RowSeen, RunSeen,
    StateSeen, TeamSeen, Told,
};
pub use read::HistoryFault;
pub use recorder::{Diary, Recorder};
