//! What the node counts, as Prometheus text.
//!
//! Written by hand: a dozen lines need no registry. Promise: no player, team, address or other unbounded label.

use super::auth::Auth;
use super::close::{CLOSES, Close};
use super::limits::Admission;
use crate::actors::cards::Counts;
use crate::geo::plausibility::Difference;
use std::fmt::{Debug, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A part of the node that the edge does not know, and that counts too.
pub trait Counting: Debug + Send + Sync {
    /// Its counters: name without `waystone_` and `_total`, sentence, number.
    fn counts(&self) -> Vec<(String, &'static str, u64)>;
}

/// Why a connection was refused before it became a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// The node has all that it may have.
    NodeFull,
    /// The address has.
    AddressFull,
    /// Too many are arriving at once.
    Handshakes,
    /// Memory is short.
    Memory,
    /// No TLS came about.
    Tls,
    /// The head did not come in time.
    Late,
    /// The head is no good.
    Head,
    /// The HTTP side is behind.
    Http,
}

impl Why {
    const ALL: [(Self, &str); 8] = [
        (Self::NodeFull, "node_full"),
        (Self::AddressFull, "address_full"),
        (Self::Handshakes, "handshakes"),
        (Self::Memory, "memory"),
        (Self::Tls, "tls"),
        (Self::Late, "late"),
        (Self::Head, "head"),
        (Self::Http, "http_busy"),
    ];
}

/// Which limit a client of ours ran into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limited {
    /// Fixes of a player.
    Fixes,
    /// Commands of a player, or of a connection that is nobody's yet.
    Commands,
    /// Messages of one connection.
    Messages,
    /// Posts of a phone app, for either reason.
    Posts,
    /// Players who asked lately.
    Players,
    /// Sessions, while memory is short.
    Memory,
}

impl Limited {
    const ALL: [(Self, &str); 6] = [
        (Self::Fixes, "fixes"),
        (Self::Commands, "commands"),
        (Self::Messages, "messages"),
        (Self::Posts, "posts"),
        (Self::Players, "players"),
        (Self::Memory, "memory"),
    ];
}

/// The edge's own counters.
#[derive(Debug)]
pub(super) struct Metrics {
    admission: Arc<Admission>,
    refused: [AtomicU64; Why::ALL.len()],
    limited: [AtomicU64; Limited::ALL.len()],
    closed: Vec<AtomicU64>,
    others: Vec<Arc<dyn Counting>>,
}

impl Metrics {
    pub(super) fn new(admission: Arc<Admission>, others: Vec<Arc<dyn Counting>>) -> Self {
        let closed = CLOSES.iter().map(|_| AtomicU64::default()).collect();
        Self { admission, refused: Default::default(), limited: Default::default(), closed, others }
    }

