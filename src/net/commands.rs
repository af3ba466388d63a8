//! The commands of one connection: who is asking, how much it may ask, what is under way, what it is answered.
//!
//! Calls run side by side, so a slow quest step does not hold up a fix; fixes alone run one call after the other,
//! since their order is what they mean. Connecting is awaited on the spot: SDKs send subscriptions in the same frame.
//! Promise: each command with an id gets exactly one answer, in at most the deadline of `Game`'s call.

use super::budget::Budget;
use super::close::Close;
use super::fix::{self, Batch};
use super::limits::Bucket;
use super::listener::Edge;
use super::metrics::Limited;
use super::outbound::Outbound;
use super::protocol::{self, Ask, Command, Form, NotAProtocol, SendData};
use super::wake;
use crate::actors::contract::FixReply;
use crate::actors::game::Session;
use crate::ids::PlayerId;
use crate::quest::act::Act;
use crate::quest::refusal::Refusal;
use crate::units::Timestamp;
use futures_util::StreamExt as _;
use futures_util::future::{BoxFuture, FutureExt as _};
use futures_util::stream::FuturesUnordered;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

mod enter;

/// Commands under way on one connection from which on no more are read: as many as one frame may bear, so twice as many at
/// most. To refuse what cannot be done yet would cost a server that has too much to do half of what it can.
const IN_FLIGHT_MAX: usize = protocol::COMMANDS_MAX;
/// Attempts to connect a second on one connection, and saved up: checking a signature is the dearest thing that a stranger
/// can ask for.
const ATTEMPTS: (u32, u32) = (1, 5);
/// Refusals for haste that are borne before the connection is closed: a client that heeds them never comes near.
const STRIKES: (u32, u32) = (2, 100);
/// Longest channel name: a kind, a colon and an id.
const CHANNEL_BYTES_MAX: usize = 128;

/// What the connection's loop is to do after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Go on.
    Go,
    /// Go on; the session has begun.
    Opened,
    /// Close, after what waits has been written.
    Close(Close),
    /// End at once: nobody is there.
    Gone,
}

/// The state of one connection's commands.
pub(super) struct Desk {
    edge: Arc<Edge>,
    /// What waits to be written.
    pub(super) out: Arc<Outbound>,
    connected: Option<Connected>,
    running: FuturesUnordered<BoxFuture<'static, Done>>,
    /// Fixes behind the call that is under way.
    waiting: VecDeque<FixJob>,
    judging: bool,
    attempts: Bucket,
    strikes: Bucket,
}

struct Connected {
    session: Arc<Session>,
    player: PlayerId,
    expires: Timestamp,
    budget: Arc<Budget>,
}

struct FixJob {
    /// `None`: fire and forget.
    id: Option<u32>,
    batch: Batch,
}

/// What a call that was under way leaves to be written.
enum Done {
    Reply(Vec<u8>),
    Fixes(Option<Vec<u8>>),
}

impl Desk {
    pub(super) fn new(edge: Arc<Edge>, form: Form) -> Self {
        let now = Instant::now();
        Self {
            edge,
            out: Arc::new(Outbound::new(form)),
            connected: None,
            running: FuturesUnordered::new(),
            waiting: VecDeque::new(),
            judging: false,
            attempts: Bucket::new(ATTEMPTS, now),
            strikes: Bucket::new(STRIKES, now),
        }
    }

    /// When the client's token ends, once it has connected.
    pub(super) fn expires(&self) -> Option<Timestamp> {
        self.connected.as_ref().map(|connected| connected.expires)
    }

    /// Waits for a call to finish or for something to be queued. Safe to drop at any time.
    pub(super) async fn work(&mut self) -> Outcome {
        tokio::select! {
            Some(done) = self.running.next() => {
                self.finish(done);
                // What else is ready leaves in the same frame.
                while let Some(Some(done)) = self.running.next().now_or_never() {
                    self.finish(done);
                }
            }
            () = self.out.woken() => {}
        }
        Outcome::Go
    }

