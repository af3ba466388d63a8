//! What is done to the server while people play: a schedule made from a seed, and the hands that carry it out.
//!
//! Promise: the same seed, length and nodes give the same schedule; each fault is undone before the run ends, and one of
//! them is under way at a time, so that what is seen after it belongs to it.

use super::field::Field;
use super::pipe::Order;
use crate::fault::Fault;
use crate::record::FaultMark;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, broadcast};
use tokio::time::{Instant, sleep, sleep_until};
use waystone_kit::proxy::Rule;
use waystone_kit::{Postgres, Redis};

/// How much is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Faults {
    /// Nothing
    None,
    /// One node is killed once
    Kill,
    /// What happens on an ordinary evening: phones are dropped, some do not read, a node is killed, Redis is restarted
    Gentle,
    /// All there is, one after the other: also frozen nodes, cut lines, a database that dies, strangers
    Storm,
}

/// Something to do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Deed {
    /// `kill -9` of a node, which comes back.
    Kill(usize),
    /// A node stands still.
    Freeze(usize),
    /// A node's lines to the others are cut.
    Cut(usize),
    /// A node's line to the database hangs.
    CutStore(usize),
    /// Redis is killed, and comes back empty.
    KillRedis,
    /// Redis stands still.
    FreezeRedis,
    /// The database is restarted in order, or killed.
    RestartPostgres,
    KillPostgres,
    /// Phones are dropped.
    Drop(f64),
    /// Phones do not read.
    Deaf(f64),
    /// Strangers come.
    Poison(u32),
}

/// Something to do, when and for how long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Planned {
    pub at_s: f64,
    pub for_s: f64,
    pub deed: Deed,
}

impl Deed {
    fn of_kind(faults: Faults, nodes: usize, node: usize) -> Vec<Self> {
        let calm = [Self::Drop(0.3), Self::Kill(node), Self::Deaf(0.05)];
        let cluster = nodes > 1;
        match faults {
            Faults::None => Vec::new(),
            Faults::Kill => vec![Self::Kill(node)],
            Faults::Gentle => calm.into_iter().chain(cluster.then_some(Self::KillRedis)).collect(),
            Faults::Storm => {
                let more = [Self::Poison(50), Self::Freeze(node), Self::Drop(1.0)];
                let of_cluster = [
                    Self::Cut(node),
                    Self::KillRedis,
                    Self::CutStore(node),
                    Self::FreezeRedis,
                    Self::RestartPostgres,
                    Self::KillPostgres,
                ];
                let of_cluster = of_cluster.into_iter().filter(|_| cluster);
                calm.into_iter().chain(more).chain(of_cluster).collect()
            }
        }
    }

    /// Its kind in a word.
    fn kind(self) -> &'static str {
        match self {
            Self::Kill(_) | Self::KillRedis | Self::KillPostgres => "kill",
            Self::Freeze(_) | Self::FreezeRedis => "freeze",
            Self::Cut(_) | Self::CutStore(_) => "cut",
            Self::RestartPostgres => "restart",
            Self::Drop(_) => "drop",
            Self::Deaf(_) => "deaf",
            Self::Poison(_) => "poison",
        }
    }

    /// In a sentence.
    fn words(self, field: &Field) -> String {
        match self {
            Self::Kill(node) => format!("kill -9 of node {}, which is started again", field.name(node)),
            Self::Freeze(node) => format!("node {} stands still (SIGSTOP)", field.name(node)),
            Self::Cut(node) => format!("node {} is cut from the others", field.name(node)),
            Self::CutStore(node) => format!("nothing comes through between node {} and Postgres", field.name(node)),
            Self::KillRedis => "kill -9 of Redis, which comes back empty".to_owned(),
            Self::FreezeRedis => "Redis stands still (SIGSTOP)".to_owned(),
            Self::RestartPostgres => "Postgres is restarted in order".to_owned(),
            Self::KillPostgres => "kill -9 of Postgres, which recovers".to_owned(),
            Self::Drop(share) => format!("{:.0} % of the phones lose their connection", share * 100.0),
            Self::Deaf(share) => format!("{:.0} % of the phones do not read", share * 100.0),
            Self::Poison(count) => format!("{count} strangers say what no client says"),
        }
    }

    /// Least and greatest length, in seconds.
    fn length(self) -> (f64, f64) {
        match self {
            Self::Kill(_) => (1.0, 3.0),
            Self::Freeze(_) => (2.0, 6.0),
            Self::Cut(_) | Self::CutStore(_) => (4.0, 9.0),
            Self::KillRedis | Self::FreezeRedis => (2.0, 5.0),
            Self::Deaf(_) => (5.0, 15.0),
            Self::RestartPostgres | Self::KillPostgres | Self::Drop(_) | Self::Poison(_) => (0.0, 0.0),
        }
    }
}

/// What is done when, in a run of so many seconds after a warm-up, on so many nodes of ours.
pub fn plan(faults: Faults, (warmup, seconds): (f64, f64), nodes: usize, seed: u64) -> Vec<Planned> {
    let mut rng = StdRng::seed_from_u64(seed ^ 0xfa_0017);
    let deeds = Deed::of_kind(faults, nodes, 0).len();
    if nodes == 0 || deeds == 0 {
        return Vec::new();
    }
    // A tenth at the end to recover in; the deeds take turns as often as there is room for: each needs 20 s to show.
    let room = (seconds - warmup) * 0.9;
    let rounds = ((room / (20.0 * deeds as f64)).floor() as usize).max(1);
    let rounds = if faults == Faults::Kill { 1 } else { rounds };
    let slot = room / (rounds * deeds) as f64;
    let mut planned = Vec::new();
    for number in 0..rounds * deeds {
        let node = rng.random_range(0..nodes);
        let deed = Deed::of_kind(faults, nodes, node)[number % deeds];
        let (least, most) = deed.length();
        let for_s = rng.random_range(least..=most).min(slot * 0.4);
        let at_s = warmup + slot * (number as f64 + 0.2 + 0.1 * rng.random::<f64>());
        planned.push(Planned { at_s, for_s, deed });
    }
    planned
}

