//! Who someone is: JSON Web Tokens, checked against keys that each know their one algorithm.
//!
//! A key never verifies another algorithm's signature, so a public key cannot be passed off as an HMAC secret, and
//! `alg: none` meets no key at all. Times are compared with the injected clock. `exp` must be a whole number: a
//! text there once slipped past a library's check (CVE-2026-25537).
//! Promise: tokens, keys and secrets appear in no error, log or `Debug`.

use crate::clock::Clock;
use crate::ids::PlayerId;
use crate::units::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;
use std::time::Duration;

/// Longest token looked at; an EdDSA token with our claims is 400 bytes, and hashing megabytes is the peer's wish.
const TOKEN_BYTES_MAX: usize = 4096;
/// Shortest HMAC secret: RFC 7518 asks for as many bits as the hash has.
pub const SECRET_BYTES_MIN: usize = 32;
/// How far clocks may differ.
const LEEWAY: Duration = Duration::from_secs(5);
/// Longest `name` taken from a token, in characters; the rest is cut.
const NAME_CHARS_MAX: usize = 60;
/// Longest language tag.
const LANG_BYTES_MAX: usize = 35;

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

/// A key with the one algorithm that it verifies.
#[derive(Clone)]
pub struct Key {
    algorithm: Algorithm,
    key: DecodingKey,
    /// For HS256, where verifying and signing are one.
    secret: Option<Secret>,
}

/// Why bytes are not a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Too short to be safe.
    #[error("an HS256 secret needs at least {SECRET_BYTES_MIN} bytes: make one with `openssl rand -hex 32`")]
    ShortSecret,
    /// Not a public key that we know.
    #[error("not a public key: give a PEM file (BEGIN PUBLIC KEY) with an Ed25519 or P-256 key")]
    UnknownKey,
}

impl Key {
    /// A shared secret for HS256.
    pub fn hs256(secret: Secret) -> Result<Self, KeyError> {
        if secret.expose().len() < SECRET_BYTES_MIN {
            return Err(KeyError::ShortSecret);
        }
        let key = DecodingKey::from_secret(secret.expose());
        Ok(Self { algorithm: Algorithm::HS256, key, secret: Some(secret) })
    }

    /// A public key in PEM: Ed25519 (EdDSA) or P-256 (ES256); the key itself says which.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        // The only two forms that SubjectPublicKeyInfo (RFC 5480, RFC 8410) has for these keys.
        const ED25519: &[u8] = &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
        const P256: &[u8] = &[
            0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
            0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
        ];
        let body = pem
            .trim()
            .strip_prefix("-----BEGIN PUBLIC KEY-----")
            .and_then(|rest| rest.strip_suffix("-----END PUBLIC KEY-----"))
            .ok_or(KeyError::UnknownKey)?;
        let body: String = body.split_ascii_whitespace().collect();
        let der = STANDARD.decode(body).map_err(|_| KeyError::UnknownKey)?;
        let (algorithm, key) = if let Some(point) = der.strip_prefix(ED25519).filter(|point| point.len() == 32) {
            (Algorithm::EdDSA, DecodingKey::from_ed_der(point))
        } else if let Some(point) = der.strip_prefix(P256).filter(|p| p.len() == 65 && p[0] == 4) {
            (Algorithm::ES256, DecodingKey::from_ec_der(point))
        } else {
            return Err(KeyError::UnknownKey);
        };
        Ok(Self { algorithm, key, secret: None })
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

/// What someone may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Plays.
    #[default]
    Player,
    /// Sees the console, judges photos.
    Operator,
    /// Posts a player's fixes, and nothing else: for apps that keep their token for months.
    Device,
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
}

/// Why a token is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It was good once.
    #[error("the token has expired: get a new one")]
    Expired,
    /// It will be good later.
    #[error("the token is not valid yet (nbf): check the clock of the machine that signed it")]
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
    /// No `exp`, or one that is not a whole number of seconds.
    #[error("the token needs exp, a whole number of seconds since 1970")]
    Exp,
    /// `nbf` is there and is no number.
    #[error("the token's nbf must be a whole number of seconds since 1970")]
    Nbf,
    /// No `sub`, or one that is no id.
    #[error("the token needs sub, 1 to 96 printable ASCII characters without space, '/', '#', quotes or '\\'")]
    Sub,
    /// `role` is neither of ours.
    #[error("the token's role must be \"player\", \"operator\" or \"device\"")]
    Role,
    /// Not for us.
    #[error("the token's audience (aud) is not this server's")]
    Audience,
    /// Not from whom we trust.
    #[error("the token's issuer (iss) is not the configured one")]
    Issuer,
}

