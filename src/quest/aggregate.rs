//! The one synchronous step that every entity takes: message in, entry out. Production drives it with an actor, the
//! simulator with a loop; neither knows a rule.
//!
//! `decide` changes nothing; what it found becomes true when the journal has it and `apply` takes it in.
//! Promise: a message or command that comes again is recognised and has no second effect; the same entries in the
//! same order give the same state.

use crate::ids::{EntityId, stable_hash};
use crate::quest::act::{Act, CommandId};
use crate::quest::catalog::Catalog;
use crate::quest::command::{Command, HOPS_MAX, PlayerCommand, TeamCommand};
use crate::quest::draft::{Draft, Evolve, Outcome};
use crate::quest::entry::{Cause, Entry, MessageId};
use crate::quest::event::Event;
use crate::quest::player::Player;
use crate::quest::refusal::Refusal;
use crate::quest::region::Region;
use crate::quest::team::Team;
use crate::quest::{player_play, region, team};
use crate::units::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Answers kept for clients that ask again: a phone has a handful of commands in flight. More than a team has members,
/// so that the last one of each is among them.
const ANSWERS_KEPT: usize = 64;

/// Senders whose last message is remembered: a team hears from its members and places, a player from a quest's places;
/// only an area that keeps stock for thousands of teams hears from more.
const SENDERS_KEPT: usize = 1_024;

/// What is kept as the answer to a command that an operator has dropped; no command's own answer is a bare text.
const DROPPED: &str = "dropped";

/// A message to an entity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// What makes it recognisable, if anything must.
    pub cause: Option<Cause>,
    /// Links of the chain before this one.
    pub hops: u8,
    /// What is asked.
    pub command: Command,
}

impl Message {
    /// A message that a session, an operator or a timer sends; its natural key makes a repeat harmless.
    pub fn bare(command: Command) -> Self {
        Self { cause: None, hops: 0, command }
    }

    /// A client's command, recognised by its id when it has one.
    pub fn from_client(player: &crate::ids::PlayerId, cmd: Option<CommandId>, command: Command) -> Self {
        let fingerprint = fingerprint(&command);
        Self::recognizable(player, cmd, fingerprint, command)
    }

    /// The same where the command bears more than the client said (a secret made for it, a name of the moment): what
    /// the client said is what must be the same when it comes again.
    pub fn from_act(player: &crate::ids::PlayerId, cmd: Option<CommandId>, act: &Act, command: Command) -> Self {
        Self::recognizable(player, cmd, fingerprint(act), command)
    }

    /// Whether it does no harm when it arrives twice: it is recognised, or has a natural key.
    pub fn may_be_repeated(&self) -> bool {
        match &self.command {
            _ if self.cause.is_some() => true,
            Command::Wake | Command::Region(_) | Command::Team(TeamCommand::Met { .. }) => true,
            Command::Player(command) => !matches!(command, PlayerCommand::Try { .. }),
            Command::Team(_) => false,
        }
    }

    fn recognizable(
        player: &crate::ids::PlayerId,
        cmd: Option<CommandId>,
        fingerprint: u64,
        command: Command,
    ) -> Self {
        let cause = cmd.map(|cmd| Cause::Client { player: player.clone(), cmd, fingerprint });
        Self { cause, hops: 0, command }
    }
}

fn fingerprint(content: &impl Serialize) -> u64 {
    stable_hash(serde_json::to_vec(content).unwrap_or_default())
}

/// What came of a message.
#[derive(Debug, PartialEq)]
pub enum Decision {
    /// Nothing to keep; the answer, if one is due. Also the answer to a repeat.
    Nothing(Option<Value>),
    /// Must be appended, then applied, then sent.
    Append(Box<Entry>),
}

/// An entity's whole state: what `apply` made of its entries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Aggregate {
    /// Which entity.
    pub id: EntityId,
    /// The number of its last entry.
    pub seq: u64,
    /// When its last entry was decided.
    pub at: Timestamp,
    /// Of each entity that wrote lately: the last message taken in (its entry and place), and by which entry of ours.
    /// Messages of one sender come in order.
    #[serde(with = "as_pairs")]
    heard: BTreeMap<EntityId, (u64, u16, u64)>,
    /// Answers to clients' commands, oldest first: cause, fingerprint, answer.
    answers: VecDeque<(String, u64, Value)>,
    /// Natural keys of all awards.
    awards: BTreeSet<String>,
    /// The state of its kind.
    pub state: State,
}

