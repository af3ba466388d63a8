//! A quest file as written: one plain struct for each thing in it, with nothing resolved and nothing assumed.
//!
//! The comments on the fields are what an editor shows when the mouse rests on a key: they speak to quest makers.
//! Promise: an unknown key is an error at its own place (`deny_unknown_fields`, and therefore no `flatten`), and what
//! may be wrong in meaning keeps its spot so that `check` can point at it.

use super::spot::At;
use super::values::{Coords, Date, Length, Span, Words};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

pub use super::condition::Condition;
pub use super::fence::Fence;
pub use super::step::*;

/// Anything under a key that starts with `x-`: kept for apps, never read by the server.
pub type Extensions = BTreeMap<At<String>, serde_json::Value>;

/// A Waystone quest: places, steps to do there, and what is given at the end.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Waystone quest")]
pub struct QuestFile {
    /// The format of this file: `quest/v1`.
    #[schemars(extend("const" = "quest/v1"))]
    pub schema: At<String>,
    /// The quest's name for machines, such as `bronze-and-granite`. Never change it once players have started.
    #[schemars(extend("pattern" = "^[A-Za-z0-9._-]{1,47}$"))]
    pub id: At<String>,
    /// The title that players see.
    pub title: At<Words>,
    /// A sentence or two that players see before they start.
    pub summary: Option<At<Words>>,
    /// Languages that every text promises to have, the default first: `[en, fi]`.
    #[serde(default)]
    pub languages: Vec<At<String>>,
    /// Who plays, for how long, how often.
    #[serde(default)]
    pub play: Play,
    /// When the quest can be played. Without it: always.
    pub available: Option<At<Window>>,
    /// What a player must have done before.
    pub requires: Option<Requires>,
    /// Where things happen, by name.
    #[serde(default)]
    pub places: BTreeMap<At<String>, Place>,
    /// What players do. Top-level steps are open from the start unless they say `after`.
    pub steps: Vec<Step>,
    /// What is given when all top-level steps are done.
    #[serde(default)]
    pub rewards: Vec<Reward>,
    /// Limits that keep play safe and fair, and what happens to positions.
    #[serde(default)]
    pub safety: Safety,
    /// Extra data for your own app, under keys that start with `x-`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, serde_json::Value>", extend("propertyNames" = { "pattern": "^x-" }))]
    pub extensions: Extensions,
}

/// Who plays, for how long, how often.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Play {
    /// `solo`: everyone for themselves. `team`: players join a team.
    #[serde(default)]
    pub mode: Mode,
    /// Smallest and largest team that may start: `[2, 5]`. Only with `mode: team`.
    pub team_size: Option<At<[u16; 2]>>,
    /// How long a run may last, such as `3h`. Without it: no limit.
    pub time_limit: Option<At<Span>>,
    /// `once`: a finished quest stays finished. `again`: it can be started anew.
    #[serde(default)]
    pub repeat: Repeat,
}

/// Alone or in teams.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Everyone for themselves.
    #[default]
    Solo,
    /// Players join a team.
    Team,
}

/// How often a quest can be finished.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Repeat {
    /// Once.
    #[default]
    Once,
    /// As often as one likes.
    Again,
}

/// When something is open: days, hours, time zone.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// First day, such as `2026-06-01`.
    pub from: Option<At<Date>>,
    /// First day on which it is shut again: `2026-09-01` makes 31 August the last day.
    pub until: Option<At<Date>>,
    /// The time zone, such as `Europe/Helsinki`. A step may leave it out if the quest's own `available` has it.
    pub zone: Option<At<String>>,
    /// Opening hours as in OpenStreetMap; open when any of the lines is: `["Mo-Fr 09:00-21:00", "Sa 10:00-14:00"]`.
    #[serde(default)]
    pub hours: Vec<At<String>>,
}

/// What a player must have done before.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Requires {
    /// A quest that must be finished first.
    pub quest: At<String>,
}

