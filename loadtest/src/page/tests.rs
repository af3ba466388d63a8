//! The page as programs see it: well-formed, small, self-contained, with nothing that escapes and colours that can be
//! told from their ground. How it looks is for eyes.

use super::*;
use crate::record::{FaultMark, Record, samples};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use xml::reader::{EventReader, XmlEvent};

/// Most bytes of a page, whatever the run.
const BYTES_MAX: usize = 2_000_000;

/// Elements by name, and all text; fails where the page is not well-formed.
fn read(page: &str) -> (BTreeMap<String, usize>, String) {
    let (mut names, mut text) = (BTreeMap::new(), String::new());
    for event in EventReader::new(page.as_bytes()) {
        match event.unwrap_or_else(|err| panic!("{err}: {page}")) {
            XmlEvent::StartElement { name, .. } => *names.entry(name.local_name).or_default() += 1,
            XmlEvent::Characters(found) => text += &found,
            _ => {}
        }
    }
    (names, text)
}

fn count(names: &BTreeMap<String, usize>, name: &str) -> usize {
    names.get(name).copied().unwrap_or(0)
}

#[test]
fn full_run_has_all_pictures_each_with_words_and_a_table() {
    let page = render(&samples::full(600), Some(&samples::slowed(600, 0.8)));
    let (names, text) = read(&page);
    // Three curves, latency, fixes, four small ones, memory, processors: each twice; and the map.
    let pictures = page.matches("role=\"img\" aria-label=\"").count() - samples::full(600).budget.len() + 1;
    assert_eq!(pictures, 11 * 2 + 1);
    assert!(count(&names, "table") >= 10 && count(&names, "h2") >= 10, "{names:?}");
    for words in [
        "\u{2717} Failed",
        "1 of 5 checks failed: Fix to notice, p99",
        "Kauppatori",
        "was killed",
        "--seed 7",
        "worse",
        "896ed4800",
    ] {
        assert!(text.contains(words), "{words} is missing");
    }
    assert!(text.contains("everything ran on one machine"), "what is not covered is missing");
}

#[test]
fn run_without_anything_is_a_page_that_says_so() {
    let (names, text) = read(&render(&samples::empty(), None));
    assert!(text.contains("Nothing was checked") && text.contains("Failed"), "{text}");
    assert_eq!((count(&names, "svg"), count(&names, "pre")), (0, 1));
}

#[test]
fn hostile_words_stay_words() {
    let bad = "<script>alert('x')</script>\u{0}&\"";
    let mut run = samples::full(30);
    run.scenario = bad.to_owned();
    run.settings = bad.to_owned();
    run.commit = bad.to_owned();
    run.begun = bad.to_owned();
    run.machine.cpu_model = bad.to_owned();
    run.not_covered.push(bad.to_owned());
    run.budget[0].name = bad.to_owned();
    run.budget[0].unit = bad.to_owned();
    run.verdict[0].what = bad.to_owned();
    run.generators[0].name = bad.to_owned();
    run.faults[0].what = bad.to_owned();
    run.totals.by_code.insert(bad.to_owned(), 3);
    let latency = run.latencies["connect"].clone();
    run.latencies.insert(bad.to_owned(), latency);
    if let Some(map) = &mut run.map {
        map.places[0].name = bad.to_owned();
    }
    let page = render(&run, Some(&run));
    let (names, text) = read(&page);
    assert_eq!((count(&names, "script"), page.contains("<script")), (0, false));
    assert!(text.matches("<script>alert('x')</script>\u{fffd}&\"").count() >= 10, "{text}");
}

#[test]
fn four_hours_with_a_thousand_faults_stay_small() {
    let mut run = samples::full(14_400);
    let mark = |index: u32| FaultMark {
        at_s: f64::from(index) * 14.0,
        until_s: Some(f64::from(index) * 14.0 + 3.0),
        kind: "kill".to_owned(),
        what: "node a".to_owned(),
        recovered_s: None,
    };
    run.faults = (0..1_000).map(mark).collect();
    if let Some(map) = &mut run.map {
        let street =
            |row: u32| (0..100).map(|x| (24.93 + f64::from(x) * 2e-4, 60.165 + f64::from(row) * 8e-6)).collect();
        map.streets = (0..1_000).map(street).collect();
    }
    let page = render(&run, Some(&run));
    read(&page);
    assert!(page.len() < BYTES_MAX, "{} bytes", page.len());
}

