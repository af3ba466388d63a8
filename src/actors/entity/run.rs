//! A run: requests that wait together are decided one after the other, each on what the ones before it have brought, and
//! written together. So an entity of which much is asked takes as much as a commit can hold, and not one at a time.
//!
//! Promise: an answer, a notice and a message exist only after their entry is in the journal, and so are all entries
//! that they rest on. What follows an entry that was refused is decided anew, as if it had just come.

use super::{CONFLICTS_MAX, EntityState, Panicked};
use crate::actors::courier::Begun;
use crate::actors::inbox::Delivery;
use crate::cluster::link::Note;
use crate::cluster::router::{Request, Response, Undelivered};
use crate::faults::{self, Bug, Point};
use crate::ids::{EntityId, PlayerId};
use crate::persist::{Append, AppendError, RUN_MAX, Stored};
use crate::quest::aggregate::{Aggregate, Decision, Message, State};
use crate::quest::command::Command;
use crate::quest::entry::{Cause, Entry};
use crate::quest::event::{Event, TeamEvent};
use crate::quest::guidance::{self, Guidance};
use crate::quest::notice::Notice;
use crate::quest::refusal::Refusal;
use crate::units::Timestamp;
use futures_util::FutureExt as _;
use std::any::Any;
use std::collections::VecDeque;
use std::iter::repeat;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use tracing::{debug, error};

/// A request that waits for its turn in this actor's hands.
#[derive(Debug)]
struct Waiting {
    delivery: Delivery,
    /// How often its decision was made on a state that turned out to be stale.
    conflicts: u32,
    /// Whether the journal has said that it was done before.
    repeated: bool,
}

/// A request of a run, decided.
struct Step {
    waiting: Waiting,
    decided: Decided,
}

/// What a request has led to.
struct Decided {
    /// The answer, once the run is durable up to here.
    answer: Result<Response, Undelivered>,
    /// What is to be written, if anything is, and what is said when it is.
    entry: Option<(Entry, Effects)>,
    /// Whether, and when, to ask to be woken.
    wake: Option<Option<Timestamp>>,
}

/// For a player's session: notices with their offsets, and what to watch.
type Told = (Vec<(u64, Arc<Notice>)>, Guidance);

/// What an entry brings beside its messages, as things stand right after it.
struct Effects {
    /// For the player's session.
    told: Option<Told>,
    /// Who is still in the team that somebody has left.
    members: Option<Vec<PlayerId>>,
}

impl From<Delivery> for Waiting {
    fn from(delivery: Delivery) -> Self {
        Self { delivery, conflicts: 0, repeated: false }
    }
}

impl Waiting {
    fn answer(self, id: &EntityId, answer: Result<Response, Undelivered>) {
        // The asker may have given up; what was decided stands all the same.
        if self.delivery.answer.send(answer).is_err() {
            debug!(entity = %id, "the asker did not wait for its answer");
        }
    }

    /// The last word on what could not be decided on a state that was not stale.
    fn gave_up(self, id: &EntityId) {
        let repeated = self.repeated;
        let answer = match &self.delivery.request {
            Request::Decide(Message { cause: Some(Cause::Message(_)), .. }) if repeated => {
                Ok(Response::Decided(None))
            }
            // Its answer is no longer kept, only that it was done; saying so beats asking for another try for ever.
            Request::Decide(Message { cause: Some(Cause::Client { .. }), .. }) => {
                Err(Undelivered::Refused(Refusal::command_conflict(
                    "this command id was used long ago and its answer is not kept; make a new id for each command",
                )))
            }
            Request::Drop { .. } if repeated => Ok(Response::Dropped(false)),
            _ => Err(Undelivered::Unavailable),
        };
        self.answer(id, answer);
    }
}

impl EntityState {
    /// Serves requests in order. After a panic those that were not served are in the inbox again.
    pub(super) async fn serve(&mut self, deliveries: VecDeque<Delivery>) -> Result<(), Panicked> {
        let mut waiting: VecDeque<Waiting> = deliveries.into_iter().map(Waiting::from).collect();
        while !waiting.is_empty() {
            // Whatever a panic leaves behind ends with this actor.
            let panic = match AssertUnwindSafe(self.serve_some(&mut waiting)).catch_unwind().await {
                Ok(Ok(())) => continue,
                Ok(Err(panic)) | Err(panic) => panic,
            };
            // What is in hand stands in front, but for a run that is being written.
            let poison = if self.writing { None } else { waiting.pop_front() };
            self.inbox.put_back(waiting.into_iter().map(|waiting| waiting.delivery));
            return Err(self.panicked(poison.as_ref().map(|poison| &poison.delivery.request), panic.as_ref()));
        }
        Ok(())
    }

