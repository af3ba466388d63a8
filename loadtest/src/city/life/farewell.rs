//! The end of a player's run: one last look at the state, which must show all that was told, and the last words.

use super::Life;
use crate::record::measure;
use crate::wire::{self, Line};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// How long one look at the state may take at the end, and how often it is repeated until it shows what was told.
const LOOK: Duration = Duration::from_secs(10);
const LOOKS_MAX: u32 = 50;
const LOOK_PAUSE: Duration = Duration::from_millis(200);

impl Life {
    /// Looks until what is there is what was told, and writes it down as final. Whoever never came in has nothing to see.
    pub(super) async fn look_back(mut self) {
        let ground = Arc::clone(&self.ground);
        if let Some(given) = &self.command {
            ground.counts.fault(|| format!("{}: {} was never answered", self.player, given.todo.method));
        }
        if let (true, Ok(_turn)) = (self.known.is_some(), ground.looks.acquire().await) {
            if timeout(LOOK * 3, self.see_all()).await.is_err() {
                ground.counts.fault(|| format!("{} could not see its state at the end", self.player));
            }
            if self.phone.is_some() {
                self.leave("the end");
            }
        }
        let waiting = std::mem::take(&mut self.awaited).into_iter().flat_map(|(_, fixes)| fixes);
        for (_, due) in waiting.chain(std::mem::take(&mut self.queue)) {
            // What was never answered has taken at least so long.
            ground.counts.took(measure::FIX_ACK, due.elapsed());
            ground.counts.count("fixes never answered", 1);
        }
    }

    async fn see_all(&mut self) {
        let mut settled = false;
        for look in 1..=LOOKS_MAX {
            while self.phone.is_none() {
                self.dial(Instant::now()).await;
                if self.phone.is_none() {
                    sleep(LOOK_PAUSE).await;
                }
            }
            if settled || look == LOOKS_MAX {
                self.diary.settled();
            }
            let Some(offset) = self.look().await else { continue };
            let known = self.known.as_ref().map_or(0, |known| known.offset);
            match (settled, offset == known) {
                (true, _) => return,
                // Written down only when it is seen to be so, and then looked at once more.
                (false, true) => settled = true,
                (false, false) => sleep(LOOK_PAUSE).await,
            }
        }
    }

    /// Asks for the state; gives the offset of the last notice in it.
    async fn look(&mut self) -> Option<u64> {
        let (data, id) = (json!({}), self.phone.as_mut()?.next_id());
        let request = self.diary.asked("state.get", &data);
        self.send(wire::rpc(id, "state.get", "{}").into()).await;
        let answered = timeout(LOOK, async {
            loop {
                let frame = self.phone.as_mut()?.frame().await;
                let frame = match frame {
                    Ok(frame) => frame,
                    lost => {
                        self.take_frame(lost).await;
                        return None;
                    }
                };
                for line in wire::lines(&frame) {
                    match line {
                        Line::Reply { id: answered, text } if answered == id => return Some(text.to_owned()),
                        Line::Push(text) => self.take_push(text),
                        Line::Ping => self.send(wire::PONG.into()).await,
                        Line::Reply { .. } | Line::Refused(_) | Line::Strange(_) => {}
                    }
                }
            }
        });
        let Ok(Some(text)) = answered.await else {
            self.diary.answered(request, waystone::verify::history::Outcome::Unknown);
            return None;
        };
        let state = super::super::words::heard(&text).and_then(|heard| heard.rpc).map_or(Value::Null, |rpc| rpc.data);
        self.diary.state(request, &state);
        state["offset"].as_u64()
    }
}
