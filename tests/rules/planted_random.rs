//! Lies planted anywhere in the histories of random games: whatever the game, a lie of these kinds never passes.

use crate::phones::Phones;
use crate::planted::Case;
use crate::rng::{Rng, for_each_seed};
use crate::throng;
use serde_json::{Value, json};
use waystone::cluster::shard::Shard;
use waystone::ids::PlayerId;
use waystone::quest::act::CommandId;
use waystone::quest::entry::{Cause, Entry};
use waystone::quest::event::{Event, PlayerEvent, TeamEvent};
use waystone::verify::history::{Did, Line, Outcome};

/// A kind of lie: its name, and how it is told at a place that the number chooses; false if there is no such place.
type Lie = (&'static str, fn(&mut Case, &mut Rng) -> bool);

const LIES: &[Lie] = &[
    ("a notice that is not its client's last is left out", |case, rng| {
        let at = case.places(|did| matches!(did, Did::Told(_)));
        let Some(at) = some(rng, &at).filter(|at| case.is_followed(*at)) else { return false };
        case.lines.remove(at);
        true
    }),
    ("a notice is told twice", |case, rng| {
        let at = case.places(|did| matches!(did, Did::Told(_)));
        some(rng, &at).is_some_and(|at| {
            case.lines.insert(at, case.lines[at].clone());
            true
        })
    }),
    ("a notice has another content", |case, rng| {
        let at = case.places(|did| matches!(did, Did::Told(_)));
        some(rng, &at).is_some_and(|at| {
            case.notice(at).notice["at"] = json!(1);
            true
        })
    }),
    ("a state has other points", |case, rng| {
        let at = case.places(|did| matches!(did, Did::State(_)));
        some(rng, &at).is_some_and(|at| {
            case.state(at).points += 1;
            true
        })
    }),
    ("a team is seen with a stranger", |case, rng| {
        let at = case.places(|did| matches!(did, Did::State(state) if state.team.is_some()));
        some(rng, &at).is_some_and(|at| {
            let stranger = crate::world::player("stranger");
            case.state(at).team.as_mut().expect("it is seen").members.insert(stranger)
        })
    }),
    ("a board shows points that were never made", |case, rng| {
        let at = case.places(|did| matches!(did, Did::Board(board) if !board.rows.is_empty()));
        some(rng, &at).is_some_and(|at| {
            let Did::Board(board) = &mut case.lines[at].what else { unreachable!() };
            board.rows[0].points += 1_000_003;
            true
        })
    }),
    ("a command that was done is said to be refused", |case, rng| {
        let at = case.places(|did| matches!(did, Did::Answered(answered) if is_done(&answered.outcome)));
        let Some(at) = some(rng, &at).filter(|at| case.is_only_try(*at)) else { return false };
        *case.outcome(at) = Outcome::Refused(1201);
        true
    }),
    ("a command is answered otherwise", |case, rng| {
        let at = case.places(|did| matches!(did, Did::Answered(answered) if is_done(&answered.outcome)));
        let Some(at) = some(rng, &at).filter(|at| case.is_only_try(*at)) else { return false };
        *case.outcome(at) = Outcome::Done(json!({ "lie": true }));
        true
    }),
    ("an entry is missing", |case, rng| {
        let at = rng.below(case.log.len());
        case.log.remove(at);
        true
    }),
    ("an entry is written twice", |case, rng| {
        let at = rng.below(case.log.len());
        case.log.insert(at, case.log[at].clone());
        true
    }),
    ("a command that was answered is done by nobody", |case, rng| {
        let at = case.places(|did| matches!(did, Did::Answered(answered) if is_done(&answered.outcome)));
        let command = some(rng, &at).and_then(|at| case.command(at));
        // Others may find that there is nothing to do.
        let Some((player, cmd, _)) = command.filter(|(.., method)| SURE.contains(&method.as_str())) else {
            return false;
        };
        let its = case.log.iter_mut().find(|stored| is_of(&stored.entry.cause, &player, &cmd));
        its.is_some_and(|stored| stored.entry.cause.take().is_some())
    }),
    ("a player has a point more", |case, rng| {
        change(case, rng, |event| match event {
            Event::Player(PlayerEvent::StepCompleted { points, .. } | PlayerEvent::PointsGiven { points, .. }) => {
                *points += 1;
                true
            }
            _ => false,
        })
    }),
    ("a team has a point more", |case, rng| {
        change(case, rng, |event| match event {
            Event::Team(TeamEvent::StepCompleted { points, .. } | TeamEvent::RewardGiven { points, .. }) => {
                *points += 1;
                true
            }
            _ => false,
        })
    }),
    ("a step is counted for another member", |case, rng| {
        change(case, rng, |event| match event {
            Event::Team(TeamEvent::MemberReached { player, .. }) => {
                *player = crate::world::player(if player.as_str() == "p0" { "p1" } else { "p0" });
                true
            }
            _ => false,
        })
    }),
    ("a part is dropped", |case, rng| {
        let reached = |event: &Event| matches!(event, Event::Team(TeamEvent::MemberReached { .. }));
        let at: Vec<usize> = case.entries_with(reached);
        some(rng, &at).is_some_and(|at| {
            case.log[at].entry.events.retain(|event| !reached(event));
            true
        })
    }),
    ("a member leaves without a word", |case, rng| {
        let left = |event: &Event| matches!(event, Event::Team(TeamEvent::MemberLeft { .. }));
        let at: Vec<usize> = case.entries_with(left);
        some(rng, &at).is_some_and(|at| {
            case.log[at].entry.events.retain(|event| !left(event));
            true
        })
    }),
    ("an epoch falls", |case, rng| {
        let at = rng.below(case.log.len());
        case.log[at].epoch += 1_000;
        let (shard, offset) = (Shard::of(&case.log[at].entity), case.log[at].offset);
        case.log.iter().any(|later| Shard::of(&later.entity) == shard && later.offset > offset)
    }),
];

/// Commands that never find nothing to do.
const SURE: [&str; 7] =
    ["quest.start", "quest.answer", "quest.scan", "quest.choose", "quest.photo", "team.create", "team.say"];

fn is_done(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Done(reply) if reply["accepted"].is_null())
}