/// The state of one kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// A player's.
    Player(Player),
    /// A team's.
    Team(Team),
    /// A region's.
    Region(Region),
}

impl Aggregate {
    /// An entity without history.
    pub fn new(id: EntityId) -> Self {
        let state = match &id {
            EntityId::Player(_) => State::Player(Player::default()),
            EntityId::Team(_) => State::Team(Team::default()),
            EntityId::Region(_) => State::Region(Region::default()),
        };
        let (heard, answers, awards) = (BTreeMap::new(), VecDeque::new(), BTreeSet::new());
        Self { id, seq: 0, at: Timestamp::from_millis(0), heard, answers, awards, state }
    }

    /// Decides a message at a time. An error is a refusal to a client: nothing has happened.
    pub fn decide(&self, now: Timestamp, catalog: &Catalog, message: &Message) -> Result<Decision, Refusal> {
        if let Some(answer) = self.recognize(message.cause.as_ref())? {
            return Ok(Decision::Nothing(answer));
        }
        let decided = if message.hops > HOPS_MAX {
            Err(Refusal::internal("a chain of messages has no end"))
        } else {
            self.run_rules(now, catalog, &message.command)
        };
        let outcome = match (decided, &message.cause) {
            (Ok(outcome), _) => outcome,
            // Another entity is owed no answer; that its message was heard must be kept.
            (Err(_), Some(Cause::Message(_))) => Outcome::default(),
            (Err(refusal), _) => return Err(refusal),
        };
        if outcome.is_empty() && !matches!(message.cause, Some(Cause::Message(_))) {
            return Ok(Decision::Nothing(outcome.reply));
        }
        Ok(Decision::Append(Box::new(Entry {
            seq: self.seq + 1,
            at: now,
            cause: message.cause.clone(),
            hops: message.hops,
            events: outcome.events,
            out: outcome.out,
            notices: outcome.notices,
            reply: outcome.reply,
            awards: outcome.awards,
            dropped: false,
        })))
    }

    /// Decides that a message will not be decided, since nobody can: an operator drops it. `None`: it was taken in
    /// before, so nothing is left of it to drop.
    pub fn drop_message(&self, now: Timestamp, cause: &Cause, hops: u8) -> Option<Entry> {
        let new = self.recognize(Some(cause)).is_ok_and(|answer| answer.is_none());
        new.then(|| Entry {
            seq: self.seq + 1,
            at: now,
            cause: Some(cause.clone()),
            hops,
            events: Vec::new(),
            out: Vec::new(),
            notices: Vec::new(),
            reply: None,
            awards: Vec::new(),
            dropped: true,
        })
    }

    /// Takes in an entry that the journal has. Entries come in order; another is a fault of the caller.
    pub fn apply(&mut self, entry: &Entry) {
        debug_assert_eq!(entry.seq, self.seq + 1, "entries of {} out of order", self.id);
        self.seq = entry.seq;
        self.at = entry.at;
        match &entry.cause {
            Some(Cause::Message(MessageId { sender, seq, n })) => {
                self.heard.insert(sender.clone(), (*seq, *n, entry.seq));
                self.forget_the_longest_silent();
            }
            Some(cause @ Cause::Client { fingerprint, .. }) => {
                let answer = match entry.dropped {
                    true => DROPPED.into(),
                    false => entry.reply.clone().unwrap_or(Value::Null),
                };
                self.answers.push_back((cause.key(), *fingerprint, answer));
                self.forget_an_answer();
            }
            None => {}
        }
        self.awards.extend(entry.awards.iter().cloned());
        for event in &entry.events {
            match (&mut self.state, event) {
                (State::Player(player), Event::Player(fact)) => player.evolve(fact, entry.at),
                (State::Team(team), Event::Team(fact)) => team.evolve(fact, entry.at),
                (State::Region(region), Event::Region(fact)) => region.evolve(fact, entry.at),
                (State::Player(_) | State::Team(_) | State::Region(_), _) => {
                    debug_assert!(false, "{} bears a fact of another kind", self.id);
                }
            }
        }
        if let State::Player(player) = &mut self.state {
            player.hear(&entry.notices);
        }
    }

