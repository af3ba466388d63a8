//! The faults, one after the other, each with what it may cost.

use crate::players::Mark;
use crate::stage::{Stage, play, say};
use std::time::Duration;
use tokio::time::{Instant, sleep};
use waystone_kit::Redis;
use waystone_kit::proxy::Rule;

/// How long a node is frozen: its lease ends, its shards are claimed, and then it wakes up and believes it owns them.
const FROZEN: Duration = Duration::from_secs(6);
/// How long a line fails: links are noticed to be dead, members called unreachable, leases run out, shards move.
const FAILS: Duration = Duration::from_secs(9);
/// Longest that anything may be out of reach after a node has died: the five seconds that players are promised, and as much
/// again for a machine that is busy with other things.
const GAP_MAX: Duration = Duration::from_secs(10);
/// How long Redis, or the line to it, fails.
const REDIS_FAILS: Duration = Duration::from_secs(4);
/// Longest answer where nothing that answers need is wrong: what a busy machine takes.
const UNHURT: Duration = Duration::from_secs(3);
/// Within which a link through which nothing comes must be noticed: the promise of three seconds, which the tests of links
/// hold it to, and two for a busy machine.
const NOTICED: Duration = Duration::from_secs(5);

/// Why a line is there.
const OURS: &str = "a node of ours";

