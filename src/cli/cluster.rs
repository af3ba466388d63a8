//! `cluster`: what a cluster needs before its nodes can start.

use super::{Exit, Output};
use crate::clock::Clock;
use crate::links::certificates::{self, AUTHORITY_DAYS, CertificateFile, NODE_DAYS};
use clap::{Args, Subcommand};
use serde::Serialize;
use std::path::PathBuf;

/// Clusters.
#[derive(Debug, Subcommand)]
pub enum ClusterCommand {
    /// Make an authority and a certificate for each node
    Certificates(CertificatesArgs),
}

/// Certificates by which the nodes of a cluster know each other.
///
/// Makes ca.pem and ca.key if they are missing, and NAME.pem and NAME.key for each name. Nothing that is there is
/// replaced, so the same command with one more name adds a node.
#[derive(Debug, Args)]
pub struct CertificatesArgs {
    /// The folder to make them in
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Make new ones for nodes that have some; the authority stays
    #[arg(long)]
    pub force: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// A node's name
    #[arg(value_name = "NAME", required = true)]
    pub names: Vec<String>,
}

#[derive(Serialize)]
struct Listed<'a> {
    path: &'a std::path::Path,
    made: bool,
}

/// Does what `cluster` was told.
pub fn run(command: &ClusterCommand, clock: &Clock, out: &mut Output) -> anyhow::Result<Exit> {
    let ClusterCommand::Certificates(args) = command;
    let files = certificates::make(&args.out, &args.names, args.force, clock.now())?;
    if args.json {
        let listed: Vec<_> =
            files.iter().map(|CertificateFile { path, made }| Listed { path, made: *made }).collect();
        out.json(&listed)?;
        return Ok(Exit::Done);
    }
    for CertificateFile { path, made } in &files {
        out.line(format_args!("{}  {}", if *made { "made" } else { "kept" }, path.display()))?;
    }
    let example = args.names.first().map_or("NAME", String::as_str);
    out.remark(format_args!(
        "\nTo each node copy ca.pem and its own NAME.pem and NAME.key, and set there, for {example}:\n\
         \n  [cluster]\n  ca_file = \"ca.pem\"\n  cert_file = \"{example}.pem\"\n  key_file = \"{example}.key\"\n\
         \nKeep ca.key away from the nodes, where only you can read it: whoever has it can make nodes of this cluster.\n\
         Certificates of nodes are good for {NODE_DAYS} days, the authority for {years} years. To renew a node's, run \
         this\nagain with --force and its name, copy the two files, and start the node again.",
        years = AUTHORITY_DAYS / 365,
    ))?;
    Ok(Exit::Done)
}
