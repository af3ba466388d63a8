//! A team's facts, folded a second time: who is in it, what they have done, what that is worth, who is owed what.

use crate::ids::{EntityId, PlayerId, QuestId, StepId};
use crate::quest::aggregate::State;
use crate::quest::catalog::Catalog;
use crate::quest::definition::{Condition, Each, Give, Quest, Step, Verb};
use crate::quest::entry::Entry;
use crate::quest::event::{Event, RunRef, TeamEvent};
use crate::verify::history::team_print;
use crate::verify::letters::{Due, Letters};
use crate::verify::news::{Place, check_news};
use crate::verify::parts::{Part, needed};
use crate::verify::verdict::Verdict;

mod meet;

use std::collections::{BTreeMap, BTreeSet};

/// What a team has.
#[derive(Debug, Default)]
pub(super) struct TeamFold {
    created: bool,
    members: BTreeSet<PlayerId>,
    runs: BTreeMap<QuestId, RunFold>,
}

#[derive(Debug)]
struct RunFold {
    run: RunRef,
    open: BTreeSet<StepId>,
    reached: BTreeMap<StepId, BTreeSet<PlayerId>>,
    done: BTreeMap<StepId, Option<String>>,
    hints: BTreeMap<StepId, BTreeMap<u16, u32>>,
    asked: BTreeSet<u16>,
    points: i64,
    /// `Some(true)`: finished.
    over: Option<bool>,
}

/// What one entry brought.
#[derive(Debug, Default)]
pub(super) struct Brought {
    /// Keys that its awards must be.
    pub keys: Vec<String>,
    /// What it owes to whom.
    pub due: Vec<(EntityId, Due)>,
}

impl TeamFold {
    /// Takes an entry in.
    pub fn take(
        &mut self,
        id: &EntityId,
        entry: &Entry,
        catalog: &Catalog,
        (letters, verdict): (&mut Letters, &mut Verdict),
    ) -> Brought {
        let mut brought = Brought::default();
        let mut place = Place { id, seq: entry.seq, verdict };
        for event in &entry.events {
            let Event::Team(event) = event else { continue };
            match event {
                TeamEvent::MemberJoined { player, .. } => {
                    if !self.created || !self.members.insert(player.clone()) {
                        place.differ("member", format!("{player} joins twice, or a team that is not there"));
                    }
                }
                TeamEvent::MemberLeft { player } => {
                    if !self.members.remove(player) {
                        place.differ("member", format!("{player} leaves without being in it"));
                    }
                    let parts = self.runs.values_mut().flat_map(|run| run.reached.values_mut());
                    parts.for_each(|parts| {
                        parts.remove(player);
                    });
                }
                TeamEvent::RunStarted { run, .. } => {
                    let before = self.runs.get(&run.quest.id);
                    if before.map_or(1, |before| before.run.run + 1) != run.run
                        || before.is_some_and(|before| before.over.is_none())
                    {
                        place.differ("run", format!("run {} of {} is started out of turn", run.run, run.quest.id));
                    }
                    self.runs.insert(run.quest.id.clone(), RunFold::new(run.clone()));
                }
                TeamEvent::Created { .. } => {
                    if std::mem::replace(&mut self.created, true) {
                        place.differ("member", "it comes to be a second time".to_owned());
                    }
                }
                TeamEvent::Said { .. } => {}
                _ => self.in_run(event, catalog, &mut place, &mut brought, letters),
            }
        }
        self.check_parts(catalog, &mut place);
        check_news(entry, &brought, &mut place);
        brought
    }

    /// What enough members have done is done.
    fn check_parts(&self, catalog: &Catalog, place: &mut Place<'_>) {
        for run in self.runs.values().filter(|run| run.over.is_none()) {
            let Some(quest) = catalog.get(&run.run.quest) else { continue };
            for (id, parts) in run.reached.iter().filter(|(id, _)| run.open.contains(*id)) {
                let need = quest.steps.get(id).and_then(|step| needed(&step.verb, self.members.len()));
                let have = parts.intersection(&self.members).count();
                if need.is_some_and(|need| have >= need) {
                    place.differ("union", format!("{id} is not done, though {have} members have done their part"));
                }
            }
        }
    }

