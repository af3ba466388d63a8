//! `city`: a city of walkers on a real server, with faults while it runs, and a verdict at the end.
//!
//! A conductor starts the server, one or more generators (processes in which the players live) and a schedule of faults;
//! it gathers what they count second by second, lets everybody come to rest, and has the checker hold what all clients
//! wrote down against the journal. Load is an open loop: everything has a time at which it is due, whatever the server
//! does, and latencies begin there.
//!
//! Reading order: `curve`, `town`, `traveller` (who is where), `mind` and `life` (one player), `generator` and `counts`,
//! `pipe` and `merge` (the two sides of a generator), `field` and `chaos` (the server and what is done to it), `conduct`
//! (a run), `verdict` and `budget`, `outcome` (the record), `stages` (a long run in stages).

mod budget;
mod chaos;
mod conduct;
mod counts;
mod curve;
mod field;
pub mod generator;
mod ground;
mod life;
mod link;
mod merge;
mod mind;
mod outcome;
mod pipe;
mod poison;
mod sampler;
mod stages;
mod table;
mod town;
mod traveller;
mod verdict;
mod words;

pub use table::{json, table};

use crate::fault::Fault;
use crate::live::Mode;
use crate::machine::Machine;
use crate::page;
use crate::record::{FILE_NAME, Record};
use chaos::Faults;
use curve::Curve;
use std::path::PathBuf;

/// What can be chosen.
#[derive(Debug, Clone, clap::Args)]
pub struct CityArgs {
    /// Players
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(4..=200_000))]
    players: u32,
    /// Fixes a second, of each player
    #[arg(long, default_value_t = 1.0)]
    rate: f64,
    /// How long the run is, in minutes, the warm-up included
    #[arg(long, default_value_t = 1.0)]
    minutes: f64,
    /// How the city fills
    #[arg(long, value_enum, default_value_t = Curve::Steady)]
    curve: Curve,
    /// How long nothing is measured, in seconds; if not given, as long as it takes to let everybody in
    #[arg(long)]
    warmup: Option<f64>,
    /// Questions a second that are answered beside what walkers win at places, of all together
    #[arg(long, default_value_t = 5.0)]
    award_rate: f64,
    /// Players in a team
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=60))]
    members: u32,
    /// Processes that make the load
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=16))]
    generators: u32,
    /// Places in the town
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u32).range(2..=60))]
    places: u32,
    /// Streets of another town: GeoJSON from OpenStreetMap, also packed by gzip
    #[arg(long)]
    streets: Option<PathBuf>,
    /// Recorded tracks (GPX or CSV), which some players replay
    #[arg(long)]
    tracks: Vec<PathBuf>,
    /// What is done to the server meanwhile
    #[arg(long, value_enum, default_value_t = Faults::None)]
    faults: Faults,
    /// Nodes of the server: one on a file, more on a Postgres with a Redis
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=5))]
    nodes: u32,
    /// A running server instead of one of our own, on a loopback address; it must offer the quests of --print-quests
    #[arg(long, requires = "token_secret_file", conflicts_with = "nodes")]
    url: Option<String>,
    /// The HS256 secret of that server: 64 hexadecimal digits, such as auth.key in its data folder
    #[arg(long)]
    token_secret_file: Option<PathBuf>,
    /// The process of that server, to see its processor time and memory
    #[arg(long)]
    server_pid: Option<u32>,
    /// Write the quests that are played into a folder, to publish them on a server of your own, and end
    #[arg(long)]
    print_quests: Option<PathBuf>,
    /// What the run may cost: default, faults, aim, verdict (only what must be so on any machine), or a file
    #[arg(long)]
    budget: Option<String>,
    /// The run's folder: its record, histories and logs
    #[arg(long, conflicts_with = "resume")]
    out: Option<PathBuf>,
    /// A line every five seconds instead of a view that is drawn in place
    #[arg(long)]
    plain: bool,
    /// Not shown at all: standard output is for programs
    #[arg(skip)]
    pub quiet: bool,
    /// Keep histories, quests and the data of our own server also when all is well
    #[arg(long)]
    keep: bool,
    /// Run in stages of --minutes, each on a server of its own, until so many awards are acknowledged and verified
    #[arg(long)]
    awards: Option<u64>,
    /// Go on with a run in stages that was ended; what is verified there counts
    #[arg(long, requires = "awards")]
    resume: Option<PathBuf>,
}

