//! The command line as typed, and what the commands print.

use super::*;
use crate::clock::Clock;
use crate::config::{Terminal, data_key};
use crate::units::Timestamp;
use clap::CommandFactory as _;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// What a command printed.
#[derive(Clone, Default)]
pub(super) struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("unpoisoned").write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Paper {
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("unpoisoned").clone()).expect("text")
    }
}

/// An output, and what comes to standard output and to standard error.
pub(super) fn paper(terminal: Terminal) -> (Output, Paper, Paper) {
    let (out, err) = (Paper::default(), Paper::default());
    (Output::new(Box::new(out.clone()), Box::new(err.clone()), terminal), out, err)
}

/// A folder that the test removes with [`std::fs::remove_dir_all`].
pub(super) fn folder(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("waystone-cli-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&path).expect("a folder");
    path
}

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split_whitespace())
}

#[test]
fn the_command_line_is_sound() {
    Cli::command().debug_assert();
    assert!(Cli::command().render_long_help().to_string().contains("4  the server cannot be reached"));
    assert!(parse("waystone").expect("sound").command.is_none());
    assert_eq!(parse("waystone demo -vv").expect("sound").talk.filter(), Some("debug,waystone=trace"));
    let Some(Command::Demo(demo)) = parse("waystone demo").expect("sound").command else { panic!("not the demo") };
    assert_eq!(demo, demo::DemoArgs::default(), "the flags' defaults are those without a command");
}

#[test]
fn what_the_load_test_is_told_is_passed_on_as_it_is() {
    let cli = parse("waystone loadtest city --players 7 --json --help").expect("sound");
    let Some(Command::Loadtest(args)) = cli.command else { panic!("not the load test") };
    assert_eq!(args.args, ["city", "--players", "7", "--json", "--help"]);
}

#[test]
fn nonsense_is_a_usage_error() {
    for line in [
        "waystone demo --pace 0",
        "waystone demo --pace NaN",
        "waystone demo --walkers 5001",
        "waystone demo --open --no-open",
        "waystone -q -v demo",
        "waystone serve --json",
        "waystone quest check",
        "waystone token mint",
        "waystone token mint --player a/b",
        "waystone token mint --player ada --ttl 5",
        "waystone token mint --player ada --ttl 0s",
        "waystone replay t.gpx",
        "waystone replay t.gpx --as ada --speed 0",
        "waystone replay t.gpx --as ada --token x --data y",
    ] {
        let error = parse(line).err().unwrap_or_else(|| panic!("{line} was taken"));
        assert_eq!(error.exit_code(), i32::from(Exit::Usage as u8), "{line}");
    }
}

#[test]
fn serve_prepares_or_says_all_faults() {
    let Some(Command::Serve(args)) =
        parse("waystone serve --check --log-format jsn --listen x").expect("sound").command
    else {
        panic!("not serve")
    };
    let (mut out, result, faults) = paper(Terminal::default());
    let prepared = serve::prepare(&args, Talk::default(), &mut std::iter::empty(), &mut out).expect("said");
    assert!(matches!(prepared, serve::Prepared::End(Exit::Faults)));
    assert!(
        faults.text().contains("--listen: ") && faults.text().contains("did you mean \"json\""),
        "{}",
        faults.text()
    );
    assert!(result.text().is_empty());

    let folder = folder("serve");
    data_key(&folder).expect("made");
    let key = folder.join("auth.key").display().to_string();
    let args = serve::ServeArgs { check: true, hs256_secret_file: vec![key], ..serve::ServeArgs::default() };
    let (mut out, result, _) = paper(Terminal::default());
    let talk = Talk { quiet: true, verbose: 0 };
    let prepared = serve::prepare(&args, talk, &mut std::iter::empty(), &mut out).expect("said");
    assert!(matches!(prepared, serve::Prepared::End(Exit::Done)));
    let filter = result.text().lines().find(|line| line.starts_with("log.filter")).map(str::to_owned);
    assert!(filter.as_deref().is_some_and(|l| l.contains("error") && l.ends_with("--quiet")), "{filter:?}");
    std::fs::remove_dir_all(folder).expect("removed");
}

