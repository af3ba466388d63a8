//! The one typed tree of settings: defaults, then `waystone.toml`, then the environment, then flags.
//!
//! Each layer says only what differs from the one below. What is wrong anywhere, in any layer, is found in one pass
//! and told together, with the place it was written and the remedy: a server that will not start should need one
//! correction, not one for each start.
//! Promises: no key is accepted that nobody reads; no secret is a value of this tree, only the file that holds it;
//! nothing else in the program reads the environment, and this room is handed it by `main`.

mod check;
mod cluster;
mod fault;
mod file;
mod key_file;
mod keys;
mod limits;
mod overrides;
mod terminal;
#[cfg(test)]
mod tests;
mod tls;
mod value;

pub use cluster::{Cluster, Membership};
pub use fault::{Fault, Faults, Source};
pub use key_file::{DATA_KEY, KeyFileError, data_key, key_files, read_public_keys, read_secret};
pub use limits::{Limits, MemoryMax};
pub use overrides::Overrides;
pub use terminal::{ColorChoice, Terminal};
pub use tls::Tls;

use crate::content::names::{did_you_mean, listed};
use crate::geo::plausibility::RuleSet;
use crate::net::auth::{REFRESH_DEFAULT, Url};
use keys::{KEYS, Key};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;
use value::Value;

/// The file that `serve` reads from the working directory when `--config` names no other.
pub const FILE: &str = "waystone.toml";

/// How a variable of ours begins. One underscore would not do: in Kubernetes a service named `waystone` gives its
/// neighbors variables such as `WAYSTONE_PORT`, which are not meant for us.
const PREFIX: &str = "WAYSTONE__";

/// The settings of a server.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Config {
    /// Where it listens, and to whom.
    pub http: Http,
    /// Which certificate it shows.
    pub tls: Tls,
    /// Where it keeps things.
    pub store: Store,
    /// Which cluster it belongs to.
    pub cluster: Cluster,
    /// Whose tokens it trusts.
    pub auth: Auth,
    /// What is played.
    pub quests: Quests,
    /// How positions are judged.
    pub fences: Fences,
    /// How much it holds, and takes from one player.
    pub limits: Limits,
    /// What it says of itself.
    pub log: Log,
    /// How it ends.
    pub drain: Drain,
    sources: BTreeMap<&'static str, Source>,
}

/// Where the server listens, and to whom.
#[derive(Debug, Clone, PartialEq)]
pub struct Http {
    /// Address and port; port 0 takes any free one.
    pub listen: SocketAddr,
    /// The name that players' devices know, if there is one: `play.example.org`.
    pub public_host: Option<String>,
    /// Whether something in front of us speaks TLS to the world.
    pub behind_proxy: bool,
    /// Web pages besides our own that may open sockets, such as `https://play.example.org`.
    pub origins: Vec<String>,
    /// Connections in all.
    pub connections_max: usize,
    /// Connections from one address; behind a proxy all come from one.
    pub connections_per_address_max: usize,
}

/// Where the server keeps things.
#[derive(Debug, Clone, PartialEq)]
pub struct Store {
    /// The data folder; made if missing.
    pub data: PathBuf,
    /// The URL of the database that keeps the journal, instead of the data folder. It may bear a password.
    pub postgres: Option<String>,
    /// The URL of a Redis for what the nodes of a cluster show of one another. It may bear a password.
    pub redis: Option<String>,
}

/// Whose tokens are trusted. All keys count at once, as while one replaces another.
#[derive(Debug, Clone, PartialEq)]
pub struct Auth {
    /// Files with a shared secret of HS256 tokens each; the first signs.
    pub hs256_secret_files: Vec<PathBuf>,
    /// Files with Ed25519 or P-256 public keys, for EdDSA or ES256 tokens, as PEM or as a JSON Web Key Set.
    pub public_key_files: Vec<PathBuf>,
    /// Where an identity provider serves its key set.
    pub jwks_url: Option<Url>,
    /// The authority of that server's certificate; the system's if not given.
    pub jwks_ca_file: Option<PathBuf>,
    /// Time between fetches of the key set.
    pub jwks_refresh: Duration,
    /// How long fetched keys are used while fetching fails.
    pub jwks_keep: Duration,
    /// What `aud` must be.
    pub audience: Option<String>,
    /// What `iss` must be.
    pub issuer: Option<String>,
}

/// What is played.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Quests {
    /// Quest files, published at start.
    pub files: Vec<PathBuf>,
}

/// How positions are judged.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Fences {
    /// Plausibility rules that run beside the deciding ones; only their differences are counted.
    pub trial_rules: Option<&'static RuleSet>,
}

/// What the server says of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Log {
    /// Levels for parts of the program, such as `info,waystone::net=debug`.
    pub filter: String,
    /// The form of a line.
    pub format: LogFormat,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people on a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

/// How the server ends.
#[derive(Debug, Clone, PartialEq)]
pub struct Drain {
    /// How long players under way have to be handed over before it ends all the same.
    pub deadline: Duration,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 7170)),
            public_host: None,
            behind_proxy: false,
            origins: Vec::new(),
            connections_max: 20_000,
            connections_per_address_max: 2_000,
        }
    }
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            hs256_secret_files: Vec::new(),
            public_key_files: Vec::new(),
            jwks_url: None,
            jwks_ca_file: None,
            jwks_refresh: REFRESH_DEFAULT,
            jwks_keep: Duration::from_secs(86_400),
            audience: None,
            issuer: None,
        }
    }
}

