//! The layers, their order, and each kind of fault with its place and remedy.

use super::*;
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder for one test, gone afterwards.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("waystone-config-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    fn with(self, name: &str, text: &str) -> Self {
        std::fs::write(self.0.join(name), text).expect("a file");
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What stays behind in the temporary folder is no reason to fail.
        std::fs::remove_dir_all(&self.0).unwrap_or_default();
    }
}

const SECRET: &str = "0123456789abcdef0123456789abcdef\n";
const KEYED: &str = "[auth]\nhs256_secret_file = \"auth.key\"\n";

fn load(folder: &Folder, env: &[(&str, &str)], flags: &Overrides) -> Result<Config, Faults> {
    let mut env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::load(Some(&folder.path(FILE)), &mut env, flags)
}

/// Each fault of a file, as `line:column message | help`.
fn faults(toml: &str) -> Vec<String> {
    let folder = Folder::new().with(FILE, toml).with("auth.key", SECRET);
    let Err(faults) = load(&folder, &[], &Overrides::default()) else { return Vec::new() };
    let prefix = format!("{}:", folder.path(FILE).display());
    faults
        .iter()
        .map(|fault| {
            let source = fault.source.to_string();
            format!("{} {} | {}", source.strip_prefix(&prefix).unwrap_or(&source), fault.message, fault.help)
        })
        .collect()
}

#[track_caller]
fn one_fault(toml: &str, place: &str, message: &str, help: &str) {
    let all = faults(&format!("{toml}\n{KEYED}"));
    assert_eq!(all.len(), 1, "{all:#?}");
    assert!(all[0].starts_with(place) && all[0].contains(message) && all[0].contains(help), "{}", all[0]);
}

#[test]
fn later_layers_win_and_say_so() {
    let toml =
        format!("{KEYED}[http]\nlisten = \"127.0.0.1:1\"\nconnections_max = 1_000\norigins = [\"https://a.b\"]\n");
    let folder = Folder::new().with(FILE, &toml).with("auth.key", SECRET);
    let env = [
        ("WAYSTONE__HTTP__LISTEN", "127.0.0.1:2"),
        ("WAYSTONE__DRAIN__DEADLINE", "1m30s"),
        ("WAYSTONE__HTTP__ORIGINS", "https://c.d, http://e.f:8080"),
        ("WAYSTONE__HTTP__PUBLIC_HOST", ""),
        ("WAYSTONE_PORT", "tcp://10.0.0.7:7170"),
        ("PATH", "/bin"),
    ];
    let flags =
        Overrides::default().text("--listen", "http.listen", Some("127.0.0.1:3")).switch("-x", "log.x", false);
    let config = load(&folder, &env, &flags).expect("sound");
    assert_eq!(config.http.listen.port(), 3);
    assert_eq!(config.http.connections_max, 1_000);
    assert_eq!(config.http.origins, ["https://c.d", "http://e.f:8080"]);
    assert_eq!(config.http.public_host, None);
    assert_eq!(config.drain.deadline, Duration::from_secs(90));
    assert_eq!(config.auth.hs256_secret_files, [folder.path("auth.key")], "paths lead from the file's folder");
    assert_eq!(config.store, Store::default());
    let sources: BTreeMap<_, _> = config.settings().into_iter().map(|s| (s.key, s.source)).collect();
    assert_eq!(sources["http.listen"], "--listen");
    assert_eq!(sources["drain.deadline"], "WAYSTONE__DRAIN__DEADLINE");
    assert_eq!(sources["store.data"], "default");
    assert!(sources["http.connections_max"].ends_with("waystone.toml:5:19"), "{}", sources["http.connections_max"]);
    assert!(config.print().contains("http.listen"));
    assert!(!config.print().contains("0123456789"), "no secret is printed");
}