#[test]
fn cluster_certificates_are_made_and_explained() {
    let folder = folder("cluster");
    let line = format!("waystone cluster certificates --out {} n1 n2", folder.join("certs").display());
    let Some(Command::Cluster(command)) = parse(&line).expect("sound").command else { panic!("not cluster") };
    for (word, times) in [("made", 6), ("kept", 6)] {
        let (mut out, result, remarks) = paper(Terminal::default());
        let done = cluster::run(&command, &Clock::system(), &mut out).expect("made");
        assert!(matches!(done, Exit::Done));
        assert_eq!(result.text().lines().filter(|line| line.starts_with(word)).count(), times, "{}", result.text());
        assert!(remarks.text().contains("365 days") && remarks.text().contains("10 years"), "{}", remarks.text());
        assert!(remarks.text().contains("Keep ca.key away"), "{}", remarks.text());
    }
    // What was made is what `serve` asks for.
    data_key(&folder).expect("made");
    let file = |name: &str| Some(folder.join(name).display().to_string());
    let args = serve::ServeArgs {
        check: true,
        hs256_secret_file: file("auth.key").into_iter().collect(),
        postgres: Some("postgres://db/w".to_owned()),
        cluster_listen: Some("127.0.0.1:7171".to_owned()),
        cluster_name: Some("n1".to_owned()),
        cluster_ca_file: file("certs/ca.pem"),
        cluster_cert_file: file("certs/n1.pem"),
        cluster_key_file: file("certs/n1.key"),
        ..serve::ServeArgs::default()
    };
    let (mut out, result, faults) = paper(Terminal::default());
    let prepared = serve::prepare(&args, Talk::default(), &mut std::iter::empty(), &mut out).expect("said");
    assert!(matches!(prepared, serve::Prepared::End(Exit::Done)), "{}", faults.text());
    assert!(result.text().contains("--cluster-listen"), "{}", result.text());
    std::fs::remove_dir_all(folder).expect("removed");
}

#[test]
fn quest_check_draws_faults_and_tells_them_by_its_code() {
    let folder = folder("quest");
    let (good, bad) = (folder.join("good.yaml"), folder.join("bad.yaml"));
    let source = include_str!("../../tests/data/quests/base.yaml");
    std::fs::write(&good, source).expect("written");
    std::fs::write(&bad, source.replace("points: 10", "pionts: 10")).expect("written");
    let check = |files: Vec<PathBuf>, json| {
        let (mut out, result, errors) = paper(Terminal::default());
        let command = quest::QuestCommand::Check(quest::CheckArgs { files, json });
        (quest::run(&command, &mut out).expect("printed"), result.text(), errors.text())
    };
    let (exit, text, _) = check(vec![good.clone()], false);
    assert_eq!(exit, Exit::Done, "{text}");
    let (exit, text, _) = check(vec![good.clone(), bad.clone()], false);
    assert_eq!(exit, Exit::Faults);
    assert!(text.contains("bad.yaml:15:5") && text.contains("did you mean \"points\"?"), "{text}");
    assert!(text.ends_with("2 files checked, 1 with errors: errors 1, warnings 0\n"), "{text}");
    let (exit, text, _) = check(vec![bad.clone()], true);
    let found: serde_json::Value = serde_json::from_str(&text).expect("one JSON value");
    assert_eq!((exit, &found["files"][0]["faults"][0]["line"]), (Exit::Faults, &15.into()));
    let (exit, _, errors) = check(vec![folder.join("none.yaml"), bad], false);
    assert_eq!(exit, Exit::Failed);
    assert!(errors.contains("none.yaml: cannot be read"), "{errors}");
    std::fs::remove_dir_all(folder).expect("removed");
}

