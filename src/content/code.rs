//! The name of each kind of fault, its severity, and its remedy in a sentence: the one list of them.
//!
//! The table in `docs/quest-format.md` is this list; a test compares them.
//! Promise: a code never changes its meaning; scripts may match on it.

use super::report::Severity;

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// Its name in reports.
    pub name: &'static str,
    /// Whether it keeps the quest from being published.
    pub severity: Severity,
    /// What to do about it, for the documentation.
    pub remedy: &'static str,
}

macro_rules! codes {
    ($($id:ident $severity:ident $name:literal $remedy:literal)+) => {
        $(
            #[doc = $remedy]
            pub const $id: Code = Code { name: $name, severity: Severity::$severity, remedy: $remedy };
        )+
        /// Every code there is, in the order of the documentation.
        pub const ALL: &[Code] = &[$($id),+];
    };
}

codes! {
    SYNTAX Error "syntax" "The file is not readable as YAML, or a value is of the wrong kind. Look at the line before, too: a missing quote or a wrong indent shows up late."
    UNKNOWN_KEY Error "unknown-key" "Correct the key's spelling, or move your own data under `extensions`."
    MISSING_KEY Error "missing-key" "Add the key that the message names."
    DUPLICATE_KEY Error "duplicate-key" "Remove or rename one of the two."
    UNKNOWN_SCHEMA Error "unknown-schema" "Write `schema: quest/v1`."
    BAD_ID Error "bad-id" "Use up to 47 letters, digits and dashes without spaces or accents: `three-smiths`."
    DUPLICATE_ID Error "duplicate-id" "Give one of the two steps another id; ids are unique in the whole file, inside groups too."
    NO_STEPS Error "no-steps" "Add at least one step."
    NO_VERB Error "no-verb" "Say what to do in the step: one of the ten verbs."
    TWO_VERBS Error "two-verbs" "Split it into two steps; a `sequence` keeps them together."
    EMPTY_GROUP Error "empty-group" "Put steps into the group, or remove it."
    NEED_TOO_HIGH Error "need-too-high" "Lower `need`, or add steps to the group."
    NEED_ZERO Error "need-zero" "Let `need` be 1 or more; to make a group optional, let nothing wait for it."
    UNKNOWN_PLACE Error "unknown-place" "Correct the name, or add the place under `places`."
    UNKNOWN_STEP Error "unknown-step" "Correct the id, or add the step."
    NOT_A_CHOICE Error "not-a-choice" "Let `chose` ask about a step that has the verb `choose`."
    UNKNOWN_OPTION Error "unknown-option" "Correct the option's id."
    EMPTY_CONDITION Error "empty-condition" "Put something into the list of `all` or `any`, or remove it."
    CYCLE Error "cycle" "Take one of the named steps out of the circle: change its `after`."
    UNREACHABLE Error "unreachable" "The condition contradicts itself or what must have happened before; change it."
    POINTS_OUT_OF_REACH Error "points-out-of-reach" "Lower the number, or give more points in steps that come before."
    NO_ANSWER Error "no-answer" "List at least one answer under `accept`."
    TRIES_ZERO Error "tries-zero" "Let `tries` be 1 or more; leave it out for any number of tries."
    FEW_OPTIONS Error "few-options" "Offer at least two options."
    DUPLICATE_OPTION Error "duplicate-option" "Give each option an id of its own."
    EMPTY_CODE Error "empty-code" "Write the text of the code, or leave `code` out and print the one that the server makes."
    FOLLOW_NEEDS_LINE Error "follow-needs-line" "Follow a place that has a `line` and a `width`."
    WITHIN_TOO_WIDE Error "within-too-wide" "Let `within` be at most half of the way's `width`."
    STAY_TOO_LONG Error "stay-too-long" "Shorten `stay`, or raise `play.time_limit`."
    BAD_SHARE Error "bad-share" "A share is a number above 0 and up to 1: `0.5` is half of the team."
    MEET_NEEDS_TEAM Error "meet-needs-team" "Set `mode: team`, and let `members` be 2 or more and at most the smallest team that may start."
    MEET_DISTANCE Error "meet-distance" "Let `within` of a `meet` be 10 m to 1 km: phones are often 10 m off in streets."
    TOO_MANY_MEMBERS Error "too-many-members" "Ask for at most as many members as the largest team has."
    BAD_TEAM_SIZE Error "bad-team-size" "Write `team_size: [smallest, largest]`, both at least 1; leave it out with `mode: solo`."
    NO_TIME Error "no-time" "A time limit is longer than zero."
    BAD_LANGUAGE Error "bad-language" "Use a language tag such as `en`, `fi` or `pt-BR`, each once."
    PLACE_WITHOUT_SHAPE Error "place-without-shape" "Give the place a `center` and `radius`, a `polygon`, a `line` and `width`, or a `geojson`."
    PLACE_WITH_TWO_SHAPES Error "place-with-two-shapes" "Keep one of the shapes; make a second place for the other."
    BAD_POSITION Error "bad-position" "Positions are [longitude, latitude] in degrees: up to 180 and up to 90."
    BAD_LENGTH Error "bad-length" "Radius, width and `within` are more than 0 and at most 100 km."
    FEW_CORNERS Error "few-corners" "An area has at least three different corners, a way at least two different points."
    SELF_CROSSING Error "self-crossing" "Put the corners in the order in which one walks around the area; two sides must not cross."
    BAD_FENCE Error "bad-fence" "Change the value in the `fence` block that the message names, or leave it out."
    BAD_SHAPE Error "bad-shape" "The place's shape cannot be used; the message says why."
    UNKNOWN_ZONE Error "unknown-zone" "Write a time zone such as `Europe/Helsinki`."
    ZONE_MISSING Error "zone-missing" "Add `zone` to the window, or to the quest's own `available`."
    BAD_HOURS Error "bad-hours" "Write opening hours as in OpenStreetMap: `Mo-Fr 09:00-21:00`."
    NEVER_OPEN Error "never-open" "The days and hours leave no moment; change one of them."
    REQUIRES_ITSELF Error "requires-itself" "Name another quest, or remove `requires`."
    BAD_LIMIT Error "bad-limit" "Speed and accuracy limits are more than 0."
    EXTENSION_NAME Error "extension-name" "Let the key start with `x-`, as in `x-theme`."
    SMALL_PLACE Warning "small-place" "Make it at least 20 m (radius, width, or the shorter side): phones are often 10 m off in streets."
    UNUSED_PLACE Warning "unused-place" "Remove the place, or let a step happen there."
    MISSING_LANGUAGE Warning "missing-language" "Translate the text, or take the language out of `languages`."
    UNLISTED_LANGUAGE Warning "unlisted-language" "Add the language to `languages`, or correct its tag."
    HINT_TOO_LATE Warning "hint-too-late" "Let the hint come before the time limit ends the run."
    HINT_TOO_DEAR Warning "hint-too-dear" "Let the hint cost no more than the step gives."
    TEAM_IN_SOLO Warning "team-in-solo" "Set `mode: team`, or remove `team` from the step."
    STOCK_EMPTY Warning "stock-empty" "Let `stock` be 1 or more, or remove the reward."
    POOL_WITHOUT_STOCK Warning "pool-without-stock" "Give a reward of codes a `stock`, and say with `otherwise` what the others get."
    OTHERWISE_UNUSED Warning "otherwise-unused" "Add a `stock`, or remove `otherwise`: without a stock nothing runs out."
}
