//! Faults planted in the entries of a sound game: each must be found, and by the check that is meant to find it.

use crate::verify_core::{verdict, verdict_on};
use crate::verify_plant::*;
use crate::world::{player, team};
use std::collections::BTreeMap;
use waystone::cluster::shard::Shard;
use waystone::ids::{BadgeId, EntityId, QuestId};
use waystone::persist::Stored;
use waystone::quest::act::CommandId;
use waystone::quest::command::News;
use waystone::quest::definition::Give;
use waystone::quest::entry::Cause;
use waystone::quest::event::{Event, PlayerEvent, RegionEvent, TeamEvent};
use waystone::quest::notice::{Notice, What};

/// A fault: its name, the check that must find it, and how it is planted.
type Fault = (&'static str, &'static str, fn(&mut Log));

const STREAMS: &[Fault] = &[
    ("an entry is missing", "sequence", |log| {
        let at = log.iter().position(|stored| stored.entity == ada() && stored.entry.seq == 2).expect("there");
        log.remove(at);
    }),
    ("an entry is there twice", "sequence", |log| {
        let (at, _) = find(log, &fox(), s1);
        log.insert(at, log[at].clone());
    }),
    ("offsets have a hole", "offsets", |log| log.last_mut().expect("not empty").offset += 1),
    ("a fact is another kind's", "kind", |log| {
        let left = Event::Player(PlayerEvent::TeamLeft { team: team("fox") });
        change(log, &fox(), s1, |entry, _| entry.events.push(left.clone()));
    }),
    ("a command is taken twice", "cause", |log| {
        for _ in 0..2 {
            add(log, &ada(), |entry| {
                let cmd = CommandId::new("c1").expect("valid");
                entry.cause = Some(Cause::Client { player: player("ada"), cmd, fingerprint: 1 });
            });
        }
    }),
    ("a team is told something", "notices", |log| {
        let what = What::TeamLeft { team: team("fox") };
        change(log, &fox(), s1, |entry, _| entry.notices.push(Notice { at: entry.at, what: what.clone() }));
    }),
    ("someone enters twice", "presence", |log| {
        let entered = |event: &Event| matches!(event, Event::Region(RegionEvent::Entered { .. }));
        let at = log.iter().position(|stored| stored.entry.events.iter().any(entered)).expect("someone enters");
        let twin = log[at].entry.events[0].clone();
        log[at].entry.events.push(twin);
    }),
    ("a member joins twice", "member", |log| {
        let joined = team_fact(|fact| matches!(fact, TeamEvent::MemberJoined { .. }));
        change(log, &fox(), joined, |entry, at| entry.events.push(entry.events[at].clone()));
    }),
];

const LETTERS: &[Fault] = &[
    ("a letter was never heard", "lost", |log| {
        let at = log.iter().rposition(|stored| stored.entity == ada()).expect("ada has entries");
        log.remove(at);
    }),
    ("a letter is heard twice", "order", |log| {
        let cause = log.iter().rfind(|stored| stored.entity == ada()).and_then(|stored| stored.entry.cause.clone());
        add(log, &ada(), |entry| entry.cause = cause.clone());
    }),
    ("a letter is heard that nobody sent", "unsent", |log| {
        let at = log.iter().rposition(|stored| stored.entity == ada()).expect("ada has entries");
        let Some(Cause::Message(id)) = &mut log[at].entry.cause else { panic!("ada hears her team") };
        id.seq += 100;
    }),
    ("a letter goes to another", "unsent", |log| {
        change(log, &fox(), s1, |entry, _| entry.out[0].to = EntityId::Player(player("olga")));
    }),
    ("a member is not told", "untold", |log| change(log, &fox(), s1, |entry, _| drop(entry.out.remove(0)))),
    ("a letter says other points than the fact", "news", |log| {
        change(log, &fox(), s1, |entry, _| {
            for news in news_of(entry) {
                if let News::Completed { points, .. } = news {
                    *points += 1;
                }
            }
        });
    }),
    ("a badge is not told", "untold", |log| {
        let badge = team_fact(|fact| matches!(fact, TeamEvent::RewardGiven { give: Give::Badge(_), .. }));
        change(log, &fox(), badge, |entry, _| {
            for news in news_of(entry) {
                if let News::Reward { give: give @ Give::Badge(_), .. } = news {
                    *give = Give::Points(0);
                }
            }
        });
    }),
];

