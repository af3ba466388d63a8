//! What only the database can show of membership: whose clock counts, what an older schema and a single node are to a
//! cluster, and what a beat costs.

use super::*;
use crate::cluster::shard::Shard;
use crate::persist::postgres::{Options, PostgresJournal, migrate, schema};
use crate::persist::suite::members::identity;
use crate::persist::suite::{Postgres, append, claim_all, player};
use crate::persist::{Journal, Place};
use futures_util::future::join_all;
use sqlx::Connection;
use waystone_kit::proxy::{Callers, Rule};

async fn database() -> (String, PgConnection) {
    let url = Postgres::database().await;
    migrate(&url).await.expect("a new database");
    let conn = PgConnection::connect(&url).await.expect("the server runs");
    (url, conn)
}

async fn join(url: &str, name: &str) -> PostgresJournal {
    let options = Options { member: Some(identity(name)), ..Options::default() };
    PostgresJournal::open(url, options).await.expect("the name is free")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_clock_is_the_databases() {
    let (url, mut conn) = database().await;
    let ada = join(&url, "ada").await;
    let sql = "SELECT extract(epoch FROM until - now())::float8 FROM node WHERE name = 'ada'";
    let left: f64 = sqlx::query_scalar(sql).fetch_one(&mut conn).await.expect("its row");
    assert!((1.5..=3.0).contains(&left), "{left} s: nothing of this machine's clock is in it");
    let members = ada.members().expect("it is one");
    let bob = join(&url, "bob").await;
    // As if the database's clock had jumped: what is written there counts, and not how long ago bob was heard.
    let sql = "UPDATE node SET until = now() - interval '1 hour' WHERE name = 'bob'";
    bob.mute(true);
    sqlx::raw_sql(sql).execute(&mut conn).await.expect("a valid statement");
    let mut views = members.views();
    members.look();
    let alone = views.wait_for(|view| view.members.len() == 1);
    tokio::time::timeout(Duration::from_millis(900), alone).await.expect("at once").expect("it beats");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_off_is_put_right_by_the_first_beat_and_each_other() {
    let (url, _) = database().await;
    let clock = Clock::steered();
    let right = Clock::system();
    let is_right = || (clock.now().as_millis() - right.now().as_millis()).abs() < 2_000;
    let hour = Duration::from_secs(3_600);
    let set = |to| clock.compare(clock.now(), to, clock.now());
    set(right.now() + hour);
    assert!(!is_right());
    let options = Options { member: Some(identity("ada")), clock: clock.clone(), ..Options::default() };
    let ada = PostgresJournal::open(&url, options).await.expect("the name is free");
    assert!(is_right(), "it joined with the right time");
    set(right.now() - hour);
    assert!(!is_right());
    let members = ada.members().expect("it is one");
    let mut views = members.views();
    members.look();
    tokio::time::timeout(Duration::from_secs(5), views.changed()).await.expect("soon").expect("it beats");
    assert!(is_right());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_of_the_first_schema_goes_on() {
    let url = Postgres::database().await;
    let address = Address::parse(&url).expect("a URL");
    schema::migrate_to(&address, 1).await;
    let refused = PostgresJournal::open(&url, Options::default()).await.expect_err("it is of another version");
    assert!(matches!(refused, OpenError::Older { found: 1, known: 4, .. }), "{refused}");
    let mut conn = PgConnection::connect(&url).await.expect("the server runs");
    let sql = "UPDATE shard SET owner = 'old', epoch = 4; INSERT INTO node (node, until) VALUES ('old', now())";
    sqlx::raw_sql(sql).execute(&mut conn).await.expect("a valid statement");
    assert_eq!(migrate(&url).await.expect("it can be"), (1, 4));
    let ada = join(&url, "ada").await;
    assert_eq!(ada.id(), "0123456789abcdef");
    let view = ada.members().expect("it is one").views().borrow().clone();
    assert!(view.owners.iter().all(|owner| owner.epoch == 4 && owner.held >= LONG && owner.node.is_some()));
    assert_eq!(ada.claim_free(Shard::all().collect()).await.expect("free").len(), 256);
    ada.append(append(&player("ada"), 1)).await.expect("it is ours");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_single_node_is_no_member_and_keeps_its_shards() {
    let (url, _) = database().await;
    let single = PostgresJournal::open(&url, Options::default()).await.expect("it may");
    claim_all(&single).await;
    assert!(single.members().is_none());
    let ada = join(&url, "ada").await;
    let view = ada.members().expect("it is one").views().borrow().clone();
    assert_eq!(view.members.len(), 1);
    assert!(view.owners.iter().all(|owner| owner.node.is_some()) && Shard::all().all(|shard| !view.is_served(shard)));
    assert!(ada.claim_free(Shard::all().collect()).await.expect("it can be asked").is_empty());
    single.append(append(&player("ada"), 1)).await.expect("it is undisturbed");
    // A single one in turn takes nothing from a member.
    single.close().await;
    assert_eq!(ada.claim_free(Shard::all().collect()).await.expect("free").len(), 256);
    let second = PostgresJournal::open(&url, Options::default()).await.expect("it may look");
    let refused = second.claim(Shard::all().collect()).await.expect_err("ada lives");
    assert!(refused.to_string().contains("another Waystone"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_opens_members_of_databases_only() {
    let folder = Place::new(std::path::Path::new("no-such-folder"), None);
    let refused = folder
        .open_member(identity("ada"), String::new(), Clock::system())
        .await
        .expect_err("it is one process's own");
    assert!(
        refused.to_string().contains("Postgres") && !std::path::Path::new("no-such-folder").exists(),
        "{refused}"
    );
    let (url, _) = database().await;
    let place = Place::new(std::path::Path::new("no-such-folder"), Some(&url));
    let (journal, members) =
        place.open_member(identity("ada"), String::new(), Clock::system()).await.expect("migrated");
    assert_eq!(members.me().as_str().len(), 16);
    journal.claim_free(Shard::all().collect()).await.expect("free");
    journal.append(append(&player("ada"), 1)).await.expect("it is ours");
    let password = url.split(['/', ':', '@']).nth(4).expect("the URL of a test bears one");
    assert!(password.len() > 8 && !format!("{members:?} {journal:?}").contains(password), "the password is shown");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_that_join_at_once_under_a_name_one_waits() {
    let (url, _) = database().await;
    let options = || Options { member: Some(identity("ada")), ..Options::default() };
    let both = join_all((0..2).map(|_| PostgresJournal::open(&url, options()))).await;
    let joined = both.iter().filter(|one| one.is_ok()).count();
    let refused = both.iter().filter(|one| matches!(one, Err(OpenError::NameTaken { name, .. }) if name == "ada"));
    assert_eq!((joined, refused.count()), (1, 1), "{both:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_have_the_same_key_and_it_changes_when_all_are_stopped() {
    let (url, mut conn) = database().await;
    let open = |name: &str, key: &str| {
        let (member, fingerprint) = (Some(identity(name)), key.to_owned());
        PostgresJournal::open(&url, Options { member, fingerprint, ..Options::default() })
    };
    let ada = open("ada", "old").await.expect("the first");
    let bob = open("bob", "old").await.expect("it has the same");
    let refused = open("eve", "new").await.expect_err("another");
    assert!(matches!(refused, OpenError::KeyDiffers { .. }) && refused.to_string().contains("copy the file"));
    let sql = "SELECT count(*) FROM node WHERE name = 'eve'";
    let seen: i64 = sqlx::query_scalar(sql).fetch_one(&mut conn).await.expect("a valid statement");
    assert_eq!(seen, 0, "nobody has seen her");
    ada.close().await;
    assert!(open("ada", "new").await.is_err(), "bob lives");
    bob.close().await;
    let both = join_all(["ada", "bob"].map(|name| open(name, "new"))).await;
    assert!(both.iter().all(Result::is_ok), "{both:?}");
    assert!(open("eve", "old").await.is_err(), "the key is the new one");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_cut_cost_no_lease() {
    let (url, mut operator) = database().await;
    let (ada, bob) = (join(&url, "ada").await, join(&url, "bob").await);
    let members = ada.members().expect("it is one");
    ada.claim_free(Shard::all().collect()).await.expect("free");
    for _ in 0..6 {
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                   WHERE datname = current_database() AND pid <> pg_backend_pid()";
        sqlx::raw_sql(sql).execute(&mut operator).await.expect("it may");
        tokio::time::sleep(Duration::from_millis(600)).await;
        assert!(members.is_certain());
    }
    assert!(bob.claim_free(Shard::all().collect()).await.unwrap_or_default().is_empty());
    tokio::time::sleep(RETRY).await;
    assert_eq!(members.views().borrow().members.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_way_to_the_database_is_no_end() {
    let (url, mut operator) = database().await;
    let port = waystone_kit::Postgres::shared().port();
    let proxy = waystone_kit::Proxy::start(port, &Callers::default()).expect("a port is free");
    let ada = join(&url.replace(&format!(":{port}/"), &format!(":{}/", proxy.port())), "ada").await;
    let members = ada.members().expect("it is one");
    // A new connection and a beat take longer together than a beat may, and each for itself does not.
    proxy.set(Rule::Delay(Duration::from_millis(70)));
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    sqlx::raw_sql(sql).execute(&mut operator).await.expect("it may");
    let mut views = members.views();
    views.mark_unchanged();
    tokio::time::timeout(Duration::from_secs(20), views.changed()).await.expect("it is heard").expect("it beats");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn measure() {
    const BEATS: u32 = 2_000;
    let (url, mut conn) = database().await;
    let ada = join(&url, "ada").await;
    ada.claim_free(Shard::all().collect()).await.expect("free");
    for others in [0_u16, 2, 15] {
        let _others = join_all((0..others).map(|n| {
            let (url, name) = (&url, format!("{others}-{n}"));
            async move { join(url, &name).await }
        }))
        .await;
        let membership = ada.membership.as_ref().expect("it is one");
        let mut course = membership.course.lock().await;
        for quiet in [true, false] {
            let wal = "SELECT pg_current_wal_lsn() - '0/0'::pg_lsn";
            let bytes = async |conn: &mut PgConnection| -> f64 {
                let text = format!("SELECT ({wal})::float8");
                sqlx::query_scalar(sqlx::AssertSqlSafe(text)).fetch_one(conn).await.expect("readable")
            };
            let (before, begun) = (bytes(&mut conn).await, Instant::now());
            for _ in 0..BEATS {
                membership.looking.store(!quiet, Ordering::Release);
                membership.beat(&mut course).await.expect("reachable");
            }
            let (each, wal) = (begun.elapsed() / BEATS, (bytes(&mut conn).await - before) / f64::from(BEATS));
            println!("{others} others, quiet {quiet}: {each:?} and {wal:.0} bytes of WAL a beat");
        }
    }
}
