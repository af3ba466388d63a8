//! A TCP proxy that does to connections what networks do: cuts them, slows them, or lets them hang, in one direction or
//! both.
//!
//! A test stands one before each server and gives clients the proxy's port. Which client dials can be told by its
//! process, so one proxy has different rules for different callers, and two nodes can be cut off from each other while
//! a third reaches both. It needs no privileges, and threads rather than a runtime.
//!
//! Promise: while all passes it is as if it were not there, a server that does not listen included: then the proxy does
//! not listen either. What is held is not lost but late, as with TCP over a line that drops packets for a while. One
//! difference remains: who dials where nothing passes is connected, and hears nothing, where a real SYN would be lost.

use crate::wait::pause;
use crate::{Result, Trouble, port};
use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How often the proxy looks for callers, and whether a server that did not listen does by now.
const LOOK: Duration = Duration::from_millis(5);
/// What is read at once.
const PIECE: usize = 64 * 1024;

/// What becomes of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rule {
    /// All passes.
    #[default]
    Pass,
    /// Those there are end at once, and new ones do.
    Cut,
    /// They stay open, and what one side says does not reach the other, its farewell included.
    Hold {
        /// What callers say.
        up: bool,
        /// What the server says.
        down: bool,
    },
    /// What is said at once takes so long to the other side, and what is said meanwhile waits.
    Delay(Duration),
}

impl Rule {
    /// Nothing comes through in either direction.
    pub const HOLE: Self = Self::Hold { up: true, down: true };

    fn holds(self, way: Way) -> bool {
        matches!(self, Self::Hold { up, down } if (if way == Way::Up { up } else { down }))
    }
}

/// Who callers are, by their processes.
#[derive(Debug, Clone, Default)]
pub struct Callers(Arc<Mutex<BTreeMap<u32, String>>>);

impl Callers {
    /// A process is called so from now on.
    pub fn name(&self, pid: u32, name: &str) {
        held(&self.0).insert(pid, name.to_owned());
    }

    /// The name of who holds the socket at the other end of a connection to a port of ours.
    fn who(&self, caller: SocketAddr, port: u16) -> Option<String> {
        let table = fs::read_to_string("/proc/net/tcp").ok()?;
        let (from, to) = (format!(":{:04X}", caller.port()), format!(":{port:04X}"));
        let inode = table.lines().find_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            (fields.get(1)?.ends_with(&from) && fields.get(2)?.ends_with(&to)).then(|| fields.get(9).copied())?
        })?;
        let socket = format!("socket:[{inode}]");
        let known = held(&self.0).clone();
        let holds = |pid: &u32| {
            let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
            files.filter_map(|file| fs::read_link(file.path()).ok()).any(|file| file == Path::new(&socket))
        };
        known.into_iter().find(|(pid, _)| holds(pid)).map(|(_, name)| name)
    }
}

/// A proxy before one server; it and its connections end when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    target: u16,
    callers: Callers,
    state: Mutex<State>,
    /// Rules have changed.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    ended: bool,
    /// Nobody listens.
    shut: bool,
    rule: Rule,
    rules: BTreeMap<String, Rule>,
    /// Those there are, by number.
    connections: BTreeMap<u64, Connection>,
    last: u64,
}

#[derive(Debug)]
struct Connection {
    caller: Option<String>,
    ends: [TcpStream; 2],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Up,
    Down,
}

impl State {
    fn rule(&self, caller: Option<&str>) -> Rule {
        caller.and_then(|name| self.rules.get(name).copied()).unwrap_or(self.rule)
    }

    /// Ends those that should not be.
    fn enforce(&self) {
        let cut = |connection: &&Connection| {
            self.ended || self.shut || self.rule(connection.caller.as_deref()) == Rule::Cut
        };
        for connection in self.connections.values().filter(cut) {
            connection.end();
        }
    }
}

impl Connection {
    fn end(&self) {
        for end in &self.ends {
            // An error: it has ended.
            let _ = end.shutdown(Shutdown::Both);
        }
    }
}

