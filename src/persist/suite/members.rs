//! One suite for every membership: what [`Members`] promises, as tests, over memory and over Postgres.

use super::*;
use crate::cluster::member::{Identity, NodeId, Owner, Protocols, Standing, View};
use crate::ids::QuestId;
use crate::persist::memory::MemoryMembers;
use crate::persist::{Members, PublishedSource};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Longer than any of these promises allows.
const LONG: Duration = Duration::from_secs(15);

/// A store with several nodes.
trait Cluster {
    async fn new() -> Self;
    /// Another node; `Err` says what the store says.
    async fn join(&self, name: &str) -> Result<Node, String>;
}

struct Node {
    journal: Arc<dyn Journal>,
    members: Arc<dyn Members>,
    /// Stops its beats, or lets them go on; its process still runs.
    quiet: Box<dyn Fn(bool) + Send + Sync>,
}

struct InMemory(MemoryJournal);

impl Cluster for InMemory {
    async fn new() -> Self {
        Self(MemoryJournal::new())
    }
    async fn join(&self, name: &str) -> Result<Node, String> {
        let journal = self.0.reopen();
        let members = MemoryMembers::join(&journal, identity(name)).await.map_err(|taken| taken.to_string())?;
        let quiet = journal.clone();
        Ok(Node { journal: Arc::new(journal), members, quiet: Box::new(move |on| quiet.faults().cut(on)) })
    }
}

struct InPostgres(String);

impl Cluster for InPostgres {
    async fn new() -> Self {
        let url = Postgres::database().await;
        postgres::migrate(&url).await.expect("a new database");
        Self(url)
    }
    async fn join(&self, name: &str) -> Result<Node, String> {
        let options = postgres::Options { member: Some(identity(name)), ..postgres::Options::default() };
        let journal = Arc::new(PostgresJournal::open(&self.0, options).await.map_err(|err| err.to_string())?);
        let (members, quiet) = (journal.members().expect("it is one"), Arc::clone(&journal));
        Ok(Node { journal, members, quiet: Box::new(move |on| quiet.mute(on)) })
    }
}

pub(in crate::persist) fn identity(name: &str) -> Identity {
    let protocols = Protocols { min: 1, max: 2 };
    Identity { name: name.to_owned(), address: format!("{name}.example:7000"), protocols }
}

fn all() -> Vec<Shard> {
    Shard::all().collect()
}

impl Node {
    fn view(&self) -> Arc<View> {
        self.members.views().borrow().clone()
    }
    fn id(&self) -> NodeId {
        self.members.me().clone()
    }
    /// Waits for a view that is as asked for; how long that took.
    #[track_caller]
    fn sees(&self, what: impl Fn(&View) -> bool) -> impl Future<Output = Duration> {
        let (mut views, begun) = (self.members.views(), Instant::now());
        async move {
            let seen = tokio::time::timeout(LONG, views.wait_for(|view| what(view))).await;
            seen.expect("in time").expect("it beats");
            begun.elapsed()
        }
    }
    fn names(&self) -> Vec<String> {
        self.view().members.values().map(|member| member.identity.name.clone()).collect()
    }
}

async fn nodes_see_each_other<C: Cluster>(cluster: C) {
    let ada = cluster.join("ada").await.expect("the first");
    assert!(ada.members.is_certain());
    assert_eq!(ada.names(), ["ada"]);
    let bob = cluster.join("bob").await.expect("the second");
    let both = |view: &View| view.members.len() == 2;
    assert!(both(&bob.view()), "the first look shows who is there");
    ada.sees(both).await;
    let seen = &ada.view().members[&bob.id()];
    assert_eq!(seen.identity, identity("bob"));
    assert_eq!(seen.standing, Standing::default());
    assert!(ada.view().owners.iter().all(|owner| *owner == Owner::default()) && ada.view().owners.len() == 256);
    bob.journal.close().await;
    let gone = ada.sees(|view| view.members.len() == 1).await;
    assert!(gone <= Duration::from_millis(1_900), "who leaves in order is not waited for: {gone:?}");
}

async fn owners_are_seen_when_they_change<C: Cluster>(cluster: C) {
    let (ada, bob) = (cluster.join("ada").await.expect("joins"), cluster.join("bob").await.expect("joins"));
    assert_eq!(ada.journal.claim_free(all()).await.expect("free").len(), 256);
    let (a, b) = (ada.id(), bob.id());
    bob.sees(move |view| view.owners.iter().all(|owner| owner.node.as_ref() == Some(&a) && owner.epoch == 1)).await;
    assert!(bob.journal.claim_free(all()).await.expect("it can be asked").is_empty());
    let shard = Shard::from_number(7).expect("there are more");
    ada.journal.release(vec![shard]).await.expect("ours");
    bob.members.look();
    bob.sees(move |view| view.owner(shard).node.is_none() && view.owner(shard).epoch == 1).await;
    assert_eq!(bob.journal.claim_free(all()).await.expect("free")[0].epoch, 2);
    ada.sees(move |view| view.owner(shard).node.as_ref() == Some(&b) && view.owner(shard).epoch == 2).await;
    assert!(ada.view().is_served(shard));
    let other = Shard::from_number(8).expect("there are more");
    let held = ada.view().owner(other).held;
    let later = held + Duration::from_millis(900);
    ada.sees(move |view| view.owner(other).held >= later && view.owner(shard).held < view.owner(other).held).await;
}

