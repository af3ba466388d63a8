//! What it costs to know who someone is: a token read, its signature checked, its claims judged.
//!
//! The yardstick is the bare signature by ring, over the same bytes in the same run: what is above it is our own work,
//! what is below it the better library's.

use crate::meter::best;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer as _, SigningKey};
use ring::signature::{ED25519, UnparsedPublicKey};
use std::hint::black_box;
use waystone::ids::PlayerId;
use waystone::net::auth::{AuthConfig, Claims, Key, Keys, Role, Secret, jwks, mint, verify};
use waystone::units::Timestamp;

/// Tokens of a round.
const ROUND: usize = 100;

/// How long to measure.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Seconds for each row
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
}

/// Prints the table.
pub fn run(args: &Args) {
    let now = Timestamp::from_millis(1_800_000_000_000);
    let player = PlayerId::new("ada-7f3c").expect("an id");
    let claims = Claims::new(player, Role::Player, now, std::time::Duration::from_secs(3_600));
    let secret = Secret::new([7; 32]);
    let shared = mint(&secret, &claims).expect("32 bytes");
    let shared_keys = Keys { keys: vec![Key::hs256(secret).expect("32 bytes")], growing: false };

    let signing = SigningKey::from_bytes(&[9; 32]);
    let point = signing.verifying_key().to_bytes();
    let set =
        format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"k","x":"{}"}}]}}"#, URL_SAFE_NO_PAD.encode(point));
    let keys = Keys { keys: jwks::parse(set.as_bytes()).expect("a set").keys, growing: true };
    let (_, rest) = shared.split_once('.').expect("three parts");
    let (payload, _) = rest.rsplit_once('.').expect("three parts");
    let signed = format!("{}.{payload}", URL_SAFE_NO_PAD.encode(r#"{"alg":"EdDSA","kid":"k"}"#));
    let signature = signing.sign(signed.as_bytes()).to_bytes();
    let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature));
    let forged = format!("{signed}.{}", URL_SAFE_NO_PAD.encode([0; 64]));

    let wanted = AuthConfig::default();
    let ring_key = UnparsedPublicKey::new(&ED25519, point);
    let each = |work: &dyn Fn()| best(ROUND, args.seconds, || (0..ROUND).for_each(|_| work())) / 1000.0;
    let yardstick = each(&|| ring_key.verify(signed.as_bytes(), black_box(&signature)).expect("good"));
    let rows = [
        ("ring, the signature alone", yardstick),
        ("EdDSA", each(&|| drop(verify(black_box(&token), &keys, &wanted, now).expect("good")))),
        ("EdDSA, forged", each(&|| assert!(verify(black_box(&forged), &keys, &wanted, now).is_err()))),
        ("HS256", each(&|| drop(verify(black_box(&shared), &shared_keys, &wanted, now).expect("good")))),
    ];
    println!("{:28} {:>8} {:>8} {:>12}", "", "us", "of ring", "a second");
    for (name, us) in rows {
        println!("{name:28} {us:8.1} {:8.2} {:12.0}", us / yardstick, 1_000_000.0 / us);
    }
}
