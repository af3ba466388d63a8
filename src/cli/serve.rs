//! What `serve` may be told, and its configuration from all layers.

use super::{Exit, Output, Talk};
use crate::app::{self, QuestSource, Seat, StartError};
use crate::clock::Clock;
use crate::config::{self, Config, Membership, Overrides};
use crate::demo::node::Parent;
use crate::keys;
use crate::links::Tls;
use crate::net::auth::{Auth, AuthConfig, GAP_DEFAULT, RemoteConfig, Secret};
use crate::net::console::ConsoleConfig;
use crate::net::listener::EdgeConfig;
use crate::persist::Place;
use crate::persist::commons::RedisUrl;
use anyhow::Context as _;
use clap::Args;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The server, by its configuration.
///
/// Settings come from defaults, then waystone.toml, then variables such as WAYSTONE__HTTP__LISTEN, then these flags.
#[derive(Debug, Clone, Default, Args)]
pub struct ServeArgs {
    /// Configuration file; without it ./waystone.toml if there is one
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Check the configuration, print what is in effect and from where, and end
    #[arg(long)]
    pub check: bool,
    /// With --check: print JSON
    #[arg(long, requires = "check")]
    pub json: bool,
    /// http.listen: address and port
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// http.public_host: the name that players' devices know
    #[arg(long, value_name = "NAME")]
    pub public_host: Option<String>,
    /// http.behind_proxy: something in front of it speaks TLS
    #[arg(long)]
    pub behind_proxy: bool,
    /// tls.cert_file: the certificate, with its chain, as PEM; read again when it changes, and at SIGHUP
    #[arg(long, value_name = "FILE")]
    pub tls_cert_file: Option<String>,
    /// tls.key_file: the key of the certificate, as PEM
    #[arg(long, value_name = "FILE")]
    pub tls_key_file: Option<String>,
    /// tls.self_signed: makes a certificate into the data folder, for a workshop; prints its fingerprint
    #[arg(long)]
    pub tls_self_signed: bool,
    /// http.origins: a web page that may open sockets; may be repeated
    #[arg(long, value_name = "URL")]
    pub origin: Vec<String>,
    /// store.data: the data folder
    #[arg(long, value_name = "DIR")]
    pub data: Option<String>,
    /// store.postgres: the database that keeps the journal, as postgres://user@host/name, instead of the data folder;
    /// a password is safer in PGPASSFILE
    #[arg(long, value_name = "URL")]
    pub postgres: Option<String>,
    /// store.redis: a Redis for what the nodes of a cluster show of one another, as redis://host:6379; a password is safer
    /// in the variable
    #[arg(long, value_name = "URL")]
    pub redis: Option<String>,
    /// cluster.listen: address and port for other nodes; makes this one a member of the cluster of its database
    #[arg(long, value_name = "ADDRESS")]
    pub cluster_listen: Option<String>,
    /// cluster.advertise: host and port by which other nodes reach it
    #[arg(long, value_name = "PLACE")]
    pub cluster_advertise: Option<String>,
    /// cluster.name: the node's name, which it keeps when it starts again; the host's if left out
    #[arg(long, value_name = "NAME")]
    pub cluster_name: Option<String>,
    /// cluster.ca_file: the certificate of the cluster's authority, as PEM
    #[arg(long, value_name = "FILE")]
    pub cluster_ca_file: Option<String>,
    /// cluster.cert_file: the node's certificate, as PEM
    #[arg(long, value_name = "FILE")]
    pub cluster_cert_file: Option<String>,
    /// cluster.key_file: the key of the node's certificate, as PEM
    #[arg(long, value_name = "FILE")]
    pub cluster_key_file: Option<String>,
    /// auth.hs256_secret_file: the shared secret of HS256 tokens; may be repeated, as while one replaces another: the first
    /// signs
    #[arg(long, value_name = "FILE")]
    pub hs256_secret_file: Vec<String>,
    /// auth.public_key_file: public keys of EdDSA or ES256 tokens, as PEM or JSON Web Key Set; may be repeated
    #[arg(long, value_name = "FILE")]
    pub public_key_file: Vec<String>,
    /// auth.jwks_url: where an identity provider serves its key set
    #[arg(long, value_name = "URL")]
    pub jwks_url: Option<String>,
    /// auth.jwks_ca_file: the authority of that server's certificate, as PEM, instead of the system's
    #[arg(long, value_name = "FILE")]
    pub jwks_ca_file: Option<String>,
    /// auth.audience: what `aud` must be
    #[arg(long)]
    pub audience: Option<String>,
    /// auth.issuer: what `iss` must be
    #[arg(long)]
    pub issuer: Option<String>,
    /// quests.files: a quest to publish; may be repeated
    #[arg(long, value_name = "FILE")]
    pub quest: Vec<String>,
    /// fences.trial_rules: the version of plausibility rules to try beside those that decide
    #[arg(long, value_name = "VERSION")]
    pub trial_rules: Option<String>,
    /// limits.entities_max: players, teams and places in memory at most, some 5 KB each
    #[arg(long, value_name = "NUMBER")]
    pub entities_max: Option<String>,
    /// limits.memory_max: memory from which on nobody else is let in: auto, off, or a size such as 800MiB
    #[arg(long, value_name = "SIZE")]
    pub memory_max: Option<String>,
    /// log.filter: levels, such as info,waystone::net=debug
    #[arg(long, value_name = "LEVELS")]
    pub log: Option<String>,
    /// log.format: auto, pretty or json
    #[arg(long, value_name = "FORM")]
    pub log_format: Option<String>,
    /// A node of a demo, whose process speaks to it through standard input and output
    #[arg(long, hide = true)]
    pub under_demo: bool,
    /// drain.deadline: how long the end may take, such as 5s
    #[arg(long, value_name = "TIME")]
    pub drain_deadline: Option<String>,
}

