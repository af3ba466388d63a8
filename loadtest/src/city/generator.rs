//! A generator: a process of its own with one thread, in which a share of the players lives.
//!
//! One thread, so that nothing is locked and nobody is woken across cores: on two cores each generator costs the server as
//! little as may be, and its processor time is a figure by itself. It is told all that it must know through its input and
//! ends when that ends, however its conductor has come to its own end.

use super::ground::{Ground, Team, Wish};
use super::life::Life;
use super::pipe::{LINE_BYTES_MAX, Order, Plan, Said};
use super::poison;
use super::town::Town;
use super::traveller::{self, Kind, Traveller};
use crate::fault::Fault;
use std::io;
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::unix::pipe;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval_at, timeout};
use waystone::clock::Clock;
use waystone::verify::Recorder;

/// A second of the timeline.
const SECOND: Duration = Duration::from_secs(1);
/// How long no notice must have come before all is quiet, and how long that is waited for.
const SILENCE_MS: u64 = 2_000;
const QUIET_WITHIN: Duration = Duration::from_secs(45);
/// How often it is looked whether all is quiet.
const LOOK: Duration = Duration::from_millis(100);
/// How long all players together may take for the last look.
const FAREWELL: Duration = Duration::from_secs(300);

/// Both ends of the conversation with the conductor.
struct Pipes {
    ear: BufReader<pipe::Receiver>,
    mouth: pipe::Sender,
    line: Vec<u8>,
}

impl Pipes {
    fn open() -> io::Result<Self> {
        let ear = pipe::Receiver::from_owned_fd(io::stdin().as_fd().try_clone_to_owned()?)?;
        let mouth = pipe::Sender::from_owned_fd(io::stdout().as_fd().try_clone_to_owned()?)?;
        Ok(Self { ear: BufReader::new(ear), mouth, line: Vec::new() })
    }

    async fn say(&mut self, said: &Said) -> io::Result<()> {
        let mut line = serde_json::to_vec(said)?;
        line.push(b'\n');
        self.mouth.write_all(&line).await
    }

    /// The next line; `None`: the conductor is gone. Safe to drop while it waits: what was read of a line is kept.
    async fn hear<T: serde::de::DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        (&mut self.ear).take(LINE_BYTES_MAX).read_until(b'\n', &mut self.line).await?;
        if self.line.last() != Some(&b'\n') {
            return Ok(None);
        }
        let said = serde_json::from_slice(&self.line)?;
        self.line.clear();
        Ok(Some(said))
    }
}

/// Runs one, as it is told through its input.
pub async fn run() -> Result<(), Fault> {
    let broken = |source| Fault::Io { path: PathBuf::from("the conductor's pipe"), source };
    let mut pipes = Pipes::open().map_err(broken)?;
    let Some(plan) = pipes.hear::<Plan>().await.map_err(broken)? else { return Ok(()) };
    let done = work(plan, &mut pipes).await;
    if let Err(fault) = &done {
        // If it cannot be said either, the end of the pipe says it.
        let _ = pipes.say(&Said::Failed(fault.to_string())).await;
    }
    done
}

async fn work(plan: Plan, pipes: &mut Pipes) -> Result<(), Fault> {
    let broken = |source| Fault::Io { path: PathBuf::from("the conductor's pipe"), source };
    let town = Arc::new(Town::build(plan.streets.as_deref(), plan.places, plan.seed)?);
    let clock = Clock::system();
    let now = move || clock.now();
    let recorder = match &plan.history {
        Some(path) => Recorder::create(path, "waystone-loadtest city", now)
            .map_err(|source| Fault::Io { path: path.clone(), source })?,
        None => Recorder::to(io::sink(), "nobody", now),
    };
    pipes.say(&Said::Ready).await.map_err(broken)?;
    loop {
        match pipes.hear::<Order>().await.map_err(broken)? {
            Some(Order::Begin) => break,
            Some(_) => {}
            None => return Ok(()),
        }
    }
    let (wish, wishes) = watch::channel(Wish::default());
    let ground = Arc::new(Ground::new(plan, town, recorder, wishes)?);
    let mut lives = people(&ground)?;
    let played = play(&ground, &wish, pipes, &mut lives).await.map_err(broken)?;
    if !played {
        return Ok(());
    }
    ground.recorder.flush().map_err(broken)?;
    pipes.say(&Said::Done(Box::new(ground.counts.sum()))).await.map_err(broken)
}

