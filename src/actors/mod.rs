//! Actors: one for each live session, player, team and region, and the one handle that the edge holds on them.

pub mod game;
