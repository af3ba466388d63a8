//! Where it happened: streets, where walkers were, and what was won at which place. Walkers are made up, see the record.

use super::View;
use super::markup::{El, Px, el};
use super::picture::Table;
use crate::record::{Cell, Map, Place};
use crate::words;
use std::fmt::Write as _;

/// Width of the picture, and the least and largest height.
const WIDTH: f64 = 820.0;
const HEIGHT: (f64, f64) = (260.0, 900.0);
/// Cells of the picture in a row: finer ones would be smaller than a finger.
const CELLS: f64 = 64.0;
/// Steps of colour: more cannot be told apart.
const STEPS: u32 = 6;
/// Most points of streets that are drawn, a quarter of a megabyte; beyond it, points near one another are left out.
const POINTS_MAX: usize = 24_000;
/// Most places with a name in the picture; the table has more.
const NAMES_MAX: usize = 12;

/// From degrees to pixels: flat, which a city is.
struct Projection {
    west: f64,
    north: f64,
    x: f64,
    y: f64,
    height: f64,
}

impl Projection {
    fn of(map: &Map) -> Option<Self> {
        // Where something happened; streets alone if nothing did.
        let mut points: Vec<(f64, f64)> = map.heat.iter().map(|cell| (cell.lon, cell.lat)).collect();
        points.extend(map.places.iter().map(|place| (place.lon, place.lat)));
        if points.is_empty() {
            points.extend(map.streets.iter().flatten());
        }
        points.retain(|(lon, lat)| lon.abs() <= 180.0 && lat.abs() <= 85.0);
        let fold = |of: fn(&(f64, f64)) -> f64| {
            points.iter().map(of).fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)))
        };
        let ((west, east), (south, north)) = (fold(|point| point.0), fold(|point| point.1));
        if points.is_empty() {
            return None;
        }
        let narrow = f64::midpoint(south, north).to_radians().cos();
        let (wide, tall) = (((east - west) * narrow).max(1e-4), (north - south).max(1e-4));
        let (wide, tall) = (wide * 1.08, tall * 1.08);
        let scale = (WIDTH / wide).min(HEIGHT.1 / tall);
        let height = (tall * scale).max(HEIGHT.0);
        let (west, north) = (
            f64::midpoint(west, east) - WIDTH / scale / narrow / 2.0,
            f64::midpoint(south, north) + height / scale / 2.0,
        );
        Some(Self { west, north, x: scale * narrow, y: scale, height })
    }

    fn at(&self, (lon, lat): (f64, f64)) -> (f64, f64) {
        ((lon - self.west) * self.x, (self.north - lat) * self.y)
    }

    fn shows(&self, (x, y): (f64, f64)) -> bool {
        (0.0..=WIDTH).contains(&x) && (0.0..=self.height).contains(&y)
    }
}

/// The part of the page.
pub fn section(view: &View<'_>) -> Vec<El> {
    super::section("Where it happened", view.now.map.as_ref().and_then(parts).into_iter().flatten())
}

/// Picture and table, if there is anything to see.
fn parts(map: &Map) -> Option<[El; 2]> {
    let projection = Projection::of(map)?;
    let mut places: Vec<&Place> = map.places.iter().collect();
    places.sort_by_key(|place| std::cmp::Reverse(place.awards));
    let fixes = map.heat.iter().map(|cell| cell.count).sum::<u64>();
    // Streets are OpenStreetMap's, whichever city they are of; its licence asks for the mention.
    let source = if map.streets.is_empty() { "" } else { " Streets \u{a9} OpenStreetMap contributors." };
    let says = format!(
        "{} fixes of made-up walkers and {} places. The stronger the colour of a square, the more fixes; the larger a circle, \
         the more was won there.{source}",
        words::whole(fixes),
        words::whole(places.len() as u64)
    );
    let picture = el("svg")
        .attr("viewBox", format!("0 0 {WIDTH} {}", Px(projection.height)))
        .attr("role", "img")
        .attr("aria-label", format!("Map of the run. {says}"))
        .children(heat(map, &projection))
        .child(streets(map, &projection))
        .children(circles(&places, &projection));
    let figure = el("figure").class("map").child(picture).child(el("figcaption").text(says));
    let rows = places.iter().map(|place| vec![place.name.clone(), words::whole(place.awards)]);
    let table = Table { about: "Awards by place".to_owned(), head: vec!["Place", "Awards"], rows: rows.collect() };
    Some([figure, table.folded(&[]).unwrap_or_else(|| el("p"))])
}