fn is_of(cause: &Option<Cause>, who: &PlayerId, which: &CommandId) -> bool {
    matches!(cause, Some(Cause::Client { player, cmd, .. }) if player == who && cmd == which)
}

fn some(rng: &mut Rng, places: &[usize]) -> Option<usize> {
    (!places.is_empty()).then(|| *rng.pick(places))
}

/// Changes one fact, somewhere.
fn change(case: &mut Case, rng: &mut Rng, by: fn(&mut Event) -> bool) -> bool {
    let at = case.entries_with(|event| by(&mut event.clone()));
    some(rng, &at).is_some_and(|at| case.log[at].entry.events.iter_mut().any(by))
}

impl Case {
    fn of(phones: Phones) -> Self {
        let lines =
            phones.history().lines().skip(1).map(|line| serde_json::from_str(line).expect("a line")).collect();
        Self { log: phones.world.log, lines, catalog: phones.world.catalog }
    }

    fn places(&self, meant: impl Fn(&Did) -> bool) -> Vec<usize> {
        (0..self.lines.len()).filter(|at| meant(&self.lines[*at].what)).collect()
    }

    /// Whether the same connection is told of something after a line.
    fn is_followed(&self, at: usize) -> bool {
        let (player, device) = (&self.lines[at].player, self.lines[at].device);
        let of = |line: &&Line| line.player == *player && line.device == device;
        let mut rest = self.lines[at + 1..].iter().filter(of);
        let next = rest.find(|line| matches!(line.what, Did::Told(_) | Did::Disconnected(_) | Did::Settled));
        next.is_some_and(|line| matches!(line.what, Did::Told(_) | Did::Settled))
    }

