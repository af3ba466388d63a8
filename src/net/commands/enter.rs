//! Coming in and staying in: `connect` and `refresh`, which are asked with a token.

use super::{Connected, Desk, Outcome};
use crate::actors::contract::{Hello, Sink};
use crate::ids::PlayerId;
use crate::net::auth::{Role, TokenError};
use crate::net::close::Close;
use crate::net::connection_id;
use crate::net::metrics::Limited;
use crate::net::outbound::Outbound;
use crate::net::protocol::{self, Bearer, ConnectRequest, Greeting};
use crate::quest::refusal::Refusal;
use std::sync::Arc;
use tokio::time::Instant;

impl Desk {
    pub(super) async fn connect(&mut self, id: u32, request: ConnectRequest) -> Outcome {
        // Checking a signature is the dearest thing that a stranger can ask for.
        if !self.attempts.take(1, Instant::now()) {
            return self.too_many("attempts", Limited::Commands, Some(id), self.attempts.wait(1));
        }
        if self.edge.memory.short(Instant::now()) {
            self.edge.metrics.limited(Limited::Memory);
            return self.refuse(id, &Refusal::busy("the server is short of memory: try again in some seconds"));
        }
        let identity = match self.edge.identify(&request.token.0).await {
            Ok(identity) => identity,
            Err(fault) => return self.refuse_token(id, fault),
        };
        if !identity.role.plays() {
            let why = match identity.role {
                Role::Device => "a device's token can only post fixes over HTTP",
                _ => "this token's role does not play: it is for calls over HTTP",
            };
            return self.refuse(id, &Refusal::permission_denied(why));
        }
        if !self.out.belongs_to(&identity.player) {
            return Outcome::Close(Close::BAD_REQUEST);
        }
        let Some(budget) = self.edge.budgets.of(&identity.player, Instant::now()) else {
            self.edge.metrics.limited(Limited::Players);
            return self.refuse(id, &Refusal::busy("too many players are here: try again in some seconds"));
        };
        // Who comes back again and again has no more than who stays.
        if let Err(wait) = budget.command(Instant::now()) {
            return self.too_many("commands", Limited::Commands, Some(id), wait);
        }
        let resume = request.resume(&identity.player);
        let credential = identity.credential();
        let hello = Hello {
            player: identity.player.clone(),
            name: identity.name.or_else(|| request.name()),
            lang: identity.lang.or_else(|| request.lang()),
            resume: resume.clone(),
            credential,
        };
        let sink: Arc<dyn Sink> = Arc::<Outbound>::clone(&self.out);
        let (session, welcome) = match self.edge.game.connect(hello, sink).await {
            Ok(opened) => opened,
            Err(refusal) => return self.refuse(id, &refusal),
        };
        let greeting = Greeting {
            client: &connection_id::random(),
            player: &identity.player,
            ping: protocol::seconds(self.edge.config.ping),
            ttl: protocol::seconds(identity.expires.since(self.edge.clock.now())),
            resume: resume.as_ref(),
        };
        let (reply, missed) = self.out.form().connected(id, &greeting, &welcome);
        self.out.open(reply, missed, welcome.position.offset);
        let session = Arc::new(session);
        self.connected = Some(Connected { session, player: identity.player, expires: identity.expires, budget });
        Outcome::Opened
    }

    pub(super) async fn refresh(&mut self, id: u32, token: &Bearer, player: &PlayerId) -> Outcome {
        match self.edge.identify(&token.0).await {
            Ok(identity) if identity.player == *player && identity.role.plays() => {
                let renewed = |connected: &Connected| connected.session.renew(identity.credential());
                if !self.connected.as_ref().is_some_and(renewed) {
                    return Outcome::Close(Close::REVOKED);
                }
                let ttl = protocol::seconds(identity.expires.since(self.edge.clock.now()));
                if let Some(connected) = &mut self.connected {
                    connected.expires = identity.expires;
                }
                self.out.reply(self.out.form().refreshed(id, ttl));
                Outcome::Go
            }
            Ok(_) => Outcome::Close(Close::INVALID_TOKEN),
            Err(fault) => self.refuse_token(id, fault),
        }
    }

    /// What a bad token is answered: with a temporary error where a later try, or a new token, will do.
    fn refuse_token(&self, id: u32, fault: TokenError) -> Outcome {
        match fault {
            TokenError::Expired => self.refuse(id, &expired()),
            TokenError::KeysUnavailable => self.refuse(id, &Refusal::keys_unavailable(&fault.to_string())),
            TokenError::Revoked => Outcome::Close(Close::REVOKED),
            _ => {
                tracing::info!(reason = %fault, "token refused");
                Outcome::Close(Close::INVALID_TOKEN)
            }
        }
    }
}

fn expired() -> Refusal {
    Refusal::token_expired("the token has expired: get a new one")
}
