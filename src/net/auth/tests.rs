//! Keys here were made for these tests and open nothing.

use super::token::LEEWAY;
use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

mod fetching;

const SECRET: &[u8] = b"a secret of more than 32 bytes for tests";
const ED_PRIVATE: &str = "MC4CAQAwBQYDK2VwBCIEIOpr7gyuqCr80RvnvxbHCO7UAsdE8dfoRgvMjD7d5vEd";
const ED_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\n\
    MCowBQYDK2VwAyEAx4bqvQmfkIOsTPMLTUqoiT4+Bv9iGox+M3HvJPtN0tQ=\n-----END PUBLIC KEY-----\n";
const EC_PRIVATE: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgx/2sliIgWmTaXdGX+cta+FfWpDFx+BXdgg1JxZiLwnOhRANCAATd\
    hhv8EmyHFZ4cmn51/x3wRz5c3YdJJfkTWScZRHMcvan7OksHGGcnLFafMO2qJEmols6s8bHq83YvfndHpJ6n";
const EC_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\n\
    MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE3YYb/BJshxWeHJp+df8d8Ec+XN2H\n\
    SSX5E1knGURzHL2p+zpLBxhnJyxWnzDtqiRJqJbOrPGx6vN2L353R6Sepw==\n-----END PUBLIC KEY-----\n";
const NOW: i64 = 1_700_000_000;

fn auth_with(keys: Vec<Key>, config: AuthConfig) -> Auth {
    Auth::new(keys, config, Clock::manual(Timestamp::from_millis(NOW * 1000)))
}

fn secret_key() -> Key {
    Key::hs256(Secret::new(SECRET)).expect("long enough")
}

fn auth() -> Auth {
    auth_with(vec![secret_key()], AuthConfig::default())
}

fn sign_as(algorithm: Algorithm, key: &EncodingKey, claims: &Value) -> String {
    jsonwebtoken::encode(&Header::new(algorithm), claims, key).expect("signs")
}

fn sign(claims: &Value) -> String {
    sign_as(Algorithm::HS256, &EncodingKey::from_secret(SECRET), claims)
}

