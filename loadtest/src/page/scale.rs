//! Axes: where a value lies between two ends, and which values deserve a tick.

/// An axis.
#[derive(Debug, Clone)]
pub struct Axis {
    low: f64,
    high: f64,
    log: bool,
    /// Values with a tick, and their labels.
    pub ticks: Vec<(f64, String)>,
}

/// Most nines on the axis of percentiles: one value in a million; a run that knows more than that is rare.
const NINES_MAX: f64 = 6.0;
/// Steps between ticks of time, in seconds.
const TIME_STEPS: [f64; 16] = [
    1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0, 7_200.0, 14_400.0, 86_400.0,
];

impl Axis {
    /// From zero to a round number that is not below `high`, with a label for each tick.
    pub fn linear(high: f64, ticks: u32, label: impl Fn(f64) -> String) -> Self {
        let high = if high.is_finite() && high > 0.0 { high } else { 1.0 };
        let rough = high / f64::from(ticks.max(1));
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 2.5, 5.0, 10.0].map(|of| of * power).into_iter().find(|step| *step >= rough * 0.999);
        let step = step.unwrap_or(rough);
        let count = (high / step - 1e-9).ceil().max(1.0) as u32;
        let ticks = (0..=count).map(|index| f64::from(index) * step).map(|value| (value, label(value))).collect();
        Self { low: 0.0, high: step * f64::from(count), log: false, ticks }
    }

    /// Powers of ten that contain both values; where that is little, also 2 and 5.
    pub fn log(low: f64, high: f64, label: impl Fn(f64) -> String) -> Self {
        let low = if low.is_finite() && low > 0.0 { low } else { 0.1 };
        let high = if high.is_finite() && high > low { high } else { low * 10.0 };
        let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
        let last = last.max(first + 1);
        let factors: &[f64] = if last - first <= 2 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let values = (first..=last).flat_map(|power| factors.iter().map(move |factor| factor * 10_f64.powi(power)));
        let end = 10_f64.powi(last);
        let ticks = values.filter(|value| *value <= end * 1.001).map(|value| (value, label(value))).collect();
        Self { low: 10_f64.powi(first), high: end, log: true, ticks }
    }

    /// Seconds of a run.
    pub fn time(length_s: f64, ticks: u32) -> Self {
        let length = if length_s.is_finite() && length_s > 0.0 { length_s } else { 1.0 };
        let step = TIME_STEPS.into_iter().find(|step| length / step <= f64::from(ticks)).unwrap_or(length);
        let count = (length / step + 1e-9).floor() as u32;
        let label = |at: f64| match at {
            0.0 => "0".to_owned(),
            at if step < 60.0 && length <= 600.0 => format!("{at:.0} s"),
            at if step < 60.0 => format!("{:.0}:{:02.0}", (at / 60.0).floor(), at % 60.0),
            at if step < 3_600.0 && at % 60.0 == 0.0 => format!("{:.0} min", at / 60.0),
            at => format!("{:.1} h", at / 3_600.0),
        };
        let ticks = (0..=count).map(|index| f64::from(index) * step).map(|at| (at, label(at))).collect();
        Self { low: 0.0, high: length, log: false, ticks }
    }

    /// Percentiles by their nines: 90 % is at 1, 99 % at 2, 99.9 % at 3, as far as so many values can tell.
    pub fn nines(count: u64) -> Self {
        let high = (count.max(10) as f64).log10().min(NINES_MAX);
        let label = |nines: u32| match nines {
            0 => "0 %".to_owned(),
            1 => "90 %".to_owned(),
            2 => "99 %".to_owned(),
            more => format!("99.{} %", "9".repeat(more as usize - 2)),
        };
        let ticks = (0..=high.floor() as u32).map(|nines| (f64::from(nines), label(nines))).collect();
        Self { low: 0.0, high, log: false, ticks }
    }

    /// Where a value lies: 0 at the low end, 1 at the high end. What lies outside is put on the end.
    pub fn share(&self, value: f64) -> f64 {
        let share = if self.log {
            (value.max(self.low) / self.low).log10() / (self.high / self.low).log10()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 }
    }

    /// The high end.
    pub fn high(&self) -> f64 {
        self.high
    }

    /// Whether a value has a place on it.
    pub fn holds(&self, value: f64) -> bool {
        value >= self.low && value <= self.high
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn ticks_are_round() {
        let number = |value: f64| format!("{value}");
        assert_eq!(labels(&Axis::linear(1_930.0, 4, number)), ["0", "500", "1000", "1500", "2000"]);
        assert_eq!(labels(&Axis::log(0.4, 900.0, number)), ["0.1", "1", "10", "100", "1000"]);
        assert_eq!(labels(&Axis::time(600.0, 6)), ["0", "2 min", "4 min", "6 min", "8 min", "10 min"]);
        assert_eq!(labels(&Axis::nines(20_000)), ["0 %", "90 %", "99 %", "99.9 %", "99.99 %"]);
    }

    #[test]
    fn nonsense_still_has_an_axis() {
        for nonsense in [f64::NAN, f64::INFINITY, 0.0, -3.0] {
            let axes = [
                Axis::linear(nonsense, 4, |value| value.to_string()),
                Axis::log(nonsense, nonsense, |value| value.to_string()),
                Axis::time(nonsense, 6),
            ];
            for axis in axes {
                assert!((0.0..=1.0).contains(&axis.share(nonsense)) && axis.ticks.len() > 1, "{nonsense} {axis:?}");
            }
        }
    }
}
