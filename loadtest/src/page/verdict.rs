//! What a reader wants first: whether it passed and why not, the figures that matter, the budget, the checker's findings.

use super::markup::{El, el};
use super::picture::Table;
use super::spans::together;
use super::{View, section};
use crate::compare::{MISSING, Pair, check_name};
use crate::record::Check;
use crate::words;

/// Figures that have a tile, if they were measured, in this order.
const TILES: [&str; 10] = [
    "Fixes answered",
    "Due fixes without a good answer",
    "Fix to answer, p50",
    "Fix to answer, p99",
    "Fix to notice, p99",
    "Awards",
    "Server CPU a fix, all work included",
    "Server memory, peak",
    "Errors",
    "Slowest recovery from a fault",
];
/// Failures that are named in the first sentence; the tables have all.
const NAMED: usize = 4;

/// The verdict in a word, and what it rests on.
pub fn hero(view: &View<'_>) -> El {
    let now = view.now;
    let failures = now.failures();
    let checks = now.budget.len() + now.verdict.len();
    let why = if !failures.is_empty() {
        let named: Vec<String> = failures.iter().take(NAMED).map(|name| check_name(name)).collect();
        let more = failures.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{} of {checks} checks failed: {}{more}.", failures.len(), named.join("; "))
    } else if checks == 0 {
        "Nothing was checked: the run had no budget, and no history was compared with the journal.".to_owned()
    } else if now.ok {
        let (limits, findings) = (now.budget.len(), now.verdict.len());
        format!(
            "All {limits} limits of the budget were kept, and all {findings} checks of histories and journal agree."
        )
    } else {
        format!("None of its {checks} checks failed, but the run did not end as it should.")
    };
    let (class, word) = if now.ok { ("hero good", "\u{2713} Passed") } else { ("hero bad", "\u{2717} Failed") };
    el("section")
        .class(class)
        .attr("aria-label", "Verdict")
        .child(el("p").class("word").text(word))
        .child(el("p").text(why))
        .children(remarks(view).into_iter().map(|remark| el("p").text(remark)))
}

/// What limits the worth of the figures.
fn remarks(view: &View<'_>) -> Vec<String> {
    let (late, full) = (together(&view.spans.late), together(&view.spans.full));
    let mut remarks = Vec::new();
    if late > 0.0 {
        remarks.push(format!(
            "The load was late for {}, by more than {}: what these seconds show is the generator as much as the server.",
            words::span(late),
            words::ms(view.spans.late_ms)
        ));
    }
    if full > 0.0 {
        remarks.push(format!(
            "All processors were in use for {}: latencies then include waiting for a processor, whoever used it.",
            words::span(full)
        ));
    }
    if view.now.build == "debug" {
        remarks.push("This was a debug build: its figures say nothing about a release.".to_owned());
    }
    let open = view.now.faults.iter().filter(|fault| fault.recovered_s.is_none()).count();
    if open > 0 {
        remarks.push(format!("{open} of {} faults were not seen to be recovered from.", view.now.faults.len()));
    }
    remarks
}

/// The figures that matter.
pub fn tiles(view: &View<'_>) -> Option<El> {
    let tile = |pair: &Pair| {
        let value = el("dd").class("value").text(pair.now.text());
        let before = pair.before.as_ref().map(|before| {
            let word = pair.word().map(crate::compare::Word::text).unwrap_or_default();
            let class = match word {
                "better" => "is-good",
                "worse" => "is-bad",
                _ => "quiet",
            };
            el("dd")
                .class("before")
                .text(format!("before {}", before.text()))
                .child(el("br"))
                .child(el("span").class(class).text(pair.change()))
        });
        el("div").class("tile").child(el("dt").text(&pair.now.name)).child(value).child(before)
    };
    let pairs: Vec<&Pair> = TILES.iter().filter_map(|name| view.pair(name)).collect();
    (!pairs.is_empty()).then(|| el("dl").class("tiles").children(pairs.into_iter().map(tile)))
}

/// What was allowed and what was seen.
pub fn budget(view: &View<'_>) -> Vec<El> {
    if view.now.budget.is_empty() {
        return Vec::new();
    }
    let head = ["What is limited", "Limit", "Seen", "Share of the limit", "Kept", "Earlier run"];
    let head = head.iter().enumerate().map(|(column, text)| {
        el("th").attr("scope", "col").class(if column == 0 { "lead" } else { "number" }).text(text)
    });
    let rows = view.now.budget.iter().map(|check| {
        let before = view.before.and_then(|before| before.budget.iter().find(|old| old.name == check.name));
        let text =
            |value: Option<f64>| value.map_or(MISSING.to_owned(), |value| words::with_unit(value, &check.unit));
        let kept = if check.ok { ("is-good", "\u{2713} yes") } else { ("is-bad", "\u{2717} no") };
        el("tr")
            .child(el("th").attr("scope", "row").class("lead").text(check_name(&check.name)))
            .child(el("td").text(text(Some(check.limit))))
            .child(el("td").text(text(check.seen)))
            .child(el("td").child(bar(check)))
            .child(el("td").child(el("span").class(kept.0).text(kept.1)))
            .child(el("td").text(before.map_or_else(|| "-".to_owned(), |before| text(before.seen))))
    });
    let table = el("table")
        .attr("aria-label", "The budget")
        .child(el("thead").child(el("tr").children(head)))
        .child(el("tbody").children(rows));
    let scroll =
        el("div").class("scroll").attr("tabindex", 0).attr("role", "region").attr("aria-label", "The budget");
    section("Budget", [scroll.child(table)])
}

/// How much of a limit was used: the bar's mark is the limit, at two thirds of its length.
fn bar(check: &Check) -> Option<El> {
    let seen = check.seen.filter(|_| check.limit > 0.0)?;
    let share = (seen / check.limit * 66.6).clamp(0.0, 100.0);
    let bar = el("span").class(if check.ok { "bar" } else { "bar bad" }).attr("role", "img");
    let bar = bar.attr("aria-label", format!("{:.0} % of the limit", seen / check.limit * 100.0));
    Some(bar.child(el("i").attr("style", format!("width:{share:.1}%"))).child(el("b").attr("style", "left:66.6%")))
}

/// What the checker of histories and journal says.
pub fn findings(view: &View<'_>) -> Vec<El> {
    if view.now.verdict.is_empty() {
        return Vec::new();
    }
    let rows = view.now.verdict.iter().map(|found| {
        let ok = if found.ok { "yes" } else { "no" };
        vec![
            found.name.clone(),
            words::whole(found.looked_at),
            words::whole(found.wrong),
            ok.to_owned(),
            found.what.clone(),
        ]
    });
    let table = Table {
        about: "What phones saw, held against the journal".to_owned(),
        head: vec!["Checked", "Looked at", "Wrong", "As it should be", "What it means"],
        rows: rows.collect(),
    };
    section("What phones saw, held against the journal", [table.element(&[4])])
}