impl CityArgs {
    fn mode(&self) -> Mode {
        if self.quiet { Mode::Off } else { Mode::choose(self.plain) }
    }

    fn teams(&self) -> u32 {
        self.players / self.members
    }

    fn warmup(&self) -> f64 {
        let gentle = (f64::from(self.players) / 400.0).max(2.0) + 3.0;
        self.warmup.unwrap_or(if self.curve == Curve::Steady { gentle } else { 0.0 })
    }

    fn seconds(&self) -> f64 {
        self.minutes * 60.0
    }

    fn check(&self, machine: &Machine) -> Result<(), Fault> {
        let wrong = |why: &str| Err(Fault::Settings(why.to_owned()));
        // A node of our own has as many, and may have all of them while the others are away.
        if u64::from(self.players) + 256 > machine.descriptors {
            return Err(Fault::Descriptors { wanted: self.players, limit: machine.descriptors });
        }
        if !(0.05..=18.0).contains(&self.rate) {
            return wrong("--rate: a server takes 20 fixes a second of each phone; give 0.05 to 18");
        }
        if self.members > self.players || self.teams() < self.generators {
            return wrong("--players: each generator needs a team at least");
        }
        if self.seconds() < self.warmup() + 5.0 || self.minutes > 24.0 * 60.0 {
            return wrong("--minutes: give the warm-up and five seconds at least, a day at most");
        }
        if self.award_rate < 0.0 || self.award_rate > f64::from(self.players) * 5.0 {
            return wrong("--award-rate: a player answers five questions a second at most");
        }
        Ok(())
    }

    /// The budget: with faults another one, unless one is named.
    fn budget(&self) -> &str {
        let usual = if self.faults == Faults::None { "default" } else { "faults" };
        self.budget.as_deref().unwrap_or(usual)
    }
}

/// Runs it, and writes the record and the page about it into the run's folder; gives the page's place too.
pub async fn run(args: &CityArgs, machine: &Machine, seed: u64) -> Result<(Record, PathBuf), Fault> {
    args.check(machine)?;
    if let Some(folder) = &args.print_quests {
        let town = town::Town::build(args.streets.as_deref(), args.places as usize, seed)?;
        std::fs::create_dir_all(folder).map_err(|source| Fault::Io { path: folder.clone(), source })?;
        for (name, text) in [town::WALK, town::QUIZ].iter().zip(town.quests()) {
            let path = folder.join(format!("{name}.yaml"));
            std::fs::write(&path, text).map_err(|source| Fault::Io { path, source })?;
        }
        return Err(Fault::Settings(format!("the quests are in {}; nothing was measured", folder.display())));
    }
    let budget = budget::Budget::read(args.budget())?;
    let folder = args.out.clone().or_else(|| args.resume.clone()).unwrap_or_else(|| {
        let since = waystone::clock::Clock::system().now().as_millis() / 1_000;
        PathBuf::from(format!("city-{since}-{seed}"))
    });
    std::fs::create_dir_all(&folder).map_err(|source| Fault::Io { path: folder.clone(), source })?;
    if folder.join(FILE_NAME).exists() && args.resume.is_none() {
        let why = format!("{} has a run already: name another folder, or go on with --resume", folder.display());
        return Err(Fault::Settings(why));
    }
    let record = match args.awards {
        Some(wanted) => stages::run(args, &budget, machine, seed, &folder, wanted).await?,
        None => conduct::run(args, &budget, machine, seed, &folder).await?,
    };
    let page = page::publish(&folder, None, None).map_err(|err| Fault::Store(err.to_string()))?;
    Ok((record, page))
}
