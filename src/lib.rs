//! Waystone: the backend for quests played in the real world.

pub mod actors;
pub mod clock;
pub mod geo;
pub mod ids;
pub mod net;
pub mod quest;
pub mod units;
