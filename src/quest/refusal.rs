//! Why something was not done: stable codes with a remedy in the message.
//!
//! A refusal is an ordinary value, not a fault of the program. Promise: a refused command changed nothing.
//! Codes below 1000 are those of the Centrifuge protocol; ours start at 1000. Codes never change their meaning.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A refusal as the wire bears it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, thiserror::Error)]
#[error("{message} ({code})")]
pub struct Refusal {
    /// A stable number; see [`CODES`].
    pub code: u32,
    /// For people: what is wrong and what to do.
    pub message: String,
    /// Whether the same call may succeed later.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub temporary: bool,
}

macro_rules! refusals {
    ($( $(#[$doc:meta])* $name:ident = $code:literal $key:literal $temporary:literal ; )*) => {
        impl Refusal {
            $( $(#[$doc])* pub fn $name(message: &str) -> Self {
                Self { code: $code, message: message.to_owned(), temporary: $temporary }
            } )*
        }
        /// Every code: number, name, whether temporary.
        pub const CODES: &[(u32, &str, bool)] = &[ $( ($code, $key, $temporary), )* ];
    };
}

refusals! {
    /// A fault of ours; the log knows more.
    internal = 100 "internal" true;
    /// No such channel, or none of yours.
    unknown_channel = 102 "unknown_channel" false;
    /// Not for this role.
    permission_denied = 103 "permission_denied" false;
    /// No such method.
    method_not_found = 104 "method_not_found" false;
    /// Subscribed already.
    already_subscribed = 105 "already_subscribed" false;
    /// A limit of this connection is reached.
    limit_exceeded = 106 "limit_exceeded" false;
    /// The command is malformed.
    bad_request = 107 "bad_request" false;
    /// The token has expired.
    token_expired = 109 "token_expired" false;
    /// Slow down.
    too_many_requests = 111 "too_many_requests" true;

    /// The fix is malformed or out of range.
    bad_fix = 1001 "bad_fix" false;
    /// The fix is from the future: the phone's clock is wrong.
    fix_from_future = 1002 "fix_from_future" false;
    /// The journal or the owner of the entity cannot be reached now, or it is parked; nothing was done or it will be recognised when repeated.
    unavailable = 1003 "unavailable" true;
    /// The entity, or the whole node, has too much to do; ask again.
    busy = 1004 "busy" true;
    /// The same command id came with another content.
    command_conflict = 1005 "command_conflict" false;
    /// No fix of yours has counted since you connected.
    no_fix = 1006 "no_fix" true;
    /// An operator has dropped the command, since the server failed at it: it was not done and will not be.
    dropped = 1007 "dropped" false;
    /// The keys that tokens are checked with cannot be had now.
    keys_unavailable = 1008 "keys_unavailable" true;
    /// A newer device of yours tracks now: this one's fixes do not count.
    other_device = 1009 "other_device" false;

    /// No quest of that name is published.
    unknown_quest = 1101 "unknown_quest" false;
    /// The quest has no step of that name.
    unknown_step = 1102 "unknown_step" false;
    /// The quest is not open now.
    quest_closed = 1103 "quest_closed" true;
    /// Your team does not play this quest.
    not_playing = 1104 "not_playing" false;
    /// Your team plays it already, or has finished it.
    already_played = 1105 "already_played" false;
    /// The run's time is over.
    time_over = 1106 "time_over" false;
    /// Another quest comes first.
    quest_required = 1107 "quest_required" false;

    /// The step is not open for your team.
    step_not_open = 1201 "step_not_open" true;
    /// The step is done already.
    step_done = 1202 "step_done" false;
    /// You are not there yet.
    not_there = 1203 "not_there" true;
    /// Too many tries; wait.
    wait = 1205 "wait" true;
    /// That is not the code that hangs here.
    wrong_code = 1206 "wrong_code" true;
    /// No such option.
    unknown_option = 1207 "unknown_option" false;
    /// The step is done in another way.
    wrong_verb = 1208 "wrong_verb" false;
    /// The hint cannot be had now, or does not exist.
    no_hint = 1209 "no_hint" true;
    /// Nothing here waits for a review.
    no_photo = 1210 "no_photo" false;

    /// You are in no team.
    no_team = 1301 "no_team" false;
    /// You are in a team already.
    in_team = 1302 "in_team" false;
    /// No team answers to that code.
    bad_invite = 1303 "bad_invite" false;
    /// The team is full.
    team_full = 1304 "team_full" false;
    /// The team has too few or too many members for this quest.
    team_size = 1305 "team_size" true;
    /// The team of that name exists already.
    team_exists = 1306 "team_exists" false;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_rising() {
        assert!(CODES.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
