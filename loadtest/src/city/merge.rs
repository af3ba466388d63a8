//! The conductor's side of the generators: starts them, hands orders on, and makes one of what they all say.
//!
//! Histograms of generators have the same bounds, so adding them up is exact: it is as if one had counted everything.

use super::pipe::{Beat, LINE_BYTES_MAX, Order, Plan, Said, Sum};
use super::sampler::Sample;
use crate::fault::Fault;
use crate::record::{Generator, Latency, Second, Totals};
use hdrhistogram::Histogram;
use std::collections::{BTreeMap, HashMap};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Lines that wait for the conductor: some seconds of a dozen generators.
const LINES_MAX: usize = 256;
/// How long they may take for anything but playing: to read a map, to look back.
pub const PATIENCE: Duration = Duration::from_secs(360);

/// All of them.
#[derive(Debug)]
pub struct Generators {
    children: Vec<(Child, ChildStdin)>,
    pids: Vec<u32>,
    lines: mpsc::Receiver<(usize, Said)>,
    _ears: JoinSet<()>,
}

impl Generators {
    /// Starts one by each plan, and waits until all have read theirs.
    pub async fn start(plans: &[Plan]) -> Result<Self, Fault> {
        let broken = |err: std::io::Error| Fault::Server(format!("a generator: {err}"));
        let program = std::env::current_exe().map_err(broken)?;
        let (sender, lines) = mpsc::channel(LINES_MAX);
        let (mut children, mut pids, mut ears) = (Vec::new(), Vec::new(), JoinSet::new());
        for (number, plan) in plans.iter().enumerate() {
            let mut command = Command::new(&program);
            command.arg("generator").stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
            let mut child = command.spawn().map_err(broken)?;
            let (Some(mut mouth), Some(ear)) = (child.stdin.take(), child.stdout.take()) else {
                return Err(Fault::Server("a generator has no pipes".to_owned()));
            };
            say(&mut mouth, plan).await?;
            pids.extend(child.id());
            children.push((child, mouth));
            let sender = sender.clone();
            ears.spawn(async move {
                let mut ear = BufReader::new(ear);
                loop {
                    let mut line = String::new();
                    let read = (&mut ear).take(LINE_BYTES_MAX).read_line(&mut line).await;
                    let said = match read {
                        Ok(count) if count > 0 => serde_json::from_str(&line)
                            .unwrap_or_else(|err| Said::Failed(format!("it was not understood: {err}"))),
                        Ok(_) | Err(_) => Said::Failed("it has ended".to_owned()),
                    };
                    let last = matches!(said, Said::Failed(_) | Said::Done(_));
                    if sender.send((number, said)).await.is_err() || last {
                        return;
                    }
                }
            });
        }
        let mut all = Self { children, pids, lines, _ears: ears };
        for _ in plans {
            match all.next_within(PATIENCE).await? {
                (_, Said::Ready) => {}
                (number, said) => {
                    return Err(Fault::Server(format!("generator {number} said {said:?} before it was ready")));
                }
            }
        }
        Ok(all)
    }

    /// Their processes.
    pub fn pids(&self) -> &[u32] {
        &self.pids
    }

    /// Tells all of them.
    pub async fn order(&mut self, order: Order) -> Result<(), Fault> {
        for (_, mouth) in &mut self.children {
            say(mouth, &order).await?;
        }
        Ok(())
    }

    /// What one of them says next. Safe to drop while it waits.
    pub async fn next(&mut self) -> Result<(usize, Said), Fault> {
        match self.lines.recv().await {
            Some((number, Said::Failed(why))) => Err(Fault::Server(format!("generator {number}: {why}"))),
            Some(said) => Ok(said),
            None => Err(Fault::Server("all generators have ended".to_owned())),
        }
    }

    /// The same, within a time.
    pub async fn next_within(&mut self, span: Duration) -> Result<(usize, Said), Fault> {
        let late = || Fault::Server(format!("no generator said anything within {span:?}"));
        timeout(span, self.next()).await.map_err(|_| late())?
    }
}