const AWARDS: &[Fault] = &[
    ("an award is given twice", "award", |log| {
        let (at, _) = find(log, &ada(), s1);
        let twin = log[at].entry.awards[0].clone();
        add(log, &ada(), |entry| entry.awards.push(twin.clone()));
    }),
    ("a fact lacks its award", "award", |log| change(log, &fox(), s1, |entry, _| entry.awards.clear())),
    ("a player has one point more", "credit", |log| change(log, &ada(), s1, add_points)),
    ("a player has points for what others did", "credit", |log| change(log, &ada(), s2, add_points)),
    ("a player's reward is one point more", "credit", |log| {
        let given = player_fact(|fact| matches!(fact, PlayerEvent::PointsGiven { .. }));
        change(log, &ada(), given, add_points);
    }),
    ("a credit is missing", "missing", |log| {
        change(log, &ada(), s1, |entry, at| {
            entry.events.remove(at);
            entry.awards.clear();
        });
    }),
    ("a credit is there twice", "undue", |log| {
        change(log, &ada(), s1, |entry, at| entry.events.push(entry.events[at].clone()));
    }),
    ("a credit comes from nowhere", "undue", |log| {
        let (at, event) = find(log, &ada(), s1);
        let twin = log[at].entry.events[event].clone();
        add(log, &ada(), |entry| entry.events.push(twin.clone()));
    }),
    ("a badge is given by nobody", "undue", |log| {
        change(log, &ada(), s1, |entry, _| {
            let badge = BadgeId::new("hero").expect("valid");
            entry.awards.push("small@1#1:badge:hero".to_owned());
            let quest = QuestId::new("small").expect("valid");
            entry.events.push(Event::Player(PlayerEvent::BadgeGiven { quest, badge }));
        });
    }),
    ("a badge is missing", "missing", |log| {
        let badge = player_fact(|fact| matches!(fact, PlayerEvent::BadgeGiven { .. }));
        change(log, &ada(), badge, |entry, at| {
            entry.events.remove(at);
            entry.awards.retain(|award| !award.ends_with("badge:walker"));
        });
    }),
];

const TEAMS: &[Fault] = &[
    ("a team has one point more", "points", |log| change(log, &fox(), s1, add_points)),
    ("a team's reward is one point more", "points", |log| {
        let given = team_fact(|fact| matches!(fact, TeamEvent::RewardGiven { reward: 1, .. }));
        change(log, &fox(), given, add_points);
    }),
    ("a consolation is one point more", "points", |log| {
        change(log, &owl(), team_fact(|fact| matches!(fact, TeamEvent::RewardGone { .. })), add_points);
    }),
    ("a hint cost less", "points", |log| {
        change(log, &fox(), team_fact(|fact| matches!(fact, TeamEvent::HintTaken { .. })), |entry, at| {
            if let Event::Team(TeamEvent::HintTaken { cost, .. }) = &mut entry.events[at] {
                *cost -= 1;
            }
        });
    }),
    ("another option was chosen", "points", |log| {
        change(log, &fox(), s2, |entry, at| {
            if let Event::Team(TeamEvent::StepCompleted { choice, .. }) = &mut entry.events[at] {
                *choice = Some("west".to_owned());
            }
        });
    }),
    ("a step is done by one who is no member", "by", |log| {
        change(log, &fox(), s1, |entry, at| {
            if let Event::Team(TeamEvent::StepCompleted { by, .. }) = &mut entry.events[at] {
                by.push(player("olga"));
            }
        });
    }),
    ("a step is done by one who was not there", "by", |log| {
        let reached = team_fact(|fact| matches!(fact, TeamEvent::MemberReached { .. }));
        change(log, &fox(), reached, |entry, at| drop(entry.events.remove(at)));
    }),
    ("a step is done by nobody", "by", |log| {
        change(log, &fox(), s1, |entry, at| {
            if let Event::Team(TeamEvent::StepCompleted { by, .. }) = &mut entry.events[at] {
                by.clear();
            }
        });
    }),
    ("a step is done twice", "progress", |log| {
        change(log, &fox(), s1, |entry, at| entry.events.push(entry.events[at].clone()));
    }),
    ("a step is done unopened", "progress", |log| {
        let opened = team_fact(|fact| matches!(fact, TeamEvent::StepOpened { .. }));
        change(log, &fox(), opened, |entry, at| drop(entry.events.remove(at)));
    }),
    ("a run is finished too early", "progress", |log| {
        let ended = TeamEvent::RunEnded { quest: QuestId::new("small").expect("valid"), reason: None };
        change(log, &fox(), s1, |entry, _| entry.events.push(Event::Team(ended.clone())));
    }),
    ("a reward is given before the end", "reward", |log| {
        let (at, event) = find(log, &fox(), team_fact(|fact| matches!(fact, TeamEvent::RewardGiven { .. })));
        let given = log[at].entry.events[event].clone();
        change(log, &fox(), s1, |entry, _| entry.events.push(given.clone()));
    }),
    ("a reward is another than promised", "reward", |log| {
        let given = team_fact(|fact| matches!(fact, TeamEvent::RewardGiven { reward: 0, .. }));
        change(log, &fox(), given, |entry, at| {
            if let Event::Team(TeamEvent::RewardGiven { give, .. }) = &mut entry.events[at] {
                *give = Give::Badge(BadgeId::new("hero").expect("valid"));
            }
        });
    }),
];

