//! Live channels: team-mates, the window of a map, and boards. What they bear is the present, at most once a second, and may be dropped;
//! what must not be lost is a notice in the player's own stream.
//!
//! A member of a cluster shows what other nodes have told beside what it knows itself, and says `stale` where there may
//! be more or newer. A single server never does: it knows all.
//!
//! Bounded: a session has at most [`SUBSCRIPTIONS_MAX`] channels; a channel's content is made once a second however
//! many listen.

use crate::actors::cards::PlayerDot;
use crate::actors::contract::{BoardLive, BoardLiveRow, MapLive, Push, Sink, TeamLive};
use crate::actors::elsewhere::{Elsewhere, Told};
use crate::actors::overview::OverviewBoard;
use crate::actors::positions::Positions;
use crate::actors::viewport::Viewport;
use crate::ids::{PlayerId, QuestId, TeamId};
use crate::quest::guidance::Guidance;
use crate::quest::refusal::Refusal;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Live channels of one session: a team, and a board for each quest at hand.
pub const SUBSCRIPTIONS_MAX: usize = 8;
/// How often a channel may speak.
const EVERY: Duration = Duration::from_secs(1);
/// Teams on a board.
pub(super) const BOARD_ROWS: usize = 100;

/// A live channel.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Channel {
    /// `team:<id>`: where members are who share, for members.
    Team(TeamId),
    /// `map:<window>`: those of them who are in a window of the map; each team sees its own.
    Map(TeamId, Viewport),
    /// `board:<quest>`: the scores.
    Board(QuestId),
}

impl Channel {
    /// By its name on the wire, for a member of a team, or of none.
    pub fn parse(name: &str, team: Option<&TeamId>) -> Result<Self, Refusal> {
        let known = name.split_once(':').and_then(|(kind, id)| match kind {
            "team" => TeamId::new(id).ok().map(|team| Ok(Self::Team(team))),
            "board" => QuestId::new(id).ok().map(|quest| Ok(Self::Board(quest))),
            "map" => Viewport::parse(id).map(|window| match team {
                Some(team) => Ok(Self::Map(team.clone(), window)),
                None => Err(Refusal::no_team("a map shows team-mates who share: join a team first")),
            }),
            _ => None,
        });
        known.unwrap_or_else(|| {
            Err(Refusal::unknown_channel(
                "live channels are team:<your team>, map:<west>,<south>,<east>,<north> and board:<quest>",
            ))
        })
    }

    /// The team whose members alone may listen.
    fn team(&self) -> Option<&TeamId> {
        match self {
            Self::Team(team) | Self::Map(team, _) => Some(team),
            Self::Board(_) => None,
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Team(team) => format!("team:{team}"),
            Self::Map(_, window) => format!("map:{window}"),
            Self::Board(quest) => format!("board:{quest}"),
        }
    }
}

/// Who listens to what.
#[derive(Debug)]
pub struct Channels {
    overview: Arc<OverviewBoard>,
    positions: Arc<Positions>,
    audiences: Mutex<BTreeMap<Channel, Audience>>,
    /// What other nodes know; empty for a single server.
    elsewhere: OnceLock<Arc<Elsewhere>>,
}

#[derive(Debug, Default)]
struct Audience {
    listeners: BTreeMap<PlayerId, Arc<dyn Sink>>,
    last: Option<Value>,
}

impl Channels {
    /// Channels that tell what these two know.
    pub fn new(overview: Arc<OverviewBoard>, positions: Arc<Positions>) -> Self {
        Self { overview, positions, audiences: Mutex::default(), elsewhere: OnceLock::new() }
    }

    /// This is a member of a cluster: it shows what other nodes know, too.
    pub fn join(&self, elsewhere: Arc<Elsewhere>) {
        // A node joins once.
        let _ = self.elsewhere.set(elsewhere);
    }

    /// What other nodes know, if there may be any.
    pub fn elsewhere(&self) -> Option<&Arc<Elsewhere>> {
        self.elsewhere.get()
    }

    /// The boards and teams that someone listens to.
    pub fn listened(&self) -> (BTreeSet<QuestId>, BTreeSet<TeamId>) {
        let (mut boards, mut teams) = (BTreeSet::new(), BTreeSet::new());
        for channel in self.lock().keys() {
            match channel {
                Channel::Team(team) | Channel::Map(team, _) => _ = teams.insert(team.clone()),
                Channel::Board(quest) => _ = boards.insert(quest.clone()),
            }
        }
        (boards, teams)
    }

    /// Adds a listener; answers with the channel's present content.
    pub fn subscribe(&self, player: &PlayerId, channel: Channel, sink: &Arc<dyn Sink>) -> Result<Value, Refusal> {
        let content = self.content(&channel, |team| self.positions.of_team(team));
        let mut channels = self.lock();
        let mine = channels.get(&channel).and_then(|audience| audience.listeners.get(player));
        if mine.is_some_and(|held| Arc::ptr_eq(held, sink)) {
            return Err(Refusal::already_subscribed("you are subscribed to this channel already"));
        }
        let held = channels.values().filter(|audience| audience.listeners.contains_key(player)).count();
        if held >= SUBSCRIPTIONS_MAX {
            return Err(Refusal::limit_exceeded(&format!("a session has at most {SUBSCRIPTIONS_MAX} live channels")));
        }
        channels.entry(channel).or_default().listeners.insert(player.clone(), Arc::clone(sink));
        Ok(content)
    }

