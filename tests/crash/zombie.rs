//! The story of the zombie: an owner is frozen in the middle of its appends, another takes its shards over, and the
//! first one is let go on. Not one of its appends may be accepted any more.
//!
//! The owner is a copy of this test program that writes as fast as it can ([`haunt`]); freezing is `SIGSTOP`, so it
//! stands wherever it just was, and does not know that time has passed. On Postgres the new owner seizes the shards
//! (the first time it waits for the lease to run out, as in life). On SQLite the folder's lock forbids a second owner
//! altogether; here both open the folder without it, so that only the fence is left.

use crate::server::{Folder, say};
use sqlx::Row as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, interval, timeout};
use waystone::cluster::shard::Shard;
use waystone::ids::{EntityId, PlayerId};
use waystone::persist::postgres::{self, PostgresJournal};
use waystone::persist::sqlite::{self, DATABASE, SqliteJournal};
use waystone::persist::{Append, AppendError, Journal};
use waystone::quest::entry::Entry;
use waystone::units::Timestamp;
use waystone_kit::Postgres;

/// What a copy of this program is told: which journal it is to haunt.
const HAUNT: &str = "WAYSTONE_HAUNT";
/// The copy's only test.
const ZOMBIE: &str = "zombie::the_zombie_itself";
/// Freezes of the normal run, on each store.
const FREEZES: u64 = 100;
/// Streams that the zombie writes at once.
const STREAMS: usize = 6;
/// Longest wait for anything that the zombie is to say or do.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_owner_writes_nothing_after_a_takeover_on_sqlite() {
    let folder = Folder::new("zombie");
    let data = folder.data();
    sqlite::migrate(&data).await.expect("a fresh folder");
    let owner = SqliteJournal::open_unlocked(&data).await.expect("it is made");
    let stand = Stand { place: data.to_string_lossy().into_owned(), sqlite: true, owner: Arc::new(owner) };
    stand.haunt("sqlite").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_owner_writes_nothing_after_a_takeover_on_postgres() {
    let url = spawn_blocking(|| Postgres::shared().create_database()).await.expect("it does not panic");
    let url = url.expect("a database");
    postgres::migrate(&url).await.expect("a fresh database");
    let patient = PostgresJournal::open(&url, postgres::Options::default()).await.expect("it is made");
    let mut stand = Stand { place: url, sqlite: false, owner: Arc::new(patient) };
    stand.outlive_the_lease().await;
    stand.owner.close().await;
    let seizing = postgres::Options { seize: true, ..postgres::Options::default() };
    stand.owner = Arc::new(PostgresJournal::open(&stand.place, seizing).await.expect("it is made"));
    stand.haunt("postgres").await;
}

/// A journal with two that believe to own it.
struct Stand {
    place: String,
    sqlite: bool,
    owner: Arc<dyn Journal>,
}

impl Stand {
    /// Freezes the zombie again and again.
    async fn haunt(&self, store: &str) {
        let (begun, freezes) = (Instant::now(), crate::plan::number("WAYSTONE_FREEZES").unwrap_or(FREEZES));
        let (mut zombie, mut acknowledged, mut held_up) = (Zombie::rise(&self.place).await, 0, 0);
        for round in 0..freezes {
            let streams = streams(round);
            zombie.walk(round).await;
            held_up += self.freeze(&mut zombie).await;
            let heads = self.take_over(&streams).await;
            acknowledged += zombie.go_on(&heads).await;
            self.no_entry_of_an_old_epoch().await;
        }
        zombie.rest().await;
        say(&format!(
            "{store}: {freezes} freezes, {acknowledged} appends acknowledged before them, 0 accepted after a takeover; \
             {held_up} freezes more within a transaction, which held the takeover up; {:.0?}",
            begun.elapsed()
        ));
        self.owner.close().await;
    }

    /// The first takeover, with all patience: a node that is frozen is no longer heard, and its lease runs out.
    async fn outlive_the_lease(&mut self) {
        let mut zombie = Zombie::rise(&self.place).await;
        let round = u64::MAX;
        zombie.walk(round).await;
        zombie.freeze().await;
        let begun = Instant::now();
        let heads = self.take_over(&streams(round)).await;
        let waited = begun.elapsed();
        assert!(waited > Duration::from_secs(1), "the lease was to be waited for, not {waited:?}");
        zombie.go_on(&heads).await;
        self.no_entry_of_an_old_epoch().await;
        zombie.rest().await;
        say(&format!("postgres: a takeover after {waited:.1?}, when the lease had run out"));
    }