impl ServeArgs {
    fn overrides(&self, talk: Talk) -> Overrides {
        let spoken = if talk.quiet { "--quiet" } else { "--verbose" };
        Overrides::default()
            .text("--listen", "http.listen", self.listen.as_deref())
            .text("--public-host", "http.public_host", self.public_host.as_deref())
            .switch("--behind-proxy", "http.behind_proxy", self.behind_proxy)
            .text("--tls-cert-file", "tls.cert_file", self.tls_cert_file.as_deref())
            .text("--tls-key-file", "tls.key_file", self.tls_key_file.as_deref())
            .switch("--tls-self-signed", "tls.self_signed", self.tls_self_signed)
            .list("--origin", "http.origins", &self.origin)
            .text("--data", "store.data", self.data.as_deref())
            .text("--postgres", "store.postgres", self.postgres.as_deref())
            .text("--redis", "store.redis", self.redis.as_deref())
            .text("--cluster-listen", "cluster.listen", self.cluster_listen.as_deref())
            .text("--cluster-advertise", "cluster.advertise", self.cluster_advertise.as_deref())
            .text("--cluster-name", "cluster.name", self.cluster_name.as_deref())
            .text("--cluster-ca-file", "cluster.ca_file", self.cluster_ca_file.as_deref())
            .text("--cluster-cert-file", "cluster.cert_file", self.cluster_cert_file.as_deref())
            .text("--cluster-key-file", "cluster.key_file", self.cluster_key_file.as_deref())
            .list("--hs256-secret-file", "auth.hs256_secret_file", &self.hs256_secret_file)
            .list("--public-key-file", "auth.public_key_file", &self.public_key_file)
            .text("--jwks-url", "auth.jwks_url", self.jwks_url.as_deref())
            .text("--jwks-ca-file", "auth.jwks_ca_file", self.jwks_ca_file.as_deref())
            .text("--audience", "auth.audience", self.audience.as_deref())
            .text("--issuer", "auth.issuer", self.issuer.as_deref())
            .list("--quest", "quests.files", &self.quest)
            .text("--trial-rules", "fences.trial_rules", self.trial_rules.as_deref())
            .text("--entities-max", "limits.entities_max", self.entities_max.as_deref())
            .text("--memory-max", "limits.memory_max", self.memory_max.as_deref())
            .text(spoken, "log.filter", talk.filter())
            .text("--log", "log.filter", self.log.as_deref())
            .text("--log-format", "log.format", self.log_format.as_deref())
            .text("--drain-deadline", "drain.deadline", self.drain_deadline.as_deref())
    }
}

/// What `serve` comes to.
#[derive(Debug)]
pub enum Prepared {
    /// Run with this.
    Run(Box<Config>),
    /// All is said: it was a check, or there are faults.
    End(Exit),
}

/// The configuration to run with; with `--check`, or with faults, prints and ends.
pub fn prepare(
    args: &ServeArgs,
    talk: Talk,
    env: &mut dyn Iterator<Item = (String, String)>,
    out: &mut Output,
) -> anyhow::Result<Prepared> {
    let here = Path::new(config::FILE);
    let file = args.config.as_deref().or_else(|| here.exists().then_some(here));
    match Config::load(file, env, &args.overrides(talk)) {
        Ok(config) if args.check && args.json => out.json(&config.settings()).map(|()| Prepared::End(Exit::Done)),
        Ok(config) if args.check => out.line(config.print().trim_end()).map(|()| Prepared::End(Exit::Done)),
        Ok(config) => Ok(Prepared::Run(Box::new(config))),
        Err(faults) if args.check && args.json => out.json(&faults).map(|()| Prepared::End(Exit::Faults)),
        Err(faults) => out.error(faults).map(|()| Prepared::End(Exit::Faults)),
    }
    .map_err(Into::into)
}

