//! Keys: each verifies the signatures of one algorithm, which its own form decides, and may bear an id.
//!
//! Ed25519 is ed25519-dalek's, with the point of the key worked out once; the rest is ring's, which TLS brings in any
//! case (docs/adr/0013 has the figures). Promise: a key never verifies another
//! algorithm's signature, so a public key cannot be passed off as an HMAC secret; no key is ever shown.

use super::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Verifier as _, VerifyingKey};
use ring::hmac;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use std::fmt;
use std::sync::Arc;

/// Shortest HMAC secret: RFC 7518 asks for as many bits as the hash has.
pub const SECRET_BYTES_MIN: usize = 32;
/// Longest id of a key; thumbprints have 43 letters.
const KID_BYTES_MAX: usize = 128;
/// Keys of one file at most: two while they rotate, and some that were left behind.
pub(super) const FILE_KEYS_MAX: usize = 8;

/// The id of a key: `kid` in a token's header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyId(Arc<str>);

impl KeyId {
    /// Takes a text of 1 to 128 bytes.
    pub fn new(text: &str) -> Option<Self> {
        (!text.is_empty() && text.len() <= KID_BYTES_MAX).then(|| Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a key does.
#[derive(Clone)]
enum Form {
    /// HS256, where verifying and signing are one.
    Hmac(hmac::Key),
    /// ES256: the point, uncompressed.
    P256([u8; 65]),
    /// EdDSA.
    Ed25519(VerifyingKey),
}

/// A key with the one algorithm that it verifies.
#[derive(Clone)]
pub struct Key {
    form: Form,
    kid: Option<KeyId>,
}

/// Why bytes are not a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Too short to be safe.
    #[error("an HS256 secret needs at least {SECRET_BYTES_MIN} bytes: make one with `openssl rand -hex 32`")]
    ShortSecret,
    /// Not a public key that we know.
    #[error(
        "not a public key: give a PEM file (BEGIN PUBLIC KEY) or a JSON Web Key Set with an Ed25519 or P-256 key"
    )]
    UnknownKey,
    /// More than anybody rotates.
    #[error("more than {FILE_KEYS_MAX} keys in one file: leave those that still sign, and the ones before")]
    ManyKeys,
}

impl Key {
    /// A shared secret for HS256.
    pub fn hs256(secret: Secret) -> Result<Self, KeyError> {
        if secret.expose().len() < SECRET_BYTES_MIN {
            return Err(KeyError::ShortSecret);
        }
        Ok(Self { form: Form::Hmac(hmac::Key::new(hmac::HMAC_SHA256, secret.expose())), kid: None })
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
        let key = match (der.strip_prefix(ED25519), der.strip_prefix(P256)) {
            (Some(point), _) => Self::ed25519(point),
            (_, Some(point)) => Self::p256(point),
            (None, None) => None,
        };
        key.ok_or(KeyError::UnknownKey)
    }

    /// All public keys of a file: PEM, one block after the other, or a JSON Web Key Set.
    pub fn all_from_text(text: &str) -> Result<Vec<Self>, KeyError> {
        const END: &str = "-----END PUBLIC KEY-----";
        let keys = match text.trim_start().starts_with('{') {
            true => super::jwks::parse(text.as_bytes()).map_err(|_| KeyError::UnknownKey)?.keys,
            false => text
                .trim()
                .split_inclusive(END)
                .map(|block| Self::from_pem(block.trim_start()))
                .collect::<Result<Vec<_>, _>>()?,
        };
        match keys.len() {
            0 => Err(KeyError::UnknownKey),
            1..=FILE_KEYS_MAX => Ok(keys),
            _ => Err(KeyError::ManyKeys),
        }
    }

    pub(super) fn ed25519(point: &[u8]) -> Option<Self> {
        let key = VerifyingKey::from_bytes(point.try_into().ok()?).ok()?;
        // Under a key of small order anybody can sign.
        (!key.is_weak()).then_some(Self { form: Form::Ed25519(key), kid: None })
    }

    /// From a point that is written out: 4, x, y.
    pub(super) fn p256(point: &[u8]) -> Option<Self> {
        let point: [u8; 65] = point.try_into().ok()?;
        (point[0] == 4).then_some(Self { form: Form::P256(point), kid: None })
    }

    /// The same with an id.
    #[must_use]
    pub fn with_id(self, kid: KeyId) -> Self {
        Self { kid: Some(kid), ..self }
    }

    /// Its id, if it has one.
    pub fn id(&self) -> Option<&KeyId> {
        self.kid.as_ref()
    }

    /// The algorithm, as tokens name it.
    pub fn algorithm(&self) -> &'static str {
        match self.form {
            Form::Hmac(_) => "HS256",
            Form::P256(_) => "ES256",
            Form::Ed25519(_) => "EdDSA",
        }
    }

    /// Whether the signature of `message` is this key's.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.form {
            Form::Hmac(key) => hmac::verify(key, message, signature).is_ok(),
            Form::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature).is_ok()
            }
            Form::Ed25519(key) => {
                Signature::from_slice(signature).is_ok_and(|signature| key.verify(message, &signature).is_ok())
            }
        }
    }

    /// The signature of a message, if this key can make one: only a shared secret can.
    pub(super) fn sign(&self, message: &[u8]) -> Option<hmac::Tag> {
        match &self.form {
            Form::Hmac(key) => Some(hmac::sign(key, message)),
            Form::P256(_) | Form::Ed25519(_) => None,
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("algorithm", &self.algorithm()).field("kid", &self.kid).finish_non_exhaustive()
    }
}