    /// Serves at least one of the requests: a run of decisions, or one request of another kind. `Err`: the first of
    /// them has made it panic.
    async fn serve_some(&mut self, waiting: &mut VecDeque<Waiting>) -> Result<(), Box<dyn Any + Send>> {
        if let Err(why) = self.load().await {
            waiting.drain(..).for_each(|waiting| waiting.answer(&self.id, Err(why.clone())));
            return Ok(());
        }
        if let Some(Waiting { delivery, .. }) = waiting.front()
            && !matches!(delivery.request, Request::Decide(_) | Request::Drop { .. })
        {
            let answer = self.respond(&delivery.request);
            if let Some(waiting) = waiting.pop_front() {
                waiting.answer(&self.id, answer);
            }
            return Ok(());
        }
        let steps = self.decide_some(waiting)?;
        self.writing = true;
        self.write(steps, waiting).await;
        self.writing = false;
        Ok(())
    }

    /// Decides what waits, each on what the ones before it bring, and takes it in. Whoever makes it panic is left for
    /// later, when those before it are written; `Err`: it stands first.
    fn decide_some(&mut self, waiting: &mut VecDeque<Waiting>) -> Result<Vec<Step>, Box<dyn Any + Send>> {
        // Until the journal has answered the state is ahead of it; a task that is killed meanwhile leaves nothing.
        let Some(mut state) = self.aggregate.take() else { return Ok(Vec::new()) };
        let mut steps: Vec<Step> = Vec::new();
        while steps.len() < RUN_MAX
            && let Some(Waiting { delivery, .. }) = waiting.front()
            && matches!(delivery.request, Request::Decide(_) | Request::Drop { .. })
        {
            let decided = catch_unwind(AssertUnwindSafe(|| self.decide_one(&mut state, &delivery.request)));
            match (decided, waiting.pop_front()) {
                (Ok(decided), Some(waiting)) => steps.push(Step { waiting, decided }),
                (Err(panic), first) => {
                    first.into_iter().for_each(|first| waiting.push_front(first));
                    if steps.is_empty() {
                        return Err(panic);
                    }
                    // It may have panicked half-way through taking something in.
                    self.spoilt = true;
                    break;
                }
                (Ok(_), None) => break,
            }
        }
        self.aggregate = Some(state);
        Ok(steps)
    }

    fn decide_one(&self, state: &mut Aggregate, request: &Request) -> Decided {
        let (content, now) = (self.node.world.content(), self.node.clock.now());
        let answer = |answer| Decided { answer, entry: None, wake: None };
        match request {
            Request::Decide(_) if self.node.courier.is_full() => answer(Err(Undelivered::Busy)),
            Request::Decide(message) => match state.decide(now, &content.catalog, message) {
                Ok(Decision::Nothing(reply)) => {
                    let wake = matches!(message.command, Command::Wake).then(|| state.due(&content.catalog, now));
                    Decided { answer: Ok(Response::Decided(reply)), entry: None, wake }
                }
                Ok(Decision::Append(entry)) => {
                    faults::taste(|| serde_json::to_string(&message.command).unwrap_or_default());
                    let answer = Ok(Response::Decided(entry.reply.clone()));
                    self.take_in(state, *entry, answer)
                }
                Err(refusal) => answer(Err(Undelivered::Refused(refusal))),
            },
            Request::Drop { cause, hops } => match state.drop_message(now, cause, *hops) {
                Some(entry) => self.take_in(state, entry, Ok(Response::Dropped(true))),
                None => answer(Ok(Response::Dropped(false))),
            },
            Request::Attach { .. } | Request::View => answer(Err(Undelivered::Unavailable)),
        }
    }

    fn take_in(&self, state: &mut Aggregate, entry: Entry, answer: Result<Response, Undelivered>) -> Decided {
        let before = if let State::Player(player) = &state.state { player.offset } else { 0 };
        state.apply(&entry);
        let wake = state.due(&self.node.world.content().catalog, entry.at);
        let effects = self.effects(state, &entry, before);
        Decided { answer, entry: Some((entry, effects)), wake: Some(wake) }
    }

    /// What an entry brings, right after it was taken in; `before` is the player's offset before it.
    fn effects(&self, state: &Aggregate, entry: &Entry, before: u64) -> Effects {
        let told = match (&state.state, &self.id) {
            (State::Player(player), EntityId::Player(id)) if self.node.audience.of(id).is_some() => {
                let content = self.node.world.content();
                let notices = entry.notices.iter().map(|notice| Arc::new(notice.clone()));
                Some(((before + 1..).zip(notices).collect(), guidance::of(player, id, state.seq, &content.catalog)))
            }
            _ => None,
        };
        let left = entry.events.iter().any(|event| matches!(event, Event::Team(TeamEvent::MemberLeft { .. })));
        let members = match &state.state {
            State::Team(team) if left => Some(team.members.keys().cloned().collect()),
            _ => None,
        };
        Effects { told, members }
    }

