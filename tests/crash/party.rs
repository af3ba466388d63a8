//! Teams of witnesses that play, and play again under new names; and the operator who looks at their photos.

use crate::ground::Ground;
use crate::http;
use crate::witness::{self, Errand};
use futures_util::future::try_join_all;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};
use tokio_util::sync::CancellationToken;
use waystone::ids::PlayerId;

/// Witnesses in a team: the least that the sprint allows.
const TEAM: usize = 2;
/// How often the operator looks for photos.
const CLERK_EVERY: Duration = Duration::from_millis(400);

/// Teams at play.
pub(crate) struct Parties {
    playing: JoinSet<Result<usize, String>>,
    clerk: JoinSet<()>,
    /// No new teams after this.
    last_round: CancellationToken,
}

impl Parties {
    /// Sends so many teams out.
    pub(crate) fn set_out(ground: &Arc<Ground>, teams: usize) -> Self {
        let (mut playing, mut clerk, last_round) = (JoinSet::new(), JoinSet::new(), CancellationToken::new());
        for number in 0..teams {
            playing.spawn(play_on(Arc::clone(ground), number, last_round.clone()));
        }
        clerk.spawn(review(Arc::clone(ground)));
        Self { playing, clerk, last_round }
    }

    /// No new teams; those at play finish. How many there were, or where one stopped.
    pub(crate) async fn finish(mut self, deadline: Duration) -> Result<usize, String> {
        self.last_round.cancel();
        let all = async {
            let mut teams = 0;
            while let Some(ended) = self.playing.join_next().await {
                teams += ended.map_err(|err| err.to_string())??;
            }
            Ok(teams)
        };
        let teams = timeout(deadline, all).await;
        self.clerk.abort_all();
        teams.unwrap_or_else(|_| Err(format!("every team was to finish within {deadline:?} after the last restart")))
    }
}

async fn play_on(ground: Arc<Ground>, number: usize, last_round: CancellationToken) -> Result<usize, String> {
    let mut round = 0;
    while round == 0 || !last_round.is_cancelled() {
        round += 1;
        let team = format!("team {number} round {round}");
        let invite = Arc::new(watch::Sender::new(None));
        let members = (0..TEAM).map(|member| {
            let player = PlayerId::new(format!("w{number}.{round}.{member}")).expect("an id");
            let (founder, taste) = (member == 0, number + 2 * member + round);
            let errand = Errand { team: team.clone(), founder, taste, invite: Arc::clone(&invite) };
            witness::play(Arc::clone(&ground), ground.enroll(player), errand)
        });
        try_join_all(members).await?;
    }
    Ok(round)
}

/// Approves photos, but for those that are blurred. What cannot be asked now is asked again.
async fn review(ground: Arc<Ground>) {
    let (token, mut every) = (ground.operator(), interval(CLERK_EVERY));
    loop {
        every.tick().await;
        let Ok(overview) = http::get(ground.port, "/v1/overview", Some(&token)).await else { continue };
        let cards = overview.json()["reviews"].as_array().cloned().unwrap_or_default();
        for card in
            cards.iter().filter(|card| card["photo"].as_str().is_some_and(|photo| photo.starts_with("crash:")))
        {
            let approve = !card["photo"].as_str().is_some_and(|photo| photo.ends_with("blurred"));
            let verdict: Value = json!({
                "player": card["player"], "quest": card["quest"], "step": card["step"],
                "approve": approve, "reason": "it is blurred",
            });
            if http::post(ground.port, "/v1/reviews", &token, &verdict).await.is_err() {
                break;
            }
        }
    }
}