#[test]
fn quest_places_prints_a_block_or_all_faults() {
    let folder = folder("places");
    let file = folder.join("drawn.geojson");
    let places = |text: &str| {
        std::fs::write(&file, text).expect("written");
        let (mut out, result, errors) = paper(Terminal::default());
        let exit = quest::run(&quest::QuestCommand::Places { file: file.clone() }, &mut out).expect("printed");
        (exit, result.text(), errors.text())
    };
    let (exit, block, _) = places(r#"{"type":"Point","coordinates":[24.95,60.16],"radius":30}"#);
    assert_eq!(
        (exit, block.as_str()),
        (Exit::Done, "places:\n  feature-1:\n    center: [24.95,60.16]\n    radius: 30.0\n")
    );
    let (exit, block, errors) = places(r#"{"type":"FeatureCollection","features":[{},{}]}"#);
    assert_eq!((exit, block.as_str(), errors.lines().count()), (Exit::Faults, "", 2), "{errors}");
    std::fs::remove_dir_all(folder).expect("removed");
}

#[test]
fn quest_schema_is_json() {
    let (mut out, result, _) = paper(Terminal::default());
    quest::run(&quest::QuestCommand::Schema, &mut out).expect("printed");
    serde_json::from_str::<serde_json::Value>(&result.text()).expect("JSON");
}

#[test]
fn a_minted_token_is_taken_by_a_server_with_the_key() {
    use crate::net::auth::{Auth, AuthConfig, Key};
    let folder = folder("mint");
    let key = data_key(&folder).expect("made");
    let line =
        format!("waystone token mint --player ada --name Ada --role operator --ttl 1h --data {}", folder.display());
    let Some(Command::Token(command)) = parse(&line).expect("sound").command else { panic!("not a token") };
    let clock = Clock::manual(Timestamp::from_millis(1_800_000_000_000));
    let (mut out, result, _) = paper(Terminal::default());
    assert_eq!(token::run(&command, &clock, &mut out).expect("minted"), Exit::Done);
    let keys = vec![Key::hs256(key).expect("long enough")];
    let auth = Auth::new(keys, AuthConfig::default(), clock);
    let who = auth.verify(result.text().trim()).expect("good");
    assert_eq!((who.player.as_str(), who.name.as_deref()), ("ada", Some("Ada")));
    assert_eq!(who.expires, Timestamp::from_millis(1_800_003_600_000));
    std::fs::remove_dir_all(&folder).expect("removed");
    let error = token::run(&command, &Clock::system(), &mut out).expect_err("no key");
    assert!(format!("{error:#}").contains("waystone demo"), "{error:#}");
}

#[test]
fn output_keeps_columns_and_wipes_progress() {
    let shown = Terminal { color: true, interactive: true, ..Terminal::default() };
    let (mut out, result, errors) = paper(shown);
    out.progress("half").expect("written");
    out.list(&[("a", "1".to_owned()), ("long", "2".to_owned())]).expect("written");
    assert_eq!(result.text(), "  \u{1b}[1ma\u{1b}[0m     1\n  \u{1b}[1mlong\u{1b}[0m  2\n");
    assert_eq!(errors.text(), "\r\u{1b}[Khalf\r\u{1b}[K");
    let (mut out, _, errors) = paper(Terminal::default());
    out.progress("half").expect("nothing to write");
    out.error("gone").expect("written");
    assert_eq!(errors.text(), "error: gone\n");
    assert_eq!(output::plain("a\u{1b}[2J\nb"), "a\u{fffd}[2J\u{fffd}b");
}

#[tokio::test]
async fn verify_holds_a_history_against_the_journal() {
    let folder = folder("history");
    let journal =
        crate::persist::sqlite::SqliteJournal::open(&folder, Default::default()).await.expect("a new folder");
    let epoch = crate::persist::Journal::id(&journal).to_owned();
    crate::persist::Journal::close(&journal).await;
    let path = folder.join("h.jsonl");
    let welcome =
        format!(r#"{{"player":"ada","what":{{"connected":{{"epoch":"{epoch}","recovered":false,"offset":0}}}}}}"#);
    let told = r#"{"player":"ada","what":{"told":{"offset":1,"notice":{}}}}"#;
    let verify = async |lines: &[&str]| {
        std::fs::write(&path, lines.join("\n") + "\n").expect("a folder of ours");
        let line = format!("waystone verify --data {} --history {}", folder.display(), path.display());
        let Some(Command::Verify(args)) = parse(&line).expect("sound").command else { panic!("not verify") };
        let (mut out, result, _) = paper(Terminal::default());
        verify::run(&args, &mut out).await.map(|exit| (exit, result.text()))
    };
    let head = r#"{"history":1,"by":"a test"}"#;
    let (exit, text) = verify(&[head, &welcome]).await.expect("both can be read");
    assert_eq!(exit, Exit::Done, "{text}");
    assert!(text.contains("history: 1 clients, 1 connections"), "{text}");
    let (exit, text) = verify(&[head, &welcome, told]).await.expect("both can be read");
    assert_eq!(exit, Exit::Faults, "{text}");
    assert!(text.contains("h.jsonl:3: player/ada: phantom: "), "{text}");
    let fault = verify(&[head, "{"]).await.expect_err("no line");
    assert!(format!("{fault:#}").contains("h.jsonl:2: "), "{fault:#}");
    std::fs::remove_dir_all(&folder).expect("removed");
}
