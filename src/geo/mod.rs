//! Fences with memory: from a player's fixes to transitions. Pure: no clock, no I/O, no async, no chance.
//!
//! The words of this room:
//! *Position*: a checked longitude and latitude, whole 1e-7 degrees (1.1 cm). *Accuracy*: the radius in metres that
//! holds the true place with 68 %. *Fix*: a position with accuracy and device time. *Region*: a closed set on the
//! ground with rules for judging it. *Signed distance*: metres to a region's edge, inside positive. *Evidence*: what
//! one fix says of one region. *Transition*: enter, exit, dwell, cross or along, decided from evidence with memory.
//! *Event time*: the time of fixes, which orders them. *Server time*: handed in as `now`; it bounds event time.
//!
//! Start reading at [`fence::Tracker::observe`]: one call for each fix, and the whole room hangs on it.
//! A region's meaning (quests, windows, stock) is no business of this room.

pub mod area;
pub mod corridor;
pub mod decision;
mod evidence;
pub mod fence;
pub mod geojson;
pub mod index;
mod memory;
mod metric;
mod observed;
mod pace;
mod packed;
pub mod moving;
pub mod plausibility;
pub mod polygon;
pub mod position;
pub mod region;
pub mod rules;
mod ring;
pub mod shape;
mod standing;
pub mod wake;

#[cfg(test)]
mod properties;
