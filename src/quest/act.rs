//! What a client may ask for: the methods of the wire as one checked type.
//!
//! The wire says `{"rpc":{"method":"quest.answer","data":{...}}}`; `Act::parse` is the only place that knows the
//! names. Promise: an `Act` has passed every check that needs no state, so rules see no empty or endless text.

#![expect(missing_docs, reason = "a variant's sentence speaks of its fields")]

use crate::ids::{QuestId, StepId};
use crate::quest::refusal::Refusal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Longest text that a client may send, in characters: an answer, a name, a line of chat.
pub const TEXT_CHARS_MAX: usize = 280;
/// Longest client command id, in bytes.
pub const COMMAND_ID_BYTES_MAX: usize = 64;

/// A client's own id for a command. A repeat of it gets the same answer and has no second effect.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct CommandId(String);

impl CommandId {
    /// Checks and takes an id: 1 to 64 printable ASCII characters.
    pub fn new(text: &str) -> Result<Self, Refusal> {
        if text.is_empty() || text.len() > COMMAND_ID_BYTES_MAX || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Refusal::bad_request("\"cmd\" must be 1 to 64 printable ASCII characters"));
        }
        Ok(Self(text.to_owned()))
    }

    /// The id's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A step of a quest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepRef {
    /// The quest.
    pub quest: QuestId,
    /// The step.
    pub step: StepId,
}

/// What a client asks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Act {
    /// `quest.start`: my team starts this quest.
    Start { quest: QuestId },
    /// `quest.leave`: my team gives this run up.
    Abandon { quest: QuestId },
    /// `quest.answer`.
    Answer { at: StepRef, text: String },
    /// `quest.scan`.
    Scan { at: StepRef, code: String },
    /// `quest.choose`.
    Choose { at: StepRef, option: String },
    /// `quest.photo`: where the photo was put; Waystone keeps the reference, not the picture.
    Photo { at: StepRef, photo: String },
    /// `quest.hint`: buy the hint of this number, from 0.
    Hint { at: StepRef, hint: u16 },
    /// `team.create`.
    CreateTeam { name: String },
    /// `team.join`, with an invite code.
    JoinTeam { code: String },
    /// `team.leave`.
    LeaveTeam,
    /// `team.say`.
    Say { text: String },
    /// `team.share`: may team-mates see where I am?
    Share { on: bool },
    /// `profile.set`.
    Profile { name: Option<String>, lang: Option<String> },
}

/// The methods of [`Act::parse`], for the documents and for "did you mean".
pub const METHODS: [&str; 13] = [
    "quest.start",
    "quest.leave",
    "quest.answer",
    "quest.scan",
    "quest.choose",
    "quest.photo",
    "quest.hint",
    "team.create",
    "team.join",
    "team.leave",
    "team.say",
    "team.share",
    "profile.set",
];

/// `data` of quest.start and quest.leave.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QuestData {
    /// A client-made id of this command; a repeat gets the same answer.
    pub cmd: Option<String>,
    /// The quest.
    pub quest: QuestId,
}

/// `data` of the calls that act on a step; exactly the field that the method names must be there.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepData {
    /// A client-made id of this command; a repeat gets the same answer.
    pub cmd: Option<String>,
    /// The quest.
    pub quest: QuestId,
    /// The step.
    pub step: StepId,
    /// quest.answer: the answer.
    pub text: Option<String>,
    /// quest.scan: what the code said.
    pub code: Option<String>,
    /// quest.choose: the option's id.
    pub option: Option<String>,
    /// quest.photo: a reference such as a URL.
    pub photo: Option<String>,
    /// quest.hint: which, from 0.
    pub hint: Option<u16>,
}

/// `data` of the team and profile calls.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TeamData {
    /// A client-made id of this command; a repeat gets the same answer.
    pub cmd: Option<String>,
    /// team.create and profile.set: a name.
    pub name: Option<String>,
    /// team.join: the invite code.
    pub code: Option<String>,
    /// team.say: what to say.
    pub text: Option<String>,
    /// team.share: on or off.
    pub on: Option<bool>,
    /// profile.set: a language tag.
    pub lang: Option<String>,
}