    /// Bounds what is remembered of answers: the oldest of whoever has most of them goes, or those who talk much would push
    /// out what a phone in a tunnel is about to ask again. The journal refuses what was forgotten, it has every cause.
    fn forget_an_answer(&mut self) {
        if self.answers.len() <= ANSWERS_KEPT {
            return;
        }
        let asker = |at: usize| self.answers[at].0.split(' ').nth(1);
        let mut held: BTreeMap<Option<&str>, usize> = BTreeMap::new();
        (0..self.answers.len()).for_each(|at| *held.entry(asker(at)).or_default() += 1);
        let most = held.values().max().copied();
        let oldest = (0..self.answers.len()).find(|at| held.get(&asker(*at)).copied() == most);
        self.answers.remove(oldest.unwrap_or(0));
    }

    /// Bounds what is remembered of senders. A repeat of one that was forgotten is refused by the journal, which has
    /// every cause for ever.
    fn forget_the_longest_silent(&mut self) {
        if self.heard.len() > SENDERS_KEPT
            && let Some(silent) = self.heard.iter().min_by_key(|(_, (.., ours))| *ours).map(|(id, _)| id.clone())
        {
            self.heard.remove(&silent);
        }
    }

    /// When it wants to be woken, if at all.
    pub fn due(&self, catalog: &Catalog, now: Timestamp) -> Option<Timestamp> {
        match &self.state {
            State::Team(team) => team.due(catalog, now),
            State::Player(_) | State::Region(_) => None,
        }
    }

    /// The answer to a message that was taken in before.
    fn recognize(&self, cause: Option<&Cause>) -> Result<Option<Option<Value>>, Refusal> {
        match cause {
            Some(Cause::Message(id)) => {
                let heard = self.heard.get(&id.sender).is_some_and(|(seq, n, _)| (*seq, *n) >= (id.seq, id.n));
                Ok(heard.then_some(None))
            }
            Some(cause @ Cause::Client { fingerprint, .. }) => {
                let key = cause.key();
                match self.answers.iter().find(|(known, ..)| *known == key) {
                    Some((_, known, answer)) if known == fingerprint && answer == DROPPED => Err(Refusal::dropped(
                        "the server failed at this command and an operator has dropped it; it was not done",
                    )),
                    Some((_, known, answer)) if known == fingerprint => Ok(Some(Some(answer.clone()))),
                    Some(_) => Err(Refusal::command_conflict(
                        "this command id was used for another command; make a new id for each",
                    )),
                    None => Ok(None),
                }
            }
            None => Ok(None),
        }
    }

    fn run_rules(&self, now: Timestamp, catalog: &Catalog, command: &Command) -> Result<Outcome, Refusal> {
        match (&self.id, &self.state, command) {
            (EntityId::Player(id), State::Player(state), Command::Player(command)) => {
                let mut draft = Draft::new(state.clone(), now, &self.awards);
                player_play::decide(&mut draft, id, catalog, command)?;
                Ok(draft.outcome)
            }
            (EntityId::Team(id), State::Team(state), Command::Team(command)) => {
                let mut draft = Draft::new(state.clone(), now, &self.awards);
                team::decide(&mut draft, id, catalog, command)?;
                Ok(draft.outcome)
            }
            (EntityId::Team(id), State::Team(state), Command::Wake) => {
                let mut draft = Draft::new(state.clone(), now, &self.awards);
                team::wake(&mut draft, id, catalog);
                Ok(draft.outcome)
            }
            (EntityId::Region(id), State::Region(state), Command::Region(command)) => {
                Ok(region::decide(state, id, command))
            }
            (EntityId::Player(_) | EntityId::Team(_) | EntityId::Region(_), _, _) => {
                Err(Refusal::internal("a command for another kind of entity"))
            }
        }
    }
}

/// A map as a list of pairs: JSON takes only texts for keys, and an entity's id is none.
mod as_pairs {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::collections::BTreeMap;

    pub(super) fn serialize<S: Serializer, K: Serialize, V: Serialize>(
        map: &BTreeMap<K, V>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map)
    }

    pub(super) fn deserialize<'de, D, K, V>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
    where
        D: Deserializer<'de>,
        K: Deserialize<'de> + Ord,
        V: Deserialize<'de>,
    {
        Ok(Vec::<(K, V)>::deserialize(deserializer)?.into_iter().collect())
    }
}
