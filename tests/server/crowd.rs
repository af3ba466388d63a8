//! Many players come to one place at once: what that costs them, and everybody else.
//!
//! `WAYSTONE_CROWD=50000 cargo test --test server crowd -- --nocapture` is a stadium; it prints the figures. As in a
//! session, whoever is told that the place is busy asks again after a pause.

#![expect(clippy::print_stdout, reason = "the figures are for whoever runs it")]

use crate::harness::Folder;
use crate::poison::evidence;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;
use waystone::actors::node::Node;
use waystone::actors::start::start;
use waystone::actors::world::World;
use waystone::clock::Clock;
use waystone::cluster::router::Undelivered;
use waystone::cluster::shard::Shard;
use waystone::ids::{EntityId, PlayerId, RegionId};
use waystone::persist::memory::MemoryJournal;
use waystone::persist::{Journal, Place};
use waystone::quest::aggregate::Message;
use waystone::quest::command::{Command, PlayerCommand, RegionCommand, Sighting};
use waystone::verify;

/// Players in a usual run.
const CROWD: usize = 2_000;
/// Pauses of a session whose region is busy (`actors/session.rs`): each is twice the one before, up to a second.
const BUSY_PAUSE: Duration = Duration::from_millis(50);
const BUSY_PAUSE_MAX: Duration = Duration::from_secs(1);

#[expect(clippy::disallowed_methods, reason = "how many come is no configuration of the server")]
fn crowd() -> usize {
    std::env::var("WAYSTONE_CROWD").map_or(CROWD, |crowd| crowd.parse().expect("a number"))
}

