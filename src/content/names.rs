//! "Did you mean": the known name nearest to an unknown one.
//!
//! Promise: a suggestion is made only when it is near enough that a slip of the finger explains the difference.

/// The one of `known` that `name` was probably meant to be, as a help text.
pub(crate) fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let allowed = (name.chars().count() / 3).max(1);
    let nearest = known.into_iter().map(|other| (distance(name, other), other)).min()?;
    (nearest.0 <= allowed).then(|| format!("did you mean \"{}\"?", nearest.1))
}

/// Names in a row for a help text: `"a", "b" and 3 more`.
pub(crate) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let all: Vec<_> = names.into_iter().map(|name| format!("\"{name}\"")).collect();
    match all.split_at_checked(8) {
        Some((shown, rest)) if !rest.is_empty() => format!("{} and {} more", shown.join(", "), rest.len()),
        _ => all.join(", "),
    }
}

/// Edits from one word to the other: a letter more, fewer or other, or two neighbors swapped (optimal alignment).
fn distance(a: &str, b: &str) -> usize {
    let fold = |text: &str| text.to_lowercase().replace('_', "-").chars().take(100).collect::<Vec<_>>();
    let (a, b) = (fold(a), fold(b));
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut best = (rows[i][j] + usize::from(x != y)).min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && *y == a[i - 1] {
                best = best.min(rows[i - 1][j - 1] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_suggested_and_far_ones_are_not() {
        let known = ["kivi", "smiths", "three-smiths", "senate"];
        assert_eq!(did_you_mean("kivvi", known).as_deref(), Some("did you mean \"kivi\"?"));
        assert_eq!(did_you_mean("Three_Smiths", known).as_deref(), Some("did you mean \"three-smiths\"?"));
        assert_eq!(did_you_mean("smtihs", known).as_deref(), Some("did you mean \"smiths\"?"));
        assert_eq!(did_you_mean("harbor", known), None);
        assert_eq!(did_you_mean("x", []), None);
    }

    #[test]
    fn long_lists_are_cut() {
        assert_eq!(listed(["a", "b"]), "\"a\", \"b\"");
        assert!(listed(["a"; 11]).ends_with("and 3 more"));
    }
}
