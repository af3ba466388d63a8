//! The program: flags, terminal, logging, one runtime, one command.

use clap::{CommandFactory as _, Parser as _};
use std::io::{self, IsTerminal as _};
use std::process::ExitCode;
use waystone::cli::serve::Prepared;
use waystone::cli::{self, Cli, Command, Exit, Output};
use waystone::clock::Clock;
use waystone::config::{self, Terminal};
use waystone::faults;
use waystone::telemetry;

/// One that gives back what sleeping sessions leave (docs/adr/0016).
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The least number of workers: with one, a long decision would hold up every socket.
const WORKERS_MIN: usize = 2;

fn main() -> ExitCode {
    let cli = Cli::parse();
    // The one place where the environment is read; a variable that is not Unicode is none of ours.
    let env: Vec<(String, String)> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let terminals = (io::stdout().is_terminal(), io::stderr().is_terminal());
    let terminal = Terminal::detect(cli.color, &mut env.iter().cloned(), terminals);
    let mut out = Output::standard(terminal);
    let exit = run(cli, env, terminal, &mut out).unwrap_or_else(|error| {
        // Who reads our output has enough of it (`| head`): that is no fault, and there is nobody to tell.
        let left = error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe);
        if left || out.error(format_args!("{error:#}")).is_err() {
            return if left { Exit::Done } else { Exit::Failed };
        }
        Exit::Failed
    });
    exit.into()
}

fn run(cli: Cli, env: Vec<(String, String)>, terminal: Terminal, out: &mut Output) -> anyhow::Result<Exit> {
    if let Some((_, fault)) = env.iter().find(|(name, _)| name == faults::VARIABLE) {
        faults::arm(fault).map_err(anyhow::Error::msg)?;
    }
    let clock = Clock::system();
    let command = match cli.command {
        Some(command) => command,
        // Where a server is set up, nobody wants a demo by a slip of the finger.
        None if std::path::Path::new(config::FILE).exists() => {
            out.line(Cli::command().render_long_help())?;
            return Ok(Exit::Done);
        }
        None => Command::Demo(cli::demo::DemoArgs::default()),
    };
    let log = cli.talk.log();
    match command {
        Command::Serve(args) => match cli::serve::prepare(&args, cli.talk, &mut env.into_iter(), out)? {
            Prepared::End(exit) => Ok(exit),
            Prepared::Run(config) => {
                telemetry::install(&config.log, terminal)?;
                runtime()?.block_on(cli::serve::run(&config, args.under_demo, out))
            }
        },
        Command::Demo(args) => {
            telemetry::install(&log, terminal)?;
            runtime()?.block_on(cli::demo::run(&args, &log.filter, out))
        }
        Command::Replay(args) => {
            telemetry::install(&log, terminal)?;
            runtime()?.block_on(cli::replay::run(&args, &clock, out))
        }
        Command::Verify(args) => {
            telemetry::install(&log, terminal)?;
            runtime()?.block_on(cli::verify::run(&args, out))
        }
        Command::Why(args) => {
            telemetry::install(&log, terminal)?;
            runtime()?.block_on(cli::why::run(&args, out))
        }
        Command::Migrate(args) => {
            telemetry::install(&log, terminal)?;
            runtime()?.block_on(cli::migrate::run(&args, out))
        }
        Command::Loadtest(args) => cli::loadtest::run(&args),
        Command::Cluster(command) => cli::cluster::run(&command, &clock, out),
        Command::Device(command) => cli::device::run(&command, &clock, out),
        Command::Token(command) => cli::token::run(&command, &clock, out),
        Command::Quest(command) => cli::quest::run(&command, out),
        Command::Fence(command) => cli::fence::run(&command, out),
    }
}

fn runtime() -> io::Result<tokio::runtime::Runtime> {
    let cores = std::thread::available_parallelism().map_or(WORKERS_MIN, usize::from);
    tokio::runtime::Builder::new_multi_thread().worker_threads(cores.max(WORKERS_MIN)).enable_all().build()
}
