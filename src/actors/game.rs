//! `Game`: what the edge may ask of the actors. `net` knows this handle and nothing below it.
//!
//! Promise: a reply that says yes speaks of something durable. Every call has a deadline and answers with a
//! `Refusal` when it passes; a refused call changed nothing or is recognised when repeated with its command id.

use crate::actors::access::{Access, Credential, Revocation, Revoked};
use crate::actors::act_route;
use crate::actors::cards::{Counts, Happening, Overview, PlayerDot};
use crate::actors::channels::{self, Channel};
use crate::actors::contract::{CloseReason, FixReply, Hello, Sink, StreamPosition, Wake, Welcome};
use crate::actors::live_session::{self, Judged, SessionAnswer};
use crate::actors::mailbox::SessionMessage;
use crate::actors::node::Node;
use crate::actors::operator::{self, ParkedEverywhere, Unparked};
use crate::actors::posted::Posted;
use crate::actors::session::SessionArguments;
use crate::actors::session_ref::SessionRef;
use crate::actors::survey::{self, Looker};
pub use crate::cluster::link::Device;
use crate::cluster::link::{SessionKey, SessionQuestion};
use crate::cluster::router::{Attached, Request, Response, Undelivered};
use crate::cluster::shard::Shard;
use crate::faults::{self, Bug};
use crate::geo::position::Fix;
use crate::ids::{EntityId, PlayerId, QuestId, StepId, TeamId};
use crate::quest::act::{Act, CommandId, StepRef};
use crate::quest::aggregate::Message;
use crate::quest::command::{Command, PlayerCommand};
use crate::quest::guidance::Guidance;
use crate::quest::refusal::Refusal;
use crate::quest::view;
use arc_swap::ArcSwap;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, broadcast, oneshot};
use tokio::time::timeout;

/// Fix calls of one session under way: a phone that flushes its queue sends batches one after the other.
const FIXES_IN_FLIGHT: usize = 16;

/// How often, and for how long, a session is looked at that is to hear of a change of team: it takes two commits.
const LOOK: Duration = Duration::from_millis(5);
const CAUGHT_UP: Duration = Duration::from_millis(500);

/// The one handle on the actors; cheap to clone.
#[derive(Debug, Clone)]
pub struct Game {
    node: Arc<Node>,
    name: Arc<str>,
    posted: Arc<Posted>,
}

/// A live session; dropping it ends it.
#[derive(Debug)]
pub struct Session {
    player: PlayerId,
    number: u64,
    node: Arc<Node>,
    actor: SessionRef,
    sink: Arc<dyn Sink>,
    guidance: Arc<ArcSwap<Guidance>>,
    credits: Arc<Semaphore>,
}

impl Game {
    /// A handle on a node's actors, under a name for people.
    pub fn new(node: Arc<Node>, name: &str) -> Self {
        node.access.call(name);
        Self { node, name: name.into(), posted: Arc::default() }
    }

