//! `docs/protocol.md` is a promise to client developers: what the code knows must stand in it.

use super::auth::Role;
use super::close::CLOSES;
use super::fix::{RawBatch, RawFix};
use super::problem::MEANINGS;
use super::protocol;
use super::protocol::ConnectData;
use super::rules::{RULES, Who};
use super::wake::WakeData;
use crate::actors::contract::{BoardLive, FixReply, MapLive, TeamLive, Wake};
use crate::geo::plausibility::{AGE_MAX, FUTURE_MAX};
use crate::quest::act::{METHODS, QuestData, StepData, TeamData};
use crate::quest::notice::Notice;
use crate::quest::refusal::{CODES, Refusal};
use crate::quest::replies::{Answered, Empty, HintBought, Joined, PhotoTaken, Started};
use crate::quest::view::StateView;
use schemars::generate::SchemaSettings;
use serde_json::Value;

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

#[test]
fn every_address_stands_in_the_document_with_whose_it_is() {
    // HEAD is GET without the body.
    for rule in RULES.iter().filter(|rule| rule.method != "HEAD") {
        let path = rule.path.replace(":.*", "");
        let who = match (rule.who, rule.who.roles()) {
            (Who::All, _) | (_, None) => "all".to_owned(),
            (Who::Cookie(_), Some(roles)) => format!("the console's cookie: {}", names(roles)),
            (_, Some(roles)) => names(roles),
        };
        row(&format!("| `{} {path}` | {who} |", rule.method));
    }
}

fn names(roles: &[Role]) -> String {
    if roles.len() == Role::ALL.len() {
        return "every role".to_owned();
    }
    roles.iter().map(|role| role.name()).collect::<Vec<_>>().join(", ")
}

#[test]
fn every_role_stands_in_the_document() {
    for role in Role::ALL {
        row(&format!("| `{}` |", role.name()));
    }
}

/// What a client sends, as the code reads it; only for the schema.
#[derive(schemars::JsonSchema)]
#[expect(dead_code, reason = "its schema is what is wanted")]
struct Sent<'a> {
    /// `data` of connect; other fields are passed over.
    connect_data: ConnectData,
    /// `data` of fix, and what `{"send":{"data":{"fix":...}}}` bears.
    fix: RawFix,
    /// `data` of fixes.
    fixes: RawBatch<'a>,
    /// `data` of quest.start and quest.leave.
    quest_data: QuestData,
    /// `data` of the calls that act on a step.
    step_data: StepData,
    /// `data` of the team and profile calls.
    team_data: TeamData,
    /// `data` of wake.
    wake_data: WakeData,
}

/// What a server says, as the code writes it; only for the schema.
#[derive(schemars::JsonSchema)]
#[expect(dead_code, reason = "its schema is what is wanted")]
struct Said<'a> {
    /// What a player is told, on the player's own channel.
    notice: Notice,
    /// Why something was not done.
    error: Refusal,
    /// The reply of fix and fixes.
    fix_reply: FixReply,
    /// The reply of state.get.
    state: StateView,
    /// The reply of wake, and of `GET /v1/wake`.
    wake: Wake,
    /// The replies of the commands.
    replies: Replies<'a>,
    /// The content of `team:<id>`.
    team_live: TeamLive,
    /// The content of `map:<west>,<south>,<east>,<north>`.
    map_live: MapLive,
    /// The content of `board:<quest>`.
    board_live: BoardLive,
}

/// What each command is answered.
#[derive(schemars::JsonSchema)]
#[expect(dead_code, reason = "its schema is what is wanted")]
struct Replies<'a> {
    #[schemars(rename = "quest.start")]
    start: Started<'a>,
    #[schemars(rename = "quest.leave")]
    abandon: Empty,
    #[schemars(rename = "quest.answer")]
    answer: Answered,
    #[schemars(rename = "quest.scan")]
    scan: Empty,
    #[schemars(rename = "quest.choose")]
    choose: Empty,
    #[schemars(rename = "quest.photo")]
    photo: PhotoTaken,
    #[schemars(rename = "quest.hint")]
    hint: HintBought,
    #[schemars(rename = "team.create")]
    create: Joined<'a>,
    #[schemars(rename = "team.join")]
    join: Joined<'a>,
    #[schemars(rename = "team.leave")]
    leave: Empty,
    #[schemars(rename = "team.say")]
    say: Empty,
    #[schemars(rename = "team.share")]
    share: Empty,
    #[schemars(rename = "profile.set")]
    profile: Empty,
}

/// Both in one document. What is sent is described as it is read (what has a default may be missing), what is said as
/// it is written (what is always there is required).
fn schema() -> Value {
    let draft = SchemaSettings::draft2020_12;
    let mut whole = draft().for_serialize().into_generator().into_root_schema_for::<Said<'_>>().to_value();
    let sent = draft().for_deserialize().into_generator().into_root_schema_for::<Sent<'_>>().to_value();
    for part in ["properties", "$defs"] {
        for (name, schema) in sent[part].as_object().expect("an object") {
            let known = whole[part].as_object_mut().expect("an object").insert(name.clone(), schema.clone());
            assert!(known.is_none_or(|known| known == *schema), "{name} is sent and said in different forms");
        }
    }
    let required = sent["required"].as_array().expect("a list").clone();
    whole["required"].as_array_mut().expect("a list").extend(required);
    whole["title"] = "Wire".into();
    whole["description"] = "What goes over the wire, as the code has it.".into();
    whole
}

#[test]
fn every_command_has_a_reply_in_the_schema() {
    let replies = schema()["$defs"]["Replies"]["properties"].as_object().expect("an object").clone();
    assert!(METHODS.iter().all(|method| replies.contains_key(*method)) && replies.len() == METHODS.len());
}

#[test]
fn every_reason_of_an_ignored_fix_stands_in_the_document() {
    for reason in schema()["$defs"]["WhyIgnored"]["oneOf"].as_array().expect("a choice") {
        let (code, meaning) = (reason["const"].as_str(), reason["description"].as_str());
        let row = format!("| `{}` | {} |", code.expect("a code"), meaning.expect("a sentence"));
        assert!(DOCUMENT.contains(&row), "docs/protocol.md lacks {row}");
    }
}

#[test]
fn limits_of_fixes_stand_in_the_document() {
    for (what, limit) in [("ahead of the server", FUTURE_MAX), ("age of a fix", AGE_MAX)] {
        let row = DOCUMENT.lines().find(|line| line.starts_with("| ") && line.contains(what));
        let row = row.unwrap_or_else(|| panic!("docs/protocol.md has no limit \"{what}\""));
        let told = if limit.as_secs() < 60 {
            format!("{} s", limit.as_secs())
        } else {
            format!("{} min", limit.as_secs() / 60)
        };
        assert!(row.contains(&told), "{row}");
    }
}

#[test]
fn types_on_disk_are_those_of_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/protocol.schema.json");
    let schema = serde_json::to_string_pretty(&schema()).expect("a schema is JSON") + "\n";
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(path, &schema).expect("the file can be written");
    }
    let on_disk = std::fs::read_to_string(path).unwrap_or_default();
    assert!(on_disk == schema, "docs/protocol.schema.json is old: UPDATE_SCHEMA=1 cargo test --lib types_on_disk");
}
