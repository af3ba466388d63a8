//! Players who ask for something durable all the time, over one socket each, and write down what became of it; and the
//! watcher of `/readyz`. What they have seen is how an outage looks from outside.

use crate::ground::Ground;
use crate::http;
use crate::server::Folder;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};
use waystone::ids::{EntityId, PlayerId};
use waystone::net::client::{Client, ClientError};
use waystone::quest::entry::Cause;

/// Probers: enough that each writer of a store serves some.
const PROBERS: usize = 4;
/// How often each asks, and how often readiness is looked at: both far below the shortest outage.
const EVERY: Duration = Duration::from_millis(100);
/// Longest wait for an answer: the server's own deadline is five seconds, and a busy machine adds some.
const ANSWER: Duration = Duration::from_secs(8);
/// The refusals that an outage may be answered with: `unavailable` and `busy`.
pub(crate) const ALLOWED: [u32; 2] = [1003, 1004];

/// One question and its answer.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    /// When it was asked.
    pub begun: Instant,
    /// How long the answer took.
    pub took: Duration,
    /// What a refusal said.
    pub refused: Option<String>,
}

/// What has been seen so far.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Of all probers, in the order of the answers.
    pub attempts: Vec<Attempt>,
    /// What `/readyz` said, and when; `None`: ready.
    pub readiness: Vec<(Instant, Option<String>)>,
    /// What must not have happened.
    pub faults: Vec<String>,
    acknowledged: Vec<(PlayerId, String)>,
}

/// The probers at work.
pub(crate) struct Probers {
    seen: Arc<Mutex<Seen>>,
    work: JoinSet<()>,
}

impl Probers {
    /// Connects them and lets them ask.
    pub(crate) async fn set_out(ground: &Arc<Ground>) -> Self {
        let (seen, mut work) = (Arc::<Mutex<Seen>>::default(), JoinSet::new());
        for number in 0..PROBERS {
            let player = PlayerId::new(format!("prober{number}")).expect("an id");
            let (client, _) = Client::connect(&ground.url(), &ground.token(&player), None).await.expect("it serves");
            work.spawn(probe(client, player, Arc::clone(&seen)));
        }
        work.spawn(watch(ground.port, Arc::clone(&seen)));
        Self { seen, work }
    }

    /// What has been seen.
    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen> {
        held(&self.seen)
    }

    /// Ends them; everything that was acknowledged must be in the journal, once. How many that were.
    pub(crate) async fn rest(mut self, folder: &Folder) -> usize {
        self.work.shutdown().await;
        let journal = folder.journal().await;
        let mut stands: BTreeMap<PlayerId, Vec<String>> = BTreeMap::new();
        for number in 0..PROBERS {
            let player = PlayerId::new(format!("prober{number}")).expect("an id");
            let loaded = journal.load_entries(&EntityId::Player(player.clone())).await.expect("readable");
            let commands = loaded.tail.iter().filter_map(|entry| match &entry.cause {
                Some(Cause::Client { cmd, .. }) => Some(cmd.as_str().to_owned()),
                _ => None,
            });
            stands.insert(player, commands.collect());
        }
        journal.close().await;
        let seen = held(&self.seen);
        for (player, cmd) in &seen.acknowledged {
            let times = stands[player].iter().filter(|known| *known == cmd).count();
            assert_eq!(times, 1, "{player}'s {cmd} was acknowledged and is in the journal {times} times");
        }
        seen.acknowledged.len()
    }
}

/// Sets a name, and another, and another; what was refused is sent again under its own id.
async fn probe(client: Client, player: PlayerId, seen: Arc<Mutex<Seen>>) {
    let (mut every, mut number) = (interval(EVERY), 0);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        let cmd = format!("probe-{number}");
        let begun = Instant::now();
        let data = json!({ "cmd": cmd, "name": format!("Number {number}") });
        let answer = client.rpc_within("profile.set", data, ANSWER).await;
        let mut seen = held(&seen);
        let refused = match answer {
            Ok(_) => {
                seen.acknowledged.push((player.clone(), cmd));
                number += 1;
                None
            }
            Err(ClientError::Rpc { code, message, temporary: true }) if ALLOWED.contains(&code) => {
                if !message.contains("again") {
                    seen.faults.push(format!("{player} was not told to try again: {message}"));
                }
                Some(format!("{code} {message}"))
            }
            Err(other) => {
                seen.faults.push(format!("{player} was to be answered or refused for now, not: {other}"));
                if client.is_closed() {
                    return;
                }
                Some(other.to_string())
            }
        };
        seen.attempts.push(Attempt { begun, took: begun.elapsed(), refused });
    }
}

async fn watch(port: u16, seen: Arc<Mutex<Seen>>) {
    let mut every = interval(EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        let said = match http::get(port, "/readyz", None).await {
            Ok(reply) if reply.status == 200 => None,
            Ok(reply) => Some(reply.json()["detail"].as_str().unwrap_or_default().to_owned()),
            Err(err) => Some(format!("no answer: {err}")),
        };
        held(&seen).readiness.push((Instant::now(), said));
    }
}

fn held(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
