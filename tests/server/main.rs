//! The whole server, in process, over real sockets: stories as players live them, and all the ways of being wrong.
//!
//! One clock that the tests command serves the server, the tokens and the fixes, so hours pass without waiting; only
//! sockets take real time, and every wait for them has a deadline.

mod autobahn;
mod bad_input;
mod coming_back;
mod crowd;
mod fences;
mod forms;
mod harness;
mod helsinki;
mod identity;
mod limits;
mod meeting;
mod never_reads;
mod phone;
mod phones;
mod poison;
mod publishing;
mod secure;
mod sleeping;
mod team_life;
mod tracks;
mod two_nodes;
mod wire;