    /// The command that a line answers.
    fn command(&self, at: usize) -> Option<(PlayerId, CommandId, String)> {
        let (line, Did::Answered(answered)) = (&self.lines[at], &self.lines[at].what) else { return None };
        self.lines.iter().find_map(|other| match &other.what {
            Did::Asked(asked)
                if asked.request == answered.request
                    && other.player == line.player
                    && other.device == line.device =>
            {
                Some((line.player.clone(), asked.cmd.clone()?, asked.method.clone()))
            }
            _ => None,
        })
    }

    /// Whether the command that a line answers was tried once only, and has an entry.
    fn is_only_try(&self, at: usize) -> bool {
        let Some((player, cmd, _)) = self.command(at) else { return false };
        let its = |line: &&Line| {
            line.player == player && matches!(&line.what, Did::Asked(asked) if asked.cmd.as_ref() == Some(&cmd))
        };
        let tries = self.lines.iter().filter(its).count();
        tries == 1 && self.log.iter().any(|stored| is_of(&stored.entry.cause, &player, &cmd))
    }

    fn entries_with(&self, fact: impl Fn(&Event) -> bool) -> Vec<usize> {
        (0..self.log.len()).filter(|at| self.log[*at].entry.events.iter().any(&fact)).collect()
    }
}

#[test]
fn lies_in_random_games_are_found() {
    for_each_seed(20, "lies_in_random", |seed| {
        let sound = Case::of(throng::play(1_000 + seed));
        let mut rng = Rng::new(seed);
        for (name, lie) in LIES {
            let mut case = sound.clone();
            if lie(&mut case, &mut rng) {
                assert!(!case.verdict().is_clean(), "nobody sees that {name}");
            }
        }
    });
}

/// What a fact, a command or a notice is called.
fn name(of: &impl serde::Serialize) -> String {
    let value = serde_json::to_value(of).expect("plain data");
    if let Some(kind) = value["type"].as_str() {
        return kind.to_owned();
    }
    let within = |value: &Value| {
        value.as_object().and_then(|object| object.iter().next()).map(|(k, v)| (k.clone(), v.clone()))
    };
    let (kind, inner) = within(&value).unwrap_or_default();
    format!("{kind}.{}", within(&inner).map_or_else(|| inner.to_string(), |(kind, _)| kind))
}

/// Drops or doubles something of an entry; says what, or that there is nothing.
fn tear(entry: &mut Entry, rng: &mut Rng) -> Option<String> {
    let kind = rng.below(5);
    let length =
        [entry.events.len(), entry.events.len(), entry.out.len(), entry.notices.len(), entry.notices.len()][kind];
    let at = (length > 0).then(|| rng.below(length))?;
    Some(match kind {
        0 => format!("the fact {} is dropped", name(&entry.events.remove(at))),
        1 => {
            entry.events.insert(at, entry.events[at].clone());
            format!("the fact {} is doubled", name(&entry.events[at]))
        }
        2 => format!("the letter {} is dropped", name(&entry.out.remove(at).command)),
        3 => format!("the notice {} is dropped", name(&entry.notices.remove(at))),
        _ => {
            entry.notices.insert(at, entry.notices[at].clone());
            format!("the notice {} is doubled", name(&entry.notices[at]))
        }
    })
}

#[test]
fn whatever_is_dropped_or_doubled_in_an_entry_is_found() {
    for_each_seed(12, "whatever_is_dropped", |seed| {
        let sound = Case::of(throng::play(2_000 + seed));
        let mut rng = Rng::new(seed);
        for _ in 0..40 {
            let mut case = sound.clone();
            let at = rng.below(case.log.len());
            let Some(what) = tear(&mut case.log[at].entry, &mut rng) else { continue };
            // Nothing follows from these but what a client sees of itself.
            let harmless = ["player.shared", "player.profile_set"].iter().any(|name| what.contains(name));
            assert!(harmless || !case.verdict().is_clean(), "nobody sees that {what}");
        }
    });
}
