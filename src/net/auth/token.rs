//! A token: what its three parts hold, whose signature it bears, and what its claims say.
//!
//! Pure: keys and time are handed in. A signature is checked before any claim is read; which key may check it is
//! decided by the keys (their algorithm, their id), and the token's header only chooses among them. `exp` must be a
//! whole number: a text there once slipped past a library's check (CVE-2026-25537).
//! Promise: a token of any bytes is answered with one [`TokenError`], which repeats nothing of it.

use super::key::{Key, KeyError};
use super::{AuthConfig, Identity, Role, Secret};
use crate::actors::access::TOKEN_LIFE_MAX;
use crate::ids::{PlayerId, TokenId};
use crate::units::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::time::Duration;

/// Longest token looked at; an EdDSA token with our claims is 400 bytes, and hashing megabytes is the peer's wish.
pub const TOKEN_BYTES_MAX: usize = 4096;
/// How far clocks may differ.
pub(super) const LEEWAY: Duration = Duration::from_secs(5);
/// Longest life of a token. What is revoked must be remembered for as long; a year is what a device's token may have.
pub const LIFE_MAX: Duration = TOKEN_LIFE_MAX;
/// Longest `name` taken from a token, in characters; the rest is cut.
const NAME_CHARS_MAX: usize = 60;
/// Longest language tag.
const LANG_BYTES_MAX: usize = 35;

/// Why a token is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It was good once.
    #[error("the token has expired: get a new one")]
    Expired,
    /// It will be good later.
    #[error("the token is not valid yet (nbf, iat): check the clock of the machine that signed it")]
    NotYet,
    /// Not three parts of base64 with JSON in them, or too long.
    #[error("not a JSON Web Token")]
    Malformed,
    /// No key of ours has the algorithm that its header names.
    #[error("the token's algorithm is not accepted here: sign with the configured key")]
    Algorithm,
    /// No key of ours made this signature.
    #[error("the token's signature is wrong: sign with the configured key")]
    Signature,
    /// No key of ours has the id that its header names.
    #[error("the token's key (kid) is none of the key set's: sign with a key that the set lists")]
    UnknownKey,
    /// The key may be known in a while.
    #[error("the keys that tokens are checked with cannot be had now; try again in a few seconds")]
    KeysUnavailable,
    /// No `exp`, or one that is not a whole number of seconds.
    #[error("the token needs exp, a whole number of seconds since 1970")]
    Exp,
    /// It lives for too long.
    #[error("the token lives for more than 366 days: sign one that ends sooner")]
    Life,
    /// `nbf` is there and is no number.
    #[error("the token's nbf must be a whole number of seconds since 1970")]
    Nbf,
    /// `iat` is there and is no number.
    #[error("the token's iat must be a whole number of seconds since 1970")]
    Iat,
    /// No `sub`, or one that is no id.
    #[error("the token needs sub, 1 to 96 printable ASCII characters without space, '/', '#', quotes or '\\'")]
    Sub,
    /// `role` is none of ours.
    #[error("the token's role must be \"player\", \"operator\", \"designer\", \"viewer\" or \"device\"")]
    Role,
    /// Not for us.
    #[error("the token's audience (aud) is not this server's")]
    Audience,
    /// Not from whom we trust.
    #[error("the token's issuer (iss) is not the configured one")]
    Issuer,
    /// An operator has called it back.
    #[error("the token has been revoked: sign in again")]
    Revoked,
}

impl TokenError {
    /// A short name, for counters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::NotYet => "not_yet",
            Self::Malformed => "malformed",
            Self::Algorithm => "algorithm",
            Self::Signature => "signature",
            Self::UnknownKey => "unknown_key",
            Self::KeysUnavailable => "keys_unavailable",
            Self::Exp => "exp",
            Self::Life => "life",
            Self::Nbf => "nbf",
            Self::Iat => "iat",
            Self::Sub => "sub",
            Self::Role => "role",
            Self::Audience => "audience",
            Self::Issuer => "issuer",
            Self::Revoked => "revoked",
        }
    }

    /// All of them, for counters.
    pub const ALL: [Self; 16] = [
        Self::Expired,
        Self::NotYet,
        Self::Malformed,
        Self::Algorithm,
        Self::Signature,
        Self::UnknownKey,
        Self::KeysUnavailable,
        Self::Exp,
        Self::Life,
        Self::Nbf,
        Self::Iat,
        Self::Sub,
        Self::Role,
        Self::Audience,
        Self::Issuer,
        Self::Revoked,
    ];
}

/// Claims as they are signed; see [`mint`].
#[derive(Debug, Clone, Serialize)]
pub struct Claims {
    /// The player.
    pub sub: PlayerId,
    /// Seconds since 1970.
    pub exp: i64,
    /// When it was signed, in seconds since 1970: what was signed before a moment can be revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iat: Option<i64>,
    /// Its own name, by which it alone can be revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    /// A name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A language tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lang: Option<String>,
    /// What it may do.
    pub role: Role,
    /// For whom the token is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aud: Option<String>,
    /// Who made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
}

impl Claims {
    /// Claims of a token that is signed now and lives for `ttl`, under a name of its own.
    pub fn new(sub: PlayerId, role: Role, now: Timestamp, ttl: Duration) -> Self {
        let seconds = |at: Timestamp| at.as_millis().div_euclid(1000);
        let jti = Some(format!("{:016x}", rand::random::<u64>()));
        let (exp, iat) = (seconds(now + ttl), Some(seconds(now)));
        Self { sub, exp, iat, jti, name: None, lang: None, role, aud: None, iss: None }
    }
}

