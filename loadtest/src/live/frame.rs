//! What the view says about a moment of a run: as lines of a frame, or as one line.

use crate::record::Second;
use crate::words;
use std::collections::VecDeque;

/// A run as it was meant to be.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// What runs, in a few words.
    pub title: String,
    /// How long it will be, if that is known.
    pub length_s: Option<f64>,
    /// Processors of the machine.
    pub cores: usize,
}

/// A moment of a run.
#[derive(Debug, Clone, Default)]
pub struct Shot {
    /// Its figures.
    pub second: Second,
    /// Faults under way, in words.
    pub faults: Vec<String>,
}

/// How words look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As text.
    Plain,
    /// A figure that matters.
    Strong,
    /// A word beside it.
    Quiet,
    /// As it should be.
    Good,
    /// Not as it should be.
    Bad,
    /// A picture.
    Accent,
}

/// Words of a line, left to right.
pub type Line = Vec<(Tone, String)>;

/// Seconds of the small curve: a minute, as wide as fits beside the figures.
const CURVE: usize = 48;
/// Cells of a bar.
const BAR: usize = 20;
/// How late the load may be before it is shown as bad, in ms; as the page has it.
const LATE_MS: f64 = 50.0;
/// Faults that are named; more are counted.
const FAULTS: usize = 3;
/// Characters of a fault.
const FAULT_CHARS: usize = 60;

/// Makes frames; keeps a minute for the curve.
#[derive(Debug)]
pub struct Frames {
    plan: Plan,
    shot: Shot,
    curve: VecDeque<f64>,
}

impl Frames {
    /// Before the first second.
    pub fn new(plan: Plan) -> Self {
        Self { plan, shot: Shot::default(), curve: VecDeque::with_capacity(CURVE) }
    }

    /// The next moment.
    pub fn take(&mut self, shot: Shot) {
        if self.curve.len() == CURVE {
            self.curve.pop_front();
        }
        self.curve.push_back(shot.second.p99_ms.unwrap_or(0.0));
        self.shot = shot;
    }

    /// A frame for a terminal.
    pub fn screen(&self) -> Vec<Line> {
        let second = &self.shot.second;
        vec![
            self.progress(),
            self.fixes(second),
            self.latency(second),
            count_line(
                "awards",
                &[
                    ("/s", second.rate(second.awards)),
                    ("notices/s", second.rate(second.notices)),
                    ("sockets", second.sockets as f64),
                ],
            ),
            self.server(second),
            self.load(second),
            self.faults(),
        ]
    }

    fn progress(&self) -> Line {
        let at = f64::from(self.shot.second.t) + self.shot.second.span_s();
        let mut line = vec![(Tone::Strong, clean(&self.plan.title)), (Tone::Plain, format!("   {}", clock(at)))];
        if let Some(length) = self.plan.length_s.filter(|length| *length > 0.0) {
            let share = (at / length).clamp(0.0, 1.0);
            line.push((Tone::Quiet, format!(" of {}  ", clock(length))));
            line.push((Tone::Accent, bar(share)));
            line.push((Tone::Quiet, format!(" {:.0} %, {} left", share * 100.0, clock((length - at).max(0.0)))));
        }
        line
    }

    fn fixes(&self, second: &Second) -> Line {
        let missing = second.offered.saturating_sub(second.acked);
        let mut line =
            count_line("fixes", &[("due/s", second.rate(second.offered)), ("answered/s", second.rate(second.acked))]);
        line.push(flag("missing/s", second.rate(missing), missing * 20 > second.offered));
        line.push(flag("errors/s", second.rate(second.errors), second.errors > 0));
        line
    }

