//! The private Redis server does as it says, and nothing of it is left.

use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use waystone_kit::Redis;

/// Set for a copy of this test that starts a server, says where, and waits to be killed.
const CHILD: &str = "WAYSTONE_KIT_CHILD";

#[test]
fn it_asks_for_its_password_and_keeps_nothing_on_disk() {
    let server = Redis::start().expect("a server");
    let word = |words: &[&str]| server.command(words).expect("answered");
    assert_eq!(word(&["SET", "key", "a value\nof two lines"]), "OK");
    assert_eq!(word(&["GET", "key"]), "a value\nof two lines");
    assert_eq!(word(&["MGET", "key", "none", "key"]), "a value\nof two lines\n\na value\nof two lines");
    assert_eq!(word(&["CONFIG", "GET", "save"]), "save\n");
    assert_eq!(word(&["CONFIG", "GET", "appendonly"]), "appendonly\nno");
    assert!(server.command(&["NONSENSE"]).expect_err("no such command").to_string().contains("unknown command"));
    let (head, password) =
        server.url().split_once("redis://:").map(|(h, r)| (h.to_owned(), r.to_owned())).expect("so");
    assert!(head.is_empty() && password.ends_with(&format!("@127.0.0.1:{}", server.port())), "{password}");
    let mut stranger = BufReader::new(TcpStream::connect(("127.0.0.1", server.port())).expect("it listens"));
    std::io::Write::write_all(stranger.get_mut(), b"GET key\r\n").expect("sent");
    let mut answer = String::new();
    stranger.read_line(&mut answer).expect("answered");
    assert!(answer.starts_with("-NOAUTH"), "{answer}");
}

#[test]
fn it_is_killed_frozen_and_emptied() {
    let server = Redis::start().expect("a server");
    let set = || server.command(&["SET", "key", "1"]).expect("set");
    let keys = || server.command(&["DBSIZE"]).expect("counted");
    set();
    server.flush().expect("emptied");
    assert_eq!(keys(), "0");
    set();
    server.kill().expect("killed");
    server.command(&["PING"]).expect_err("nobody is there");
    server.kill().expect_err("it is dead");
    server.restart().expect("started again");
    assert_eq!(keys(), "0", "it was to begin empty");
    server.restart().expect_err("it runs");

    server.stop().expect("stopped");
    TcpStream::connect(("127.0.0.1", server.port())).expect("a frozen server hangs, it does not refuse");
    server.command(&["PING"]).expect_err("it is frozen");
    server.cont().expect("goes on");
    assert_eq!(keys(), "0");
    // Also a frozen one ends.
    server.stop().expect("stopped");
    let port = server.port();
    drop(server);
    TcpStream::connect(("127.0.0.1", port)).expect_err("nobody is there");
}

#[test]
fn nothing_is_left_of_a_server_whose_process_was_killed() {
    if std::env::var_os(CHILD).is_some() {
        let server = Redis::start().expect("a server");
        println!("\nfolder {}", server.command(&["CONFIG", "GET", "dir"]).expect("answered").replace("dir\n", ""));
        println!("port {}", server.port());
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
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
    let mut find =
        |word: &str| lines.find_map(|line| line.strip_prefix(word).map(str::to_owned)).expect("it says so");
    let (folder, port) = (find("folder "), find("port ").parse::<u16>().expect("a number"));
    TcpStream::connect(("127.0.0.1", port)).expect("it runs");
    child.kill().expect("our own child");
    child.wait().expect("our own child");
    let gone = (0..200).any(|_| {
        // What else than a pause: the watcher is no child of ours.
        Command::new("sleep").arg("0.05").status().expect("a pause");
        !Path::new(&folder).exists()
    });
    assert!(gone, "{folder} was to be removed");
    TcpStream::connect(("127.0.0.1", port)).expect_err("the server still runs");
}
