//! The `fence` block of a place: how fixes are judged there, rings around it, and when it counts.
//!
//! The same block stands in a quest file and, as `properties.fence`, in a GeoJSON feature that `waystone fence` reads.
//! Promise: what is left out keeps the default that `geo` was tried with; what is written is checked by `geo` itself.

use super::code;
use super::file;
use super::report::Fault;
use super::resolved::window;
use super::spot::{At, Spot};
use super::values::{Length, Span};
use crate::geo::geojson::Feature;
use crate::geo::region::{OuterRing, Region};
use crate::geo::rules::{Confirm, FenceRules};
use crate::ids::RegionId;
use crate::units::{Meters, MetersPerSecond};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_saphyr::{MessageFormatter as _, UserMessageFormatter};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How fixes are judged at a place. All of it may be left out.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fence {
    /// How often a fix must agree before somebody has come or gone: `{ fixes: 2, of: 3 }` or `{ for: 20s }`.
    pub confirm: Option<At<ConfirmBy>>,
    /// Whether a single fix without any doubt is enough; true if left out.
    pub sure: Option<bool>,
    /// The probability of being inside from which a fix counts for coming in; 0.75 if left out.
    pub enter_at: Option<At<f64>>,
    /// The probability of being inside below which a fix counts for going out; 0.25 if left out.
    pub exit_at: Option<At<f64>>,
    /// How far outside one must at least be to have gone; 5 m if left out.
    pub exit_margin: Option<At<Length>>,
    /// Fixes less accurate than this do not count here.
    pub max_accuracy: Option<At<Length>>,
    /// Fixes faster than this do not count here, in metres per second.
    pub max_speed: Option<At<f64>>,
    /// How long somebody who left at the edge must wait before coming in at the edge again; 30s if left out.
    pub flap_guard: Option<At<Span>>,
    /// Whether running or riding through between two fixes counts as having been there; false if left out.
    #[serde(default)]
    pub crossing: bool,
    /// A stay so long is told by itself. In a quest, use `stay` in the step instead.
    pub dwell: Option<At<Span>>,
    /// Rings around the place, by name: `{ hint: 200m, near: 50m }`. Apps hear when one is crossed.
    #[serde(default)]
    pub rings: BTreeMap<At<String>, At<Length>>,
    /// When the place counts; outside of it nobody can be there.
    pub available: Option<At<file::Window>>,
}

/// How often a fix must agree.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmBy {
    /// So many fixes;
    pub fixes: Option<u8>,
    /// of so many; the same number if left out.
    pub of: Option<u8>,
    /// Or all fixes, for so long.
    #[serde(rename = "for")]
    pub time: Option<Span>,
}

impl ConfirmBy {
    fn rule(&self) -> Option<Confirm> {
        match (self.fixes, self.of, self.time) {
            (Some(need), of, None) => Some(Confirm::Fixes { need, of: of.unwrap_or(need) }),
            (None, None, Some(span)) => Some(Confirm::Time(span.0)),
            _ => None,
        }
    }
}

impl Fence {
    /// The region with what is written here, and otherwise `rules`. `zone` may lend the window its time zone.
    pub(super) fn applied(
        fence: &At<Self>,
        region: Region,
        rules: FenceRules,
        zone: Option<&At<file::Window>>,
    ) -> Result<Region, Fault> {
        let rules = fence.rules(rules, fence.spot)?;
        let rings: Vec<OuterRing> = fence
            .rings
            .iter()
            .map(|(name, reach)| OuterRing { name: name.value.clone(), reach: Meters::lossy(reach.value.0) })
            .collect();
        let first_ring = fence.rings.keys().next().map_or(fence.spot, |name| name.spot);
        let region =
            region.with_rules(rules).with_rings(rings).map_err(|error| bad(first_ring, error.to_string()))?;
        match &fence.available {
            Some(available) => Ok(region.with_hours(Arc::new(window(available, zone)?))),
            None => Ok(region),
        }
    }