#[test]
fn all_layers_faults_come_together_in_order() {
    let folder = Folder::new().with(FILE, "[http]\nlisten = 7170\nlisen = 1\n[logs]\n");
    let env = [("WAYSTONE__HTTP__CONNECTIONS_MAX", "lots"), ("WAYSTONE__STORE__DATE", "x")];
    let flags = Overrides::default().text("--drain-deadline", "drain.deadline", Some("5"));
    let faults = load(&folder, &env, &flags).expect_err("faults");
    let sources: Vec<String> = faults.iter().map(|fault| fault.source.to_string()).collect();
    let file = folder.path(FILE).display().to_string();
    let expected = [
        format!("{file}:2:10"),
        format!("{file}:3:1"),
        format!("{file}:4:2"),
        "WAYSTONE__HTTP__CONNECTIONS_MAX".to_owned(),
        "WAYSTONE__STORE__DATE".to_owned(),
        "--drain-deadline".to_owned(),
        "configuration".to_owned(),
    ];
    assert_eq!(sources, expected, "{faults}");
    let text = faults.to_string();
    assert!(text.contains("did you mean \"WAYSTONE__STORE__DATA\"?"), "{text}");
    assert!(text.contains("did you mean \"log\"?") && text.ends_with("has 7 faults"), "{text}");
}

#[test]
fn unknown_keys_are_refused_with_a_suggestion() {
    one_fault("[http]\nlisen = 1", "2:1", "no key \"http.lisen\"", "did you mean \"listen\"?");
    one_fault("[http]\ndata = \"x\"", "2:1", "no key \"http.data\"", "another section: store.data");
    one_fault("listen = \"x\"", "1:1", "no key \"listen\"", "http.listen");
    one_fault("[quest]", "1:2", "no section \"quest\"", "did you mean \"quests\"?");
    one_fault("[store]\nzzz = 1", "2:1", "no key", "known in [store]: \"data\"");
    one_fault("http = 1", "1:1", "is a section", "[http]");
}

#[test]
fn wrong_types_and_ranges_are_refused() {
    one_fault("[http]\nlisten = \"localhost\"", "2:10", "not an address", "127.0.0.1:7170");
    one_fault("[http]\nlisten = 7170", "2:10", "this is a number", "127.0.0.1:7170");
    one_fault("[http]\nbehind_proxy = \"true\"", "2:16", "this is a text", "without quotes");
    one_fault("[http]\nconnections_max = 0", "2:19", "0 is out of range", "from 1 to");
    one_fault("[http]\nconnections_max = 1.5", "2:19", "not a number that fits", "whole number");
    one_fault("[http]\nconnections_max = -1", "2:19", "not a number that fits", "whole number");
    one_fault("[http]\norigins = \"https://a.b\"", "2:11", "a list belongs here", "brackets");
    one_fault("[http]\norigins = [\"https://a.b/\"]", "2:11", "not an origin", "without a path");
    one_fault("[http]\npublic_host = \"https://a.b\"", "2:15", "not a host name", "the name alone");
    one_fault("[drain]\ndeadline = \"1h\"", "2:12", "out of range", "from 1s to 300s");
    one_fault("[drain]\ndeadline = 5", "2:12", "a text belongs here", "5s");
    one_fault("[log]\nformat = \"jsn\"", "2:10", "not one of the choices", "did you mean \"json\"?");
    one_fault("[log]\nfilter = \"info,net=lots\"", "2:10", "not a log filter", "info");
    one_fault("[quests]\nfiles = [\"none.yaml\"]", "2:9", "there is no file", "own folder");
    one_fault("[store]\ndata = \"waystone.toml\"", "2:8", "not a folder", "name a folder");
}

#[test]
fn syntax_errors_do_not_hide_the_rest() {
    let all = faults(&format!("[http]\nlisten = \"127.0.0.1:1\norigin = []\n{KEYED}"));
    assert!(all[0].starts_with("2:") && all[0].contains("not TOML"), "{all:#?}");
    assert!(all.iter().any(|fault| fault.starts_with("3:1") && fault.contains("origins")), "{all:#?}");
    assert_eq!(all.len(), 2, "{all:#?}");
    let twice = faults(&format!("[log]\nformat = \"json\"\nformat = \"auto\"\n{KEYED}"));
    assert_eq!(twice.len(), 1, "{twice:#?}");
}

