//! Rounds over a real Redis: what is put, put again, and put right. `WAYSTONE_TEAMS=100000 cargo test --lib
//! actors::exchange -- --nocapture` says what a large board takes.

use super::*;
use crate::actors::cards::TeamCard;
use crate::clock::Clock;
use crate::cluster::member::{Identity, Protocols};
use crate::persist::Journal as _;
use crate::persist::commons::{BoardRow, RedisUrl};
use crate::persist::memory::{MemoryJournal, MemoryMembers};
use waystone_kit::Redis;

/// Rounds in which all teams have their turn again: two thousand take five with the default.
const ROUNDS: usize = 12;

struct Bench {
    redis: Redis,
    node: Arc<Node>,
    exchange: Exchange,
    prefix: String,
}

/// A node with a board of its own, and nobody else.
async fn bench() -> Bench {
    let redis = Redis::start().expect("a private Redis");
    let journal = MemoryJournal::new();
    let identity =
        Identity { name: "a".to_owned(), address: "a".to_owned(), protocols: Protocols { min: 1, max: 1 } };
    let members = MemoryMembers::join(&journal, identity).await.expect("the name is free");
    let url = RedisUrl::new(&redis.url()).expect("a URL");
    let commons = Commons::new(url, journal.id(), members.me().clone());
    let prefix = format!("waystone:{}:", journal.id());
    let node = Arc::new(Node::new(Clock::system(), Arc::new(journal), World::default(), members.me().clone()));
    let exchange = Exchange::new(commons, members, &node, Arc::default());
    Bench { redis, node, exchange, prefix }
}

fn team(number: usize) -> TeamId {
    TeamId::new(format!("team{number:07}")).expect("an id")
}

impl Bench {
    /// A team has so many points.
    fn stands(&self, number: usize, points: i64) {
        let quest = QuestId::new("q").expect("an id");
        let row = BoardRow { team: team(number), name: format!("The {number}"), points };
        let put = TeamPut { row, quest: Some(quest.clone()), others: Vec::new() };
        let mut board = self.node.overview.lock();
        let card = TeamCard {
            id: team(number),
            name: format!("The {number}"),
            members: Vec::new(),
            quest: Some(quest),
            others: Vec::new(),
            points,
            done: Vec::new(),
            open: Vec::new(),
            finished: false,
        };
        board.teams.insert(team(number), card);
        // It counts as not told yet.
        board.give_back(vec![put]);
    }

    fn word(&self, words: &[&str]) -> String {
        let keyed: Vec<String> = words.iter().map(|word| word.replace('@', &self.prefix)).collect();
        self.redis.command(&keyed.iter().map(String::as_str).collect::<Vec<_>>()).expect("answered")
    }

    /// Goes round until all is in; on a busy machine a call may come too late. How many rounds, and how long.
    async fn until_whole(&mut self) -> (usize, Duration) {
        let mut taken = Duration::ZERO;
        for round in 1..200 {
            let begun = Instant::now();
            if let Err(trouble) = self.exchange.round().await {
                println!("{trouble}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            taken += begun.elapsed();
            let mark = self.word(&["GET", "@mark"]);
            if !mark.is_empty() && self.word(&["GET", &format!("@whole:{}", self.exchange.commons.me())]) == mark {
                return (round, taken);
            }
        }
        panic!("all was to be told");
    }

    fn score(&self, number: usize) -> String {
        self.word(&["ZSCORE", "@board:q", team(number).as_str()])
    }
}

#[expect(clippy::disallowed_methods, reason = "how large a test is is no setting of a server")]
fn count() -> usize {
    std::env::var("WAYSTONE_TEAMS").map_or(2_000, |text| text.parse().expect("a number"))
}

#[tokio::test]
async fn boards_are_told_again_until_they_are_right() {
    let count = count();
    let mut bench = bench().await;
    (0..count).for_each(|number| bench.stands(number, number as i64));
    let (rounds, took) = bench.until_whole().await;
    println!("{count} teams told in {rounds} rounds, {took:?} of work");
    assert_eq!(bench.word(&["ZCARD", "@board:q"]), count.to_string());
    assert_eq!(bench.score(7), "-7");

    bench.word(&["FLUSHALL"]);
    let (rounds, took) = bench.until_whole().await;
    println!("{count} teams told anew in {rounds} rounds, {took:?} of work");
    assert_eq!(bench.word(&["ZCARD", "@board:q"]), count.to_string());
    assert!(rounds <= count / TEAMS_MAX + 2, "{rounds} rounds for {count} teams");

    let begun = Instant::now();
    for round in 0..10 {
        (0..1_000).for_each(|number| bench.stands(number * (count / 1_000).max(1) % count, round));
        bench.until_whole().await;
    }
    println!("1,000 changes a round: {:?} a round", begun.elapsed() / 10);
    println!(
        "{}",
        bench.word(&["INFO", "memory"]).lines().find(|line| line.starts_with("used_memory_human")).expect("so")
    );

    // What spoils a row does not last: a command that was late, an owner that was stopped.
    if count <= 2_000 {
        bench.word(&["ZADD", "@board:q", "999", team(7).as_str()]);
        bench.word(&["ZREM", "@board:q", team(1_900).as_str()]);
        for _ in 0..ROUNDS {
            bench.until_whole().await;
        }
        assert_eq!((bench.score(7).as_str(), bench.score(1_900).as_str()), ("-7", "-9"));
    }
}

#[tokio::test]
async fn nothing_is_called_whole_while_teams_are_read() {
    let mut bench = bench().await;
    bench.stands(1, 5);
    let reading = bench.node.overview.show();
    let whole = |bench: &Bench| bench.word(&["EXISTS", &format!("@whole:{}", bench.exchange.commons.me())]);
    for _ in 0..3 {
        // One that fails on a busy machine says it no more than one that does not.
        bench.exchange.round().await.unwrap_or_default();
    }
    assert_eq!(whole(&bench), "0");
    drop(reading);
    bench.until_whole().await;
    assert_eq!(whole(&bench), "1");
}
