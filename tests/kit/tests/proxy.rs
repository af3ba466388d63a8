//! The proxy is not there while all passes, and does what it is told.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;
use waystone_kit::port;
use waystone_kit::proxy::{Callers, Proxy, Rule};

/// Longer than anything takes that comes at all.
const SOON: Duration = Duration::from_secs(10);
/// How long nothing may come where nothing should.
const NEVER: Duration = Duration::from_millis(300);

/// Says everything back.
fn echo(port: u16) {
    let listener = TcpListener::bind(("127.0.0.1", port)).expect("a free port");
    thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut copy = socket.try_clone().expect("a socket");
                let _ = std::io::copy(&mut copy, &mut &socket);
            });
        }
    });
}

fn said(mut socket: &TcpStream, text: &str) {
    socket.write_all(text.as_bytes()).expect("there is room");
}

fn heard(mut socket: &TcpStream, text: &str, within: Duration) -> std::io::Result<()> {
    socket.set_read_timeout(Some(within))?;
    let mut answer = vec![0; text.len()];
    socket.read_exact(&mut answer)?;
    assert_eq!(String::from_utf8_lossy(&answer), text);
    Ok(())
}

fn is_silent(socket: &TcpStream) {
    let silence = heard(socket, "?", NEVER).expect_err("nothing comes");
    assert_eq!(silence.kind(), ErrorKind::WouldBlock, "it is still open");
}

fn dial(proxy: &Proxy) -> std::io::Result<TcpStream> {
    TcpStream::connect(("127.0.0.1", proxy.port()))
}

#[test]
fn it_holds_one_way_or_both_and_what_was_held_comes_late() {
    let port = port::free().expect("a port");
    echo(port);
    let proxy = Proxy::start(port, &Callers::default()).expect("a proxy");
    let socket = dial(&proxy).expect("it listens");
    said(&socket, "one");
    heard(&socket, "one", SOON).expect("it passes");
    for rule in [Rule::HOLE, Rule::Hold { up: true, down: false }, Rule::Hold { up: false, down: true }] {
        proxy.set(rule);
        said(&socket, "two");
        is_silent(&socket);
        let second = dial(&proxy).expect("the system takes it");
        said(&second, "new");
        is_silent(&second);
        proxy.set(Rule::Pass);
        heard(&socket, "two", SOON).expect("it was late");
        heard(&second, "new", SOON).expect("it was late");
    }
    proxy.set(Rule::Delay(NEVER));
    said(&socket, "slow");
    is_silent(&socket);
    heard(&socket, "slow", SOON).expect("it takes its time");
    proxy.set(Rule::Cut);
    heard(&socket, "?", SOON).expect_err("it is cut");
    let cut = dial(&proxy).and_then(|cut| heard(&cut, "?", SOON)).expect_err("it is cut at once");
    assert_ne!(cut.kind(), ErrorKind::WouldBlock);
    proxy.set(Rule::Pass);
    let socket = dial(&proxy).expect("it listens");
    said(&socket, "again");
    heard(&socket, "again", SOON).expect("it passes");
}

/// Knocks until the answer is as wanted.
fn until<T>(what: &str, mut knock: impl FnMut() -> Option<T>) -> T {
    // Some ten seconds, as the proxy looks each 5 ms.
    for _ in 0..2_000 {
        if let Some(found) = knock() {
            return found;
        }
        thread::park_timeout(Duration::from_millis(5));
    }
    panic!("{what}");
}

#[test]
fn where_no_server_listens_it_does_not_either() {
    let port = port::free().expect("a port");
    let proxy = Proxy::start(port, &Callers::default()).expect("a proxy");
    let refused = || dial(&proxy).err().filter(|err| err.kind() == ErrorKind::ConnectionRefused);
    until("callers were to be refused", refused);
    echo(port);
    let socket = until("it was to listen when the server does", || dial(&proxy).ok());
    said(&socket, "one");
    heard(&socket, "one", SOON).expect("it passes");
    proxy.shut(true);
    heard(&socket, "?", SOON).expect_err("it ends");
    until("callers were to be refused", refused);
}

/// A process of its own that says "hello" through a proxy and tells what it heard within a moment.
fn caller(proxy: &Proxy) -> Child {
    let script = format!(
        "read go; exec 3<>/dev/tcp/127.0.0.1/{}; echo hello >&3; read -t 2 answer <&3; echo \"heard $answer\"",
        proxy.port()
    );
    let mut bash = Command::new("bash");
    bash.args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    bash.spawn().expect("bash is there")
}

#[test]
fn callers_are_known_by_their_processes() {
    let port = port::free().expect("a port");
    echo(port);
    let callers = Callers::default();
    let proxy = Proxy::start(port, &callers).expect("a proxy");
    let both: Vec<Child> = ["a", "b"]
        .into_iter()
        .map(|name| {
            let child = caller(&proxy);
            callers.name(child.id(), name);
            child
        })
        .collect();
    proxy.set_for("b", Rule::HOLE);
    let heard: Vec<String> = both
        .into_iter()
        .map(|mut child| {
            child.stdin.take().expect("a pipe").write_all(b"go\n").expect("it reads");
            String::from_utf8(child.wait_with_output().expect("it ends").stdout).expect("text")
        })
        .collect();
    assert_eq!(heard, ["heard hello\n", "heard \n"]);
}
