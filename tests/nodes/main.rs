//! Three nodes in one process: real actors, real keepers and the real queues of the links, over a journal, a membership
//! and a network in memory, by a clock that goes on only when everyone waits for it; in `sharing` with a real Redis, by the
//! clock on the wall.
//!
//! Promise: what a player sees does not depend on the node that holds the socket, nor on where team and place live.
//! What real processes do when they die is shown in `tests/cluster`.

mod meeting;
mod nodes;
mod parking;
mod posting;
mod sharing;
mod waking;