/// Signs claims with HS256.
pub fn mint(secret: &Secret, claims: &Claims) -> Result<String, KeyError> {
    let key = Key::hs256(secret.clone())?;
    sign(&key, claims).ok_or(KeyError::UnknownKey)
}

/// Signs claims with a key that can.
pub(super) fn sign(key: &Key, claims: &Claims) -> Option<String> {
    let mut header = serde_json::json!({"alg": key.algorithm(), "typ": "JWT"});
    if let Some(kid) = key.id() {
        header["kid"] = kid.as_str().into();
    }
    let claims = serde_json::to_vec(claims).ok()?;
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims));
    let tag = key.sign(signed.as_bytes())?;
    Some(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag)))
}

/// The keys in use.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    /// All of them.
    pub keys: Vec<Key>,
    /// Whether others may come, from a set that is fetched: then an id that is not known is another thing than a wrong
    /// signature.
    pub growing: bool,
}

/// What of a header matters.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// Extensions that must be understood; we know none.
    crit: Option<Value>,
}

/// The identity that a token proves at `now`.
pub fn verify(token: &str, keys: &Keys, wanted: &AuthConfig, now: Timestamp) -> Result<Identity, TokenError> {
    let claims = signed_claims(token, keys)?;
    let player = match claims.get("sub") {
        Some(Value::String(sub)) => PlayerId::new(sub).map_err(|_| TokenError::Sub)?,
        _ => return Err(TokenError::Sub),
    };
    let role = match claims.get("role") {
        None | Some(Value::Null) => Role::default(),
        Some(role) => Role::deserialize(role).map_err(|_| TokenError::Role)?,
    };
    let (expires, issued) = check_times(&claims, now)?;
    check_parties(&claims, wanted)?;
    let text = |claim: &str| claims.get(claim).and_then(Value::as_str).map(str::trim).filter(|t| !t.is_empty());
    let name = text("name").map(|name| name.chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect());
    let lang = text("lang").and_then(language);
    let id = claims.get("jti").and_then(Value::as_str).and_then(TokenId::new);
    Ok(Identity { player, name, lang, role, expires, issued, id })
}

fn signed_claims(token: &str, keys: &Keys) -> Result<Map<String, Value>, TokenError> {
    let malformed = TokenError::Malformed;
    if token.len() > TOKEN_BYTES_MAX {
        return Err(malformed);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(malformed)?;
    let (header, payload) = signed.split_once('.').ok_or(malformed)?;
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| malformed);
    let (header, payload, signature) = (decode(header)?, decode(payload)?, decode(signature)?);
    let header: Map<String, Value> = serde_json::from_slice(&header).map_err(|_| malformed)?;
    let header: Header = serde_json::from_value(header.into()).map_err(|_| TokenError::Algorithm)?;
    if header.crit.is_some() {
        return Err(TokenError::Algorithm);
    }
    let named = |key: &Key| key.id().is_some_and(|id| Some(id.as_str()) == header.kid.as_deref());
    // A key without an id, as those of files are, may be meant by any.
    let meant = |key: &&Key| header.kid.is_none() || key.id().is_none() || named(key);
    let mut candidates = keys.keys.iter().filter(|key| key.algorithm() == header.alg).filter(meant).peekable();
    let some = candidates.peek().is_some();
    if candidates.any(|key| key.verifies(signed.as_bytes(), &signature)) {
        return serde_json::from_slice(&payload).map_err(|_| malformed);
    }
    let unknown = header.kid.is_some() && !keys.keys.iter().any(named);
    Err(match (some, keys.growing && (unknown || keys.keys.is_empty())) {
        (_, true) => TokenError::UnknownKey,
        (true, false) => TokenError::Signature,
        (false, false) => TokenError::Algorithm,
    })
}

fn check_times(claims: &Map<String, Value>, now: Timestamp) -> Result<(Timestamp, Option<Timestamp>), TokenError> {
    let seconds = |value: &Value| value.as_i64().and_then(|s| s.checked_mul(1000)).map(Timestamp::from_millis);
    let expires = claims.get("exp").and_then(seconds).ok_or(TokenError::Exp)?;
    if expires + LEEWAY <= now {
        return Err(TokenError::Expired);
    }
    if let Some(nbf) = claims.get("nbf")
        && seconds(nbf).ok_or(TokenError::Nbf)? > now + LEEWAY
    {
        return Err(TokenError::NotYet);
    }
    let issued = claims.get("iat").map(|iat| seconds(iat).ok_or(TokenError::Iat)).transpose()?;
    // Signed in the future it would outlive its revocation.
    if issued.is_some_and(|issued| issued > now + LEEWAY) {
        return Err(TokenError::NotYet);
    }
    if expires > issued.unwrap_or(now) + LIFE_MAX + LEEWAY {
        return Err(TokenError::Life);
    }
    Ok((expires, issued))
}

fn check_parties(claims: &Map<String, Value>, wanted: &AuthConfig) -> Result<(), TokenError> {
    if let Some(audience) = &wanted.audience {
        let named = match claims.get("aud") {
            Some(Value::String(aud)) => aud == audience,
            Some(Value::Array(all)) => all.iter().any(|aud| aud.as_str() == Some(audience)),
            _ => false,
        };
        if !named {
            return Err(TokenError::Audience);
        }
    }
    match &wanted.issuer {
        Some(issuer) if claims.get("iss").and_then(Value::as_str) != Some(issuer) => Err(TokenError::Issuer),
        _ => Ok(()),
    }
}

/// A language tag if it looks like one.
pub(in crate::net) fn language(tag: &str) -> Option<String> {
    let plain = tag.len() <= LANG_BYTES_MAX && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    (plain && !tag.is_empty()).then(|| tag.to_owned())
}
