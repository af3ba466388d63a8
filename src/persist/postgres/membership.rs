//! Membership in Postgres: a row for each node, renewed each second, which tells in the same round trip who else lives
//! and whether any shard has changed hands.
//!
//! Promise: as [`Members`] says. Time is the database's: what this node knows is counted from before it asked. Rows of
//! shards are read only when one of them has changed, so a quiet beat costs one statement however many shards there are.

use super::batch::{shard, uint};
use super::lease::ANSWER;
use super::line::{Fault, connect, settings};
use super::schema::{Address, OpenError};
use super::{line, sql};
use crate::clock::Clock;
use crate::cluster::member::{Identity, Member, NodeId, Owner, Protocols, Standing, View};
use crate::cluster::shard::SHARDS;
use crate::persist::health::Trouble;
use crate::persist::members::{BEAT, GAP, NAME, NAME_LOOK, Owners, TTL, Until};
use crate::persist::{Members, ReadError};
use crate::units::Timestamp;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sqlx::Row;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long a shard counts as held that was claimed before such times were written down: no hold is as long.
const LONG: Duration = Duration::from_secs(86_400);

/// How soon a beat is tried again that had no answer: a connection that was cut must not cost a third of the lease.
const RETRY: Duration = Duration::from_millis(250);

/// One node's membership.
pub(super) struct Membership {
    me: NodeId,
    identity: Identity,
    options: PgConnectOptions,
    /// This node's, which follows the database's.
    clock: Clock,
    standing: Mutex<Standing>,
    views: watch::Sender<Arc<View>>,
    /// A beat is wanted before its time.
    wanted: Notify,
    /// The next beat shall read all shards.
    looking: AtomicBool,
    until: Until,
    course: tokio::sync::Mutex<Course>,
    /// For tests: as if the process stood still.
    #[cfg(test)]
    muted: AtomicBool,
}

/// What one beat leaves to the next.
#[derive(Debug, Default)]
struct Course {
    /// Also for burials; made anew when it has lost its trust.
    conn: Option<PgConnection>,
    /// `None`: to be read.
    owners: Option<Owners>,
    /// Whether the last beat was refused since another bears the name; said once.
    usurped: bool,
}

/// What a beat hears.
struct Heard {
    print: (u64, u64),
    quests: u64,
    /// Whether the own lease ran until now.
    ran: bool,
    members: BTreeMap<NodeId, Member>,
}

impl std::fmt::Debug for Membership {
    /// Without the way to the database, which bears its password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Membership").field("me", &self.me).field("identity", &self.identity).finish_non_exhaustive()
    }
}

impl Membership {
    /// Joins with a first look, as soon as no other living node bears the name, if the others have the same key.
    pub(super) async fn join(
        address: &Address,
        mut conn: PgConnection,
        me: NodeId,
        identity: Identity,
        fingerprint: &str,
        clock: Clock,
    ) -> Result<Arc<Self>, OpenError> {
        let fault = |err: sqlx::Error| address.fault(&err);
        let differs = || OpenError::KeyDiffers { at: address.at.clone() };
        sqlx::query(sql::LEASES_SWEEP).execute(&mut conn).await.map_err(fault)?;
        if !key_is(&mut conn, fingerprint).await.map_err(fault)? {
            return Err(differs());
        }
        let begun = Instant::now();
        while !enter(&mut conn, &me, &identity).await.map_err(fault)? {
            if begun.elapsed() >= NAME {
                return Err(OpenError::NameTaken { at: address.at.clone(), name: identity.name });
            }
            tokio::time::sleep(NAME_LOOK).await;
        }
        // Another with another key may have begun at the same time, when nobody lived.
        if !key_is(&mut conn, fingerprint).await.map_err(fault)? {
            sqlx::query(sql::BURY).bind(me.as_str()).execute(&mut conn).await.map_err(fault)?;
            return Err(differs());
        }
        let nothing = View { me: me.clone(), members: BTreeMap::new(), owners: Vec::new(), quests: 0 };
        let membership = Self {
            me,
            identity,
            options: settings(address.options.clone(), line::STATEMENT),
            clock,
            standing: Mutex::default(),
            views: watch::Sender::new(Arc::new(nothing)),
            wanted: Notify::new(),
            looking: AtomicBool::new(false),
            until: Until::over(),
            course: tokio::sync::Mutex::new(Course { conn: Some(conn), ..Course::default() }),
            #[cfg(test)]
            muted: AtomicBool::new(false),
        };
        let first = membership.beat(&mut *membership.course.lock().await).await;
        first.map_err(|fault| address.trouble(fault))?;
        Ok(Arc::new(membership))
    }

