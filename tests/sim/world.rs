//! A world of one seed: a journal, processes that serve it one after the other (and sometimes two at once), phones,
//! and a clock. After the storm everything must come to rest, and the story that clients tell must be the journal's.

use crate::phone::{Phone, Street};
use crate::rng::Rng;
use crate::road::Road;
use crate::store::{Death, Store, Weather};
use serde_json::Value;
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;
use waystone::actors::game::Game;
use waystone::actors::start::{RunningNode, start_by_way};
use waystone::actors::world::World as Content;
use waystone::clock::Clock;
use waystone::cluster::router::Deliver;
use waystone::content;
use waystone::ids::QuestId;
use waystone::persist::memory::MemoryJournal;
use waystone::persist::{Journal, PublishedSource};
use waystone::units::Timestamp;
use waystone::verify::history::{History, Recorder};

/// Saturday, 4 July 2026, 09:00 UTC.
const NOON: Timestamp = Timestamp::from_millis(1_783_155_600_000);
/// The quest.
const QUEST: &str = include_str!("../data/quests/dash.yaml");
/// How far the clock of the rules may be behind that of the timers.
const STEP: Duration = Duration::from_millis(50);
/// How long the storm lasts, and until when a run may begin: each ends by its time limit of two minutes.
const STORM: Duration = Duration::from_secs(45);
const LAST_START: Duration = Duration::from_secs(30);
/// How long everything may take to come to rest: the last run's limit, and some.
const REST: Duration = Duration::from_secs(150);
/// More processes than one world ever has.
pub const EPOCH_LIMIT: u64 = 100;

/// What phones and the controller share.
pub struct World {
    pub clock: Clock,
    pub weather: Arc<Weather>,
    pub recorder: Recorder,
    paper: Paper,
    journal: MemoryJournal,
    content: Content,
    /// The process that serves, and the how-manyeth it is.
    serving: Mutex<Option<(Game, u64)>>,
    lives: AtomicU64,
    over: AtomicBool,
}

#[derive(Debug, Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no writer panics").extend(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A process.
struct Process {
    node: RunningNode,
    store: Arc<Store>,
}

/// What came of a seed.
#[derive(Debug)]
pub struct Story {
    /// The check that spoke first, and what it said; none: all is well.
    pub fault: Option<(String, String)>,
    /// The same for the same seed.
    pub digest: u64,
    pub entries: u64,
    pub told: u64,
    pub processes: u64,
    /// What clients saw, a line each.
    pub history: String,
}

impl World {
    fn new(seed: u64) -> Arc<Self> {
        let (clock, paper, content) = (Clock::manual(NOON), Paper::default(), Content::default());
        let now = clock.clone();
        let published = content::publish(QUEST, "dash", 1, &|step| step.to_string()).expect("a sound quest");
        content.publish(vec![published]);
        Arc::new(Self {
            recorder: Recorder::to(paper.clone(), "the simulation", move || now.now()),
            clock,
            weather: Weather::new(seed),
            paper,
            journal: MemoryJournal::new(),
            content,
            serving: Mutex::new(None),
            lives: AtomicU64::new(0),
            over: AtomicBool::new(false),
        })
    }

    /// The process that serves now.
    pub fn game(&self) -> Option<(Game, u64)> {
        self.serving.lock().expect("no holder panics").clone()
    }

    /// Which process that is; another, and a phone's connection is gone.
    pub fn life(&self) -> u64 {
        self.serving.lock().expect("no holder panics").as_ref().map_or(0, |(_, life)| *life)
    }

    /// Whether phones are to stop.
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    /// Whether a new run would be over before the end.
    pub fn may_start(&self) -> bool {
        self.clock.now().since(NOON) < LAST_START
    }

    async fn start(self: &Arc<Self>) -> Process {
        let store = Store::new(self.journal.reopen(), Arc::clone(&self.weather));
        let road = |shards: Arc<dyn Deliver>| {
            let (weather, store, strays) = (Arc::clone(&self.weather), Arc::clone(&store), TaskTracker::new());
            Arc::new(Road { shards, weather, store, strays }) as Arc<dyn Deliver>
        };
        let journal = Arc::clone(&store) as Arc<dyn Journal>;
        let node = start_by_way(self.clock.clone(), journal, self.content.clone(), road).await;
        Process { node: node.expect("memory answers"), store }
    }

    fn serve(&self, process: &Process) {
        let life = self.lives.fetch_add(1, Ordering::SeqCst) + 1;
        let game = Game::new(Arc::clone(&process.node.node), "sim");
        *self.serving.lock().expect("no holder panics") = Some((game, life));
    }

    fn shut(&self) {
        *self.serving.lock().expect("no holder panics") = None;
    }

