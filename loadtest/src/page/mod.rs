//! The page about a run: one HTML file that needs no network, no script and no other file, for someone who decides.
//!
//! The verdict stands on top, then pictures with their tables, then what is needed to repeat the run, and what it says
//! nothing about. An earlier run stands beside every figure. Its size is bounded: pictures have at most two points a
//! pixel, tables are cut with a line that says so, whatever the length of the run.
//!
//! Reading order: this file, `verdict`, `latency`, `work`, `server`, `map`, `facts`; below them `picture` (a figure with
//! legend and table), `plot`, `scale` and `markup`; `spans` says when something was amiss.

mod facts;
mod file;
mod latency;
mod map;
mod markup;
mod picture;
mod plot;
mod scale;
mod server;
mod spans;
#[cfg(test)]
mod tests;
mod verdict;
mod work;

pub use file::publish;

use crate::compare::{Pair, pairs};
use crate::record::Record;
use markup::{El, el};
use spans::Spans;

/// What the parts of the page look at.
struct View<'a> {
    now: &'a Record,
    before: Option<&'a Record>,
    pairs: Vec<Pair>,
    spans: Spans,
}

impl View<'_> {
    /// A figure by its name.
    fn pair(&self, name: &str) -> Option<&Pair> {
        self.pairs.iter().find(|pair| pair.now.name == name)
    }
}

/// The page about a run, beside an earlier one.
pub fn render(now: &Record, before: Option<&Record>) -> String {
    let view = View { now, before, pairs: pairs(now, before), spans: Spans::of(now) };
    let title = format!("{} load test, {}", now.scenario, if now.ok { "passed" } else { "failed" });
    let head = el("head")
        .child(el("meta").attr("charset", "utf-8"))
        .child(el("meta").attr("name", "viewport").attr("content", "width=device-width, initial-scale=1"))
        .child(el("meta").attr("name", "color-scheme").attr("content", "light dark"))
        .child(el("title").text(&title))
        .child(el("style").verbatim(include_str!("style.css")));
    let main = el("main")
        .child(facts::head(&view))
        .child(verdict::hero(&view))
        .child(verdict::tiles(&view))
        .children(verdict::budget(&view))
        .children(verdict::findings(&view))
        .children(latency::curves(&view))
        .children(latency::over_time(&view))
        .children(work::fixes(&view))
        .children(work::beside(&view))
        .children(server::memory(&view))
        .children(server::cpu(&view))
        .children(map::section(&view))
        .children(facts::codes(&view))
        .children(facts::comparison(&view))
        .children(facts::repeat(&view))
        .children(facts::not_covered(&view))
        .child(facts::foot(&view));
    let html = el("html").attr("lang", "en").child(head).child(el("body").child(main));
    format!("<!DOCTYPE html>\n{html}\n")
}

/// A heading with what stands below it; nothing stands there without the other.
fn section(heading: &str, parts: impl IntoIterator<Item = El>) -> Vec<El> {
    let parts: Vec<El> = parts.into_iter().collect();
    if parts.is_empty() {
        return Vec::new();
    }
    std::iter::once(el("h2").text(heading)).chain(parts).collect()
}