/// A member's place in its cluster.
fn seat(membership: Membership, redis: Option<&str>, clock: Clock) -> anyhow::Result<Seat> {
    let Membership { listen, advertise, name, ca_file, cert_file, key_file } = membership;
    let address = advertise.unwrap_or_else(|| listen.to_string());
    let redis = redis.map(RedisUrl::new).transpose()?;
    Ok(Seat { clock, name, address, listen, tls: Tls::load(&ca_file, &cert_file, &key_file)?, redis })
}

/// The edge as it is configured, but for the console.
fn edge(config: &Config, clock: &Clock) -> anyhow::Result<EdgeConfig> {
    let mut edge = EdgeConfig::new(config.http.listen);
    edge.hosts = config.http.public_host.iter().cloned().collect();
    edge.origins.clone_from(&config.http.origins);
    edge.connections_max = config.http.connections_max;
    edge.connections_per_ip_max = config.http.connections_per_address_max;
    edge.drain_deadline = config.drain.deadline;
    edge.allowance = config.limits.allowance;
    edge.memory_max = config.limits.memory_max.bytes();
    edge.ping = config.limits.ping;
    edge.tls = config.certificate(clock.now())?;
    Ok(edge)
}

/// Whose tokens are taken: the keys of all files, and those that are fetched.
fn auth(config: &config::Auth, clock: Clock) -> anyhow::Result<Auth> {
    let parties = AuthConfig { audience: config.audience.clone(), issuer: config.issuer.clone() };
    let auth = Auth::reading(config::key_files(config), parties, clock).map_err(anyhow::Error::from_boxed)?;
    let Some(url) = config.jwks_url.clone() else { return Ok(auth) };
    let (ca_file, refresh, keep) = (config.jwks_ca_file.clone(), config.jwks_refresh, config.jwks_keep);
    Ok(auth.fetching(RemoteConfig { url, ca_file, refresh, gap: GAP_DEFAULT, keep })?)
}

/// Serves until it is told to end.
pub async fn run(config: &Config, under_demo: bool, out: &mut Output) -> anyhow::Result<Exit> {
    let clock = Clock::steered();
    let auth = Arc::new(auth(&config.auth, clock.clone())?);
    let mut edge = edge(config, &clock)?;
    // Codes at scan steps belong to the data folder, so that they hold when the key of tokens changes.
    let codes = config::data_key(&config.store.data)?;
    let link = keys::link_key();
    let cookies = keys::cookie_secret(&codes);
    let (console, child) = if under_demo {
        let (console, child) = Parent::meet().await?.join(cookies);
        (console, Some(child))
    } else {
        let key = Secret::new(link.as_bytes());
        (ConsoleConfig { key, cookies, map: None, companion: None, stage: None }, None)
    };
    edge.console = Some(console);
    let tls = edge.tls.clone();
    let mut quests = Vec::with_capacity(config.quests.files.len());
    for path in &config.quests.files {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        quests.push(QuestSource { name: path.display().to_string(), text });
    }
    let place = Place::new(&config.store.data, config.store.postgres.as_deref());
    let started = match config.cluster.membership() {
        None => app::start(&place, &codes, &quests, auth, edge).await,
        Some(membership) => {
            let seat = seat(membership, config.store.redis.as_deref(), clock)?;
            app::start_member(&place, seat, &codes, &quests, auth, edge).await
        }
    };
    let app = match started {
        Ok(app) => app,
        Err(StartError::Quest(report)) => {
            out.line(report.render(out.terminal().color))?;
            return Ok(Exit::Faults);
        }
        Err(err) => return Err(err.into()),
    };
    if let Some(rules) = config.fences.trial_rules {
        app.world.try_rules(rules);
    }
    app.limit_entities(config.limits.entities_max);
    if let Some(child) = child {
        // However it ends, it need not be in order: the others take its shards over, and nothing is lost.
        child.serves(app.game.clone());
        child.orphaned().await;
        return Ok(Exit::Done);
    }
    let addr = app.addr();
    let s = if tls.is_some() { "s" } else { "" };
    let mut said = vec![
        ("Console", format!("http{s}://{addr}/console/open?key={link}   (opens once)")),
        ("WebSocket", format!("ws{s}://{addr}/connect")),
        ("Health", format!("http{s}://{addr}/readyz")),
        ("Data", config.store.data.display().to_string()),
    ];
    if let Some(tls) = tls {
        said.push(("Certificate", format!("SHA-256 {}", tls.fingerprint())));
    }
    out.list(&said)?;
    super::serve_until(app.lost(), out).await?.end(app.drain()).await
}