    /// Takes a listener off one channel, or off all.
    pub fn unsubscribe(&self, player: &PlayerId, channel: Option<&Channel>, sink: &Arc<dyn Sink>) {
        self.lock().retain(|name, audience| {
            let mine = audience.listeners.get(player).is_some_and(|held| Arc::ptr_eq(held, sink));
            if mine && channel.is_none_or(|channel| channel == name) {
                audience.listeners.remove(player);
            }
            !audience.listeners.is_empty()
        });
    }

    /// Speaks on every channel that has something new, once.
    fn speak(&self) {
        let names: Vec<Channel> = self.lock().keys().cloned().collect();
        if names.is_empty() {
            return;
        }
        let mates = self.positions.by_team();
        for channel in names {
            let now = self.content(&channel, |team| mates.get(team).cloned().unwrap_or_default());
            let mut channels = self.lock();
            let Some(audience) = channels.get_mut(&channel) else { continue };
            if audience.last.as_ref() == Some(&now) {
                continue;
            }
            audience.last = Some(now.clone());
            let (name, data) = (channel.name(), Arc::new(now));
            for sink in audience.listeners.values() {
                sink.push(Push::Live { channel: name.clone(), data: Arc::clone(&data) });
            }
        }
    }

    /// Ends the subscriptions of those who have left a team.
    pub fn expel(&self, team: &TeamId, members: &[PlayerId]) {
        self.keep(team, |player| members.contains(player));
    }

    /// Ends a player's subscription to a team that they have left.
    pub fn leave(&self, team: &TeamId, player: &PlayerId) {
        self.keep(team, |listener| listener != player);
    }

    fn keep(&self, team: &TeamId, stays: impl Fn(&PlayerId) -> bool) {
        let mut channels = self.lock();
        for (channel, audience) in channels.iter_mut().filter(|(channel, _)| channel.team() == Some(team)) {
            audience.listeners.retain(|player, sink| {
                let stays = stays(player);
                if !stays {
                    sink.push(Push::Unsubscribed { channel: channel.name() });
                }
                stays
            });
        }
    }

    fn content(&self, channel: &Channel, mates: impl FnOnce(&TeamId) -> Vec<PlayerDot>) -> Value {
        match channel {
            Channel::Team(team) => {
                let (members, stale) = self.mates(team, mates(team));
                json!(TeamLive { team: team.clone(), members, stale })
            }
            Channel::Map(team, window) => {
                let (mut players, stale) = self.mates(team, mates(team));
                players.retain(|dot| window.shows(dot.lon, dot.lat));
                json!(MapLive { players, stale })
            }
            Channel::Board(quest) => {
                let (rows, stale) = self.board(quest);
                json!(BoardLive { quest: quest.clone(), rows, stale })
            }
        }
    }

    /// Members of a team who share: those whose sessions are here, then those of whom other nodes have told.
    fn mates(&self, team: &TeamId, mut mates: Vec<PlayerDot>) -> (Vec<PlayerDot>, bool) {
        let Some(elsewhere) = self.elsewhere.get() else { return (mates, false) };
        let Told { what, stale } = elsewhere.mates(team);
        // Whoever has come here from there may not share any more.
        mates.extend(what.into_iter().filter(|dot| !self.positions.is_here(&dot.id)));
        mates.sort_by(|a, b| a.id.cmp(&b.id));
        mates.dedup_by(|a, b| a.id == b.id);
        (mates, stale)
    }

    /// The first teams of a quest: those that live here as they are now, others as their nodes have told.
    fn board(&self, quest: &QuestId) -> (Vec<BoardLiveRow>, bool) {
        let told = self.elsewhere.get().map(|elsewhere| elsewhere.board(quest));
        let Told { what, stale } = told.unwrap_or(Told { what: Vec::new(), stale: false });
        let board = self.overview.lock();
        let mut rows: Vec<(i64, &TeamId, &str)> = board
            .teams
            .values()
            .filter(|card| card.quest.as_ref() == Some(quest))
            .map(|card| (card.points, &card.id, card.name.as_str()))
            .collect();
        let away = what.iter().filter(|row| !board.teams.contains_key(&row.team));
        rows.extend(away.map(|row| (row.points, &row.team, row.name.as_str())));
        // More points first; teams with as many in the order of their ids, so that a tie does not flicker.
        rows.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
        rows.truncate(BOARD_ROWS);
        let row = |(points, team, name): (i64, &TeamId, &str)| BoardLiveRow {
            team: team.clone(),
            name: name.to_owned(),
            points,
        };
        (rows.into_iter().map(row).collect(), stale)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Channel, Audience>> {
        self.audiences.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Speaks until it is told to stop.
pub async fn run(channels: Arc<Channels>, stop: CancellationToken) {
    let mut every = tokio::time::interval(EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            _ = every.tick() => channels.speak(),
        }
    }
}

/// Whether a player may listen to a channel.
pub fn may_listen(channel: &Channel, guidance: &Guidance) -> Result<(), Refusal> {
    match channel.team() {
        Some(team) if guidance.team.as_ref() != Some(team) => {
            Err(Refusal::permission_denied("this is not your team; join it first"))
        }
        _ => Ok(()),
    }
}
