//! A node of the simulation: the real actors over a handle of their own on the common journal, and its end: a drain,
//! a crash, or an afterlife as one whose shards another has taken.

use crate::chance::Chance;
use crate::luck::Luck;
use crate::quest;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;
use waystone::actors::game::Game;
use waystone::actors::start::{RunningNode, start_through};
use waystone::clock::Clock;
use waystone::cluster::router::Deliver;
use waystone::persist::Journal;
use waystone::persist::memory::MemoryJournal;

/// Milliseconds that a commit may take, most of the time and sometimes.
const COMMIT: u64 = 8;
const SLOW_COMMIT: u64 = 400;

/// A running node, as the net sees it: once it is dead, nothing of it gets out any more.
pub struct Host {
    pub journal: MemoryJournal,
    pub game: Game,
    pub dead: CancellationToken,
    luck: Arc<Luck>,
    running: RefCell<Option<RunningNode>>,
}

impl Host {
    /// Starts one on what the last has left. `chance` is its bad luck; without any all goes well.
    pub async fn start(data: &MemoryJournal, clock: &Clock, chance: Option<Chance>) -> Rc<Self> {
        let journal = data.reopen();
        if let Some(mut chance) = chance.clone() {
            journal.faults().delays(move || {
                let most = if chance.percent(5) { SLOW_COMMIT } else { COMMIT };
                chance.millis(most)
            });
        }
        let held: Arc<Mutex<Option<Arc<Luck>>>> = Arc::default();
        let hold = Arc::clone(&held);
        let between = move |shards: Arc<dyn Deliver>| {
            let luck = Luck::new(shards, chance);
            *hold.lock().expect("just made") = Some(Arc::clone(&luck));
            luck as Arc<dyn Deliver>
        };
        let started = start_through(clock.clone(), Arc::new(journal.clone()), quest::world(), between).await;
        let running = started.expect("memory answers");
        let luck = held.lock().expect("just made").take().expect("the node has started");
        let (game, dead) = (Game::new(Arc::clone(&running.node), "sim"), CancellationToken::new());
        Rc::new(Self { journal, game, dead, luck, running: RefCell::new(Some(running)) })
    }

    /// Dies now. What it had under way comes to nothing, unless it is in the journal.
    pub fn crash(&self) {
        self.journal.faults().crash();
        self.dead.cancel();
        if let Some(running) = self.running.borrow_mut().take() {
            running.abandon();
        }
    }

    /// Ends in order.
    pub async fn drain(&self) {
        let running = self.running.borrow_mut().take();
        if let Some(running) = running {
            running.drain().await;
        }
        self.dead.cancel();
    }

    /// From now on all goes well.
    pub fn calm(&self) {
        self.luck.turns();
        self.journal.faults().read_only(false);
        self.journal.faults().delays(|| std::time::Duration::ZERO);
    }

    /// Letters under way.
    pub fn letters(&self) -> usize {
        self.running.borrow().as_ref().map_or(0, |running| running.node.courier.letters())
    }

    pub async fn publish(journal: &MemoryJournal) {
        journal.publish(quest::published()).await.expect("memory takes it");
    }
}