    /// A connection was refused.
    pub(super) fn refused(&self, why: Why) {
        self.refused[why as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Somebody ran into a limit.
    pub(super) fn limited(&self, what: Limited) {
        self.limited[what as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// We closed a socket.
    pub(super) fn closed(&self, close: Close) {
        if let Some(place) = CLOSES.iter().position(|known| *known == close) {
            self.closed[place].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The whole page.
    pub(super) fn page(&self, counts: &Counts, auth: &Auth, ready: bool, (used, ceiling): (u64, u64)) -> String {
        let mut page = String::with_capacity(2048);
        let mut one = |name: &str, kind: &str, help: &str, value: &dyn std::fmt::Display| {
            let _ = writeln!(
                page,
                "# HELP waystone_{name} {help}\n# TYPE waystone_{name} {kind}\nwaystone_{name} {value}"
            );
        };
        one("ready", "gauge", "Whether the node takes work.", &u8::from(ready));
        one("connections", "gauge", "Open connections, sockets and HTTP.", &self.admission.open());
        one("sessions", "gauge", "Live sessions.", &counts.sessions);
        one("entities", "gauge", "Awake entities.", &counts.entities);
        one("parked_entities", "gauge", "Entities that panic and are parked.", &counts.parked);
        one("fixes_total", "counter", "Fixes judged.", &counts.fixes);
        one("entries_total", "counter", "Journal entries committed.", &counts.entries);
        one("memory_bytes", "gauge", "Resident memory; 0 if unknown.", &used);
        one("memory_ceiling_bytes", "gauge", "From where on nobody else is let in; 0 if there is none.", &ceiling);
        for (name, help, value) in self.others.iter().flat_map(|part| part.counts()) {
            one(&format!("{name}_total"), "counter", help.trim(), &value);
        }
        if let Some(redis) = counts.redis {
            one("redis_calls_total", "counter", "Calls to Redis.", &redis.calls);
            one("redis_failures_total", "counter", "Calls to Redis that failed or came too late.", &redis.failures);
            one("redis_given_up_total", "counter", "Times that Redis was given up for a while.", &redis.opened);
            one("redis_given_up", "gauge", "Whether Redis is given up now.", &u8::from(redis.open));
        }
        if let Some((renewals, failures)) = auth.renewals() {
            one("key_renewals_total", "counter", "Times that the key files were read again.", &renewals);
            one("key_failures_total", "counter", "Times that the key files were no good.", &failures);
        }
        if let Some((fetches, failures)) = auth.fetches() {
            one("jwks_fetches_total", "counter", "Fetches of the key set.", &fetches);
            one("jwks_failures_total", "counter", "Fetches of the key set that failed.", &failures);
        }
        page.push_str("# HELP waystone_auth_failures_total Tokens that were not taken, by reason.\n");
        page.push_str("# TYPE waystone_auth_failures_total counter\n");
        for (reason, count) in auth.failures() {
            let _ = writeln!(page, "waystone_auth_failures_total{{reason=\"{reason}\"}} {count}");
        }
        page.push_str("# HELP waystone_notice_seconds From fix to notice, the last thousand.\n");
        page.push_str("# TYPE waystone_notice_seconds gauge\n");
        for (quantile, ms) in [("0.5", counts.notice_p50_ms), ("0.99", counts.notice_p99_ms)] {
            let _ = writeln!(page, "waystone_notice_seconds{{quantile=\"{quantile}\"}} {}", ms / 1000.0);
        }
        let help = "Fixes that the plausibility rules on trial judge otherwise.";
        let _ = writeln!(page, "# HELP waystone_trial_differences_total {help}");
        page.push_str("# TYPE waystone_trial_differences_total counter\n");
        for (kind, count) in Difference::ALL.into_iter().zip(counts.trials) {
            let _ = writeln!(page, "waystone_trial_differences_total{{kind=\"{}\"}} {count}", kind.name());
        }
        let refused = Why::ALL.iter().zip(&self.refused).map(|((_, name), count)| (*name, count));
        by_label(&mut page, "refused_total", "Connections refused.", "why", refused);
        let limited = Limited::ALL.iter().zip(&self.limited).map(|((_, name), count)| (*name, count));
        by_label(&mut page, "limited_total", "What ran into a limit.", "what", limited);
        page.push_str("# HELP waystone_closed_total Sockets that the server closed, by code.\n");
        page.push_str("# TYPE waystone_closed_total counter\n");
        for (close, count) in CLOSES.iter().zip(&self.closed) {
            let count = count.load(Ordering::Relaxed);
            let _ = writeln!(page, "waystone_closed_total{{code=\"{}\"}} {count}", close.code);
        }
        page
    }
}

fn by_label<'a>(
    page: &mut String,
    name: &str,
    help: &str,
    label: &str,
    counts: impl Iterator<Item = (&'a str, &'a AtomicU64)>,
) {
    let _ = writeln!(page, "# HELP waystone_{name} {help}\n# TYPE waystone_{name} counter");
    for (value, count) in counts {
        let _ = writeln!(page, "waystone_{name}{{{label}=\"{value}\"}} {}", count.load(Ordering::Relaxed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actors::cards::RedisCounts;
    use crate::clock::Clock;
    use crate::net::auth::{AuthConfig, TokenError};

    #[derive(Debug)]
    struct Part;

    impl Counting for Part {
        fn counts(&self) -> Vec<(String, &'static str, u64)> {
            vec![("link_calls_sent".to_owned(), " Calls sent to peers.", 7)]
        }
    }

    #[test]
    fn page_is_prometheus_text() {
        let metrics = Metrics::new(Admission::new(1, 1), vec![Arc::new(Part)]);
        metrics.closed(Close::SLOW);
        metrics.refused(Why::Memory);
        metrics.limited(Limited::Posts);
        for (place, (why, _)) in Why::ALL.iter().enumerate() {
            assert_eq!(*why as usize, place);
        }
        for (place, (what, _)) in Limited::ALL.iter().enumerate() {
            assert_eq!(*what as usize, place);
        }
        let redis = RedisCounts { calls: 9, failures: 2, opened: 1, open: true };
        let counts = Counts { sessions: 3, parked: 2, notice_p99_ms: 12.5, redis: Some(redis), ..Counts::default() };
        let auth = Auth::new(Vec::new(), AuthConfig::default(), Clock::system());
        auth.count(TokenError::Signature);
        let page = metrics.page(&counts, &auth, true, (5, 9));
        for line in [
            "waystone_ready 1",
            "waystone_sessions 3",
            "waystone_memory_bytes 5",
            "waystone_refused_total{why=\"memory\"} 1",
            "waystone_refused_total{why=\"http_busy\"} 0",
            "waystone_limited_total{what=\"posts\"} 1",
            "waystone_parked_entities 2",
            "# HELP waystone_link_calls_sent_total Calls sent to peers.",
            "waystone_link_calls_sent_total 7",
            "waystone_redis_failures_total 2",
            "waystone_redis_given_up 1",
            "waystone_closed_total{code=\"3008\"} 1",
            "waystone_auth_failures_total{reason=\"signature\"} 1",
            "waystone_trial_differences_total{kind=\"stricter\"} 0",
            "waystone_notice_seconds{quantile=\"0.99\"} 0.0125",
        ] {
            assert!(page.lines().any(|l| l == line), "{line} is not in\n{page}");
        }
        assert!(!metrics.page(&Counts::default(), &auth, true, (0, 0)).contains("redis"), "a single server has none");
        assert!(page.ends_with('\n'));
        assert!(page.lines().all(|line| line.starts_with('#') || line.split(' ').count() == 2));
    }
}
