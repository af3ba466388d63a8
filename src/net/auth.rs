//! Who someone is: JSON Web Tokens, checked against keys that each know their one algorithm.
//!
//! Keys come from files (`files`), which are read again when they change, and from a key set that an identity provider
//! serves (`remote`); several are in use at once, so that one can replace another while people play. What a token says is judged by pure functions (`token`, `jwks`).
//! Promise: tokens, keys and secrets appear in no error, log or `Debug`; times are compared with the injected clock.

use crate::actors::access::Credential;
use crate::clock::Clock;
use crate::ids::{PlayerId, TokenId};
use crate::units::Timestamp;
use arc_swap::ArcSwap;
use files::Watched;
use remote::Remote;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

mod fetch;
mod files;
pub mod jwks;
mod key;
mod remote;
mod token;

pub use fetch::{FetchError, SetupError, Url, UrlError};
pub use files::{KeyFiles, Unreadable};
pub use key::{Key, KeyError, KeyId, SECRET_BYTES_MIN};
pub use remote::{GAP_DEFAULT, REFRESH_DEFAULT, RemoteConfig};
pub(super) use token::language;
pub use token::{Claims, Keys, LIFE_MAX, TokenError, mint, verify};

/// A text or bytes that nobody may see.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Takes the bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes; for signing and comparing only.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Whether `given` is the secret, in a time that depends on the lengths only.
    pub fn matches(&self, given: &[u8]) -> bool {
        let differing = self.0.iter().zip(given).fold(0, |acc, (a, b)| acc | (a ^ b));
        std::hint::black_box(differing) == 0 && self.0.len() == given.len()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What someone may do; which calls that is, says `rules`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Plays.
    #[default]
    Player,
    /// Sees the console, judges photos, revokes tokens; and plays.
    Operator,
    /// Sees quests whole, with their codes, and nobody's data.
    Designer,
    /// Sees the console, and changes nothing.
    Viewer,
    /// Posts a player's fixes, and nothing else: for apps that keep their token for months.
    Device,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Player, Self::Operator, Self::Designer, Self::Viewer, Self::Device];

    /// Its name, as tokens have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Player => "player",
            Self::Operator => "operator",
            Self::Designer => "designer",
            Self::Viewer => "viewer",
            Self::Device => "device",
        }
    }

    /// Whether it may open a session.
    pub const fn plays(self) -> bool {
        matches!(self, Self::Player | Self::Operator)
    }
}

/// A verified token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// `sub`.
    pub player: PlayerId,
    /// `name`.
    pub name: Option<String>,
    /// `lang`.
    pub lang: Option<String>,
    /// `role`.
    pub role: Role,
    /// `exp`.
    pub expires: Timestamp,
    /// `iat`.
    pub issued: Option<Timestamp>,
    /// `jti`.
    pub id: Option<TokenId>,
}

impl Identity {
    /// What it can be revoked by.
    pub fn credential(&self) -> Credential {
        Credential { issued: self.issued, token: self.id.clone() }
    }
}

/// What to ask of tokens beside a signature.
#[derive(Debug, Clone, Default)]
pub struct AuthConfig {
    /// If set, `aud` must be or contain it.
    pub audience: Option<String>,
    /// If set, `iss` must be it.
    pub issuer: Option<String>,
}

/// Verifies tokens; shared by sockets and HTTP.
#[derive(Debug)]
pub struct Auth {
    /// All that are in use.
    keys: ArcSwap<Keys>,
    sources: Mutex<Sources>,
    watched: Option<Watched>,
    remote: Option<Remote>,
    config: AuthConfig,
    clock: Clock,
    failures: [AtomicU64; TokenError::ALL.len()],
}

/// Where the keys in use come from.
#[derive(Debug, Default)]
struct Sources {
    files: Vec<Key>,
    fetched: Vec<Key>,
}

impl Auth {
    /// With these keys; more than one while they rotate. The first that can signs.
    pub fn new(files: Vec<Key>, config: AuthConfig, clock: Clock) -> Self {
        let keys = ArcSwap::from_pointee(Keys { keys: files.clone(), growing: false });
        let sources = Mutex::new(Sources { files, fetched: Vec::new() });
        Self { keys, sources, watched: None, remote: None, config, clock, failures: Default::default() }
    }

