//! What a client asks when its app is going to sleep: `wake` of the socket, and the same over HTTP.
//!
//! Promise: how many circles are wanted is checked here, so that the game sees 1 to 100.

use crate::quest::refusal::Refusal;
use schemars::JsonSchema;
use serde::Deserialize;

/// Circles if the client does not say: what iOS lets an app watch.
const CIRCLES: u8 = 20;
/// Most circles: what Android lets an app watch.
const CIRCLES_MAX: u8 = 100;

/// `data` of wake.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WakeData {
    /// How many circles the phone can watch, 1 to 100; 20 if missing. The roam circle counts.
    #[serde(default)]
    pub(super) max: Option<u8>,
}

impl WakeData {
    /// How many, checked.
    pub(super) fn checked(&self) -> Result<usize, Refusal> {
        match self.max.unwrap_or(CIRCLES) {
            max @ 1..=CIRCLES_MAX => Ok(usize::from(max)),
            _ => Err(out_of_range()),
        }
    }
}

/// How many circles the data of a call asks for.
pub(super) fn max(data: &str) -> Result<usize, Refusal> {
    if data.is_empty() || data.trim() == "null" {
        return WakeData::default().checked();
    }
    // serde would take an array for a struct, field by field.
    let object = Some(data).filter(|data| data.trim_start().starts_with('{')).ok_or_else(out_of_range)?;
    serde_json::from_str::<WakeData>(object).map_err(|_| out_of_range())?.checked()
}

fn out_of_range() -> Refusal {
    Refusal::bad_request("data: send {\"max\": 1 to 100}, the circles that the phone can watch, or nothing for 20")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn max_is_one_to_a_hundred() {
        for (data, wanted) in [
            ("", Some(20)),
            ("{}", Some(20)),
            (r#"{"max":1}"#, Some(1)),
            (r#"{"max":100}"#, Some(100)),
            (r#"{"max":0}"#, None),
            (r#"{"max":101}"#, None),
            (r#"{"max":300}"#, None),
            (r#"{"max":-1}"#, None),
            (r#"{"max":"5"}"#, None),
            (r#"{"most":5}"#, None),
            ("[5]", None),
        ] {
            assert_eq!(max(data).ok(), wanted, "{data}");
        }
    }
}