    fn in_run(
        &mut self,
        event: &TeamEvent,
        catalog: &Catalog,
        place: &mut Place<'_>,
        brought: &mut Brought,
        letters: &mut Letters,
    ) {
        let quest_id = quest_of(event);
        let known = quest_id.and_then(|id| self.runs.get_mut(id));
        let Some((run, quest)) = known.and_then(|run| catalog.get(&run.run.quest).map(|quest| (run, quest))) else {
            return place.differ("run", "a fact of a run that was never started, or of an unknown quest".to_owned());
        };
        let over = run.over;
        match event {
            TeamEvent::StepOpened { step, .. } => run.open_up(step, place),
            TeamEvent::StepClosed { step, .. } => {
                run.open.remove(step);
                run.reached.remove(step);
            }
            TeamEvent::MemberReached { step, player, .. } => {
                if !self.members.contains(player) || !run.open.contains(step) {
                    place.differ("reached", format!("{player} reaches {step}, being no member or it not open"));
                }
                run.reached.entry(step.clone()).or_default().insert(player.clone());
            }
            TeamEvent::Met { step, center, near, .. } => run.meet(quest, step, (center, near), &self.members, place),
            TeamEvent::StepCompleted { step, by, points, choice, .. } => {
                if over.is_some() {
                    place.differ("progress", format!("{step} is done after the run is over"));
                }
                run.complete(quest, (step, by, *points, choice.as_ref()), &self.members, place);
                let key = run.run.award(&format!("step:{step}"));
                for player in by {
                    let due = Due { key: key.clone(), points: *points, quest: quest.quest.id.clone(), badge: None };
                    brought.due.push((EntityId::Player(player.clone()), due));
                }
                brought.keys.push(key);
            }
            TeamEvent::HintTaken { step, hint, cost, .. } => run.buy(step, (*hint, *cost), place),
            TeamEvent::RewardAsked { reward, .. } => run.ask(quest, *reward, place),
            TeamEvent::RewardGiven { reward, give, points, number, .. } => {
                brought.keys.push(run.run.award(&format!("reward:{reward}")));
                run.reward(quest, (*reward, Some(give), *points, number.is_some()), place);
                if let (Some(number), EntityId::Team(team)) = (number, place.id) {
                    letters.received.push((quest.quest.id.clone(), *reward, team.clone(), *number, place.seq));
                }
                run.owe(quest, (*reward, *number), give, &self.members, brought);
            }
            TeamEvent::RewardGone { reward, points, .. } => {
                brought.keys.push(run.run.award(&format!("reward:{reward}")));
                run.reward(quest, (*reward, None, *points, true), place);
                if let Some(Some(give @ Give::Badge(_))) =
                    quest.rewards.get(usize::from(*reward)).map(|reward| &reward.otherwise)
                {
                    run.owe(quest, (*reward, None), give, &self.members, brought);
                }
            }
            TeamEvent::RunEnded { reason, .. } => {
                let undone = quest.roots.iter().find(|step| !run.done.contains_key(*step));
                if let (None, Some(step)) = (reason, undone) {
                    place.differ("progress", format!("the run is finished without {step}"));
                }
                if run.over.replace(reason.is_none()).is_some() {
                    place.differ("progress", "the run ends twice".to_owned());
                }
            }
            _ => {}
        }
    }

    /// What members see of it, for comparing.
    pub fn print(&self) -> u64 {
        let runs = self.runs.iter().map(|(quest, run)| (quest, run.points, run.over.is_some()));
        team_print(self.members.iter(), runs)
    }

    /// What a board shows of it: its points in the run that is on, or else in that of the quest first by name.
    pub fn card(&self) -> Option<(&QuestId, i64)> {
        let run = self.runs.iter().find(|(_, run)| run.over.is_none()).or_else(|| self.runs.iter().next());
        run.map(|(quest, run)| (quest, run.points))
    }

