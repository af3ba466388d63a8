//! The journal in Postgres: the store of a cluster, and of whoever has a database already.
//!
//! Two tasks write, each its half of the shards; a few connections read. Promise: as [`super`] says, by appends that
//! are one statement each, fenced in it, and by refusing a database that may forget. The SQL is in `postgres/sql.rs`.

use super::desk::Desk;
use super::health::Health;
use super::writer::Shared;
use super::{
    Append, AppendError, Claim, Control, Estate, Journal, Loaded, LoadedPage, Members, PublishedSource, ReadError,
    Stored, new_id,
};
use crate::clock::Clock;
use crate::cluster::member::{Identity, NodeId};
use crate::cluster::shard::Shard;
use crate::ids::EntityId;
use crate::units::Timestamp;
use backend::PgBackend;
use control::PgControl;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use lease::Lease;
use line::Line;
use membership::Membership;
use reader::Reader;
use schema::Address;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, broadcast};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

mod backend;
mod batch;
mod control;
mod lease;
mod line;
mod loads;
mod membership;
mod reader;
mod schema;
mod sql;
#[cfg(test)]
mod tests;

pub use schema::OpenError;

/// Writers: two had 25 to 40 % more than one, four little more than two.
const WRITERS: usize = 2;
/// How a journal is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long an append, a claim or a publication may wait for its turn before it is called back.
    pub deadline: Duration,
    /// Whether to claim also what another living node serves: its appends are refused from then on.
    pub seize: bool,
    /// Who this node is in a cluster; `None`: a single one, which no other node may join.
    pub member: Option<Identity>,
    /// The fingerprint of a secret that all nodes of a cluster must have alike.
    pub fingerprint: String,
    /// The clock of a node of a cluster. If it is a steered one, it is held to the database's.
    pub clock: Clock,
}

impl Default for Options {
    fn default() -> Self {
        let (deadline, fingerprint) = (Duration::from_secs(5), String::new());
        Self { deadline, seize: false, member: None, fingerprint, clock: Clock::system() }
    }
}

/// A journal in a database.
#[derive(Debug)]
pub struct PostgresJournal {
    id: String,
    reader: Reader,
    desk: Desk,
    control: Arc<PgControl>,
    /// Of a single node that writes.
    lease: Option<Arc<Lease>>,
    /// Of a node of a cluster.
    membership: Option<Arc<Membership>>,
    stop: CancellationToken,
    tasks: Mutex<JoinSet<()>>,
}

/// Brings a database's schema up to date, making it where there is none; answers with its version before and after.
pub async fn migrate(url: &str) -> Result<(i64, i64), OpenError> {
    schema::migrate(&Address::parse(url)?).await
}

impl PostgresJournal {
    /// Opens a database whose schema is up to date. What the URL leaves out comes from the usual PG variables.
    pub async fn open(url: &str, options: Options) -> Result<Self, OpenError> {
        let address = Address::parse(url)?;
        let mut conn = address.connect(line::STATEMENT).await?;
        schema::check_durability(&address, &mut conn).await?;
        let id = schema::check(&address, &mut conn).await?;
        let node: Arc<str> = new_id().map_err(|reason| OpenError::Foreign { at: address.at.clone(), reason })?.into();
        let shared = Shared::new(Health::default());
        let connect = line::settings(address.options.clone(), line::STATEMENT);
        let (mut lease, mut membership) = (None, None);
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        match options.member {
            None => {
                let taken = Lease::take(&mut conn, Arc::clone(&node), Arc::clone(&shared)).await;
                let taken = lease.insert(taken.map_err(|err| address.fault(&err))?);
                tasks.spawn(Arc::clone(taken).run(connect.clone(), Some(conn), stop.clone()));
            }
            Some(identity) => {
                let (node, key) = (NodeId::new(&node), options.fingerprint);
                let joined = Membership::join(&address, conn, node, identity, &key, options.clock).await?;
                tasks.spawn(Arc::clone(membership.insert(joined)).run(stop.clone()));
            }
        }
        let mut backends = Vec::with_capacity(WRITERS);
        for _ in 0..WRITERS {
            let line = Line::new(connect.clone(), address.connect(line::STATEMENT).await?);
            backends.push(PgBackend::new(line, Arc::clone(&shared), Arc::clone(&node), options.seize));
        }
        let desk = Desk::open(backends, shared, options.deadline);
        let control = Arc::new(PgControl::new(address.options.clone()));
        let reader = Reader::new(address.options);
        Ok(Self { id, reader, desk, control, lease, membership, stop, tasks: Mutex::new(tasks) })
    }

    /// For tests: a member's beats stop, or go on.
    #[cfg(test)]
    pub(super) fn mute(&self, on: bool) {
        self.membership.as_ref().expect("it is a member").mute(on);
    }

    /// The membership of a node that was opened as one of a cluster.
    pub fn members(&self) -> Option<Arc<dyn Members>> {
        self.membership.clone().map(|members| members as Arc<dyn Members>)
    }

    /// Opens a database for reading, also beside a running server; changes nothing. Whatever would write answers
    /// `Unavailable`. All that is read is of one moment, or who compares one shard with another would see an effect
    /// without its cause.
    pub async fn open_read_only(url: &str) -> Result<Self, OpenError> {
        let address = Address::parse(url)?;
        let mut conn = address.connect(line::STATEMENT).await?;
        let id = schema::check(&address, &mut conn).await?;
        let cut = reader::cut(&mut conn).await.map_err(|err| address.fault(&err))?;
        let control = Arc::new(PgControl::new(address.options.clone()));
        let reader = Reader::of_one_moment(address.options, cut);
        let (desk, stop, tasks) = (Desk::read_only(), CancellationToken::new(), Mutex::default());
        Ok(Self { id, reader, desk, control, lease: None, membership: None, stop, tasks })
    }
}