#[test]
fn a_missing_or_huge_file_is_a_fault() {
    let folder = Folder::new();
    let missing = load(&folder, &[], &Overrides::default()).expect_err("no file");
    assert!(missing.to_string().contains("cannot be read"), "{missing}");
    let all = faults(&"#".repeat(1024 * 1024 + 1));
    assert!(all[0].contains("more than"), "{}", all[0]);
}

#[test]
fn secrets_are_files_and_never_repeated() {
    let all = faults("[auth]\nhs256_secret = \"hunter2hunter2\"\n");
    assert!(all[0].contains("set auth.hs256_secret_file to a file"), "{all:#?}");
    assert!(!all.concat().contains("hunter2"), "{all:#?}");
    let folder = Folder::new().with(FILE, KEYED).with("auth.key", SECRET);
    let env = [("WAYSTONE__AUTH__HS256_SECRET", "hunter2hunter2")];
    let faults = load(&folder, &env, &Overrides::default()).expect_err("a secret").to_string();
    assert!(faults.contains("auth.hs256_secret_file") && !faults.contains("hunter2"), "{faults}");
}

#[test]
fn keys_must_be_there_and_be_keys() {
    assert!(faults("")[0].contains("no default secrets"), "{:#?}", faults(""));
    let all = faults("[auth]\nhs256_secret_file = \"none\"\npublic_key_file = \"auth.key\"\n");
    assert_eq!(all.len(), 2, "{all:#?}");
    assert!(all[0].starts_with("2:21") && all[0].contains("cannot read"), "{all:#?}");
    assert!(all[1].starts_with("3:19") && all[1].contains("not a public key"), "{all:#?}");
    let folder = Folder::new().with(FILE, KEYED).with("auth.key", "too short\n");
    let short = load(&folder, &[], &Overrides::default()).expect_err("short").to_string();
    assert!(short.contains("32 bytes") && !short.contains("too short"), "{short}");
    // Nothing follows from a key that could not be read: no second fault says that there is none.
    assert_eq!(faults("[auth]\nhs256_secret_file = 1\n").len(), 1);
}

#[test]
fn the_world_is_let_in_only_by_tls() {
    one_fault("[http]\nlisten = \"0.0.0.0:7170\"", "2:10", "there is no TLS", "--behind-proxy");
    one_fault("[http]\nlisten = \"[::]:7170\"", "2:10", "in the clear", "--tls-cert-file");
    one_fault("[http]\nbehind_proxy = true", "2:16", "not known here", "http.public_host");
    let sound = "[http]\nlisten = \"0.0.0.0:7170\"\nbehind_proxy = true\n";
    assert!(faults(&format!("{sound}{KEYED}")).is_empty());
    assert_eq!(faults(sound).len(), 1, "and never without a key");
    assert!(faults(&format!("[http]\nlisten = \"[::1]:7170\"\n{KEYED}")).is_empty());
    let workshop = "[http]\nlisten = \"0.0.0.0:7170\"\n[tls]\nself_signed = true\n";
    assert!(faults(&format!("{workshop}{KEYED}")).is_empty());
}

#[test]
fn a_certificate_comes_with_its_key_and_both_are_looked_at() {
    one_fault("[tls]\ncert_file = \"auth.key\"", "2:13", "of no use without its key", "--tls-key-file");
    one_fault("[tls]\nkey_file = \"auth.key\"", "2:12", "without its certificate", "--tls-cert-file");
    let both = "[tls]\ncert_file = \"auth.key\"\nkey_file = \"auth.key\"\n";
    one_fault(both, "2:13", "holds no certificate", "name the file that begins with -----BEGIN CERTIFICATE-----");
    one_fault(&format!("{both}self_signed = true"), "4:15", "only one can be shown", "leave out");
    one_fault("[tls]\ncert_file = \"a\"\nkey_file = \"b\"", "2:13", "cannot be read", "check the path");
}

