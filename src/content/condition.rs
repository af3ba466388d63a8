//! Conditions as written: `gather`, or `{ all: [statues, { points: 100 }] }`, or `{ step: side, chose: light }`.
//!
//! Read by hand, not as an untagged enum, so that a wrong one is told what its choices were.
//! Promise: a condition has exactly one meaning; two keys that would each be one are refused.

use super::spot::At;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;
use std::fmt;

const HELP: &str = "a step's id, or one of { all: [...] }, { any: [...] }, { not: ... }, { points: 100 }, { step: side, chose: light }";
const KEYS: &[&str] = &["all", "any", "not", "points", "step", "chose"];

/// Something that must hold.
#[derive(Debug)]
pub enum Condition {
    /// A step is done.
    Done(String),
    /// The team has so many points.
    Points(u32),
    /// The team chose this option in that step.
    Chose {
        /// The step.
        step: At<String>,
        /// The option.
        option: At<String>,
    },
    /// All of these.
    All(Vec<At<Condition>>),
    /// At least one of these.
    Any(Vec<At<Condition>>),
    /// Not this.
    Not(Box<At<Condition>>),
}

impl Condition {
    /// The conditions right below this one.
    pub(super) fn parts(&self) -> &[At<Condition>] {
        match self {
            Self::All(parts) | Self::Any(parts) => parts,
            Self::Not(part) => std::slice::from_ref(part),
            Self::Done(_) | Self::Points(_) | Self::Chose { .. } => &[],
        }
    }
}

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Condition;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HELP)
    }

    fn visit_str<E: Error>(self, step: &str) -> Result<Condition, E> {
        Ok(Condition::Done(step.to_owned()))
    }

    // A step may be called `7`, which YAML takes for a number.
    fn visit_u64<E: Error>(self, step: u64) -> Result<Condition, E> {
        Ok(Condition::Done(step.to_string()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Condition, A::Error> {
        let (mut found, mut step, mut chose) = (None, None, None);
        let mut keys = 0;
        while let Some(key) = map.next_key::<String>()? {
            let joint = matches!(key.as_str(), "step" | "chose") && (step.is_some() || chose.is_some());
            keys += usize::from(!joint);
            if keys > 1 {
                return Err(A::Error::custom(format_args!(
                    "a condition has one meaning; `{key}` is a second: {HELP}"
                )));
            }
            match key.as_str() {
                "all" => found = Some(Condition::All(map.next_value()?)),
                "any" => found = Some(Condition::Any(map.next_value()?)),
                "not" => found = Some(Condition::Not(Box::new(map.next_value()?))),
                "points" => found = Some(Condition::Points(map.next_value()?)),
                "step" => step = Some(map.next_value::<At<String>>()?),
                "chose" => chose = Some(map.next_value::<At<String>>()?),
                other => return Err(A::Error::unknown_field(other, KEYS)),
            }
        }
        match (found, step, chose) {
            (Some(condition), None, None) => Ok(condition),
            (None, Some(step), Some(option)) => Ok(Condition::Chose { step, option }),
            (None, Some(step), None) => Ok(Condition::Done(step.value)),
            _ => Err(A::Error::custom(format_args!("a condition is {HELP}"))),
        }
    }
}

impl JsonSchema for Condition {
    fn schema_name() -> Cow<'static, str> {
        "Condition".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let inner = generator.subschema_for::<Self>();
        let one = |key: &str, value: serde_json::Value| {
            serde_json::json!({
                "type": "object", "required": [key], "additionalProperties": false, "properties": { key: value }
            })
        };
        let list = serde_json::json!({ "type": "array", "minItems": 1, "items": inner });
        json_schema!({
            "description": HELP,
            "anyOf": [
                { "type": ["string", "integer"] },
                one("all", list.clone()),
                one("any", list),
                one("not", inner.to_value()),
                one("points", serde_json::json!({ "type": "integer", "minimum": 0 })),
                {
                    "type": "object", "required": ["step"], "additionalProperties": false,
                    "properties": { "step": { "type": "string" }, "chose": { "type": "string" } }
                }
            ]
        })
    }
}
