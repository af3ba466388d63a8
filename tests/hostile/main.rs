//! What strangers may send, without a fuzzer: the corpora in `fuzz/corpus`, and some seconds of chance about each.
//!
//! The promises that are held are those of `waystone::net::hostile` and of `targets`.

mod targets;

use std::path::Path;
use waystone::net::hostile;
use waystone_kit::corpus;

/// Chances for each kept input.
const CHANGES: usize = 400;

/// `WAYSTONE_CHANCES=1000` makes a thousand times as many: for who has an hour and no fuzzer.
#[expect(clippy::disallowed_methods, reason = "how long somebody looks is no configuration of the server")]
fn times() -> usize {
    std::env::var("WAYSTONE_CHANCES").map_or(1, |times| times.parse().expect("a number"))
}

fn replay(name: &str, changes: usize, target: fn(&[u8])) {
    corpus::replay(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name), changes * times(), target);
}

#[test]
fn heads_are_judged_the_same_in_pieces() {
    replay("head", CHANGES, hostile::head);
}

#[test]
fn frames_end_with_a_code_that_is_documented() {
    replay("frames", CHANGES, hostile::frames);
}

#[test]
fn commands_are_taken_or_refused_in_a_line() {
    replay("commands", CHANGES, hostile::commands);
}

#[test]
fn no_text_is_a_token_of_ours() {
    replay("tokens", CHANGES, hostile::tokens);
}

#[test]
fn a_key_set_makes_no_token_better_than_its_signature() {
    replay("jwks", CHANGES, hostile::jwks);
}

#[test]
fn posts_are_read_as_far_as_they_can_be() {
    replay("posts", CHANGES, hostile::posts);
}

#[test]
fn quest_files_are_published_or_reported() {
    replay("quest", CHANGES / 10, targets::quest);
}
