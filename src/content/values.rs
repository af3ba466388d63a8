//! The small values of a quest file that have a notation of their own: `60s`, `15m`, `2026-06-01`, texts in languages,
//! outlines of places.
//!
//! Each reads itself, so a mistake is reported at its own line and column, with the notation that was expected.
//! Promise: none of them is an untagged enum, whose errors would say only that nothing matched.

use super::spot::At;
use crate::window::Day;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// A length of time such as `60s`, `2m`, `1h30m`, `30d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

/// A length on the ground in metres: a number, or a number with its unit such as `15m` or `1.2km`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Length(pub f64);

/// A day such as `2026-06-01`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Date(pub Day);

/// A text for people: one string for every language, or one string for each language.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Words(pub BTreeMap<String, String>);

/// A number or a list of further ones: the corners of a polygon, as one ring or as several.
#[derive(Debug, Clone, PartialEq)]
pub enum Coords {
    /// A longitude or a latitude.
    Number(f64),
    /// A position, a ring, or a list of rings.
    List(Vec<At<Coords>>),
}

const SPAN_HELP: &str = "a length of time has a unit: 60s, 2m, 3h, 30d or 1h30m";
const LENGTH_HELP: &str = "a length is a number of metres, or has a unit: 15m or 1.2km";
const WORDS_HELP: &str = "a text, or one text for each language: { en: Hello, fi: Hei }";

impl Span {
    /// Reads `1h30m`: whole numbers, each with its unit.
    pub fn parse(text: &str) -> Option<Self> {
        let mut seconds = 0u64;
        let mut rest = text;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit())?;
            let number: u64 = rest.get(..digits)?.parse().ok()?;
            let unit = match rest.get(digits..=digits)? {
                "s" => 1,
                "m" => 60,
                "h" => 3_600,
                "d" => 86_400,
                "w" => 604_800,
                _ => return None,
            };
            seconds = seconds.checked_add(number.checked_mul(unit)?)?;
            rest = rest.get(digits + 1..)?;
        }
        // A century is more than any quest needs, and keeps every sum of times far from overflow.
        (!text.is_empty() && seconds <= 3_155_760_000).then(|| Self(Duration::from_secs(seconds)))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.as_secs();
        if rest == 0 {
            return f.write_str("0s");
        }
        for (unit, size) in [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)] {
            if rest >= size {
                write!(f, "{}{unit}", rest / size)?;
                rest %= size;
            }
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom(format_args!("cannot read {text:?}: {SPAN_HELP}")))
    }
}

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (number, unit) = match text.strip_suffix("km") {
            Some(number) => (number, 1000.0),
            None => (text.strip_suffix('m').unwrap_or(&text), 1.0),
        };
        let meters = number.trim().parse().map(|number: f64| number * unit);
        match meters {
            Ok(meters) if meters.is_finite() => Ok(Self(meters)),
            _ => Err(D::Error::custom(format_args!("cannot read {text:?}: {LENGTH_HELP}"))),
        }
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(|error| D::Error::custom(format_args!("cannot read {text:?}: {error}")))
    }
}

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Words;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(WORDS_HELP)
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Words, E> {
                Ok(Words([(String::new(), text.to_owned())].into()))
            }
            // YAML takes a bare 1984 for a number; as a title it can only have been meant as a text.
            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Words, E> {
                self.visit_str(&number.to_string())
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Words, A::Error> {
                let mut words = BTreeMap::new();
                while let Some((lang, text)) = map.next_entry::<String, String>()? {
                    words.insert(lang, text);
                }
                Ok(Words(words))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl<'de> Deserialize<'de> for Coords {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Coords;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of corners, each [longitude, latitude]")
            }
            fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Coords, E> {
                Ok(Coords::Number(number))
            }
            // Whole degrees come as integers; all that a degree can be is exact in a double.
            fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Coords, E> {
                Ok(Coords::Number(number as f64))
            }
            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Coords, E> {
                Ok(Coords::Number(number as f64))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Coords, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = seq.next_element()? {
                    list.push(item);
                }
                Ok(Coords::List(list))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

macro_rules! schema {
    ($type:ident, $name:literal, $($json:tt)+) => {
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($($json)+)
            }
        }
    };
}

schema!(Span, "Duration", {
    "description": SPAN_HELP, "type": "string", "pattern": "^([0-9]+[smhdw])+$", "examples": ["60s", "2m", "1h30m"]
});
schema!(Length, "Length", {
    "description": LENGTH_HELP,
    "anyOf": [{ "type": "number" }, { "type": "string", "pattern": "^[0-9]+(\\.[0-9]+)? ?(m|km)$" }]
});
schema!(Date, "Day", {
    "description": "A day such as 2026-06-01.", "type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
});
schema!(Words, "Text", {
    "description": WORDS_HELP,
    "anyOf": [
        { "type": ["string", "integer"] },
        { "type": "object", "minProperties": 1, "additionalProperties": { "type": "string" } }
    ]
});
schema!(Coords, "Rings", {
    "description": "Corners as [longitude, latitude]: one ring, or a list of rings of which each further one is a hole.",
    "type": "array",
    "items": {
        "type": "array",
        "items": { "anyOf": [
            { "type": "number" },
            { "type": "array", "items": { "type": "number" }, "minItems": 2, "maxItems": 2 }
        ] }
    }
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_units_and_refuse_bare_numbers() {
        let seconds = |text| Span::parse(text).map(|span| span.0.as_secs());
        assert_eq!(["60s", "2m", "3h", "30d", "1w"].map(seconds), [60, 120, 10_800, 2_592_000, 604_800].map(Some));
        assert_eq!(seconds("1h30m"), Some(5_400));
        for bad in ["", "60", "s", "-5s", "5 m", "1.5h", "5y", "99999999999999999999s", "9999999999d", "5é"] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
        for text in ["0s", "1m", "1d2h3m4s"] {
            assert_eq!(Span::parse(text).expect("valid").to_string(), text);
        }
    }
}
