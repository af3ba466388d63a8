//! One run from its begin to its verdict: server, generators, faults, rest, last look, checker.

use super::CityArgs;
use super::budget::{Budget, Seen};
use super::chaos::{self, Faults};
use super::field::Field;
use super::merge::{Generators, PATIENCE, Seconds, Whole};
use super::outcome::{self, Gathered};
use super::pipe::{Order, Plan, Said};
use super::sampler::Sampler;
use super::town::Town;
use super::verdict;
use crate::fault::Fault;
use crate::live::{self, Live, Shot};
use crate::machine::{self, Machine};
use crate::record::{FaultMark, Record};
use crate::target;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::{Mutex, broadcast};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval_at};

/// A second of the timeline.
const SECOND: Duration = Duration::from_secs(1);
/// Orders of the schedule that wait for the conductor, which hands them on at once.
const ORDERS_MAX: usize = 64;
/// Notices up to which the journal is read once more before the last look, to be sure that no letter is under way. A
/// larger one without faults is trusted to be at rest when it is silent.
const SMALL: u64 = 300_000;

/// A run under way.
struct Run<'a> {
    args: &'a CityArgs,
    field: Arc<Mutex<Field>>,
    generators: Generators,
    seconds: Seconds,
    sampler: Sampler,
    /// Processes of the server, as last seen.
    servers: Vec<u32>,
    marks: Arc<std::sync::Mutex<Vec<FaultMark>>>,
    begun: Instant,
    live: Live,
    /// Somebody has ended it before its time.
    broken_off: bool,
}

/// Runs it, and writes the record.
pub async fn run(
    args: &CityArgs,
    budget: &Budget,
    machine: &Machine,
    seed: u64,
    folder: &Path,
) -> Result<Record, Fault> {
    let began = crate::record::begun_now();
    let town = Town::build(args.streets.as_deref(), args.places as usize, seed)?;
    let field = open(args, folder, &town).await?;
    let plans = plans(args, &field, seed, folder);
    let generators = Generators::start(&plans).await?;
    let title = format!("city, {} players, faults: {:?}", args.teams() * args.members, args.faults);
    let shown = live::Plan { title, length_s: Some(args.seconds()), cores: machine.cores };
    let live =
        Live::start(shown, args.mode()).map_err(|err| Fault::Settings(format!("no view: {err}; try --plain")))?;
    let sampler = Sampler::begin(&[field.pids().as_slice(), generators.pids(), &[std::process::id()]].concat())?;
    let mut run = Run {
        args,
        field: Arc::new(Mutex::new(field)),
        seconds: Seconds::of(plans.len()),
        generators,
        sampler,
        servers: Vec::new(),
        marks: Arc::default(),
        begun: Instant::now(),
        live,
        broken_off: false,
    };
    run.generators.order(Order::Begin).await?;
    run.begun = Instant::now();
    run.play(seed).await?;
    let used = run.used()?;
    run.rest().await?;
    let whole = run.settle(&used).await?;
    let Run { field, seconds, marks, live, broken_off, .. } = run;
    live.end().await;
    let mut field = field.lock().await;
    field.close().await?;
    let histories: Vec<PathBuf> = plans.iter().filter_map(|plan| plan.history.clone()).collect();
    let mut judged = verdict::judge(field.journal().as_ref(), &histories, &whole).await?;
    if broken_off {
        judged.not_covered.push(format!("the rest of {:.0} s: it was ended by Ctrl-C", args.seconds()));
    }
    let mut seconds = seconds.finish();
    let mut faults = std::mem::take(&mut *marks.lock().unwrap_or_else(PoisonError::into_inner));
    outcome::recoveries(&mut faults, &mut seconds);
    let (warmup, players) = (args.warmup(), args.teams() * args.members);
    let checks =
        budget.checks(&Seen { whole: &whole, seconds: &seconds, judged: &judged, faults: &faults, warmup, players });
    let gathered = Gathered { target: field.target(), seconds, faults, whole, judged, checks };
    let record = outcome::record(args, machine, seed, began, &town, gathered);
    record.write(folder).map_err(|err| Fault::Store(err.to_string()))?;
    drop(field);
    if record.ok && !args.keep {
        tidy(folder, &histories);
    }
    Ok(record)
}

async fn open(args: &CityArgs, folder: &Path, town: &Town) -> Result<Field, Fault> {
    match (&args.url, &args.token_secret_file) {
        (Some(url), Some(file)) => Ok(Field::foreign(target::loopback(url)?, file, args.server_pid, folder)),
        _ => Field::start(folder, args.nodes as usize, &town.quests()).await,
    }
}

/// One plan for each generator: teams are shared out in rows.
fn plans(args: &CityArgs, field: &Field, seed: u64, folder: &Path) -> Vec<Plan> {
    let (teams, count) = (args.teams(), args.generators);
    let first = |number: u32| u32::try_from(u64::from(teams) * u64::from(number) / u64::from(count)).unwrap_or(teams);
    // A server of others may know the names of an earlier run.
    let since = waystone::clock::Clock::system().now().as_millis() / 1_000;
    let prefix = if args.url.is_some() { format!("city{since}-") } else { "city-".to_owned() };
    let plan = |number: u32| Plan {
        number,
        seed,
        streets: args.streets.clone(),
        tracks: args.tracks.clone(),
        places: args.places as usize,
        teams,
        first_team: first(number),
        own_teams: first(number + 1) - first(number),
        members: args.members,
        rate: args.rate,
        awards: args.award_rate,
        curve: args.curve,
        warmup: args.warmup(),
        seconds: args.seconds(),
        prefix: prefix.clone(),
        doors: field.doors(),
        secret_file: field.secret_file(),
        history: Some(folder.join(format!("history-{number}.jsonl"))),
    };
    (0..count).map(plan).collect()
}

