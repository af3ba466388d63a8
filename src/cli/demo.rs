//! What the demo may be told.

use clap::Args;
use std::path::PathBuf;

/// The port of the demo and of the default configuration.
const PORT: u16 = 7170;
const DATA: &str = "waystone-data";
const SEED: u64 = 7;
const WALKERS: u32 = 40;
const PACE: f64 = 1.0;

/// A server on this machine only, with a quest and walkers who play it.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct DemoArgs {
    /// Port on 127.0.0.1; 0 takes any free one
    #[arg(long, default_value_t = PORT)]
    pub port: u16,
    /// Data folder; delete it to start over
    #[arg(long, default_value = DATA, value_name = "DIR")]
    pub data: PathBuf,
    /// What chance starts from: the same seed, the same walkers
    #[arg(long, default_value_t = SEED)]
    pub seed: u64,
    /// How many walkers play
    #[arg(long, default_value_t = WALKERS, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(0..=5_000))]
    pub walkers: u32,
    /// How much faster than people walkers walk; past 3 the quest's speed limit begins to hold them for cheats
    #[arg(long, default_value_t = PACE, value_name = "FACTOR", value_parser = pace)]
    pub pace: f64,
    /// Another quest than the demo's
    #[arg(long, value_name = "FILE")]
    pub quest: Option<PathBuf>,
    /// Open the console in the browser, even if nobody seems to watch
    #[arg(long, conflicts_with = "no_open")]
    pub open: bool,
    /// Do not open a browser
    #[arg(long)]
    pub no_open: bool,
}

impl Default for DemoArgs {
    fn default() -> Self {
        Self {
            port: PORT,
            data: PathBuf::from(DATA),
            seed: SEED,
            walkers: WALKERS,
            pace: PACE,
            quest: None,
            open: false,
            no_open: false,
        }
    }
}

fn pace(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(pace) if (0.1..=20.0).contains(&pace) => Ok(pace),
        _ => Err("write a factor from 0.1 to 20".to_owned()),
    }
}