impl Default for Store {
    fn default() -> Self {
        Self { data: PathBuf::from("waystone-data"), postgres: None, redis: None }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { filter: "info,ractor=warn".to_owned(), format: LogFormat::Auto }
    }
}

impl Default for Drain {
    fn default() -> Self {
        Self { deadline: Duration::from_secs(5) }
    }
}

/// A setting in effect and where it comes from, for people and programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// Its dotted name.
    pub key: &'static str,
    /// Its value as text.
    pub value: String,
    /// Where it was written.
    pub source: String,
}

impl Config {
    /// Reads all layers and judges the result; `file` is read if given, and must then be there.
    pub fn load(
        file: Option<&Path>,
        env: &mut dyn Iterator<Item = (String, String)>,
        flags: &Overrides,
    ) -> Result<Self, Faults> {
        let mut loading = Loading::default();
        if let Some(path) = file {
            loading.file(path);
        }
        loading.environment(env);
        for given in flags.given() {
            loading.put(given.key, &given.value, Source::Flag(given.flag));
        }
        loading.finish()
    }

    /// Every setting with its source. Nothing needs masking: secrets are files, and only their names are known here.
    pub fn settings(&self) -> Vec<Setting> {
        KEYS.iter()
            .map(|key| Setting {
                key: key.name,
                value: (key.show)(self),
                source: self.source(key.name).map_or_else(|| "default".to_owned(), ToString::to_string),
            })
            .collect()
    }

    /// [`Self::settings`] as an aligned list.
    pub fn print(&self) -> String {
        let settings = self.settings();
        let width = |of: fn(&Setting) -> &str| settings.iter().map(|s| of(s).chars().count()).max().unwrap_or(0);
        let (keys, values) = (width(|s| s.key), width(|s| &s.value).min(40));
        let mut out = String::new();
        for Setting { key, value, source } in &settings {
            out.push_str(&format!("{key:keys$}  {value:values$}  {source}\n"));
        }
        out
    }

    fn source(&self, key: &str) -> Option<&Source> {
        self.sources.get(key)
    }
}

/// The tree while its layers are laid on.
#[derive(Default)]
struct Loading {
    config: Config,
    faults: Vec<Fault>,
    /// Keys with a fault of their own, about which nothing more is said.
    faulty: BTreeSet<&'static str>,
}

impl Loading {
    fn file(&mut self, path: &Path) {
        let (settings, faults) = file::read(path);
        self.faults.extend(faults);
        for file::Written { key, value, source } in settings {
            self.put(key, &value, source);
        }
    }

    fn environment(&mut self, env: &mut dyn Iterator<Item = (String, String)>) {
        let mut ours: Vec<_> = env.filter(|(name, _)| name.starts_with(PREFIX)).collect();
        ours.sort();
        for (name, text) in ours {
            let known = KEYS.iter().find(|key| variable(key.name) == name);
            match known {
                // Compose files pass `NAME: ${NAME:-}` for what is not set; an empty text is no setting of ours.
                Some(_) if text.trim().is_empty() => {}
                Some(key) => self.put(key.name, &Value::plain(text), Source::Variable(name)),
                None => {
                    let variables: Vec<String> = KEYS.iter().map(|key| variable(key.name)).collect();
                    let help =
                        secret_help(&name.to_lowercase().replacen(&PREFIX.to_lowercase(), "", 1).replace("__", "."))
                            .or_else(|| did_you_mean(&name, variables.iter().map(String::as_str)))
                            .unwrap_or_else(|| format!("known: {}", listed(variables.iter().map(String::as_str))));
                    self.faults.push(Fault::new(Source::Variable(name), "no setting has this name", help));
                }
            }
        }
    }

    fn put(&mut self, name: &str, value: &Value, source: Source) {
        let Some(Key { name, set, .. }) = KEYS.iter().find(|key| key.name == name) else { return };
        match set(&mut self.config, value) {
            Ok(()) => {
                self.config.sources.insert(name, source);
            }
            Err(problem) => {
                self.faulty.insert(name);
                self.faults.push(Fault::new(source, format!("{name}: {}", problem.message), problem.help));
            }
        }
    }

    fn finish(mut self) -> Result<Config, Faults> {
        self.faults.extend(check::relations(&self.config, &self.faulty));
        if self.faults.is_empty() { Ok(self.config) } else { Err(Faults::new(self.faults)) }
    }
}

/// The variable of a key: `http.listen` is `WAYSTONE__HTTP__LISTEN`.
fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.to_uppercase().replace('.', "__"))
}

/// For someone who writes a secret where its file belongs. The value itself is never repeated.
fn secret_help(key: &str) -> Option<String> {
    let file = format!("{key}_file");
    let known = KEYS.iter().find(|known| known.name == file)?;
    Some(format!("secrets are read from files only: set {} to a file that holds it", known.name))
}
