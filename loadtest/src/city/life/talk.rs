//! A player's connection: dials, what is sent, what is heard, and what a lost one leaves to be sent again.

use super::super::link::{self, Entry, Shut};
use super::super::mind::Todo;
use super::super::words::{self, Heard, Publication};
use super::{Due, Given, Life};
use crate::city::traveller::Kind;
use crate::fault::Fault;
use crate::record::measure;
use crate::wire::{self, Line};
use rand::Rng as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use waystone::verify::history::{Connected, Outcome, Position};

/// Fixes in a batch: the server takes a hundred.
const BATCH_MAX: usize = 100;
/// From a temporary refusal of a command to its repeat, and how often that is tried: what the game refuses for the
/// moment (somebody has walked on) is not asked for ever.
const AGAIN: Duration = Duration::from_millis(300);
const TRIES_MAX: u32 = 4;
/// The longest pause between two dials; the first is up to a tenth of a second.
const PAUSE_MAX: Duration = Duration::from_secs(5);

impl Life {
    pub(super) async fn dial(&mut self, due: Instant) {
        self.dial_at = None;
        let ground = Arc::clone(&self.ground);
        let Ok(_turn) = ground.dials.acquire().await else { return };
        // In a box: a dial is rare, and its state is larger than all else that a player has.
        let dialled = Box::pin(link::connect(&ground, self.door, (self.index, &self.player), self.known.as_ref()));
        match dialled.await {
            Ok(entry) => self.enter(entry, due),
            Err(shut) => {
                match shut {
                    Shut::Nobody => ground.counts.error("dials without success"),
                    Shut::Refused(code) => ground.counts.refused(code, true),
                }
                self.door += 1;
                self.failures = self.failures.saturating_add(1);
                let most = (Duration::from_millis(100) * 2_u32.saturating_pow(self.failures.min(10))).min(PAUSE_MAX);
                self.dial_at = Some(Instant::now() + most.mul_f64(self.rng.random::<f64>()));
                self.lost_at.get_or_insert(due);
            }
        }
    }

    fn enter(&mut self, entry: Entry, due: Instant) {
        let Entry { phone, welcome, rest } = entry;
        let resumed = self.known.take();
        let counts = &self.ground.counts;
        counts.connected(resumed.is_some());
        let since = self.lost_at.take().unwrap_or(due);
        counts.took(if resumed.is_some() { measure::RESUME } else { measure::CONNECT }, since.elapsed());
        let (epoch, offset, recovered) = (welcome.epoch.clone(), welcome.offset, welcome.recovered);
        if resumed.is_some() && !recovered {
            counts.count("connections that began anew", 1);
            let todo = Todo { method: "state.get", data: serde_json::json!({}), due, wins: None };
            self.mind.todo.push_front(todo);
        }
        self.diary.connected(Connected { epoch: epoch.clone(), resumed, recovered, offset });
        self.known = Some(Position { epoch, offset });
        (self.phone, self.failures) = (Some(Box::new(phone)), 0);
        welcome.publications.iter().for_each(|missed| self.hear(missed));
        for line in rest {
            self.take_push(&line);
        }
    }

    /// Sends what waits: fixes as one or more batches, and the command.
    pub(super) async fn send_all(&mut self) {
        while !self.queue.is_empty() && self.phone.is_some() {
            let count = self.queue.len().min(BATCH_MAX);
            let fixes: Vec<Due> = self.queue.drain(..count).collect();
            let Some(phone) = self.phone.as_mut() else { return };
            let id = phone.next_id();
            let text = words::fixes(id, fixes.iter().map(|(reading, _)| reading));
            self.ground.counts.sent(count as u64);
            self.awaited.push_back((id, fixes));
            self.send(text.into()).await;
        }
        if self.command.is_none() {
            self.command = self.mind.todo.pop_front().map(|todo| {
                self.mind.gives(&todo);
                Given { todo, tries: 0, id: None, again_at: Instant::now() }
            });
        }
        let now = Instant::now();
        if let (Some(given), Some(phone)) = (self.command.as_mut(), self.phone.as_mut())
            && given.id.is_none()
            && given.again_at <= now
        {
            let id = phone.next_id();
            given.tries += 1;
            given.id = Some((id, self.diary.asked(given.todo.method, &given.todo.data)));
            let text = wire::rpc(id, given.todo.method, &given.todo.data.to_string());
            self.send(text.into()).await;
        }
    }

    pub(super) async fn send(&mut self, text: Utf8Bytes) {
        let Some(phone) = self.phone.as_mut() else { return };
        if let Err(fault) = phone.send(text).await {
            self.lose(&fault);
        }
    }

