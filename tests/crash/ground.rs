//! What all witnesses of one test share: the way to the server, tokens, the evidence, and the moments at which a
//! reaper likes to strike.

use crate::record::Record;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use waystone::clock::Clock;
use waystone::config;
use waystone::ids::{PlayerId, stable_hash};
use waystone::net::auth::{Claims, Role, Secret, mint};
use waystone::verify::Recorder;

/// How long a token lasts: longer than any test.
const TOKEN_TTL: Duration = Duration::from_secs(6 * 3_600);

/// The ground.
pub(crate) struct Ground {
    /// The server's port, the same over all its lives.
    pub port: u16,
    /// Time, for phones.
    pub clock: Clock,
    secret: Secret,
    /// Where all witnesses write down what they ask and are told.
    recorder: Recorder,
    records: Mutex<Vec<Arc<Record>>>,
    /// Counts commands that are just being sent.
    pub sending: watch::Sender<u64>,
    /// Counts notices told.
    pub told: watch::Sender<u64>,
}

impl Ground {
    /// Over a data folder, whose key is made if there is none.
    pub(crate) fn new(data: &Path, port: u16) -> Arc<Self> {
        let secret = config::data_key(data).expect("the folder can be written");
        let (clock, path) = (Clock::system(), history_of(data));
        let file = File::options().create_new(true).append(true).open(path).expect("the target's folder for tests");
        let now = clock.clone();
        // Straight to the file: another process reads it while we write.
        let recorder = Recorder::to(file, "tests/crash", move || now.now());
        Arc::new(Self {
            port,
            clock,
            secret,
            recorder,
            records: Mutex::default(),
            sending: watch::Sender::new(0),
            told: watch::Sender::new(0),
        })
    }

    /// Where players connect.
    pub(crate) fn url(&self) -> String {
        format!("ws://127.0.0.1:{}/connect", self.port)
    }

    /// A player's token.
    pub(crate) fn token(&self, player: &PlayerId) -> String {
        self.mint(player.clone(), None, Role::Player)
    }

    /// A player's token with a name in it.
    pub(crate) fn token_of(&self, name: &str, player: &PlayerId) -> String {
        self.mint(player.clone(), Some(name.to_owned()), Role::Player)
    }

    /// An operator's token.
    pub(crate) fn operator(&self) -> String {
        self.mint(PlayerId::new("clerk").expect("an id"), None, Role::Operator)
    }

    fn mint(&self, sub: PlayerId, name: Option<String>, role: Role) -> String {
        let claims = Claims { name, ..Claims::new(sub, role, self.clock.now(), TOKEN_TTL) };
        mint(&self.secret, &claims).expect("the folder's key is long enough")
    }

    /// A new witness.
    pub(crate) fn enroll(&self, player: PlayerId) -> Arc<Record> {
        let record = Arc::new(Record::new(self.recorder.client(player)));
        self.records.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&record));
        record
    }

    /// What must not have happened to any of them so far.
    pub(crate) fn faults(&self) -> Vec<String> {
        self.records().iter().flat_map(|record| record.faults()).collect()
    }

    /// The evidence of all witnesses so far.
    pub(crate) fn records(&self) -> Vec<Arc<Record>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Where the history of the game on a data folder is: beside no folder of it, for a disk may be full.
pub(crate) fn history_of(data: &Path) -> PathBuf {
    let name = stable_hash(data.as_os_str().as_encoded_bytes().iter().copied());
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("history-{name:016x}.jsonl"))
}