    /// Freezes the zombie where a takeover can follow; how often it had to be tried anew.
    ///
    /// Within a transaction of SQLite a frozen owner holds the database, and so nobody can take over before it goes
    /// on: nothing is decided there.
    async fn freeze(&self, zombie: &mut Zombie) -> u64 {
        let mut held_up = 0;
        loop {
            zombie.freeze().await;
            if !self.sqlite || !self.is_locked().await {
                return held_up;
            }
            held_up += 1;
            zombie.signal("CONT");
            tokio::time::sleep(Duration::from_micros(rand::Rng::random_range(&mut rand::rng(), 0..3_000))).await;
        }
    }

    /// Whether somebody is within a transaction that writes.
    async fn is_locked(&self) -> bool {
        let mut conn = self.connect().await;
        let begun = sqlx::raw_sql("BEGIN IMMEDIATE; ROLLBACK").execute(&mut conn).await;
        begun.is_err()
    }

    /// The new owner claims and writes; where each shard ended before.
    async fn take_over(&self, streams: &[EntityId]) -> Vec<(Shard, u64)> {
        let mut shards: Vec<Shard> = streams.iter().map(Shard::of).collect();
        shards.sort_unstable();
        shards.dedup();
        let claims = self.owner.claim(shards).await.expect("nobody holds the shards");
        for stream in streams {
            let next = self.owner.load(stream).await.expect("readable").tail.len() as u64 + 1;
            self.owner.append(append(stream, next)).await.expect("it owns the shard");
        }
        claims.iter().map(|claim| (claim.shard, claim.head)).collect()
    }

    /// In each shard epochs never fall as offsets grow: who has been followed has not written any more.
    async fn no_entry_of_an_old_epoch(&self) {
        let sql = "SELECT count(*) FROM (SELECT epoch, max(epoch) OVER (PARTITION BY shard ORDER BY off) AS highest \
                   FROM event) AS e WHERE epoch < highest";
        let late: i64 = if self.sqlite {
            sqlx::query(sql).fetch_one(&mut self.connect().await).await.expect("readable").get(0)
        } else {
            let url = self.place.clone();
            let said = spawn_blocking(move || Postgres::shared().psql_on(&url, sql)).await;
            said.expect("it does not panic").expect("readable").parse().expect("a number")
        };
        assert_eq!(late, 0, "entries of an owner that had been followed");
    }

    async fn connect(&self) -> sqlx::SqliteConnection {
        use sqlx::ConnectOptions as _;
        let file = std::path::Path::new(&self.place).join(DATABASE);
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file).busy_timeout(Duration::ZERO);
        options.connect().await.expect("it is there")
    }
}

/// The frozen owner, seen from outside.
struct Zombie {
    child: Child,
    orders: Option<ChildStdin>,
    words: mpsc::Receiver<String>,
    acknowledged: Vec<(Shard, u64)>,
}

impl Zombie {
    async fn rise(place: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("our own path"));
        command.args(["--exact", ZOMBIE, "--nocapture"]).env(HAUNT, place);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("ourselves");
        let (orders, said) = (child.stdin.take(), child.stdout.take().expect("a pipe"));
        let (hear, words) = mpsc::channel(64);
        // Ends with the zombie, whose pipe it is.
        std::thread::spawn(move || {
            let lines = BufReader::new(said).lines().map_while(Result::ok);
            let words = lines.filter_map(|line| line.strip_prefix("zombie: ").map(str::to_owned));
            words.map(|word| hear.blocking_send(word)).take_while(Result::is_ok).for_each(drop);
        });
        let mut zombie = Self { child, orders, words, acknowledged: Vec::new() };
        while zombie.hear().await != "risen" {}
        zombie
    }

    /// Lets it claim and write until something is acknowledged.
    async fn walk(&mut self, round: u64) {
        self.acknowledged.clear();
        let orders = self.orders.as_mut().expect("it is taken only at the end");
        writeln!(orders, "{round}").expect("it listens");
        for _ in 0..rand::Rng::random_range(&mut rand::rng(), 1..20) {
            self.take_in().await;
        }
    }

    /// Takes in one thing that it says; false when it has learned that it lost everything.
    async fn take_in(&mut self) -> bool {
        let word = self.hear().await;
        match word.split(' ').collect::<Vec<_>>()[..] {
            ["ok", shard, offset] => {
                let shard = Shard::from_number(shard.parse().expect("a number")).expect("a shard");
                self.acknowledged.push((shard, offset.parse().expect("a number")));
                true
            }
            ["lost"] => false,
            _ => panic!("the zombie was to say ok or lost, not {word:?}"),
        }
    }

    /// `SIGSTOP`, and waits until it stands still.
    async fn freeze(&mut self) {
        self.signal("STOP");
        let stat = format!("/proc/{}/stat", self.child.id());
        let mut look = interval(Duration::from_millis(1));
        let stands = async {
            while !std::fs::read_to_string(&stat).expect("it lives").contains(") T ") {
                look.tick().await;
            }
        };
        timeout(PATIENCE, stands).await.expect("a process that is stopped stops");
    }

    /// Lets it go on: it is to learn that it lost, and to have been told of nothing beyond the heads. How many of its
    /// appends were acknowledged.
    async fn go_on(&mut self, heads: &[(Shard, u64)]) -> usize {
        self.signal("CONT");
        while self.take_in().await {}
        for (shard, offset) in &self.acknowledged {
            let (_, head) = heads.iter().find(|(known, _)| known == shard).expect("one of its shards");
            assert!(offset <= head, "{shard:?}: {offset} was acknowledged, beyond {head}, where another took over");
        }
        self.acknowledged.len()
    }

    /// Lets it end.
    async fn rest(mut self) {
        self.orders = None;
        let ended = async { while self.words.recv().await.is_some() {} };
        timeout(PATIENCE, ended).await.expect("nothing holds it");
        let status = self.child.wait().expect("our own child");
        assert!(status.success(), "the zombie was to rest in peace: {status}");
    }

    async fn hear(&mut self) -> String {
        let word = timeout(PATIENCE, self.words.recv()).await.expect("the zombie was to say something");
        word.expect("the zombie was to go on")
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = std::process::Command::new("kill").args([&format!("-{name}"), &pid]).status();
        assert!(sent.is_ok_and(|status| status.success()), "the zombie was to get SIG{name}");
    }
}

