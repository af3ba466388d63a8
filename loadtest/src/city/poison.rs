//! Strangers who say what no client says. Each must be sent away or refused, and nobody else may notice.

use super::ground::Ground;
use crate::phone::Phone;
use crate::wire::{self, Line};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long a server may take to be rid of one: the time to connect is 60 s at a server of our own.
const PATIENCE: Duration = Duration::from_secs(65);
/// Their numbers among sockets, far from the players'.
const FIRST: u32 = 300_000;

/// What they say, in turns.
fn words(turn: u32) -> String {
    match turn % 7 {
        0 => "hello".to_owned(),
        1 => "[1,2,3]".to_owned(),
        2 => "{\"id\":1}".to_owned(),
        3 => "{\"id\":1,\"connect\":{\"token\":\"a.b.c\"}}".to_owned(),
        4 => "{\"id\":1,\"rpc\":{\"method\":\"fix\",\"data\":{\"lat\":91,\"lon\":0}}}".to_owned(),
        5 => "{".repeat(10_000),
        _ => format!("{{\"id\":1,\"connect\":{{\"token\":\"{}\"}}}}", "x".repeat(200_000)),
    }
}

/// Sends so many of them in.
pub fn strew(ground: &Arc<Ground>, count: u32, strangers: &mut JoinSet<()>) {
    for turn in 0..count {
        let ground = Arc::clone(ground);
        strangers.spawn(async move {
            let door = ground.plan.doors[turn as usize % ground.plan.doors.len()];
            let Ok(mut phone) = Phone::open(door, FIRST + turn % 1_000, format!("stranger-{turn}")).await else {
                return ground.counts.count("strangers not let in", 1);
            };
            // It may be closed before all is said.
            let _ = phone.send(words(turn)).await;
            let sent_away = async {
                while let Ok(frame) = phone.frame().await {
                    if wire::lines(&frame).any(|line| matches!(line, Line::Refused(_))) {
                        return;
                    }
                }
            };
            match timeout(PATIENCE, sent_away).await {
                Ok(()) => ground.counts.count("strangers sent away", 1),
                Err(_) => ground.counts.fault(|| format!("a stranger of kind {} was let be", turn % 7)),
            }
        });
    }
}
