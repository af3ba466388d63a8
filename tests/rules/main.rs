//! The rules of the game, given / when / then, through `Aggregate::decide` and `apply`: no sockets, no store, no
//! clock but the test's own. See `world` for the driver and its promises.

mod delivery;
mod fixtures;
mod flow;
mod joining;
mod meeting;
mod places;
mod phones;
mod plan;
mod planted;
mod planted_faults;
mod planted_journal;
mod planted_random;
mod random;
mod rewards;
mod rng;
mod runs;
mod throng;
mod told;
mod verbs;
mod verify_core;
mod verify_faults;
mod verify_history;
mod verify_plant;
mod world;
mod world_act;
mod world_check;