/// Carries a plan out; what was done comes out of the channel as it is done, and again when it is undone.
pub async fn play(
    planned: Vec<Planned>,
    begun: Instant,
    field: Arc<Mutex<Field>>,
    orders: broadcast::Sender<Order>,
    marks: Arc<std::sync::Mutex<Vec<FaultMark>>>,
) -> Result<(), Fault> {
    let now = || begun.elapsed().as_secs_f64();
    for Planned { at_s, for_s, deed } in planned {
        sleep_until(begun + Duration::from_secs_f64(at_s)).await;
        let mark = {
            let mut field = field.lock().await;
            let what = deed.words(&field);
            let mark =
                FaultMark { at_s: now(), until_s: None, kind: deed.kind().to_owned(), what, recovered_s: None };
            held(&marks).push(mark);
            begin(deed, for_s, &mut field, &orders).await?;
            held(&marks).len() - 1
        };
        sleep(Duration::from_secs_f64(for_s)).await;
        end(deed, &mut *field.lock().await).await?;
        held(&marks)[mark].until_s = Some(now());
    }
    Ok(())
}

fn held<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

async fn begin(deed: Deed, for_s: f64, field: &mut Field, orders: &broadcast::Sender<Order>) -> Result<(), Fault> {
    let order = |order| {
        // Nobody listens when the run is being broken off.
        let _ = orders.send(order);
        Ok(())
    };
    match deed {
        Deed::Kill(node) => field.kill(node).await,
        Deed::Freeze(node) => field.freeze(node, true),
        Deed::Cut(node) => rule(field, node, |lines, name| lines.around(name, Rule::Cut)),
        Deed::CutStore(node) => rule(field, node, |lines, name| lines.to_postgres(name, Rule::HOLE)),
        Deed::KillRedis => field.redis(Redis::kill).await,
        Deed::FreezeRedis => field.redis(Redis::stop).await,
        Deed::RestartPostgres => field.postgres(Postgres::restart_fast).await,
        Deed::KillPostgres => {
            field.postgres(Postgres::kill_postmaster).await?;
            field.postgres(Postgres::restart).await
        }
        Deed::Drop(share) => order(Order::Drop(share)),
        Deed::Deaf(share) => order(Order::Deaf(share, for_s)),
        Deed::Poison(count) => order(Order::Poison(count)),
    }
}

async fn end(deed: Deed, field: &mut Field) -> Result<(), Fault> {
    match deed {
        Deed::Kill(node) => field.launch(node).await,
        Deed::Freeze(node) => field.freeze(node, false),
        Deed::Cut(node) => rule(field, node, |lines, name| lines.around(name, Rule::Pass)),
        Deed::CutStore(node) => rule(field, node, |lines, name| lines.to_postgres(name, Rule::Pass)),
        Deed::KillRedis => field.redis(Redis::restart).await,
        Deed::FreezeRedis => field.redis(Redis::cont).await,
        Deed::RestartPostgres | Deed::KillPostgres | Deed::Drop(_) | Deed::Deaf(_) | Deed::Poison(_) => Ok(()),
    }
}

fn rule(
    field: &Field,
    node: usize,
    set: impl FnOnce(&waystone_kit::Lines, &str) -> waystone_kit::Result<()>,
) -> Result<(), Fault> {
    field.lines().map_or(Ok(()), |lines| Ok(set(lines, field.name(node))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedule_is_the_same_for_the_same_seed_and_leaves_room_to_recover() {
        let storm = |seed| plan(Faults::Storm, (10.0, 1_810.0), 3, seed);
        assert_eq!(storm(1), storm(1));
        assert_ne!(storm(1), storm(2));
        let kinds: std::collections::BTreeSet<&str> = storm(1).iter().map(|planned| planned.deed.kind()).collect();
        assert_eq!(kinds.len(), 7, "{kinds:?}");
        let ordered = storm(1).windows(2).all(|two| two[0].at_s + two[0].for_s < two[1].at_s);
        assert!(ordered && storm(1).iter().all(|planned| planned.at_s >= 10.0));
        assert!(storm(1).iter().all(|planned| planned.at_s + planned.for_s < 1_650.0));
    }

    #[test]
    fn a_short_run_has_each_fault_once_and_one_node_no_cluster_faults() {
        let short = plan(Faults::Gentle, (2.0, 20.0), 1, 3);
        assert_eq!(short.len(), 3);
        assert!(plan(Faults::Storm, (2.0, 20.0), 0, 3).is_empty(), "a server that is not ours is left alone");
        assert_eq!(plan(Faults::Kill, (2.0, 600.0), 3, 3).len(), 1);
        let storm = plan(Faults::Storm, (0.0, 600.0), 1, 5);
        assert!(storm.iter().all(|planned| !matches!(planned.deed, Deed::KillPostgres | Deed::Cut(_))));
    }
}