impl Journal for PostgresJournal {
    fn id(&self) -> &str {
        &self.id
    }

    fn claim(&self, shards: Vec<Shard>) -> BoxFuture<'_, Result<Vec<Claim>, ReadError>> {
        async {
            let claims = self.desk.claim(shards).await?;
            if let Some(lease) = &self.lease {
                lease.hold(claims.len());
            }
            Ok(claims)
        }
        .boxed()
    }

    fn claim_free(&self, shards: Vec<Shard>) -> BoxFuture<'_, Result<Vec<Claim>, ReadError>> {
        async {
            let claims = self.desk.claim_free(shards).await?;
            if let Some(lease) = &self.lease {
                lease.hold_more(claims.len());
            }
            Ok(claims)
        }
        .boxed()
    }

    fn release(&self, shards: Vec<Shard>) -> BoxFuture<'_, Result<(), ReadError>> {
        async {
            let count = shards.len();
            self.desk.release(shards).await?;
            if let Some(lease) = &self.lease {
                lease.let_go(count);
            }
            Ok(())
        }
        .boxed()
    }

    fn losses(&self) -> broadcast::Receiver<Shard> {
        self.desk.shared.losses()
    }

    fn append(&self, append: Append) -> BoxFuture<'_, Result<u64, AppendError>> {
        self.desk.append(append).boxed()
    }

    fn append_run(&self, run: Vec<Append>) -> BoxFuture<'_, (Vec<u64>, Option<AppendError>)> {
        self.desk.append_run(run).boxed()
    }

    fn load(&self, entity: &EntityId) -> BoxFuture<'_, Result<Loaded, ReadError>> {
        let entity = entity.clone();
        async move { self.reader.load(&entity).await }.boxed()
    }

    fn load_entries(&self, entity: &EntityId) -> BoxFuture<'_, Result<Loaded, ReadError>> {
        let entity = entity.clone();
        async move { self.reader.load_entries(&entity).await }.boxed()
    }

    fn load_page(&self, shard: Shard, after: Option<EntityId>, limit: u32) -> BoxFuture<'_, LoadedPage> {
        async move { self.reader.load_page(shard, after.as_ref(), limit).await }.boxed()
    }

    fn save_snapshot(&self, entity: &EntityId, seq: u64, state: Vec<u8>) -> BoxFuture<'_, Result<(), AppendError>> {
        let entity = entity.clone();
        async move { self.desk.save_snapshot(&entity, seq, state).await }.boxed()
    }

    fn delivered(&self, shard: Shard, offset: u64) {
        self.desk.shared.acked.note(shard, offset);
    }

    fn undelivered(&self, shard: Shard, after: u64, limit: u32) -> BoxFuture<'_, Result<Vec<Stored>, ReadError>> {
        let after = after.max(self.desk.shared.acked.get(shard));
        self.reader.undelivered(shard, after, limit).boxed()
    }

    fn wakes(&self, shard: Shard) -> BoxFuture<'_, Result<Vec<(EntityId, Timestamp)>, ReadError>> {
        async move { self.reader.wakes(&[shard]).await }.boxed()
    }

    fn estates(&self, claims: Vec<Claim>) -> BoxFuture<'_, Result<Vec<Estate>, ReadError>> {
        let shards: Vec<Shard> = claims.iter().map(|claim| claim.shard).collect();
        let delivered = |claim: &Claim| claim.out_acked.max(self.desk.shared.acked.get(claim.shard));
        let after: Vec<i64> = claims.iter().map(|claim| batch::int(delivered(claim))).collect();
        async move { self.reader.estates(&shards, after).await }.boxed()
    }

    fn scan(&self, shard: Shard, after: u64, limit: u32) -> BoxFuture<'_, Result<Vec<Stored>, ReadError>> {
        self.reader.scan(shard, after, limit).boxed()
    }

    fn epoch(&self, shard: Shard) -> BoxFuture<'_, Result<u64, ReadError>> {
        self.reader.epoch(shard).boxed()
    }

    fn publish(&self, source: PublishedSource) -> BoxFuture<'_, Result<(), AppendError>> {
        self.desk.publish(source).boxed()
    }

    fn published(&self) -> BoxFuture<'_, Result<Vec<PublishedSource>, ReadError>> {
        self.reader.published().boxed()
    }

    fn control(&self) -> Arc<dyn Control> {
        Arc::<PgControl>::clone(&self.control)
    }

    fn ready(&self) -> Result<(), &'static str> {
        self.desk.shared.health.check()?;
        self.lease.as_ref().map_or(Ok(()), |lease| lease.check())?;
        self.membership.as_ref().map_or(Ok(()), |membership| membership.check())
    }

    fn lost(&self) -> BoxFuture<'_, ()> {
        self.desk.shared.lost().boxed()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        async {
            self.desk.close().await;
            self.stop.cancel();
            let mut tasks = self.tasks.lock().await;
            while tasks.join_next().await.is_some() {}
            self.reader.close().await;
            self.control.close().await;
        }
        .boxed()
    }
}

impl Drop for PostgresJournal {
    fn drop(&mut self) {
        // A handle that is dropped gives up its lease by itself; nobody waits for that.
        self.stop.cancel();
        self.tasks.get_mut().detach_all();
    }
}