#[test]
fn limits_have_units_and_bounds() {
    for (size, bytes) in [("800 MiB", 800 << 20), ("1.5 GiB", 1536 << 20), ("64MiB", 64 << 20)] {
        let folder = Folder::new().with(FILE, &format!("{KEYED}[limits]\nmemory_max = \"{size}\"\n"));
        let config = load(&folder.with("auth.key", SECRET), &[], &Overrides::default()).expect("sound");
        assert_eq!(config.limits.memory_max.bytes(), Some(bytes), "{size}");
    }
    for (size, message) in
        [("63 MiB", "out of range"), ("1 GB", "not a size"), ("MiB", "not a size"), ("NaN MiB", "out of")]
    {
        one_fault(&format!("[limits]\nmemory_max = \"{size}\""), "2:14", message, "such as \"800 MiB\"");
    }
    one_fault("[limits]\nmemory_max = 800", "2:14", "a text belongs here", "800 MiB");
    one_fault("[limits]\nfixes_burst = 99", "2:15", "99 is out of range", "from 100 to");
    one_fault("[limits]\nfixes_per_second = 0", "2:20", "0 is out of range", "from 1 to");
    one_fault("[limits]\ncommands_burst = 1", "2:18", "1 is out of range", "from 20 to");
    for outside in ["4s", "301s", "1h"] {
        one_fault(&format!("[limits]\nping = \"{outside}\""), "2:8", "out of range", "from 5s to 300s");
    }
    one_fault("[limits]\nping = 25", "2:8", "belongs here", "such as");
    let folder = Folder::new().with(FILE, &format!("{KEYED}[limits]\nping = \"40s\"\n")).with("auth.key", SECRET);
    let config = load(&folder, &[], &Overrides::default()).expect("sound");
    assert_eq!((config.limits.ping, Limits::default().ping), (Duration::from_secs(40), Duration::from_secs(25)));
}

#[test]
fn a_member_of_a_cluster_says_all_that_it_needs() {
    let alone = faults(&format!("[cluster]\nlisten = \"0.0.0.0:7171\"\n{KEYED}"));
    assert_eq!(alone.len(), 5, "the journal, the place, three files: {alone:#?}");
    assert!(alone[1].contains("no other node where to dial") && alone[1].contains("cluster.advertise"), "{alone:#?}");
    assert!(alone[0].contains("cannot be shared") && alone[0].contains("store.postgres"), "{alone:#?}");
    assert!(alone[2].contains("cluster.ca_file") && alone[2].contains("waystone cluster certificates"), "{alone:#?}");
    one_fault("[cluster]\nname = \"n1\"", "2:8", "cluster.listen is not", "--cluster-listen");
    one_fault("[cluster]\nlisten = \"here\"\nname = \"n1\"", "2:10", "not an address", "127.0.0.1:7170");
    for (place, wrong) in [
        ("0.0.0.0:7171", "no place"),
        ("[::]:1", "no place"),
        ("node", "no port"),
        ("n:0", "not a port"),
        ("::1:7", "brackets"),
    ] {
        one_fault(&format!("[cluster]\nadvertise = \"{place}\""), "2:13", wrong, "node-1.example.org:7171");
    }
    one_fault("[cluster]\nname = \"a b\"", "2:8", "letters, digits", "node-1");
}

