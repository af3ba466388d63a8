//! The story of the stores' troubles: the database dies, restarts, is locked, has no place or no room, while people
//! play. Whoever asks is answered or refused for now; no socket closes; nothing that was acknowledged is lost; and when
//! the trouble is over play goes on by itself.

use crate::ground::Ground;
use crate::home;
use crate::party::Parties;
use crate::plan;
use crate::prober::{ALLOWED, Attempt, Probers};
use crate::server::{Folder, Server, Start, say};
use serde_json::{Value, json};
use sqlx::{ConnectOptions as _, Executor as _};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, interval, sleep};
use waystone::ids::PlayerId;
use waystone::net::client::{Client, ClientError};
use waystone::persist::sqlite::DATABASE;
use waystone_kit::fault::LoopDisk;
use waystone_kit::{Postgres, Session};

/// Longest time to be as before when the trouble is over: the database's own recovery counts to the trouble.
const RECOVERY: Duration = Duration::from_secs(10);
/// Longest answer: the deadline of five seconds, and some for a busy machine.
const ANSWER: Duration = Duration::from_millis(6_500);
/// How long an operator holds a lock, and how long a disk stays full; and how long a database that died is gone.
const HELD: u64 = 5;
const GONE: u64 = 1;
/// Connections of the small server; three are the superuser's.
const CONNECTIONS: &str = "16";

/// The two stories are told side by side, since each mostly waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_in_trouble_closes_no_socket_and_loses_nothing() {
    tokio::join!(postgres_dies_restarts_is_locked_and_crowded(), sqlite_is_locked_and_its_disk_full());
}

async fn postgres_dies_restarts_is_locked_and_crowded() {
    let server = blocking(|| Postgres::start_with(&[("max_connections", CONNECTIONS)]).expect("a server")).await;
    let pg = Arc::new(server);
    let at = Arc::clone(&pg);
    let (url, hogs) = blocking(move || (database(&at), database(&at))).await;
    let scene = Scene::open(Folder::with("outage-postgres", Some(url.clone()))).await;

    let (at, name) = (Arc::clone(&pg), url.clone());
    let kill = blocking(move || {
        at.kill_backends(&name).expect("killed");
        // Postgres ends all its connections then and recovers, which takes what it takes.
        while at.psql("SELECT 1").is_err() {}
    });
    scene.during("kill -9 of its backends", kill, Told::Perhaps).await;

    let at = Arc::clone(&pg);
    let die = async move {
        let postmaster = Arc::clone(&at);
        blocking(move || postmaster.kill_postmaster().expect("killed")).await;
        sleep(held(GONE)).await;
        blocking(move || at.restart().expect("started again")).await;
    };
    scene.during("kill -9 of the postmaster, a pause, and a start", die, Told::Once("cannot be reached")).await;

    let at = Arc::clone(&pg);
    scene.during("a fast restart", blocking(move || at.restart_fast().expect("restarted")), Told::Perhaps).await;

    let (at, name) = (Arc::clone(&pg), url.clone());
    scene
        .during("all connections taken by others", crowd(at, name, hogs), Told::ToTheEnd("no connection free"))
        .await;

    let (at, name) = (Arc::clone(&pg), url.clone());
    let lock = async move {
        let locking = blocking(move || {
            let mut session = at.session(&name).expect("a place");
            session.run("BEGIN; LOCK TABLE event IN ACCESS EXCLUSIVE MODE;").expect("locked");
            session
        });
        let session = locking.await;
        sleep(held(HELD)).await;
        blocking(move || drop(session)).await;
    };
    scene.during("a locked table", lock, Told::ToTheEnd("locked")).await;
    scene.close("postgres").await;
    blocking(move || drop(pg)).await;
}

