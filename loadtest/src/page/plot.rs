//! One picture with axes, as SVG: lines, areas, bands and levels, each with a name for those who do not see it.
//!
//! Every picture is drawn twice, wide and narrow, and the style sheet shows the one that fits: scaled down to a phone, the
//! letters of a wide one could not be read. Colours are classes, so light, dark and paper are the style sheet's.

use super::markup::{El, Px, el};
use super::scale::Axis;
use super::spans::Span;
use std::fmt::Write as _;

/// What a picture is drawn for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// A screen or paper.
    Wide,
    /// Half of a screen.
    Half,
    /// A phone.
    Narrow,
}

impl Size {
    fn room(self) -> (f64, f64) {
        match self {
            Self::Wide => (960.0, 280.0),
            Self::Half => (470.0, 270.0),
            Self::Narrow => (360.0, 250.0),
        }
    }

    /// How many ticks of time have room.
    pub fn ticks(self) -> u32 {
        if self == Self::Wide { 10 } else { 4 }
    }

    /// How many points a line may have: two for each pixel say no more.
    pub fn points(self) -> usize {
        if self == Self::Wide { 480 } else { 240 }
    }

    fn class(self) -> &'static str {
        if self == Self::Narrow { "narrow" } else { "wide" }
    }
}

/// Room for what stands beside the field.
const LEFT: f64 = 58.0;
const RIGHT: f64 = 54.0;
const TOP: f64 = 22.0;
const BOTTOM: f64 = 30.0;
const STRIP: f64 = 9.0;
/// Least distance of two labels above one another, and of two beside one another.
const LABEL_HEIGHT: f64 = 14.0;
const LABEL_WIDTH: f64 = 16.0;

/// A point that may be missing.
pub type Dot = (f64, Option<f64>);

/// A picture under construction; later things lie above earlier ones.
#[derive(Debug)]
pub struct Plot {
    size: Size,
    x: Axis,
    y: Axis,
    body: Vec<El>,
    /// Names at the right end of lines: height, class, name.
    ends: Vec<(f64, &'static str, String)>,
    last_mark: f64,
}

impl Plot {
    /// An empty field with its grid.
    pub fn new(size: Size, x: Axis, y: Axis) -> Self {
        let mut plot = Self { size, x, y, body: Vec::new(), ends: Vec::new(), last_mark: f64::MIN };
        plot.grid();
        plot
    }

    fn at_x(&self, value: f64) -> f64 {
        LEFT + self.x.share(value) * (self.size.room().0 - LEFT - RIGHT)
    }

    fn at_y(&self, value: f64) -> f64 {
        let height = self.size.room().1 - TOP - BOTTOM;
        TOP + (1.0 - self.y.share(value)) * height
    }

    fn grid(&mut self) {
        let (width, height) = self.size.room();
        let line = |x1: f64, y1: f64, x2: f64, y2: f64| {
            el("line").px("x1", x1).px("y1", y1).px("x2", x2).px("y2", y2).class("grid")
        };
        let word = |x: f64, y: f64, anchor: &str, text: &str| {
            el("text").px("x", x).px("y", y).attr("text-anchor", anchor).class("tick").text(text)
        };
        let mut drawn = Vec::new();
        for (value, label) in &self.y.ticks {
            let y = self.at_y(*value);
            drawn.push(line(LEFT, y, width - RIGHT, y));
            drawn.push(word(LEFT - 6.0, y + 4.0, "end", label));
        }
        for (value, label) in &self.x.ticks {
            let x = self.at_x(*value);
            drawn.push(line(x, TOP, x, height - BOTTOM));
            drawn.push(word(x, height - BOTTOM + 17.0, "middle", label));
        }
        self.body.extend(drawn);
    }

    /// A line from point to point, with gaps where points are missing; `name` stands at its end.
    pub fn line(&mut self, class: &'static str, name: &str, points: &[Dot]) {
        let path = self.path(points);
        if path.is_empty() {
            return;
        }
        self.body.push(el("path").attr("d", path).class(class).child(el("title").text(name)));
        if let Some(y) = points.iter().rev().find_map(|(_, y)| *y) {
            self.ends.push((self.at_y(y) + 4.0, class, name.to_owned()));
        }
    }

    /// A line without a name at its end: the previous run's.
    pub fn faint(&mut self, name: &str, points: &[Dot]) {
        let path = self.path(points);
        if !path.is_empty() {
            self.body.push(el("path").attr("d", path).class("line previous").child(el("title").text(name)));
        }
    }

