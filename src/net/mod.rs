//! The only room with sockets and client JSON.

pub mod client;
