//! A live session's actor: it judges its player's fixes and brings each transition to its region; it hands the
//! player's notices to the socket, each once and in order.
//!
//! Nearly every fix ends here: no hop, no store. Promise: fixes are judged in the order they came; the answer to a
//! fix comes when its transitions are in the journal (but for those of a parked region, `pending`).

use crate::actors::contract::{CloseReason, FixReply, IgnoredFix, Push, Sink, WhyIgnored};
use crate::actors::mailbox::SessionMessage;
use crate::actors::meetings::Meetings;
use crate::actors::node::Node;
use crate::actors::session_ref::Berth;
use crate::actors::tracking::Tracking;
use crate::actors::wake::Waking;
use crate::cluster::link::{Device, SessionKey};
use crate::cluster::router::Response;
use crate::faults::{self, Bug};
use crate::geo::fence::{Fate, Ground, Tracker};
use crate::geo::position::Fix;
use crate::ids::{EntityId, PlayerId, QuestId, RegionId};
use crate::quest::command::Sighting;
use crate::quest::evidence::Evidence;
use crate::quest::guidance::{Guidance, Places};
use crate::quest::notice::Notice;
use crate::quest::refusal::Refusal;
use crate::units::Timestamp;
use arc_swap::ArcSwap;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::time::Instant;

mod attach;
mod life;
mod pending;
mod sights;

/// A stay's timer fires this much after its time, so that the journal's clock has passed it too.
const STAY_MARGIN: Duration = Duration::from_millis(20);

/// The actor's behaviour.
#[derive(Debug)]
pub struct SessionActor;

/// What it needs to start.
#[derive(Debug)]
pub struct SessionArguments {
    /// Whose.
    pub player: PlayerId,
    /// What it is called between nodes.
    pub key: SessionKey,
    /// The node's common parts.
    pub node: Arc<Node>,
    /// The socket's side.
    pub sink: Arc<dyn Sink>,
    /// Shared with the session's handle, which routes commands by it.
    pub guidance: Arc<ArcSwap<Guidance>>,
}

/// What it holds.
#[derive(Debug)]
pub struct SessionState {
    player: PlayerId,
    key: SessionKey,
    /// Where its state is kept while it sleeps.
    berth: Weak<Berth>,
    /// Since when it counts as its player's, as the player's entity said.
    since: Option<u64>,
    /// Whether it is about to attach anew.
    attaching: bool,
    node: Arc<Node>,
    sink: Arc<dyn Sink>,
    guidance: Arc<ArcSwap<Guidance>>,
    tracker: Tracker,
    waking: Waking,
    tracking: Tracking,
    /// The last offset told; `None` until the welcome.
    told: Option<u64>,
    /// Notices that came before the welcome.
    early: Vec<(u64, Arc<Notice>)>,
    /// Transitions that are still to be brought, oldest first.
    pending: VecDeque<(RegionId, Sighting, Evidence)>,
    /// The phone's clock less ours, at the last fix that counted: milliseconds.
    skew_ms: i64,
    /// Whether a timer is set to bring what waits.
    trying: bool,
    /// When a timer is set for a region that opens or closes.
    hours_due: Option<Timestamp>,
    /// Stays as they were armed.
    armed: BTreeMap<RegionId, Timestamp>,
    /// The last enter or exit, when its fix arrived: the notice that tells of it ends a measurement.
    measured: Option<(RegionId, Instant)>,
}

impl Actor for SessionActor {
    type Msg = SessionMessage;
    /// `None`: it sleeps, and this actor is about to end.
    type State = Option<Box<SessionState>>;
    type Arguments = Box<SessionState>;

    async fn pre_start(
        &self,
        _: ActorRef<SessionMessage>,
        state: Box<SessionState>,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(Some(state))
    }

