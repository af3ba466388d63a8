//! The Postgres that is measured: one of our own, started for this run, or one that is named.
//!
//! Promise: what is ours is private, durable, and gone afterwards. Of a server that is not ours no processor time is
//! known, since its processes may be elsewhere.

use crate::fault::Fault;
use sqlx::Connection;
use sqlx::postgres::PgConnection;
use std::fs;
use std::time::Duration;
use waystone_kit::Postgres;

/// The server.
#[derive(Debug)]
pub struct Server {
    own: Option<(Postgres, u32)>,
    named: String,
}

/// Where a database stands at a moment.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    cpu: Option<Duration>,
    bytes: i64,
    wal: i64,
}

/// What it used between two moments.
#[derive(Debug, Clone, Copy)]
pub struct Used {
    pub cpu: Option<Duration>,
    pub bytes: f64,
    pub wal: f64,
}

impl Server {
    /// Starts one, unless one is named.
    pub fn start(named: Option<&str>) -> Result<Self, Fault> {
        if let Some(url) = named {
            return Ok(Self { own: None, named: url.to_owned() });
        }
        let server = Postgres::start()?;
        let note = server.psql("SELECT pg_read_file('postmaster.pid')")?;
        let pid = note.lines().next().and_then(|line| line.trim().parse().ok());
        let pid = pid.ok_or_else(|| Fault::Store("the server does not say its process".to_owned()))?;
        Ok(Self { own: Some((server, pid)), named: String::new() })
    }

    /// Whether it is ours.
    pub fn is_own(&self) -> bool {
        self.own.is_some()
    }

    /// A fresh database; of a server that is not ours, the one that was named.
    pub fn database(&self) -> Result<String, Fault> {
        match &self.own {
            Some((server, _)) => Ok(server.create_database()?),
            None => Ok(self.named.clone()),
        }
    }

    /// What it has used so far.
    pub async fn mark(&self, url: &str) -> Result<Mark, Fault> {
        let mut conn = PgConnection::connect(url).await?;
        let sql = "SELECT pg_database_size(current_database()), \
                   (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::int8";
        let (bytes, wal) = sqlx::query_as(sql).fetch_one(&mut conn).await?;
        conn.close().await?;
        let cpu = self.own.as_ref().map(|(_, pid)| cpu_of_tree(*pid)).transpose()?;
        Ok(Mark { cpu, bytes, wal })
    }
}

impl Mark {
    /// What was used up to a later mark.
    pub fn until(&self, later: &Self) -> Used {
        let cpu = self.cpu.zip(later.cpu).map(|(before, after)| after.saturating_sub(before));
        Used { cpu, bytes: (later.bytes - self.bytes) as f64, wal: (later.wal - self.wal) as f64 }
    }
}

/// Processor time of a process, of its living children, and of those that have ended and were reaped.
fn cpu_of_tree(pid: u32) -> Result<Duration, Fault> {
    let lost = |path: String| Fault::Proc { path };
    let path = format!("/proc/{pid}/task/{pid}/children");
    let children = fs::read_to_string(&path).map_err(|_| lost(path))?;
    let mut ticks = fields(pid).ok_or_else(|| lost(format!("/proc/{pid}/stat")))?.iter().sum::<u64>();
    // One may end just now; what it used is in its parent's sum from then on.
    let pids = children.split_whitespace().filter_map(|child| child.parse().ok());
    ticks += pids.filter_map(fields).map(|[user, system, ..]| user + system).sum::<u64>();
    Ok(Duration::from_millis(ticks * 10))
}

/// Own user and system time, and that of reaped children, in hundredths of a second.
fn fields(pid: u32) -> Option<[u64; 4]> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    let ticks = |at: usize| fields.get(at)?.parse().ok();
    Some([ticks(11)?, ticks(12)?, ticks(13)?, ticks(14)?])
}
