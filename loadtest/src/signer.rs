//! Who signs players' tokens: the server's own secret (HS256), or a key of which the server has the public half (EdDSA),
//! as where an identity provider lets players in.

use crate::fault::Fault;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use std::path::{Path, PathBuf};
use std::time::Duration;
use waystone::clock::Clock;
use waystone::ids::PlayerId;
use waystone::net::auth::{self, Claims, Role, Secret};

/// How long tokens last: longer than any run.
const TOKEN_TTL: Duration = Duration::from_secs(6 * 3600);
/// What stands before the 32 bytes of a key in its `SubjectPublicKeyInfo` (RFC 8410).
const ED25519: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Signs tokens.
#[derive(Debug)]
pub enum Signer {
    /// With a server's secret.
    Secret(Secret),
    /// With a key of its own.
    Ed25519(Box<Ed25519KeyPair>),
}

/// Where a server of ours finds the public half.
pub fn public_key(data: &Path) -> PathBuf {
    data.join("players.pem")
}

impl Signer {
    /// A new key, whose public half is put where the server of that folder finds it.
    pub fn ed25519(data: &Path) -> Result<Self, Fault> {
        let failed = |_| Fault::Settings("this machine gives no randomness for a key".to_owned());
        let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(failed)?;
        let pair = Ed25519KeyPair::from_pkcs8(made.as_ref()).map_err(|err| Fault::Settings(err.to_string()))?;
        let half = STANDARD.encode([&ED25519, pair.public_key().as_ref()].concat());
        let (path, pem) =
            (public_key(data), format!("-----BEGIN PUBLIC KEY-----\n{half}\n-----END PUBLIC KEY-----\n"));
        std::fs::write(&path, pem).map_err(|source| Fault::Io { path, source })?;
        Ok(Self::Ed25519(Box::new(pair)))
    }

    /// A token for a player.
    pub fn token(&self, player: &str) -> Result<String, Fault> {
        let sub = PlayerId::new(player).map_err(|err| Fault::phone(player, err))?;
        let claims = Claims::new(sub, Role::Player, Clock::system().now(), TOKEN_TTL);
        match self {
            Self::Secret(secret) => auth::mint(secret, &claims).map_err(|err| Fault::phone(player, err)),
            Self::Ed25519(pair) => {
                let claims = serde_json::to_vec(&claims).map_err(|err| Fault::phone(player, err))?;
                let header = URL_SAFE_NO_PAD.encode(br#"{"alg":"EdDSA","typ":"JWT"}"#);
                let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims));
                let tag = URL_SAFE_NO_PAD.encode(pair.sign(signed.as_bytes()));
                Ok(format!("{signed}.{tag}"))
            }
        }
    }
}