    /// Opens a session. A session of the same player that is still there is closed as `Replaced`.
    pub async fn connect(&self, hello: Hello, sink: Arc<dyn Sink>) -> Result<(Session, Welcome), Refusal> {
        if self.node.is_open().is_err() {
            return Err(Refusal::unavailable("this node is shutting down, or cut off; connect again"));
        }
        let player = hello.player.clone();
        let guidance = Arc::new(ArcSwap::from_pointee(Guidance::default()));
        let number = self.node.sessions.number();
        let key = SessionKey { node: self.node.router.me().clone(), number };
        let arguments = SessionArguments {
            player: player.clone(),
            key: key.clone(),
            node: Arc::clone(&self.node),
            sink: Arc::clone(&sink),
            guidance: Arc::clone(&guidance),
        };
        let actor = SessionRef::start(arguments)
            .map_err(|_| Refusal::internal("the session did not start; connect again"))?;
        // From here on dropping the session ends its actor, whatever fails below.
        let credits = Arc::new(Semaphore::new(FIXES_IN_FLIGHT));
        let node = Arc::clone(&self.node);
        let session = Session { player: player.clone(), number, node, actor, sink, guidance, credits };
        let entered = self.node.sessions.enter(&player, number, session.actor.clone(), hello.credential.clone());
        if let Some(before) = entered {
            // One that has just ended needs no telling.
            before.cast(SessionMessage::Close(CloseReason::Replaced)).unwrap_or_default();
        }
        // It may have been revoked since it was checked; from now on a revocation finds the session.
        if self.node.access.revokes(&player, &hello.credential) {
            return Err(Refusal::permission_denied("the token has been revoked: sign in again"));
        }
        self.introduce(&hello).await?;
        let epoch = self.node.journal.id().to_owned();
        let after = hello.resume.as_ref().filter(|resume| resume.epoch == epoch).map(|resume| resume.offset);
        let request = Request::Attach { after, session: key, since: None };
        let Response::Attached(attached) = self.node.router.ask(EntityId::Player(player), request).await? else {
            return Err(Refusal::internal("the player did not answer; connect again"));
        };
        let Attached { since, epoch: owned, offset, missed, guidance } = *attached;
        let (taken_in, routed) = oneshot::channel();
        let guidance = Box::new(guidance);
        let welcome = SessionMessage::Welcome { offset, guidance, since, epoch: owned, taken_in };
        let ended = || Refusal::unavailable("the session has ended; connect again");
        session.actor.cast(welcome).map_err(|_| ended())?;
        // Clients send commands at once; without its guidance the session would take the player for a stranger.
        routed.await.map_err(|_| ended())?;
        let recovered = missed.is_some();
        let position = StreamPosition { epoch, offset };
        Ok((session, Welcome { position, recovered, missed: missed.unwrap_or_default() }))
    }

    /// Tells the player's entity the name and language of the token, if they are new.
    async fn introduce(&self, hello: &Hello) -> Result<(), Refusal> {
        if hello.name.is_some() || hello.lang.is_some() {
            let profile = PlayerCommand::Profile { name: hello.name.clone(), lang: hello.lang.clone() };
            let message = Message::bare(Command::Player(profile));
            self.node.router.send(EntityId::Player(hello.player.clone()), message).await?;
        }
        Ok(())
    }

    /// An operator's verdict on a photo.
    pub async fn review(&self, review: Review) -> Result<(), Refusal> {
        let at = StepRef { quest: review.quest, step: review.step };
        let command = PlayerCommand::Review { at, approve: review.approve, reason: review.reason };
        let message = Message::bare(Command::Player(command));
        self.node.router.send(EntityId::Player(review.player), message).await?;
        Ok(())
    }

    /// Parked entities of all nodes, for operators.
    pub async fn parked(&self) -> ParkedEverywhere {
        operator::parked(&self.node).await
    }

    /// Has a parked entity tried again; `drop`: without the message that it panicked at.
    pub async fn unpark(&self, entity: EntityId, drop: bool) -> Result<Unparked, Refusal> {
        operator::unpark(&self.node, entity, drop).await
    }

    /// Which circles a player's phone is to watch, as the player's live session knows it, on whichever node it is.
    pub async fn wake(&self, player: &PlayerId, max: usize) -> Result<Wake, Refusal> {
        match live_session::ask(&self.node, player, SessionQuestion::Wake { max }).await {
            SessionAnswer::Wake(wake) => Ok(wake),
            SessionAnswer::Refused(refusal) => Err(refusal),
            SessionAnswer::Judged(_) | SessionAnswer::Nowhere => {
                Err(Refusal::no_fix("no connection of yours has sent a fix: connect, send one, then ask again"))
            }
        }
    }

    /// Judges fixes that came without a socket, of the player's own app or of another device; the order is that of their
    /// times. Without `newcomers` only those of players who have a live session.
    pub async fn post(
        &self,
        hello: Hello,
        device: Option<Device>,
        fixes: Vec<Fix>,
        newcomers: bool,
    ) -> Result<Judged, Refusal> {
        self.posted.judge(self, hello, (device, fixes), newcomers).await
    }

    /// Revoked tokens, and the audit log.
    pub fn access(&self) -> &Access {
        &self.node.access
    }

