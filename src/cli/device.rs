//! `device add`: sets a phone's own tracking app up for a player, by a link or a picture.

use super::token::SignArgs;
use super::{Exit, Output};
use crate::clock::Clock;
use crate::ids::PlayerId;
use crate::net::auth::Role;
use crate::net::phones::setup::{self, PhoneApp};
use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use std::time::Duration;

/// Phones with a tracking app of their own.
#[derive(Debug, Subcommand)]
pub enum DeviceCommand {
    /// Set an app up to post a player's fixes
    Add(AddArgs),
}

/// Sets an app up to post a player's fixes.
///
/// Prints a link that the app opens on the phone. It bears a token that can post fixes and nothing else: treat it as a
/// password all the same, since whoever has it can be where they like.
#[derive(Debug, Args)]
pub struct AddArgs {
    /// The player's id
    #[arg(long, value_name = "ID")]
    pub player: PlayerId,
    /// Which app
    #[arg(long, value_enum, default_value_t)]
    pub app: AppArg,
    /// This server's address as the phone knows it, such as `https://play.example`
    #[arg(long, value_name = "URL", value_parser = server)]
    pub server: String,
    /// Show a picture for the phone's camera too
    #[arg(long)]
    pub qr: bool,
    /// How long it is good, such as 24h or 30d
    #[arg(long, default_value = "30d", value_name = "TIME", value_parser = super::token::ttl)]
    pub ttl: Duration,
    /// What signs it.
    #[command(flatten)]
    pub signing: SignArgs,
    /// Print JSON
    #[arg(long, conflicts_with = "qr")]
    pub json: bool,
}

/// An app that posts fixes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum AppArg {
    /// Traccar Client, Android and iOS
    #[default]
    Traccar,
    /// OwnTracks, Android and iOS
    Owntracks,
    /// Overland, iOS
    Overland,
}

#[derive(Serialize)]
struct Added {
    link: String,
    player: PlayerId,
    /// Seconds since 1970.
    expires: i64,
    /// The `jti` of its token, by which a lost phone is shut out.
    token: Option<String>,
}

/// Does what `device` was told.
pub fn run(command: &DeviceCommand, clock: &Clock, out: &mut Output) -> anyhow::Result<Exit> {
    let DeviceCommand::Add(args) = command;
    let nothing = "there is nothing to sign with: name the server's data folder or secret";
    let signing = &args.signing;
    let (token, claims) = signing.sign(&args.player, Role::Device, (clock.now(), args.ttl), (None, None), nothing)?;
    let app = match args.app {
        AppArg::Traccar => PhoneApp::Traccar,
        AppArg::Owntracks => PhoneApp::OwnTracks,
        AppArg::Overland => PhoneApp::Overland,
    };
    let link = setup::link(app, &args.server, &args.player, &token);
    if args.json {
        out.json(&Added { link, player: args.player.clone(), expires: claims.exp, token: claims.jti })?;
        return Ok(Exit::Done);
    }
    if args.qr {
        out.line(setup::text(&link).context("the link is too long for a picture")?)?;
    }
    out.line(&link)?;
    if args.server.starts_with("http://") {
        out.remark("Over http:// anyone on the way can read where the player is: for trying out at home only.")?;
    }
    Ok(Exit::Done)
}

fn server(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    match rest.map(|rest| rest.trim_end_matches('/')) {
        Some(host) if !host.is_empty() && !host.contains(['?', '#', ' ', '@']) => Ok(text.to_owned()),
        _ => Err("write it as the phone's browser would, such as https://play.example".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::values::Span;

    #[test]
    fn a_server_is_an_address() {
        for (text, good) in [
            ("https://play.example", true),
            ("http://192.168.1.5:7170/", true),
            ("play.example", false),
            ("https://", false),
            ("https://play.example/?x", false),
            ("ftp://play.example", false),
        ] {
            assert_eq!(server(text).is_ok(), good, "{text}");
        }
        assert_eq!(Span::parse("30d").map(|span| span.0), Some(Duration::from_secs(30 * 86_400)), "the default");
    }
}
