//! A client that does not give up: it reconnects, recovers what was missed, and hands out each notice once, in order.
//!
//! Walkers survive a `kill -9` of the server by it. Promise: notices of one epoch come with rising offsets and none
//! twice; when the server cannot give what was missed, [`LinkEvent::Up`] says so before anything else comes. A reader
//! who is slow slows the link down (the server then closes it, and recovery fills in); nothing is thrown away.

use super::{Client, ClientError, Connected, Publication, Push, Resume, Subscribed};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;

/// The least pause before a new attempt: a server that starts needs it, and a thousand clients do too.
const PAUSE_MIN: Duration = Duration::from_millis(200);

/// The longest pause: past it a player would rather start the app anew.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// The most events that wait for the reader; with the connection's own queue it bounds what a link can hold.
const EVENTS_MAX: usize = 1_024;

/// The most channels that a link subscribes to again after a drop: a team, some boards, and room.
const CHANNELS_MAX: usize = 32;

/// Gives a fresh token for each attempt, so that a token that has run out does not end the link.
pub type TokenFn = Arc<dyn Fn() -> String + Send + Sync>;

/// Whether a call may be sent again when its outcome is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// It bears a command id (or sequence numbers), so the server does it once however often it comes.
    Safe,
    /// A second time would be a second deed.
    Never,
}

/// What a link tells its reader.
#[derive(Debug, Clone, PartialEq)]
pub enum LinkEvent {
    /// Connected.
    Up {
        /// Whether the stream goes on without a gap. If not, start from a snapshot (`state.get`): this is the first
        /// connection, or what was missed is gone.
        continued: bool,
        /// Where we asked to resume, if we did.
        from: Option<Resume>,
        /// The place after which notices follow, by the server's word; `None` if it gave us no stream.
        at: Option<Resume>,
    },
    /// A notice in the player's own stream.
    Notice {
        /// Its place in the stream.
        offset: u64,
        /// What.
        data: Value,
    },
    /// A publication in another channel, or one without a place in a stream.
    Publication {
        /// The channel.
        channel: String,
        /// What.
        data: Value,
    },
    /// Not connected; another attempt follows.
    Down {
        /// Why, in words.
        reason: String,
        /// When it is tried again.
        retry_in: Duration,
    },
    /// The server told us to stay away; the last event.
    Ended {
        /// Why, in words.
        reason: String,
    },
}

/// A connection that comes back; clones share it, and it ends when the last is dropped.
#[derive(Clone, Debug)]
pub struct Link {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    task: AbortHandle,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Debug)]
struct Shared {
    state: watch::Sender<State>,
    resume: Mutex<Option<Resume>>,
    channels: Mutex<BTreeSet<String>>,
}

#[derive(Clone, Debug)]
enum State {
    Down,
    Up(Client),
    Ended { code: u32, reason: String },
}

impl Link {
    /// Starts connecting at once and returns without waiting for it.
    ///
    /// Read the events, or drop their receiver if nothing in them matters: a full queue holds the link up.
    pub fn start(url: &str, token: TokenFn, resume: Option<Resume>) -> (Self, mpsc::Receiver<LinkEvent>) {
        let (events, reader) = mpsc::channel(EVENTS_MAX);
        let shared = Arc::new(Shared {
            state: watch::Sender::new(State::Down),
            resume: Mutex::new(resume),
            channels: Mutex::default(),
        });
        let keeper = Keeper { url: url.to_owned(), token, shared: shared.clone(), events, pauses: Pauses::default() };
        #[expect(clippy::disallowed_methods, reason = "the link owns it and ends it when it is dropped")]
        let task = tokio::spawn(keeper.run()).abort_handle();
        (Self { inner: Arc::new(Inner { shared, task }) }, reader)
    }

    /// Calls a method, waiting for a connection if there is none, at most `deadline` in all.
    ///
    /// With [`Repeat::Safe`] the call is sent again when the connection broke under it or the server said that its
    /// refusal is temporary.
    pub async fn rpc(
        &self,
        method: &str,
        data: Value,
        repeat: Repeat,
        deadline: Duration,
    ) -> Result<Value, ClientError> {
        match tokio::time::timeout(deadline, self.rpc_until_done(method, data, repeat, deadline)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(ClientError::Deadline { what: method.to_owned(), after: deadline }),
        }
    }

