//! The console's cookie: who an operator or a viewer is, until when, and proof that a server with our secret said so.
//!
//! Nothing of it is kept: in a cluster the next request may come to another node, and a node that starts again knows
//! the consoles that are open. It ends by itself, or when the avatar that it names is revoked.
//! Promise: what was not made with the secret, or is over, opens nothing; proofs are compared in constant time.

use super::auth::{Role, Secret};
use crate::ids::PlayerId;
use crate::units::Timestamp;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::time::Duration;

/// How long a console stays open: an event's day, and no cookie from last week.
const OPEN_FOR: Duration = Duration::from_secs(12 * 3600);
/// The longest that is looked at: an avatar's id, an expiry and a proof have some hundred bytes.
const BYTES_MAX: usize = 256;
/// Sets this apart from whatever else is made from the same secret.
const PURPOSE: &str = "waystone console cookie v2";

/// Makes and checks cookies.
#[derive(Debug)]
pub(super) struct Cookies(Secret);

impl Cookies {
    /// Proven by a secret, which all nodes of a cluster share.
    pub(super) fn new(secret: Secret) -> Self {
        Self(secret)
    }

    /// The cookie of an avatar from now on.
    pub(super) fn issue(&self, avatar: &PlayerId, role: Role, now: Timestamp) -> String {
        let until = (now + OPEN_FOR).as_millis();
        let proof: String = self
            .mac(avatar.as_str(), role.name(), until)
            .finalize()
            .into_bytes()
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        format!("{until}.{proof}.{}.{avatar}", role.name())
    }

    /// Whose cookie it is and since when, if it is one and not over.
    pub(super) fn check(&self, cookie: &str, now: Timestamp) -> Option<(PlayerId, Role, Timestamp)> {
        let (until, rest) =
            cookie.get(..BYTES_MAX.min(cookie.len())).filter(|all| *all == cookie)?.split_once('.')?;
        let (proof, rest) = rest.split_once('.')?;
        let (role, avatar) = rest.split_once('.')?;
        let until: i64 = until.parse().ok()?;
        self.mac(avatar, role, until).verify_slice(&unhex(proof)?).ok()?;
        let (role, until) =
            (Role::ALL.into_iter().find(|known| known.name() == role)?, Timestamp::from_millis(until));
        let avatar = PlayerId::new(avatar).ok()?;
        (now < until).then_some((avatar, role, until - OPEN_FOR))
    }

    /// How long a browser keeps it, in seconds.
    pub(super) fn age() -> u64 {
        OPEN_FOR.as_secs()
    }

    fn mac(&self, avatar: &str, role: &str, until: i64) -> Hmac<Sha256> {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(self.0.expose()).expect("HMAC takes any key");
        mac.update(format!("{PURPOSE}\n{until}\n{role}\n{avatar}").as_bytes());
        mac
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |b: &u8| char::from(*b).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| Some(digit(pair.first()?)? << 4 | digit(pair.get(1)?)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookies(secret: u8) -> Cookies {
        Cookies::new(Secret::new([secret; 32]))
    }

    #[test]
    fn any_node_with_the_secret_knows_a_cookie_until_it_ends() {
        let (now, avatar) = (Timestamp::from_millis(1_800_000_000_000), PlayerId::new("operator-1a").expect("id"));
        let cookie = cookies(1).issue(&avatar, Role::Viewer, now);
        assert_eq!(cookies(1).check(&cookie, now), Some((avatar.clone(), Role::Viewer, now)));
        assert_eq!(
            cookies(1).check(&cookie, now + OPEN_FOR - Duration::from_millis(1)),
            Some((avatar, Role::Viewer, now))
        );
        assert_eq!(cookies(1).check(&cookie, now + OPEN_FOR), None, "over");
        assert_eq!(cookies(2).check(&cookie, now), None, "another secret");
    }

    #[test]
    fn whatever_is_changed_opens_nothing() {
        let (now, avatar) = (Timestamp::from_millis(1_800_000_000_000), PlayerId::new("operator-1a").expect("id"));
        let cookie = cookies(1).issue(&avatar, Role::Viewer, now);
        for at in 0..cookie.len() {
            let mut bytes = cookie.clone().into_bytes();
            bytes[at] = if bytes[at] == b'1' { b'2' } else { b'1' };
            let changed = String::from_utf8(bytes).expect("ASCII");
            assert_eq!(cookies(1).check(&changed, now), None, "{changed}");
            assert_eq!(cookies(1).check(&cookie[..at], now), None, "cut at {at}");
        }
        for odd in ["", ".", "..", "1..operator-1a", &format!("{cookie}x"), &"9".repeat(10_000), "é.é.é"] {
            assert_eq!(cookies(1).check(odd, now), None, "{odd}");
        }
    }
}