    /// What goes wrong with processes, until the storm is over; gives the one that serves then.
    async fn storm(self: &Arc<Self>, mut rng: Rng) -> Process {
        let mut process = self.start().await;
        self.serve(&process);
        let mut left = STORM;
        let mut span = |rng: &mut Rng, most: usize| {
            let span = Duration::from_millis(rng.below(most) as u64).min(left);
            left -= span;
            span
        };
        for _ in 0..=rng.below(4) {
            tokio::time::sleep(span(&mut rng, 20_000)).await;
            match rng.below(5) {
                0 => {
                    // In order: phones are told, what is under way is finished.
                    self.shut();
                    process.node.drain().await;
                    process = self.start().await;
                }
                1 => {
                    // Another one takes over while this one lives on, with all its phones, and does not know.
                    let successor = self.start().await;
                    tokio::time::sleep(span(&mut rng, 3_000)).await;
                    process.store.die(Death::Now);
                    process = successor;
                }
                death => {
                    let death = [Death::Now, Death::BeforeAppend, Death::AfterAppend][death - 2];
                    process.store.die(death);
                    for _ in 0..40 {
                        if process.store.is_dead() {
                            break;
                        }
                        tokio::time::sleep(STEP).await;
                    }
                    process.store.die(Death::Now);
                    self.shut();
                    tokio::time::sleep(span(&mut rng, 1_500)).await;
                    process = self.start().await;
                }
            }
            self.serve(&process);
        }
        tokio::time::sleep(left).await;
        process
    }

    /// Waits until no message is under way and no run is on.
    async fn rest(&self, process: &Process) -> Result<(), (String, String)> {
        let begun = tokio::time::Instant::now();
        loop {
            let letters = process.node.node.courier.letters();
            let game = Game::new(Arc::clone(&process.node.node), "sim");
            let on = game.overview().teams.iter().filter(|team| !team.open.is_empty() && !team.finished).count();
            if letters == 0 && on == 0 && begun.elapsed() > Duration::from_secs(5) {
                return Ok(());
            }
            if begun.elapsed() > REST {
                let why = format!("{letters} messages are under way, {on} runs are on");
                return Err(("rest".to_owned(), why));
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    async fn live(self: &Arc<Self>, seed: u64) -> Result<(), (String, String)> {
        let source =
            PublishedSource { quest: QuestId::new("dash").expect("an id"), version: 1, source: QUEST.to_owned() };
        self.journal.publish(source).await.expect("memory answers");
        let mut phones = JoinSet::new();
        for team in 0..2_u64 {
            let street = Arc::new(Street::default());
            for member in 0..2_u64 {
                let name = format!("p{team}{member}");
                let phone = Phone::new(self, &street, &name, member == 0, seed.wrapping_mul(4) + team * 2 + member);
                phones.spawn(phone.play());
            }
        }
        let process = self.storm(Rng::new(seed ^ 0x5eed)).await;
        self.weather.calm_down();
        self.over.store(true, Ordering::SeqCst);
        let mut phones = phones.join_all().await;
        phones.sort_by(|a, b| a.player.cmp(&b.player));
        for phone in &mut phones {
            phone.settle().await.map_err(|why| ("outcome".to_owned(), why))?;
        }
        self.rest(&process).await?;
        for phone in &mut phones {
            phone.look().await.map_err(|why| ("connect".to_owned(), why))?;
        }
        self.shut();
        process.node.drain().await;
        Ok(())
    }
}

/// Lives through a seed.
pub fn story(seed: u64) -> Story {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(async {
        let world = World::new(seed);
        let (clock, mut tick) = (world.clock.clone(), tokio::time::interval(STEP));
        tick.tick().await;
        let time = async {
            loop {
                tick.tick().await;
                clock.advance(STEP);
            }
        };
        let lived = tokio::select! {
            biased;
            lived = world.live(seed) => lived,
            () = time => unreachable!("time does not end"),
        };
        tell(&world, lived).await
    })
}

async fn tell(world: &World, lived: Result<(), (String, String)>) -> Story {
    let history = String::from_utf8(world.paper.0.lock().expect("no writer panics").clone()).expect("JSON");
    let read = History::parse("sim", history.as_bytes());
    let after = world.journal.reopen();
    let verdict = match &read {
        Ok(read) => waystone::verify::verify_with(&after, Some(read)).await.expect("memory answers"),
        Err(fault) => panic!("{fault}"),
    };
    let found = verdict
        .differences
        .first()
        .map(|found| (found.check.to_owned(), format!("{} entry {}: {}", found.entity, found.seq, found.message)));
    let pending = (verdict.pending > 0).then(|| ("pending".to_owned(), format!("{} messages wait", verdict.pending)));
    Story {
        fault: lived.err().or(found).or(pending),
        digest: digest(&history),
        entries: verdict.entries,
        told: history.matches("\"told\"").count() as u64,
        processes: world.lives.load(Ordering::SeqCst),
        history,
    }
}

/// Of what clients did and saw; secrets of invitations are the only thing that chance makes outside of the seed.
fn digest(history: &str) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for line in history.lines() {
        let mut line: Value = serde_json::from_str(line).expect("JSON");
        forget_secrets(&mut line);
        for byte in line.to_string().bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash
}

fn forget_secrets(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for secret in ["invite", "code"] {
                fields.remove(secret);
            }
            fields.values_mut().for_each(forget_secrets);
        }
        Value::Array(list) => list.iter_mut().for_each(forget_secrets),
        _ => {}
    }
}