#[test]
fn strange_maps_end_and_stay_in_their_place() {
    let mut run = samples::full(20);
    let map = run.map.as_mut().expect("a map");
    // As many streets as a map may have points, none longer than a step; places beyond the world.
    map.streets = (0..50_000).map(|row| vec![(24.93 + f64::from(row % 200) * 8e-5, 60.166); 2]).collect();
    map.streets.push(vec![(24.931, 60.166), (1e300, 60.166), (24.94, 60.167)]);
    map.places[0].lon = 1e300;
    map.places[1].lat = -90.0;
    map.heat[0].lat = 1e300;
    let page = render(&run, None);
    read(&page);
    assert!(page.len() < BYTES_MAX / 4, "{} bytes", page.len());
    for word in ["NaN", "inf"] {
        let numbers = page.split('"').filter(|value| value.starts_with(word));
        assert_eq!(numbers.count(), 0, "{word}");
    }
    assert_eq!(page.matches("class=\"place\"").count(), 1);
}

#[test]
fn page_needs_nothing_from_elsewhere() {
    let page = render(&samples::full(60), None);
    for reference in ["http:", "https:", "src=", "href=", "url(", "@import", "<script", "<link"] {
        assert!(!page.contains(reference), "{reference}");
    }
}

#[test]
fn earlier_run_is_found_among_its_neighbours() {
    let folder = std::env::temp_dir().join(format!("waystone-runs-{}", std::process::id()));
    let write = |name: &str, begun: &str, change: fn(&mut Record)| -> PathBuf {
        let mut run = samples::full(20);
        run.begun = begun.to_owned();
        run.commit = name.to_owned();
        change(&mut run);
        run.write(&folder.join(name)).expect("written")
    };
    write("older", "2026-11-01T10:00:00Z", |_| {});
    write("newest-older", "2026-11-02T10:00:00Z", |_| {});
    write("other", "2026-11-03T10:00:00Z", |run| run.scenario = "another".to_owned());
    write("later", "2026-11-05T10:00:00Z", |_| {});
    std::fs::create_dir_all(folder.join("broken")).unwrap();
    std::fs::write(folder.join("broken").join("run.json"), "{").unwrap();
    let this = write("this", "2026-11-04T10:00:00Z", |_| {});
    let made = publish(&this, None, None).unwrap();
    let alone = publish(&folder.join("older"), None, Some(&folder.join("alone.html"))).unwrap();
    let text = |path: &Path| std::fs::read_to_string(path).unwrap();
    let (page, alone) = (text(&made), text(&alone));
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(page.contains("at commit newest-older") && made.ends_with("this/report.html"));
    assert!(!alone.contains("Beside the earlier run"));
}

/// The sheet's colours of one scheme by name.
fn colours(scheme: &str) -> BTreeMap<&str, [f64; 3]> {
    let declarations = scheme.split(';').filter_map(|line| line.trim().strip_prefix("--")?.split_once(": #"));
    let channel = |hex: &str, at: usize| {
        let value = f64::from(u8::from_str_radix(&hex[at..at + 2], 16).unwrap()) / 255.0;
        if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    declarations.map(|(name, hex)| (name, [0, 2, 4].map(|at| channel(hex, at)))).collect()
}

/// The contrast of two colours as WCAG 2 has it, 1 to 21.
fn contrast(one: [f64; 3], two: [f64; 3]) -> f64 {
    let light = |[red, green, blue]: [f64; 3]| 0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05;
    let (one, two) = (light(one), light(two));
    one.max(two) / one.min(two)
}

#[test]
fn words_and_lines_stand_out_from_their_ground_in_light_dark_and_print() {
    let schemes: Vec<&str> =
        include_str!("style.css").split(":root {").skip(1).map(|part| &part[..part.find('}').unwrap()]).collect();
    assert_eq!(schemes.len(), 3);
    for scheme in schemes {
        let of = colours(scheme);
        let check = |front: &str, back: &str, least: f64| {
            let found = contrast(of[front], of[back]);
            assert!(found >= least, "{front} on {back}: {found:.2} in {scheme}");
        };
        // 4.5 for text, 3 for what is drawn.
        for text in
            ["text", "quiet", "good", "bad", "link", "p50", "p99", "p999", "acked", "limit", "missing", "offered"]
        {
            check(text, "ground", 4.5);
        }
        for text in ["text", "quiet", "good", "bad"] {
            check(text, "panel", 4.5);
        }
        for (text, back) in
            [("text", "good-ground"), ("good", "good-ground"), ("text", "bad-ground"), ("bad", "bad-ground")]
        {
            check(text, back, 4.5);
        }
        for drawn in ["server", "generator", "others", "previous", "fault", "late", "heat"] {
            check(drawn, "ground", 3.0);
        }
    }
}
