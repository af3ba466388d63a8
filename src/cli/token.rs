//! `token mint`: a player's token, signed with the key of a data folder or with a secret of one's own.

use super::{Exit, Output};
use crate::clock::Clock;
use crate::config::{DATA_KEY, read_secret};
use crate::content::values::Span;
use crate::ids::PlayerId;
use crate::net::auth::{Claims, Role, mint};
use crate::units::Timestamp;
use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use std::path::PathBuf;
use std::time::Duration;

/// Tokens.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token, for trying things out and for scripts
    Mint(MintArgs),
}

/// Whose token, and what it may do.
#[derive(Debug, Args)]
pub struct MintArgs {
    /// The player's id
    #[arg(long, value_name = "ID")]
    pub player: PlayerId,
    /// A name for people
    #[arg(long)]
    pub name: Option<String>,
    /// The player's language, such as fi
    #[arg(long, value_name = "TAG")]
    pub lang: Option<String>,
    /// What it may do
    #[arg(long, value_enum, default_value_t)]
    pub role: RoleArg,
    /// How long it is good, such as 30m, 24h or 7d
    #[arg(long, default_value = "24h", value_name = "TIME", value_parser = ttl)]
    pub ttl: Duration,
    /// What signs it.
    #[command(flatten)]
    pub signing: SignArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// What signs a token, and for whom.
#[derive(Debug, Args)]
pub struct SignArgs {
    /// The data folder whose key signs
    #[arg(long, default_value = "waystone-data", value_name = "DIR")]
    pub data: PathBuf,
    /// A file with the secret that signs, instead
    #[arg(long, value_name = "FILE", conflicts_with = "data")]
    pub secret_file: Option<PathBuf>,
    /// The server's auth.audience, if it has one
    #[arg(long)]
    pub audience: Option<String>,
    /// The server's auth.issuer, if it has one
    #[arg(long)]
    pub issuer: Option<String>,
}

impl SignArgs {
    /// A token of a player; `nothing` says what to do when there is nothing to sign with.
    pub(super) fn sign(
        &self,
        player: &PlayerId,
        role: Role,
        (now, ttl): (Timestamp, Duration),
        (name, lang): (Option<String>, Option<String>),
        nothing: &'static str,
    ) -> anyhow::Result<(String, Claims)> {
        let path = self.secret_file.clone().unwrap_or_else(|| self.data.join(DATA_KEY));
        let secret = read_secret(&path).context(nothing)?;
        let claims = Claims {
            name,
            lang,
            aud: self.audience.clone(),
            iss: self.issuer.clone(),
            ..Claims::new(player.clone(), role, now, ttl)
        };
        Ok((mint(&secret, &claims)?, claims))
    }
}

/// What a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum RoleArg {
    /// Plays
    #[default]
    Player,
    /// Sees the console, judges photos, revokes tokens
    Operator,
    /// Sees quests whole, with their codes
    Designer,
    /// Sees the console, changes nothing
    Viewer,
    /// Posts a player's fixes, and nothing else
    Device,
}

#[derive(Serialize)]
struct Minted {
    token: String,
    player: PlayerId,
    role: Role,
    /// Seconds since 1970.
    expires: i64,
    /// By which it can be revoked.
    id: Option<String>,
}

/// Does what `token` was told.
pub fn run(command: &TokenCommand, clock: &Clock, out: &mut Output) -> anyhow::Result<Exit> {
    let TokenCommand::Mint(args) = command;
    let nothing = match args.signing.secret_file {
        Some(_) => "there is nothing to sign with",
        None => {
            "there is nothing to sign with: run `waystone demo` once, which makes the key, or name a --secret-file"
        }
    };
    let role = match args.role {
        RoleArg::Player => Role::Player,
        RoleArg::Operator => Role::Operator,
        RoleArg::Designer => Role::Designer,
        RoleArg::Viewer => Role::Viewer,
        RoleArg::Device => Role::Device,
    };
    let told = (args.name.clone(), args.lang.clone());
    let (token, claims) = args.signing.sign(&args.player, role, (clock.now(), args.ttl), told, nothing)?;
    if args.json {
        out.json(&Minted { token, player: args.player.clone(), role, expires: claims.exp, id: claims.jti })?;
    } else {
        out.line(token)?;
    }
    Ok(Exit::Done)
}

pub(super) fn ttl(text: &str) -> Result<Duration, String> {
    let longest = Duration::from_secs(366 * 86_400);
    match Span::parse(text) {
        Some(Span(span)) if !span.is_zero() && span <= longest => Ok(span),
        _ => Err("write a time with its unit, such as 30m, 24h or 7d; at most a year".to_owned()),
    }
}
