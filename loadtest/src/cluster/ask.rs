//! Asking an entity: on the node of the phone, and on another, through a link.

use super::nodes::Cluster;
use crate::fault::Fault;
use crate::phone::Phone;
use crate::report::Report;
use hdrhistogram::Histogram;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use waystone::cluster::shard::Shard;
use waystone::ids::{EntityId, PlayerId};

/// Phones of each kind.
const PHONES: usize = 300;
/// Of them under light load.
const FEW: usize = 20;
/// Between two questions of a phone under light load, and at full load: a node takes 20 a second of each.
const CALM: Duration = Duration::from_millis(100);
const HASTE: Duration = Duration::from_millis(55);

/// An empty histogram of microseconds, up to a minute.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000, 3).expect("constant bounds are valid")
}

/// So many players whose shards fulfil something.
pub fn players(prefix: &str, count: usize, mut fit: impl FnMut(u16) -> bool) -> Vec<String> {
    let names = (0..).map(|n| format!("{prefix}-{n}"));
    names.filter(|name| shard_of(name).is_some_and(&mut fit)).take(count).collect()
}

/// The shard of a player.
pub fn shard_of(player: &str) -> Option<u16> {
    Some(Shard::of(&EntityId::Player(PlayerId::new(player).ok()?)).number())
}

/// Measures both kinds in turns, twice.
pub async fn run(cluster: &Cluster, span: Duration, report: &mut Report) -> Result<(), Fault> {
    let owners = cluster.owners().await?;
    let of_first = |shard: u16| owners.get(&shard) == Some(&0);
    let mut kinds = Vec::new();
    for (kind, node) in [("own node", 0), ("another node", 1)] {
        let names = players(&format!("ask{node}"), PHONES, of_first).into_iter().map(|name| (name, node)).collect();
        kinds.push((kind, Resting::of(cluster.connect(names).await?)));
    }
    for (load, phones, pause) in [("light load", FEW, CALM), ("full load", PHONES, HASTE)] {
        let mut seen = [(); 2].map(|()| (histogram(), Duration::ZERO, Duration::ZERO));
        for _ in 0..2 {
            for ((_, all), (histogram, wall, cpu)) in kinds.iter_mut().zip(&mut seen) {
                let mut awake = std::mem::take(all).wake().await?;
                let resting = awake.split_off(phones.min(awake.len()));
                *all = Resting::of(resting);
                let (before, begun) = (cluster.cpu()?, Instant::now());
                let (asked, back) = ask(awake, span / 2, pause).await?;
                all.add(back);
                let used: Duration = cluster.cpu()?.iter().sum::<Duration>().saturating_sub(before.iter().sum());
                histogram.add(&asked).expect("histograms of equal bounds add up");
                (*wall, *cpu) = (*wall + begun.elapsed(), *cpu + used);
            }
        }
        for ((kind, _), (histogram, wall, cpu)) in kinds.iter().zip(&seen) {
            report.section(
                format!("an entity asked on its {kind}, {load}, {phones} phones").replace("its another", "another"),
            );
            report.figure("answers", histogram.len() as f64 / wall.as_secs_f64(), "a second");
            report.figure(
                "CPU of all nodes per answer",
                cpu.as_secs_f64() * 1e6 / histogram.len().max(1) as f64,
                "us",
            );
            report.latency("sent to answer", histogram);
        }
    }
    Ok(())
}

/// Phones that only answer pings, until they are woken: one that did not would be closed.
#[derive(Debug, Default)]
struct Resting {
    wake: watch::Sender<bool>,
    phones: JoinSet<Result<Phone, Fault>>,
}

impl Resting {
    fn of(phones: Vec<Phone>) -> Self {
        let mut resting = Self::default();
        resting.add(phones);
        resting
    }

    fn add(&mut self, phones: Vec<Phone>) {
        for mut phone in phones {
            let mut wake = self.wake.subscribe();
            self.phones.spawn(async move {
                let fault = tokio::select! {
                    fault = phone.idle() => Some(fault),
                    _ = wake.wait_for(|awake| *awake) => None,
                };
                fault.map_or(Ok(phone), Err)
            });
        }
    }

    async fn wake(mut self) -> Result<Vec<Phone>, Fault> {
        self.wake.send_replace(true);
        let mut phones = Vec::new();
        while let Some(joined) = self.phones.join_next().await {
            phones.push(joined.map_err(|err| Fault::phone("a phone", err))??);
        }
        Ok(phones)
    }
}

/// Lets phones ask for a while, each one question after another.
async fn ask(phones: Vec<Phone>, span: Duration, pause: Duration) -> Result<(Histogram<u64>, Vec<Phone>), Fault> {
    let (until, sum) = (Instant::now() + span, Arc::new(Mutex::new(histogram())));
    let (mut tasks, count) = (JoinSet::new(), phones.len().max(1));
    for (index, mut phone) in phones.into_iter().enumerate() {
        let (sum, first) = (Arc::clone(&sum), Instant::now() + pause.mul_f64(index as f64 / count as f64));
        tasks.spawn(async move {
            let mut own = histogram();
            sleep_until(first).await;
            while Instant::now() < until {
                let sent = Instant::now();
                phone.call("state.get", "{}").await?;
                own.saturating_record(micros(sent.elapsed()));
                sleep_until(sent + pause).await;
            }
            let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
            sum.add(&own).expect("histograms of equal bounds add up");
            Ok::<_, Fault>(phone)
        });
    }
    let mut phones = Vec::new();
    while let Some(joined) = tasks.join_next().await {
        phones.push(joined.map_err(|err| Fault::phone("a phone", err))??);
    }
    let sum = sum.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok((sum, phones))
}

/// A duration as a histogram counts it.
pub fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
