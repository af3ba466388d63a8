//! A run second by second, in bounded room: when it is full, neighbours become one point and points take longer.

use serde::{Deserialize, Serialize};

/// Most points: four hours of seconds, 5 MB of JSON. A longer run keeps its whole length with coarser points.
pub const POINTS_MAX: usize = 14_400;

/// One point of the timeline; usually one second.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Second {
    /// Seconds since the run began, at the point's begin.
    pub t: u32,
    /// How many seconds it stands for; counts are of all of them together.
    pub span: Span,
    /// Fixes that were due.
    pub offered: u64,
    /// Fixes that were sent.
    pub sent: u64,
    /// Fixes that were answered, and well.
    pub acked: u64,
    /// Commands that were refused or failed, connections lost.
    pub errors: u64,
    /// Notices seen on phones.
    pub notices: u64,
    /// Awards acknowledged.
    pub awards: u64,
    /// Open sockets at its end.
    pub sockets: u64,
    /// Latency of the fixes answered in it, from due to answer; absent if none was.
    pub p50_ms: Option<f64>,
    /// The same, of 99 in 100.
    pub p99_ms: Option<f64>,
    /// The same, of 999 in 1,000.
    pub p999_ms: Option<f64>,
    /// Processors that all nodes used; absent if their processes are not seen.
    pub server_cpu_cores: Option<f64>,
    /// Resident memory of all nodes.
    pub server_rss_mb: Option<f64>,
    /// Processors that the generators used.
    pub generator_cpu_cores: f64,
    /// How late the generators sent what was due: the largest 99th percentile of them.
    pub generator_lag_ms: f64,
    /// Processors that everybody else used.
    pub other_cpu_cores: Option<f64>,
    /// Faults under way.
    pub faults_active: u32,
}

/// A number of seconds, at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "u32")]
pub struct Span(u32);

impl From<u32> for Span {
    fn from(seconds: u32) -> Self {
        Self(seconds.max(1))
    }
}

impl Default for Span {
    fn default() -> Self {
        Self(1)
    }
}

impl Second {
    /// How many seconds it stands for.
    pub fn span_s(&self) -> f64 {
        f64::from(self.span.0)
    }

    /// A count of it, by the second.
    pub fn rate(&self, count: u64) -> f64 {
        count as f64 / self.span_s()
    }

    /// Takes in its later neighbour: counts add up, processors are averaged, and of everything that must not be made
    /// to look better (latencies, memory, lag) the worse is kept.
    fn absorb(&mut self, next: &Self) {
        let (one, two) = (self.span_s(), next.span_s());
        let mean = |a: f64, b: f64| (a * one + b * two) / (one + two);
        let mean_of = |a: Option<f64>, b: Option<f64>| a.zip(b).map(|(a, b)| mean(a, b)).or(a).or(b);
        let worse = |a: Option<f64>, b: Option<f64>| a.zip(b).map(|(a, b)| a.max(b)).or(a).or(b);
        self.server_cpu_cores = mean_of(self.server_cpu_cores, next.server_cpu_cores);
        self.other_cpu_cores = mean_of(self.other_cpu_cores, next.other_cpu_cores);
        self.generator_cpu_cores = mean(self.generator_cpu_cores, next.generator_cpu_cores);
        self.span = Span(self.span.0.saturating_add(next.span.0));
        self.offered += next.offered;
        self.sent += next.sent;
        self.acked += next.acked;
        self.errors += next.errors;
        self.notices += next.notices;
        self.awards += next.awards;
        self.sockets = next.sockets;
        self.p50_ms = worse(self.p50_ms, next.p50_ms);
        self.p99_ms = worse(self.p99_ms, next.p99_ms);
        self.p999_ms = worse(self.p999_ms, next.p999_ms);
        self.server_rss_mb = worse(self.server_rss_mb, next.server_rss_mb);
        self.generator_lag_ms = self.generator_lag_ms.max(next.generator_lag_ms);
        self.faults_active = self.faults_active.max(next.faults_active);
    }
}

/// All seconds of a run in their order, at most [`POINTS_MAX`] points.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timeline(Vec<Second>);

impl Timeline {
    /// Adds the next second.
    pub fn push(&mut self, second: Second) {
        // Points of one length: a second joins the last point until that is as long as the others.
        let wanted = self.0.first().map_or(1, |first| first.span.0);
        match self.0.last_mut() {
            Some(last) if last.span.0 < wanted => last.absorb(&second),
            _ => self.0.push(second),
        }
        if self.0.len() > POINTS_MAX {
            self.halve();
        }
    }

    /// All points.
    pub fn points(&self) -> &[Second] {
        &self.0
    }

    /// How long the run was, in seconds.
    pub fn length_s(&self) -> f64 {
        self.0.last().map_or(0.0, |last| f64::from(last.t) + last.span_s())
    }

    /// The same run in at most so many points.
    pub fn thinned(&self, points: usize) -> Self {
        let mut thin = self.clone();
        while thin.0.len() > points.max(1) {
            thin.halve();
        }
        thin
    }

    fn halve(&mut self) {
        let pairs = self.0.chunks(2).map(|pair| {
            let mut point = pair[0].clone();
            pair.iter().skip(1).for_each(|next| point.absorb(next));
            point
        });
        self.0 = pairs.collect();
    }
}

impl FromIterator<Second> for Timeline {
    fn from_iter<I: IntoIterator<Item = Second>>(seconds: I) -> Self {
        let mut timeline = Self::default();
        seconds.into_iter().for_each(|second| timeline.push(second));
        timeline
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(t: u32) -> Second {
        Second {
            t,
            offered: 3,
            sockets: u64::from(t),
            p99_ms: t.is_multiple_of(2).then_some(f64::from(t)),
            ..Second::default()
        }
    }

    #[test]
    fn long_run_keeps_its_length_its_counts_and_its_worst() {
        let seconds = u32::try_from(POINTS_MAX).unwrap() * 3 + 1;
        let timeline: Timeline = (0..seconds).map(second).collect();
        let points = timeline.points();
        assert!(points.len() <= POINTS_MAX && points.len() > POINTS_MAX / 2, "{}", points.len());
        assert_eq!(points.iter().map(|point| point.offered).sum::<u64>(), 3 * u64::from(seconds));
        assert!((timeline.length_s() - f64::from(seconds)).abs() < 1e-9);
        let worst = points.iter().filter_map(|point| point.p99_ms).fold(0.0, f64::max);
        assert!((worst - f64::from(seconds - 1)).abs() < 1e-9, "{worst}");
        assert!(points.windows(2).all(|pair| f64::from(pair[0].t) + pair[0].span_s() == f64::from(pair[1].t)));
        assert!((points[0].rate(points[0].offered) - 3.0).abs() < 1e-9);
    }

    #[test]
    fn few_points_are_left_alone() {
        let timeline: Timeline = (0..10).map(second).collect();
        assert_eq!((timeline.points().len(), timeline.thinned(10).points().len()), (10, 10));
        assert_eq!(timeline.thinned(4).points().len(), 3);
    }
}
