//! Fences with memory: from fixes to transitions. Pure: no clock, no I/O, no async.
pub mod position;