fn part(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

fn private(base64: &str) -> Vec<u8> {
    STANDARD.decode(base64).expect("base64")
}

#[test]
fn good_token_says_who() {
    let claims =
        json!({"sub": "ada", "exp": NOW + 60, "name": " Ada\u{7} L ", "lang": "fi", "role": "operator", "x": 1});
    let identity = auth().verify(&sign(&claims)).expect("good");
    assert_eq!(identity.player.as_str(), "ada");
    assert_eq!((identity.name.as_deref(), identity.lang.as_deref()), (Some("Ada L"), Some("fi")));
    assert_eq!((identity.role, identity.expires.as_millis()), (Role::Operator, (NOW + 60) * 1000));
    let plain = auth().verify(&sign(&json!({"sub": "ada", "exp": NOW + 60}))).expect("good");
    assert_eq!((plain.role, plain.name), (Role::Player, None));
    assert_eq!((plain.issued, plain.id), (None, None), "what it does not say");
    let dated = auth().verify(&sign(&json!({"sub": "ada", "exp": NOW + 60, "iat": NOW - 1, "jti": "t-1"})));
    let dated = dated.expect("good");
    assert_eq!(dated.issued, Some(Timestamp::from_millis((NOW - 1) * 1000)));
    assert_eq!(dated.id.as_ref().map(TokenId::as_str), Some("t-1"));
    for role in Role::ALL {
        let token = sign(&json!({"sub": "ada", "exp": NOW + 60, "role": role.name()}));
        assert_eq!(auth().verify(&token).map(|identity| identity.role), Ok(role));
    }
}

#[test]
fn bad_claims_are_refused_each_for_its_reason() {
    for (claims, why) in [
        (json!({"sub": "ada"}), TokenError::Exp),
        (json!({"sub": "ada", "exp": null}), TokenError::Exp),
        (json!({"sub": "ada", "exp": "9999999999"}), TokenError::Exp),
        (json!({"sub": "ada", "exp": "never"}), TokenError::Exp),
        (json!({"sub": "ada", "exp": [NOW + 60]}), TokenError::Exp),
        (json!({"sub": "ada", "exp": 1e300}), TokenError::Exp),
        (json!({"sub": "ada", "exp": i64::MAX}), TokenError::Exp),
        (json!({"sub": "ada", "exp": u64::MAX}), TokenError::Exp),
        (json!({"sub": "ada", "exp": NOW - 5}), TokenError::Expired),
        (json!({"sub": "ada", "exp": 0}), TokenError::Expired),
        (json!({"sub": "ada", "exp": -1}), TokenError::Expired),
        (json!({"sub": "ada", "exp": NOW + 60, "nbf": NOW + 6}), TokenError::NotYet),
        (json!({"sub": "ada", "exp": NOW + 60, "nbf": "soon"}), TokenError::Nbf),
        (json!({"exp": NOW + 60}), TokenError::Sub),
        (json!({"sub": "", "exp": NOW + 60}), TokenError::Sub),
        (json!({"sub": "a b", "exp": NOW + 60}), TokenError::Sub),
        (json!({"sub": "#ada", "exp": NOW + 60}), TokenError::Sub),
        (json!({"sub": 7, "exp": NOW + 60}), TokenError::Sub),
        (json!({"sub": "x".repeat(97), "exp": NOW + 60}), TokenError::Sub),
        (json!({"sub": "ada", "exp": NOW + 60, "iat": "today"}), TokenError::Iat),
        (json!({"sub": "ada", "exp": NOW + 60, "iat": NOW + 6}), TokenError::NotYet),
        (json!({"sub": "ada", "exp": NOW + 367 * 86_400}), TokenError::Life),
        (json!({"sub": "ada", "exp": NOW + 60, "iat": NOW - 367 * 86_400}), TokenError::Life),
        (json!({"sub": "ada", "exp": i64::MAX / 1000}), TokenError::Life),
        (json!({"sub": "ada", "exp": NOW + 60, "role": "root"}), TokenError::Role),
        (json!({"sub": "ada", "exp": NOW + 60, "role": ["operator"]}), TokenError::Role),
    ] {
        assert_eq!(auth().verify(&sign(&claims)), Err(why), "{claims}");
    }
}

#[test]
fn leeway_is_five_seconds_both_ways() {
    assert!(auth().verify(&sign(&json!({"sub": "ada", "exp": NOW - 4}))).is_ok());
    assert!(auth().verify(&sign(&json!({"sub": "ada", "exp": NOW + 60, "nbf": NOW + 5}))).is_ok());
}

#[test]
fn forged_tokens_are_refused() {
    let claims = json!({"sub": "ada", "exp": NOW + 60});
    let good = sign(&claims);
    let (signed, signature) = good.rsplit_once('.').expect("three parts");
    let (header, _) = signed.split_once('.').expect("three parts");
    let payload = part(r#"{"sub":"eve","exp":9999999999}"#);
    let none = part(r#"{"alg":"none"}"#);
    let hs512 = sign_as(Algorithm::HS512, &EncodingKey::from_secret(SECRET), &claims);
    let other =
        sign_as(Algorithm::HS256, &EncodingKey::from_secret(b"another secret of over 32 bytes, yes"), &claims);
    for (token, why) in [
        (String::new(), TokenError::Malformed),
        ("a.b".into(), TokenError::Malformed),
        ("a.b.c".into(), TokenError::Malformed),
        ("....".into(), TokenError::Malformed),
        ("x".repeat(5000), TokenError::Malformed),
        (format!("{header}.{payload}.{signature}"), TokenError::Signature),
        (format!("{signed}."), TokenError::Signature),
        (format!("{none}.{payload}."), TokenError::Algorithm),
        (format!("{}.{payload}.", part(r#"{"alg":"NONE"}"#)), TokenError::Algorithm),
        (format!("{}.{payload}.{signature}", part("{}")), TokenError::Algorithm),
        (format!("{}.{payload}.{signature}", part("{")), TokenError::Malformed),
        (hs512, TokenError::Algorithm),
        (other, TokenError::Signature),
        (format!("{good}A"), TokenError::Signature),
        (format!("{good}.x"), TokenError::Malformed),
    ] {
        let refused = auth().verify(&token).expect_err(&token);
        let same = refused == why || (why == TokenError::Signature && refused == TokenError::Malformed);
        assert!(same, "{token}: {refused:?}, not {why:?}");
    }
    let not_an_object = sign(&json!(["ada"]));
    assert_eq!(auth().verify(&not_an_object), Err(TokenError::Malformed));
}

#[test]
fn public_keys_verify_their_own_algorithm_only() {
    let claims = json!({"sub": "ada", "exp": NOW + 60});
    let ed = sign_as(Algorithm::EdDSA, &EncodingKey::from_ed_der(&private(ED_PRIVATE)), &claims);
    let ec = sign_as(Algorithm::ES256, &EncodingKey::from_ec_der(&private(EC_PRIVATE)), &claims);
    let ed_key = Key::from_pem(ED_PUBLIC).expect("an Ed25519 key");
    let ec_key = Key::from_pem(EC_PUBLIC).expect("a P-256 key");
    let only_ed = auth_with(vec![ed_key.clone()], AuthConfig::default());
    assert!(only_ed.verify(&ed).is_ok());
    assert_eq!(only_ed.verify(&ec), Err(TokenError::Algorithm));
    // The classic confusion: the public key's own bytes as an HMAC secret.
    let confused = sign_as(Algorithm::HS256, &EncodingKey::from_secret(ED_PUBLIC.as_bytes()), &claims);
    assert_eq!(only_ed.verify(&confused), Err(TokenError::Algorithm));
    let rotating = auth_with(vec![secret_key(), ec_key, ed_key], AuthConfig::default());
    for token in [&ed, &ec, &sign(&claims)] {
        assert!(rotating.verify(token).is_ok());
    }
    assert_eq!(only_ed.mint_player(&PlayerId::new("ada").expect("valid"), LEEWAY), None, "it cannot sign");
}

#[test]
fn rotation_tries_each_key_of_the_algorithm() {
    let old = Key::hs256(Secret::new(*b"the old secret, 32 bytes at least")).expect("long enough");
    let both = auth_with(vec![old, secret_key()], AuthConfig::default());
    assert!(both.verify(&sign(&json!({"sub": "ada", "exp": NOW + 60}))).is_ok());
}

#[test]
fn audience_and_issuer_count_when_configured() {
    let config = AuthConfig { audience: Some("waystone".into()), issuer: Some("museum".into()) };
    let strict = auth_with(vec![secret_key()], config);
    for (aud, iss, verdict) in [
        (json!("waystone"), json!("museum"), Ok(())),
        (json!(["x", "waystone"]), json!("museum"), Ok(())),
        (json!("other"), json!("museum"), Err(TokenError::Audience)),
        (json!([]), json!("museum"), Err(TokenError::Audience)),
        (json!(null), json!("museum"), Err(TokenError::Audience)),
        (json!("waystone"), json!("thief"), Err(TokenError::Issuer)),
        (json!("waystone"), json!(null), Err(TokenError::Issuer)),
    ] {
        let token = sign(&json!({"sub": "ada", "exp": NOW + 60, "aud": aud, "iss": iss}));
        assert_eq!(strict.verify(&token).map(|_| ()), verdict, "{aud} {iss}");
        assert!(auth().verify(&token).is_ok(), "not asked for, not checked");
    }
    let player = PlayerId::new("ada").expect("valid");
    let minted = strict.mint_player(&player, Duration::from_secs(60)).expect("signs");
    assert_eq!(strict.verify(&minted).expect("its own token").player, player);
}

#[test]
fn keys_are_checked_and_never_shown() {
    assert_eq!(Key::hs256(Secret::new(*b"short")).map(|_| ()), Err(KeyError::ShortSecret));
    let rsa = "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n-----END PUBLIC KEY-----";
    for pem in ["", "x", rsa, ED_PRIVATE, &ED_PUBLIC.replace("MCow", "MCox"), &EC_PUBLIC.replace("pw==", "")] {
        assert_eq!(Key::from_pem(pem).map(|_| ()), Err(KeyError::UnknownKey), "{pem}");
    }
    let shown = format!("{:?} {:?}", auth(), Secret::new(SECRET));
    assert!(!shown.contains("secret of") && !shown.contains("97, 32"), "{shown}");
}

#[test]
fn secret_compares_all_of_it() {
    let secret = Secret::new(*b"abc");
    assert!(secret.matches(b"abc"));
    for wrong in [&b""[..], b"ab", b"abd", b"abcd", b"ABC"] {
        assert!(!secret.matches(wrong), "{wrong:?}");
    }
}

/// A token that names a key.
fn sign_by(kid: &str, private_key: &str, claims: &Value) -> String {
    let mut header = Header::new(Algorithm::EdDSA);
    header.kid = Some(kid.to_owned());
    let key = EncodingKey::from_ed_der(&private(private_key));
    jsonwebtoken::encode(&header, claims, &key).expect("signs")
}

/// The public half of [`ED_PRIVATE`], as a key set has it.
fn ed_jwk(kid: &str) -> Value {
    let der = STANDARD.decode("MCowBQYDK2VwAyEAx4bqvQmfkIOsTPMLTUqoiT4+Bv9iGox+M3HvJPtN0tQ=").expect("base64");
    json!({"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(&der[12..]), "kid": kid})
}

fn ec_jwk() -> Value {
    let body: String = EC_PUBLIC.lines().filter(|line| !line.starts_with('-')).collect();
    let der = STANDARD.decode(body).expect("base64");
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    json!({"kty": "EC", "crv": "P-256", "x": part(&der[27..59]), "y": part(&der[59..91]), "alg": "ES256", "use": "sig"})
}

#[test]
fn a_key_set_gives_the_keys_that_verify_and_passes_the_others_over() {
    let with = |key: Value, field: &str, value: Value| {
        let mut key = key;
        key[field] = value;
        key
    };
    let rsa = json!({"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "rsa"});
    let set = json!({"keys": [
        rsa, ed_jwk("a"), ec_jwk(), 7, {}, {"kty": "oct", "k": "c2VjcmV0"},
        with(ed_jwk("b"), "use", json!("enc")),
        with(ed_jwk("b"), "key_ops", json!(["sign"])),
        with(ed_jwk("b"), "alg", json!("ES256")),
        with(ed_jwk("b"), "d", json!("c2VjcmV0")),
        with(ed_jwk("b"), "x", json!("AAAA")),
        with(ed_jwk("b"), "x", json!(URL_SAFE_NO_PAD.encode([0; 32]))),
        with(ed_jwk("b"), "crv", json!("X25519")),
        ed_jwk(&"k".repeat(129)),
    ], "more": true});
    let found = jwks::parse(set.to_string().as_bytes()).expect("a set");
    let names: Vec<_> = found.keys.iter().map(|key| (key.algorithm(), key.id().map(KeyId::as_str))).collect();
    assert_eq!(names, [("EdDSA", Some("a")), ("ES256", None)]);
    assert_eq!(found.passed_over, 12);
    let auth = auth_with(found.keys, AuthConfig::default());
    let claims = json!({"sub": "ada", "exp": NOW + 60});
    let ec = sign_as(Algorithm::ES256, &EncodingKey::from_ec_der(&private(EC_PRIVATE)), &claims);
    assert!(auth.verify(&sign_by("a", ED_PRIVATE, &claims)).is_ok() && auth.verify(&ec).is_ok());

    let many = json!({"keys": vec![ed_jwk("a"); 40]}).to_string();
    let found = jwks::parse(many.as_bytes()).expect("a set");
    assert_eq!((found.keys.len(), found.passed_over), (32, 8));
    for (bytes, fault) in [
        ("".to_owned(), jwks::JwksError::Malformed),
        ("[]".to_owned(), jwks::JwksError::Malformed),
        (r#"{"keys":{}}"#.to_owned(), jwks::JwksError::Malformed),
        ("[".repeat(100_000), jwks::JwksError::Malformed),
        (r#"{"keys":[]}"#.to_owned(), jwks::JwksError::NoKeys(0)),
        (r#"{"keys":[{"kty":"RSA"}]}"#.to_owned(), jwks::JwksError::NoKeys(1)),
        (" ".repeat(jwks::BYTES_MAX + 1), jwks::JwksError::TooLarge),
    ] {
        assert_eq!(jwks::parse(bytes.as_bytes()).expect_err("none"), fault);
    }
}

#[test]
fn a_tokens_key_id_chooses_among_keys_and_gives_none_more_power() {
    let claims = json!({"sub": "ada", "exp": NOW + 60});
    let set = |keys: &[Value]| jwks::parse(json!({"keys": keys}).to_string().as_bytes()).expect("a set").keys;
    let known = auth_with(set(&[ed_jwk("a"), ec_jwk()]), AuthConfig::default());
    assert!(known.verify(&sign_by("a", ED_PRIVATE, &claims)).is_ok());
    assert_eq!(known.verify(&sign_by("b", ED_PRIVATE, &claims)), Err(TokenError::Algorithm), "another key's name");
    let unnamed = sign_as(Algorithm::EdDSA, &EncodingKey::from_ed_der(&private(ED_PRIVATE)), &claims);
    assert!(known.verify(&unnamed).is_ok(), "a token need not name its key");
    let from_file = auth_with(vec![Key::from_pem(ED_PUBLIC).expect("a key")], AuthConfig::default());
    assert!(from_file.verify(&sign_by("b", ED_PRIVATE, &claims)).is_ok(), "a file's key has no name");
    // A header that demands what we do not know, or is none.
    let token = sign_by("a", ED_PRIVATE, &claims);
    let (_, rest) = token.split_once('.').expect("three parts");
    for (header, why) in [
        (r#"{"alg":"EdDSA","crit":["b64"],"b64":false}"#, TokenError::Algorithm),
        (r#"{"alg":["EdDSA"]}"#, TokenError::Algorithm),
        (r#"{"alg":"EdDSA","kid":7}"#, TokenError::Algorithm),
        (r#"["EdDSA"]"#, TokenError::Malformed),
    ] {
        assert_eq!(known.verify(&format!("{}.{rest}", part(header))), Err(why), "{header}");
    }
}

#[test]
fn a_file_may_hold_several_keys() {
    let both = format!("{ED_PUBLIC}\n{EC_PUBLIC}");
    let names = |text: &str| Key::all_from_text(text).map(|keys| keys.iter().map(Key::algorithm).collect::<Vec<_>>());
    assert_eq!(names(&both), Ok(vec!["EdDSA", "ES256"]));
    assert_eq!(names(&json!({"keys": [ed_jwk("a")]}).to_string()), Ok(vec!["EdDSA"]));
    assert_eq!(names(&format!("{ED_PUBLIC} and more")), Err(KeyError::UnknownKey));
    assert_eq!(names(""), Err(KeyError::UnknownKey));
    assert_eq!(names(&ED_PUBLIC.repeat(9)), Err(KeyError::ManyKeys));
}
