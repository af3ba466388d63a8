//! Decisions in the words of people.

use crate::geo::decision::{Asked, Decision, Finding, State, TransitionKind, Why};
use crate::ids::RegionId;
use crate::quest::evidence::Evidence;
use crate::units::Timestamp;

/// A region, or one of its rings.
pub(in crate::cli) fn place(region: &RegionId, ring: Option<&str>) -> String {
    match ring {
        Some(ring) => format!("{region} ({ring})"),
        None => region.to_string(),
    }
}

/// A transition in a word.
pub(in crate::cli) fn kind(kind: TransitionKind) -> &'static str {
    match kind {
        TransitionKind::Enter { .. } => "enter",
        TransitionKind::Exit { .. } => "exit",
        TransitionKind::Dwell { .. } => "dwell",
        TransitionKind::Cross { .. } => "cross",
        TransitionKind::Along { .. } => "along",
    }
}

/// What a decision that changed nothing found.
pub(in crate::cli) fn finding(decision: &Decision) -> &'static str {
    match decision.after {
        State::Outside => "outside",
        State::Maybe => "maybe",
        State::Inside => "inside",
    }
}

/// Where the fix lay.
fn measured(distance: f64, accuracy: f64, probability: f64) -> String {
    let side = if distance < 0.0 { "outside" } else { "inside" };
    format!("{:.1} m {side} at {accuracy:.0} m accuracy, p {probability:.2}", distance.abs())
}

/// What was measured, asked and concluded.
pub(in crate::cli) fn why(decision: &Decision) -> String {
    let Decision { distance, accuracy, probability, fixes, asked, .. } = decision;
    let measured = measured(distance.get(), accuracy.get(), *probability);
    let coming = decision.before != State::Inside && decision.distance.get() >= 0.0;
    let conclusion = match decision.finding {
        Finding::Decided | Finding::Closed if coming => match asked.enter_sure {
            Some(sure) if *probability >= sure && *fixes <= 1 => format!("{sure} is enough alone"),
            _ => format!("{} ({})", threshold(asked, true), votes(*fixes, asked)),
        },
        Finding::Decided | Finding::Closed => match asked.exit_sure {
            Some(sure) if *probability <= sure && *fixes <= 1 => format!("{sure} is enough alone"),
            _ => format!("{} ({})", threshold(asked, false), votes(*fixes, asked)),
        },
        Finding::Counted => format!("{} ({})", threshold(asked, coming), votes(*fixes, asked)),
        Finding::Agrees => "as known".to_owned(),
        Finding::Unclear => format!("between {} and {}: does not tell", asked.exit_at, asked.enter_at),
        Finding::Guarded => "at the edge again too soon after the last exit there".to_owned(),
        Finding::Wary => "too soon after a jump to decide".to_owned(),
        Finding::Inaccurate => format!("less accurate than {:.0} m: decides nothing", asked.max_accuracy.get()),
        Finding::Dim => "far less accurate than just before: decides nothing".to_owned(),
        Finding::TooFast => "too fast: decides nothing".to_owned(),
        Finding::Untrusted => "not plausible enough to bring anyone in".to_owned(),
    };
    let closed = if decision.finding == Finding::Closed { "; but it is shut" } else { "" };
    format!("{measured}; {conclusion}{closed}")
}

fn threshold(asked: &Asked, coming: bool) -> String {
    if coming {
        format!("at least {}", asked.enter_at)
    } else {
        format!("at most {} and {:.1} m outside", asked.exit_at, asked.margin.get())
    }
}

fn votes(fixes: u8, asked: &Asked) -> String {
    match asked.of {
        0 => format!("{fixes} fixes, for {} s asked", asked.for_ms / 1_000),
        of if of == asked.need => format!("{fixes} of {of} in a row"),
        of => format!("{fixes} of {} among {of}", asked.need),
    }
}

/// Of a transition without a decision of its own: a stay, a crossing, a window.
pub(in crate::cli) fn evidence(why: &Why) -> String {
    format!("{}; {}", why.rule.name(), measured(why.distance.get(), why.accuracy.get(), why.probability))
}

/// What the journal keeps of a decision.
pub(in crate::cli) fn of_evidence(why: &Evidence) -> String {
    let measured = measured(why.distance.get(), why.accuracy.get(), why.probability);
    let threshold = why.threshold.map(|threshold| format!(", {threshold} asked")).unwrap_or_default();
    let fixes = if why.fixes > 1 { format!(", {} fixes agree", why.fixes) } else { String::new() };
    let flags = if why.flags.is_empty() { String::new() } else { format!(" ({})", why.flags.join(", ")) };
    format!("{}: {measured}{threshold}{fixes}; plausible {:.2}{flags}, rules {}", why.rule, why.score, why.rules)
}

/// Hours, minutes and seconds since a start.
pub(in crate::cli) fn clock(start: Option<Timestamp>, time: Timestamp) -> String {
    let seconds = start.map_or(0, |start| time.since(start).as_secs());
    format!("{}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}
