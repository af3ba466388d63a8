//! The story of the kills.

use crate::ground::Ground;
use crate::home;
use crate::party::Parties;
use crate::plan::{Moment, Plan};
use crate::server::{Folder, Server, Start, say};
use std::collections::BTreeMap;
use tokio::time::Instant;

/// Teams of two witnesses at play at any time.
const TEAMS: usize = 4;
/// Walkers in the server, who add to the crowd and die with it.
const WALKERS: u32 = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_at_any_moment_loses_nothing_and_gives_nothing_twice() {
    let begun = Instant::now();
    let (folder, mut plan) = (Folder::new("storm"), Plan::from_env());
    let how = Start::on_free_port(WALKERS);
    let ground = Ground::new(&folder.data(), how.port);
    let mut server = Server::start(&folder, how).await;
    let parties = Parties::set_out(&ground, TEAMS);

    let mut struck = BTreeMap::<Moment, u32>::new();
    for kill in 0..plan.kills {
        let moment = plan.moment(kill);
        server = plan.strike(moment, server, &folder, how, &ground).await;
        *struck.entry(moment).or_default() += 1;
        let faults = ground.faults();
        assert!(faults.is_empty(), "after kill {kill} ({moment:?}):\n{}", faults.join("\n"));
        // Beside the server at its busiest: everyone comes back just now.
        let verified = folder.verify().await;
        assert_eq!(verified.status.code(), Some(0), "after kill {kill} ({moment:?}), verify: {verified:?}");
    }

    server.kill();
    let story = home::bring(&folder, &ground, parties, how).await;
    say(&format!("{} kills {struck:?}, seed {}: {story}; {:.0?} in all", plan.kills + 1, plan.seed, begun.elapsed()));
    assert!(story.teams >= TEAMS, "each of {TEAMS} teams was to play, {} did", story.teams);
}
