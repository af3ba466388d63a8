//! How a test strikes: a seed, so many kills, each at its own kind of moment.

use crate::ground::Ground;
use crate::server::{Folder, Server, Start, say};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use std::ops::Range;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// Kills of the normal run: each kind of moment at least once.
const KILLS: u32 = 8;
/// Longest wait for a moment to come: nothing happens for so long only if a chain has stopped.
const MOMENT: Duration = Duration::from_secs(30);

/// When a server is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Moment {
    /// At any time.
    Any,
    /// Right after a witness was told something.
    Told,
    /// When a command has been sent and is not answered.
    Sent,
    /// While it starts.
    Starting,
    /// While it drains.
    Draining,
}

/// The order in which they come, again and again.
const ROUND: [Moment; 7] =
    [Moment::Any, Moment::Told, Moment::Sent, Moment::Starting, Moment::Draining, Moment::Any, Moment::Sent];

/// The plan of one test. When the test fails it says how to run it again.
#[derive(Debug)]
pub(crate) struct Plan {
    /// How many kills.
    pub kills: u32,
    /// What chance begins with.
    pub seed: u64,
    rng: StdRng,
}

impl Plan {
    /// As `WAYSTONE_KILLS` and `WAYSTONE_SEED` have it, else the normal number and a seed of the moment.
    pub(crate) fn from_env() -> Self {
        let kills = number("WAYSTONE_KILLS").map_or(KILLS, |kills| u32::try_from(kills).expect("not so many"));
        let seed = seed();
        say(&format!("{kills} kills, seed {seed}"));
        Self { kills, seed, rng: StdRng::seed_from_u64(seed) }
    }

    /// The moment of a kill, counted from 0.
    pub(crate) fn moment(&self, kill: u32) -> Moment {
        ROUND[kill as usize % ROUND.len()]
    }

    /// Kills the server at such a moment, and starts it anew.
    pub(crate) async fn strike(
        &mut self,
        moment: Moment,
        mut server: Server,
        folder: &Folder,
        how: Start,
        ground: &Ground,
    ) -> Server {
        match moment {
            Moment::Any => self.pause(100..2_000).await,
            Moment::Told => {
                self.pause(0..500).await;
                next(&ground.told, "a notice").await;
            }
            Moment::Sent => {
                self.pause(0..500).await;
                next(&ground.sending, "a command").await;
                // The answer takes a commit: some milliseconds.
                self.pause(0..8).await;
            }
            Moment::Starting => {
                server.kill();
                server = Server::spawn(folder, how);
                self.pause(0..400).await;
            }
            Moment::Draining => {
                self.pause(100..500).await;
                server.signal("TERM");
                self.pause(0..300).await;
            }
        }
        server.kill();
        Server::start(folder, how).await
    }

    /// The only sleeps of the test: chance decides when it strikes, and there is nothing to wait for.
    async fn pause(&mut self, millis: Range<u64>) {
        tokio::time::sleep(Duration::from_millis(self.rng.random_range(millis))).await;
    }
}

/// A switch of the test.
#[expect(clippy::disallowed_methods, reason = "these are the test's own switches, not the server's settings")]
pub(crate) fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a whole number"))
}

/// What chance begins with: `WAYSTONE_SEED`, else anything.
pub(crate) fn seed() -> u64 {
    number("WAYSTONE_SEED").unwrap_or_else(rand::random)
}

impl Drop for Plan {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self { kills, seed, .. } = self;
            say(&format!(
                "again: WAYSTONE_KILLS={kills} WAYSTONE_SEED={seed} cargo test --test crash kill -- --nocapture"
            ));
        }
    }
}

async fn next(count: &watch::Sender<u64>, what: &str) {
    let mut count = count.subscribe();
    let changed = timeout(MOMENT, count.changed()).await;
    assert!(changed.is_ok(), "{what} was to come within {MOMENT:?} and none did: a chain has stopped");
}