    /// Writes a run, and lets everyone know whom it concerns. What was not written, and what was decided on it, waits
    /// again or is answered with why not.
    async fn write(&mut self, steps: Vec<Step>, waiting: &mut VecDeque<Waiting>) {
        let of_step = |Step { decided, .. }: &Step| {
            let (entry, _) = decided.entry.as_ref()?;
            Some(Append { entity: self.id.clone(), entry: entry.clone(), wake: decided.wake.flatten() })
        };
        let appends: Vec<Append> = steps.iter().filter_map(of_step).collect();
        let begun: Vec<Begun> = appends.iter().map(|_| self.node.courier.begin(&self.id)).collect();
        let (offsets, fault) =
            if appends.is_empty() { (Vec::new(), None) } else { self.append(appends, &steps).await };
        if let Some(AppendError::Conflict(reason)) = &fault {
            error!(entity = %self.id, reason, "the entity's state was stale; it is read anew");
        }
        let kept = matches!(fault, Some(AppendError::Unavailable(_))) && faults::planted(Bug::FailedStateKept);
        if std::mem::take(&mut self.spoilt) || fault.is_some() && !kept {
            self.aggregate = None;
        }
        let lost = matches!(fault, Some(AppendError::Lost));
        let mut placed = begun.into_iter().zip(offsets.into_iter().map(Some).chain(repeat(None)));
        let (mut undone, mut wake) = (VecDeque::new(), None);
        for Step { waiting, decided } in steps {
            let done = match decided.entry {
                None => undone.is_empty(),
                Some((entry, effects)) => match placed.next() {
                    Some((begun, Some(offset))) => {
                        self.tell_of(entry, effects, begun, offset);
                        true
                    }
                    Some((begun, None)) => {
                        // One that is lost may be in the journal: its letters count as under way.
                        if !lost {
                            self.node.courier.nothing(begun);
                        }
                        false
                    }
                    None => false,
                },
            };
            if done {
                wake = decided.wake.or(wake);
                waiting.answer(&self.id, decided.answer);
            } else {
                undone.push_back(waiting);
            }
        }
        if let Some(at) = wake {
            self.ask_to_be_woken(at);
        }
        if let Some(fault) = fault {
            self.undo(&fault, undone, waiting);
        }
        self.save_snapshot(self.snapshot_every()).await;
    }

    /// Appends a run; answers with the offsets of what is written, and why the rest is not.
    async fn append(&self, appends: Vec<Append>, steps: &[Step]) -> (Vec<u64>, Option<AppendError>) {
        let n = appends.len();
        faults::reach(Point::BeforeAppend);
        if faults::planted(Bug::TellBeforeAppend) {
            let effects = steps.iter().filter_map(|step| step.decided.entry.as_ref());
            effects.for_each(|(_, effects)| self.tell(effects.told.clone()));
        }
        let (mut offsets, mut fault) = self.node.journal.append_run(appends).await;
        if fault.is_some() && faults::planted(Bug::AcknowledgeBeforeAppend) {
            offsets.resize(n, 1);
            fault = None;
        }
        if !offsets.is_empty() {
            faults::reach(Point::AfterAppend);
        }
        (offsets, fault)
    }

    /// An entry is in the journal: whoever is to know hears of it.
    fn tell_of(&mut self, entry: Entry, effects: Effects, begun: Begun, offset: u64) {
        self.tell(effects.told);
        let stored = Stored { entity: self.id.clone(), offset, epoch: 0, entry };
        self.node.courier.take(begun, &stored);
        match &self.aggregate {
            Some(state) => self.node.overview.committed(state, &stored),
            None => {
                self.node.overview.happened(&stored);
                self.unshown = true;
            }
        }
        self.node.counters.entry();
        // Those who have left a team no longer hear its live channel.
        if let (Some(members), EntityId::Team(team)) = (effects.members, &self.id) {
            self.node.channels.expel(team, &members);
            self.node.tell_peers(&Note::Members { team: team.clone(), members });
        }
    }

    /// A player's session hears the notices, and what to watch from now on.
    fn tell(&self, told: Option<Told>) {
        if let (Some((notices, guidance)), EntityId::Player(id)) = (told, &self.id) {
            self.node.tell_player(id, notices, || guidance);
        }
    }

    /// The first of these could not be written, and so could not the others.
    fn undo(&self, fault: &AppendError, mut undone: VecDeque<Waiting>, waiting: &mut VecDeque<Waiting>) {
        match fault {
            AppendError::Lost | AppendError::Unavailable(_) => {
                let done = matches!(fault, AppendError::Lost) && faults::planted(Bug::LostIsDone);
                let answer = || if done { Ok(Response::Decided(None)) } else { Err(Undelivered::Unavailable) };
                undone.into_iter().for_each(|undone| undone.answer(&self.id, answer()));
                return;
            }
            AppendError::Conflict(_) | AppendError::Repeated(_) => {}
        }
        if let Some(mut first) = undone.pop_front() {
            // Long ago, or the state would have known it: read anew once, in case it was stale.
            let twice = matches!(fault, AppendError::Repeated(_)) && first.repeated;
            first.repeated |= matches!(fault, AppendError::Repeated(_));
            first.conflicts += 1;
            if twice || first.conflicts >= CONFLICTS_MAX {
                first.gave_up(&self.id);
            } else {
                undone.push_front(first);
            }
        }
        undone.into_iter().rev().for_each(|undone| waiting.push_front(undone));
    }
}
