//! How long a fault kept players waiting, by what the struck node was to them.

use std::fmt;
use std::time::Duration;

/// What a node is to a player.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Its socket is there.
    Session,
    /// Its own entity is there, or its team's, and its socket is not.
    Entity,
    /// Nothing.
    Elsewhere,
}

/// The slowest answer of each player, in the order of length.
#[derive(Debug, Default, Clone)]
pub(crate) struct Spans(Vec<Duration>);

/// What a fault cost.
#[derive(Debug, Default, Clone)]
pub(crate) struct Gaps {
    /// Players whose entities were at the struck node, and sockets elsewhere.
    pub entity: Spans,
    /// Players whose sockets were there.
    pub session: Spans,
    /// All others.
    pub elsewhere: Spans,
    /// How often a player connected anew, at most.
    pub reconnects: usize,
    /// Commands that were answered, and those of them at the first time of asking.
    pub answers: usize,
    pub at_once: usize,
}

impl Spans {
    fn add(&mut self, span: Duration) {
        let place = self.0.partition_point(|known| *known <= span);
        self.0.insert(place, span);
    }

    /// The span that this share of all, in percent, does not exceed.
    fn at(&self, percent: usize) -> Duration {
        let place = (self.0.len() * percent).div_ceil(100).max(1) - 1;
        self.0.get(place).copied().unwrap_or_default()
    }

    /// The longest.
    pub(crate) fn max(&self) -> Duration {
        self.at(100)
    }
}

impl Gaps {
    /// A player's.
    pub(crate) fn add(&mut self, place: Place, span: Duration, reconnects: usize) {
        let spans = match place {
            Place::Session => &mut self.session,
            Place::Entity => &mut self.entity,
            Place::Elsewhere => &mut self.elsewhere,
        };
        spans.add(span);
        self.reconnects = self.reconnects.max(reconnects);
    }

    /// The same fault at another time.
    pub(crate) fn merge(&mut self, other: Self) {
        let all = [(&mut self.entity, other.entity), (&mut self.session, other.session)];
        for (mine, others) in all.into_iter().chain([(&mut self.elsewhere, other.elsewhere)]) {
            others.0.into_iter().for_each(|span| mine.add(span));
        }
        self.reconnects = self.reconnects.max(other.reconnects);
        self.answers += other.answers;
        self.at_once += other.at_once;
    }

    /// The longest of all.
    pub(crate) fn max(&self) -> Duration {
        self.entity.max().max(self.session.max()).max(self.elsewhere.max())
    }
}

impl fmt::Display for Spans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("-");
        }
        let seconds = |percent| self.at(percent).as_secs_f64();
        write!(f, "{:.2}/{:.2}/{:.2} s of {}", seconds(50), seconds(99), seconds(100), self.0.len())
    }
}

impl fmt::Display for Gaps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { entity, session, elsewhere, reconnects, answers, at_once } = self;
        write!(
            f,
            "slowest answers p50/p99/max: entity there {entity}, socket there {session}, elsewhere {elsewhere}; \
             reconnects at most {reconnects}; {at_once} of {answers} at the first try"
        )
    }
}
