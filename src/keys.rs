//! What is made from secrets: the key of a console's one-time link, what proves its cookies, and the codes that hang at
//! scan steps.
//! There is no default secret anywhere; the data folder's own is `config`'s to read.

use crate::ids::{QuestId, StepId};
use crate::net::auth::Secret;
use hmac::{Hmac, KeyInit, Mac};
use rand::TryRngCore;
use sha2::Sha256;

/// 256 bits.
const KEY_BYTES: usize = 32;
/// 32^8 codes; a wrong guess costs a command, and commands are rationed.
const CODE_CHARS: usize = 8;
/// Crockford's base 32: no letter that looks like a digit.
const CODE_ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A fresh key as a text that can stand in a link.
pub fn link_key() -> String {
    let mut bytes = [0_u8; KEY_BYTES];
    rand::rngs::OsRng.try_fill_bytes(&mut bytes).expect("the system's random source works, or nothing is safe");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What proves the console's cookies: made from the server's secret, so that all nodes of a cluster have the same.
pub fn cookie_secret(secret: &Secret) -> Secret {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret.expose()).expect("HMAC takes a key of any length");
    mac.update(b"console/cookies");
    Secret::new(mac.finalize().into_bytes().to_vec())
}

/// By what nodes of a cluster see that they have the same secret, which it does not tell: 64 bits, in hex digits.
pub fn fingerprint(secret: &Secret) -> String {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret.expose()).expect("HMAC takes a key of any length");
    mac.update(b"cluster/fingerprint");
    mac.finalize().into_bytes().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The code that hangs at a scan step: HMAC-SHA-256 of quest and step under the server's secret, shortened.
pub fn scan_code(secret: &Secret, quest: &QuestId, step: &StepId) -> String {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret.expose()).expect("HMAC takes a key of any length");
    mac.update(format!("scan/{quest}/{step}").as_bytes());
    let digest = mac.finalize().into_bytes();
    digest.iter().take(CODE_CHARS).map(|byte| char::from(CODE_ALPHABET[usize::from(byte & 31)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scan_codes_differ_by_step_and_secret() {
        let (quest, a, b) = ("q".parse().expect("id"), "a".parse().expect("id"), "b".parse().expect("id"));
        let secret = Secret::new([1; 32]);
        assert_eq!(scan_code(&secret, &quest, &a), scan_code(&secret, &quest, &a));
        assert_ne!(scan_code(&secret, &quest, &a), scan_code(&secret, &quest, &b));
        assert_ne!(scan_code(&secret, &quest, &a), scan_code(&Secret::new([2; 32]), &quest, &a));
        assert_ne!(cookie_secret(&secret), cookie_secret(&Secret::new([2; 32])));
        assert_eq!(fingerprint(&secret), fingerprint(&Secret::new([1; 32])));
        assert_ne!(fingerprint(&secret), fingerprint(&Secret::new([2; 32])));
    }
}