const ALL: [&str; 3] = ["a", "b", "c"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_given_twice_when_nodes_die_freeze_and_drain() {
    play(ALL, async |stage, round| {
        kill(stage, if round % 2 == 0 { "clock:3600" } else { "clock:-3600" }).await;
        freeze(stage).await;
        restart_postgres(stage).await;
        replace_all(stage, "drained, and back with an older protocol", "protocol:1", 1).await;
        replace_all(stage, "drained, and back with a newer protocol", "", 2).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_given_twice_when_lines_fail() {
    play(ALL, async |stage, _| {
        fail_redis(stage).await;
        cut_from_others(stage).await;
        half_open(stage).await;
        one_way(stage).await;
        flap(stage).await;
        cut_from_postgres(stage).await;
        refused_but_alive(stage).await;
    })
    .await;
}

/// `kill -9`. It comes back with a clock that is an hour off, and is one of them all the same.
async fn kill(stage: &mut Stage, clock: &str) {
    let mark = stage.mark(Some("b")).await;
    stage.cluster.kill("b");
    stage.cluster.all_owned_by(&["a", "c"]).await;
    let gaps = stage.tell("kill -9", &mark).await;
    assert!(gaps.max() < GAP_MAX, "a node was killed: {gaps}");
    let mark = stage.mark(Some("b")).await;
    let buried = |stage: &Stage| ["a", "c"].map(|name| stage.cluster.said(name, "a node is gone"));
    let before = buried(stage);
    stage.cluster.launch("b", clock).await;
    stage.cluster.all_owned_by(&ALL).await;
    assert_eq!(buried(stage), before, "who joins has its port open before anyone knows of it");
    assert!(stage.cluster.said("b", "this machine's clock is not the database's") > 0, "it knows by now");
    let gaps = stage.tell("a node joins whose clock is an hour off", &mark).await;
    assert!(gaps.max() < GAP_MAX, "a node came: {gaps}");
    stage.settle(&ALL).await;
}

async fn freeze(stage: &mut Stage) {
    let mark = stage.mark(Some("c")).await;
    stage.cluster.freeze("c", FROZEN).await;
    let gaps = stage.tell("frozen for 6 s", &mark).await;
    assert!(gaps.entity.max().max(gaps.elsewhere.max()) < GAP_MAX, "a node stood still: {gaps}");
    stage.settle(&ALL).await;
}

async fn restart_postgres(stage: &mut Stage) {
    let mark = stage.mark(None).await;
    let away = stage.cluster.restart_postgres().await;
    say(&format!("Postgres was away for {away:.2?}"));
    let gaps = stage.tell("Postgres restarted", &mark).await;
    assert!(gaps.max() < away + GAP_MAX, "Postgres was restarted, which took {away:?}: {gaps}");
    stage.settle(&ALL).await;
}

/// A rolling upgrade, or the way back: each is drained, and comes again in another version. As operators do, the next is
/// not kept waiting until shards have settled.
async fn replace_all(stage: &mut Stage, what: &'static str, odd: &str, version: u16) {
    for name in ALL {
        let mark = stage.mark(Some(name)).await;
        stage.cluster.drain(name).await;
        let gaps = stage.tell(what, &mark).await;
        assert!(gaps.reconnects <= 1, "{name} was drained, and once is enough: {gaps}");
        assert!(gaps.max() < GAP_MAX, "{name} was drained: {gaps}");
        stage.cluster.launch(name, odd).await;
        stage.go_home().await;
    }
    stage.settle(&ALL).await;
    let spoken = ALL.map(|name| stage.cluster.last_version_spoken(name));
    assert_eq!(spoken, [Some(version); 3], "what the nodes' newest links speak");
}

/// Nothing that is asked of players or promised to them needs it.
async fn fail_redis(stage: &mut Stage) {
    assert!(stage.cluster.redis_keys().await > 0, "it is used, or its loss would say nothing");
    // Gone is gone at once, and what hangs is given up after two calls.
    let kill = (Redis::kill as fn(&Redis) -> _, Redis::restart as fn(&Redis) -> _);
    let scenes = [
        ("Redis killed", kill),
        ("Redis flushed", (Redis::flush, |_| Ok(()))),
        ("Redis frozen", (Redis::stop, Redis::cont)),
    ];
    for (what, (begin, end)) in scenes {
        let (mark, awards) = (stage.mark(None).await, stage.awards());
        stage.cluster.redis(begin).await;
        sleep(REDIS_FAILS).await;
        let given = stage.awards() - awards;
        stage.cluster.redis(end).await;
        as_if_nothing_were(stage, what, &mark, given).await;
    }
    let (mark, awards) = (stage.mark(Some("b")).await, stage.awards());
    stage.cluster.lines.to_redis("b", Rule::HOLE).expect(OURS);
    sleep(REDIS_FAILS).await;
    let given = stage.awards() - awards;
    stage.cluster.lines.to_redis("b", Rule::Pass).expect(OURS);
    as_if_nothing_were(stage, "cut from Redis", &mark, given).await;
    stage.check().await;
}

async fn as_if_nothing_were(stage: &mut Stage, what: &'static str, mark: &Mark, awards: usize) {
    let gaps = stage.tell(what, mark).await;
    say(&format!("{what}: {awards} awards meanwhile"));
    assert!(gaps.max() < UNHURT, "{what}: {gaps}");
    assert!(gaps.at_once * 1_000 >= gaps.answers * 999, "{what}: 99.9 % were to be answered at once: {gaps}");
}

async fn cut_from_others(stage: &mut Stage) {
    let mark = stage.mark(Some("c")).await;
    stage.cluster.lines.around("c", Rule::Cut).expect(OURS);
    sleep(FAILS).await;
    stage.cluster.lines.around("c", Rule::Pass).expect(OURS);
    stage.tell("cut from the others", &mark).await;
    stage.settle(&ALL).await;
}

/// Nothing comes through, and nothing is closed.
async fn half_open(stage: &mut Stage) {
    let mark = stage.mark(Some("b")).await;
    let fallen = |stage: &Stage| ALL.map(|name| stage.cluster.said(name, "a link has fallen"));
    let before = fallen(stage);
    let begun = Instant::now();
    stage.cluster.lines.around("b", Rule::HOLE).expect(OURS);
    // Both of b's links, and the others' to it.
    let noticed = [1, 2, 1];
    while fallen(stage).iter().zip(before).zip(noticed).any(|((now, before), links)| *now < before + links) {
        assert!(begun.elapsed() < NOTICED, "links that are half open were to be noticed within {NOTICED:?}");
        sleep(Duration::from_millis(50)).await;
    }
    say(&format!("half-open links noticed after {:.2?}", begun.elapsed()));
    sleep(FAILS.saturating_sub(begun.elapsed())).await;
    stage.cluster.lines.around("b", Rule::Pass).expect(OURS);
    stage.tell("half-open to the others", &mark).await;
    stage.settle(&ALL).await;
}

async fn one_way(stage: &mut Stage) {
    let mark = stage.mark(Some("a")).await;
    stage.cluster.lines.lose_one_way("a", "c").expect(OURS);
    sleep(FAILS).await;
    stage.cluster.lines.between("a", "c", Rule::Pass).expect(OURS);
    stage.tell("one way lost between two", &mark).await;
    stage.settle(&ALL).await;
}

/// It fails for a second, again and again, and is well for two: not long enough to be called unreachable, as long as it
/// comes up again soon.
async fn flap(stage: &mut Stage) {
    let mark = stage.mark(Some("b")).await;
    for _ in 0..3 {
        stage.cluster.lines.between("a", "b", Rule::Cut).expect(OURS);
        sleep(Duration::from_secs(1)).await;
        stage.cluster.lines.between("a", "b", Rule::Pass).expect(OURS);
        sleep(Duration::from_secs(2)).await;
    }
    stage.tell("a link that flaps", &mark).await;
    stage.settle(&ALL).await;
}

async fn cut_from_postgres(stage: &mut Stage) {
    let mark = stage.mark(Some("c")).await;
    stage.cluster.lines.to_postgres("c", Rule::HOLE).expect(OURS);
    sleep(FAILS).await;
    stage.cluster.lines.to_postgres("c", Rule::Pass).expect(OURS);
    stage.tell("cut from Postgres", &mark).await;
    stage.settle(&ALL).await;
}

/// The others hear that nobody listens there, take it for dead, and are wrong.
async fn refused_but_alive(stage: &mut Stage) {
    let mark = stage.mark(Some("a")).await;
    stage.cluster.lines.refuse("a", true).expect(OURS);
    sleep(FAILS).await;
    stage.cluster.lines.refuse("a", false).expect(OURS);
    stage.tell("taken for dead", &mark).await;
    stage.settle(&ALL).await;
}
