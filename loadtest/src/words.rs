//! Numbers as people read them: three digits that matter, a unit that fits.

/// A latency in milliseconds, as ms or s.
pub fn ms(value: f64) -> String {
    match value {
        value if !value.is_finite() => "?".to_owned(),
        0.0 => "0 ms".to_owned(),
        value if value >= 1_000.0 => format!("{} s", number(value / 1_000.0)),
        value => format!("{} ms", number(value)),
    }
}

/// A span of seconds.
pub fn span(seconds: f64) -> String {
    match seconds {
        seconds if !seconds.is_finite() => "?".to_owned(),
        seconds if seconds >= 5_400.0 => format!("{:.1} h", seconds / 3_600.0),
        seconds if seconds >= 120.0 && ((seconds % 60.0).round() as u32).is_multiple_of(60) => {
            format!("{:.0} min", seconds / 60.0)
        }
        seconds if seconds >= 120.0 => format!("{:.0} min {:02.0} s", (seconds / 60.0).floor(), seconds % 60.0),
        seconds => format!("{} s", number(seconds)),
    }
}

/// A value in a unit; milliseconds become seconds where they are many.
pub fn with_unit(value: f64, unit: &str) -> String {
    match unit {
        "ms" => ms(value),
        "s" => span(value),
        "" => number(value),
        unit => format!("{} {unit}", number(value)),
    }
}

/// Three digits that matter; thousands are set apart.
pub fn number(value: f64) -> String {
    let size = value.abs();
    match size {
        _ if !value.is_finite() => "?".to_owned(),
        0.0 => "0".to_owned(),
        size if size >= 100.0 || (value.fract() == 0.0 && size < 1e15) => grouped(value),
        size if size >= 10.0 => trimmed(format!("{value:.1}")),
        size if size >= 0.001 => {
            trimmed(format!("{value:.*}", 2 + usize::from(size < 0.1) + usize::from(size < 0.01)))
        }
        _ => format!("{value:.1e}"),
    }
}

/// A whole number with thousands set apart.
pub fn whole(value: u64) -> String {
    grouped(value as f64)
}

fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value <= -0.5 { format!("-{text}") } else { text }
}

fn trimmed(text: String) -> String {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let told = [0.0, 0.004_2, 0.25, 3.0, 3.456, 21.44, 640.4, 14_400.0, -1_234.0].map(number);
        assert_eq!(told, ["0", "0.0042", "0.25", "3", "3.46", "21.4", "640", "14,400", "-1,234"]);
        assert_eq!([ms(0.91), ms(2_100.0)], ["0.91 ms", "2.1 s"]);
        assert_eq!(
            [span(36.0), span(600.0), span(754.0), span(14_400.0)],
            ["36 s", "10 min", "12 min 34 s", "4.0 h"]
        );
        assert_eq!(with_unit(240.0, "MB"), "240 MB");
    }
}