    /// Whether the lease runs, in words for operators.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        if self.until.runs() { Ok(()) } else { Err(Trouble::Expired.text()) }
    }

    /// For tests: from now on no beat is sent, or again.
    #[cfg(test)]
    pub(super) fn mute(&self, on: bool) {
        self.muted.store(on, Ordering::Release);
    }

    /// Beats until told to stop, and then leaves, so that nobody need wait for what was owned here.
    pub(super) async fn run(self: Arc<Self>, stop: CancellationToken) {
        let (mut last, mut pause) = (Instant::now(), BEAT);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = tokio::time::sleep_until(last + pause) => {}
                () = self.wanted.notified() => tokio::time::sleep_until(last + GAP).await,
            }
            last = Instant::now();
            #[cfg(test)]
            if self.muted.load(Ordering::Acquire) {
                continue;
            }
            let mut course = self.course.lock().await;
            // A connection has its own deadline, and is kept: one that takes longer than a beat may would never be made.
            if course.conn.is_none() {
                match stop.run_until_cancelled(connect(&self.options)).await {
                    Some(Ok(conn)) => course.conn = Some(conn),
                    Some(Err(fault)) => {
                        tracing::debug!(?fault, "the lease was not renewed");
                        pause = RETRY;
                        continue;
                    }
                    None => break,
                }
            }
            let beaten = tokio::time::timeout(ANSWER, self.beat(&mut course)).await;
            pause = if matches!(beaten, Ok(Ok(()))) { BEAT } else { RETRY };
            match beaten {
                Ok(Ok(())) => course.usurped = false,
                Ok(Err(Fault::Unique(_))) if !course.usurped => {
                    course.usurped = true;
                    tracing::error!("another node has joined under this node's name; this one stays out");
                }
                Ok(Err(fault)) => tracing::debug!(?fault, "the lease was not renewed"),
                Err(_) => tracing::debug!("the lease was not renewed in time"),
            }
        }
        if let Some(mut conn) = self.course.lock().await.conn.take() {
            let left = sqlx::query(sql::LEASE_END).bind(self.me.as_str()).execute(&mut conn);
            // If it cannot be given up it runs out.
            let _ = tokio::time::timeout(ANSWER, left).await;
        }
    }

    /// One beat. The connection and what is known of shards are out of the course meanwhile: a beat that is broken off
    /// leaves neither behind.
    async fn beat(&self, course: &mut Course) -> Result<(), Fault> {
        let sent = Instant::now();
        let looking = self.looking.swap(false, Ordering::AcqRel);
        let known = course.owners.take();
        let mut conn = match course.conn.take() {
            Some(conn) => conn,
            None => connect(&self.options).await?,
        };
        let standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Heard { print, quests, ran, mut members } = self.ask(&mut conn, &standing).await?;
        // While the lease did not run, another may have claimed what was ours after this beat had looked.
        let late = !ran || !self.until.runs();
        let owners = match known.filter(|known| !late && !looking && known.print() == print) {
            Some(known) => known,
            None => owners(&mut conn).await?,
        };
        members.insert(self.me.clone(), Member { identity: self.identity.clone(), standing });
        self.views.send_replace(Arc::new(View { me: self.me.clone(), members, owners: owners.now(), quests }));
        // After the view: who is certain can know what was lost.
        self.until.set(sent + TTL);
        (course.conn, course.owners) = (Some(conn), Some(owners));
        Ok(())
    }

    async fn ask(&self, conn: &mut PgConnection, standing: &Standing) -> Result<Heard, sqlx::Error> {
        let Identity { name, address, protocols } = &self.identity;
        let unreachable: Vec<&str> = standing.unreachable.iter().map(NodeId::as_str).collect();
        let query = sqlx::query(sql::BEAT).bind(self.me.as_str()).bind(TTL.as_secs_f64()).bind(name).bind(address);
        let query = query.bind(i32::from(protocols.min)).bind(i32::from(protocols.max));
        let asked = self.clock.now();
        let rows = query.bind(standing.draining).bind(unreachable).fetch_all(conn).await?;
        let heard = self.clock.now();
        // There is always one: without other members, one without a node.
        let first = rows.first().ok_or(sqlx::Error::RowNotFound)?;
        if let Some(wrong_ms) = self.clock.compare(asked, Timestamp::from_millis(first.try_get(11)?), heard) {
            tracing::warn!(wrong_ms, "this machine's clock is not the database's, by which the cluster goes");
        }
        let members: Result<_, sqlx::Error> = rows.iter().filter_map(|row| member(row).transpose()).collect();
        Ok(Heard {
            print: (uint(first.try_get(0)?), uint(first.try_get(1)?)),
            quests: uint(first.try_get(2)?),
            ran: first.try_get(3)?,
            members: members?,
        })
    }
}