/// A place: a circle (`center` and `radius`), an area (`polygon`), a way (`line` and `width`), or a shape from a map
/// editor (`geojson`).
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [
    { "required": ["center", "radius"] }, { "required": ["polygon"] }, { "required": ["line", "width"] },
    { "required": ["geojson"] }
]))]
pub struct Place {
    /// The middle of a circle: `[longitude, latitude]`.
    pub center: Option<At<[f64; 2]>>,
    /// The radius of the circle in metres; at least 20, better 30.
    pub radius: Option<At<Length>>,
    /// The corners of an area: `[[longitude, latitude], ...]`; or a list of such rings, where further ones are holes.
    pub polygon: Option<At<Coords>>,
    /// The points of a way to walk along: `[[longitude, latitude], ...]`.
    pub line: Option<At<Vec<At<[f64; 2]>>>>,
    /// The full width of the way in metres, half of it on either side.
    pub width: Option<At<Length>>,
    /// A shape pasted from a map editor: what stands under `geometry` in its GeoJSON.
    pub geojson: Option<At<Geometry>>,
    /// Sent to players only when a step there is open.
    #[serde(default)]
    pub hidden: bool,
    /// The name that players see.
    pub name: Option<At<Words>>,
    /// How fixes are judged there, rings around it, and when it counts.
    pub fence: Option<At<Fence>>,
}

/// A geometry as GeoJSON has it: a Polygon, a MultiPolygon, a Point with `radius`, or a LineString with `width`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Geometry {
    /// What kind of shape it is.
    #[serde(rename = "type")]
    pub kind: At<GeometryKind>,
    /// `[longitude, latitude]`, or lists of it, as deep as the kind wants.
    #[schemars(with = "Vec<serde_json::Value>")]
    pub coordinates: At<Coords>,
    /// Of a Point: the radius of the circle in metres.
    pub radius: Option<At<Length>>,
    /// Of a LineString: its full width in metres, half of it on either side.
    pub width: Option<At<Length>>,
    /// The box that some editors write; not read.
    pub bbox: Option<Vec<f64>>,
}

/// The geometries that can be a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum GeometryKind {
    /// A circle, with `radius`.
    Point,
    /// A way, with `width`.
    LineString,
    /// An area: its outline, then its holes.
    Polygon,
    /// Several areas that are one place.
    MultiPolygon,
}

/// Something given at the end of a run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reward {
    /// What is given: `{ badge: night-watch }`, `{ points: 200 }` or `{ code_pool: museum-tickets }`.
    pub give: At<Give>,
    /// `player`: to everyone who took part. `team`: once to the team.
    pub each: At<Each>,
    /// How many there are for all teams together. Without it: no limit.
    pub stock: Option<At<u32>>,
    /// What is given instead when the stock is gone.
    pub otherwise: Option<At<Give>>,
    /// Given only if this holds at the end.
    pub when: Option<At<Condition>>,
}

/// Who gets a reward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Each {
    /// Everyone who took part.
    Player,
    /// The team, once.
    Team,
}

/// What is given.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Give {
    /// A badge of this name.
    Badge(At<String>),
    /// So many points.
    Points(u32),
    /// One code from the pool of this name.
    CodePool(At<String>),
}

/// Limits that keep play safe and fair, and what happens to positions.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Safety {
    /// The fastest that counts, in metres per second. Walking is 1.5, running 5, cycling 8.
    pub max_speed: Option<At<f64>>,
    /// The poorest GPS accuracy that counts, in metres.
    pub min_accuracy: Option<At<Length>>,
    /// The least plausible position that brings anybody anywhere, 0 to 1: 0.5 leaves out what a phone itself calls made up.
    pub min_score: Option<At<f64>>,
    /// Who sees where a player is: `team` or `nobody`.
    #[serde(default)]
    pub show_position_to: Audience,
    /// How long tracks are kept, such as `30d`. Without it: as the server is configured.
    pub keep_track_for: Option<Span>,
}

/// Who sees a player's position.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// The members of the same team, unless the player says no.
    Team,
    /// Nobody.
    #[default]
    Nobody,
}