    async fn handle(
        &self,
        myself: ActorRef<SessionMessage>,
        message: SessionMessage,
        held: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        let Some(state) = held.as_mut() else { return Ok(()) };
        match message {
            SessionMessage::Fixes { fixes, device, answer, permit } => {
                let reply = state.judge(fixes, device).await;
                state.mind_hours(&myself);
                // A socket that has closed meanwhile needs no answer.
                answer.send(reply).unwrap_or_default();
                drop(permit);
                // What could not be brought is tried again also when no further fix comes.
                if !state.pending.is_empty() {
                    state.try_again(&myself);
                }
            }
            SessionMessage::Wake { max, answer } => {
                let (guidance, content) = (state.guidance.load_full(), state.node.world.content());
                // Whoever asked may have gone meanwhile.
                let wake = state.waking.watch(max, &guidance, &content, state.node.clock.now());
                answer.send(wake).unwrap_or_default();
            }
            SessionMessage::News { notices, guidance } => {
                state.watch(&myself, *guidance);
                Box::pin(state.tell(&myself, notices)).await;
            }
            SessionMessage::Reattach => state.attach_again(&myself),
            SessionMessage::Reattached(attached) => Box::pin(state.attached_again(&myself, attached)).await,
            SessionMessage::Welcome { offset, guidance, since, epoch, taken_in } => {
                state.told = Some(offset);
                state.attached_in(&myself, since, epoch);
                let newest = state.guidance.load_full();
                let guidance = if newest.seq > guidance.seq { Guidance::clone(&newest) } else { *guidance };
                for (region, since) in &guidance.inside {
                    state.tracker.seed(region.clone(), *since);
                }
                state.watch(&myself, guidance);
                let mut early = std::mem::take(&mut state.early);
                early.retain(|_| !faults::planted(Bug::EarlyNoticesLost));
                Box::pin(state.tell(&myself, early)).await;
                // Whoever connected may have given up meanwhile.
                taken_in.send(()).unwrap_or_default();
            }
            SessionMessage::Tick => {
                let transitions = state.tracker.tick(state.node.clock.now());
                state.queue(transitions, 1.0, &[]);
                state.trying = false;
                state.hours_due = None;
                state.mind_hours(&myself);
                state.bring().await;
                if !state.pending.is_empty() {
                    state.try_again(&myself);
                }
            }
            SessionMessage::Sleep { casts } if state.may_sleep() => {
                if let Some(state) = held.take() {
                    let berth = state.berth.clone();
                    *held = Berth::take(&berth, state, casts).err();
                }
                if held.is_none() {
                    myself.stop(None);
                }
            }
            SessionMessage::Sleep { .. } => {}
            SessionMessage::Close(reason) => {
                state.sink.close(reason);
                myself.stop(None);
            }
        }
        Ok(())
    }

    async fn post_stop(
        &self,
        _: ActorRef<SessionMessage>,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        if let Some(state) = state {
            state.end();
        }
        Ok(())
    }
}

impl SessionState {
    async fn judge(&mut self, fixes: Vec<Fix>, device: Option<Device>) -> Result<FixReply, Refusal> {
        self.follow(device.as_ref())?;
        if self.is_behind() && !self.bring().await {
            return Err(Refusal::unavailable(
                "the journal cannot be written now; keep your fixes and send them again",
            ));
        }
        let (now, arrived) = (self.node.clock.now(), Instant::now());
        let content = self.node.world.content();
        let guidance = self.guidance.load_full();
        // The places of the version that is played; those of other versions are other regions.
        let played = |region: &RegionId, (quest, places): (&QuestId, &Places)| region.place_of(quest, places.version);
        let wanted = |region: &RegionId| guidance.places.iter().any(|of| played(region, of).is_some());
        let ground = Ground { index: &content.index, wanted: &wanted, version: guidance.seq };
        let mut reply = FixReply { seq: None, accepted: 0, ignored: Vec::new(), rings: Vec::new(), next: None };
        let mut met = Vec::new();
        for (index, fix) in (0_u32..).zip(&fixes) {
            self.node.counters.fix();
            let observed = self.tracker.observe(fix, now, ground);
            if let Some(difference) = observed.shadow {
                self.node.counters.trial(difference);
            }
            reply.seq = reply.seq.max(fix.seq());
            match observed.fate {
                Fate::Accepted { score, flags } => {
                    reply.accepted += 1;
                    self.skew_ms = fix.time().as_millis() - now.as_millis();
                    self.waking.seen(fix);
                    let meetings = &self.node.meetings;
                    met.extend(meetings.seen_here(&self.node, &self.player, &guidance, (fix, score), now));
                    self.node.positions.seen(&self.player, &guidance, fix);
                    if let Some(first) = observed.transitions.first() {
                        self.measured = Some((first.region.clone(), arrived));
                        let crossed = observed.transitions.iter().filter(|told| told.ring.is_some());
                        reply
                            .rings
                            .extend(crossed.filter_map(|told| sights::ring(told, &guidance, &content.catalog)));
                        self.queue(observed.transitions, score, &flags);
                    }
                }
                // A repeat was answered before; the answer is the same.
                Fate::Repeated => reply.accepted += 1,
                Fate::Late => reply.ignored.push(IgnoredFix { index, reason: WhyIgnored::Late }),
                Fate::Held(reason) => {
                    self.waking.held();
                    reply.ignored.push(IgnoredFix { index, reason: reason.into() });
                }
                Fate::Refused(reason) => {
                    reply.ignored.push(IgnoredFix { index, reason: reason.into() });
                }
            }
        }
        if !met.is_empty() {
            Box::pin(Meetings::bring(&self.node, met)).await;
        }
        reply.next = self.waking.next(&guidance, &content, now);
        if self.bring().await {
            return Ok(reply);
        }
        Err(Refusal::unavailable("your fix was seen, the journal cannot be written now; it is tried again by itself"))
    }