    fn latency(&self, second: &Second) -> Line {
        let text = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), words::ms);
        let mut line = vec![label("latency")];
        for (name, value) in [("p50", second.p50_ms), ("p99", second.p99_ms), ("p99.9", second.p999_ms)] {
            line.push((Tone::Quiet, format!("{name} ")));
            line.push((Tone::Strong, format!("{:<9}", text(value))));
        }
        line.push((Tone::Accent, curve(&self.curve)));
        line.push((Tone::Quiet, " p99".to_owned()));
        line
    }

    fn server(&self, second: &Second) -> Line {
        let cpu = second.server_cpu_cores.map_or_else(|| "-".to_owned(), |cpu| format!("{cpu:.2}"));
        let memory = second.server_rss_mb.map_or_else(|| "-".to_owned(), |mb| words::with_unit(mb, "MB"));
        let share = second.server_cpu_cores.unwrap_or(0.0) / self.plan.cores.max(1) as f64;
        vec![
            label("server"),
            (Tone::Strong, cpu),
            (Tone::Quiet, " cores ".to_owned()),
            (Tone::Accent, bar(share.clamp(0.0, 1.0))),
            (Tone::Strong, format!("  {memory}")),
        ]
    }

    fn load(&self, second: &Second) -> Line {
        let others = second.other_cpu_cores.map_or_else(|| "-".to_owned(), |cpu| format!("{cpu:.2}"));
        let late = second.generator_lag_ms > LATE_MS;
        let mut line = vec![
            label("load"),
            (Tone::Strong, format!("{:.2}", second.generator_cpu_cores)),
            (Tone::Quiet, " cores   lag ".to_owned()),
            (if late { Tone::Bad } else { Tone::Strong }, words::ms(second.generator_lag_ms)),
            (Tone::Quiet, format!("   others {others} cores")),
        ];
        if late {
            line.push((Tone::Bad, "   the generator is saturated".to_owned()));
        }
        line
    }

    fn faults(&self) -> Line {
        let faults = &self.shot.faults;
        if faults.is_empty() {
            return vec![label("faults"), (Tone::Good, "none".to_owned())];
        }
        let named: Vec<String> = faults.iter().take(FAULTS).map(|fault| clean(fault)).collect();
        let more = faults.len().saturating_sub(FAULTS);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        vec![label("faults"), (Tone::Bad, named.join("; ") + &more)]
    }

    /// One line for a log.
    pub fn line(&self, shot: &Shot) -> String {
        let second = &shot.second;
        let text = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), words::ms);
        let at = f64::from(second.t) + second.span_s();
        let of = self.plan.length_s.map_or_else(String::new, |length| format!("/{}", clock(length)));
        let number = |value: f64| words::number(value.round());
        let mut line = format!(
            "{}{of}  fixes {} of {}/s  errors {}/s  p50 {}  p99 {}  p99.9 {}  awards {}/s  sockets {}",
            clock(at),
            number(second.rate(second.acked)),
            number(second.rate(second.offered)),
            number(second.rate(second.errors)),
            text(second.p50_ms),
            text(second.p99_ms),
            text(second.p999_ms),
            number(second.rate(second.awards)),
            words::whole(second.sockets),
        );
        if let (Some(cpu), Some(memory)) = (second.server_cpu_cores, second.server_rss_mb) {
            line += &format!("  server {cpu:.2} cores {}", words::with_unit(memory, "MB"));
        }
        line += &format!("  load {:.2} cores lag {}", second.generator_cpu_cores, words::ms(second.generator_lag_ms));
        for fault in shot.faults.iter().take(FAULTS) {
            line += &format!("  [{}]", clean(fault));
        }
        line
    }
}

fn label(name: &str) -> (Tone, String) {
    (Tone::Quiet, format!("{name:<9}"))
}

fn count_line(name: &str, counts: &[(&str, f64)]) -> Line {
    let mut line = vec![label(name)];
    for (unit, count) in counts {
        line.push((Tone::Strong, words::number(count.round())));
        line.push((Tone::Quiet, format!(" {unit}   ")));
    }
    line
}

fn flag(name: &str, value: f64, is_bad: bool) -> (Tone, String) {
    let tone = if is_bad { Tone::Bad } else { Tone::Quiet };
    (tone, format!("{} {name}   ", words::number(value.round())))
}

fn bar(share: f64) -> String {
    let full = (share * BAR as f64).round() as usize;
    "\u{2588}".repeat(full.min(BAR)) + &"\u{2591}".repeat(BAR.saturating_sub(full))
}

/// A minute as a row of blocks, on a scale of ratios between its least and its most.
fn curve(values: &VecDeque<f64>) -> String {
    let seen = values.iter().copied().filter(|value| *value > 0.0);
    let (low, high) = seen.fold((f64::MAX, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
    let span = (high / low).ln().max(0.5);
    let block = |value: &f64| {
        if *value <= 0.0 {
            return ' ';
        }
        let level = ((value / low).ln() / span * 7.0).round().clamp(0.0, 7.0) as u32;
        char::from_u32(0x2581 + level).unwrap_or(' ')
    };
    values.iter().map(block).collect()
}

/// Minutes and seconds, or hours too.
fn clock(seconds: f64) -> String {
    let seconds = seconds.round().max(0.0) as u64;
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes:02}:{seconds:02}") }
}

/// Words of others without what a terminal would obey.
fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(FAULT_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::samples;

    fn text(frames: &Frames) -> String {
        let line = |line: Line| line.into_iter().map(|(_, words)| words).collect::<String>();
        frames.screen().into_iter().map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn frame_says_where_the_run_is_and_what_is_wrong() {
        let run = samples::full(600);
        let plan = Plan { title: "city".to_owned(), length_s: Some(600.0), cores: 2 };
        let mut frames = Frames::new(plan);
        for second in run.seconds.points().iter().take(200) {
            frames.take(Shot { second: second.clone(), faults: vec!["kill: \u{1b}[2Jnode b".to_owned()] });
        }
        let text = text(&frames);
        for words in [
            "03:20 of 10:00",
            "33 %, 06:40 left",
            "2,000 due/s",
            "1,200 answered/s",
            "800 missing/s",
            "saturated",
            "kill: [2Jnode b",
        ] {
            assert!(text.contains(words), "{words} is not in\n{text}");
        }
        assert!(!text.contains('\u{1b}'), "nothing that a terminal obeys");
        assert!(frames.line(&frames.shot).starts_with("03:20/10:00  fixes 1,200 of 2,000/s  errors 40/s"));
    }

    #[test]
    fn frame_before_the_first_second_has_the_same_lines() {
        let mut frames = Frames::new(Plan::default());
        let before = frames.screen().len();
        frames.take(Shot::default());
        assert_eq!(frames.screen().len(), before);
    }

    #[test]
    fn curve_shows_ratios() {
        let values = VecDeque::from([1.0, 10.0, 0.0, 100.0]);
        assert_eq!(curve(&values), "\u{2581}\u{2585} \u{2588}");
    }
}
