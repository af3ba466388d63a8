//! A JSON Web Key Set (RFC 7517): bytes to keys that verify, and how many others were passed over.
//!
//! Pure, and for bytes from anywhere. An identity provider may list keys of kinds that we do not take (RSA, keys for
//! encryption): they are passed over, and the rest is used. A shared secret is never taken from a set, since what can
//! be fetched is no secret; nor is a key that shows its private half.
//! Promise: bounded by [`BYTES_MAX`] and [`KEYS_MAX`]; what a key says of itself decides its algorithm.

use super::key::{Key, KeyId};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;

/// Largest set that is read: 32 RSA keys with their certificates have a hundred kilobytes.
pub const BYTES_MAX: usize = 256 * 1024;
/// Keys that are used: an issuer has two or three, and one token costs no more checks than this.
pub const KEYS_MAX: usize = 32;

/// What a set holds.
#[derive(Debug, Clone, Default)]
pub struct KeySet {
    /// Those that verify, in their order.
    pub keys: Vec<Key>,
    /// How many are of no use here.
    pub passed_over: usize,
}

/// Why bytes are no set of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwksError {
    /// Larger than is read.
    #[error("the key set has more than {BYTES_MAX} bytes")]
    TooLarge,
    /// Not JSON, or without `keys`.
    #[error("this is not a JSON Web Key Set: it has no list \"keys\"")]
    Malformed,
    /// All keys are of other kinds.
    #[error("none of the {0} keys can be used: an Ed25519 or P-256 key for signatures is needed")]
    NoKeys(usize),
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

/// A key as it stands in a set; what we do not know of is passed over.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    /// The private half.
    d: Option<Value>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    kid: Option<String>,
}

/// The keys of a set that can be used.
pub fn parse(bytes: &[u8]) -> Result<KeySet, JwksError> {
    if bytes.len() > BYTES_MAX {
        return Err(JwksError::TooLarge);
    }
    let set: Set = serde_json::from_slice(bytes).map_err(|_| JwksError::Malformed)?;
    let all = set.keys.len();
    let usable = set.keys.into_iter().filter_map(|key| serde_json::from_value::<Jwk>(key).ok()?.key());
    let keys: Vec<Key> = usable.take(KEYS_MAX).collect();
    if keys.is_empty() {
        return Err(JwksError::NoKeys(all));
    }
    Ok(KeySet { passed_over: all - keys.len(), keys })
}

impl Jwk {
    fn key(self) -> Option<Key> {
        let signs = self.purpose.as_deref().is_none_or(|purpose| purpose == "sig");
        let verifies = self.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        if !signs || !verifies || self.d.is_some() {
            return None;
        }
        let part = |text: &Option<String>| -> Option<[u8; 32]> {
            URL_SAFE_NO_PAD.decode(text.as_deref()?).ok()?.try_into().ok()
        };
        let (key, names): (Key, &[&str]) = match (self.kty.as_str(), self.crv.as_deref()?) {
            ("OKP", "Ed25519") => (Key::ed25519(&part(&self.x)?)?, &["EdDSA", "Ed25519"]),
            ("EC", "P-256") => {
                let point = [&[4][..], &part(&self.x)?, &part(&self.y)?].concat();
                (Key::p256(&point)?, &["ES256"])
            }
            _ => return None,
        };
        if self.alg.as_deref().is_some_and(|alg| !names.contains(&alg)) {
            return None;
        }
        match self.kid.as_deref() {
            None => Some(key),
            // An id that no token could name is a key that no token could use.
            Some(kid) => Some(key.with_id(KeyId::new(kid)?)),
        }
    }
}