/// One path for each step of colour: squares of the grid that the picture has.
fn heat(map: &Map, projection: &Projection) -> Vec<El> {
    // A cell of the record is not made finer, or stripes would show.
    let side = (WIDTH / CELLS).max(map.cell.0 * projection.x).max(map.cell.1 * projection.y).min(WIDTH);
    let mut squares = std::collections::BTreeMap::<(i64, i64), u64>::new();
    for Cell { lon, lat, count } in &map.heat {
        let at = projection.at((*lon, *lat));
        if projection.shows(at) {
            *squares.entry(((at.0 / side).floor() as i64, (at.1 / side).floor() as i64)).or_default() += count;
        }
    }
    let most = squares.values().copied().max().unwrap_or(1) as f64;
    let step_of = |count: u64| {
        let share = (1.0 + count as f64).ln() / (1.0 + most).ln();
        (share * f64::from(STEPS)).ceil().clamp(1.0, f64::from(STEPS)) as u32
    };
    let path = |step: u32| {
        let mut path = String::new();
        for ((x, y), _) in squares.iter().filter(|(_, count)| **count > 0 && step_of(**count) == step) {
            // Writing to a String cannot fail, here and below.
            let (x, y) = (Px(*x as f64 * side), Px(*y as f64 * side));
            let _ = write!(path, "M{x} {y}h{0}v{0}h-{0}z", Px(side));
        }
        let opacity = format!("{:.2}", 0.1 + 0.75 * f64::from(step) / f64::from(STEPS));
        el("path").attr("d", path).class("heat").attr("fill-opacity", opacity)
    };
    (1..=STEPS).map(path).collect()
}

/// All streets as one path, to a pixel and relative, without points that would not be seen.
fn streets(map: &Map, projection: &Projection) -> El {
    let mut least = 1.0;
    loop {
        let (path, points) = street_path(map, projection, least);
        if points <= POINTS_MAX {
            return el("path").attr("d", path).class("street");
        }
        least *= 1.5;
    }
}

/// Points that are nearer to the last than `least` pixels are left out, and with them streets that are shorter; so there is a
/// distance from which on nothing is left.
fn street_path(map: &Map, projection: &Projection, least: f64) -> (String, usize) {
    let (mut path, mut points) = (String::new(), 0);
    for street in &map.streets {
        // The last point, and whether the path has it.
        let mut from: Option<(f64, f64, bool)> = None;
        for point in street {
            let (x, y) = projection.at(*point);
            if !projection.shows((x, y)) {
                from = None;
                continue;
            }
            let (x, y) = (x.round(), y.round());
            let Some((before_x, before_y, is_drawn)) = from else {
                from = Some((x, y, false));
                continue;
            };
            let (dx, dy) = (x - before_x, y - before_y);
            if dx.hypot(dy) < least {
                continue;
            }
            if !is_drawn {
                // Writing to a String cannot fail, here and below.
                let _ = write!(path, "M{before_x} {before_y}");
                points += 1;
            }
            let _ = write!(path, "l{dx} {dy}");
            (from, points) = (Some((x, y, true)), points + 1);
        }
    }
    (path, points)
}

fn circles(places: &[&Place], projection: &Projection) -> Vec<El> {
    let most = places.iter().map(|place| place.awards).max().unwrap_or(0).max(1) as f64;
    let circle = |place: &&Place| {
        let (x, y) = projection.at((place.lon, place.lat));
        let radius = 4.0 + 10.0 * (place.awards as f64 / most).sqrt();
        let title = el("title").text(format!("{}: {} awards", place.name, place.awards));
        el("circle").px("cx", x).px("cy", y).px("r", radius).class("place").child(title)
    };
    let name = |place: &&Place| {
        let (x, y) = projection.at((place.lon, place.lat));
        // To the left where there is no room to the right.
        let (x, anchor) = if x > WIDTH * 0.75 { (x - 18.0, "end") } else { (x + 18.0, "start") };
        el("text").px("x", x).px("y", y + 5.0).attr("text-anchor", anchor).class("place-name").text(&place.name)
    };
    let shown: Vec<&Place> =
        places.iter().copied().filter(|place| projection.shows(projection.at((place.lon, place.lat)))).collect();
    shown.iter().map(circle).chain(shown.iter().take(NAMES_MAX).map(name)).collect()
}