#[test]
fn a_membership_is_whole_and_its_files_are_looked_at() {
    let written = "[store]\npostgres = \"postgres://u:hunter2@db/w\"\nredis = \"redis://:hunter2@cache:6379/0\"\n\
                   [cluster]\nlisten = \"0.0.0.0:7171\"\nadvertise = \"node-1:7171\"\nca_file = \"ca.pem\"\n\
                   cert_file = \"n.pem\"\nkey_file = \"n.key\"\n";
    let folder = Folder::new()
        .with(FILE, &format!("{KEYED}{written}"))
        .with("auth.key", SECRET)
        .with("ca.pem", "-----BEGIN CERTIFICATE-----")
        .with("n.pem", "-----BEGIN PRIVATE KEY-----hunter2");
    let wrong = load(&folder, &[], &Overrides::default()).expect_err("two files");
    let text = wrong.to_string();
    assert!(text.contains("n.pem holds no certificate") && text.contains("n.key cannot be read"), "{text}");
    assert_eq!(wrong.iter().count(), 2, "{text}");
    let folder = folder.with("n.pem", "-----BEGIN CERTIFICATE-----").with("n.key", "-----BEGIN EC PRIVATE KEY-----");
    let config = load(&folder, &[("WAYSTONE__CLUSTER__NAME", "n1")], &Overrides::default()).expect("sound");
    let member = config.cluster.membership().expect("a member");
    assert_eq!((member.advertise.as_deref(), member.name.as_str()), (Some("node-1:7171"), "n1"));
    assert_eq!(member.cert_file, folder.path("n.pem"));
    let printed = config.print();
    assert!(!printed.contains("hunter2") && !text.contains("hunter2"), "{printed}{text}");
    assert!(printed.contains("redis://cache:6379/0") && printed.contains("postgres://u@db/w"), "{printed}");
    assert!(config.store.redis.is_some_and(|url| url.contains("hunter2")), "it is used as written");
    let unnamed = load(&folder, &[], &Overrides::default()).expect("sound").cluster.membership().expect("a member");
    assert!(!unnamed.name.is_empty(), "the host's name");
    assert_eq!(Config::default().cluster.membership(), None);
    for wrong in ["hunter2@cache", "redis://", "redis://:hunter2@", "redis://cache:hunter2", "redis://cache/hunter2"]
    {
        one_fault(&format!("[store]\nredis = \"{wrong}\""), "2:9", "not the URL of a Redis", "rediss://");
    }
    for right in ["redis://cache", "rediss://u:hunter2@[::1]:6380/0", "redis://[::1]", "redis://:p%2Fw@c:1/2"] {
        let alone = "cluster.listen is not: this node would be alone";
        one_fault(&format!("[store]\nredis = \"{right}\""), "2:9", alone, "--cluster-listen");
    }
    assert!(!faults("[store]\nredis = \"hunter2@cache\"").concat().contains("hunter2"));
}

#[test]
fn terminals_are_judged_by_convention() {
    let detect = |choice, env: &[(&str, &str)], out| {
        let mut env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Terminal::detect(choice, &mut env, (out, true))
    };
    assert!(detect(ColorChoice::Auto, &[("NO_COLOR", "")], true).color);
    assert!(!detect(ColorChoice::Auto, &[("NO_COLOR", "0")], true).color);
    assert!(!detect(ColorChoice::Auto, &[("TERM", "dumb")], true).color);
    assert!(!detect(ColorChoice::Auto, &[], false).color);
    assert!(detect(ColorChoice::Always, &[("NO_COLOR", "1")], false).color);
    assert!(!detect(ColorChoice::Never, &[], true).color);
    assert!(!detect(ColorChoice::Auto, &[("CI", "true")], true).interactive);
    assert!(detect(ColorChoice::Auto, &[("CI", "false")], true).interactive);
    assert!(!detect(ColorChoice::Auto, &[], false).interactive);
}

#[test]
fn a_data_folder_has_one_key_that_only_its_owner_reads() {
    let folder = Folder::new();
    let data = folder.path("deep/data");
    let first = data_key(&data).expect("made");
    assert_eq!(first.expose().len(), 64);
    assert!(data_key(&data).expect("read") == first, "a second start finds the first one's key");
    assert!(data_key(&folder.path("other")).expect("made") != first, "each folder has its own");
    let left: Vec<_> =
        std::fs::read_dir(&data).expect("there").map(|entry| entry.expect("read").file_name()).collect();
    assert_eq!(left, [DATA_KEY], "nothing is left beside it");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(data.join(DATA_KEY)).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let crowd = folder.path("crowd");
    let keys: Vec<_> = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..8).map(|_| scope.spawn(|| data_key(&crowd).expect("made or read"))).collect();
        asking.into_iter().map(|one| one.join().expect("no panic")).collect()
    });
    assert!(keys.iter().all(|key| *key == keys[0]), "whoever asks at once gets the same key");
    std::fs::write(data.join(DATA_KEY), "").expect("written");
    assert!(matches!(data_key(&data), Err(KeyFileError::NoKey { .. })), "an empty key is refused, not replaced");
}