    /// The steps that would be counted for a player now.
    pub fn open_to(&self, player: &PlayerId, catalog: &Catalog) -> BTreeSet<Part> {
        let mut open = BTreeSet::new();
        for (id, run) in self.runs.iter().filter(|(_, run)| run.over.is_none() && self.members.contains(player)) {
            let Some(quest) = catalog.get(&run.run.quest) else { continue };
            let leaf = |step: &&StepId| quest.steps.get(*step).is_some_and(|step| step.verb.children().is_empty());
            open.extend(run.open.iter().filter(leaf).map(|step| Part::Step(id.clone(), step.clone())));
        }
        open
    }

    /// Compares with the state that `evolve` made.
    pub fn compare(&self, id: &EntityId, state: &State, verdict: &mut Verdict) {
        let State::Team(team) = state else { return };
        if !team.members.keys().eq(&self.members) {
            verdict.differ(id, 0, "member", "the state has other members than its facts".to_owned());
        }
        for (quest, fold) in &self.runs {
            let Some(run) = team.runs.get(quest) else { continue };
            if run.points != fold.points {
                let message =
                    format!("the state has {} points in {quest}, its facts make {}", run.points, fold.points);
                verdict.differ(id, 0, "points", message);
            }
            if !run.done.keys().eq(fold.done.keys()) {
                verdict.differ(
                    id,
                    0,
                    "progress",
                    format!("the state of {quest} has other steps done than its facts"),
                );
            }
        }
    }
}

