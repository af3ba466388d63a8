//! Quests for tests: the demo quest, and small ones of a few lines.

pub const DEMO: &str = include_str!("../../quests/helsinki.yaml");

/// A small quest over places `a` to `e`, `secret` (hidden) and `way` (a corridor). `play` and `steps` are YAML;
/// `rest` holds further top-level keys.
pub fn quest(id: &str, play: &str, steps: &str, rest: &str) -> String {
    let circle =
        |name: &str, lon: f64| format!("  {name}: {{ center: [{lon}, 60.17], radius: 40, name: Place {name} }}\n");
    let places: String =
        ["a", "b", "c", "d", "e"].iter().zip(1..).map(|(name, n)| circle(name, 24.9 + 0.01 * f64::from(n))).collect();
    format!(
        "schema: quest/v1\nid: {id}\ntitle: {id}\nplay: {play}\nplaces:\n{places}\
         \x20 secret: {{ center: [24.98, 60.18], radius: 40, hidden: true, name: Treasure cave }}\n\
         \x20 way: {{ line: [[24.9, 60.16], [24.91, 60.16]], width: 40, name: The way }}\n\
         steps:\n{steps}\n{rest}\n"
    )
}

/// One that teams of any size play once.
pub fn team_quest(steps: &str, rest: &str) -> String {
    quest("small", TEAM, steps, rest)
}

pub const TEAM: &str = "{ mode: team, team_size: [1, 60] }";
pub const AGAIN: &str = "{ mode: team, team_size: [1, 60], repeat: again }";
