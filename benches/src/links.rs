//! Links between nodes, beside length-delimited frames over the same TLS, and beside a call within the process.
//!
//! Both ends are in this process, on loopback, on two workers: what is measured is the work, not a network.

use crate::framed::Framing;
use crate::meter::now;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};
use tokio::task::{JoinSet, yield_now};
use tokio::time::sleep;
use waystone::cluster::link::{Call, Handler, LinkState, Note, Peers as _, Reply};
use waystone::cluster::member::{NodeId, Protocols};
use waystone::cluster::router::{Request, Response};
use waystone::ids::{EntityId, PlayerId, TeamId};
use waystone::links::{Links, Me, Tls, certificates};
use waystone::units::Timestamp;

/// What to measure.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Seconds for each figure of each round
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Rounds, in which the kinds take turns; the best of each is shown
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Only links, only the figure named: sequential, concurrent or notes; to be watched by a profiler
    #[arg(long)]
    only: Option<String>,
}

/// Answers at once, and counts notes.
#[derive(Debug)]
struct Echo {
    answer: Value,
    notes: AtomicU64,
}

impl Handler for Echo {
    fn call(&self, _: NodeId, _: Call, _: Duration) -> BoxFuture<'_, Reply> {
        Box::pin(async { Reply::Entity(Ok(Response::Viewed(self.answer.clone()))) })
    }

    fn note(&self, _: NodeId, _: Note) {
        self.notes.fetch_add(1, Ordering::Relaxed);
    }
}

/// A way to ask and tell.
#[derive(Clone)]
enum Way {
    Link(Arc<Links>, NodeId),
    Frames(Arc<Framing>),
    Local(Arc<Echo>),
}

const LONG: Duration = Duration::from_secs(5);
const CALLERS: usize = 256;

impl Way {
    const KINDS: [&str; 3] = ["**waystone links** (gRPC)", "length-delimited frames", "within the process"];

    fn kind(&self) -> usize {
        match self {
            Self::Link(..) => 0,
            Self::Frames(_) => 1,
            Self::Local(_) => 2,
        }
    }

    async fn call(&self) -> bool {
        let Ok(player) = PlayerId::new("player-0001") else { return false };
        let call = Call::Entity { to: EntityId::Player(player), epoch: 12, request: Request::View };
        match self {
            Self::Link(links, to) => links.call(to, call, LONG).await.is_ok(),
            Self::Frames(framing) => framing.call(&call).await.is_some(),
            Self::Local(echo) => matches!(echo.call(NodeId::new("a"), call, LONG).await, Reply::Entity(Ok(_))),
        }
    }

    fn tell(&self, note: &Note) -> bool {
        match self {
            Self::Link(links, to) => links.tell(to, note.clone()),
            Self::Frames(framing) => framing.tell(note),
            Self::Local(echo) => {
                echo.note(NodeId::new("a"), note.clone());
                true
            }
        }
    }
}

/// One row of the table.
#[derive(Clone, Copy)]
struct Figures {
    sequential: (f64, f64),
    calls: f64,
    concurrent: (f64, f64),
    notes: f64,
}

impl Figures {
    const NONE: Self = Self {
        sequential: (f64::INFINITY, f64::INFINITY),
        calls: 0.0,
        concurrent: (f64::INFINITY, f64::INFINITY),
        notes: 0.0,
    };

    fn best(self, other: Self) -> Self {
        let least = |a: (f64, f64), b: (f64, f64)| if b.0 < a.0 { b } else { a };
        Self {
            sequential: least(self.sequential, other.sequential),
            calls: self.calls.max(other.calls),
            concurrent: least(self.concurrent, other.concurrent),
            notes: self.notes.max(other.notes),
        }
    }
}

/// Prints the table.
pub fn run(args: &Args) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let measured = runtime.map_err(|error| error.to_string()).and_then(|runtime| runtime.block_on(measure(args)));
    if let Err(error) = measured {
        println!("links: {error}");
    }
}

async fn measure(args: &Args) -> Result<(), String> {
    let echo = Arc::new(Echo { answer: json!({ "state": "x".repeat(70) }), notes: AtomicU64::new(0) });
    let folder = std::env::temp_dir().join(format!("waystone-bench-{}", std::process::id()));
    let tls = certificates(&folder)?;
    std::fs::remove_dir_all(&folder).map_err(|error| error.to_string())?;
    let (near, far) = (bind("a", &tls)?, bind("b", &tls)?);
    near.serve(Arc::clone(&echo) as Arc<dyn Handler>);
    far.serve(Arc::clone(&echo) as Arc<dyn Handler>);
    let to = far.me().node.clone();
    let address = far.addr().ok_or("no address")?.to_string();
    near.aim([(to.clone(), ("b".to_owned(), address))].into());
    let mut states = near.states();
    let up = |state: &LinkState| matches!(state, LinkState::Up { .. });
    states.wait_for(|states| states.values().any(up)).await.map_err(|error| error.to_string())?;
    let frames =
        Framing::lay(&tls, Arc::clone(&echo) as Arc<dyn Handler>).await.map_err(|error| error.to_string())?;
    let link = Way::Link(Arc::clone(&near), to);

    if let Some(only) = &args.only {
        let figure = match only.as_str() {
            "sequential" => sequential(&link, args.seconds).await.0,
            "concurrent" => concurrent(&link, args.seconds).await.0,
            _ => notes(&link, &echo, args.seconds).await,
        };
        println!("{only}: {figure:.0}");
        return Ok(());
    }
    let ways = [link, Way::Frames(Arc::new(frames)), Way::Local(Arc::clone(&echo))];
    let mut best = [Figures::NONE; 3];
    for _ in 0..args.rounds {
        for way in &ways {
            let (calls, latency) = concurrent(way, args.seconds).await;
            let figures = Figures {
                sequential: sequential(way, args.seconds).await,
                calls,
                concurrent: latency,
                notes: notes(way, &echo, args.seconds).await,
            };
            best[way.kind()] = best[way.kind()].best(figures);
        }
    }
    print(&best);
    println!("\nlinks: {:?}", near.counts());
    near.drain(LONG).await;
    far.drain(LONG).await;
    Ok(())
}

