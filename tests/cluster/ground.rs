//! What all players of the cluster share: the door they come in by, their tokens, and the history that they write.

use crate::front::Front;
use crate::record::Record;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use waystone::clock::Clock;
use waystone::ids::PlayerId;
use waystone::net::auth::{Claims, Role, Secret, mint};
use waystone::verify::Recorder;
use waystone::verify::history::Diary;

/// How long a token lasts: longer than any run, also for a node whose clock is an hour ahead.
const TOKEN_TTL: Duration = Duration::from_secs(12 * 3_600);

/// The ground.
pub(crate) struct Ground {
    /// The door before all nodes.
    pub front: Front,
    /// Its port.
    pub port: u16,
    /// Time, for phones.
    pub clock: Clock,
    /// Where the history is.
    pub history: PathBuf,
    secret: Secret,
    recorder: Recorder,
    records: Mutex<Vec<Arc<Record>>>,
    /// Counts commands that are just being sent.
    pub sending: watch::Sender<u64>,
    /// Counts notices told.
    pub told: watch::Sender<u64>,
}

impl Ground {
    /// Before nodes that know this secret; the history goes into a folder.
    pub(crate) fn new(front: Front, secret: Secret, folder: &Path) -> Arc<Self> {
        let (clock, history) = (Clock::system(), folder.join("history.jsonl"));
        let file = File::options().create_new(true).append(true).open(&history).expect("a folder of ours");
        let now = clock.clone();
        // Straight to the file: another process reads it while we write.
        let recorder = Recorder::to(file, "tests/cluster", move || now.now());
        Arc::new(Self {
            port: front.port(),
            front,
            clock,
            history,
            secret,
            recorder,
            records: Mutex::default(),
            sending: watch::Sender::new(0),
            told: watch::Sender::new(0),
        })
    }

    /// Where players connect who do not mind where.
    pub(crate) fn url(&self) -> String {
        format!("ws://127.0.0.1:{}/connect", self.port)
    }

    /// A player's token.
    pub(crate) fn token(&self, player: &PlayerId) -> String {
        self.mint(player.clone(), Role::Player)
    }

    /// An operator's token.
    pub(crate) fn operator(&self) -> String {
        self.mint(PlayerId::new("clerk").expect("an id"), Role::Operator)
    }

    fn mint(&self, sub: PlayerId, role: Role) -> String {
        let claims = Claims::new(sub, role, self.clock.now(), TOKEN_TTL);
        mint(&self.secret, &claims).expect("a sound secret")
    }

    /// A hand for a player's diary.
    pub(crate) fn diary(&self, player: PlayerId) -> Diary {
        self.recorder.client(player)
    }

    /// A new witness.
    pub(crate) fn enroll(&self, player: PlayerId) -> Arc<Record> {
        let record = Arc::new(Record::new(self.diary(player)));
        self.records.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&record));
        record
    }

    /// The evidence of all witnesses so far.
    pub(crate) fn records(&self) -> Vec<Arc<Record>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