/// Writes the own row; `false`: a living node bears the name.
async fn enter(conn: &mut PgConnection, me: &NodeId, identity: &Identity) -> Result<bool, sqlx::Error> {
    let Identity { name, address, protocols } = identity;
    sqlx::query(sql::NAME_FREE).bind(name).execute(&mut *conn).await?;
    let join = sqlx::query(sql::JOIN).bind(me.as_str()).bind(TTL.as_secs_f64()).bind(name).bind(address);
    let join = join.bind(i32::from(protocols.min)).bind(i32::from(protocols.max));
    Ok(join.execute(conn).await?.rows_affected() == 1)
}

/// Whether the cluster's key has this fingerprint, or may have it from now on.
async fn key_is(conn: &mut PgConnection, fingerprint: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(sql::KEY_IS).bind(fingerprint).fetch_one(conn).await
}

/// A living member of [`sql::BEAT`]'s answer.
fn member(row: &PgRow) -> Result<Option<(NodeId, Member)>, sqlx::Error> {
    let Some(node) = row.try_get::<Option<String>, _>(4)? else { return Ok(None) };
    let protocol = |column: usize| row.try_get::<i32, _>(column).map(|n| u16::try_from(n).unwrap_or(0));
    let protocols = Protocols { min: protocol(7)?, max: protocol(8)? };
    let identity = Identity { name: row.try_get(5)?, address: row.try_get(6)?, protocols };
    let unreachable: Vec<String> = row.try_get(10)?;
    let unreachable = unreachable.into_iter().map(NodeId::new).collect();
    Ok(Some((NodeId::new(node), Member { identity, standing: Standing { draining: row.try_get(9)?, unreachable } })))
}

/// Whose all shards are, as of now.
async fn owners(conn: &mut PgConnection) -> Result<Owners, sqlx::Error> {
    let rows = sqlx::query(sql::OWNERS).fetch_all(conn).await?;
    let mut owners = vec![Owner::default(); usize::from(SHARDS)];
    for row in &rows {
        let Some(shard) = shard(row.try_get(0)?) else { continue };
        let (owner, held): (&str, Option<f64>) = (row.try_get(1)?, row.try_get(3)?);
        let node = (!owner.is_empty()).then(|| NodeId::new(owner));
        // A clock that was set back gives less than nothing.
        let held = held.map_or(LONG, |held| Duration::try_from_secs_f64(held).unwrap_or_default());
        let held = if node.is_some() { held } else { Duration::ZERO };
        owners[usize::from(shard.number())] = Owner { node, epoch: uint(row.try_get(2)?), held };
    }
    Ok(Owners::new(owners))
}

impl Members for Membership {
    fn me(&self) -> &NodeId {
        &self.me
    }

    fn views(&self) -> watch::Receiver<Arc<View>> {
        self.views.subscribe()
    }

    fn stand(&self, standing: Standing) {
        let mut old = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        if *old != standing {
            *old = standing;
            self.wanted.notify_one();
        }
    }

    fn look(&self) {
        self.looking.store(true, Ordering::Release);
        self.wanted.notify_one();
    }

    fn is_certain(&self) -> bool {
        self.until.runs()
    }

    fn bury(&self, node: &NodeId) -> BoxFuture<'_, Result<(), ReadError>> {
        let node = node.clone();
        async move {
            let work = async {
                let mut course = self.course.lock().await;
                let mut conn = match course.conn.take() {
                    Some(conn) => conn,
                    None => connect(&self.options).await?,
                };
                sqlx::query(sql::BURY).bind(node.as_str()).execute(&mut conn).await?;
                course.conn = Some(conn);
                Ok::<_, Fault>(())
            };
            let unavailable = |why: &str| Err(ReadError::Unavailable(why.to_owned()));
            // Behind a beat, at the longest.
            match tokio::time::timeout(ANSWER * 2, work).await {
                Ok(Ok(())) => {
                    self.look();
                    Ok(())
                }
                Ok(Err(Fault::Refused(trouble) | Fault::Unknown(trouble))) => unavailable(trouble.text()),
                Ok(Err(Fault::Unique(_))) => unavailable(Trouble::Other.text()),
                Err(_) => unavailable(Trouble::Unreachable.text()),
            }
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests;
