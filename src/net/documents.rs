//! `docs/protocol.md` is a promise to client developers: what the code knows must stand in it.

use super::close::CLOSES;
use super::problem::MEANINGS;
use super::protocol;
use super::wake::WakeData;
use crate::actors::contract::{FixReply, Wake};
use crate::quest::act::{METHODS, QuestData, StepData, TeamData};
use crate::quest::notice::Notice;
use crate::quest::refusal::{CODES, Refusal};

const DOCUMENT: &str = include_str!("../../docs/protocol.md");

fn row(start: &str) -> &'static str {
    let row = DOCUMENT.lines().find(|line| line.starts_with(start));
    row.unwrap_or_else(|| panic!("docs/protocol.md has no row that starts with {start}"))
}

#[test]
fn every_refusal_stands_in_the_document() {
    for (code, name, temporary) in CODES {
        let row = row(&format!("| {code} | `{name}` |"));
        assert_eq!(row.contains("| yes |"), *temporary, "{row}");
    }
    assert!(row("| 108 |").contains("`not_available`"));
}

#[test]
fn every_close_code_stands_in_the_document() {
    for close in CLOSES {
        let row = row(&format!("| {} | {} |", close.code, close.reason));
        assert_eq!(row.contains("| yes |"), close.reconnect(), "{row}");
    }
}

#[test]
fn every_status_of_an_error_stands_in_the_document() {
    for (status, ..) in MEANINGS {
        row(&format!("| {status} | "));
    }
}

#[test]
fn every_method_stands_in_the_document() {
    for method in METHODS.iter().chain(&protocol::OWN_METHODS) {
        row(&format!("| `{method}` |"));
    }
}

#[test]
fn every_notice_stands_in_the_document() {
    let schema = schemars::schema_for!(Notice).to_value();
    let kinds = schema["oneOf"].as_array().expect("a choice of notices");
    assert!(kinds.len() > 15);
    for kind in kinds {
        let name = kind["properties"]["type"]["const"].as_str().expect("a tag");
        row(&format!("| `{name}` |"));
    }
}

#[test]
fn document_knows_no_code_that_the_server_does_not() {
    let numbers = DOCUMENT.lines().filter_map(|line| line.strip_prefix("| ")?.split(' ').next()?.parse::<u32>().ok());
    for number in numbers {
        let known = number == 108
            || CODES.iter().any(|(code, ..)| *code == number)
            || MEANINGS.iter().any(|(status, ..)| u32::from(*status) == number)
            || CLOSES.iter().any(|close| u32::from(close.code) == number);
        assert!(known, "docs/protocol.md has {number}");
    }
}

/// What goes over the wire, as the code has it; only for the schema.
#[derive(schemars::JsonSchema)]
#[expect(dead_code, reason = "its schema is what is wanted")]
struct Wire {
    /// What a player is told, on the player's own channel.
    notice: Notice,
    /// Why something was not done.
    error: Refusal,
    /// `data` of quest.start and quest.leave.
    quest_data: QuestData,
    /// `data` of the calls that act on a step.
    step_data: StepData,
    /// `data` of the team and profile calls.
    team_data: TeamData,
    /// `data` of wake.
    wake_data: WakeData,
    /// The reply of wake, and of `GET /v1/wake`.
    wake: Wake,
    /// The reply of fix and fixes.
    fix_reply: FixReply,
}

#[test]
fn types_on_disk_are_those_of_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/protocol.schema.json");
    let schema = serde_json::to_string_pretty(&schemars::schema_for!(Wire)).expect("a schema is JSON") + "\n";
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(path, &schema).expect("the file can be written");
    }
    let on_disk = std::fs::read_to_string(path).unwrap_or_default();
    assert!(on_disk == schema, "docs/protocol.schema.json is old: UPDATE_SCHEMA=1 cargo test --lib types_on_disk");
}