async fn say(mouth: &mut ChildStdin, what: &impl serde::Serialize) -> Result<(), Fault> {
    let broken = |err: std::io::Error| Fault::Server(format!("a generator does not listen: {err}"));
    let mut line = serde_json::to_vec(what).map_err(|err| Fault::Server(err.to_string()))?;
    line.push(b'\n');
    mouth.write_all(&line).await.map_err(broken)
}

/// Seconds while they come in, from each generator at its time.
#[derive(Debug)]
pub struct Seconds {
    generators: usize,
    open: BTreeMap<u32, (usize, Beat, Histogram<u64>)>,
    samples: BTreeMap<u32, Sample>,
    done: BTreeMap<u32, Second>,
}

impl Seconds {
    /// From so many generators.
    pub fn of(generators: usize) -> Self {
        Self { generators, open: BTreeMap::new(), samples: BTreeMap::new(), done: BTreeMap::new() }
    }

    /// What the machine did in a second.
    pub fn sample(&mut self, t: u32, sample: Sample) {
        self.samples.insert(t, sample);
        self.close(t);
    }

    /// One generator's second.
    pub fn take(&mut self, beat: &Beat) {
        // Two digits: a point in a picture. Bounds are constants, and valid.
        let empty = || Histogram::new_with_bounds(1, 600_000_000, 2).expect("constant bounds are valid");
        let (count, sum, latencies) = self.open.entry(beat.t).or_insert_with(|| (0, Beat::default(), empty()));
        *count += 1;
        sum.offered += beat.offered;
        sum.sent += beat.sent;
        sum.acked += beat.acked;
        sum.errors += beat.errors;
        sum.notices += beat.notices;
        sum.awards += beat.awards;
        sum.sockets += beat.sockets;
        sum.lag_p99_us = sum.lag_p99_us.max(beat.lag_p99_us);
        for (value, count) in &beat.latencies {
            latencies.saturating_record_n(*value, *count);
        }
        self.close(beat.t);
    }

    fn close(&mut self, t: u32) {
        let Some((count, _, _)) = self.open.get(&t) else { return };
        if *count < self.generators || !self.samples.contains_key(&t) {
            return;
        }
        let (Some((_, beat, latencies)), Some(sample)) = (self.open.remove(&t), self.samples.remove(&t)) else {
            return;
        };
        let at = |quantile| (!latencies.is_empty()).then(|| latencies.value_at_quantile(quantile) as f64 / 1e3);
        let second = Second {
            t,
            offered: beat.offered,
            sent: beat.sent,
            acked: beat.acked,
            errors: beat.errors,
            notices: beat.notices,
            awards: beat.awards,
            sockets: beat.sockets,
            p50_ms: at(0.5),
            p99_ms: at(0.99),
            p999_ms: at(0.999),
            server_cpu_cores: sample.server_cores,
            server_rss_mb: sample.server_rss_mb,
            generator_cpu_cores: sample.generator_cores,
            generator_lag_ms: beat.lag_p99_us as f64 / 1e3,
            other_cpu_cores: Some(sample.other_cores),
            faults_active: sample.faults,
            ..Second::default()
        };
        self.done.insert(t, second);
    }

    /// Notices of all that are whole.
    pub fn notices(&self) -> u64 {
        self.done.values().map(|second| second.notices).sum()
    }

    /// The newest that is whole.
    pub fn newest(&self) -> Option<&Second> {
        self.done.values().next_back()
    }

    /// All that are whole, in their order.
    pub fn finish(self) -> Vec<Second> {
        self.done.into_values().collect()
    }
}

/// What all generators have counted.
#[derive(Debug)]
pub struct Whole {
    pub latencies: BTreeMap<String, Latency>,
    pub lag: Option<Latency>,
    pub totals: Totals,
    pub more: BTreeMap<String, u64>,
    pub heat: HashMap<(i32, i32), u64>,
    pub by_place: Vec<u64>,
    pub first_fault: Option<String>,
    pub generators: Vec<Generator>,
}

