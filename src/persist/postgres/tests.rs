//! What only a server can be asked: its schema, its leases, and what it does when it is locked, killed or gone.

use super::*;
use crate::persist::suite::{Bench, Postgres, append, assert_lost, assert_unavailable, claim_all, player, seqs};
use futures_util::future::join_all;
use sqlx::Row;

/// Runs SQL from outside.
async fn run(bench: &Postgres, sql: &'static str) {
    sqlx::raw_sql(sql).execute(&mut bench.connect().await).await.expect("a valid statement");
}

#[tokio::test]
async fn a_database_without_a_journal_is_told_how_to_get_one() {
    let url = Postgres::database().await;
    let refused = PostgresJournal::open(&url, Options::default()).await.expect_err("there is none");
    assert!(matches!(refused, OpenError::Missing { .. }), "{refused}");
    assert!(refused.to_string().contains("waystone migrate"), "{refused}");
    let refused = PostgresJournal::open_read_only(&url).await.expect_err("there is none");
    assert!(matches!(refused, OpenError::Missing { .. }), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_that_migrate_at_once_come_to_the_same_end() {
    for _ in 0..5 {
        let url = Postgres::database().await;
        let both = join_all((0..4).map(|_| migrate(&url))).await;
        both.iter().for_each(|one| assert_eq!(one.as_ref().expect("they wait for each other").1, schema::known()));
        let ids = join_all((0..2).map(|_| PostgresJournal::open_read_only(&url))).await;
        let ids: Vec<String> = ids.into_iter().map(|one| one.expect("migrated").id().to_owned()).collect();
        assert_eq!(ids[0], ids[1]);
        assert_eq!(migrate(&url).await.expect("once more").0, schema::known(), "there is nothing left to do");
    }
}

#[tokio::test]
async fn a_newer_schema_is_left_alone() {
    let bench = Postgres::new().await;
    run(
        &bench,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (99, 'future', true, '', 0)",
    )
    .await;
    for refused in [
        PostgresJournal::open(&bench.url, Options::default()).await.err(),
        PostgresJournal::open_read_only(&bench.url).await.err(),
        migrate(&bench.url).await.err(),
    ] {
        assert!(matches!(refused, Some(OpenError::Newer { found: 99, known: 4, .. })), "{refused:?}");
    }
}

#[tokio::test]
async fn old_lines_of_the_audit_log_are_found_by_their_time() {
    let bench = Postgres::new().await;
    run(
        &bench,
        "INSERT INTO audit (id, at, node, who, role, action, target, outcome) \
         SELECT lpad(n::text, 8, '0'), n, 'n', 'w', 'r', 'a', 't', 'done' FROM generate_series(1, 20000) n; ANALYZE audit",
    )
    .await;
    let sql = control::TRIM.replace("$1", "10").replace("$2", "100000");
    let explain = sqlx::query(sqlx::AssertSqlSafe(format!("EXPLAIN {sql}")));
    let plan = explain.fetch_all(&mut bench.connect().await).await.expect("a valid statement");
    let plan: Vec<String> = plan.iter().map(|row| row.get::<String, _>(0)).collect();
    assert!(plan.iter().any(|line| line.contains("audit_at")), "{plan:#?}");
}

#[tokio::test]
async fn another_number_of_shards_is_refused() {
    let bench = Postgres::new().await;
    run(&bench, "UPDATE meta SET value = '64' WHERE key = 'shards'").await;
    let refused = PostgresJournal::open(&bench.url, Options::default()).await.expect_err("offsets would not fit");
    assert!(matches!(&refused, OpenError::Foreign { reason, .. } if reason.contains("64")), "{refused}");
}

#[tokio::test]
async fn a_database_that_may_forget_is_refused() {
    let bench = Postgres::new().await;
    let name = bench.url.rsplit('/').next().expect("a name").split('?').next().expect("a name").to_owned();
    let set = format!("ALTER DATABASE \"{name}\" SET synchronous_commit = off");
    let done = sqlx::raw_sql(sqlx::AssertSqlSafe(set)).execute(&mut bench.connect().await).await;
    done.expect("a valid statement");
    let refused = PostgresJournal::open(&bench.url, Options::default()).await.expect_err("it may forget");
    assert!(matches!(refused, OpenError::Forgetful { setting: "synchronous_commit", .. }), "{refused}");
}

#[tokio::test]
async fn a_bad_address_is_told_without_its_password() {
    for bad in ["mysql://u:hidden@h/db", "postgres://u:hidden@h:port/db"] {
        let refused = PostgresJournal::open(bad, Options::default()).await.expect_err("it is none");
        assert!(matches!(refused, OpenError::Address(_)), "{refused}");
        assert!(!format!("{refused} {refused:?}").contains("hidden"), "{refused:?}");
    }
    let gone = "postgres://u:hidden@127.0.0.1:1/db";
    let refused = PostgresJournal::open(gone, Options::default()).await.expect_err("nobody is there");
    assert!(matches!(refused, OpenError::Unreachable { .. }), "{refused}");
    assert!(!format!("{refused} {refused:?}").contains("hidden"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_node_waits_for_the_lease_of_a_living_one_and_is_refused() {
    let bench = Postgres::new().await;
    let ada = player("ada");
    let second = PostgresJournal::open(&bench.url, Options::default()).await.expect("it may look");
    let refused = second.claim(Shard::all().collect()).await.expect_err("the first one lives");
    assert!(refused.to_string().contains("another Waystone"), "{refused}");
    bench.journal.append(append(&ada, 1)).await.expect("the first one is undisturbed");
    bench.journal.close().await;
    claim_all(&second).await;
    second.append(append(&ada, 2)).await.expect("the lease was given up");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_loses_a_shard_hears_of_it() {
    let bench = Postgres::new().await;
    let (ada, rival) = (player("ada"), bench.rival().await);
    claim_all(&rival).await;
    assert_lost(&bench.journal.append(append(&ada, 1)).await);
    tokio::time::timeout(Duration::from_secs(1), bench.journal.lost()).await.expect("it is told");
    assert!(tokio::time::timeout(Duration::from_millis(50), rival.lost()).await.is_err(), "the new owner is not");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_idle_hears_of_it_too() {
    let bench = Postgres::new().await;
    let rival = bench.rival().await;
    claim_all(&rival).await;
    // As if this process had slept: its next beat comes late.
    bench.journal.lease.as_ref().expect("it writes").expire();
    tokio::time::timeout(Duration::from_secs(3), bench.journal.lost()).await.expect("the next beat tells it");
    assert!(bench.journal.ready().is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reading_only_sees_one_moment() {
    let bench = Postgres::new().await;
    let (ada, bob) = (player("ada"), player("bob"));
    bench.journal.append(append(&ada, 1)).await.expect("the first");
    let reader = PostgresJournal::open_read_only(&bench.url).await.expect("beside the server");
    bench.journal.append(append(&ada, 2)).await.expect("the reader is not in the way");
    bench.journal.save_snapshot(&ada, 2, vec![1]).await.expect("kept");
    bench.journal.append(append(&bob, 1)).await.expect("the reader is not in the way");
    assert_eq!(seqs(&reader, &ada).await, [1]);
    assert!(seqs(&reader, &bob).await.is_empty());
    assert_eq!(reader.scan(Shard::of(&ada), 0, 9).await.expect("readable").len(), 1);
    assert_eq!(reader.id(), bench.journal.id());
    assert_unavailable(&reader.append(append(&ada, 3)).await, "read-only");
    assert_unavailable(&reader.save_snapshot(&ada, 2, vec![1]).await, "read-only");
    assert!(reader.claim(Shard::all().collect()).await.is_err());
    assert_eq!(reader.ready(), Err("the journal is read-only"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_behind_a_locked_table_is_told_and_comes_later() {
    let bench = Postgres::new().await;
    let ada = player("ada");
    let mut operator = bench.connect().await;
    sqlx::raw_sql("BEGIN; LOCK TABLE event").execute(&mut operator).await.expect("free");
    assert_unavailable(&bench.journal.append(append(&ada, 1)).await, "locked");
    // Nobody writes now; the probe, each second, must not find that other tables are free.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert!(bench.journal.ready().is_err());
    sqlx::raw_sql("ROLLBACK").execute(&mut operator).await.expect("it holds the lock");
    assert_eq!(bench.journal.append(append(&ada, 1)).await.expect("the same append later"), 1);
    assert_eq!(bench.journal.ready(), Ok(()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_cut_under_way_is_never_guessed_about() {
    let bench = Postgres::new().await;
    let streams = (0..16).map(|n| {
        let journal = &bench.journal;
        async move {
            let entity = player(&format!("p{n}"));
            let mut seq = 1;
            while seq <= 60 {
                match journal.append(append(&entity, seq)).await {
                    Ok(_) => seq += 1,
                    // Nothing was written: the same one is next.
                    Err(AppendError::Unavailable(_)) => tokio::time::sleep(Duration::from_millis(5)).await,
                    Err(other) => panic!("{entity} {seq}: {other}"),
                }
            }
        }
    });
    let cutting = async {
        let mut operator = bench.connect().await;
        let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                   WHERE datname = current_database() AND pid <> pg_backend_pid()";
        let mut cut = 0_i64;
        loop {
            tokio::time::sleep(Duration::from_millis(15)).await;
            cut += sqlx::query(sql).fetch_one(&mut operator).await.expect("it may").get::<i64, _>(0);
            if cut > 60 {
                break;
            }
        }
    };
    tokio::join!(join_all(streams), cutting);
    for n in 0..16 {
        assert_eq!(seqs(&bench.journal, &player(&format!("p{n}"))).await, (1..=60).collect::<Vec<_>>());
    }
}
