//! Over a real Redis, which is killed, frozen and emptied beneath.

use super::*;
use tokio::time::Instant;
use waystone_kit::Redis;

fn redis() -> Redis {
    Redis::start().expect("a private Redis")
}

/// With the patience of a busy machine, where the cap is not what is tested.
fn commons(redis: &Redis, cluster: &str, node: &str) -> Commons {
    let url = RedisUrl::new(&redis.url()).expect("a URL");
    Commons { cap: Duration::from_secs(5), ..Commons::new(url, cluster, NodeId::new(node)) }
}

fn id(text: &str) -> TeamId {
    TeamId::new(text).expect("an id")
}

fn quest(text: &str) -> QuestId {
    QuestId::new(text).expect("an id")
}

fn put(team: &str, points: i64, on: &str) -> TeamPut {
    let row = BoardRow { team: id(team), name: format!("The {team}"), points };
    TeamPut { row, quest: Some(quest(on)), others: Vec::new() }
}

/// Tries until it works, for three breaker's pauses at most.
async fn begin(commons: &mut Commons) -> bool {
    for _ in 0..120 {
        if let Ok(lost) = commons.begin().await {
            return lost;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("Redis was to be used again");
}

async fn top(commons: &mut Commons, on: &str, rows: usize) -> Vec<(String, i64)> {
    let mut boards = commons.tops(&[quest("none"), quest(on)], rows).await.expect("read");
    let found = boards.pop().expect("two boards");
    assert_eq!(boards, [[]], "nobody is on the other");
    assert!(found.iter().all(|row| row.name == format!("The {}", row.team)), "{found:?}");
    found.into_iter().map(|row| (row.team.to_string(), row.points)).collect()
}

#[tokio::test]
async fn boards_hold_what_was_put_last_however_often() {
    let redis = redis();
    let (mut a, mut b) = (commons(&redis, "c", "a"), commons(&redis, "c", "b"));
    assert!(begin(&mut a).await && begin(&mut b).await, "both begin anew");
    assert!(!begin(&mut a).await && !begin(&mut b).await, "and go on");
    for _ in 0..2 {
        a.put_teams(&[put("owls", 30, "q"), put("cats", 5, "q"), put("ants", 30, "q")]).await.expect("put");
        b.put_teams(&[put("dogs", -4, "q"), put("bees", 0, "q"), put("mice", 7, "r")]).await.expect("put");
    }
    a.put_teams(&[]).await.expect("nothing to put");
    assert_eq!(a.tops(&[], 9).await.expect("nothing to read"), Vec::<Vec<BoardRow>>::new());
    let all = [("ants", 30), ("owls", 30), ("cats", 5), ("bees", 0), ("dogs", -4)].map(|(t, p)| (t.to_owned(), p));
    assert_eq!(top(&mut b, "q", 100).await, all, "more points first, as many by their ids");
    assert_eq!(top(&mut b, "q", 2).await, all[..2]);
    // Points may fall, and a team may go on to another quest.
    let moved = TeamPut { others: vec![quest("q"), quest("x")], ..put("cats", 1, "r") };
    let nowhere = TeamPut { quest: None, others: vec![quest("q")], ..put("bees", 0, "q") };
    a.put_teams(&[put("owls", 10, "q"), moved, nowhere]).await.expect("put");
    assert_eq!(
        top(&mut a, "q", 100).await,
        [("ants", 30), ("owls", 10), ("dogs", -4)].map(|(t, p)| (t.to_owned(), p))
    );
    assert_eq!(top(&mut a, "r", 100).await, [("mice", 7), ("cats", 1)].map(|(t, p)| (t.to_owned(), p)));
    let words = redis.command(&["HKEYS", "waystone:c:names:q"]).expect("read");
    assert!(!words.contains("cats") && !words.contains("bees"), "names go too: {words}");
}

#[tokio::test]
async fn positions_are_replaced_whole_and_do_not_stay() {
    let redis = redis();
    let (mut a, mut b) = (commons(&redis, "c", "a"), commons(&redis, "c", "b"));
    begin(&mut a).await;
    begin(&mut b).await;
    let nodes = [NodeId::new("a"), NodeId::new("b"), NodeId::new("gone")];
    let text = |text: &str| Some(text.to_owned());
    a.put_positions(&[(id("owls"), text("[1]")), (id("cats"), text("[2]"))]).await.expect("put");
    b.put_positions(&[(id("owls"), text("[3]"))]).await.expect("put");
    a.put_positions(&[(id("owls"), text("[4]")), (id("cats"), None)]).await.expect("put");
    let read = b.positions_of(&[id("owls"), id("cats")], &nodes).await.expect("read");
    assert_eq!(read, [vec!["[4]".to_owned(), "[3]".to_owned()], Vec::new()]);
    assert_eq!(b.positions_of(&[id("owls")], &[]).await.expect("nothing to ask"), [Vec::<String>::new()]);
    for key in redis.command(&["KEYS", "*"]).expect("read").lines() {
        let left: u64 = redis.command(&["PTTL", key]).expect("read").parse().expect("it ends by itself");
        assert!(!key.contains(":positions:") || left <= 15_000, "{key} lives {left} ms");
    }
    redis.command(&["PEXPIRE", "waystone:c:positions:a:owls", "1"]).expect("its time is over");
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(b.positions_of(&[id("owls")], &nodes).await.expect("read"), [["[3]"]]);
}

#[tokio::test]
async fn a_loss_is_noticed_by_every_node_once() {
    let redis = redis();
    let (mut a, mut b) = (commons(&redis, "c", "a"), commons(&redis, "c", "b"));
    let others = [NodeId::new("a")];
    begin(&mut a).await;
    begin(&mut b).await;
    assert!(!b.is_whole(&others).await.expect("read"), "it has not said so");
    a.put_whole().await.expect("put");
    assert!(b.is_whole(&others).await.expect("read"));

    redis.flush().expect("emptied");
    assert!(begin(&mut a).await && begin(&mut b).await, "an emptied Redis has another mark");
    assert!(!begin(&mut a).await && !begin(&mut b).await, "told once");
    assert!(!b.is_whole(&others).await.expect("read"), "what a put is lost");
    a.put_whole().await.expect("put");
    assert!(b.is_whole(&others).await.expect("read"));

    // One that comes back with old contents, and so with the old mark.
    let mark = redis.command(&["GET", "waystone:c:mark"]).expect("read");
    redis.kill().expect("killed");
    redis.restart().expect("started");
    redis.command(&["SET", "waystone:c:mark", &mark]).expect("put");
    assert!(begin(&mut a).await && begin(&mut b).await, "another connection, perhaps another server");
}

#[tokio::test]
async fn a_frozen_redis_costs_the_cap_twice_and_comes_back_by_itself() {
    let redis = redis();
    let mut a = commons(&redis, "c", "a");
    begin(&mut a).await;
    a.cap = CALL;
    let tally = a.tally();
    redis.stop().expect("frozen");
    let begun = Instant::now();
    for _ in 0..2 {
        assert!(matches!(a.put_teams(&[put("owls", 1, "q")]).await, Err(Trouble::Late)));
    }
    // Twice the cap, and some for a busy machine.
    assert!(begun.elapsed() >= CALL * 2 && begun.elapsed() < CALL * 2 + Duration::from_millis(600));
    assert!(tally.is_open());
    let begun = Instant::now();
    for _ in 0..1000 {
        assert!(matches!(a.begin().await, Err(Trouble::GivenUp)));
    }
    assert!(begun.elapsed() < Duration::from_secs(1), "a breaker asks nobody: {:?}", begun.elapsed());
    a.cap = Duration::from_secs(5);
    redis.cont().expect("goes on");
    assert!(begin(&mut a).await, "by a new connection, so all is put anew");
    assert!(!tally.is_open() && tally.opened() == 1);
    // What was late came to pass all the same, twice, and does no harm.
    assert_eq!(top(&mut a, "q", 9).await, [("owls".to_owned(), 1)]);
}

#[tokio::test]
async fn a_dead_redis_is_refused_at_once_and_found_again() {
    let redis = redis();
    let mut a = commons(&redis, "c", "a");
    begin(&mut a).await;
    redis.kill().expect("killed");
    let begun = Instant::now();
    a.begin().await.expect_err("it is gone");
    a.begin().await.expect_err("still");
    assert!(matches!(a.begin().await, Err(Trouble::GivenUp)));
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    redis.restart().expect("started");
    assert!(begin(&mut a).await);
}

#[tokio::test]
async fn two_clusters_in_one_redis_do_not_see_each_other() {
    let redis = redis();
    let (mut one, mut two) = (commons(&redis, "one", "a"), commons(&redis, "two", "a"));
    begin(&mut one).await;
    begin(&mut two).await;
    one.put_teams(&[put("owls", 1, "q")]).await.expect("put");
    one.put_positions(&[(id("owls"), Some("[1]".to_owned()))]).await.expect("put");
    one.put_whole().await.expect("put");
    one.tell(&["{}".to_owned()]).await.expect("told");
    let me = [NodeId::new("a")];
    assert_eq!(top(&mut two, "q", 9).await, []);
    assert_eq!(two.positions_of(&[id("owls")], &me).await.expect("read"), [Vec::<String>::new()]);
    assert!(!two.is_whole(&me).await.expect("read"));
    assert_eq!(redis.command(&["XLEN", "waystone:one:happenings"]).expect("read"), "1");
    assert_eq!(redis.command(&["XLEN", "waystone:two:happenings"]).expect("read"), "0");
    assert_eq!(top(&mut one, "q", 9).await.len(), 1);
}

#[tokio::test]
async fn a_wrong_password_is_told_without_it() {
    let redis = redis();
    let wrong = redis.url().replace("redis://:", "redis://:hunter2");
    let url = RedisUrl::new(&wrong).expect("a URL");
    let mut a = Commons::new(url.clone(), "c", NodeId::new("a"));
    let trouble = a.begin().await.expect_err("refused");
    let said = format!("{trouble} {trouble:?} {a:?} {url:?}");
    assert!(said.contains("refuses") && !said.contains("hunter2"), "{said}");
    for bad in ["redis://:hunter2@", "http://hunter2", "redis://h:hunter2", ""] {
        let told = RedisUrl::new(bad).map(drop).expect_err(bad).to_string();
        assert!(told.contains("redis://host:6379") && !told.contains("hunter2"), "{told}");
    }
}
