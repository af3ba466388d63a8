//! A cold fail-over: a node dies that has a third of many entities, and everyone asks for theirs.

use super::ask::{histogram, micros, shard_of};
use super::nodes::{Cluster, Dialer, NAMES};
use crate::fault::Fault;
use crate::report::Report;
use sqlx::postgres::PgConnection;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

/// Phones at work at the same time.
const AT_ONCE: usize = 64;
/// A pause before a phone that found nobody tries again.
const AGAIN: Duration = Duration::from_millis(50);
/// The node that dies.
const VICTIM: usize = 0;

/// Shards whose owner does not live.
const UNSERVED: &str = "SELECT count(*) FROM shard s \
     WHERE NOT EXISTS (SELECT 1 FROM node n WHERE n.node = s.owner AND n.until > now())";
/// Entities of players and teams.
const ENTITIES: &str = "SELECT count(*) FROM event WHERE seq = 1 AND kind < 3 AND shard = ANY($1)";

/// Measures with so many entities, half of them players, half the teams that they found.
pub async fn run(cluster: &mut Cluster, entities: u32, report: &mut Report) -> Result<(), Fault> {
    let begun = Instant::now();
    let players: Vec<String> = (0..entities / 2).map(|n| format!("fall-{n}")).collect();
    let dialers: Vec<Dialer> = (0..NAMES.len()).map(|node| cluster.dialer(node)).collect::<Result<_, _>>()?;
    each(&players, &dialers, |mut phone| async move {
        let founded = format!("{{\"name\":\"{}\",\"cmd\":\"found\"}}", phone.player);
        phone.call("team.create", &founded).await
    })
    .await?;
    report.section(format!("a node with a third of {entities} entities is killed, and all players ask for theirs"));
    report.figure("entities made", f64::from(entities) / begun.elapsed().as_secs_f64(), "a second");
    let owners = cluster.owners().await?;
    let lost: BTreeSet<u16> = owners.iter().filter(|(_, node)| **node == VICTIM).map(|(shard, _)| *shard).collect();
    let numbers: Vec<i16> = lost.iter().filter_map(|shard| i16::try_from(*shard).ok()).collect();
    let mut conn = cluster.connection().await?;
    let dead: i64 = sqlx::query_scalar(ENTITIES).bind(&numbers).fetch_one(&mut conn).await?;
    let of_victim = |name: &&String| shard_of(name).is_some_and(|shard| lost.contains(&shard));
    let (first, rest): (Vec<&String>, Vec<&String>) = players.iter().partition(of_victim);
    let mut seen = BTreeSet::new();
    let probes: Vec<String> =
        first.iter().filter(|name| seen.insert(shard_of(name))).map(|name| (*name).clone()).collect();
    let dialers = vec![cluster.dialer(1)?, cluster.dialer(2)?];

    let database = cluster.database().await?;
    let killed = Instant::now();
    cluster.kill(VICTIM).await?;
    let mut watcher = JoinSet::new();
    watcher.spawn(async move { claimed(&mut conn, killed).await });
    // One of each shard, all at once: when the last is answered, all shards are served.
    let mut gaps = histogram();
    let mut tasks = JoinSet::new();
    for (index, name) in (0..).zip(probes) {
        let dialer = dialers[index as usize % dialers.len()].clone();
        tasks.spawn(async move {
            insist(&dialer, index, &name).await;
            killed.elapsed()
        });
    }
    let (shards, mut served) = (tasks.len(), Duration::ZERO);
    while let Some(joined) = tasks.join_next().await {
        let took = joined.map_err(|err| Fault::phone("a probe", err))?;
        gaps.saturating_record(micros(took));
        served = served.max(took);
    }
    let claimed = watcher.join_next().await.ok_or_else(|| Fault::Server("nobody watched".to_owned()))?;
    let claimed = claimed.map_err(|err| Fault::Server(err.to_string()))??;
    let first: Vec<String> = first.into_iter().cloned().collect();
    let tries = Arc::new(AtomicU64::new(0));
    ask_all(&first, &dialers, &tries).await?;
    let players_answered = killed.elapsed();
    let rest: Vec<String> = rest.into_iter().cloned().collect();
    ask_all(&rest, &dialers, &tries).await?;
    let all = killed.elapsed();
    let used = database.until(&cluster.database().await?);
    report.figure("entities of the dead node", dead as f64, "");
    report.figure("shards of the dead node", shards as f64, "");
    report.figure("from the kill until all shards have an owner", claimed.as_secs_f64() * 1e3, "ms");
    report.figure("until all shards have answered", served.as_secs_f64() * 1e3, "ms");
    report.latency("until the first answer of a shard", &gaps);
    report.figure(format!("until its {} players have answered", first.len()), players_answered.as_secs_f64(), "s");
    report.figure("until all players and teams of the cluster have", all.as_secs_f64(), "s");
    report.figure("questions that had to be asked again", tries.load(Ordering::Relaxed) as f64, "");
    if let Some(cpu) = used.cpu {
        report.figure("CPU of Postgres meanwhile", cpu.as_secs_f64(), "s");
    }
    cluster.launch(VICTIM).await?;
    cluster.settle().await
}

async fn ask_all(players: &[String], dialers: &[Dialer], tries: &Arc<AtomicU64>) -> Result<(), Fault> {
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let mut tasks = JoinSet::new();
    for (index, name) in (0..).zip(players.iter().cloned()) {
        let (turns, dialer) = (Arc::clone(&turns), dialers[index as usize % dialers.len()].clone());
        let tries = Arc::clone(tries);
        tasks.spawn(async move {
            let _turn = turns.acquire_owned().await;
            tries.fetch_add(insist(&dialer, index % 1_000, &name).await, Ordering::Relaxed);
        });
    }
    while let Some(joined) = tasks.join_next().await {
        joined.map_err(|err| Fault::phone("a phone", err))?;
    }
    Ok(())
}

/// Asks for a player and its team until there is an answer; how often that failed.
async fn insist(dialer: &Dialer, index: u32, player: &str) -> u64 {
    let mut failed = 0;
    loop {
        let asked = async {
            let mut phone = dialer.dial(index, player.to_owned()).await?;
            phone.call("state.get", "{}").await
        };
        if asked.await.is_ok() {
            return failed;
        }
        failed += 1;
        sleep(AGAIN).await;
    }
}

/// Has each player do something once, some at a time.
async fn each<F>(
    players: &[String],
    dialers: &[Dialer],
    act: impl Fn(crate::phone::Phone) -> F + Copy + Send + Sync + 'static,
) -> Result<(), Fault>
where
    F: Future<Output = Result<(), Fault>> + Send + 'static,
{
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let mut tasks = JoinSet::new();
    for (index, name) in (0..).zip(players.iter().cloned()) {
        let (turns, dialer) = (Arc::clone(&turns), dialers[index as usize % dialers.len()].clone());
        tasks.spawn(async move {
            let _turn = turns.acquire_owned().await;
            act(dialer.insist(index % 1_000, &name).await?).await
        });
    }
    while let Some(joined) = tasks.join_next().await {
        joined.map_err(|err| Fault::phone("a phone", err))??;
    }
    Ok(())
}

/// How long after the kill no shard was without a living owner any more.
async fn claimed(conn: &mut PgConnection, killed: Instant) -> Result<Duration, Fault> {
    let mut lay = false;
    loop {
        let unserved: i64 = sqlx::query_scalar(UNSERVED).fetch_one(&mut *conn).await?;
        lay |= unserved > 0;
        if lay && unserved == 0 {
            return Ok(killed.elapsed());
        }
        sleep(Duration::from_millis(5)).await;
    }
}
