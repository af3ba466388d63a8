//! Single values of a file made into values of the model, or a fault that says why not.
//!
//! Both `check` and `resolve` call these: what was checked is what is published.
//! Promise: none of them guesses; what is not written has the default that `docs/quest-format.md` names.

use super::code;
use super::file;
use super::names::did_you_mean;
use super::report::Fault;
use super::spot::At;
use crate::ids::Id;
use crate::window::{Window, WindowError, zone_names};

/// Longest name of a quest, place, step, option or badge: two of them and a joint must fit an id.
const NAME_MAX: usize = 47;

/// A name as an id.
pub(super) fn id<K>(at: &At<String>) -> Result<Id<K>, Fault> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let fault = || {
        let message = format!("\"{}\" cannot be an id", at.value);
        let help = "up to 47 letters, digits and dashes, without spaces or accents";
        Fault::new(code::BAD_ID, at.spot, message).help(help)
    };
    // A colon would let the place "b:c" of quest "a" and the place "c" of quest "a:b" be one region.
    if at.len() > NAME_MAX || !at.bytes().all(allowed) {
        return Err(fault());
    }
    Id::new(&at.value).map_err(|_| fault())
}

/// A window; a step's takes the zone of the quest's own where it names none.
pub(super) fn window(at: &At<file::Window>, quest: Option<&At<file::Window>>) -> Result<Window, Fault> {
    let Some(zone) = at.zone.as_ref().or(quest.and_then(|quest| quest.zone.as_ref())) else {
        let help = "add the zone, such as zone: Europe/Helsinki";
        return Err(Fault::new(code::ZONE_MISSING, at.spot, "this window names no time zone").help(help));
    };
    let day = |day: &Option<At<super::values::Date>>| day.as_ref().map(|day| day.value.0);
    let hours: Vec<String> = at.hours.iter().map(|text| text.value.clone()).collect();
    Window::new(day(&at.from), day(&at.until), zone, &hours).map_err(|error| match &error {
        WindowError::UnknownZone(name) => {
            let zones = zone_names();
            let help = did_you_mean(name, zones.iter().map(String::as_str));
            let help = help.unwrap_or_else(|| "zones are named as in Europe/Helsinki".to_owned());
            Fault::new(code::UNKNOWN_ZONE, zone.spot, format!("there is no time zone \"{name}\"")).help(help)
        }
        WindowError::EmptySpan { from, .. } => {
            let spot = at.until.as_ref().map_or(at.spot, |until| until.spot);
            let message = format!("the window ends before it starts on {from}");
            Fault::new(code::NEVER_OPEN, spot, message).help("`until` is the first day on which it is shut again")
        }
        WindowError::BadHours { index, text, problem } => {
            let spot = at.hours.get(*index).map_or(at.spot, |text| text.spot);
            let message = format!("\"{text}\" is not opening hours: {problem}");
            Fault::new(code::BAD_HOURS, spot, message).help("write them as in \"Mo-Fr 09:00-21:00\"")
        }
    })
}