    /// With the keys of files, which are read again when they change, for as long as `watch` runs.
    pub fn reading(files: KeyFiles, config: AuthConfig, clock: Clock) -> Result<Self, Unreadable> {
        let keys = files.read()?;
        Ok(Self { watched: Some(Watched::new(files)), ..Self::new(keys, config, clock) })
    }

    /// With a key set beside them, which is fetched from now on for as long as `keep_fresh` runs.
    pub fn fetching(self, config: RemoteConfig) -> Result<Self, SetupError> {
        let auth = Self { remote: Some(Remote::new(config)?), ..self };
        auth.install(|_| ());
        Ok(auth)
    }

    /// The identity that a token proves by the keys that are here.
    pub fn verify(&self, token: &str) -> Result<Identity, TokenError> {
        verify(token, &self.keys.load(), &self.config, self.clock.now())
    }

    /// The same; for a key that is not known here yet, the key set is fetched anew.
    pub async fn identify(&self, token: &str) -> Result<Identity, TokenError> {
        let found = self.verify(token);
        let (Err(TokenError::UnknownKey), Some(remote)) = (&found, &self.remote) else { return found };
        let fresh = remote.ask().await;
        match self.verify(token) {
            // Nobody knows yet whether the set has it.
            Err(TokenError::UnknownKey) if !fresh => Err(TokenError::KeysUnavailable),
            found => found,
        }
    }

    /// Counts a token that was not taken.
    pub(super) fn count(&self, fault: TokenError) {
        if let Some(place) = TokenError::ALL.iter().position(|known| *known == fault) {
            self.failures[place].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many tokens were not taken, by reason.
    pub fn failures(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        TokenError::ALL.iter().zip(&self.failures).map(|(fault, count)| (fault.name(), count.load(Ordering::Relaxed)))
    }

    /// How often the key set was fetched, and how often that failed; `None` without one.
    pub fn fetches(&self) -> Option<(u64, u64)> {
        self.remote.as_ref().map(Remote::counts)
    }

    /// Whether there is any key; `Err` says why no token can be checked.
    pub fn ready(&self) -> Result<(), &'static str> {
        match self.keys.load().keys.is_empty() {
            true => Err("no keys for tokens: the key set has not been fetched"),
            false => Ok(()),
        }
    }

    /// Fetches the key set again and again, until `stop` says so; returns at once without one.
    pub(super) async fn keep_fresh(self: Arc<Self>, stop: watch::Receiver<bool>) {
        if let Some(remote) = &self.remote {
            remote.run(&|keys| self.install(|sources| sources.fetched = keys), stop).await;
        }
    }

    /// Reads the key files again when they change, until `stop` says so; returns at once without any.
    pub(super) async fn watch(self: Arc<Self>, stop: watch::Receiver<bool>) {
        if let Some(watched) = &self.watched {
            watched.run(&|keys| self.install(|sources| sources.files = keys), stop).await;
        }
    }

    /// How often the key files were read again, and how often that failed; `None` without files.
    pub fn renewals(&self) -> Option<(u64, u64)> {
        self.watched.as_ref().map(Watched::counts)
    }

    fn sources(&self) -> MutexGuard<'_, Sources> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes where keys come from. What is in use then is stored under the same lock, so the newest stays.
    fn install(&self, change: impl FnOnce(&mut Sources)) {
        let mut sources = self.sources();
        change(&mut sources);
        let keys = sources.files.iter().chain(&sources.fetched).cloned().collect();
        self.keys.store(Arc::new(Keys { keys, growing: self.remote.is_some() }));
    }

    /// A token for `ttl` from now, with its claims, if one of the keys can sign.
    pub(super) fn mint(&self, player: &PlayerId, role: Role, ttl: Duration) -> Option<(String, Claims)> {
        let mut claims = Claims::new(player.clone(), role, self.clock.now(), ttl);
        (claims.aud, claims.iss) = (self.config.audience.clone(), self.config.issuer.clone());
        let signed = self.sources().files.iter().find_map(|key| token::sign(key, &claims));
        Some((signed?, claims))
    }

    /// A player's token for `ttl` from now, if one of the keys can sign.
    pub fn mint_player(&self, player: &PlayerId, ttl: Duration) -> Option<String> {
        self.mint(player, Role::Player, ttl).map(|(token, _)| token)
    }
}

#[cfg(test)]
mod tests;
