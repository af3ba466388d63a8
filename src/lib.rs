//! Waystone: the backend for quests played in the real world.
//!
//! Reading order, lowest first; a room imports only from rooms above it in this list.

pub mod faults;
pub mod ids;
pub mod units;
pub mod clock;
pub mod window;
pub mod geo;
pub mod quest;
pub mod content;
pub mod cluster;
pub mod links;
pub mod persist;
pub mod verify;
pub mod actors;
pub mod walk;
pub mod net;
pub mod config;
pub mod telemetry;
pub mod keys;
pub mod app;
pub mod demo;
pub mod cli;
