//! A figure of the page: the picture in each size, its legend, a sentence on how to read it, and the same as a table.

use super::markup::{El, el};
use super::plot::{Plot, Size};
use super::scale::Axis;
use super::spans::Spans;
use crate::words;

/// One entry of a legend: the class of its line or area, and its name.
pub type Key = (&'static str, &'static str);

/// A table: what it is about, its head, its rows. The first column names the row.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// What a reader of the screen hears first.
    pub about: String,
    /// Heads of columns.
    pub head: Vec<&'static str>,
    /// Rows.
    pub rows: Vec<Vec<String>>,
}

/// Most faults that pictures name: more would be a wall of words.
const NAMED_MAX: usize = 40;
/// Most rows of a table: more are read by programs, from the record.
const ROWS_MAX: usize = 60;

impl Table {
    /// As an element; whatever column `left` names is text.
    pub fn element(&self, left: &[usize]) -> El {
        let class = |column: usize| if column == 0 || left.contains(&column) { "lead" } else { "number" };
        let head = self.head.iter().enumerate();
        let head = head.map(|(column, text)| el("th").attr("scope", "col").class(class(column)).text(text));
        let rows = self.rows.iter().take(ROWS_MAX).map(|row| {
            el("tr").children(row.iter().enumerate().map(|(column, text)| {
                let cell = if column == 0 { el("th").attr("scope", "row") } else { el("td") };
                let cell = cell.class(class(column));
                match text.rsplit(", ").next() {
                    Some("better" | "yes") => cell.child(el("span").class("is-good").text(text)),
                    Some("worse" | "no") => cell.child(el("span").class("is-bad").text(text)),
                    _ => cell.text(text),
                }
            }))
        });
        let table = el("table")
            .attr("aria-label", &self.about)
            .child(el("thead").child(el("tr").children(head)))
            .child(el("tbody").children(rows));
        let more = self.rows.len().saturating_sub(ROWS_MAX);
        let rest = (more > 0).then(|| el("p").class("quiet").text(format!("... and {more} more in the record.")));
        // What scrolls can be reached by keys.
        let scroll = el("div").class("scroll").attr("tabindex", 0).attr("role", "region");
        scroll.attr("aria-label", &self.about).child(table).child(rest)
    }

    /// As an element that is opened when wanted.
    pub fn folded(&self, left: &[usize]) -> Option<El> {
        (!self.rows.is_empty()).then(|| {
            el("details").child(el("summary").text(format!("{}, as a table", self.about))).child(self.element(left))
        })
    }
}

/// A figure whose picture is drawn in each of the sizes.
pub fn figure(title: &str, says: &str, keys: &[Key], sizes: [Size; 2], draw: impl Fn(Size) -> Plot) -> El {
    el("figure")
        .child(legend(keys))
        .children(sizes.map(|size| draw(size).svg(title, says)))
        .child(el("figcaption").text(says))
}

fn legend(keys: &[Key]) -> Option<El> {
    let key = |(class, name): &Key| {
        let sample = if class.starts_with("area") || class.starts_with("band") {
            el("rect").attr("y", 1).attr("width", 26).attr("height", 10).class(class)
        } else {
            el("path").attr("d", "M1 6H25").class(class)
        };
        let sample = el("svg").attr("viewBox", "0 0 26 12").attr("aria-hidden", "true").child(sample);
        el("li").child(sample).child(el("span").text(name))
    };
    (!keys.is_empty()).then(|| el("ul").class("legend").children(keys.iter().map(key)))
}

/// An empty picture over the time of a run, with its faults.
pub fn over_time(size: Size, length_s: f64, y: Axis, spans: &Spans) -> Plot {
    let mut plot = Plot::new(size, Axis::time(length_s, size.ticks()), y);
    if spans.faults.len() > NAMED_MAX {
        plot.bands("band recovery", "recovering", spans.faults.iter().filter_map(|fault| fault.recovering));
        plot.bands("band fault", "a fault", spans.faults.iter().map(|fault| fault.acting));
        return plot;
    }
    for fault in &spans.faults {
        if let Some(span) = fault.recovering {
            plot.band("band recovery", &format!("{}: recovering", fault.what), span.from, span.to);
        }
        let what = format!("{} {}, at {}", fault.number, fault.what, words::span(fault.acting.from));
        plot.band("band fault", &what, fault.acting.from, fault.acting.to);
        plot.mark(fault.acting.from, &fault.number.to_string());
    }
    plot
}

/// Keys of faults, if there were any.
pub fn fault_keys(spans: &Spans) -> Vec<Key> {
    if spans.faults.is_empty() {
        return Vec::new();
    }
    vec![("band fault", "a fault at work, by its number"), ("band recovery", "recovering from it")]
}

/// The key of the previous run, if there is one.
pub fn previous_key(is_there: bool) -> Vec<Key> {
    if is_there { vec![("line previous", "the earlier run")] } else { Vec::new() }
}