    /// Revokes tokens, and closes the sessions that they opened.
    pub async fn revoke(&self, what: Revoked, by: &str) -> Result<Revocation, Refusal> {
        self.node.revoke(what, by).await
    }

    /// Takes a revocation back; `false`: there is none of that name.
    pub async fn lift(&self, id: &str) -> Result<bool, Refusal> {
        self.node.lift(id).await
    }

    pub(super) fn node(&self) -> &Arc<Node> {
        &self.node
    }

    pub(super) fn posted(&self) -> &Posted {
        &self.posted
    }

    /// Everything a console shows at its start: of other nodes what they said last, which a [`Looker`] renews.
    pub fn overview(&self) -> Overview {
        let stock = self.node.overview.stock();
        let content = self.node.world.content();
        let quests = content.catalog.all_latest().into_iter().map(|quest| view::quest(quest)).collect();
        let (players, counts) = (self.node.positions.all(), self.counts());
        let board = self.node.overview.lock();
        let mut overview = Overview {
            node: self.name.to_string(),
            nodes: Vec::new(),
            quests,
            teams: board.shown_teams(),
            stock,
            reviews: board.reviews.values().cloned().collect(),
            players,
            recent: board.after(0),
            counts,
        };
        drop(board);
        self.node.survey.complete(&mut overview, &self.node);
        overview
    }

    /// How many shards this node serves now.
    pub fn served(&self) -> usize {
        Shard::all().filter(|shard| self.node.ownership.serves(*shard).is_some()).count()
    }

    /// Has other nodes asked for their parts of the overview, while somebody looks.
    pub fn look(&self) -> Looker {
        Looker::new(Arc::clone(&self.node))
    }

    /// Where live players are now, on whichever node, for the operator; and the sum of all nodes' counters.
    pub fn dots(&self) -> (Vec<PlayerDot>, Counts) {
        self.node.survey.dots(&self.node)
    }

    /// Counters of this node since the start.
    pub fn counts(&self) -> Counts {
        survey::counts(&self.node)
    }

    /// What happens on other nodes from now on, while somebody looks.
    pub fn watch_others(&self) -> broadcast::Receiver<Arc<Happening>> {
        self.node.survey.watch()
    }

    /// What happens from now on, for consoles; a slow reader loses the oldest and is told how many.
    pub fn watch(&self) -> broadcast::Receiver<Arc<Happening>> {
        self.node.overview.watch()
    }

    /// The codes of a quest's scan steps, for printing them.
    pub fn scan_codes(&self, quest: &QuestId) -> Option<Vec<(StepId, String)>> {
        self.node.world.content().scan_codes(quest)
    }

    /// Whether the journal takes writes and the node does not drain; `Err` says what is wrong.
    pub fn ready(&self) -> Result<(), &'static str> {
        self.node.is_open()?;
        self.node.journal.ready()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.node.channels.unsubscribe(&self.player, None, &self.sink);
        self.actor.stop();
    }
}

impl Session {
    /// Judges fixes in order. Answers when every transition among them is durable at its region.
    pub async fn fixes(&self, fixes: Vec<Fix>) -> Result<FixReply, Refusal> {
        let ended = || Refusal::unavailable("the session has ended; connect again");
        let permit = Arc::clone(&self.credits)
            .try_acquire_owned()
            .map_err(|_| Refusal::too_many_requests("too many fixes at once; wait for an answer before the next"))?;
        let (answer, answered) = oneshot::channel();
        self.actor.cast(SessionMessage::Fixes { fixes, device: None, answer, permit }).map_err(|_| ended())?;
        answered.await.map_err(|_| ended())?
    }

    /// Goes on by another token. `false`: it has been revoked in the meantime.
    pub fn renew(&self, credential: Credential) -> bool {
        self.node.sessions.renew(&self.player, self.number, credential.clone());
        !self.node.access.revokes(&self.player, &credential)
    }

    /// Which circles the phone is to watch while its app sleeps, `max` at most.
    pub async fn wake(&self, max: usize) -> Result<Wake, Refusal> {
        live_session::wake(&self.actor, max).await
    }

