//! One game: phones that play, a fate that lets nodes crash, restart and take over from one another, and a rest in
//! which all comes to its end. Then the history is held against the journal.

use crate::chance::Chance;
use crate::host::Host;
use crate::phone::Phone;
use crate::quest;
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::fmt::Write as _;
use std::io;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use waystone::clock::Clock;
use waystone::cluster::shard::Shard;
use waystone::ids::stable_hash;
use waystone::persist::Journal;
use waystone::persist::memory::MemoryJournal;
use waystone::units::Timestamp;
use waystone::verify::{self, History, Recorder};

/// Saturday, 4 July 2026, 09:00 UTC.
const NOON: Timestamp = Timestamp::from_millis(1_783_155_600_000);
/// Lines of the history that a failure shows.
const TAIL: usize = 60;
/// Longer than a run may take, and than an idle entity stays awake.
const REST: Duration = Duration::from_secs(510);

/// What everyone in a game shares.
pub struct Scene {
    pub seed: u64,
    pub clock: Clock,
    pub recorder: Recorder,
    data: MemoryJournal,
    host: RefCell<Rc<Host>>,
    nodes: Cell<u64>,
    calm: Cell<bool>,
    invite: RefCell<Option<String>>,
    playing: Cell<u32>,
    trace: RefCell<String>,
}

/// What came of a game.
#[derive(Debug)]
pub struct Outcome {
    /// The same for the same seed.
    pub digest: u64,
    /// What was found, each with the word of the check that found it.
    pub found: Vec<(&'static str, String)>,
    /// The history, for counting.
    pub history: String,
    /// What fate did.
    pub trace: String,
}

/// Where the history is written.
#[derive(Debug, Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl io::Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no writer panics").extend(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Plays a seed on a thread's own runtime, whose time goes on only when everyone waits for it.
pub fn play(seed: u64) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(game(seed))
}

async fn game(seed: u64) -> Outcome {
    let clock = Clock::with_timers(NOON);
    let (paper, data) = (Paper::default(), MemoryJournal::new());
    let now = clock.clone();
    let recorder = Recorder::to(paper.clone(), "the simulation", move || now.now());
    Host::publish(&data).await;
    // One game in ten is calm, so that a fault of the game itself is not always blamed on its fate.
    let calm = seed.is_multiple_of(10);
    let first = Host::start(&data, &clock, (!calm).then(|| Chance::of(seed, "node 0"))).await;
    let scene = Rc::new(Scene {
        seed,
        clock,
        recorder,
        data,
        host: RefCell::new(first),
        nodes: Cell::new(0),
        calm: Cell::new(calm),
        invite: RefCell::default(),
        playing: Cell::new(0),
        trace: RefCell::default(),
    });
    let mut phones: Vec<Phone> = quest::players().iter().map(|player| Phone::new(player, &scene)).collect();
    scene.playing.set(3);
    let players = phones.iter_mut().enumerate().map(|(nth, phone)| part(&scene, nth, phone));
    tokio::join!(futures_util::future::join_all(players), fate(&scene));
    let mut found = rest(&scene, &mut phones).await;
    let text = String::from_utf8(paper.0.lock().expect("no writer panics").clone()).expect("JSON");
    match History::parse("history", text.as_bytes()) {
        Ok(history) => judge(&scene, &history, &mut found).await,
        Err(fault) => found.push(("history", fault.to_string())),
    }
    let digest = digest(&scene, &text).await;
    Outcome { digest, found, history: text, trace: scene.trace.take() }
}

impl Scene {
    /// The node that serves now.
    pub fn host(&self) -> Rc<Host> {
        Rc::clone(&self.host.borrow())
    }

    pub fn is_calm(&self) -> bool {
        self.calm.get()
    }

    fn note(&self, what: &str) {
        let at = self.clock.now().as_millis() - NOON.as_millis();
        writeln!(self.trace.borrow_mut(), "{at:>7} ms  {what}").expect("a string takes it");
    }

    async fn start_another(&self) {
        self.nodes.set(self.nodes.get() + 1);
        let chance = (!self.is_calm()).then(|| Chance::of(self.seed, &format!("node {}", self.nodes.get())));
        let host = Host::start(&self.data, &self.clock, chance).await;
        *self.host.borrow_mut() = host;
    }
}

/// What one player does.
async fn part(scene: &Scene, nth: usize, phone: &mut Phone) {
    tokio::time::sleep(Duration::from_millis(1) + phone.chance.millis(300)).await;
    let apart = nth == 2 && phone.chance.percent(70);
    if nth == 0 || apart {
        let made = phone.command("team.create", json!({ "name": "Us" })).await;
        let invite = made.as_ref().and_then(|made| made["invite"].as_str());
        if let (Some(invite), 0) = (invite, nth) {
            *scene.invite.borrow_mut() = Some(invite.to_owned());
        }
    } else {
        let mut waited = 0;
        while scene.invite.borrow().is_none() && waited < 600 {
            tokio::time::sleep(Duration::from_millis(200)).await;
            waited += 1;
        }
        let invite = scene.invite.borrow().clone().unwrap_or_default();
        phone.command("team.join", json!({ "code": invite })).await;
    }
    if nth != 1 || phone.chance.percent(30) {
        phone.command("quest.start", json!({ "quest": "sim" })).await;
    }
    let mut turns: Vec<u64> = (0..9).collect();
    phone.chance.shuffle(&mut turns);
    turns.truncate(5 + usize::try_from(phone.chance.below(5)).expect("small"));
    for turn in turns {
        let pause = phone.chance.millis(2_500);
        tokio::time::sleep(pause).await;
        take_turn(phone, turn).await;
    }
    scene.playing.set(scene.playing.get() - 1);
}

