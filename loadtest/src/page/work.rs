//! What was done: fixes due and answered, so that missing ones are seen, then awards, notices, errors and sockets.

use super::latency::dots;
use super::markup::El;
use super::picture::{Key, Table, fault_keys, figure, over_time, previous_key};
use super::plot::Size;
use super::scale::Axis;
use super::{View, section};
use crate::compare::{Figure, MISSING};
use crate::record::Second;
use crate::words;

fn tick(value: f64) -> String {
    words::number(value)
}

/// The largest value of a timeline, here and in the earlier run.
fn largest(view: &View<'_>, of: impl Fn(&Second) -> f64) -> f64 {
    let runs = std::iter::once(view.now).chain(view.before);
    runs.flat_map(|run| run.seconds.points()).map(of).fold(0.0, f64::max)
}

/// Fixes due and answered.
pub fn fixes(view: &View<'_>) -> Vec<El> {
    if view.now.seconds.points().is_empty() {
        return Vec::new();
    }
    let mut keys: Vec<Key> = vec![
        ("line offered", "due each second"),
        ("line acked", "answered well"),
        ("area missing", "due, but not answered then"),
    ];
    keys.extend(fault_keys(&view.spans));
    keys.extend(previous_key(view.before.is_some()));
    let says = "What was due is set by the timetable of the walkers, whatever the server does. Where the line of answers \
                lies below it, players waited or got an error; where it lies above, waiting ones were answered.";
    let draw = |size: Size| {
        let thin = view.now.seconds.thinned(size.points());
        let points = thin.points();
        let offered = dots(points, |point| Some(point.rate(point.offered)));
        let acked = dots(points, |point| Some(point.rate(point.acked)));
        let met = dots(points, |point| Some(point.rate(point.acked.min(point.offered))));
        let high = largest(view, |point| point.rate(point.offered.max(point.acked)));
        let mut plot = over_time(size, view.now.seconds.length_s(), Axis::linear(high, 4, tick), &view.spans);
        if let Some(before) = view.before {
            let thin = before.seconds.thinned(size.points());
            plot.faint("answered in the earlier run", &dots(thin.points(), |point| Some(point.rate(point.acked))));
        }
        plot.area("area missing", "due, but not answered then", &met, &offered);
        plot.line("line offered", "due", &offered);
        plot.line("line acked", "answered", &acked);
        plot
    };
    let picture = figure("Fixes due and answered", says, &keys, [Size::Wide, Size::Narrow], draw);
    section("Fixes a second: due and answered", [picture, rates(view).element(&[])])
}

fn rates(view: &View<'_>) -> Table {
    let names = ["Fixes due", "Fixes answered", "Due fixes without a good answer", "Awards", "Notices", "Errors"];
    let row = |name: &&str| {
        let pair = view.pair(name)?;
        let before = pair.before.as_ref().map_or_else(|| "-".to_owned(), Figure::text);
        let totals = &view.now.totals;
        let total = match *name {
            "Fixes answered" => words::whole(totals.acks),
            "Awards" => words::whole(totals.awards),
            "Notices" => words::whole(totals.notices),
            "Errors" => words::whole(view.now.seconds.points().iter().map(|point| point.errors).sum()),
            "Fixes due" => words::whole(view.now.seconds.points().iter().map(|point| point.offered).sum()),
            _ => "-".to_owned(),
        };
        Some(vec![(*name).to_owned(), total, pair.now.text(), before, pair.change()])
    };
    Table {
        about: "Work done".to_owned(),
        head: vec!["", "In all", "On average", "Earlier run", "Difference"],
        rows: names.iter().filter_map(row).collect(),
    }
}

/// Smaller pictures of what goes along with fixes; those in which nothing ever happened are left out.
pub fn beside(view: &View<'_>) -> Vec<El> {
    let small = |title: &'static str, says: &str, class: &'static str, of: fn(&Second) -> f64| {
        let high = largest(view, of);
        if high <= 0.0 {
            return None;
        }
        let draw = |size: Size| {
            let thin = view.now.seconds.thinned(size.points());
            let mut plot = over_time(size, view.now.seconds.length_s(), Axis::linear(high, 4, tick), &view.spans);
            if let Some(before) = view.before {
                let thin = before.seconds.thinned(size.points());
                plot.faint("the earlier run", &dots(thin.points(), |point| Some(of(point))));
            }
            plot.line(class, "", &dots(thin.points(), |point| Some(of(point))));
            plot
        };
        let picture = figure(title, says, &[], [Size::Half, Size::Narrow], draw);
        Some(super::markup::el("section").child(super::markup::el("h3").text(title)).child(picture))
    };
    let pictures = [
        small("Awards a second", "Acknowledged to the player, so durable.", "line awards", |point| {
            point.rate(point.awards)
        }),
        small("Notices a second", "Seen on the phones of all members.", "line notices", |point| {
            point.rate(point.notices)
        }),
        small("Errors a second", "Commands refused or failed, connections lost.", "line errors", |point| {
            point.rate(point.errors)
        }),
        small("Open sockets", "At the end of each second.", "line sockets", |point| point.sockets as f64),
    ];
    let pictures: Vec<El> = pictures.into_iter().flatten().collect();
    if pictures.is_empty() {
        return Vec::new();
    }
    let errors = view.pair("Errors").map_or(MISSING.to_owned(), |pair| pair.now.text());
    let says = format!("Errors on average: {errors}.");
    let quiet = super::markup::el("p").class("quiet").text(says);
    section("Awards, notices, errors and sockets", [quiet, super::markup::el("div").class("pair").children(pictures)])
}