    fn finish(&mut self, done: Done) {
        match done {
            Done::Reply(line) => self.out.reply(line),
            Done::Fixes(line) => {
                line.into_iter().for_each(|line| self.out.reply(line));
                self.judging = false;
                self.judge_next();
            }
        }
    }

    /// Takes the commands of a frame.
    pub(super) async fn frame(&mut self, commands: Result<Vec<Command<'_>>, NotAProtocol>) -> Outcome {
        let Ok(commands) = commands else { return Outcome::Close(Close::BAD_REQUEST) };
        let mut outcome = Outcome::Go;
        for command in commands {
            match self.command(command).await {
                Outcome::Go => {}
                Outcome::Opened => outcome = Outcome::Opened,
                end => return end,
            }
        }
        outcome
    }

    async fn command(&mut self, Command { id, ask }: Command<'_>) -> Outcome {
        if matches!(ask, Ask::Pong) {
            return Outcome::Go;
        }
        if (id == 0) != matches!(ask, Ask::Send { .. }) {
            return Outcome::Close(Close::BAD_REQUEST);
        }
        match (&self.connected, ask) {
            // Boxed: it runs once, and its room would be part of the connection's task to the end.
            (None, Ask::Connect(connect)) => Box::pin(self.connect(id, connect)).await,
            (None, _) | (Some(_), Ask::Connect(_)) => Outcome::Close(Close::BAD_REQUEST),
            // Waits for a key set, now and then.
            (Some(connected), Ask::Refresh { token }) => {
                let (player, budget) = (connected.player.clone(), Arc::clone(&connected.budget));
                match self.admit_command(id, &budget) {
                    Ok(()) => Box::pin(self.refresh(id, &token, &player)).await,
                    Err(outcome) => outcome,
                }
            }
            (Some(connected), ask) => {
                let (session, budget) = (Arc::clone(&connected.session), Arc::clone(&connected.budget));
                self.ask(id, ask, session, &budget)
            }
        }
    }

