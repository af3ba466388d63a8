//! The walk itself: fixes when their time has come, notices as they come.

use super::super::{Exit, Output};
use super::tally::{Reply, Tally, notice};
use crate::clock::Clock;
use crate::net::client::{ClientError, Link, LinkEvent, Repeat};
use crate::walk::{Reading, Track};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// The most fixes in a call, as the server takes them.
const BATCH_MAX: usize = 100;

/// The time that a fix takes up of the server's patience: 20 a second.
const FIX_PACE: Duration = Duration::from_millis(50);

/// How long a call may take, over as many connections as it needs: a server's restart fits in.
const CALL_DEADLINE: Duration = Duration::from_secs(30);

/// How long the first connection may take.
const REACH_DEADLINE: Duration = Duration::from_secs(10);

/// How long to listen after the last fix: what it sets off comes within milliseconds, and a slow disk has its time.
const LISTEN: Duration = Duration::from_secs(1);

/// A walk under way.
pub(super) struct Walk {
    link: Link,
    events: mpsc::Receiver<LinkEvent>,
    clock: Clock,
    json: bool,
    tally: Tally,
    /// Why the server told us to stay away, once it has.
    ended: Option<String>,
}

impl Walk {
    pub(super) fn new(link: Link, events: mpsc::Receiver<LinkEvent>, clock: Clock, json: bool) -> Self {
        Self { link, events, clock, json, tally: Tally::default(), ended: None }
    }

    pub(super) async fn run(mut self, track: Track, speed: f64, url: &str, out: &mut Output) -> anyhow::Result<Exit> {
        if let Err((exit, reason)) = self.reach().await {
            out.error(format_args!("{url}: {reason}"))?;
            return Ok(exit);
        }
        let start = self.clock.now();
        let track = track.retime(start, speed)?;
        out.remark(format_args!("{} fixes in {:?}", track.readings.len(), track.span()))?;
        let exit = self.walk(&track.readings, out).await?;
        self.listen(LISTEN, out).await?;
        if self.json {
            out.json(&self.tally)?;
        } else {
            out.line(&self.tally)?;
        }
        Ok(exit)
    }

    /// Waits for the first connection. One failure is enough: a person is waiting, and will try again.
    async fn reach(&mut self) -> Result<(), (Exit, String)> {
        match timeout(REACH_DEADLINE, self.events.recv()).await {
            Ok(Some(LinkEvent::Down { reason, .. })) => Err((Exit::Unreachable, reason)),
            Ok(Some(LinkEvent::Ended { reason })) => Err((Exit::Failed, reason)),
            Ok(Some(LinkEvent::Up { .. } | LinkEvent::Notice { .. } | LinkEvent::Publication { .. })) => Ok(()),
            Ok(None) => Err((Exit::Failed, "the connection ended".to_owned())),
            Err(_) => Err((Exit::Unreachable, format!("no answer within {REACH_DEADLINE:?}"))),
        }
    }

    async fn walk(&mut self, readings: &[Reading], out: &mut Output) -> anyhow::Result<Exit> {
        // Time is the clock's; waiting is tokio's, from the same moment on.
        let (zero, started) = (self.clock.now(), Instant::now());
        let mut rest = readings;
        while let Some(first) = rest.first() {
            self.listen_until(started + first.time.since(zero), out).await?;
            let now = zero + started.elapsed();
            let due = rest.iter().take(BATCH_MAX).take_while(|reading| reading.time <= now).count().max(1);
            let (batch, later) = rest.split_at(due);
            rest = later;
            match self.send(batch, out).await? {
                Ok(reply) => self.tally.add(batch.len(), reply),
                Err(ClientError::Rpc { code, message, .. }) => {
                    self.tally.refuse(batch.len(), code);
                    out.remark(format_args!("refused: {}", super::super::output::plain(&message)))?;
                }
                Err(error) => {
                    let error = self.ended.take().unwrap_or_else(|| error.to_string());
                    out.error(error)?;
                    return Ok(Exit::Failed);
                }
            }
            let done = readings.len() - rest.len();
            out.progress(format_args!("{done} of {} fixes, {} accepted", readings.len(), self.tally.accepted))?;
            let pause = FIX_PACE * u32::try_from(batch.len()).unwrap_or(u32::MAX);
            self.listen(pause, out).await?;
        }
        Ok(Exit::Done)
    }

    /// Sends fixes and meanwhile reads what comes, as a full queue of events would hold up the link.
    async fn send(&mut self, batch: &[Reading], out: &mut Output) -> std::io::Result<Result<Reply, ClientError>> {
        let link = self.link.clone();
        let (method, data) = call(batch);
        let reply = link.rpc(method, data, Repeat::Safe, CALL_DEADLINE);
        tokio::pin!(reply);
        let reply = loop {
            tokio::select! {
                reply = &mut reply => break reply,
                Some(event) = self.events.recv() => self.tell(event, out)?,
            }
        };
        Ok(reply.and_then(|value| serde_json::from_value(value).map_err(|e| ClientError::Protocol(e.to_string()))))
    }

    async fn listen(&mut self, span: Duration, out: &mut Output) -> std::io::Result<()> {
        self.listen_until(Instant::now() + span, out).await
    }

    async fn listen_until(&mut self, until: Instant, out: &mut Output) -> std::io::Result<()> {
        loop {
            tokio::select! {
                () = sleep_until(until) => return Ok(()),
                event = self.events.recv() => match event {
                    Some(event) => self.tell(event, out)?,
                    // The link has ended for good; the next call says why.
                    None => {
                        sleep(until.saturating_duration_since(Instant::now())).await;
                        return Ok(());
                    }
                },
            }
        }
    }

    fn tell(&mut self, event: LinkEvent, out: &mut Output) -> std::io::Result<()> {
        match event {
            LinkEvent::Notice { offset, data } => {
                self.tally.notices += 1;
                match self.json {
                    true => out.json(&json!({ "offset": offset, "data": data })),
                    false => out.line(notice(offset, &data)),
                }
            }
            LinkEvent::Down { reason, retry_in } => out.remark(format_args!("{reason}; again in {retry_in:.1?}")),
            LinkEvent::Up { continued: true, .. } => out.remark("connected again; nothing was missed"),
            LinkEvent::Up { continued: false, .. } => {
                out.remark("connected anew; what was told meanwhile may be missing")
            }
            LinkEvent::Ended { reason } => {
                self.ended = Some(reason);
                Ok(())
            }
            LinkEvent::Publication { .. } => Ok(()),
        }
    }
}

/// The call that brings a batch: a single fix is what a phone sends most of the time.
fn call(batch: &[Reading]) -> (&'static str, Value) {
    // The time in milliseconds as sequence number: it rises, also above what an earlier replay has used.
    let numbered = |reading: &Reading| {
        let seq = u64::try_from(reading.time.as_millis()).unwrap_or(reading.seq);
        json!(Reading { seq, ..*reading })
    };
    match batch {
        [one] => ("fix", numbered(one)),
        many => ("fixes", json!({ "fixes": many.iter().map(numbered).collect::<Vec<_>>() })),
    }
}
