//! A phone's connection to whichever door takes it, going on where the last one ended.

use super::ground::Ground;
use super::words::{self, Welcome};
use crate::fault::Fault;
use crate::phone::Phone;
use crate::wire::{self, Line};
use std::time::Duration;
use tokio::time::timeout;
use waystone::verify::history::Position;

/// How long a dial and its welcome may take before another door is tried.
const DIAL: Duration = Duration::from_secs(10);

/// Why there is no connection.
#[derive(Debug)]
pub enum Shut {
    /// Nobody there, or nothing heard in time.
    Nobody,
    /// Refused under a code.
    Refused(u32),
}

/// A phone that is in.
#[derive(Debug)]
pub struct Entry {
    pub phone: Phone,
    pub welcome: Welcome,
    /// Lines that came in one frame with the welcome, after it.
    pub rest: Vec<String>,
}

/// Connects to a door and waits for the welcome.
pub async fn connect(
    ground: &Ground,
    door: usize,
    (index, player): (u32, &str),
    after: Option<&Position>,
) -> Result<Entry, Shut> {
    let addr = ground.plan.doors[door % ground.plan.doors.len()];
    let token = ground.token(player).map_err(|_| Shut::Nobody)?;
    let work = async {
        let mut phone = Phone::open(addr, index, player.to_owned()).await.map_err(|_| Shut::Nobody)?;
        let id = phone.next_id();
        phone.send(words::connect(id, &token, player, after)).await.map_err(|_| Shut::Nobody)?;
        loop {
            let frame = phone.frame().await.map_err(|fault| Shut::Refused(close_code(&fault)))?;
            let mut lines = wire::lines(&frame);
            while let Some(line) = lines.next() {
                match line {
                    Line::Ping => phone.send(wire::PONG.to_owned()).await.map_err(|_| Shut::Nobody)?,
                    Line::Reply { id: answered, text } if answered == id => {
                        let welcome = words::heard(text).and_then(|heard| heard.connect);
                        let own = welcome.and_then(|mut connect| connect.subs.remove(&format!("#{player}")));
                        let pushes =
                            lines.filter_map(|line| if let Line::Push(text) = line { Some(text) } else { None });
                        let rest = pushes.map(str::to_owned).collect();
                        return own.map(|welcome| Entry { phone, welcome, rest }).ok_or(Shut::Nobody);
                    }
                    Line::Refused(text) => {
                        let error = words::heard(text).and_then(|heard| heard.error);
                        return Err(Shut::Refused(error.map_or(0, |error| error.code)));
                    }
                    Line::Reply { .. } | Line::Push(_) | Line::Strange(_) => {}
                }
            }
        }
    };
    timeout(DIAL, work).await.unwrap_or(Err(Shut::Nobody))
}

/// The code under which a server has closed, 0 if it did not say.
pub fn close_code(fault: &Fault) -> u32 {
    let Fault::Phone { what, .. } = fault else { return 0 };
    let code = what.strip_prefix("closed by the server: ").and_then(|rest| rest.split(' ').next());
    code.and_then(|code| code.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_close_has_its_code() {
        assert_eq!(close_code(&Fault::phone("a", "closed by the server: 3012 no pong")), 3012);
        assert_eq!(close_code(&Fault::phone("a", "connection lost")), 0);
    }
}
