//! What only a store on a disk can be asked: its folder, its schema, and what it does when the disk fails it.

use super::*;
use crate::cluster::shard::SHARDS;
use crate::persist::suite::{Bench, Folder, Sqlite, append, assert_unavailable, claim_all, player, seqs};
use futures_util::future::join_all;
use std::time::Duration;

fn options(deadline: Duration) -> Options {
    Options { deadline }
}

#[tokio::test]
async fn a_second_opener_is_refused_until_the_first_closes() {
    let bench = Sqlite::new().await;
    let refused = SqliteJournal::open(&bench.dir.0, Options::default()).await.expect_err("it is in use");
    assert!(matches!(refused, OpenError::InUse { .. }), "{refused}");
    assert!(refused.to_string().contains(&bench.dir.0.display().to_string()), "{refused} does not name the folder");
    bench.journal.close().await;
    let second = SqliteJournal::open(&bench.dir.0, Options::default()).await.expect("it is free");
    assert_eq!(second.id(), bench.journal.id());
    assert!(second.id().len() == 16 && second.id().bytes().all(|byte| byte.is_ascii_hexdigit()));
}

#[tokio::test]
async fn a_handle_that_is_dropped_lets_go_when_its_writes_are_done() {
    let bench = Sqlite::new().await;
    let Sqlite { dir, journal } = bench;
    journal.append(append(&player("ada"), 1)).await.expect("the first");
    drop(journal);
    for _ in 0..100 {
        match SqliteJournal::open(&dir.0, Options::default()).await {
            Ok(journal) => return assert_eq!(seqs(&journal, &player("ada")).await, [1]),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
    panic!("the folder is still locked");
}

#[tokio::test]
async fn a_newer_schema_is_left_alone() {
    let bench = Sqlite::new().await;
    bench.journal.close().await;
    let sql = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
               VALUES (99, 'future', 1, x'00', 0)";
    sqlx::query(sql).execute(&mut bench.dir.connect().await).await.expect("a valid statement");
    let refused = SqliteJournal::open(&bench.dir.0, Options::default()).await.expect_err("it is newer");
    assert!(matches!(refused, OpenError::Newer { found: 99, known: 4, .. }), "{refused}");
    let refused = SqliteJournal::open_read_only(&bench.dir.0).await.expect_err("it is newer");
    assert!(matches!(refused, OpenError::Newer { .. }), "{refused}");
}

#[tokio::test]
async fn an_older_schema_is_brought_up_to_date_and_keeps_all() {
    let bench = Sqlite::new().await;
    let ada = player("ada");
    bench.journal.append(append(&ada, 1)).await.expect("the first");
    bench.journal.save_snapshot(&ada, 1, vec![1]).await.expect("kept");
    bench.journal.close().await;
    // As the first version left it.
    for sql in [
        "ALTER TABLE snapshot DROP COLUMN form",
        "DROP TABLE revocation",
        "DROP TABLE audit",
        "DELETE FROM _sqlx_migrations WHERE version > 1",
    ] {
        sqlx::query(sql).execute(&mut bench.dir.connect().await).await.expect("a valid statement");
    }
    let refused = SqliteJournal::open_read_only(&bench.dir.0).await.expect_err("who reads changes nothing");
    assert!(matches!(refused, OpenError::Older { found: 1, known: 4, .. }), "{refused}");
    assert_eq!(migrate(&bench.dir.0).await.expect("it can be migrated"), (1, 4));
    assert_eq!(migrate(&bench.dir.0).await.expect("twice does no harm"), (4, 4));
    let journal = SqliteJournal::open(&bench.dir.0, Options::default()).await.expect("it is up to date");
    assert_eq!(seqs(&journal, &ada).await, [1]);
    let loaded = journal.load(&ada).await.expect("readable");
    assert!(loaded.snapshot.is_none(), "its snapshot is of a form that is not read any more");
}

#[tokio::test]
async fn another_number_of_shards_is_refused() {
    let bench = Sqlite::new().await;
    bench.journal.close().await;
    let sql = "UPDATE meta SET value = '64' WHERE key = 'shards'";
    sqlx::query(sql).execute(&mut bench.dir.connect().await).await.expect("a valid statement");
    let refused = SqliteJournal::open(&bench.dir.0, Options::default()).await.expect_err("offsets would not fit");
    assert!(matches!(&refused, OpenError::Foreign { reason, .. } if reason.contains("64")), "{refused}");
    assert_eq!(SHARDS, 256);
}

#[tokio::test]
async fn reading_only_works_beside_a_server_and_after_it() {
    let bench = Sqlite::new().await;
    let ada = player("ada");
    bench.journal.append(append(&ada, 1)).await.expect("the first");
    let reader = SqliteJournal::open_read_only(&bench.dir.0).await.expect("beside the server");
    assert_eq!(seqs(&reader, &ada).await, [1]);
    let bob = player("bob");
    bench.journal.append(append(&ada, 2)).await.expect("the reader is not in the way");
    bench.journal.append(append(&bob, 1)).await.expect("the reader is not in the way");
    assert_eq!(seqs(&reader, &ada).await, [1], "a reader sees one moment");
    assert!(seqs(&reader, &bob).await.is_empty(), "also where it has not looked yet");
    assert_eq!(reader.id(), bench.journal.id());
    assert_unavailable(&reader.append(append(&ada, 3)).await, "read-only");
    assert_unavailable(&reader.save_snapshot(&ada, 2, vec![1]).await, "read-only");
    assert!(reader.claim(Shard::all().collect()).await.is_err());
    assert_eq!(reader.ready(), Err("the journal is read-only"));
    reader.close().await;
    bench.journal.close().await;
    let reader = SqliteJournal::open_read_only(&bench.dir.0).await.expect("after the server");
    assert_eq!(seqs(&reader, &ada).await, [1, 2]);
    assert_eq!(reader.scan(Shard::of(&ada), 0, 9).await.expect("readable").len(), 2);
}

#[tokio::test]
async fn reading_only_makes_nothing() {
    let dir = Folder::new();
    let refused = SqliteJournal::open_read_only(&dir.0).await.expect_err("there is nothing");
    assert!(matches!(refused, OpenError::Missing { .. }), "{refused}");
    assert!(!dir.0.exists());
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_can_look() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Sqlite::new().await;
    let mode = |path: &Path| std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(&bench.dir.0), 0o700);
    let files: Vec<_> =
        std::fs::read_dir(&bench.dir.0).expect("readable").map(|file| file.expect("there").path()).collect();
    assert_eq!(files.len(), 4, "{files:?}");
    assert!(files.iter().all(|file| mode(file) == 0o600), "{files:?}");
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_named() {
    let dir = Folder::new();
    std::fs::write(&dir.0, "a file").expect("writable");
    let refused = SqliteJournal::open(&dir.0, Options::default()).await.expect_err("it is a file");
    assert!(matches!(refused, OpenError::Folder { .. }), "{refused}");
    std::fs::remove_file(&dir.0).expect("it was written above");
}

#[tokio::test]
async fn a_commit_that_failed_is_not_guessed() {
    let bench = Sqlite::new().await;
    let ada = player("ada");
    bench.journal.desk.sabotage(1);
    assert_unavailable(&bench.journal.append(append(&ada, 1)).await, "refuses");
    assert!(bench.journal.ready().is_err());
    assert!(seqs(&bench.journal, &ada).await.is_empty());
    assert_eq!(bench.journal.append(append(&ada, 1)).await.expect("the same append later"), 1);
    assert_eq!(bench.journal.ready(), Ok(()));
    bench.journal.desk.sabotage(2);
    assert_eq!(bench.journal.append(append(&ada, 2)).await.expect("it was committed all the same"), 2);
    assert_eq!(bench.journal.append(append(&ada, 3)).await.expect("the next"), 3);
    assert_eq!(seqs(&bench.journal, &ada).await, [1, 2, 3]);
}

#[tokio::test]
async fn a_claim_and_a_publication_are_not_guessed_either() {
    let bench = Sqlite::new().await;
    let shard = Shard::of(&player("ada"));
    let quest = crate::ids::QuestId::new("walk").expect("valid");
    let source = PublishedSource { quest, version: 1, source: "a".to_owned() };
    bench.journal.desk.sabotage(1);
    assert!(bench.journal.claim(vec![shard]).await.is_err());
    bench.journal.append(append(&player("ada"), 1)).await.expect("the old claim stands");
    bench.journal.desk.sabotage(2);
    assert_eq!(bench.journal.claim(vec![shard]).await.expect("it was done")[0].epoch, 2);
    bench.journal.append(append(&player("ada"), 2)).await.expect("the new claim stands");
    bench.journal.desk.sabotage(1);
    assert_unavailable(&bench.journal.publish(source.clone()).await, "refuses");
    assert!(bench.journal.published().await.expect("readable").is_empty());
    bench.journal.desk.sabotage(2);
    bench.journal.publish(source.clone()).await.expect("it was done");
    assert_eq!(bench.journal.published().await.expect("readable"), [source]);
}

#[tokio::test]
async fn a_full_disk_makes_the_journal_read_only_until_there_is_room() {
    let bench = Sqlite::new().await;
    let ada = player("ada");
    bench.journal.append(append(&ada, 1)).await.expect("there is room");
    bench.journal.desk.on_writer("PRAGMA max_page_count = 1").await; // SQLite takes the present size as the least.
    let mut seq = 1;
    let refused = loop {
        seq += 1;
        assert!(seq < 5000, "the limit was never met");
        match bench.journal.append(append(&ada, seq)).await {
            Ok(_) => {}
            refused => break refused,
        }
    };
    assert_unavailable(&refused, "the disk is full");
    assert_eq!(bench.journal.ready(), Err("the disk is full"));
    assert_eq!(seqs(&bench.journal, &ada).await.len() as u64, seq - 1, "reading goes on");
    bench.journal.desk.on_writer("PRAGMA max_page_count = 1000000").await;
    for _ in 0..100 {
        if bench.journal.ready().is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(bench.journal.ready(), Ok(()), "nobody has noticed that there is room");
    bench.journal.append(append(&ada, seq)).await.expect("the same append later");
}

#[tokio::test]
async fn what_waits_behind_a_locked_database_is_called_back() {
    let dir = Folder::new();
    let journal = SqliteJournal::open(&dir.0, options(Duration::from_millis(300))).await.expect("a new folder");
    claim_all(&journal).await;
    let mut operator = dir.connect().await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut operator).await.expect("free");
    let first = journal.append(append(&player("ada"), 1));
    let second = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        journal.append(append(&player("bo"), 1)).await
    };
    let (first, second) = tokio::join!(first, second);
    assert_unavailable(&first, "locked");
    assert_unavailable(&second, "");
    sqlx::query("ROLLBACK").execute(&mut operator).await.expect("it holds the lock");
    for name in ["ada", "bo"] {
        assert!(seqs(&journal, &player(name)).await.is_empty(), "{name}'s append was answered wrongly");
        journal.append(append(&player(name), 1)).await.expect("the same append later");
    }
}

#[tokio::test]
async fn an_append_whose_asker_is_gone_is_still_written() {
    let mut bench = Sqlite::new().await;
    let entities: Vec<_> = (0..20).map(|n| player(&format!("p{n}"))).collect();
    let asked = join_all(entities.iter().map(|entity| bench.journal.append(append(entity, 1))));
    let _ = tokio::time::timeout(Duration::ZERO, asked).await;
    bench.reopen().await;
    for entity in &entities {
        assert_eq!(seqs(&bench.journal, entity).await, [1]);
    }
}

#[tokio::test]
async fn an_entry_that_is_gone_is_noticed() {
    let bench = Sqlite::new().await;
    let ada = player("ada");
    for seq in 1..=4 {
        bench.journal.append(append(&ada, seq)).await.expect("the next");
    }
    bench.journal.save_snapshot(&ada, 2, vec![2]).await.expect("kept");
    bench.journal.desk.on_writer("DELETE FROM event WHERE seq = 2").await;
    let fault = bench.journal.load(&ada).await.expect_err("the snapshot's entry is gone, and so is the stream");
    assert!(matches!(fault, ReadError::Corrupt { seq: 2, .. }), "{fault}");
}

#[tokio::test]
async fn a_refused_batch_does_not_say_that_writes_work() {
    let bench = Sqlite::new().await;
    bench.journal.desk.sabotage(1);
    assert_unavailable(&bench.journal.append(append(&player("ada"), 1)).await, "");
    let refused = bench.journal.append(append(&player("ada"), 7)).await;
    assert!(matches!(refused, Err(AppendError::Conflict(_))), "{refused:?}");
    assert!(bench.journal.ready().is_err());
}

#[tokio::test]
async fn what_the_writer_asks_of_each_row_uses_the_keys() {
    use sqlx::Row;
    let bench = Sqlite::new().await;
    let mut conn = bench.dir.connect().await;
    for statement in [sql::END, sql::FENCE, sql::WAKE_CLEAR] {
        let explain = format!("EXPLAIN QUERY PLAN {statement}");
        let plan = sqlx::query(sqlx::AssertSqlSafe(explain)).fetch_all(&mut conn).await.expect("a valid statement");
        let plan: Vec<String> = plan.iter().map(|row| row.get::<String, _>(3)).collect();
        assert!(plan.iter().any(|line| line.starts_with("SEARCH ")), "{plan:?}");
        for table in ["event", "shard", "wake"] {
            assert!(!plan.iter().any(|line| line.starts_with(&format!("SCAN {table}"))), "{plan:?}");
        }
    }
}

#[tokio::test]
async fn old_lines_of_the_audit_log_are_found_by_their_time() {
    use sqlx::Row;
    let bench = Sqlite::new().await;
    let explain = format!("EXPLAIN QUERY PLAN {}", control::TRIM);
    let mut conn = bench.dir.connect().await;
    let plan = sqlx::query(sqlx::AssertSqlSafe(explain)).fetch_all(&mut conn).await.expect("a valid statement");
    let plan: Vec<String> = plan.iter().map(|row| row.get::<String, _>(3)).collect();
    assert!(plan.iter().any(|line| line.contains("USING INDEX audit_at (at<?)")), "{plan:?}");
    assert!(!plan.iter().any(|line| line == "SCAN audit"), "{plan:?}");
}

/// Prints appends a second. `cargo test --release --lib persist::sqlite::tests::measure -- --ignored --nocapture`
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn measure() {
    for in_flight in [64_u32, 1024] {
        let bench = Sqlite::new().await;
        let started = tokio::time::Instant::now();
        let each = 60_000 / in_flight;
        let mut waits: Vec<Duration> = join_all((0..in_flight).map(|n| {
            let journal = &bench.journal;
            async move {
                let (entity, mut waits) = (player(&format!("p{n}")), Vec::new());
                for seq in 1..=u64::from(each) {
                    let asked = tokio::time::Instant::now();
                    journal.append(append(&entity, seq)).await.expect("the next");
                    waits.push(asked.elapsed());
                }
                waits
            }
        }))
        .await
        .concat();
        waits.sort_unstable();
        let rate = f64::from(in_flight * each) / started.elapsed().as_secs_f64();
        let (p50, p99) = (waits[waits.len() / 2], waits[waits.len() * 99 / 100]);
        println!("{in_flight} in flight: {rate:.0} appends/s, p50 {p50:?}, p99 {p99:?}");
    }
}
