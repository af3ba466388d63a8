//! The rules of the game, pure: no clock, no I/O, no async. Time comes in as a value.
//!
//! An entity is an [`aggregate`]: `decide(state, command) -> facts + messages + notices`, then, once the journal has
//! them, `evolve(state, fact)`. There are three kinds: [`player`] (with [`player_play`], [`player_news`]),
//! [`team`] (with [`team_play`], [`run`]) and [`region`]. The chain of one arrival through them:
//!
//! region `Sight` -> player `Sighted` -> team `Reached` -> players `News`; limited rewards go team -> quest's area
//! (a region) `Claim` -> team `Stock` -> players `News`.

pub mod act;
pub mod aggregate;
pub mod catalog;
pub mod command;
pub mod definition;
pub mod draft;
pub mod entry;
pub mod event;
pub mod evidence;
pub mod guidance;
pub mod kept;
pub mod notice;
pub mod player;
pub mod player_news;
pub mod player_play;
pub mod refusal;
pub mod region;
pub mod replies;
pub mod run;
pub mod team;
pub mod team_meet;
pub mod team_play;
pub mod view;
