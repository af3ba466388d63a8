//! The private Postgres server does as it says, and nothing of it is left.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use waystone_kit::Postgres;

/// Set for a copy of this test that starts a server, says where, and waits to be killed.
const CHILD: &str = "WAYSTONE_KIT_CHILD";

#[test]
fn each_database_is_fresh_and_everything_is_durable() {
    let server = Postgres::shared();
    let (one, two) = (server.create_database().expect("a database"), server.create_database().expect("another"));
    server.psql_on(&one, "CREATE TABLE event (n int)").expect("its owner may");
    server.psql_on(&two, "CREATE TABLE event (n int)").expect("not there yet");
    for setting in ["fsync", "synchronous_commit", "full_page_writes"] {
        assert_eq!(server.psql_on(&one, &format!("SHOW {setting}")).expect("it can be asked"), "on", "{setting}");
    }
    let super_user = server.psql_on(&one, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user");
    assert_eq!(super_user.expect("it can be asked"), "f");
    let wrong = one.replace("waystone:", "waystone:x");
    let refused = server.psql_on(&wrong, "SELECT 1").expect_err("the password is wrong").to_string();
    assert!(refused.contains("password authentication failed"), "{refused}");
}

#[test]
fn it_comes_back_from_every_death_with_what_was_committed() {
    let server = Postgres::start().expect("a server");
    let url = server.create_database().expect("a database");
    server.psql_on(&url, "CREATE TABLE event (n int)").expect("made");
    let insert = |n: u32| server.psql_on(&url, &format!("INSERT INTO event VALUES ({n})"));
    insert(1).expect("committed");

    let mut session = server.session(&url).expect("a session");
    let pid: u32 = session.run("SELECT pg_backend_pid();").expect("answered").parse().expect("a number");
    assert_eq!(server.backends(&url).expect("listed"), [pid]);
    server.kill_backend(pid).expect("killed");
    session.run("SELECT 1;").expect_err("its backend is dead");
    let back = (0..500).any(|_| insert(2).is_ok());
    assert!(back, "the server was to recover by itself");

    server.kill_postmaster().expect("killed");
    insert(3).expect_err("nobody is there");
    server.restart().expect("started again");
    insert(3).expect("committed");
    server.restart_fast().expect("stopped and started");
    insert(4).expect("committed");
    server.stop().expect("stopped");
    server.stop().expect("nothing to do");
    server.restart().expect("started again");
    // The second may be there twice: one that was committed as the server died has had no answer.
    assert_eq!(server.psql_on(&url, "SELECT count(DISTINCT n) FROM event").expect("counted"), "4");
}

#[test]
fn connections_run_out_at_the_limit() {
    let server = Postgres::start_with(&[("max_connections", "5"), ("superuser_reserved_connections", "2")]);
    let server = server.expect("a server");
    let url = server.create_database().expect("a database");
    let held: Vec<_> = (0..3).map(|_| server.session(&url).expect("a place")).collect();
    let refused = server.psql_on(&url, "SELECT 1").expect_err("no place is left").to_string();
    assert!(refused.contains("connection slots"), "{refused}");
    assert_eq!(server.backends(&url).expect("the superuser has places of its own").len(), 3);
    drop(held);
    let back = (0..500).any(|_| server.psql_on(&url, "SELECT 1").is_ok());
    assert!(back, "the places were to be free again");
}

#[test]
fn nothing_is_left_of_a_server_whose_process_was_killed() {
    if std::env::var_os(CHILD).is_some() {
        let server = Postgres::start().expect("a server");
        let file = server.psql("SHOW data_directory").expect("it can be asked");
        println!("\nfolder {file}");
        // The parent kills us here; the pipe ends when it dies before that.
        std::io::stdin().lines().for_each(drop);
        return;
    }
    let mut child = Command::new(std::env::current_exe().expect("our own path"))
        .args(["--exact", "nothing_is_left_of_a_server_whose_process_was_killed", "--nocapture"])
        .env(CHILD, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("ourselves");
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let found = lines.map_while(Result::ok).find_map(|line| line.strip_prefix("folder ").map(str::to_owned));
    let data = found.expect("the child was to say where its server is");
    let pid = std::fs::read_to_string(Path::new(&data).join("postmaster.pid")).expect("it runs");
    let process = format!("/proc/{}", pid.lines().next().expect("its first line"));
    child.kill().expect("our own child");
    child.wait().expect("our own child");
    let folder = Path::new(&data).parent().expect("the folder around it");
    let gone = (0..200).any(|_| {
        // What else than a pause: the watcher is no child of ours.
        Command::new("sleep").arg("0.05").status().expect("a pause");
        !folder.exists()
    });
    assert!(gone, "{} was to be removed", folder.display());
    assert!(!Path::new(&process).exists() || zombie(&process), "the server still runs: {process}");
}

/// Dead, and not reaped by whoever has inherited it.
fn zombie(process: &str) -> bool {
    std::fs::read_to_string(format!("{process}/stat")).is_ok_and(|stat| stat.contains(") Z "))
}