/// What only a search for a fault needs.
fn tidy(folder: &Path, histories: &[PathBuf]) {
    // It is gone already, or stays.
    histories.iter().for_each(|path| drop(std::fs::remove_file(path)));
    drop(std::fs::remove_dir_all(folder.join("data")));
}

impl Run<'_> {
    /// Load and faults, second by second.
    async fn play(&mut self, seed: u64) -> Result<(), Fault> {
        let (warmup, seconds) = (self.args.warmup(), self.args.seconds());
        let nodes = self.field.lock().await.nodes();
        let planned = chaos::plan(self.args.faults, (warmup, seconds), nodes, seed);
        let (orders, mut ordered) = broadcast::channel(ORDERS_MAX);
        let mut work = JoinSet::new();
        work.spawn(chaos::play(planned, self.begun, Arc::clone(&self.field), orders, Arc::clone(&self.marks)));
        let mut ticks = interval_at(self.begun + SECOND, SECOND);
        let (mut t, last) = (0, seconds.ceil() as u32);
        while t < last || !work.is_empty() {
            tokio::select! {
                _ = ticks.tick() => {
                    self.look(t).await?;
                    t += 1;
                }
                said = self.generators.next() => self.hear(said?)?,
                Ok(order) = ordered.recv() => self.generators.order(order).await?,
                Some(done) = work.join_next() => done.map_err(|err| Fault::Server(err.to_string()))??,
                () = self.live.interrupted() => {
                    if self.args.faults != Faults::None {
                        return Err(Fault::Settings("it was ended while faults were made: nothing is verified".to_owned()));
                    }
                    self.broken_off = true;
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    async fn look(&mut self, t: u32) -> Result<(), Fault> {
        // While a node starts again its field is held: it is seen in the second after.
        if let Ok(field) = self.field.try_lock() {
            self.servers = field.pids();
        }
        let mut sample = self.sampler.look(&self.servers, self.generators.pids())?;
        let marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        let under_way = marks.iter().filter(|mark| mark.until_s.is_none());
        let faults: Vec<String> = under_way.map(|mark| format!("{}: {}", mark.kind, mark.what)).collect();
        drop(marks);
        sample.faults = u32::try_from(faults.len()).unwrap_or(u32::MAX);
        self.seconds.sample(t, sample);
        if let Some(second) = self.seconds.newest() {
            self.live.show(Shot { second: second.clone(), faults });
        }
        Ok(())
    }

    fn hear(&mut self, (number, said): (usize, Said)) -> Result<(), Fault> {
        match said {
            Said::Second(beat) => {
                self.seconds.take(&beat);
                Ok(())
            }
            said => Err(Fault::Server(format!("generator {number} said {said:?}, which was not asked"))),
        }
    }

    /// Lets everybody come to rest: nobody waits for an answer, no letter is under way, and no notice comes any more.
    async fn rest(&mut self) -> Result<(), Fault> {
        self.quiet().await?;
        let journal = self.field.lock().await.journal();
        let notices: u64 = self.seconds.notices();
        let Some(place) = journal.filter(|_| notices <= SMALL || self.args.faults != Faults::None) else {
            return Ok(());
        };
        let mut delivered = pin!(verdict::delivered(place));
        loop {
            tokio::select! {
                done = &mut delivered => {
                    done?;
                    break;
                }
                said = self.generators.next() => {
                    let (number, said) = said?;
                    if let Said::Second(beat) = said {
                        self.seconds.take(&beat);
                    } else {
                        return Err(Fault::Server(format!("generator {number} said {said:?} at rest")));
                    }
                }
            }
        }
        // What was carried to the last player has yet to reach the phone.
        self.quiet().await
    }

    async fn quiet(&mut self) -> Result<(), Fault> {
        self.generators.order(Order::Rest).await?;
        let mut loud = self.generators.pids().len();
        while loud > 0 {
            match self.generators.next_within(PATIENCE).await? {
                (_, Said::Quiet { .. }) => loud -= 1,
                said => self.hear(said)?,
            }
        }
        Ok(())
    }

    /// Processors that each generator has used on average.
    fn used(&self) -> Result<Vec<f64>, Fault> {
        let wall = self.begun.elapsed().as_secs_f64();
        self.generators.pids().iter().map(|pid| Ok(machine::cpu(*pid)?.as_secs_f64() / wall)).collect()
    }

    /// The last look of everybody, and the last words.
    async fn settle(&mut self, used: &[f64]) -> Result<Whole, Fault> {
        self.generators.order(Order::Settle).await?;
        let mut whole = Whole::empty();
        let sockets = u64::from(self.args.teams() * self.args.members) / used.len().max(1) as u64;
        while whole.generators.len() < used.len() {
            match self.generators.next_within(PATIENCE).await? {
                (number, Said::Done(sum)) => whole.add(number, *sum, used[number], sockets),
                said => self.hear(said)?,
            }
        }
        Ok(whole)
    }
}
