//! Steps that repeat exactly, as a script makes them and nobody walks.

use super::rule_set::RuleSet;
use crate::geo::position::Fix;
use crate::units::Timestamp;

/// Watches for steps that repeat exactly, as a script makes them.
#[derive(Debug, Clone, Default)]
pub(super) struct Cadence {
    last: Option<Fix>,
    /// East, north (1e-7 degrees) and milliseconds of the last step.
    step: (i64, i64, u128),
    since: Option<Timestamp>,
    repeats: u32,
}

impl Cadence {
    /// Whether, with this fix, steps have been the same for too long.
    pub(super) fn sees(&mut self, fix: &Fix, rules: &RuleSet) -> bool {
        let Some(last) = self.last.replace(*fix) else { return false };
        let (from, to) = (last.position().grid(), fix.position().grid());
        let step = (to.x - from.x, to.y - from.y, fix.time().since(last.time()).as_millis());
        // A straight line rounded to the grid varies by one unit.
        let near = |a: i64, b: i64| (a - b).abs() <= 1;
        let same = near(step.0, self.step.0) && near(step.1, self.step.1) && step.2 == self.step.2;
        self.step = step;
        if !same || fix.accuracy() != last.accuracy() {
            self.repeats = 0;
            self.since = Some(fix.time());
            return false;
        }
        self.repeats = self.repeats.saturating_add(1);
        let (span, least) = rules.perfect_for;
        self.repeats >= least && self.since.is_some_and(|since| fix.time().since(since) >= span)
    }
}
