//! What was ever stored is read for ever: samples of every form lie in `tests/data/journal`, and are never changed.
//!
//! A new variant of a fact or notice fails here until a sample of it is added; a renamed or removed one fails for good.

use super::*;
use crate::quest::event::{PlayerEvent, RegionEvent, TeamEvent};
use crate::quest::notice::What;
use crate::units::Meters;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeSet;

/// Form 1: an entity and its entry on each line.
const ENTRIES_V1: &str = include_str!("../../../tests/data/journal/entries.v1.jsonl");

fn samples() -> impl Iterator<Item = Value> {
    ENTRIES_V1.lines().map(|line| serde_json::from_str(line).expect("a line of JSON"))
}

/// The variants of an enum, from what serde says when it is given none of them.
fn variants<T: DeserializeOwned>(none: &Value) -> BTreeSet<String> {
    let Err(err) = serde_json::from_value::<T>(none.clone()) else { panic!("{none} was taken") };
    let text = err.to_string();
    let (_, names) = text.split_once("expected").expect("it lists them");
    names.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The variants of the facts of one kind among the samples.
fn facts(kind: &str) -> BTreeSet<String> {
    let facts = samples().flat_map(|sample| sample["entry"]["events"].as_array().cloned().unwrap_or_default());
    facts
        .filter_map(|fact| match &fact[kind] {
            Value::String(name) => Some(name.clone()),
            Value::Object(fact) => fact.keys().next().cloned(),
            _ => None,
        })
        .collect()
}

#[test]
fn old_entries_are_still_read_and_mean_the_same() {
    for sample in samples() {
        let entity: EntityId = serde_json::from_value(sample["entity"].clone()).expect("an entity");
        let seq = sample["entry"]["seq"].as_u64().expect("a number");
        let payload = serde_json::to_vec(&sample["entry"]).expect("JSON");
        let entry = decode(&entity, 1, seq, 1, &payload).unwrap_or_else(|err| panic!("{err}: {sample}"));
        let again: Value = serde_json::from_slice(&encode(&entry)).expect("JSON");
        assert_eq!(again, sample["entry"], "it would be written otherwise than it was read");
    }
}

#[test]
fn there_is_a_sample_of_every_fact_and_notice() {
    let none = Value::from("none-of-them");
    assert_eq!(facts("player"), variants::<PlayerEvent>(&none));
    assert_eq!(facts("team"), variants::<TeamEvent>(&none));
    assert_eq!(facts("region"), variants::<RegionEvent>(&none));
    let notices = samples().flat_map(|sample| sample["entry"]["notices"].as_array().cloned().unwrap_or_default());
    let notices: BTreeSet<String> = notices.filter_map(|notice| notice["type"].as_str().map(str::to_owned)).collect();
    assert_eq!(notices, variants::<What>(&serde_json::json!({ "type": "none-of-them" })));
}

#[test]
fn fractions_come_back_exactly() {
    let mut fraction = 0.1_f64;
    for _ in 0..1000 {
        fraction = (fraction * 997.13).fract();
        let stored = serde_json::to_vec(&Meters::lossy(fraction)).expect("a number");
        let read: Meters = serde_json::from_slice(&stored).expect("a number");
        assert_eq!(read.get().to_bits(), fraction.to_bits(), "{fraction} came back as {read:?}");
    }
}
