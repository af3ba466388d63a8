//! What parts of Waystone cost, beside a yardstick in the same run: one table a benchmark, and nothing averaged away.
//!
//! Reading order: `city` (what is measured on), `plain` (the yardstick), `fences` (the benchmark), `meter` (the clock).

#![expect(clippy::print_stdout, reason = "a table is what this program is for")]

mod city;
mod decisions;
mod edits;
mod fences;
mod framed;
mod links;
mod meter;
mod peers;
mod plain;
mod tokens;

use clap::{Parser, Subcommand};

/// Measures parts of Waystone on this machine.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The region index: which regions hold a fix, beside an R*-tree with geo's tests
    Fences(fences::Args),
    /// The whole decision on a fix: plausibility, memory and look-up
    Decisions(decisions::Args),
    /// Links between nodes beside length-delimited frames over the same TLS
    Links(links::Args),
    /// Tokens: read, checked and judged, beside ring's bare signature
    Tokens(tokens::Args),
    /// The region index beside Shapely, PostGIS and Redis
    Peers(peers::Args),
}

fn main() {
    match Args::parse().what {
        What::Fences(args) => fences::run(&args),
        What::Decisions(args) => decisions::run(&args),
        What::Links(args) => links::run(&args),
        What::Tokens(args) => tokens::run(&args),
        What::Peers(args) => {
            if let Err(error) = peers::run(&args) {
                println!("peers: {error}");
            }
        }
    }
}