    /// Sets a timer for the next region that opens or closes around the player.
    fn mind_hours(&mut self, myself: &ActorRef<SessionMessage>) {
        let due = self.tracker.tick_due();
        if let Some(due) = due.filter(|_| due != self.hours_due) {
            // A window may be a year away, a session is not; the timer ends with its actor.
            let wait = due.since(self.node.clock.now()) + STAY_MARGIN;
            myself.send_after(wait, || SessionMessage::Tick);
        }
        self.hours_due = due;
    }

    /// Passes notices on, each once, in order. What is missing in between is asked of the player's stream.
    async fn tell(&mut self, myself: &ActorRef<SessionMessage>, mut notices: Vec<(u64, Arc<Notice>)>) {
        let Some(told) = self.told else {
            self.early.append(&mut notices);
            return;
        };
        if notices.first().is_some_and(|(offset, _)| *offset > told + 1) {
            let player = EntityId::Player(self.player.clone());
            match self.node.router.ask(player, self.attachment(told)).await {
                Ok(Response::Attached(attached)) if attached.missed.is_some() => {
                    notices = attached.missed.unwrap_or_default();
                }
                _ => {
                    // The client comes back and recovers, or is told that it cannot.
                    self.sink.close(CloseReason::Failed);
                    myself.stop(None);
                    return;
                }
            }
        }
        for (offset, notice) in notices {
            if self.told.is_some_and(|told| offset <= told) {
                continue;
            }
            self.measure(&notice);
            self.told = Some(offset);
            if faults::planted(Bug::SessionTellsTwice) {
                self.sink.push(Push::Notice { offset, notice: Arc::clone(&notice) });
            }
            self.sink.push(Push::Notice { offset, notice });
        }
    }

    /// Watches what the player's state asks for, unless something newer has been heard: a welcome and the first news
    /// come on different ways.
    fn watch(&mut self, myself: &ActorRef<SessionMessage>, guidance: Guidance) {
        let before = self.guidance.load_full();
        if guidance.seq < before.seq {
            return;
        }
        let now = self.node.clock.now();
        for region in self.armed.keys().filter(|region| !guidance.stays.contains_key(*region)) {
            self.tracker.disarm(region);
        }
        for (region, until) in &guidance.stays {
            let by_phone = Timestamp::from_millis(until.as_millis() + self.skew_ms);
            self.tracker.arm(region, by_phone);
            if self.armed.get(region) != Some(until) {
                myself.send_after(until.since(now) + STAY_MARGIN, || SessionMessage::Tick);
            }
        }
        self.armed = guidance.stays.clone();
        for (region, follow) in &guidance.follows {
            // The tracker remembers what it has seen walked; beginning anew would forget half a quarter.
            if !before.follows.contains_key(region) {
                self.tracker.follow(region.clone(), follow.0, follow.1);
            }
        }
        for region in before.follows.keys().filter(|region| !guidance.follows.contains_key(*region)) {
            self.tracker.unfollow(region);
        }
        self.guidance.store(Arc::new(guidance));
        self.regroup(&before);
    }
}