/// How long commands of somebody else take meanwhile, one after the other, in milliseconds: median, 99th, longest.
async fn prober(node: Arc<Node>, who: PlayerId, stop: Arc<AtomicU64>) -> [f64; 3] {
    let mut took = Vec::new();
    for n in 0_u64.. {
        if stop.load(Ordering::Relaxed) > 0 {
            break;
        }
        let begun = Instant::now();
        let share = Command::Player(PlayerCommand::Share { on: n.is_multiple_of(2) });
        let ask = || node.router.send(EntityId::Player(who.clone()), Message::bare(share.clone()));
        // Its lane may be the crowd's, once in sixteen.
        while let Err(why) = ask().await {
            assert_eq!(why, Undelivered::Busy, "the rest is not held up");
            tokio::time::sleep(BUSY_PAUSE).await;
        }
        took.push(begun.elapsed().as_secs_f64() * 1_000.0);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    took.sort_by(f64::total_cmp);
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
    [at(0.5), at(0.99), at(1.0)]
}

async fn come(node: Arc<Node>, region: RegionId, player: PlayerId) -> (Duration, u64) {
    let (begun, mut busy, mut pause) = (Instant::now(), 0, BUSY_PAUSE);
    loop {
        let sight = RegionCommand::Sight { player: player.clone(), what: Sighting::Entered, why: evidence() };
        let message = Message::bare(Command::Region(sight));
        match node.router.send(EntityId::Region(region.clone()), message).await {
            Ok(_) => return (begun.elapsed(), busy),
            Err(Undelivered::Busy | Undelivered::Expired) => busy += 1,
            Err(other) => panic!("{other:?}"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(BUSY_PAUSE_MAX);
    }
}

async fn play(store: &str, journal: Arc<dyn Journal>) {
    let running = start(Clock::system(), journal, World::default()).await.expect("it starts");
    let (node, n) = (Arc::clone(&running.node), crowd());
    let region = RegionId::new("stadium").expect("an id");
    let id = |name: String| PlayerId::new(name).expect("an id");
    let same =
        |id: &PlayerId| Shard::of(&EntityId::Player(id.clone())) == Shard::of(&EntityId::Region(region.clone()));
    let near = (0..).map(|n| id(format!("n{n}"))).find(same).expect("one in 256 is");
    let stop = Arc::new(AtomicU64::new(0));
    let mut probers = JoinSet::new();
    for who in [near, id("elsewhere".to_owned())] {
        let (node, stop, near) = (Arc::clone(&node), Arc::clone(&stop), same(&who));
        probers.spawn(async move { (near, prober(node, who, stop).await) });
    }
    let begun = Instant::now();
    let mut coming = JoinSet::new();
    for player in 0..n {
        coming.spawn(come(Arc::clone(&node), region.clone(), id(format!("p{player}"))));
    }
    let (mut took, mut busy) = (Vec::new(), 0);
    while let Some(came) = coming.join_next().await {
        let (waited, turned_away) = came.expect("it comes");
        took.push(waited.as_secs_f64());
        busy += turned_away;
    }
    let all = begun.elapsed().as_secs_f64();
    took.sort_by(f64::total_cmp);
    let late = took.iter().filter(|took| **took > 2.0).count();
    stop.store(1, Ordering::Relaxed);
    println!(
        "{store}: {n} came in {all:.2} s, {:.0}/s; median {:.2} s, {late} waited over 2 s, busy {busy} times",
        n as f64 / all,
        took[n / 2]
    );
    while let Some(probed) = probers.join_next().await {
        let (near, [median, p99, longest]) = probed.expect("it ends");
        let whose = if near { "same shard" } else { "another shard" };
        println!("  others, {whose}: median {median:.1} ms, p99 {p99:.1} ms, longest {longest:.0} ms");
    }
    let end = Instant::now() + Duration::from_secs(600);
    while node.courier.letters() > 0 {
        assert!(Instant::now() < end, "{} letters are not carried", node.courier.letters());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    println!("  all players knew after {:.2} s", begun.elapsed().as_secs_f64());
    running.drain().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_at_one_place_in_memory() {
    let journal = MemoryJournal::new();
    play("memory", Arc::new(journal.clone())).await;
    let verdict = verify::verify(&journal.reopen()).await.expect("readable");
    assert!(verdict.is_clean(), "{}", verdict.render());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_at_one_place_in_a_folder() {
    let folder = Folder::new();
    let place = Place::Folder(folder.path().to_owned());
    play("SQLite", place.open().await.expect("a journal")).await;
    let journal = place.open().await.expect("a journal");
    let verdict = verify::verify(journal.as_ref()).await.expect("readable");
    assert!(verdict.is_clean(), "{}", verdict.render());
    journal.close().await;
}

/// Players that all have something to say, some of them at once; each is answered, however often it must ask.
async fn all_speak(node: &Arc<Node>, players: &[PlayerId], on: bool) {
    for some in players.chunks(200) {
        let mut speaking = JoinSet::new();
        for player in some {
            let (node, id) = (Arc::clone(node), EntityId::Player(player.clone()));
            speaking.spawn(async move {
                let share = || Message::bare(Command::Player(PlayerCommand::Share { on }));
                while let Err(why) = node.router.send(id.clone(), share()).await {
                    assert_eq!(why, Undelivered::Busy);
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            });
        }
        while let Some(spoken) = speaking.join_next().await {
            spoken.expect("it is answered");
        }
    }
}

/// What this process has in memory, in bytes.
fn resident() -> f64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux says");
    let pages: f64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("the second number");
    pages * 4_096.0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_are_awake_than_the_bound_and_all_are_answered() {
    const MAX: usize = 2_560;
    let journal = MemoryJournal::new();
    let running = start(Clock::system(), Arc::new(journal.clone()), World::default()).await.expect("it starts");
    let node = &running.node;
    let players: Vec<PlayerId> = (0..6_000).map(|n| PlayerId::new(format!("p{n}")).expect("an id")).collect();
    let before = resident();
    all_speak(node, &players[..2_000], true).await;
    println!("{:.0} bytes for each who is awake, with its first entry", (resident() - before) / 2_000.0);

    node.awake.limit(MAX);
    let (counting, most) = (Arc::clone(node), Arc::new(AtomicU64::new(0)));
    let seen = Arc::clone(&most);
    let mut counter = JoinSet::new();
    counter.spawn(async move {
        loop {
            seen.fetch_max(counting.counters.read(0).entities, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    for on in [true, false, true] {
        all_speak(node, &players, on).await;
    }
    counter.abort_all();
    let most = usize::try_from(most.load(Ordering::Relaxed)).expect("few");
    // A shard's share is rounded up, twice.
    let bound = MAX + MAX / 8 + 2 * 256;
    assert!((MAX / 2..=bound).contains(&most), "{most} were awake, {bound} may be");
    println!("{most} were awake at most, of {}", players.len());
    running.drain().await;
    let verdict = verify::verify(&journal.reopen()).await.expect("readable");
    assert!(verdict.is_clean() && verdict.entities == 6_000, "{}", verdict.render());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_all_are_at_work_others_are_told_to_wait() {
    let journal = MemoryJournal::new();
    let running = start(Clock::system(), Arc::new(journal.clone()), World::default()).await.expect("it starts");
    let node = &running.node;
    node.awake.limit(1);
    journal.faults().delays(|| Duration::from_millis(300));
    let names = (0..).map(|n| PlayerId::new(format!("p{n}")).expect("an id"));
    let one_shard = |id: &PlayerId| Shard::of(&EntityId::Player(id.clone())).number() == 7;
    let players: Vec<PlayerId> = names.filter(one_shard).take(5).collect();
    let ask = |player: &PlayerId| {
        let share = Message::bare(Command::Player(PlayerCommand::Share { on: true }));
        node.router.send(EntityId::Player(player.clone()), share)
    };
    let answers = futures_util::future::join_all(players.iter().map(ask)).await;
    let busy = answers.iter().filter(|answer| **answer == Err(Undelivered::Busy)).count();
    let done = answers.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!((done, busy), (2, 3), "{answers:?}");
    for player in &players {
        assert!(ask(player).await.is_ok(), "those who have done their work make room");
    }
    running.drain().await;
}
