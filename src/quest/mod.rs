//! The rules of the game, pure: no clock, no I/O, no async. Time comes in as a value.

pub mod act;
pub mod command;
pub mod definition;
pub mod entry;
pub mod event;
pub mod evidence;
pub mod notice;
pub mod refusal;
pub mod window;
