//! Faults planted in the journal beside the history of a sound game: what was lost, invented or written by two.

use crate::planted::*;
use crate::verify_plant::{Log, ada, add, add_points, area, change, find, player_fact, s1, team_fact};
use crate::world::player;
use serde_json::json;
use waystone::cluster::shard::Shard;
use waystone::ids::EntityId;
use waystone::persist::Stored;
use waystone::quest::entry::Cause;
use waystone::quest::event::{Event, PlayerEvent, RegionEvent, TeamEvent};
use waystone::quest::notice::What;

fn fox(case: &Case) -> EntityId {
    EntityId::Team(teams(case)[0].clone())
}

fn owl(case: &Case) -> EntityId {
    EntityId::Team(teams(case)[1].clone())
}

/// The entry of a client's command.
fn of_command<'a>(case: &'a mut Case, who: &str, method: &str) -> &'a mut Stored {
    let wanted = case.cmd(who, method);
    let found = case.log.iter_mut().find(|stored| {
        matches!(&stored.entry.cause, Some(Cause::Client { player: of, cmd, .. })
            if *of == player(who) && *cmd == wanted)
    });
    found.expect("the command has an entry")
}

/// Takes out an entry, as if it had never been written.
fn forget(log: &mut Log, at: usize) {
    let lost = log.remove(at);
    for stored in log.iter_mut().filter(|stored| Shard::of(&stored.entity) == Shard::of(&lost.entity)) {
        stored.offset -= u64::from(stored.offset > lost.offset);
    }
    for stored in log.iter_mut().filter(|stored| stored.entity == lost.entity) {
        stored.entry.seq -= u64::from(stored.entry.seq > lost.entry.seq);
    }
}

fn reached(event: &Event) -> bool {
    matches!(event, Event::Team(TeamEvent::MemberReached { .. }))
}

fn stock_given(event: &Event) -> bool {
    matches!(event, Event::Region(RegionEvent::StockGiven { .. }))
}

/// The entries of one shard, in order.
fn of_shard<'a>(log: &'a mut Log, id: &EntityId) -> Vec<&'a mut Stored> {
    log.iter_mut().filter(|stored| Shard::of(&stored.entity) == Shard::of(id)).collect()
}