async fn take_turn(phone: &mut Phone, turn: u64) {
    let step = |step: &str, key: &str, value: &str| json!({ "quest": "sim", "step": step, key: value });
    match turn {
        0 => drop(phone.command("quest.answer", step("word", "text", "two")).await),
        1 => drop(phone.command("quest.answer", step("word", "text", "three")).await),
        2 => drop(phone.command("quest.choose", step("side", "option", "east")).await),
        3 => drop(phone.command("team.say", json!({ "text": "where are you?" })).await),
        4 => drop(phone.command("quest.hint", json!({ "quest": "sim", "step": "word", "hint": 0 })).await),
        5 => drop(phone.look().await),
        6 => phone.stand_at(quest::PLACE).await,
        7 => {
            phone.stand_at(quest::PLACE).await;
            tokio::time::sleep(Duration::from_secs(40)).await;
            phone.stand_at(quest::AWAY).await;
        }
        // In a tunnel; now and then for so long that everything falls asleep.
        _ => {
            phone.disconnect("the tunnel");
            let span = if phone.chance.percent(20) { 150_000 } else { 5_000 };
            let pause = phone.chance.millis(span);
            tokio::time::sleep(pause).await;
        }
    }
}

/// What the players cannot help.
async fn fate(scene: &Scene) {
    let mut chance = Chance::of(scene.seed, "fate");
    let strokes = if scene.is_calm() { 0 } else { 1 + chance.below(4) };
    for _ in 0..strokes {
        let pause = chance.millis(7_000);
        tokio::time::sleep(pause).await;
        if scene.playing.get() == 0 {
            return;
        }
        let host = scene.host();
        match chance.below(10) {
            0..3 => {
                scene.note("the node crashes");
                host.crash();
                tokio::time::sleep(chance.millis(1_500)).await;
                scene.start_another().await;
            }
            3..6 => {
                scene.note("the node crashes when its next entry is written");
                host.journal.faults().crash_after_commit();
                tokio::time::sleep(chance.millis(1_500)).await;
                host.crash();
                scene.start_another().await;
            }
            6..8 => {
                scene.note("another node takes over, the old one lives on");
                scene.start_another().await;
                tokio::time::sleep(chance.millis(3_000)).await;
                host.crash();
            }
            8 => {
                scene.note("the node restarts in order");
                host.drain().await;
                scene.start_another().await;
            }
            _ => {
                scene.note("nothing can be written for a while");
                host.journal.faults().read_only(true);
                tokio::time::sleep(chance.millis(4_000)).await;
                host.journal.faults().read_only(false);
            }
        }
    }
}

/// All comes to rest: every chain ends, every run ends, everyone hears all.
async fn rest(scene: &Scene, phones: &mut [Phone]) -> Vec<(&'static str, String)> {
    scene.calm.set(true);
    scene.host().calm();
    scene.note("all is well from here on");
    for phone in &mut *phones {
        phone.connect().await;
    }
    tokio::time::sleep(REST).await;
    let mut found = Vec::new();
    if scene.host().letters() > 0 {
        found.push(("unended", format!("{} letters are never delivered", scene.host().letters())));
    }
    for phone in &mut *phones {
        phone.connect().await;
        phone.settled();
        match phone.look().await {
            Some(state) => runs_are_over(&state, &mut found),
            None => found.push(("stuck", format!("{} cannot see its state", phone.player))),
        }
        phone.disconnect("the end");
        found.extend(phone.faults.drain(..).map(|fault| ("stuck", fault)));
    }
    scene.host().drain().await;
    found
}

fn runs_are_over(state: &Value, found: &mut Vec<(&'static str, String)>) {
    for run in state["team"]["runs"].as_array().into_iter().flatten() {
        if run["over"] != json!(true) {
            found.push(("unended", format!("a run does not end: {run}")));
        }
    }
}

async fn judge(scene: &Scene, history: &History, found: &mut Vec<(&'static str, String)>) {
    match verify::verify_with(&scene.data.reopen(), Some(history)).await {
        Ok(verdict) => {
            if verdict.pending > 0 {
                found.push(("pending", format!("{} messages were sent and never heard", verdict.pending)));
            }
            for difference in verdict.differences {
                let place = format!("{} entry {}", difference.entity, difference.seq);
                let line = difference.history.unwrap_or_default();
                found.push((difference.check, format!("{place}: {} {line}", difference.message)));
            }
        }
        Err(err) => found.push(("unreadable", err.to_string())),
    }
}

/// Of the history and the journal, but for the secrets of invites, which are the system's chance.
async fn digest(scene: &Scene, history: &str) -> u64 {
    let mut text = history.to_owned();
    for shard in Shard::all() {
        for stored in scene.data.scan(shard, 0, u32::MAX).await.unwrap_or_default() {
            let mut entry = serde_json::to_value(&stored.entry).expect("plain data");
            if let Some(fingerprint) = entry.pointer_mut("/cause/client/fingerprint") {
                // Also of what bears an invite.
                *fingerprint = Value::Null;
            }
            writeln!(text, "{} {} {} {entry}", stored.entity, stored.offset, stored.epoch)
                .expect("a string takes it");
        }
    }
    for (at, word) in history.match_indices("\"invite\":\"") {
        let invite = &history[at + word.len()..];
        let secret = invite.split('"').next().and_then(|invite| invite.split('-').nth(1)).unwrap_or_default();
        if !secret.is_empty() {
            text = text.replace(secret, "secret");
        }
    }
    text.push_str(&scene.trace.borrow());
    stable_hash(text.bytes())
}

/// The end of a long text.
pub fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL)..].join("\n")
}
