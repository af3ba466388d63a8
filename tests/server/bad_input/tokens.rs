//! Tokens.

use super::{Answer, Case, Who, line};
use crate::harness::{SECRET, TestServer, sign, sign_with};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

const INVALID: Answer = Answer::Close(3500);

pub fn cases(server: &TestServer) -> Vec<Case> {
    let now = server.clock.now().as_millis() / 1000;
    let good = server.claims("cy");
    let with = |claim: &str, value: Value| {
        let mut claims = good.clone();
        claims[claim] = value;
        sign(&claims)
    };
    let without = |claim: &str| {
        let mut claims = good.clone();
        claims.as_object_mut().expect("an object").remove(claim);
        sign(&claims)
    };
    let raw = |header: Value, claims: &Value, signature: &str| {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.{signature}", part(&header), part(claims))
    };
    let signed = sign(&good);
    let signature = signed.rsplit_once('.').expect("three parts").1;
    let head = json!({ "alg": "HS256", "typ": "JWT" });
    let mut operator = good.clone();
    operator["role"] = json!("operator");
    let tokens = [
        ("none", String::new(), INVALID),
        ("garbage", "garbage".to_owned(), INVALID),
        ("two parts", signed.rsplit_once('.').expect("three parts").0.to_owned(), INVALID),
        ("four parts", format!("{signed}.x"), INVALID),
        ("5,000 letters", "x".repeat(5_000), INVALID),
        ("no exp", without("exp"), INVALID),
        ("exp as a text", with("exp", json!((now + 3600).to_string())), INVALID),
        ("exp with a fraction", with("exp", json!(4e9 + 0.5)), INVALID),
        ("exp null", with("exp", Value::Null), INVALID),
        ("exp without bound", with("exp", json!(i64::MAX)), INVALID),
        ("expired", with("exp", json!(now - 3600)), Answer::Error(109)),
        ("expired six seconds ago", with("exp", json!(now - 6)), Answer::Error(109)),
        ("alg none", raw(json!({ "alg": "none" }), &good, ""), INVALID),
        ("alg None with our signature", raw(json!({ "alg": "None" }), &good, signature), INVALID),
        ("alg of a public key", raw(json!({ "alg": "ES256" }), &good, signature), INVALID),
        ("no alg", raw(json!({ "typ": "JWT" }), &good, signature), INVALID),
        ("another key", sign_with(Algorithm::HS256, &[7; 32], &good), INVALID),
        ("HS512 with our key", sign_with(Algorithm::HS512, &SECRET, &good), INVALID),
        ("claims changed after signing", raw(head.clone(), &operator, signature), INVALID),
        ("claims that are a list", sign(&json!([1, 2])), INVALID),
        ("no sub", without("sub"), INVALID),
        ("sub as a number", with("sub", json!(7)), INVALID),
        ("an empty sub", with("sub", json!("")), INVALID),
        ("a sub with a space", with("sub", json!("a b")), INVALID),
        ("a sub with a slash", with("sub", json!("../cy")), INVALID),
        ("a sub with a letter beyond ASCII", with("sub", json!("äiti")), INVALID),
        ("a sub of 97 letters", with("sub", json!("x".repeat(97))), INVALID),
        ("nbf in the future", with("nbf", json!(now + 60)), INVALID),
        ("nbf as a text", with("nbf", json!("now")), INVALID),
        ("an unknown role", with("role", json!("admin")), INVALID),
    ];
    tokens
        .into_iter()
        .map(|(name, token, answer)| {
            let connect = json!({ "id": 2, "connect": { "token": token } }).to_string();
            line(&format!("token: {name}"), Who::Socket, &connect, answer)
        })
        .collect()
}