    fn ask(&mut self, id: u32, ask: Ask<'_>, session: Arc<Session>, budget: &Budget) -> Outcome {
        let now = self.edge.clock.now();
        match &ask {
            Ask::Send { data } => {
                return match serde_json::from_str::<SendData<'_>>(data) {
                    Ok(data) => self.fix(None, fix::one(data.fix.get(), now), budget),
                    Err(_) => Outcome::Close(Close::BAD_REQUEST),
                };
            }
            Ask::Rpc { method, data } if method == "fix" => return self.fix(Some(id), fix::one(data, now), budget),
            Ask::Rpc { method, data } if method == "fixes" => {
                return self.fix(Some(id), fix::many(data, now), budget);
            }
            _ => {}
        }
        if let Err(outcome) = self.admit_command(id, budget) {
            return outcome;
        }
        let form = self.out.form();
        match ask {
            Ask::Rpc { method, data } => self.rpc(id, &method, &data, session),
            Ask::Subscribe { channel } => self.subscribe(id, channel, session),
            Ask::Unsubscribe { channel } => self.run(async move {
                session.unsubscribe(&channel);
                form.unsubscribed(id)
            }),
            Ask::Ping => self.out.reply(form.pinged(id)),
            Ask::Unavailable => return self.refuse(id, &protocol::not_available()),
            Ask::Unknown | Ask::Pong | Ask::Connect(_) | Ask::Refresh { .. } | Ask::Send { .. } => {
                return Outcome::Close(Close::BAD_REQUEST);
            }
        }
        Outcome::Go
    }

    fn rpc(&mut self, id: u32, method: &str, data: &str, session: Arc<Session>) {
        let form = self.out.form();
        let refused = match method {
            "state.get" => return self.run(async move { form.answer(id, session.state().await) }),
            "wake" => match wake::max(data) {
                Ok(max) => return self.run(async move { form.answer(id, session.wake(max).await) }),
                Err(refusal) => refusal,
            },
            _ => match Act::parse(method, data) {
                Ok(Some((cmd, act))) => {
                    return self.run(async move { form.answer(id, session.act(cmd, act).await) });
                }
                Ok(None) => protocol::unknown_method(method),
                Err(refusal) => refusal,
            },
        };
        self.out.reply(form.error_reply(id, &refused));
    }

    fn subscribe(&mut self, id: u32, channel: String, session: Arc<Session>) {
        let form = self.out.form();
        if channel.len() > CHANNEL_BYTES_MAX {
            let refusal = Refusal::unknown_channel("no such channel; the channels are listed in docs/protocol.md");
            return self.out.reply(form.error_reply(id, &refusal));
        }
        self.run(async move {
            match session.subscribe(&channel).await {
                Ok(data) => form.subscribed(id, &data),
                Err(refusal) => form.error_reply(id, &refusal),
            }
        });
    }

    /// Runs a call beside the others.
    fn run(&mut self, call: impl Future<Output = Vec<u8>> + Send + 'static) {
        self.running.push(call.map(Done::Reply).boxed());
    }

    fn fix(&mut self, id: Option<u32>, parsed: Result<Batch, Refusal>, budget: &Budget) -> Outcome {
        let batch = match parsed {
            Ok(batch) => batch,
            Err(refusal) => {
                // Malformed fixes cost a command's token, so they are not for free.
                let admitted = budget.command(Instant::now()).is_ok();
                return match id {
                    _ if !admitted => self.hasty(id, Limited::Commands, "too many commands"),
                    Some(id) => self.refuse(id, &refusal),
                    None => Outcome::Go,
                };
            }
        };
        if let Err(wait) = budget.fixes(batch.sent(), Instant::now()) {
            return self.too_many("fixes", Limited::Fixes, id, wait);
        }
        self.waiting.push_back(FixJob { id, batch });
        self.judge_next();
        Outcome::Go
    }

    /// Starts the next call for fixes, if none is under way.
    fn judge_next(&mut self) {
        let Some(connected) = self.connected.as_ref().filter(|_| !self.judging) else { return };
        let Some(FixJob { id, batch }) = self.waiting.pop_front() else { return };
        if self.waiting.is_empty() {
            self.waiting = VecDeque::new();
        }
        self.judging = true;
        let (session, form) = (Arc::clone(&connected.session), self.out.form());
        let call = async move {
            let Batch { good, fate } = batch;
            let judged = match good.is_empty() {
                true => Ok(FixReply { seq: None, accepted: 0, ignored: Vec::new(), rings: Vec::new(), next: None }),
                false => session.fixes(good).await,
            };
            Done::Fixes(id.map(|id| form.answer(id, judged.map(|reply| fate.of_all(reply)))))
        };
        self.running.push(call.boxed());
    }

    /// Whether nothing is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.running.is_empty() && self.waiting.is_empty()
    }

    /// Whether another frame may be read.
    pub(super) fn has_room(&self) -> bool {
        self.running.len() + self.waiting.len() < IN_FLIGHT_MAX
    }

    fn admit_command(&mut self, id: u32, budget: &Budget) -> Result<(), Outcome> {
        let spent = budget.command(Instant::now());
        spent.map_err(|wait| self.too_many("commands", Limited::Commands, Some(id), wait))
    }

    fn too_many(&mut self, of: &str, what: Limited, id: Option<u32>, wait: Duration) -> Outcome {
        // Rounded up: whoever waits so long is not too early.
        self.hasty(id, what, &format!("too many {of}: try again in {} ms", wait.as_millis() + 1))
    }

    /// Answers a client that asks too much, until even that is too much.
    fn hasty(&mut self, id: Option<u32>, what: Limited, message: &str) -> Outcome {
        self.edge.metrics.limited(what);
        if !self.strikes.take(1, Instant::now()) {
            return Outcome::Close(Close::TOO_MANY_REQUESTS);
        }
        match id {
            Some(id) => self.refuse(id, &Refusal::too_many_requests(message)),
            None => Outcome::Go,
        }
    }

    fn refuse(&self, id: u32, refusal: &Refusal) -> Outcome {
        self.out.reply(self.out.form().error_reply(id, refusal));
        Outcome::Go
    }
}
