//! Actors: one for each live session, player, team and region, and the one handle that the edge holds on them.
//!
//! Supervision: [`supervisor`] -> 256 [`shard`]s -> [`entity`]s (one driver for all three kinds). A [`session`]
//! belongs to its socket. Who may message whom: the edge -> [`game`] -> session or router; session -> regions;
//! entity -> [`courier`] -> entities; entity -> [`sessions`] -> session. Nobody waits for an entity inside an entity.
//!
//! ractor's mailboxes have no bound, so every message bears a permit of the one who sends it: sessions have credits
//! with themselves, shards an inbox; an entity's requests wait beside its mailbox ([`inbox`]); what is over the bound is answered `busy`.

pub mod access;
pub mod act_route;
pub mod adopt;
pub mod audience;
pub mod awake;
pub mod cards;
pub mod channels;
pub mod contract;
pub mod counters;
pub mod courier;
pub mod elsewhere;
pub mod entity;
pub mod exchange;
pub mod game;
pub mod happening;
pub mod inbox;
pub mod keeper;
pub mod live_session;
pub mod mailbox;
pub mod meetings;
pub mod node;
pub mod operator;
pub mod overview;
pub mod ownership;
pub mod parked;
pub mod positions;
pub mod posted;
pub mod rebuild;
pub mod reception;
pub mod seen;
pub mod session;
pub mod session_ref;
pub mod sessions;
pub mod shard;
pub mod shards;
pub mod start;
pub mod supervisor;
pub mod survey;
pub mod viewport;
pub mod tracking;
pub mod wake;
pub mod world;