    fn path(&self, points: &[Dot]) -> String {
        let (mut path, mut drawing) = (String::new(), false);
        for (x, y) in points {
            let Some(y) = y.filter(|y| y.is_finite()) else {
                drawing = false;
                continue;
            };
            let (x, y) = (Px(self.at_x(*x)), Px(self.at_y(y)));
            // Writing to a String cannot fail; a point alone is a dot by its round ends.
            let _ = if drawing { write!(path, "L{x} {y}") } else { write!(path, "M{x} {y}h.1") };
            drawing = true;
        }
        path
    }

    /// What lies between two lines over the same points.
    pub fn area(&mut self, class: &'static str, name: &str, lower: &[Dot], upper: &[Dot]) {
        let mut path = String::new();
        let forth = upper.iter().map(|(x, y)| (*x, y.unwrap_or(0.0)));
        let back = lower.iter().rev().map(|(x, y)| (*x, y.unwrap_or(0.0)));
        for (index, (x, y)) in forth.chain(back).enumerate() {
            let letter = if index == 0 { 'M' } else { 'L' };
            let _ = write!(path, "{letter}{} {}", Px(self.at_x(x)), Px(self.at_y(y)));
        }
        if !path.is_empty() {
            self.body.push(el("path").attr("d", path + "Z").class(class).child(el("title").text(name)));
        }
    }

    /// A span of the horizontal axis over the whole height.
    pub fn band(&mut self, class: &'static str, name: &str, from: f64, to: f64) {
        let (left, right) = (self.at_x(from), self.at_x(to));
        let band = el("rect").px("x", left).px("y", TOP).px("width", (right - left).max(1.5));
        let band = band.px("height", self.size.room().1 - TOP - BOTTOM).class(class);
        self.body.push(band.child(el("title").text(name)));
    }

    /// Many spans at once, as one path: what is too much to be named one by one.
    pub fn bands(&mut self, class: &'static str, name: &str, spans: impl IntoIterator<Item = Span>) {
        self.blocks(class, name, TOP, self.size.room().1 - TOP - BOTTOM, spans);
    }

    /// Spans as a thin strip at the top of the field, which leaves free what lies below; `row` counts from 0.
    pub fn strip(&mut self, class: &'static str, name: &str, row: u8, spans: impl IntoIterator<Item = Span>) {
        self.blocks(class, name, TOP + f64::from(row) * (STRIP + 2.0), STRIP, spans);
    }

    fn blocks(
        &mut self,
        class: &'static str,
        name: &str,
        top: f64,
        height: f64,
        spans: impl IntoIterator<Item = Span>,
    ) {
        let mut path = String::new();
        for span in spans {
            let (left, right) = (self.at_x(span.from), self.at_x(span.to));
            let width = (right - left).max(1.5);
            let _ = write!(path, "M{} {top}h{1}v{height}h-{1}z", Px(left), Px(width));
        }
        if !path.is_empty() {
            self.body.push(el("path").attr("d", path).class(class).child(el("title").text(name)));
        }
    }

    /// A short mark above the field, unless there is one very near.
    pub fn mark(&mut self, at: f64, text: &str) {
        let x = self.at_x(at);
        if x - self.last_mark >= LABEL_WIDTH {
            self.last_mark = x;
            self.body.push(el("text").px("x", x).px("y", TOP - 7.0).class("mark").text(text));
        }
    }

    /// A level over the horizontal axis up to a value, with its name above it.
    pub fn level(&mut self, class: &'static str, name: &str, y: f64, to: Option<f64>) {
        if !self.y.holds(y) {
            return;
        }
        let (top, right) = (self.at_y(y), to.map_or(self.size.room().0 - RIGHT, |to| self.at_x(to)));
        let line = el("path").attr("d", format!("M{} {}H{}", Px(LEFT), Px(top), Px(right))).class(class);
        self.body.push(line.child(el("title").text(name)));
        if to.is_some() {
            self.body.push(el("circle").px("cx", right).px("cy", top).attr("r", 4).class("limit-end"));
        }
        let above = if top < TOP + LABEL_HEIGHT { top + LABEL_HEIGHT } else { top - 5.0 };
        self.body.push(el("text").px("x", LEFT + 6.0).px("y", above).class("limit-name").text(name));
    }

    /// The picture.
    pub fn svg(mut self, title: &str, description: &str) -> El {
        let (width, height) = self.size.room();
        self.ends.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut free = TOP;
        for (y, class, name) in self.ends {
            let y = y.max(free);
            free = y + LABEL_HEIGHT;
            let class = class.trim_start_matches("line ");
            let end = el("text").px("x", width - RIGHT + 6.0).px("y", y).attr("class", format!("end {class}"));
            self.body.push(end.text(name));
        }
        el("svg")
            .attr("viewBox", format!("0 0 {width} {height}"))
            .attr("role", "img")
            .attr("aria-label", format!("{title}. {description}"))
            .class(self.size.class())
            .children(self.body)
    }
}
