//! How much one peer may ask: token buckets for commands, and admission of connections.
//!
//! Pure but for the counts: time is handed in. Promise: what is admitted is counted until its `Admitted` is
//! dropped, so a limit can neither leak nor be passed.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// A token bucket: `rate` a second, at most `burst` saved up.
#[derive(Debug)]
pub(super) struct Bucket {
    rate: f64,
    burst: f64,
    tokens: f64,
    at: Instant,
}

impl Bucket {
    /// `rate` a second, `burst` saved up.
    pub(super) fn new((rate, burst): (u32, u32), now: Instant) -> Self {
        Self { rate: f64::from(rate), burst: f64::from(burst), tokens: f64::from(burst), at: now }
    }

    /// Whether all is saved up that can be: then it is as good as a new one.
    pub(super) fn full(&self, now: Instant) -> bool {
        self.tokens + now.saturating_duration_since(self.at).as_secs_f64() * self.rate >= self.burst
    }

    /// Takes `n` tokens, or none at all.
    pub(super) fn take(&mut self, n: u32, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = now;
        self.tokens = (self.tokens + passed * self.rate).min(self.burst);
        let enough = self.tokens >= f64::from(n);
        if enough {
            self.tokens -= f64::from(n);
        }
        enough
    }

    /// How long until `n` tokens will be there, for the remedy in a refusal.
    pub(super) fn wait(&self, n: u32) -> Duration {
        Duration::try_from_secs_f64((f64::from(n) - self.tokens).max(0.0) / self.rate).unwrap_or(Duration::MAX)
    }
}

/// Counts connections in all and by address.
#[derive(Debug)]
pub(super) struct Admission {
    max: usize,
    per_ip_max: usize,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    total: usize,
    by_ip: HashMap<IpAddr, usize>,
}

/// Why a connection is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// The node has as many as it may have.
    Node,
    /// This address has.
    Address,
}

/// A counted connection; dropping it makes room.
#[derive(Debug)]
pub(super) struct Admitted {
    admission: Arc<Admission>,
    ip: IpAddr,
}

impl Admission {
    pub(super) fn new(max: usize, per_ip_max: usize) -> Arc<Self> {
        Arc::new(Self { max, per_ip_max, counts: Mutex::default() })
    }

    pub(super) fn admit(self: &Arc<Self>, peer: IpAddr) -> Result<Admitted, Full> {
        let ip = source(peer);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.total >= self.max {
            return Err(Full::Node);
        }
        let of_ip = counts.by_ip.entry(ip).or_default();
        if *of_ip >= self.per_ip_max {
            return Err(Full::Address);
        }
        *of_ip += 1;
        counts.total += 1;
        Ok(Admitted { admission: Arc::clone(self), ip })
    }

    /// Connections now.
    pub(super) fn open(&self) -> usize {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).total
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut counts = self.admission.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.total -= 1;
        if let Some(of_ip) = counts.by_ip.get_mut(&self.ip) {
            *of_ip -= 1;
            if *of_ip == 0 {
                counts.by_ip.remove(&self.ip);
            }
        }
    }
}

/// What counts as one source: an IPv4 address, or an IPv6 /64, since one customer gets that many.
fn source(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & (u128::MAX << 64)).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_gives_its_burst_then_its_rate() {
        let start = Instant::now();
        let mut bucket = Bucket::new((20, 100), start);
        assert!(bucket.take(100, start));
        assert!(!bucket.take(1, start));
        assert_eq!(bucket.wait(1), Duration::from_millis(50));
        assert!(!bucket.take(2, start + Duration::from_millis(51)), "one token is not two");
        assert!(bucket.take(1, start + Duration::from_millis(51)));
        assert!(bucket.take(100, start + Duration::from_secs(60)));
        assert!(!bucket.take(101, start + Duration::from_secs(600)), "more than the burst never fits");
    }

    #[test]
    fn bucket_survives_a_clock_that_stands_still_or_goes_back() {
        let start = Instant::now() + Duration::from_secs(5);
        let mut bucket = Bucket::new((1, 1), start);
        assert!(bucket.take(1, start));
        assert!(!bucket.take(1, start - Duration::from_secs(5)));
    }

    #[test]
    fn admission_counts_by_node_and_address_and_forgets_the_gone() {
        let admission = Admission::new(3, 2);
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        let first = admission.admit(ip("10.0.0.1")).expect("room");
        let _second = admission.admit(ip("::ffff:10.0.0.1")).expect("room");
        assert_eq!(admission.admit(ip("10.0.0.1")).expect_err("mapped IPv4 is the same source"), Full::Address);
        let third = admission.admit(ip("2001:db8::1")).expect("room");
        assert_eq!(admission.admit(ip("10.0.0.3")).expect_err("no room"), Full::Node);
        drop((first, third));
        assert_eq!(admission.open(), 1);
        assert!(admission.admit(ip("10.0.0.1")).is_ok());
        assert_eq!(admission.counts.lock().expect("unpoisoned").by_ip.len(), 1);
    }

    #[test]
    fn ipv6_neighbors_in_one_64_are_one_source() {
        assert_eq!(source("2001:db8::1".parse().expect("v6")), source("2001:db8::ffff".parse().expect("v6")));
        assert_ne!(source("2001:db8::1".parse().expect("v6")), source("2001:db8:0:1::1".parse().expect("v6")));
    }
}
