//! The story of the places: the server dies by itself at each place where a death is worst, at several visits to each.
//!
//! A kill from outside hits these places by luck; here none is missed.

use crate::ground::Ground;
use crate::home;
use crate::http;
use crate::party::Parties;
use crate::plan;
use crate::server::{Folder, Server, Start, say};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::os::unix::process::ExitStatusExt as _;
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use waystone::faults::{POINTS, Point};
use waystone_kit::Postgres;

/// Teams of two witnesses at play, and walkers in the server: few, for two of these stories run side by side.
const TEAMS: usize = 2;
const WALKERS: u32 = 6;
/// Deaths at each place in the normal run; a start on Postgres takes longer.
const ROUNDS: u64 = 3;
const ROUNDS_POSTGRES: u64 = 2;
/// At which visit to a place the server dies: in the first moments of its life, or when play has gone on.
const VISITS: RangeInclusive<u32> = 1..=15;
/// Snapshots are few; they are kept at the end of an orderly life.
const SNAPSHOTS: RangeInclusive<u32> = 1..=6;
/// Entries of a life before its end in order: a completed step of a team has some seven, of as many entities.
const PLAYED: u64 = 60;
/// How long that may take.
const PLAYED_MAX: Duration = Duration::from_secs(10);
/// Longest wait for a visit.
const DEATH: Duration = Duration::from_secs(30);
/// What `abort` ends a process with.
const SIGABRT: i32 = 6;

/// The two stories are told side by side, since each mostly waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_death_at_the_worst_places_loses_nothing_on_either_store() {
    let database = spawn_blocking(|| Postgres::shared().create_database()).await.expect("it does not panic");
    let postgres = die_everywhere("postgres", Some(database.expect("a database")));
    tokio::join!(die_everywhere("sqlite", None), postgres);
}

/// Dies at each place, again and again; after each round all that was told and promised is held against the journal.
async fn die_everywhere(store: &str, postgres: Option<String>) {
    let (begun, usual) = (Instant::now(), if postgres.is_some() { ROUNDS_POSTGRES } else { ROUNDS });
    let (rounds, seed) = (plan::number("WAYSTONE_ROUNDS").unwrap_or(usual), plan::seed());
    let mut rng = StdRng::seed_from_u64(seed);
    let folder = Folder::with(&format!("points-{store}"), postgres.clone());
    let how = Start::on_free_port(WALKERS);
    let ground = Ground::new(&folder.data(), how.port);
    let parties = Parties::set_out(&ground, TEAMS);
    let mut deaths = BTreeMap::<&str, Vec<u32>>::new();
    for _ in 0..rounds {
        for (name, point) in POINTS {
            let visit = rng.random_range(if point == Point::InSnapshot { SNAPSHOTS } else { VISITS });
            let what = format!("{name}:{visit}, seed {seed}");
            die_at(&folder, Start { fault: Some((name, visit)), ..how }, point, &what).await;
            deaths.entry(name).or_default().push(visit);
            let faults = ground.faults();
            assert!(faults.is_empty(), "after the death at {what}:\n{}", faults.join("\n"));
            if let Some(url) = postgres.as_ref().filter(|_| deaths.len() > 1) {
                forget_leases(url).await;
            }
        }
        let verified = folder.verify().await;
        assert_eq!(verified.status.code(), Some(0), "after deaths {deaths:?}, seed {seed}, verify: {verified:?}");
    }
    let dying = begun.elapsed();
    let story = home::bring(&folder, &ground, parties, how).await;
    say(&format!(
        "{store}: {} deaths by visit {deaths:?}, seed {seed}: {story}; {dying:.0?} of dying, {:.0?} in all",
        rounds * u64::try_from(POINTS.len()).expect("six"),
        begun.elapsed()
    ));
    assert!(story.teams >= TEAMS, "each of {TEAMS} teams was to play, {} did", story.teams);
}

/// As an operator may for a node that has died: its successor then need not wait for the end of its lease, as the second
/// life here does.
async fn forget_leases(url: &str) {
    let url = url.to_owned();
    let done = spawn_blocking(move || Postgres::shared().psql_on(&url, "DELETE FROM node")).await;
    done.expect("it does not panic").expect("the role owns its tables");
}

/// Waits until so much was written that more entities are awake, with something to keep, than [`SNAPSHOTS`].
async fn played(port: u16) {
    let begun = Instant::now();
    while begun.elapsed() < PLAYED_MAX {
        // A server that does not answer has died already, at a snapshot that was due before the end.
        let Ok(page) = http::get(port, "/metrics", None).await else { return };
        let entries = page.body.lines().find_map(|line| line.strip_prefix("waystone_entries_total ")?.parse().ok());
        if entries.is_some_and(|entries: u64| entries >= PLAYED) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// One life, and its death where it was to be.
async fn die_at(folder: &Folder, how: Start, point: Point, what: &str) {
    let mut server = Server::spawn(folder, how);
    if point == Point::InSnapshot {
        server.ready().await;
        played(how.port).await;
        server.signal("TERM");
    }
    let (status, _) = server.ended(DEATH).await;
    assert_eq!(status.signal(), Some(SIGABRT), "the server was to die at {what}; it ended with {status}");
}
