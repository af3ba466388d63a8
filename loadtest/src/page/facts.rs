//! Facts around the figures: what ran where, how to repeat it, how it compares, what it says nothing about.

use super::markup::{El, el};
use super::picture::Table;
use super::{View, section};
use crate::compare::{Figure, Pair, doubts};
use crate::record::{Record, Store, Target};
use crate::words;

/// What run this is.
pub fn head(view: &View<'_>) -> El {
    let now = view.now;
    let players = now.seconds.points().iter().map(|point| point.sockets).max().unwrap_or(0);
    let about = format!(
        "{}. {} long, up to {} open sockets. Server: {}.",
        when(&now.begun),
        words::span(now.seconds.length_s()),
        words::whole(players),
        server(&now.target)
    );
    el("header")
        .child(el("h1").text(format!("Waystone load test: {}", now.scenario)))
        .child(el("p").class("quiet").text(about))
}

/// A date of RFC 3339 as people read it; whatever is none stays as it is.
fn when(begun: &str) -> String {
    match begun.parse::<jiff::Timestamp>() {
        Ok(at) => at.strftime("%-d %B %Y, %H:%M UTC").to_string(),
        Err(_) => begun.to_owned(),
    }
}

fn server(target: &Target) -> String {
    let nodes = if target.nodes == 1 { "one node".to_owned() } else { format!("{} nodes", target.nodes) };
    let store = match target.store {
        Store::Sqlite => "journal in SQLite",
        Store::Postgres => "journal in Postgres",
        Store::Unknown => "journal not known",
    };
    let redis = if target.redis { ", with Redis" } else { "" };
    format!("{nodes}, {store}{redis}")
}

/// Refusals and closes by their code.
pub fn codes(view: &View<'_>) -> Vec<El> {
    let totals = &view.now.totals;
    let mut rows: Vec<_> = totals.by_code.iter().collect();
    rows.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let rows: Vec<_> = rows.into_iter().map(|(code, count)| vec![code.clone(), words::whole(*count)]).collect();
    if rows.is_empty() {
        return Vec::new();
    }
    let says = format!(
        "{} first connects, {} reconnects, {} commands refused.",
        words::whole(totals.connects),
        words::whole(totals.reconnects),
        words::whole(totals.refused)
    );
    let table = Table { about: "Refusals and closes by code".to_owned(), head: vec!["Code", "How many"], rows };
    section("Refusals and closes", [el("p").text(says), table.element(&[])])
}

/// All figures beside those of the earlier run.
pub fn comparison(view: &View<'_>) -> Vec<El> {
    let Some(before) = view.before else { return Vec::new() };
    let says = format!(
        "The earlier run began {} at commit {} and {}. A difference is called better or worse when it is more than three \
         standard errors of what varied within the two runs, and more than 3 %. A machine that others use varies more: \
         repeat a run before you believe it.",
        when(&before.begun),
        before.commit,
        if before.ok { "passed" } else { "failed" }
    );
    let row = |pair: &Pair| {
        let before = pair.before.as_ref().map_or_else(|| "-".to_owned(), Figure::text);
        let noise = 3.0 * pair.now.error.hypot(pair.before.as_ref().map_or(0.0, |before| before.error));
        let noise = if pair.before.is_some() { words::with_unit(noise, pair.now.unit) } else { String::new() };
        vec![pair.now.name.clone(), pair.now.text(), before, noise, pair.change()]
    };
    let table = Table {
        about: "This run and the earlier one".to_owned(),
        head: vec!["Figure", "This run", "Earlier run", "Noise", "Difference"],
        rows: view.pairs.iter().map(row).collect(),
    };
    let doubts = doubts(view.now, before);
    let note = (!doubts.is_empty())
        .then(|| el("p").class("note").text(format!("The runs are not alike. {}.", doubts.join("; "))));
    section("Beside the earlier run", [el("p").text(says)].into_iter().chain(note).chain([table.element(&[])]))
}

/// What it ran on, and how to have it again.
pub fn repeat(view: &View<'_>) -> Vec<El> {
    let now = view.now;
    let machine = &now.machine;
    let known = |text: &str| if text.is_empty() { "unknown".to_owned() } else { text.to_owned() };
    let facts = [
        ("Machine", format!("{} cores, {} MB of memory", machine.cores, words::whole(machine.memory_mb))),
        ("Processor", known(&machine.cpu_model)),
        ("System", known(&machine.os)),
        ("Commit", now.commit.clone()),
        ("Build", now.build.clone()),
        ("Server", server(&now.target)),
        ("Seed", now.seed.to_string()),
        ("Begun", now.begun.clone()),
    ];
    let facts = facts.into_iter().flat_map(|(name, value)| [el("dt").text(name), el("dd").text(value)]);
    let list = el("dl").class("facts").children(facts);
    let command = el("pre").attr("aria-label", "Command that repeats this run").child(el("code").text(command(now)));
    section("Repeat it", [list, command])
}

/// The command line that repeats a run, its seed included.
fn command(record: &Record) -> String {
    let seed = format!("--seed {}", record.seed);
    if record.settings.contains("--seed") { record.settings.clone() } else { format!("{} {seed}", record.settings) }
}

/// What the run says nothing about.
pub fn not_covered(view: &View<'_>) -> Vec<El> {
    let items = view.now.not_covered.iter().map(|item| el("li").text(item));
    let list = (!view.now.not_covered.is_empty()).then(|| el("ul").children(items));
    section("What this run does not cover", list)
}

/// The end of the page.
pub fn foot(view: &View<'_>) -> El {
    let text = format!(
        "Made by waystone-loadtest {} from a record of form {}. All times begin at the first second of the run.",
        env!("CARGO_PKG_VERSION"),
        view.now.form
    );
    el("footer").text(text)
}