    /// A command. `Ok` bears the method's documented reply.
    pub async fn act(&self, cmd: Option<CommandId>, act: Act) -> Result<Value, Refusal> {
        let guidance = self.guidance.load_full();
        let content = self.node.world.content();
        let (to, command) = act_route::route(&self.player, &guidance, &content.catalog, cmd.as_ref(), &act)?;
        let cmd = cmd.filter(|_| !faults::planted(Bug::CommandIdIgnored));
        let former = act_route::heard_before(&guidance, &to, cmd.as_ref());
        let changed = match (&act, &to) {
            (Act::CreateTeam { .. } | Act::JoinTeam { .. }, EntityId::Team(team)) => Some((true, team.clone())),
            (Act::LeaveTeam, EntityId::Team(team)) => Some((false, team.clone())),
            _ => None,
        };
        let message = Message::from_act(&self.player, cmd, &act, command);
        let done = |answer: Option<Value>| answer.unwrap_or_else(|| Value::Object(serde_json::Map::new()));
        if let Some(former) = former {
            match self.node.router.send(former, message.clone()).await {
                // It knows neither the command nor the player: the command is new.
                Err(Undelivered::Refused(refusal)) if refusal.code == Refusal::no_team("").code => {}
                answered => return Ok(done(answered?)),
            }
        }
        let answer = self.node.router.send(to, message).await?;
        self.catch_up(changed).await;
        Ok(done(answer))
    }

    /// All that the player may know now: `state.get`.
    pub async fn state(&self) -> Result<Value, Refusal> {
        let mut state = self.view(EntityId::Player(self.player.clone())).await?;
        let team = match &self.guidance.load().team {
            Some(team) => self.view(EntityId::Team(team.clone())).await?,
            None => Value::Null,
        };
        state["team"] = team;
        Ok(state)
    }

    async fn view(&self, of: EntityId) -> Result<Value, Refusal> {
        match self.node.router.ask(of, Request::View).await? {
            Response::Viewed(value) => Ok(value),
            _ => Err(Refusal::internal("an entity gave a strange answer")),
        }
    }

    /// Subscribes to a live channel; `Ok` bears its present content.
    pub async fn subscribe(&self, channel: &str) -> Result<Value, Refusal> {
        let channel = Channel::parse(channel, self.guidance.load().team.as_ref())?;
        channels::may_listen(&channel, &self.guidance.load())?;
        let content = self.node.channels.subscribe(&self.player, channel.clone(), &self.sink)?;
        // Whoever leaves the team just now is taken off its channel when the session hears of it: before, or after.
        channels::may_listen(&channel, &self.guidance.load()).inspect_err(|_| self.unsubscribe_from(&channel))?;
        Ok(content)
    }

    /// Ends a subscription; unknown ones are no error.
    pub fn unsubscribe(&self, channel: &str) {
        // Those of a team that was left have ended by themselves.
        if let Ok(channel) = Channel::parse(channel, self.guidance.load().team.as_ref()) {
            self.unsubscribe_from(&channel);
        }
    }

    fn unsubscribe_from(&self, channel: &Channel) {
        self.node.channels.unsubscribe(&self.player, Some(channel), &self.sink);
    }

    /// Waits until the session knows what a command has made of the player's team: whoever has the answer may build on
    /// it at once.
    async fn catch_up(&self, changed: Option<(bool, TeamId)>) {
        let Some((member, team)) = changed else { return };
        let known = || (self.guidance.load().team.as_ref() == Some(&team)) == member;
        let wait = async {
            while !known() {
                tokio::time::sleep(LOOK).await;
            }
        };
        // A repeated command may speak of long ago: then there is nothing to wait for.
        timeout(CAUGHT_UP, wait).await.unwrap_or_default();
    }
}

/// An operator's verdict on a photo.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Review {
    /// Whose photo.
    pub player: PlayerId,
    /// Of which quest.
    pub quest: QuestId,
    /// Of which step.
    pub step: StepId,
    /// Taken or not.
    pub approve: bool,
    /// For the player, when not.
    #[serde(default)]
    pub reason: Option<String>,
}

#[cfg(test)]
mod tests;
