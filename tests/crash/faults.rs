//! The story of the planted faults: a folder that a game has left is damaged in one place, and `waystone verify`
//! must find the place. A check that finds nothing in a sound folder proves little; one that finds these does.

use crate::ground::Ground;
use crate::home::no_message_waits;
use crate::party::Parties;
use crate::plant::{Plant, Row};
use crate::server::{Folder, Server, Start, say};
use serde_json::{Value, json};
use std::process::Output;
use std::time::Duration;

/// How long two teams may take for one lap.
const FINISH: Duration = Duration::from_secs(90);
/// What `waystone verify` ends with when there are differences.
const DIFFERENT: i32 = 3;

/// A fault: its name, how it is planted, and which check must speak. Planting says whose stream must be named.
type Fault = (&'static str, fn(&mut Plant) -> String, &'static str);

const FAULTS: &[Fault] = &[
    ("an entry in the middle is gone", entry_gone, "sequence"),
    ("an award is given a second time", award_twinned, "award"),
    ("a player's points for a step are raised", points_raised, "credit"),
    ("a team's points for a step are raised", team_raised, "points"),
    ("more stock is given than there is", stock_oversold, "stock"),
    ("a player's credit for a step is dropped", credit_dropped, "missing"),
    ("a badge is slipped in", badge_slipped_in, "award"),
    ("the offsets of a shard have a hole", offset_moved, "offsets"),
    ("an entry names a message that nobody sent", cause_forged, "unsent"),
    ("the last thing that a player heard is forgotten", hearing_forgotten, "lost"),
    ("a step is done by one who was not there", doer_swapped, "by"),
    ("an entry is not what was ever written", entry_garbled, "unreadable"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verify_finds_every_planted_fault_and_none_in_a_sound_folder() {
    let folder = Folder::new("sound");
    let how = Start::on_free_port(0);
    let ground = Ground::new(&folder.data(), how.port);
    let server = Server::start(&folder, how).await;
    let parties = Parties::set_out(&ground, 2);
    parties.finish(FINISH).await.unwrap_or_else(|stopped| panic!("a chain has stopped: {stopped}"));
    no_message_waits(&folder).await;
    server.stop().await;

    let sound = folder.verify().await;
    assert_eq!(sound.status.code(), Some(0), "the sound folder was to be found sound: {sound:?}");
    assert_eq!(verdict(&sound)["pending"], 0, "nothing was to be under way: {sound:?}");
    each_award_has_its_reason(&folder, ground.records()[0].player.as_str()).await;
    for (name, plant, check) in FAULTS {
        let damaged = folder.copy("damaged");
        let mut planting = Plant::open(&damaged.data()).await;
        let entity = plant(&mut planting);
        planting.done().await;
        let found = damaged.verify().await;
        let differences = verdict(&found)["differences"].clone();
        assert_eq!(found.status.code(), Some(DIFFERENT), "{name}: `verify` was to end with 3: {found:?}");
        let named = |difference: &Value| difference["entity"] == entity.as_str() && difference["check"] == *check;
        let is_named = differences.as_array().is_some_and(|all| all.iter().any(named));
        assert!(is_named, "{name}: \"{check}\" was to speak of {entity}, not {differences}");
        say(&format!("found: {name} ({check} of {entity})"));
    }
}

/// `waystone why` tells where the fences saw a player, on what evidence, and what followed; and where no one was.
async fn each_award_has_its_reason(folder: &Folder, player: &str) {
    let told = folder.why(player).await;
    assert_eq!(told.status.code(), Some(0), "{told:?}");
    let text = String::from_utf8_lossy(&told.stdout).into_owned();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON lines")).collect();
    let said = |start: &str| -> Vec<&Value> {
        lines.iter().filter(|line| line["what"].as_str().is_some_and(|what| what.starts_with(start))).collect()
    };
    assert!(!said("came to").is_empty() && !said("team completed").is_empty(), "{text}");
    for came in said("came to") {
        let asked = came["why"]["threshold"].as_f64().unwrap_or(1.0);
        assert!(came["why"]["probability"].as_f64().is_some_and(|probability| probability >= asked), "{came}");
    }
    assert_eq!(folder.why("nobody-of-that-name").await.status.code(), Some(1));
}

fn verdict(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|err| panic!("`verify` was to print JSON ({err}): {output:?}"))
}

fn entry_gone(plant: &mut Plant) -> String {
    let last = plant.last(|row| row.is_player());
    let middle = plant.find(|row| row.name() == last.name() && row.seq == last.seq / 2);
    plant.delete(&middle);
    middle.name()
}

fn award_twinned(plant: &mut Plant) -> String {
    let mut twin = plant.find(|row| row.is_player() && row.event("player", "step_completed", earned).is_some());
    twin.entry["cause"] = Value::Null;
    plant.append(twin)
}

fn points_raised(plant: &mut Plant) -> String {
    let mut row = plant.find(|row| row.is_player() && row.event("player", "step_completed", earned).is_some());
    let at = row.event("player", "step_completed", earned).expect("found by it");
    row.entry["events"][at]["player"]["step_completed"]["points"] = json!(1_000);
    plant.rewrite(&row)
}

fn team_raised(plant: &mut Plant) -> String {
    let mut row = plant.find(|row| row.event("team", "step_completed", |_| true).is_some());
    let at = row.event("team", "step_completed", |_| true).expect("found by it");
    row.entry["events"][at]["team"]["step_completed"]["points"] = json!(1_000);
    plant.rewrite(&row)
}

fn stock_oversold(plant: &mut Plant) -> String {
    let mut row = plant.last(|row| row.event("region", "stock_given", |_| true).is_some());
    let at = row.event("region", "stock_given", |_| true).expect("found by it");
    row.entry["events"][at]["region"]["stock_given"]["number"] = json!(99);
    plant.rewrite(&row)
}

fn credit_dropped(plant: &mut Plant) -> String {
    let mut row = plant.find(|row| row.is_player() && row.event("player", "step_completed", earned).is_some());
    let at = row.event("player", "step_completed", earned).expect("found by it");
    row.entry["events"].as_array_mut().expect("a list").remove(at);
    row.entry["awards"] = json!([]);
    plant.rewrite(&row)
}

fn badge_slipped_in(plant: &mut Plant) -> String {
    let mut row = plant.last(Row::is_player);
    let badge = json!({ "player": { "badge_given": { "quest": "sprint", "badge": "emperor" } } });
    row.entry["events"].as_array_mut().expect("a list").push(badge);
    plant.rewrite(&row)
}

fn offset_moved(plant: &mut Plant) -> String {
    let row = plant.last(Row::is_player);
    plant.move_offset(&row, 5);
    row.name()
}

fn cause_forged(plant: &mut Plant) -> String {
    let mut row = plant.last(|row| row.is_player() && row.hears().is_some());
    row.entry["cause"]["message"]["seq"] = json!(100_000);
    plant.rewrite(&row)
}

/// The sender is named: it is its message that was lost.
fn hearing_forgotten(plant: &mut Plant) -> String {
    let row = plant.last(|row| row.is_player() && row.hears().is_some());
    let sender = row.hears().expect("found by it");
    // All that came after it goes too, or the hole would be what is found.
    while let Some(after) = plant.try_last(|later| later.name() == row.name() && later.seq >= row.seq) {
        plant.delete(&after);
    }
    sender
}

fn doer_swapped(plant: &mut Plant) -> String {
    let by_someone = |fact: &Value| fact["by"].as_array().is_some_and(|by| !by.is_empty());
    let mut row = plant.find(|row| row.event("team", "step_completed", by_someone).is_some());
    let at = row.event("team", "step_completed", by_someone).expect("found by it");
    row.entry["events"][at]["team"]["step_completed"]["by"] = json!(["a-stranger"]);
    plant.rewrite(&row)
}

fn entry_garbled(plant: &mut Plant) -> String {
    let mut row = plant.find(Row::is_player);
    row.entry = json!("?");
    plant.rewrite(&row)
}

fn earned(fact: &Value) -> bool {
    fact["mine"] == true && fact["points"].as_i64() > Some(0)
}