    fn rules(&self, rules: FenceRules, spot: Spot) -> Result<FenceRules, Fault> {
        let meters = |at: &Option<At<Length>>| at.as_ref().map(|at| Meters::lossy(at.value.0));
        let span = |at: &Option<At<Span>>| -> Option<Duration> { at.as_ref().map(|at| at.value.0) };
        let confirm = match &self.confirm {
            None => rules.confirm,
            Some(at) => at.rule().ok_or_else(|| bad(at.spot, "confirm is { fixes: 2, of: 3 } or { for: 20s }"))?,
        };
        let speed = self
            .max_speed
            .as_ref()
            .map(|at| MetersPerSecond::new(at.value).map_err(|error| bad(at.spot, error.to_string())));
        let enter_at = self.enter_at.as_ref().map_or(rules.enter_at, |at| at.value);
        let exit_at = self.exit_at.as_ref().map_or(rules.exit_at, |at| at.value);
        let sure = self.sure.unwrap_or(true);
        let rules = FenceRules {
            max_accuracy: meters(&self.max_accuracy).unwrap_or(rules.max_accuracy),
            max_speed: speed.transpose()?.or(rules.max_speed),
            min_score: rules.min_score,
            exit_margin: meters(&self.exit_margin).unwrap_or(rules.exit_margin),
            confirm,
            enter_at,
            // A threshold moved beyond the sure one takes it along.
            enter_sure: rules.enter_sure.filter(|_| sure).map(|at| at.max(enter_at)),
            exit_at,
            exit_sure: rules.exit_sure.filter(|_| sure).map(|at| at.min(exit_at)),
            flap_guard: span(&self.flap_guard).unwrap_or(rules.flap_guard),
            dwell: span(&self.dwell).or(rules.dwell),
            cross_counts: self.crossing,
        };
        rules.check().map_err(|error| bad(spot, error.to_string()))
    }
}

/// The region of a GeoJSON feature, by the `fence` block among its properties if there is one. The error is a
/// sentence for people.
pub fn region_of(feature: Feature) -> Result<Region, String> {
    let Feature { id, shape, properties } = feature;
    let told = |reason: String| format!("feature \"{id}\": {reason}");
    let region = Region::new(RegionId::new(&id).map_err(|error| told(error.to_string()))?, shape);
    let Some(written) = properties.get("fence") else { return Ok(region) };
    // JSON is YAML, so one reader serves both kinds of file.
    let fence: At<Fence> = serde_saphyr::from_str(&written.to_string())
        .map_err(|error| told(format!("fence: {}", UserMessageFormatter.format_message(error.without_snippet()))))?;
    Fence::applied(&fence, region, FenceRules::default(), None)
        .map_err(|fault| told(format!("fence: {}", fault.help.unwrap_or(fault.message))))
}

fn bad(spot: Spot, help: impl Into<String>) -> Fault {
    Fault::new(code::BAD_FENCE, spot, "these rules cannot be used").help(help)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geo::position::Position;
    use crate::geo::shape::Shape;

    fn region(text: &str) -> Result<Region, Fault> {
        let fence: At<Fence> = serde_saphyr::from_str(text).expect("of the right form");
        let center = Position::new(24.94, 60.17).expect("on earth");
        let shape = Shape::circle(center, Meters::lossy(30.0)).expect("in range");
        let region = Region::new(RegionId::new("a").expect("short"), shape);
        Fence::applied(&fence, region, FenceRules::default(), None)
    }

    #[test]
    fn nothing_written_keeps_the_defaults() {
        let region = region("{}").expect("sound");
        assert_eq!((*region.rules, region.rings.len(), region.hours), (FenceRules::default(), 0, None));
    }

    #[test]
    fn what_is_written_is_applied() {
        let text = "confirm: { fixes: 2, of: 3 }\nsure: false\nexit_margin: 12m\ncrossing: true\nflap_guard: 1m\n\
                    rings: { hint: 200m, near: 50m }\navailable: { zone: Europe/Helsinki, hours: [\"Mo-Fr 09:00-17:00\"] }";
        let region = region(text).expect("sound");
        let expected = FenceRules {
            confirm: Confirm::Fixes { need: 2, of: 3 },
            enter_sure: None,
            exit_sure: None,
            exit_margin: Meters::lossy(12.0),
            cross_counts: true,
            flap_guard: Duration::from_secs(60),
            ..FenceRules::default()
        };
        assert_eq!(*region.rules, expected);
        assert_eq!(region.rings.iter().map(|ring| ring.name.as_str()).collect::<Vec<_>>(), ["hint", "near"]);
        assert!(region.hours.is_some());
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_remedy() {
        for (text, help) in [
            ("confirm: { fixes: 2, for: 20s }", "confirm is"),
            ("confirm: { fixes: 5, of: 3 }", "confirm must ask"),
            ("enter_at: 0.4", "probabilities must rise"),
            ("exit_margin: 2km", "exit_margin must be"),
            ("rings: { far: 9km }", "4 rings"),
            ("max_speed: -1", "zero or more"),
            ("available: { hours: [\"Mo-Fr 09:00-17:00\"] }", "zone: Europe/Helsinki"),
        ] {
            let fault = region(text).err().unwrap_or_else(|| panic!("{text} was taken"));
            assert!(fault.help.as_deref().is_some_and(|said| said.contains(help)), "{text}: {fault:?}");
        }
    }
}