fn print(best: &[Figures; 3]) {
    println!("| | sequential us, p50 | p99 | calls/s, {CALLERS} at once | us, p50 | p99 | notes/s |");
    println!("|---|---|---|---|---|---|---|");
    for (kind, row) in Way::KINDS.iter().zip(best) {
        println!(
            "| {kind} | {:.1} | {:.1} | {:.0} | {:.0} | {:.0} | {:.0} |",
            row.sequential.0, row.sequential.1, row.calls, row.concurrent.0, row.concurrent.1, row.notes
        );
    }
    let [ours, frames, _] = best;
    println!(
        "\nof the yardstick: {:.2} of the calls/s, {:.2} of the notes/s; {:.2} times its sequential p50",
        ours.calls / frames.calls,
        ours.notes / frames.notes,
        ours.sequential.0 / frames.sequential.0
    );
}

fn certificates(folder: &Path) -> Result<Tls, String> {
    let now = UNIX_EPOCH.elapsed().map_err(|error| error.to_string())?;
    let now = Timestamp::from_millis(i64::try_from(now.as_millis()).unwrap_or(0));
    certificates::make(folder, &["node"], false, now).map_err(|error| error.to_string())?;
    let file = |name: &str| folder.join(name);
    Tls::load(&file("ca.pem"), &file("node.pem"), &file("node.key")).map_err(|error| error.to_string())
}

fn bind(name: &str, tls: &Tls) -> Result<Arc<Links>, String> {
    let me = Me {
        cluster: "bench".to_owned(),
        node: NodeId::new(name),
        name: name.to_owned(),
        protocols: Protocols { min: 1, max: 2 },
    };
    let listen = "127.0.0.1:0".parse().map_err(|_| "no address")?;
    Links::bind(listen, me, tls.clone()).map_err(|error| error.to_string())
}

/// Microseconds of one call after another: median and 99th percentile.
async fn sequential(way: &Way, seconds: f64) -> (f64, f64) {
    let mut took = Vec::new();
    let began = now();
    while began.elapsed().as_secs_f64() < seconds && took.len() < 1_000_000 {
        let before = now();
        if way.call().await {
            took.push(before.elapsed().as_secs_f64() * 1e6);
        }
    }
    percentiles(took)
}

/// Calls a second of many callers, and what a call takes then.
async fn concurrent(way: &Way, seconds: f64) -> (f64, (f64, f64)) {
    let began = now();
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let way = way.clone();
        callers.spawn(async move {
            let mut took = Vec::new();
            while began.elapsed().as_secs_f64() < seconds {
                let before = now();
                if way.call().await {
                    took.push(before.elapsed().as_secs_f64() * 1e6);
                }
            }
            took
        });
    }
    let mut all = Vec::new();
    while let Some(took) = callers.join_next().await {
        all.extend(took.unwrap_or_default());
    }
    (all.len() as f64 / began.elapsed().as_secs_f64(), percentiles(all))
}

/// Notes a second that arrive, of 100 bytes each as JSON.
async fn notes(way: &Way, echo: &Echo, seconds: f64) -> f64 {
    let Ok(team) = TeamId::new("team-0001") else { return 0.0 };
    let members = (0..4).filter_map(|n| PlayerId::new(format!("player-{n:04}")).ok()).collect();
    let note = Note::Members { team, members };
    echo.notes.store(0, Ordering::Relaxed);
    let (began, mut sent) = (now(), 0);
    while began.elapsed().as_secs_f64() < seconds {
        for _ in 0..64 {
            if way.tell(&note) {
                sent += 1;
            } else {
                yield_now().await;
            }
        }
        yield_now().await;
    }
    // Some of those received only say that others were dropped.
    let mut waits = 0;
    while echo.notes.load(Ordering::Relaxed) < sent && waits < 1_000 {
        sleep(Duration::from_millis(1)).await;
        waits += 1;
    }
    sent.min(echo.notes.load(Ordering::Relaxed)) as f64 / began.elapsed().as_secs_f64()
}

fn percentiles(mut took: Vec<f64>) -> (f64, f64) {
    took.sort_by(f64::total_cmp);
    let at = |part: f64| took.get((took.len() as f64 * part) as usize).copied().unwrap_or(f64::INFINITY);
    (at(0.5), at(0.99))
}
