//! Three real processes, one Postgres, and players on all of them who talk to one another the whole time, while nodes
//! are killed, frozen and drained.
//!
//! Promise: what was acknowledged is heard by everyone, once, in order, whichever node it was said on; and how long an
//! entity was out of reach is printed. `WAYSTONE_CLUSTER_ROUNDS` plays the same faults more often than once.

mod nodes;
mod players;

use nodes::{Cluster, say};
use players::Players;
use std::time::Duration;

/// How long players talk before the first fault, and after the last one.
const CALM: Duration = Duration::from_secs(2);
/// How long a node is frozen: its lease ends, its shards are claimed, and then it wakes up and believes it owns them.
const FROZEN: Duration = Duration::from_secs(6);
/// Longest that anything may be out of reach after a node has died: what players are promised.
const GAP_MAX: Duration = Duration::from_secs(5);

#[expect(clippy::disallowed_methods, reason = "a long run is asked for by hand")]
fn rounds() -> u32 {
    std::env::var("WAYSTONE_CLUSTER_ROUNDS").map_or(1, |text| text.parse().expect("a number of rounds"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_notices_when_nodes_die_freeze_and_drain() {
    let mut cluster = Cluster::start(["a", "b", "c"]).await;
    let players = Players::set_out(&cluster).await;
    tokio::time::sleep(CALM).await;
    for round in 0..rounds() {
        let begun = players.mark();
        cluster.kill("b");
        cluster.all_owned_by(&["a", "c"]).await;
        let gap = players.longest_since(begun, Duration::from_secs(3)).await;
        say(&format!("round {round}: killed: {gap}"));
        assert!(gap.max < GAP_MAX, "a node was killed, and for {gap} nothing could be said");
        cluster.launch("b").await;
        cluster.all_owned_by(&["a", "b", "c"]).await;

        let begun = players.mark();
        cluster.freeze("c", FROZEN).await;
        let gap = players.longest_since(begun, Duration::from_secs(3)).await;
        say(&format!("round {round}: frozen for {FROZEN:?}: {gap}"));
        cluster.all_owned_by(&["a", "b", "c"]).await;

        let begun = players.mark();
        cluster.drain("a").await;
        let gap = players.longest_since(begun, Duration::from_secs(3)).await;
        say(&format!("round {round}: drained: {gap}"));
        cluster.launch("a").await;
        cluster.all_owned_by(&["a", "b", "c"]).await;
    }
    tokio::time::sleep(CALM).await;
    say(&players.rest().await);
    cluster.verify_and_end().await;
}
