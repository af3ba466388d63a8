//! What the demo's process and the nodes that it runs say to each other: lines of JSON through the pipes of a child.
//!
//! Pipes, and not a port: nobody else can speak there, and their end tells the one of the other's death.

use crate::net::console::CompanionRequest;
use crate::net::stage::StageNews;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io;
use std::os::fd::OwnedFd;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::unix::pipe;

/// The longest line: news of five nodes have some hundred bytes.
const LINE_BYTES_MAX: u64 = 16 * 1024;

/// What a node is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// First of all: the key of the console's one-time link; none for a node that starts again.
    Key(Option<String>),
    /// How all nodes are.
    News(StageNews),
}

/// What a node says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// It listens.
    Ready,
    /// How many shards it serves.
    Serves(usize),
    /// Its console asks for the death of a node.
    Stop(String),
    /// Its console asks for a companion.
    Companion(CompanionRequest),
}

/// The end of a pipe that is read.
#[derive(Debug)]
pub struct Ear(BufReader<pipe::Receiver>);

/// The end of a pipe that is written.
#[derive(Debug)]
pub struct Mouth(pipe::Sender);

impl Ear {
    /// Of a descriptor, which must be a pipe.
    pub fn new(end: OwnedFd) -> io::Result<Self> {
        Ok(Self(BufReader::new(pipe::Receiver::from_owned_fd(end)?)))
    }

    /// The next line that is one; `None`: the other end is gone.
    pub async fn hear<T: DeserializeOwned>(&mut self) -> Option<T> {
        use tokio::io::AsyncReadExt as _;
        loop {
            let mut line = String::new();
            let read = (&mut self.0).take(LINE_BYTES_MAX).read_line(&mut line).await;
            if !matches!(read, Ok(1..)) {
                return None;
            }
            if let Ok(said) = serde_json::from_str(&line) {
                return Some(said);
            }
        }
    }
}

impl Mouth {
    /// Of a descriptor, which must be a pipe.
    pub fn new(end: OwnedFd) -> io::Result<Self> {
        Ok(Self(pipe::Sender::from_owned_fd(end)?))
    }

    /// Says something; an error: the other end is gone.
    pub async fn say(&mut self, what: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(what)?;
        line.push(b'\n');
        self.0.write_all(&line).await
    }
}