impl Proxy {
    /// Before a server on a port of 127.0.0.1, which need not listen yet.
    pub fn start(target: u16, callers: &Callers) -> Result<Self> {
        let port = port::free()?;
        let listener = listen(port)?;
        let (state, changed) = (Mutex::default(), Condvar::new());
        let shared = Arc::new(Shared { target, callers: callers.clone(), state, changed });
        let serving = Arc::clone(&shared);
        thread::spawn(move || serving.serve(port, Some(listener)));
        Ok(Self { port, shared })
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The rule for all that have none of their own, from now on.
    pub fn set(&self, rule: Rule) {
        self.change(|state| state.rule = rule);
    }

    /// The rule for a caller's connections, from now on.
    pub fn set_for(&self, caller: &str, rule: Rule) {
        self.change(|state| {
            state.rules.insert(caller.to_owned(), rule);
        });
    }

    /// Ends all connections and does not listen, as if no server ran; or serves again.
    pub fn shut(&self, shut: bool) {
        self.change(|state| state.shut = shut);
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = held(&self.shared.state);
        change(&mut state);
        state.enforce();
        self.shared.changed.notify_all();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.change(|state| state.ended = true);
    }
}

impl Shared {
    fn serve(self: &Arc<Self>, port: u16, mut listener: Option<TcpListener>) {
        loop {
            let (ended, shut) = {
                let state = held(&self.state);
                (state.ended, state.shut)
            };
            if ended {
                return;
            }
            if shut || (listener.is_none() && dial(self.target).is_err()) {
                listener = None;
                pause(LOOK);
                continue;
            }
            let Some(open) = &listener else {
                // Where it cannot listen, it tries again.
                listener = listen(port).ok();
                continue;
            };
            match open.accept() {
                // Who dials a server that is not there is sent away, and the next meets nobody.
                Ok((caller, address)) => match dial(self.target) {
                    Ok(server) => self.connect(caller, address, server, port),
                    Err(_) => listener = None,
                },
                Err(_) => pause(LOOK),
            }
        }
    }

    fn connect(self: &Arc<Self>, caller: TcpStream, address: SocketAddr, server: TcpStream, port: u16) {
        let name = self.callers.who(address, port);
        // It was accepted by a listener that does not wait.
        let plain = |end: &TcpStream| end.set_nonblocking(false).and_then(|()| end.set_nodelay(true));
        let (Ok(()), Ok(())) = (plain(&caller), plain(&server)) else { return };
        let copies = (caller.try_clone(), server.try_clone(), caller.try_clone(), server.try_clone());
        let (Ok(up_from), Ok(up_to), Ok(down_to), Ok(down_from)) = copies else { return };
        let number = {
            let mut state = held(&self.state);
            let connection = Connection { caller: name.clone(), ends: [caller, server] };
            if state.ended || state.shut || state.rule(name.as_deref()) == Rule::Cut {
                return connection.end();
            }
            state.last += 1;
            let number = state.last;
            state.connections.insert(number, connection);
            number
        };
        let up = Pump { shared: Arc::clone(self), name: name.clone(), way: Way::Up, from: up_from, to: up_to };
        let down = Pump { shared: Arc::clone(self), name, way: Way::Down, from: down_from, to: down_to };
        thread::spawn(move || {
            let other = thread::spawn(move || down.run());
            up.run();
            let _ = other.join();
            held(&up.shared.state).connections.remove(&number);
        });
    }
}

/// One direction of a connection.
struct Pump {
    shared: Arc<Shared>,
    name: Option<String>,
    way: Way,
    from: TcpStream,
    to: TcpStream,
}

impl Pump {
    fn run(&self) {
        let (mut from, mut to) = (&self.from, &self.to);
        let mut piece = vec![0; PIECE];
        loop {
            self.passes();
            let read = match from.read(&mut piece) {
                Err(err) if err.kind() == ErrorKind::Interrupted => continue,
                read => read,
            };
            // What came since the last look may not pass any more.
            if let Rule::Delay(span) = self.passes() {
                pause(span);
            }
            match read {
                Ok(0) => return to.shutdown(Shutdown::Write).unwrap_or_default(),
                Ok(count) if to.write_all(&piece[..count]).is_ok() => {}
                // One end is gone without a farewell, so the other is too.
                Ok(_) | Err(_) => {
                    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
                    return;
                }
            }
        }
    }

    /// Waits until this direction is not held; the rule by then.
    fn passes(&self) -> Rule {
        let held_back = |state: &mut State| !state.ended && state.rule(self.name.as_deref()).holds(self.way);
        let state = self.shared.changed.wait_while(held(&self.shared.state), held_back);
        state.unwrap_or_else(PoisonError::into_inner).rule(self.name.as_deref())
    }
}

fn listen(port: u16) -> Result<TcpListener> {
    let trouble = || format!("the proxy's port {port}");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(Trouble::of(trouble()))?;
    listener.set_nonblocking(true).map_err(Trouble::of(trouble()))?;
    Ok(listener)
}

fn dial(target: u16) -> std::io::Result<TcpStream> {
    TcpStream::connect((Ipv4Addr::LOCALHOST, target))
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
