//! What a team's letters say to its members is what its facts say, and everyone who is owed something is told.

use crate::ids::EntityId;
use crate::quest::command::{Command, News, PlayerCommand};
use crate::quest::definition::Give;
use crate::quest::entry::Entry;
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
            let News::Completed { quest, step, by, points } = news else { continue };
            let fact = entry.events.iter().any(|event| {
                matches!(event, Event::Team(TeamEvent::StepCompleted { quest: q, step: s, by: b, points: p, .. })
                    if (q, s, b, p) == (quest, step, by, points))
            });
            if !fact {
                place.differ("news", format!("{} is told of {step}, as no fact says it", outgoing.to));
            }
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