impl Act {
    /// From a method and its data. `Ok(None)`: the method is none of ours.
    pub fn parse(method: &str, data: &str) -> Result<Option<(Option<CommandId>, Self)>, Refusal> {
        let parsed = match method {
            "quest.start" | "quest.leave" => {
                let data: QuestData = decode(data)?;
                let quest = data.quest;
                let act = if method == "quest.start" { Self::Start { quest } } else { Self::Abandon { quest } };
                (data.cmd, act)
            }
            "quest.answer" | "quest.scan" | "quest.choose" | "quest.photo" | "quest.hint" => {
                let data: StepData = decode(data)?;
                let at = StepRef { quest: data.quest, step: data.step };
                let act = match method {
                    "quest.answer" => Self::Answer { at, text: text("text", data.text)? },
                    "quest.scan" => Self::Scan { at, code: text("code", data.code)? },
                    "quest.choose" => Self::Choose { at, option: text("option", data.option)? },
                    "quest.photo" => Self::Photo { at, photo: text("photo", data.photo)? },
                    _ => Self::Hint { at, hint: need("hint", data.hint)? },
                };
                (data.cmd, act)
            }
            "team.create" | "team.join" | "team.leave" | "team.say" | "team.share" | "profile.set" => {
                let data: TeamData = decode(if data.is_empty() { "{}" } else { data })?;
                let act = match method {
                    "team.create" => Self::CreateTeam { name: text("name", data.name)? },
                    "team.join" => Self::JoinTeam { code: text("code", data.code)? },
                    "team.leave" => Self::LeaveTeam,
                    "team.say" => Self::Say { text: text("text", data.text)? },
                    "team.share" => Self::Share { on: need("on", data.on)? },
                    _ => Self::Profile {
                        name: data.name.map(|name| text("name", Some(name))).transpose()?,
                        lang: data.lang.map(|lang| text("lang", Some(lang))).transpose()?,
                    },
                };
                (data.cmd, act)
            }
            _ => return Ok(None),
        };
        let (cmd, act) = parsed;
        Ok(Some((cmd.as_deref().map(CommandId::new).transpose()?, act)))
    }
}

fn decode<'de, T: Deserialize<'de>>(data: &'de str) -> Result<T, Refusal> {
    serde_json::from_str(data).map_err(|err| Refusal::bad_request(&format!("data: {err}")))
}

fn need<T>(field: &str, value: Option<T>) -> Result<T, Refusal> {
    value.ok_or_else(|| Refusal::bad_request(&format!("data: missing field `{field}`")))
}

fn text(field: &str, value: Option<String>) -> Result<String, Refusal> {
    let value = need(field, value)?;
    let trimmed = value.trim();
    if trimmed.is_empty() || trimmed.chars().count() > TEXT_CHARS_MAX || trimmed.chars().any(char::is_control) {
        return Err(Refusal::bad_request(&format!(
            "data: `{field}` must be 1 to {TEXT_CHARS_MAX} characters without control characters"
        )));
    }
    Ok(trimmed.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn act_refuses_what_no_rule_should_see() {
        let long = format!(r#"{{"name":"{}"}}"#, "x".repeat(281));
        for (method, data) in [
            ("quest.start", "{}"),
            ("quest.start", r#"{"quest":"a b"}"#),
            ("quest.start", r#"{"quest":"a","step":"b"}"#),
            ("quest.answer", r#"{"quest":"a","step":"b"}"#),
            ("quest.answer", r#"{"quest":"a","step":"b","text":"  "}"#),
            ("quest.answer", r#"{"quest":"a","step":"b","text":"\u0000"}"#),
            ("quest.hint", r#"{"quest":"a","step":"b","hint":-1}"#),
            ("team.share", r#"{"on":"yes"}"#),
            ("team.create", long.as_str()),
            ("team.leave", r#"{"cmd":""}"#),
            ("team.leave", "[]"),
        ] {
            assert!(Act::parse(method, data).is_err(), "{method} {data} was taken");
        }
        assert_eq!(Act::parse("team.fly", "{}"), Ok(None));
    }

    #[test]
    fn every_listed_method_is_known_to_parse() {
        for method in METHODS {
            assert_ne!(Act::parse(method, "{}"), Ok(None), "{method}");
        }
    }
}