impl Drop for Zombie {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the copy of this program does; in the original it is nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_zombie_itself() {
    let Some(place) = std::env::var_os(HAUNT) else { return };
    let place = place.into_string().expect("as it was given");
    let journal: Arc<dyn Journal> = if place.starts_with("postgres:") {
        let options = postgres::Options { seize: true, ..postgres::Options::default() };
        Arc::new(PostgresJournal::open(&place, options).await.expect("it is made"))
    } else {
        Arc::new(SqliteJournal::open_unlocked(place.as_ref()).await.expect("it is made"))
    };
    tell("risen");
    let next = || spawn_blocking(|| std::io::stdin().lines().next());
    while let Some(round) = next().await.expect("it does not panic") {
        haunt(&journal, round.expect("a pipe").parse().expect("a number")).await;
    }
    journal.close().await;
}

/// Claims the shards of its streams and writes to all of them until each is lost.
async fn haunt(journal: &Arc<dyn Journal>, round: u64) {
    let streams = streams(round);
    journal.claim(streams.iter().map(Shard::of).collect()).await.expect("it may");
    let mut writing = JoinSet::new();
    for stream in streams {
        let journal = Arc::clone(journal);
        writing.spawn(async move {
            let mut seq = 1;
            loop {
                match journal.append(append(&stream, seq)).await {
                    Ok(offset) => {
                        tell(&format!("ok {} {offset}", Shard::of(&stream).number()));
                        seq += 1;
                    }
                    Err(AppendError::Lost) => return,
                    // The new owner has written to the same stream; that it is another one shows at the next.
                    Err(AppendError::Conflict(_) | AppendError::Repeated(_)) => seq += 1,
                    // As an entity does: the same again, a little later.
                    Err(AppendError::Unavailable(_)) => tokio::time::sleep(Duration::from_millis(5)).await,
                }
            }
        });
    }
    while let Some(ended) = writing.join_next().await {
        ended.expect("it does not panic");
    }
    tell("lost");
}

/// Says something to whoever has raised us.
#[expect(clippy::print_stdout, reason = "the pipe is all that the two have")]
fn tell(word: &str) {
    // The test harness has not ended its own line yet when the first word comes.
    println!("\nzombie: {word}");
}

/// The streams of a round.
fn streams(round: u64) -> Vec<EntityId> {
    (0..STREAMS).map(|n| player(&format!("zombie-{round}-{n}"))).collect()
}

fn player(name: &str) -> EntityId {
    EntityId::Player(PlayerId::new(name).expect("an id"))
}

fn append(entity: &EntityId, seq: u64) -> Append {
    let entry = Entry {
        seq,
        at: Timestamp::from_millis(0),
        cause: None,
        hops: 0,
        events: Vec::new(),
        out: Vec::new(),
        notices: Vec::new(),
        reply: None,
        awards: Vec::new(),
        dropped: false,
    };
    Append { entity: entity.clone(), entry, wake: None }
}
