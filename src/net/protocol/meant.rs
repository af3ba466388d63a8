//! What a client may have meant by a method that does not exist.

use super::OWN_METHODS;
use crate::quest::act::METHODS;
use crate::quest::refusal::Refusal;

/// For an unknown method, with the nearest known one.
pub(in crate::net) fn unknown_method(method: &str) -> Refusal {
    let known = OWN_METHODS.iter().chain(&METHODS);
    // As much as half of a name may be wrong, so a short name is not the nearest to everything that is short.
    let meant =
        known.map(|name| (distance(method, name), *name)).filter(|(far, name)| *far <= (name.len() / 2).max(2));
    match meant.min() {
        Some((_, name)) => Refusal::method_not_found(&format!("no such method; did you mean \"{name}\"?")),
        None => Refusal::method_not_found("no such method; the methods are listed in docs/protocol.md"),
    }
}

/// Edits between two short texts (Levenshtein); long ones are as far as they are long.
fn distance(a: &str, b: &str) -> usize {
    if a.len() > 40 {
        return a.len();
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