async fn a_silent_node_is_gone_after_its_lease<C: Cluster>(cluster: C) {
    let (ada, bob) = (cluster.join("ada").await.expect("joins"), cluster.join("bob").await.expect("joins"));
    bob.journal.claim_free(all()).await.expect("free");
    let player = player("ada");
    bob.journal.append(append(&player, 1)).await.expect("bob serves");
    ada.sees(|view| view.members.len() == 2).await;
    (bob.quiet)(true);
    let gone = ada.sees(|view| view.members.len() == 1).await;
    assert!((Duration::from_millis(1_500)..Duration::from_millis(4_500)).contains(&gone), "{gone:?}");
    assert!(!bob.members.is_certain(), "it knew before");
    assert!(bob.journal.ready().is_err());
    assert_eq!(ada.journal.claim_free(all()).await.expect("free").len(), 256);
    ada.journal.append(append(&player, 2)).await.expect("ada serves");
    (bob.quiet)(false);
    let a = ada.id();
    bob.sees(move |view| view.owners.iter().all(|owner| owner.node.as_ref() == Some(&a))).await;
    assert_lost(&bob.journal.append(append(&player, 3)).await);
    bob.sees(|view| view.members.len() == 2).await;
    assert!(bob.members.is_certain(), "it is a member again");
}

async fn a_buried_node_sees_what_it_lost<C: Cluster>(cluster: C) {
    let (ada, bob) = (cluster.join("ada").await.expect("joins"), cluster.join("bob").await.expect("joins"));
    bob.journal.claim_free(all()).await.expect("free");
    let (player, mut losses) = (player("ada"), bob.journal.losses());
    bob.journal.append(append(&player, 1)).await.expect("bob serves");
    ada.members.bury(&bob.id()).await.expect("reachable");
    // Before its next beat.
    let claims = ada.journal.claim_free(all()).await.expect("free");
    assert_eq!(claims.len(), 256);
    let a = ada.id();
    bob.sees(move |view| view.members.len() == 2 && view.owners[9].node.as_ref() == Some(&a)).await;
    assert_lost(&bob.journal.append(append(&player, 2)).await);
    assert_eq!(losses.recv().await, Ok(Shard::of(&player)));
    assert_eq!(ada.sees(|view| view.members.len() == 2).await.as_secs(), 0);
}

async fn a_name_is_of_one_living_node<C: Cluster>(cluster: C) {
    let ada = cluster.join("ada").await.expect("the first");
    let begun = Instant::now();
    let refused = cluster.join("ada").await.map(|_| ()).expect_err("she lives");
    assert!(refused.contains("ada") && begun.elapsed() >= Duration::from_secs(4), "{refused} {:?}", begun.elapsed());
    (ada.quiet)(true);
    let again = cluster.join("ada").await.expect("her lease runs out");
    assert_ne!(again.id(), ada.id());
    (ada.quiet)(false);
    again.sees(|_| true).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert!(!ada.members.is_certain(), "the old one stays out");
    assert_eq!(again.names(), ["ada"]);
    ada.journal.close().await;
    again.journal.close().await;
    cluster.join("ada").await.expect("who left in order is not waited for");
}

async fn standing_travels<C: Cluster>(cluster: C) {
    let (ada, bob) = (cluster.join("ada").await.expect("joins"), cluster.join("bob").await.expect("joins"));
    let standing = Standing { draining: true, unreachable: BTreeSet::from([ada.id(), NodeId::new("gone")]) };
    let (b, stands) = (bob.id(), standing.clone());
    let beat = bob.sees({
        let (b, stands) = (b.clone(), standing.clone());
        move |view| view.members[&b].standing == stands
    });
    bob.members.stand(standing);
    assert!(beat.await < Duration::from_millis(700), "at once");
    ada.members.look();
    ada.sees(move |view| view.members.get(&b).is_some_and(|member| member.standing == stands)).await;
}

async fn quests_are_counted<C: Cluster>(cluster: C) {
    let (ada, bob) = (cluster.join("ada").await.expect("joins"), cluster.join("bob").await.expect("joins"));
    assert_eq!(bob.view().quests, 0);
    for version in 1..=2 {
        let quest = QuestId::new("walk").expect("valid");
        ada.journal.publish(PublishedSource { quest, version, source: "text".to_owned() }).await.expect("new");
    }
    bob.members.look();
    bob.sees(|view| view.quests == 2).await;
}

async fn many_looks_are_few_beats<C: Cluster>(cluster: C) {
    let ada = cluster.join("ada").await.expect("joins");
    let mut views = ada.members.views();
    let (begun, mut beats) = (Instant::now(), 0);
    while begun.elapsed() < Duration::from_millis(500) {
        ada.members.look();
        tokio::time::sleep(Duration::from_millis(1)).await;
        beats += i32::from(views.has_changed().expect("it beats"));
        views.mark_unchanged();
    }
    assert!((2..=11).contains(&beats), "{beats} in half a second");
}

macro_rules! suite {
    ($($case:ident)*) => {
        mod memory {
            use super::*;
            $(#[tokio::test(start_paused = true)]
            async fn $case() { super::$case(InMemory::new().await).await; })*
        }
        mod on_postgres {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() { super::$case(InPostgres::new().await).await; })*
        }
    };
}

suite! {
    nodes_see_each_other
    owners_are_seen_when_they_change
    a_silent_node_is_gone_after_its_lease
    a_buried_node_sees_what_it_lost
    a_name_is_of_one_living_node
    standing_travels
    quests_are_counted
    many_looks_are_few_beats
}