    /// Subscribes to a channel, and again after each drop; gives the first reply's body.
    pub async fn subscribe(&self, channel: &str, deadline: Duration) -> Result<Value, ClientError> {
        let subscribing = async { self.client().await?.subscribe(channel).await };
        let late = |_| ClientError::Deadline { what: format!("subscribe to {channel}"), after: deadline };
        let reply = tokio::time::timeout(deadline, subscribing).await.map_err(late)??;
        let mut channels = locked(&self.inner.shared.channels);
        if channels.len() < CHANNELS_MAX {
            channels.insert(channel.to_owned());
        }
        Ok(reply)
    }

    /// Where the stream stands: what to give to [`Self::start`] after a restart of this program.
    pub fn resume(&self) -> Option<Resume> {
        locked(&self.inner.shared.resume).clone()
    }

    /// Drops the present connection without a word; the link comes back.
    pub fn kill(&self) {
        if let State::Up(client) = &*self.inner.shared.state.borrow() {
            client.kill();
        }
    }

    /// The present connection, or the next one; waits without end, so the callers set a deadline.
    async fn client(&self) -> Result<Client, ClientError> {
        let mut states = self.inner.shared.state.subscribe();
        let usable = |state: &State| match state {
            State::Up(client) => !client.is_closed(),
            State::Ended { .. } => true,
            State::Down => false,
        };
        let state = states.wait_for(usable).await.map(|state| state.clone());
        match state {
            Ok(State::Up(client)) => Ok(client),
            Ok(State::Ended { code, reason }) => Err(ClientError::Closed { code, reason }),
            // The sender lives in `self` and `Down` is not waited for.
            Ok(State::Down) | Err(_) => Err(super::connection::Closed::transport().into()),
        }
    }

    async fn rpc_until_done(
        &self,
        method: &str,
        data: Value,
        repeat: Repeat,
        deadline: Duration,
    ) -> Result<Value, ClientError> {
        let mut pause = PAUSE_MIN;
        loop {
            let client = self.client().await?;
            let error = match client.rpc_within(method, data.clone(), deadline).await {
                Ok(reply) => return Ok(reply),
                Err(error) if repeat == Repeat::Never => return Err(error),
                Err(error) => error,
            };
            match error {
                ClientError::Closed { .. } => {}
                ClientError::Rpc { temporary: true, .. } => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
                other => return Err(other),
            }
        }
    }
}

/// The task behind a link.
struct Keeper {
    url: String,
    token: TokenFn,
    shared: Arc<Shared>,
    events: mpsc::Sender<LinkEvent>,
    pauses: Pauses,
}

impl Keeper {
    async fn run(mut self) {
        loop {
            let error = self.one_connection().await;
            if !error.may_reconnect() {
                let reason = error.to_string();
                let code = if let ClientError::Closed { code, .. } | ClientError::Refused { code, .. } = error {
                    code
                } else {
                    super::CODE_BAD_PROTOCOL
                };
                self.shared.state.send_replace(State::Ended { code, reason: reason.clone() });
                self.tell(LinkEvent::Ended { reason }).await;
                return;
            }
            self.shared.state.send_replace(State::Down);
            let retry_in = self.pauses.next();
            self.tell(LinkEvent::Down { reason: error.to_string(), retry_in }).await;
            tokio::time::sleep(retry_in).await;
        }
    }

    /// Connects and hands on what comes, until it breaks; then says why.
    async fn one_connection(&mut self) -> ClientError {
        let resume = locked(&self.shared.resume).clone();
        let (client, connected) = match Client::connect(&self.url, &(self.token)(), resume).await {
            Ok(both) => both,
            Err(error) => return error,
        };
        self.pauses.reset();
        // Before the notices: a reader who is at a call just now must not wait for a reader of notices.
        self.shared.state.send_replace(State::Up(client.clone()));
        let own = self.take_up(connected).await;
        let (error, ()) = tokio::join!(self.hand_on(&client, &own), self.subscribe_again(&client));
        error
    }