impl Whole {
    /// Of nobody yet.
    pub fn empty() -> Self {
        Self {
            latencies: BTreeMap::new(),
            lag: None,
            totals: Totals::default(),
            more: BTreeMap::new(),
            heat: HashMap::new(),
            by_place: Vec::new(),
            first_fault: None,
            generators: Vec::new(),
        }
    }

    /// Takes one generator's sum in.
    pub fn add(&mut self, number: usize, sum: Sum, cpu_cores: f64, sockets: u64) {
        let lag_p99_ms = sum.lag.quantile_ms(0.99).unwrap_or(0.0);
        self.generators.push(Generator { name: format!("generator {number}"), cpu_cores, lag_p99_ms, sockets });
        for (name, latency) in sum.latencies {
            add(self.latencies.entry(name), latency);
        }
        match &mut self.lag {
            Some(lag) => lag.absorb(&sum.lag),
            none => *none = Some(sum.lag),
        }
        self.totals.absorb(sum.totals);
        for (name, count) in sum.more {
            *self.more.entry(name).or_default() += count;
        }
        for (x, y, count) in sum.heat {
            *self.heat.entry((x, y)).or_default() += count;
        }
        self.by_place.resize(self.by_place.len().max(sum.by_place.len()), 0);
        self.by_place.iter_mut().zip(sum.by_place).for_each(|(mine, its)| *mine += its);
        self.first_fault = self.first_fault.take().or(sum.first_fault);
    }

    /// A count by its name, 0 if nobody counted it.
    pub fn count(&self, name: &str) -> u64 {
        self.more.get(name).copied().unwrap_or(0)
    }
}

fn add(entry: std::collections::btree_map::Entry<'_, String, Latency>, more: Latency) {
    match entry {
        std::collections::btree_map::Entry::Vacant(vacant) => drop(vacant.insert(more)),
        std::collections::btree_map::Entry::Occupied(mut known) => known.get_mut().absorb(&more),
    }
}

#[cfg(test)]
mod tests {
    use super::super::counts::{AWARD_TO_NOTICE, Counts};
    use super::*;

    fn sum(spans: &[u64]) -> Sum {
        let counts = Counts::new(3);
        counts.measure();
        spans.iter().for_each(|ms| counts.took(AWARD_TO_NOTICE, Duration::from_millis(*ms)));
        counts.award(Some(1));
        // As it comes through the pipe.
        let text = serde_json::to_string(&counts.sum()).expect("JSON");
        serde_json::from_str(&text).expect("JSON")
    }

    #[test]
    fn two_generators_are_as_one() {
        let (mut two, mut one) = (Whole::empty(), Whole::empty());
        two.add(0, sum(&[1, 2, 900]), 0.1, 5);
        two.add(1, sum(&[3, 40_000]), 0.1, 5);
        one.add(0, sum(&[1, 2, 900, 3, 40_000]), 0.1, 5);
        assert_eq!(two.latencies, one.latencies, "merging is exact");
        assert_eq!((two.totals.awards, two.by_place.clone()), (2, vec![0, 2, 0]));
    }

    #[test]
    fn a_second_is_whole_when_all_have_told_it() {
        let mut seconds = Seconds::of(2);
        let beat = |us| Beat { t: 4, acked: 10, latencies: vec![(us, 10)], ..Beat::default() };
        seconds.take(&beat(1_000));
        seconds.sample(4, Sample::default());
        assert!(seconds.newest().is_none());
        seconds.take(&beat(9_000));
        let second = seconds.newest().expect("whole");
        assert_eq!((second.acked, second.t), (20, 4));
        assert!(second.p50_ms.is_some_and(|p50| p50 < 1.1) && second.p99_ms.is_some_and(|p99| p99 > 8.9));
    }
}