pub const JOURNAL: &[Fault] = &[
    ("an acknowledged command has lost its entry", "acknowledged", |case| {
        let lost = of_command(case, "bo", "team.share").clone();
        let at =
            case.log.iter().position(|stored| (&stored.entity, stored.entry.seq) == (&lost.entity, lost.entry.seq));
        forget(&mut case.log, at.expect("it is there"));
    }),
    ("an acknowledged command is done by nobody", "acknowledged", |case| {
        of_command(case, "bo", "quest.choose").entry.cause = None;
    }),
    ("an entry has another answer than was given", "reply", |case| {
        of_command(case, "ada", "quest.hint").entry.reply = Some(json!({ "cost": 0 }));
    }),
    ("an entry is of another content", "content", |case| {
        if let Some(Cause::Client { fingerprint, .. }) = &mut of_command(case, "ada", "quest.start").entry.cause {
            *fingerprint += 1;
        }
    }),
    ("a command is done at two entities", "twice", |case| {
        let cause = of_command(case, "bo", "team.share").entry.cause.clone();
        let owl = owl(case);
        add(&mut case.log, &owl, |entry| entry.cause = cause.clone());
    }),
    ("a command without an outcome is done twice", "twice", |case| {
        let cause = of_command(case, "bo", "team.say").entry.cause.clone();
        let fox = fox(case);
        add(&mut case.log, &fox, |entry| entry.cause = cause.clone());
    }),
    ("a refused command has an entry", "refused", |case| {
        let (player, cmd) = (player("ada"), case.cmd("ada", "quest.scan"));
        add(&mut case.log, &ada(), |entry| {
            entry.cause = Some(Cause::Client { player: player.clone(), cmd: cmd.clone(), fingerprint: 1 });
        });
    }),
    ("a notice that was told is lost", "told", |case| {
        let at = case.log.iter().position(|stored| stored.entity == ada() && stored.entry.notices.len() > 1);
        case.log[at.expect("she is told several things at once")].entry.notices.remove(0);
    }),
    ("the last entry that was told of is lost", "phantom", |case| {
        let at = case.log.iter().rposition(|stored| stored.entity == ada() && !stored.entry.notices.is_empty());
        case.log.remove(at.expect("she is told something"));
    }),
    ("a player has lost all", "phantom", |case| case.log.retain(|stored| stored.entity != ada())),
    ("an award is given twice", "award", |case| {
        let (at, _) = find(&case.log, &ada(), s1);
        let twin = case.log[at].entry.awards[0].clone();
        add(&mut case.log, &ada(), |entry| entry.awards.push(twin.clone()));
    }),
    ("a code more is given than there are", "stock", |case| {
        let (at, event) = find(&case.log, &area(), stock_given);
        let (mut twin, [_, owl]) = (case.log[at].entry.events[event].clone(), teams(case));
        if let Event::Region(RegionEvent::StockGiven { team, number, .. }) = &mut twin {
            (*team, *number) = (owl, 2);
        }
        add(&mut case.log, &area(), |entry| entry.events.push(twin.clone()));
    }),
    ("a team is refused a code that there is", "stock", |case| {
        let [_, owl] = teams(case);
        change(&mut case.log, &area(), stock_given, |entry, at| {
            let refused = RegionEvent::StockRefused { reward: "3".to_owned(), team: owl.clone() };
            entry.events.insert(at, Event::Region(refused));
        });
    }),
    ("a player enters where it is", "presence", |case| {
        let entered = player_fact(|fact| matches!(fact, PlayerEvent::Entered { .. }));
        change(&mut case.log, &ada(), entered, |entry, at| entry.events.push(entry.events[at].clone()));
    }),
    ("two teams get one code", "stock", |case| {
        let (at, event) = find(&case.log, &area(), stock_given);
        let (mut twin, [_, owl]) = (case.log[at].entry.events[event].clone(), teams(case));
        if let Event::Region(RegionEvent::StockGiven { team, .. }) = &mut twin {
            *team = owl;
        }
        add(&mut case.log, &area(), |entry| entry.events.push(twin.clone()));
    }),
    ("a player is told of another code", "undue", |case| {
        let at = case.told("ada", "code.given");
        (case.notice(at).notice["number"], case.notice(at).notice["code"]) = (json!(2), json!("TICKETS-0002"));
        let notices = case.log.iter_mut().filter(|stored| stored.entity == ada());
        for notice in notices.flat_map(|stored| &mut stored.entry.notices) {
            if let What::CodeGiven { number, code, .. } = &mut notice.what {
                (*number, *code) = (2, "TICKETS-0002".to_owned());
            }
        }
    }),
    ("a notice tells of other points than its fact", "notice", |case| {
        let at = case.told("ada", "step.completed");
        case.notice(at).notice["points"] = json!(99);
        let notices = case.log.iter_mut().filter(|stored| stored.entity == ada());
        for notice in notices.flat_map(|stored| &mut stored.entry.notices) {
            if let What::StepCompleted { points, mine: true, .. } = &mut notice.what {
                *points = 99;
            }
        }
    }),
    ("points come from nowhere", "credit", |case| change(&mut case.log, &ada(), s1, add_points)),
    ("a step is counted for one who is no member", "union", |case| {
        let fox = fox(case);
        change(&mut case.log, &fox, reached, |entry, at| {
            if let Event::Team(TeamEvent::MemberReached { player: of, .. }) = &mut entry.events[at] {
                *of = player("olga");
            }
        });
    }),
    ("a step is counted for a member who has left", "union", |case| {
        let (fox, quest) = (fox(case), waystone::ids::QuestId::new("small").expect("valid"));
        add(&mut case.log, &fox, |entry| {
            let (left, step) = (player("bo"), crate::world_act::step("s1"));
            entry.events.push(Event::Team(TeamEvent::MemberLeft { player: left.clone() }));
            entry.events.push(Event::Team(TeamEvent::MemberReached { quest: quest.clone(), step, player: left }));
        });
    }),
    ("a member's part is not counted", "union", |case| {
        let fox = fox(case);
        change(&mut case.log, &fox, reached, |entry, at| drop(entry.events.remove(at)));
    }),
    ("another step is counted than was done", "union", |case| {
        let fox = fox(case);
        change(&mut case.log, &fox, reached, |entry, at| {
            if let Event::Team(TeamEvent::MemberReached { step, .. }) = &mut entry.events[at] {
                *step = crate::world_act::step("s2");
            }
        });
    }),
    ("a member claims what it has not done", "union", |case| {
        let done = player_fact(|fact| matches!(fact, PlayerEvent::StepReached { .. }));
        change(&mut case.log, &ada(), done, |entry, at| drop(entry.events.remove(at)));
    }),
    ("a step is done by too few", "union", |case| {
        let fox = fox(case);
        change(&mut case.log, &fox, s1, |entry, at| {
            if let Event::Team(TeamEvent::StepCompleted { by, .. }) = &mut entry.events[at] {
                by.truncate(1);
            }
        });
    }),
    ("a step that enough have done is not done", "union", |case| {
        let fox = fox(case);
        change(&mut case.log, &fox, s1, |entry, at| drop(entry.events.remove(at)));
    }),
    ("a run that nobody started", "run", |case| {
        let (fox, started) = (fox(case), team_fact(|fact| matches!(fact, TeamEvent::RunStarted { .. })));
        change(&mut case.log, &fox, started, |entry, at| drop(entry.events.remove(at)));
    }),
    ("an epoch falls", "epoch", |case| {
        let mut entries = of_shard(&mut case.log, &ada());
        entries[0].epoch = 2;
    }),
    ("two owners of a shard write in turn", "epoch", |case| {
        let entries = of_shard(&mut case.log, &ada());
        entries.into_iter().zip([1, 2].into_iter().cycle()).for_each(|(stored, epoch)| stored.epoch = epoch);
    }),
    ("an entry was written by no owner", "epoch", |case| {
        of_shard(&mut case.log, &ada()).into_iter().for_each(|stored| stored.epoch = 0);
    }),
    ("two writers of one epoch write in turn", "writer", |case| {
        let of_ada: Vec<usize> = (0..case.log.len()).filter(|at| case.log[*at].entity == ada()).collect();
        let [first, second] = [of_ada[1], of_ada[2]];
        case.log[second].entry.seq = case.log[first].entry.seq;
    }),
    ("an entity's events have a hole", "sequence", |case| {
        let at = case.log.iter().position(|stored| stored.entity == ada() && stored.entry.seq == 3);
        case.log.remove(at.expect("it has three"));
    }),
    ("an entry is written beyond the shard's head", "offsets", |case| {
        case.log.iter_mut().rfind(|stored| stored.entity == ada()).expect("it has entries").offset += 1;
    }),
];

#[test]
fn entry_of_a_later_epoch_than_its_shard_is_found() {
    let case = Case::sound();
    let shard = Shard::of(&ada());
    let mut check = waystone::verify::Check::new(&case.catalog);
    for stored in case.log.iter().filter(|stored| Shard::of(&stored.entity) == shard) {
        check.take(shard, stored);
    }
    check.owned_in(shard, 0);
    check.end_of_shard(shard, u64::MAX);
    let verdict = check.finish();
    let found = verdict.differences.iter().any(|difference| difference.check == "epoch");
    assert!(found, "{}", verdict.render());
}