fn stock_given(event: &Event) -> bool {
    matches!(event, Event::Region(RegionEvent::StockGiven { .. }))
}

const STOCK: &[Fault] = &[
    ("stock is oversold", "stock", |log| {
        let (at, event) = find(log, &area(), stock_given);
        let mut twin = log[at].entry.events[event].clone();
        if let Event::Region(RegionEvent::StockGiven { team: to, number, .. }) = &mut twin {
            (*to, *number) = (team("owl"), 2);
        }
        add(log, &area(), |entry| {
            entry.events.push(twin.clone());
            entry.awards.push("stock:3:owl".to_owned());
        });
    }),
    ("stock is given twice to one", "stock", |log| {
        change(log, &area(), stock_given, |entry, at| entry.events.push(entry.events[at].clone()));
    }),
    ("a number is skipped", "stock", |log| {
        change(log, &area(), stock_given, |entry, at| {
            if let Event::Region(RegionEvent::StockGiven { number, .. }) = &mut entry.events[at] {
                *number += 1;
            }
        });
    }),
    ("a team has a number that it was not given", "stock", |log| {
        let given = team_fact(|fact| matches!(fact, TeamEvent::RewardGiven { number: Some(_), .. }));
        change(log, &fox(), given, |entry, at| {
            if let Event::Team(TeamEvent::RewardGiven { number, .. }) = &mut entry.events[at] {
                *number = Some(2);
            }
        });
    }),
    ("a team that came too late has a ticket", "stock", |log| {
        change(log, &owl(), team_fact(|fact| matches!(fact, TeamEvent::RewardGone { .. })), |entry, at| {
            let (quest, give) = (QuestId::new("small").expect("valid"), Give::CodePool("tickets".to_owned()));
            let given = TeamEvent::RewardGiven { quest, reward: 3, give, points: 0, number: Some(1) };
            entry.events[at] = Event::Team(given);
        });
    }),
];

#[test]
fn sound_game_is_found_sound() {
    let world = game();
    let verdict = verdict(&world.log, &world.catalog, u64::MAX);
    assert!(verdict.is_clean() && verdict.pending == 0, "{}", verdict.render());
    world.check();
}

#[test]
fn every_planted_fault_is_found() {
    let world = game();
    let all = [STREAMS, LETTERS, AWARDS, TEAMS, STOCK];
    let faults: Vec<&Fault> = all.into_iter().flatten().collect();
    assert!(faults.len() >= 40);
    for (name, check, plant) in faults {
        let mut log = world.log.clone();
        plant(&mut log);
        let verdict = verdict(&log, &world.catalog, u64::MAX);
        let found: Vec<&str> = verdict.differences.iter().map(|difference| difference.check).collect();
        assert!(found.contains(check), "{name}: {check} is not among {found:?}\n{}", verdict.render());
    }
}

#[test]
fn entry_in_another_shard_is_found() {
    let world = game();
    let mut shards: BTreeMap<Shard, Vec<&Stored>> = BTreeMap::new();
    for stored in &world.log {
        let number = if stored.entity == ada() { 0 } else { Shard::of(&stored.entity).number() };
        shards.entry(Shard::from_number(number).expect("a shard")).or_default().push(stored);
    }
    let verdict = verdict_on(shards, &world.catalog, u64::MAX, None);
    assert!(verdict.differences.iter().any(|difference| difference.check == "shard"));
}

#[test]
fn letter_that_was_overtaken_is_lost_even_while_it_is_not_acknowledged() {
    let world = game();
    let mut log = world.log.clone();
    // The entry that heard it stays, but as if something else had set it off.
    let (at, _) = find(&log, &ada(), s1);
    log[at].entry.cause = None;
    let verdict = verdict(&log, &world.catalog, 0);
    assert!(verdict.differences.iter().any(|difference| difference.check == "lost"), "{}", verdict.render());
}