/// Claims as they are signed; see [`mint`].
#[derive(Debug, Clone, Serialize)]
pub struct Claims {
    /// The player.
    pub sub: PlayerId,
    /// Seconds since 1970.
    pub exp: i64,
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

/// Signs claims with HS256.
pub fn mint(secret: &Secret, claims: &Claims) -> Result<String, KeyError> {
    if secret.expose().len() < SECRET_BYTES_MIN {
        return Err(KeyError::ShortSecret);
    }
    let key = EncodingKey::from_secret(secret.expose());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &key).map_err(|_| KeyError::UnknownKey)
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
    keys: Vec<Key>,
    config: AuthConfig,
    clock: Clock,
}

impl Auth {
    /// With the keys in use; more than one while they rotate.
    pub fn new(keys: Vec<Key>, config: AuthConfig, clock: Clock) -> Self {
        Self { keys, config, clock }
    }

    /// The identity that a token proves.
    pub fn verify(&self, token: &str) -> Result<Identity, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Malformed);
        }
        let claims = self.signed_claims(token)?;
        let player = match claims.get("sub") {
            Some(Value::String(sub)) => PlayerId::new(sub).map_err(|_| TokenError::Sub)?,
            _ => return Err(TokenError::Sub),
        };
        let role = match claims.get("role") {
            None | Some(Value::Null) => Role::default(),
            Some(role) => Role::deserialize(role).map_err(|_| TokenError::Role)?,
        };
        let expires = self.check_times(&claims)?;
        self.check_parties(&claims)?;
        let text = |claim: &str| claims.get(claim).and_then(Value::as_str).map(str::trim).filter(|t| !t.is_empty());
        let name = text("name").map(|name| name.chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect());
        let lang = text("lang").and_then(language);
        Ok(Identity { player, name, lang, role, expires })
    }

    /// A player's token for `ttl` from now, if one of the keys can sign.
    pub fn mint_player(&self, player: &PlayerId, ttl: Duration) -> Option<String> {
        let secret = self.keys.iter().find_map(|key| key.secret.as_ref())?;
        let claims = Claims {
            sub: player.clone(),
            exp: (self.clock.now() + ttl).as_millis() / 1000,
            name: None,
            lang: None,
            role: Role::Player,
            aud: self.config.audience.clone(),
            iss: self.config.issuer.clone(),
        };
        mint(secret, &claims).ok()
    }

    fn signed_claims(&self, token: &str) -> Result<serde_json::Map<String, Value>, TokenError> {
        let header = jsonwebtoken::decode_header(token).map_err(|err| match err.kind() {
            // A name such as `none` is no variant of the library's enum, so its JSON reader refuses the header.
            ErrorKind::Json(json) if json.is_data() => TokenError::Algorithm,
            _ => TokenError::Malformed,
        })?;
        let mut fault = TokenError::Algorithm;
        for key in self.keys.iter().filter(|key| key.algorithm == header.alg) {
            let mut validation = Validation::new(key.algorithm);
            // Signature only: times and names are ours to check, by our clock and with our reasons.
            validation.required_spec_claims.clear();
            (validation.validate_exp, validation.validate_nbf, validation.validate_aud) = (false, false, false);
            match jsonwebtoken::decode(token, &key.key, &validation) {
                Ok(data) => return Ok(data.claims),
                Err(err) => {
                    fault = match err.kind() {
                        ErrorKind::Json(_) | ErrorKind::Base64(_) | ErrorKind::Utf8(_) | ErrorKind::InvalidToken => {
                            TokenError::Malformed
                        }
                        _ => TokenError::Signature,
                    };
                }
            }
        }
        Err(fault)
    }

    fn check_times(&self, claims: &serde_json::Map<String, Value>) -> Result<Timestamp, TokenError> {
        let now = self.clock.now();
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
        Ok(expires)
    }

    fn check_parties(&self, claims: &serde_json::Map<String, Value>) -> Result<(), TokenError> {
        if let Some(audience) = &self.config.audience {
            let named = match claims.get("aud") {
                Some(Value::String(aud)) => aud == audience,
                Some(Value::Array(all)) => all.iter().any(|aud| aud.as_str() == Some(audience)),
                _ => false,
            };
            if !named {
                return Err(TokenError::Audience);
            }
        }
        match &self.config.issuer {
            Some(issuer) if claims.get("iss").and_then(Value::as_str) != Some(issuer) => Err(TokenError::Issuer),
            _ => Ok(()),
        }
    }
}

/// A language tag if it looks like one.
pub(super) fn language(tag: &str) -> Option<String> {
    let plain = tag.len() <= LANG_BYTES_MAX && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    (plain && !tag.is_empty()).then(|| tag.to_owned())
}

#[cfg(test)]
mod tests;