    pub(super) async fn take_frame(&mut self, frame: Result<Utf8Bytes, Fault>) {
        match frame {
            Ok(frame) => {
                for line in wire::lines(&frame) {
                    match line {
                        Line::Ping => self.send(Utf8Bytes::from_static(wire::PONG)).await,
                        Line::Push(text) => self.take_push(text),
                        Line::Reply { id, text } => self.take_reply(id, text),
                        Line::Refused(text) => self.take_refusal(text),
                        Line::Strange(text) => self.ground.counts.fault(|| format!("not of the protocol: {text}")),
                    }
                }
            }
            Err(fault) => self.lose(&fault),
        }
        self.send_all().await;
        self.note_waiting();
    }

    pub(super) fn take_push(&mut self, text: &str) {
        let publication = words::heard(text).and_then(|heard| heard.push).and_then(|push| push.publication);
        // Without an offset it is a live channel's.
        if let Some(publication) = publication.filter(|publication| publication.offset.is_some()) {
            self.hear(&publication);
        }
    }

    fn hear(&mut self, publication: &Publication) {
        let offset = publication.offset.unwrap_or(0);
        self.diary.told(offset, &publication.data);
        self.ground.heard_notice();
        if let Some(known) = &mut self.known {
            known.offset = offset;
        }
        let deciding = self.awaited.front().and_then(|(_, fixes)| fixes.last()).map(|(_, due)| *due);
        self.mind.deciding = deciding.or(self.mind.deciding);
        self.mind.hear(&publication.data, Instant::now());
    }

    fn take_reply(&mut self, id: u32, text: &str) {
        if self.awaited.front().is_some_and(|(awaited, _)| *awaited == id)
            && let Some((_, fixes)) = self.awaited.pop_front()
        {
            for (_, due) in &fixes {
                self.ground.counts.acked(due.elapsed());
            }
            self.mind.deciding = fixes.last().map(|(_, due)| *due).or(self.mind.deciding);
            let ignored = words::ignored(text);
            if ignored > 0 {
                let who = if self.kind == Kind::Honest { "honest" } else { "made-up" };
                self.ground.counts.count(&format!("{who} fixes that counted for nothing"), ignored);
            }
            return;
        }
        let Some(Given { todo, id: Some((_, request)), .. }) =
            self.command.take_if(|given| given.id.is_some_and(|(asked, _)| asked == id))
        else {
            return self.ground.counts.fault(|| format!("an answer that nobody awaits: {text}"));
        };
        let answer = words::heard(text).and_then(|heard| heard.rpc).map(|rpc| rpc.data).unwrap_or_default();
        if todo.method == "state.get" {
            self.diary.state(request, &answer);
            self.mind.begin_anew(&answer);
        } else {
            self.mind.done(&todo, &answer);
            self.diary.answered(request, Outcome::Done(answer));
        }
    }

    fn take_refusal(&mut self, text: &str) {
        let Some(Heard { error: Some(error), .. }) = words::heard(text) else { return };
        let id = wire::number(text).unwrap_or(0);
        // The game's own refusals are part of the play; the others are a server that cannot.
        self.ground.counts.refused(error.code, error.code < 1_100);
        if let Some(at) = self.awaited.iter().position(|(awaited, _)| *awaited == id) {
            let fixes = self.awaited.remove(at).map(|(_, fixes)| fixes).unwrap_or_default();
            if error.temporary {
                fixes.into_iter().rev().for_each(|fix| self.queue.push_front(fix));
            } else {
                self.ground.counts.fault(|| format!("a fix was refused for good: {}", error.code));
            }
            return;
        }
        let Some(given) = self.command.as_mut() else { return };
        let Some((_, request)) = given.id.take_if(|(asked, _)| *asked == id) else { return };
        self.diary.answered(request, Outcome::Refused(error.code));
        let of_game = error.code >= 1_100;
        if error.temporary && (!of_game || given.tries < TRIES_MAX) {
            given.again_at = Instant::now() + AGAIN;
        } else if let Some(Given { todo, .. }) = self.command.take() {
            self.mind.refused(&todo);
        }
    }

    /// The connection is gone.
    fn lose(&mut self, fault: &Fault) {
        match link::close_code(fault) {
            0 => self.ground.counts.error("connections lost"),
            code => self.ground.counts.refused(code, true),
        }
        self.leave("lost");
        self.lost_at = Some(Instant::now());
        // As the SDKs do: soon, and not all at once.
        self.dial_at = Some(Instant::now() + Duration::from_millis(self.rng.random_range(0..200)));
    }

    /// Hangs up without a word.
    pub(super) fn leave(&mut self, why: &str) {
        self.phone = None;
        self.diary.disconnected(why);
        self.ground.counts.disconnected();
        for (_, fixes) in std::mem::take(&mut self.awaited).into_iter().rev() {
            fixes.into_iter().rev().for_each(|fix| self.queue.push_front(fix));
        }
        if let Some(given) = self.command.as_mut()
            && let Some((_, request)) = given.id.take()
        {
            self.diary.answered(request, Outcome::Unknown);
        }
    }
}
