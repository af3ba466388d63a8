//! What a team's letters say to its members is what its facts say, and everyone who is owed something is told.

use crate::ids::{EntityId, PlayerId};
use crate::quest::command::{Command, News, PlayerCommand};
use crate::quest::definition::Give;
use crate::quest::entry::{Entry, Outgoing};
use crate::quest::event::{Event, TeamEvent};
use crate::verify::letters::Due;
use crate::verify::team::Brought;
use crate::verify::verdict::Verdict;

/// Where a difference is to be noted.
pub(super) struct Place<'a> {
    pub id: &'a EntityId,
    pub seq: u64,
    pub verdict: &'a mut Verdict,
}

impl Place<'_> {
    pub fn differ(&mut self, check: &'static str, message: String) {
        self.verdict.differ(self.id, self.seq, check, message);
    }
}

/// Letters must say what the facts say.
pub(super) fn check_news(entry: &Entry, brought: &Brought, place: &mut Place<'_>) {
    for outgoing in &entry.out {
        let Command::Player(PlayerCommand::News { items, .. }) = &outgoing.command else { continue };
        for news in items {
            if !entry.events.iter().any(|event| is_backed(news, &outgoing.to, event)) {
                place.differ("news", format!("{} is told what no fact says: {}", outgoing.to, name_of(news)));
            }
        }
    }
    for event in &entry.events {
        let Event::Team(TeamEvent::MemberLeft { player }) = event else { continue };
        let left = |outgoing: &&Outgoing| {
            outgoing.to == EntityId::Player(player.clone())
                && matches!(&outgoing.command, Command::Player(PlayerCommand::News { items, .. })
                    if items.contains(&News::Left))
        };
        if !entry.out.iter().any(|outgoing| left(&outgoing)) {
            place.differ("untold", format!("{player} is not told that it is no member any more"));
        }
    }
    for (to, due) in &brought.due {
        let told =
            entry.out.iter().filter(|outgoing| outgoing.to == *to).any(|outgoing| tells(&outgoing.command, due));
        if !told {
            place.differ("untold", format!("{to} is not told of {}", due.key));
        }
    }
}

/// Whether a letter tells of something owed.
fn tells(command: &Command, due: &Due) -> bool {
    let Command::Player(PlayerCommand::News { items, .. }) = command else { return false };
    items.iter().any(|news| match news {
        News::Completed { quest, step, points, .. } => {
            *quest == due.quest && *points == due.points && due.key.ends_with(&format!(":step:{step}"))
        }
        News::Reward { quest, give: Give::Badge(badge), .. } => {
            *quest == due.quest && due.badge.as_deref() == Some(badge.as_str())
        }
        News::Reward { quest, reward, give: Give::Points(_), .. } => {
            *quest == due.quest && due.key.ends_with(&format!(":points:{reward}"))
        }
        News::Reward { quest, give: Give::CodePool(pool), number, .. } => {
            *quest == due.quest && due.key.ends_with(&format!(":code:{pool}:{}", number.unwrap_or(0)))
        }
        _ => false,
    })
}

/// Whether a fact of the same decision says what a line of news says to a reader.
fn is_backed(news: &News, to: &EntityId, event: &Event) -> bool {
    let Event::Team(fact) = event else { return false };
    let is_reader = |player: &PlayerId| matches!(to, EntityId::Player(reader) if reader == player);
    match (news, fact) {
        (News::Joined { .. }, TeamEvent::MemberJoined { player, .. }) => is_reader(player),
        (News::Left, TeamEvent::MemberLeft { player }) => is_reader(player),
        (News::Member { player, present, .. }, fact) => match fact {
            TeamEvent::MemberJoined { player: known, .. } => *present && known == player,
            TeamEvent::MemberLeft { player: known } => !present && known == player,
            _ => false,
        },
        (News::Said { player, text }, TeamEvent::Said { player: known, text: said }) => {
            (known, said) == (player, text)
        }
        (News::Run { run, .. }, TeamEvent::RunStarted { run: known, .. }) => known == run,
        // Who comes late is told of the runs that are on.
        (News::Run { .. }, TeamEvent::MemberJoined { player, .. }) => is_reader(player),
        (News::Opened { quest, step, .. }, TeamEvent::StepOpened { quest: q, step: s })
        | (News::Closed { quest, step }, TeamEvent::StepClosed { quest: q, step: s }) => (q, s) == (quest, step),
        // Told when a part was done, or when fewer parts are needed.
        (News::Progress { quest, step, .. }, TeamEvent::MemberReached { quest: q, step: s, .. }) => {
            (q, s) == (quest, step)
        }
        (News::Progress { .. }, TeamEvent::MemberLeft { .. }) => true,
        (
            News::Completed { quest, step, by, points },
            TeamEvent::StepCompleted { quest: q, step: s, by: b, points: p, .. },
        ) => (q, s, b, p) == (quest, step, by, points),
        (
            News::Hint { quest, step, hint, cost },
            TeamEvent::HintTaken { quest: q, step: s, hint: h, cost: c, .. },
        ) => (q, s, h, c) == (quest, step, hint, cost),
        (
            News::Reward { quest, reward, give, number, .. },
            TeamEvent::RewardGiven { quest: q, reward: r, give: g, number: n, .. },
        ) => (q, r, g, n) == (quest, reward, give, number),
        // What stands in for a reward that is gone.
        (News::Reward { quest, reward, number: None, .. }, TeamEvent::RewardGone { quest: q, reward: r, .. }) => {
            (q, r) == (quest, reward)
        }
        (News::Gone { quest, points, .. }, TeamEvent::RewardGone { quest: q, points: p, .. }) => {
            (q, p) == (quest, points)
        }
        (News::Ended { quest, reason, .. }, TeamEvent::RunEnded { quest: q, reason: r }) => (q, r) == (quest, reason),
        _ => false,
    }
}

fn name_of(news: &News) -> &'static str {
    match news {
        News::Joined { .. } | News::Left | News::Member { .. } => "who is a member",
        News::Said { .. } => "what was said",
        News::Run { .. } => "a run",
        News::Opened { .. } => "a step that opens",
        News::Closed { .. } => "a step that closes",
        News::Progress { .. } => "a part of a step",
        News::Completed { .. } => "a step that is done",
        News::Hint { .. } => "a hint",
        News::Reward { .. } | News::Gone { .. } => "a reward",
        News::Ended { .. } => "the end of a run",
    }
}