async fn sqlite_is_locked_and_its_disk_full() {
    let disk = blocking(|| LoopDisk::new(32).expect("a small disk")).await;
    let scene = Scene::open(Folder::on_disk("outage-sqlite", disk.path())).await;

    let file = scene.folder.data().join(DATABASE);
    let shell = async move {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file);
        let mut shell = options.connect().await.expect("it is there");
        shell.execute("BEGIN IMMEDIATE").await.expect("the server's transactions are short");
        sleep(held(HELD)).await;
        shell.execute("ROLLBACK").await.expect("it has begun");
    };
    scene.during("an operator's open transaction", shell, Told::ToTheEnd("locked")).await;

    let disk = Arc::new(disk);
    let small = Arc::clone(&disk);
    let full = async move {
        let fill = Arc::clone(&small);
        blocking(move || fill.fill().expect("filled")).await;
        sleep(held(HELD)).await;
        blocking(move || small.make_room().expect("emptied")).await;
    };
    scene.during("a full disk", full, Told::ToTheEnd("disk is full")).await;
    scene.close("sqlite").await;
    blocking(move || drop(disk)).await;
}

/// What `/readyz` is to tell of a trouble.
#[derive(Debug, Clone, Copy)]
enum Told {
    /// It may be over before anyone looks.
    Perhaps,
    /// These words, at some moment.
    Once(&'static str),
    /// These words, and it is still ill when the trouble ends.
    ToTheEnd(&'static str),
}

/// A server at play.
struct Scene {
    folder: Folder,
    ground: Arc<Ground>,
    server: Server,
    parties: Parties,
    probers: Probers,
}

impl Scene {
    async fn open(folder: Folder) -> Self {
        let how = Start::on_free_port(0);
        let ground = Ground::new(&folder.data(), how.port);
        let server = Server::start(&folder, how).await;
        let (parties, probers) = (Parties::set_out(&ground, 1), Probers::set_out(&ground).await);
        let scene = Self { folder, ground, server, parties, probers };
        scene.no_name_bears_a_nul().await;
        scene
    }

    /// Makes trouble, which is over when `trouble` returns, and waits until all is as before.
    async fn during(&self, what: &str, trouble: impl Future<Output = impl Sized>, told: Told) {
        let begun = Instant::now();
        drop(trouble.await);
        let over = Instant::now();
        let back = self.all_is_well(what, over).await;
        let seen = self.probers.seen();
        assert!(seen.faults.is_empty(), "{what}:\n{}", seen.faults.join("\n"));
        let attempts: Vec<&Attempt> = seen.attempts.iter().filter(|attempt| attempt.begun >= begun).collect();
        let slowest = attempts.iter().map(|attempt| attempt.took).max().unwrap_or_default();
        assert!(slowest < ANSWER, "{what}: an answer took {slowest:?}");
        let mut refusals = BTreeMap::<&str, usize>::new();
        for refusal in attempts.iter().filter_map(|attempt| attempt.refused.as_deref()) {
            *refusals.entry(refusal).or_default() += 1;
        }
        let ill = seen.readiness.iter().filter_map(|(at, said)| Some((*at, said.as_deref()?)));
        let ill: Vec<(Instant, &str)> = ill.filter(|(at, _)| *at >= begun).collect();
        let ill_for = ill.last().zip(ill.first()).map_or(Duration::ZERO, |(last, first)| last.0 - first.0);
        let said: BTreeSet<&str> = ill.iter().map(|(_, said)| *said).collect();
        if let Told::Once(words) | Told::ToTheEnd(words) = told {
            let heard = said.iter().any(|said| said.contains(words));
            assert!(heard, "{what}: /readyz was to say \"{words}\", not {said:?}");
        }
        if matches!(told, Told::ToTheEnd(_)) {
            let last = seen.readiness.iter().rev().find(|(at, _)| *at < over);
            assert!(
                last.is_some_and(|(_, said)| said.is_some()),
                "{what}: /readyz was to be ill to the end: {last:?}"
            );
        }
        for record in self.ground.records() {
            let (player, downs, connects) = (&record.player, record.downs(), record.connects());
            assert!(connects <= 1, "{what}: {player}'s socket was to stay open: {downs:?}");
            // Who comes just then is sent away for now, as any command is.
            let for_now = |reason: &&String| ALLOWED.iter().any(|code| reason.contains(&format!("(code {code})")));
            let other: Vec<&String> = downs.iter().filter(|reason| !for_now(reason)).collect();
            assert!(other.is_empty(), "{what}: {player} was not to be sent away for {other:?}");
        }
        say(&format!(
            "{what}: {:.1?} of trouble, all as before {back:.1?} later; {} of {} answers were refusals {refusals:?}, the \
             slowest took {slowest:.1?}; /readyz was ill for {ill_for:.1?} and said {said:?}",
            over - begun,
            refusals.values().sum::<usize>(),
            attempts.len(),
        ));
    }

    /// Each prober is answered again and the node is ready; how long that took.
    async fn all_is_well(&self, what: &str, over: Instant) -> Duration {
        let mut look = interval(Duration::from_millis(50));
        loop {
            look.tick().await;
            {
                let seen = self.probers.seen();
                let since = seen.attempts.iter().filter(|attempt| attempt.begun >= over);
                let good = since.rev().take_while(|attempt| attempt.refused.is_none()).count();
                let ready = seen.readiness.last().is_some_and(|(at, said)| *at >= over && said.is_none());
                if good >= 12 && ready {
                    return over.elapsed();
                }
                let (last, readiness) = (seen.attempts.last(), seen.readiness.last());
                let late = over.elapsed() > RECOVERY;
                assert!(!late, "{what}: all was to be well again within {RECOVERY:?}: {last:?}, {readiness:?}");
            }
        }
    }

    /// Postgres knows no text with a NUL in it, so none may come that far: it is refused, for good and with words.
    async fn no_name_bears_a_nul(&self) {
        let player = PlayerId::new("nul").expect("an id");
        let token = self.ground.token_of("N\0ul", &player);
        let (client, _) =
            Client::connect(&self.ground.url(), &token, None).await.expect("a name is no reason to refuse");
        for (method, data) in [
            ("profile.set", json!({ "name": "N\0ul" })),
            ("team.create", json!({ "name": "N\0ul" })),
            ("team.join", json!({ "code": "N\0ul" })),
            ("profile.set", json!({ "name": "Nul", "cmd": "a\0b" })),
            ("quest.start", json!({ "quest": "a\0b" })),
        ] {
            let answer = client.rpc(method, data.clone()).await;
            let refused = matches!(&answer, Err(ClientError::Rpc { code: 107, temporary: false, .. }));
            assert!(refused, "{method} {data} was to be refused as a bad request, not {answer:?}");
        }
        client.rpc("team.create", json!({ "name": "Nul" })).await.expect("nothing is wrong with this one");
        let state: Value = client.rpc("state.get", json!({})).await.expect("it is there");
        assert_eq!(state["name"], "Nul", "a token's name loses what no name may have: {state}");
        client.close().await;
    }

    async fn close(self, store: &str) {
        let Self { folder, ground, server, parties, probers } = self;
        let acknowledged = probers.rest(&folder).await;
        let story = home::settle(&folder, &ground, parties, server).await;
        say(&format!("{store}: {story}; {acknowledged} probes acknowledged, each in the journal once"));
    }
}

/// Takes every connection that others may have, those of the server's own too, and holds them for a while.
async fn crowd(pg: Arc<Postgres>, url: String, hogs: String) {
    let taken = blocking(move || {
        let mut taken: Vec<Session> = Vec::new();
        // Who loses a connection comes again at once; it takes some rounds to be first at each place.
        for _ in 0..5 {
            // So crowded that the superuser does not come in either is crowded enough.
            if pg.terminate_backends(&url).is_err() {
                continue;
            }
            while let Ok(session) = pg.session(&hogs) {
                taken.push(session);
            }
        }
        taken
    });
    let taken = taken.await;
    sleep(held(HELD)).await;
    blocking(move || drop(taken)).await;
}

/// So many seconds, or as many as `WAYSTONE_OUTAGE` says.
fn held(usual: u64) -> Duration {
    Duration::from_secs(plan::number("WAYSTONE_OUTAGE").unwrap_or(usual))
}

fn database(pg: &Postgres) -> String {
    pg.create_database().expect("a database")
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    spawn_blocking(work).await.expect("it does not panic")
}
