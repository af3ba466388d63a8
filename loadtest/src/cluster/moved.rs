//! A planned move: a shard with a thousand live players, whose node is drained while all of them ask.

use super::ask::{histogram, micros, players};
use super::nodes::{Cluster, NAMES};
use crate::fault::Fault;
use crate::phone::Phone;
use crate::report::Report;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

/// Live players of the shard.
const PLAYERS: usize = 1_000;
/// Of them at once at their preparations.
const WRITERS: usize = 16;
/// Entries that each has.
const ENTRIES: usize = 10;
/// Each asks so often.
const EVERY: Duration = Duration::from_millis(250);
/// How often the shard's row is looked at.
const LOOK: Duration = Duration::from_millis(5);
/// How long they ask before the drain and after the move.
const AROUND: Duration = Duration::from_secs(3);

/// What a new owner reads of a shard: snapshots, and the entries after them.
const READ: &str = "SELECT coalesce(sum(length(e.payload)), 0)::int8, count(*), \
     (SELECT coalesce(sum(length(state)), 0)::int8 FROM snapshot WHERE shard = $1) FROM event e \
     LEFT JOIN snapshot s ON s.shard = e.shard AND s.kind = e.kind AND s.id = e.id \
     WHERE e.shard = $1 AND e.seq > coalesce(s.seq, 0)";

/// Measures; the node runs again afterwards.
pub async fn run(cluster: &mut Cluster, report: &mut Report) -> Result<(), Fault> {
    let owners = cluster.owners().await?;
    let (shard, from) = owners.iter().next_back().map(|(shard, node)| (*shard, *node)).unwrap_or_default();
    let phones = live(cluster, shard, from).await?;
    let mut tasks = JoinSet::new();
    let stop = Arc::new(AtomicBool::new(false));
    for (index, phone) in phones.into_iter().enumerate() {
        let first = Instant::now() + EVERY.mul_f64(index as f64 / PLAYERS as f64);
        tasks.spawn(ask(phone, first, Arc::clone(&stop)));
    }
    sleep(AROUND).await;
    let mut conn = cluster.connection().await?;
    let (payload, entries, states): (i64, i64, i64) =
        sqlx::query_as(READ).bind(i32::from(shard)).fetch_one(&mut conn).await?;
    let before = cluster.counts().await?;
    let begun = Instant::now();
    let mut watcher = JoinSet::new();
    watcher.spawn(async move { watch(&mut conn, shard, begun).await });
    cluster.drain(from).await?;
    let drained = begun.elapsed();
    let watched = watcher.join_next().await.ok_or_else(|| Fault::Server("nobody watched".to_owned()))?;
    let (released, claimed) = watched.map_err(|err| Fault::Server(err.to_string()))??;
    sleep(AROUND).await;
    let after = cluster.counts().await?;
    stop.store(true, Ordering::Relaxed);
    let mut gaps = histogram();
    while let Some(joined) = tasks.join_next().await {
        gaps.saturating_record(micros(joined.map_err(|err| Fault::phone("a phone", err))??));
    }
    report.section(format!(
        "a node is drained that has a shard with {PLAYERS} live players, all of whom ask 4 times a second"
    ));
    report.figure("from the drain to the shard's release", released.as_secs_f64() * 1e3, "ms");
    report.figure("from its release to its claim", claimed.saturating_sub(released).as_secs_f64() * 1e3, "ms");
    report.figure("until the whole node has ended", drained.as_secs_f64() * 1e3, "ms");
    report.latency("slowest answer of each", &gaps);
    report.figure("entries that the new owner reads", entries as f64, "");
    report.figure("their bytes", payload as f64, "");
    report.figure("bytes of snapshots that it reads", states as f64, "");
    let bytes = |counts: &std::collections::BTreeMap<String, f64>| {
        counts.get("link_bytes_sent_total").copied().unwrap_or(0.0)
    };
    report.remark(format!(
        "the two nodes that stayed sent each other {:.0} bytes meanwhile, questions of players included",
        bytes(&after) - bytes(&before)
    ));
    cluster.launch(from).await?;
    cluster.settle().await
}

/// The players, on the other nodes, whose sessions outlive the drain, each with its entries.
async fn live(cluster: &Cluster, shard: u16, from: usize) -> Result<Vec<Phone>, Fault> {
    let node = |n: usize| (from + 1 + n % (NAMES.len() - 1)) % NAMES.len();
    let names = players("move", PLAYERS, |one| one == shard);
    let phones = cluster.connect(names.into_iter().enumerate().map(|(n, name)| (name, node(n))).collect()).await?;
    let (turns, mut tasks, mut ready) = (Arc::new(Semaphore::new(WRITERS)), JoinSet::new(), Vec::new());
    for mut phone in phones {
        let turns = Arc::clone(&turns);
        tasks.spawn(async move {
            let _turn = turns.acquire_owned().await;
            for entry in 0..ENTRIES {
                phone.call("profile.set", &format!("{{\"name\":\"Ada {entry}\",\"cmd\":\"set-{entry}\"}}")).await?;
            }
            phone.tidy();
            Ok::<_, Fault>(phone)
        });
    }
    while let Some(joined) = tasks.join_next().await {
        ready.push(joined.map_err(|err| Fault::phone("a phone", err))??);
    }
    Ok(ready)
}

/// Asks until told to stop; the slowest answer.
async fn ask(mut phone: Phone, first: Instant, stop: Arc<AtomicBool>) -> Result<Duration, Fault> {
    let (mut next, mut longest) = (first, Duration::ZERO);
    while !stop.load(Ordering::Relaxed) {
        sleep_until(next).await;
        let sent = Instant::now();
        phone.call("state.get", "{}").await?;
        longest = longest.max(sent.elapsed());
        next = (next + EVERY).max(Instant::now());
    }
    Ok(longest)
}

/// When a shard was given up, and when it was claimed.
async fn watch(
    conn: &mut sqlx::postgres::PgConnection,
    shard: u16,
    begun: Instant,
) -> Result<(Duration, Duration), Fault> {
    let sql = "SELECT epoch, owner = '' FROM shard WHERE shard = $1";
    let (first, _): (i64, bool) = sqlx::query_as(sql).bind(i32::from(shard)).fetch_one(&mut *conn).await?;
    let mut released = None;
    loop {
        let (epoch, free): (i64, bool) = sqlx::query_as(sql).bind(i32::from(shard)).fetch_one(&mut *conn).await?;
        if free || epoch > first {
            released.get_or_insert_with(|| begun.elapsed());
        }
        if epoch > first {
            return Ok((released.unwrap_or_default(), begun.elapsed()));
        }
        sleep(LOOK).await;
    }
}