impl RunFold {
    fn new(run: RunRef) -> Self {
        let (open, reached, done, hints) = (BTreeSet::new(), BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { run, open, reached, done, hints, asked: BTreeSet::new(), points: 0, over: None }
    }

    fn open_up(&mut self, step: &StepId, place: &mut Place<'_>) {
        if !self.open.insert(step.clone()) || self.done.contains_key(step) {
            place.differ("progress", format!("{step} opens, being open or done"));
        }
    }

    fn buy(&mut self, step: &StepId, (hint, cost): (u16, u32), place: &mut Place<'_>) {
        if self.hints.entry(step.clone()).or_default().insert(hint, cost).is_some() {
            place.differ("points", format!("hint {hint} of {step} is bought twice"));
        }
    }

    fn ask(&mut self, quest: &Quest, reward: u16, place: &mut Place<'_>) {
        let when = quest.rewards.get(usize::from(reward)).and_then(|reward| reward.when.as_ref());
        if when.is_some_and(|when| !self.holds(when, self.points)) {
            place.differ("reward", format!("reward {reward} is asked though its condition does not hold"));
        }
        self.asked.insert(reward);
    }

    fn complete(
        &mut self,
        quest: &Quest,
        (id, by, points, choice): (&StepId, &[PlayerId], i64, Option<&String>),
        members: &BTreeSet<PlayerId>,
        place: &mut Place<'_>,
    ) {
        let reached = self.reached.remove(id).unwrap_or_default();
        for player in by {
            if !members.contains(player) || !reached.contains(player) {
                place.differ("by", format!("{player} did {id}, being no member or not having been there"));
            }
        }
        let need = quest.steps.get(id).filter(|step| step.verb.children().is_empty());
        let need = need.and_then(|step| needed(&step.verb, members.len()));
        if need.is_some_and(|need| by.len() < need) {
            place.differ("union", format!("{id} is done by {} members, which are not enough", by.len()));
        }
        if !self.open.remove(id) {
            place.differ("progress", format!("{id} is done without being open"));
        }
        if self.done.insert(id.clone(), choice.cloned()).is_some() {
            place.differ("progress", format!("{id} is done twice"));
        }
        self.points += points;
        let Some(step) = quest.steps.get(id) else {
            return place.differ("progress", format!("the quest has no step {id}"));
        };
        if step.verb.children().is_empty() == by.is_empty() {
            place.differ("by", format!("{id} is done by {} players", by.len()));
        }
        let worth = self.worth(id, step, choice);
        if points != worth {
            place.differ("points", format!("{id} brings {points} points, it is worth {worth}"));
        }
    }

    fn worth(&self, id: &StepId, step: &Step, choice: Option<&String>) -> i64 {
        let extra = match &step.verb {
            Verb::Choose { options, .. } => {
                options.iter().filter(|option| Some(&option.id) == choice).map(|option| option.points).sum()
            }
            _ => 0,
        };
        let cost: u32 = self.hints.get(id).map_or(0, |hints| hints.values().sum());
        i64::from((step.points + extra).saturating_sub(cost))
    }

    /// A reward given, or gone when `give` is none.
    fn reward(
        &mut self,
        quest: &Quest,
        (number, give, points, limited): (u16, Option<&Give>, i64, bool),
        place: &mut Place<'_>,
    ) {
        let before = self.points;
        self.points += points;
        let Some(reward) = quest.rewards.get(usize::from(number)) else {
            return place.differ("reward", format!("the quest has no reward {number}"));
        };
        if self.over != Some(true) || reward.stock.is_some() != limited || (limited && !self.asked.contains(&number))
        {
            place.differ("reward", format!("reward {number} is given unasked, or before the run is finished"));
        }
        if give.is_some_and(|give| *give != reward.give) {
            place.differ("reward", format!("reward {number} is not what the quest promises"));
        }
        if !limited && reward.when.as_ref().is_some_and(|when| !self.holds(when, before)) {
            place.differ("reward", format!("reward {number} is given though its condition does not hold"));
        }
        let worth = match (give, &reward.otherwise) {
            (Some(Give::Points(points)), _) if reward.each == Each::Team => i64::from(*points),
            (None, Some(Give::Points(points))) => i64::from(*points),
            _ => 0,
        };
        if points != worth {
            place.differ("points", format!("reward {number} brings {points} points, it is worth {worth}"));
        }
    }

    fn holds(&self, condition: &Condition, points: i64) -> bool {
        match condition {
            Condition::Done(step) => self.done.contains_key(step),
            Condition::Points(least) => points >= i64::from(*least),
            Condition::Chose { step, option } => {
                self.done.get(step).is_some_and(|chosen| chosen.as_ref() == Some(option))
            }
            Condition::All(all) => all.iter().all(|condition| self.holds(condition, points)),
            Condition::Any(any) => any.iter().any(|condition| self.holds(condition, points)),
            Condition::Not(condition) => !self.holds(condition, points),
        }
    }

    /// What a reward owes to each member.
    fn owe(
        &self,
        quest: &Quest,
        (number, nth): (u16, Option<u32>),
        give: &Give,
        members: &BTreeSet<PlayerId>,
        brought: &mut Brought,
    ) {
        let each = quest.rewards.get(usize::from(number)).is_some_and(|reward| reward.each == Each::Player);
        let (key, points, badge) = match give {
            Give::Badge(badge) => (format!("badge:{badge}"), 0, Some(badge.to_string())),
            Give::Points(points) if each => (format!("points:{number}"), i64::from(*points), None),
            Give::CodePool(pool) => (format!("code:{pool}:{}", nth.unwrap_or(0)), 0, None),
            Give::Points(_) => return,
        };
        let due = Due { key: self.run.award(&key), points, quest: quest.quest.id.clone(), badge };
        brought.due.extend(members.iter().map(|member| (EntityId::Player(member.clone()), due.clone())));
    }
}

fn quest_of(event: &TeamEvent) -> Option<&QuestId> {
    match event {
        TeamEvent::StepOpened { quest, .. }
        | TeamEvent::StepClosed { quest, .. }
        | TeamEvent::MemberReached { quest, .. }
        | TeamEvent::MemberWentAway { quest, .. }
        | TeamEvent::Met { quest, .. }
        | TeamEvent::StepCompleted { quest, .. }
        | TeamEvent::HintTaken { quest, .. }
        | TeamEvent::RewardAsked { quest, .. }
        | TeamEvent::RewardGiven { quest, .. }
        | TeamEvent::RewardGone { quest, .. }
        | TeamEvent::RunEnded { quest, .. } => Some(quest),
        TeamEvent::Created { .. }
        | TeamEvent::MemberJoined { .. }
        | TeamEvent::MemberLeft { .. }
        | TeamEvent::Said { .. }
        | TeamEvent::RunStarted { .. } => None,
    }
}
