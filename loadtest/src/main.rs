//! Load on a real server over real sockets: what sessions, fixes and awards cost, and whether all came out right.
//!
//! Reading order: `wire` and `phone` (one client), `drive` (a client at work), `crew` (many), `target` and `server`
//! (what is loaded), `machine` and `tally` (what is measured), then the scenarios and the `report`. `journal` stands
//! alone: it drives no server but the journal itself. `record` is what a long run leaves behind, `compare` and `page` show
//! it; `live` shows it as it goes.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a report is what this program is for")]

mod awards;
mod city;
mod cluster;
mod compare;
mod crew;
mod dialect;
mod drive;
mod edge;
mod fault;
mod fixes;
mod idle;
mod journal;
mod live;
mod machine;
mod page;
mod peers;
mod phone;
mod quest;
mod record;
mod replay;
mod report;
mod server;
mod show;
mod signer;
mod stroll;
mod tally;
mod target;
mod wire;
mod words;

use clap::{Parser, Subcommand};
use fault::Fault;
use machine::Machine;
use report::Report;
use std::process::ExitCode;

/// As the program has it, since the server that is measured is this one.
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Measures a Waystone server on this machine over real sockets.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// Print the report as JSON
    #[arg(long, global = true)]
    json: bool,
    /// What chance begins with
    #[arg(long, global = true, default_value_t = 1)]
    seed: u64,
    #[command(subcommand)]
    scenario: Scenario,
}

#[derive(Debug, Subcommand)]
enum Scenario {
    /// A city of walkers, faults while it runs, and a verdict
    City(Box<city::CityArgs>),
    /// Sessions that only answer pings: connects a second, memory for each
    Idle(idle::IdleArgs),
    /// What a socket costs: before it says who it is, with its session, and when the session's actors have been let go
    Edge(edge::EdgeArgs),
    /// Fixes at a given rate, open loop: processor time and latency
    Fixes(fixes::FixesArgs),
    /// As many fixes as the server takes, closed loop
    Max(fixes::MaxArgs),
    /// Steps completed: from the fix to the notice on each team-mate's phone
    Awards(awards::AwardsArgs),
    /// The journal by itself, beside yardsticks: durable events a second, their cost, and how fast all is read back
    Journal(journal::JournalArgs),
    /// Three nodes and a Postgres: what they do at rest, between one another, when one is drained, when one is killed
    Cluster(cluster::ClusterArgs),
    /// The edge beside npm's ws and Socket.IO on the same work, as ratios; needs Node, and a network at the first use
    Peers(peers::PeersArgs),
    /// Print the quest that `awards` plays, to publish it on a server of your own
    Quest {
        /// How many places; as many as a team completes steps
        #[arg(long, default_value_t = quest::PLACES_MAX)]
        places: u32,
    },
    #[command(flatten)]
    Show(show::Show),
    /// Serve, as the server that is measured
    #[command(hide = true)]
    Server(server::ServeArgs),
    /// Serve, as a member of the cluster that is measured
    #[command(hide = true)]
    Member(server::MemberArgs),
    /// Make load, as a conductor says
    #[command(hide = true)]
    Generator,
}

fn main() -> ExitCode {
    let args = Args::parse();
    // A generator has one thread: what it costs is seen, and it wakes nobody on another core.
    let runtime = match args.scenario {
        Scenario::Generator => tokio::runtime::Builder::new_current_thread().enable_all().build(),
        _ => tokio::runtime::Builder::new_multi_thread().enable_all().build(),
    };
    match runtime {
        Ok(runtime) => runtime.block_on(run(&args)),
        Err(err) => failed(&err),
    }
}

async fn run(args: &Args) -> ExitCode {
    match &args.scenario {
        Scenario::Server(args) => served(server::serve(args).await),
        Scenario::Member(args) => served(server::serve_member(args).await),
        Scenario::Generator => city::generator::run().await.map_or_else(|err| failed(&err), |()| ExitCode::SUCCESS),
        Scenario::City(city) => told(Machine::look(), city, args).await,
        Scenario::Quest { places } => {
            print!("{}", quest::of_places(*places));
            ExitCode::SUCCESS
        }
        Scenario::Show(show) => match show::run(show).await {
            Ok(is_whole) => ExitCode::from(u8::from(!is_whole)),
            Err(err) => failed(&*err),
        },
        scenario => match measure(scenario, args.seed).await {
            Ok(report) => {
                print!("{}", if args.json { report.json() + "\n" } else { report.table() });
                if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
            }
            Err(fault) => failed(&fault),
        },
    }
}

fn served(served: Result<(), server::ServeError>) -> ExitCode {
    served.map_or_else(|err| failed(&err), |()| ExitCode::SUCCESS)
}

/// Runs the city, and says what came of it.
async fn told(machine: Result<Machine, Fault>, city: &city::CityArgs, args: &Args) -> ExitCode {
    let mut city = city.clone();
    city.quiet = args.json;
    let ran = match machine {
        Ok(machine) => city::run(&city, &machine, args.seed).await,
        Err(fault) => Err(fault),
    };
    match ran {
        Ok((record, page)) => {
            let people = || format!("{}\n{}\n", city::table(&record), page.display());
            print!("{}", if args.json { city::json(&record) } else { people() });
            if record.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(fault) => failed(&fault),
    }
}

async fn measure(scenario: &Scenario, seed: u64) -> Result<Report, Fault> {
    let machine = Machine::look()?;
    match scenario {
        Scenario::Idle(args) => idle::run(args, &machine, seed).await,
        Scenario::Edge(args) => edge::run(args, &machine, seed).await,
        Scenario::Fixes(args) => fixes::run(args, &machine, seed).await,
        Scenario::Max(args) => fixes::run_max(args, &machine, seed).await,
        Scenario::Awards(args) => awards::run(args, &machine, seed).await,
        Scenario::Journal(args) => journal::run(args, &machine, seed).await,
        Scenario::Cluster(args) => cluster::run(args, &machine, seed).await,
        Scenario::Peers(args) => peers::run(args, &machine, seed).await,
        Scenario::Quest { .. }
        | Scenario::Show(_)
        | Scenario::City(_)
        | Scenario::Server(_)
        | Scenario::Member(_)
        | Scenario::Generator => Err(Fault::Settings("nothing to measure".to_owned())),
    }
}

fn failed(err: &dyn std::error::Error) -> ExitCode {
    eprintln!("error: {err}");
    ExitCode::FAILURE
}