/// Everyone of this generator, at play.
fn people(ground: &Arc<Ground>) -> Result<JoinSet<()>, Fault> {
    let (plan, mut lives) = (&ground.plan, JoinSet::new());
    for number in plan.first_team..plan.first_team + plan.own_teams {
        let team = Arc::new(Team::default());
        for member in 0..plan.members {
            let index = u64::from(number * plan.members + member);
            let seed = plan.seed.wrapping_add(index.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let kind = traveller::kind_of(number, !ground.tracks.is_empty());
            let traveller = match kind {
                Kind::Honest => {
                    let pair = (u64::from(number) << 32 | u64::from(member / 2)) ^ plan.seed.rotate_left(17);
                    Traveller::honest(&ground.town, seed, pair)
                }
                Kind::Spoofer(ruse) => Traveller::spoofer(&ground.town, seed, ruse),
                Kind::Recorded => {
                    Traveller::Replays(Arc::clone(&ground.tracks[index as usize % ground.tracks.len()]), 0)
                }
            };
            lives.spawn(Life::new(ground, (number, &team), member, traveller, kind)?.live());
        }
    }
    Ok(lives)
}

/// Beats once a second and obeys; false if the conductor has gone.
async fn play(
    ground: &Arc<Ground>,
    wish: &watch::Sender<Wish>,
    pipes: &mut Pipes,
    lives: &mut JoinSet<()>,
) -> io::Result<bool> {
    let mut seconds = interval_at(ground.begun.0 + SECOND, SECOND);
    let (mut t, mut strangers) = (0, JoinSet::new());
    let mut rests: Option<Instant> = None;
    let mut looks = interval_at(ground.begun.0 + LOOK, LOOK);
    loop {
        tokio::select! {
            _ = seconds.tick() => {
                if f64::from(t) >= ground.plan.warmup {
                    ground.counts.measure();
                }
                pipes.say(&Said::Second(Box::new(ground.counts.beat(t)))).await?;
                t += 1;
            }
            _ = looks.tick(), if rests.is_some() => {
                let waiting = ground.waiting.load(Ordering::Relaxed);
                let late = rests.is_some_and(|since| since.elapsed() > QUIET_WITHIN);
                if late || (waiting == 0 && ground.silence_ms() >= SILENCE_MS) {
                    rests = None;
                    pipes.say(&Said::Quiet { waiting }).await?;
                }
            }
            Some(_) = strangers.join_next() => {}
            order = pipes.hear::<Order>() => match order? {
                None => return Ok(false),
                Some(Order::Begin) => {}
                Some(Order::Drop(share)) => wish.send_modify(|wish| wish.drops = (wish.drops.0 + 1, share)),
                Some(Order::Deaf(share, seconds)) => {
                    wish.send_modify(|wish| wish.deaf = (wish.deaf.0 + 1, share, seconds));
                }
                Some(Order::Poison(count)) => poison::strew(ground, count, &mut strangers),
                Some(Order::Rest) => {
                    wish.send_modify(|wish| wish.rest = true);
                    rests = Some(Instant::now());
                }
                Some(Order::Settle) => {
                    wish.send_modify(|wish| wish.settle = true);
                    let everyone = async { while lives.join_next().await.is_some() {} };
                    if timeout(FAREWELL, everyone).await.is_err() {
                        ground.counts.fault(|| format!("not everyone had looked back within {FAREWELL:?}"));
                    }
                    return Ok(true);
                }
            }
        }
    }
}
