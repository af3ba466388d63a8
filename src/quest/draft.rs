//! A decision being made: facts are applied to a copy of the state as they are found, so that one decision may
//! cascade (a step completes its group, which opens the next) and still be one append.

use crate::ids::{EntityId, PlayerId, TeamId};
use crate::quest::command::{Command, News, PlayerCommand};
use crate::quest::entry::Outgoing;
use crate::quest::event::Event;
use crate::quest::notice::{Notice, What};
use crate::units::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// State that facts change.
pub trait Evolve {
    /// Its facts.
    type Fact: Clone;
    /// Takes in a fact that has happened at a time. Never fails and never asks anything else.
    fn evolve(&mut self, fact: &Self::Fact, at: Timestamp);
    /// The fact as the journal keeps it.
    fn event(fact: Self::Fact) -> Event;
}

/// The copy of a state, and all that the decision has brought so far.
#[derive(Debug)]
pub struct Draft<'a, S> {
    /// The state with the facts found so far.
    pub state: S,
    /// The time of the decision.
    pub now: Timestamp,
    /// Natural keys of all awards before this decision.
    awarded: &'a BTreeSet<String>,
    /// What came of it.
    pub outcome: Outcome,
}

/// What a decision brings.
#[derive(Debug, Default, PartialEq)]
pub struct Outcome {
    /// Facts.
    pub events: Vec<Event>,
    /// Messages to other entities.
    pub out: Vec<Outgoing>,
    /// What the player is told.
    pub notices: Vec<Notice>,
    /// Natural keys of awards.
    pub awards: Vec<String>,
    /// The answer to a client.
    pub reply: Option<Value>,
}

impl Outcome {
    /// Whether nothing came of it that must be kept.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && self.out.is_empty() && self.notices.is_empty()
    }
}

impl<'a, S: Evolve> Draft<'a, S> {
    /// Begins with a copy of the state.
    pub fn new(state: S, now: Timestamp, awarded: &'a BTreeSet<String>) -> Self {
        Self { state, now, awarded, outcome: Outcome::default() }
    }

    /// Whether an award of this key was given before.
    pub fn is_awarded(&self, key: &str) -> bool {
        self.awarded.contains(key) || self.outcome.awards.iter().any(|given| given == key)
    }

    /// Finds a fact.
    pub fn emit(&mut self, fact: S::Fact) {
        self.state.evolve(&fact, self.now);
        self.outcome.events.push(S::event(fact));
    }

    /// Finds a fact that is an award, under its natural key.
    pub fn award(&mut self, key: String, fact: S::Fact) {
        self.outcome.awards.push(key);
        self.emit(fact);
    }

    /// Sends a message.
    pub fn send(&mut self, to: EntityId, command: Command) {
        self.outcome.out.push(Outgoing { to, command });
    }

    /// Tells the player.
    pub fn notice(&mut self, what: What) {
        self.outcome.notices.push(Notice { at: self.now, what });
    }

    /// Answers the client, with a type of [`replies`](crate::quest::replies).
    pub fn reply(&mut self, reply: impl Serialize) {
        self.outcome.reply = Some(json!(reply));
    }
}

/// Who is to hear a line of news.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// Every member.
    All,
    /// One player, member or not.
    Only(PlayerId),
    /// Every member but one.
    Except(PlayerId),
}

/// News gathered during a team's decision; one message to each who hears any of it, in order.
#[derive(Debug, Default)]
pub struct Bulletin(Vec<(Audience, News)>);

impl Bulletin {
    /// Adds a line.
    pub fn tell(&mut self, audience: Audience, news: News) {
        self.0.push((audience, news));
    }

    /// Adds another bulletin's lines after these.
    pub fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// Sends it all; `members` are those after the decision.
    pub fn send<S: Evolve>(self, team: &TeamId, members: Vec<PlayerId>, draft: &mut Draft<'_, S>) {
        let mut readers = members.clone();
        for (audience, _) in &self.0 {
            if let Audience::Only(player) = audience
                && !readers.contains(player)
            {
                readers.push(player.clone());
            }
        }
        for reader in readers {
            let hears = |audience: &Audience| match audience {
                Audience::All => members.contains(&reader),
                Audience::Only(player) => *player == reader,
                Audience::Except(player) => *player != reader && members.contains(&reader),
            };
            let items: Vec<News> =
                self.0.iter().filter(|(audience, _)| hears(audience)).map(|(_, news)| news.clone()).collect();
            if !items.is_empty() {
                let news = PlayerCommand::News { team: team.clone(), items };
                draft.send(EntityId::Player(reader), Command::Player(news));
            }
        }
    }
}
