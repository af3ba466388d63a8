//! One suite over the real links and their twin, and what only the real ones can be asked.

mod network;
mod suite;
mod way;
mod world;

pub(super) use world::Folder;