    async fn hand_on(&self, client: &Client, own: &str) -> ClientError {
        while let Some(push) = client.next_push().await {
            match push {
                Push::Publication { channel, data, offset: Some(offset) } if channel == own => {
                    self.notice(offset, data).await;
                }
                Push::Publication { channel, data, .. } => self.tell(LinkEvent::Publication { channel, data }).await,
                Push::Disconnected { code, reason } => return ClientError::Closed { code, reason },
            }
        }
        super::connection::Closed::transport().into()
    }

    /// Settles where the stream stands, hands out what was missed, and gives the own channel's name.
    async fn take_up(&self, connected: Connected) -> String {
        let from = locked(&self.shared.resume).clone();
        let Some((channel, sub)) = connected.subs.into_iter().find(|(channel, _)| channel.starts_with('#')) else {
            self.tell(LinkEvent::Up { continued: false, from, at: None }).await;
            return String::new();
        };
        let Subscribed { epoch, offset, recovered, publications, .. } = sub;
        let continued = recovered && from.as_ref().is_some_and(|seen| seen.epoch == epoch);
        let at = Some(Resume { epoch: epoch.clone(), offset });
        self.tell(LinkEvent::Up { continued, from, at }).await;
        if continued {
            for Publication { data, offset } in publications {
                self.notice(offset.unwrap_or_default(), data).await;
            }
        }
        let mut resume = locked(&self.shared.resume);
        // Offsets of one epoch only rise; a new epoch, or a loss, begins where the server says.
        let seen = resume.as_ref().filter(|_| continued).map_or(0, |seen| seen.offset);
        *resume = Some(Resume { epoch, offset: offset.max(seen) });
        channel
    }

    async fn notice(&self, offset: u64, data: Value) {
        if locked(&self.shared.resume).as_ref().is_some_and(|seen| offset <= seen.offset) {
            return;
        }
        self.tell(LinkEvent::Notice { offset, data }).await;
        // After the telling: a link that is dropped in between has not seen the notice.
        if let Some(seen) = locked(&self.shared.resume).as_mut() {
            seen.offset = offset;
        }
    }

    async fn subscribe_again(&self, client: &Client) {
        let channels: Vec<String> = locked(&self.shared.channels).iter().cloned().collect();
        for channel in channels {
            if let Err(error) = client.subscribe(&channel).await {
                tracing::debug!(%channel, %error, "not subscribed again");
            }
        }
    }

    async fn tell(&self, event: LinkEvent) {
        // A reader who has left wants the calls only.
        let _ = self.events.send(event).await;
    }
}

/// Full jitter: each pause is drawn anew below a ceiling that doubles, so that a thousand clients spread out.
struct Pauses {
    attempt: u32,
    rng: StdRng,
}

impl Default for Pauses {
    fn default() -> Self {
        Self { attempt: 0, rng: StdRng::from_os_rng() }
    }
}

impl Pauses {
    fn next(&mut self) -> Duration {
        let ceiling = PAUSE_MIN.saturating_mul(2_u32.saturating_pow(self.attempt)).min(PAUSE_MAX);
        self.attempt = self.attempt.saturating_add(1);
        (PAUSE_MIN + ceiling.mul_f64(self.rng.random::<f64>())).min(PAUSE_MAX)
    }

    fn reset(&mut self) {
        self.attempt = 0;
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_stay_within_bounds() {
        let mut pauses = Pauses { attempt: 0, rng: StdRng::seed_from_u64(1) };
        let drawn: Vec<Duration> = (0..50).map(|_| pauses.next()).collect();
        assert!(drawn.iter().all(|pause| (PAUSE_MIN..=PAUSE_MAX).contains(pause)), "{drawn:?}");
        assert!(drawn[0] <= PAUSE_MIN * 2);
        assert!(drawn[10..].iter().any(|pause| *pause > Duration::from_secs(3)));
        pauses.reset();
        assert!(pauses.next() <= PAUSE_MIN * 2);
    }
}
