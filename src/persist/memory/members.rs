//! Membership over a journal in memory: the same promises by tokio's clock, which a simulation commands.
//!
//! A beat takes no time here. What cuts a node off is [`super::Faults::cut`]; what kills it, [`super::Faults::crash`].

use super::MemoryJournal;
use super::data::Data;
use crate::cluster::member::{Identity, Member, NodeId, Owner, Standing, View};
use crate::cluster::shard::Shard;
use crate::persist::members::{BEAT, GAP, NAME, NAME_LOOK, TTL, Until};
use crate::persist::{Members, ReadError};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// A node's row.
#[derive(Debug)]
pub(super) struct Node {
    /// `None`: as long as its process lives.
    until: Option<Instant>,
    /// `None`: a single node.
    member: Option<Member>,
}

impl Node {
    pub(super) fn single() -> Self {
        Self { until: None, member: None }
    }

    pub(super) fn lives(&self) -> bool {
        self.until.is_none_or(|until| until > Instant::now())
    }

    /// It is not renewed any more.
    pub(super) fn run_out(&mut self) {
        self.until.get_or_insert_with(|| Instant::now() + TTL);
    }
}

/// Another living node bears the name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a living node is called {0} already")]
pub struct NameTaken(pub String);

/// The membership of one handle. Dropping it ends its beats, as a process does that dies.
#[derive(Debug)]
pub struct MemoryMembers {
    inner: Arc<Inner>,
    /// Owns the task that beats.
    _tasks: JoinSet<()>,
}

#[derive(Debug)]
struct Inner {
    journal: MemoryJournal,
    identity: Identity,
    standing: Mutex<Standing>,
    views: watch::Sender<Arc<View>>,
    wanted: Notify,
    until: Until,
}

impl MemoryMembers {
    /// Makes a handle a member, with a first look, as soon as no other living node bears the name.
    pub async fn join(journal: &MemoryJournal, identity: Identity) -> Result<Arc<Self>, NameTaken> {
        let begun = Instant::now();
        while !enter(&mut journal.data(), &journal.me, &identity) {
            if begun.elapsed() >= NAME {
                return Err(NameTaken(identity.name));
            }
            tokio::time::sleep(NAME_LOOK).await;
        }
        let nothing = View { me: journal.me.clone(), members: BTreeMap::new(), owners: Vec::new(), quests: 0 };
        let inner = Arc::new(Inner {
            journal: journal.clone(),
            identity,
            standing: Mutex::default(),
            views: watch::Sender::new(Arc::new(nothing)),
            wanted: Notify::new(),
            until: Until::over(),
        });
        inner.beat();
        let mut tasks = JoinSet::new();
        tasks.spawn(Arc::clone(&inner).run());
        Ok(Arc::new(Self { inner, _tasks: tasks }))
    }
}

/// Writes the own row; `false`: a living node bears the name.
fn enter(data: &mut Data, me: &NodeId, identity: &Identity) -> bool {
    let named = |node: &Node| node.member.as_ref().is_some_and(|member| member.identity.name == identity.name);
    if data.nodes.iter().any(|(id, node)| id != me && named(node) && node.lives()) {
        return false;
    }
    data.nodes.retain(|id, node| id == me || !named(node));
    let member = Member { identity: identity.clone(), standing: Standing::default() };
    data.nodes.insert(me.clone(), Node { until: Some(Instant::now() + TTL), member: Some(member) });
    true
}

impl Inner {
    /// Beats until the process is gone.
    async fn run(self: Arc<Self>) {
        let mut last = Instant::now();
        loop {
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(last + BEAT) => {}
                () = self.wanted.notified() => tokio::time::sleep_until(last + GAP).await,
            }
            last = Instant::now();
            if self.journal.handle().gone.is_some() {
                return;
            }
            self.beat();
        }
    }

    fn beat(&self) {
        let Ok(mut data) = self.journal.reading() else { return };
        let me = &self.journal.me;
        let standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // As Postgres does: one who was away while another took the name stays out.
        let named =
            |node: &Node| node.member.as_ref().is_some_and(|member| member.identity.name == self.identity.name);
        if data.nodes.iter().any(|(id, node)| id != me && named(node)) {
            return;
        }
        let (now, member) = (Instant::now(), Member { identity: self.identity.clone(), standing });
        data.nodes.insert(me.clone(), Node { until: Some(now + TTL), member: Some(member) });
        let living = data.nodes.iter().filter(|(_, node)| node.lives());
        let members = living.filter_map(|(id, node)| Some((id.clone(), node.member.clone()?))).collect();
        let owner = |shard| match data.shards.get(&shard) {
            Some(row) => {
                let held = row.since.map(|since| now.saturating_duration_since(since)).unwrap_or_default();
                Owner { node: row.owner.clone(), epoch: row.epoch, held }
            }
            None => Owner::default(),
        };
        let owners = Shard::all().map(owner).collect();
        let quests = u64::try_from(data.quests.len()).unwrap_or(u64::MAX);
        drop(data);
        self.views.send_replace(Arc::new(View { me: me.clone(), members, owners, quests }));
        self.until.set(now + TTL);
    }
}

impl Members for MemoryMembers {
    fn me(&self) -> &NodeId {
        &self.inner.journal.me
    }

    fn views(&self) -> watch::Receiver<Arc<View>> {
        self.inner.views.subscribe()
    }

    fn stand(&self, standing: Standing) {
        let mut old = self.inner.standing.lock().unwrap_or_else(PoisonError::into_inner);
        if *old != standing {
            *old = standing;
            self.inner.wanted.notify_one();
        }
    }

    fn look(&self) {
        self.inner.wanted.notify_one();
    }

    fn is_certain(&self) -> bool {
        self.inner.until.runs()
    }

    fn bury(&self, node: &NodeId) -> BoxFuture<'_, Result<(), ReadError>> {
        let buried = self.inner.journal.reading().map(|mut data| {
            if let Some(node) = data.nodes.get_mut(node).filter(|node| node.lives()) {
                node.until = Some(Instant::now());
            }
        });
        self.look();
        std::future::ready(buried).boxed()
    }
}
