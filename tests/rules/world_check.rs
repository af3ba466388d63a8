//! What must hold of every world, whatever was done in it; and questions that tests ask.

use crate::world::{World, player, team};
use crate::world_act::step;
use std::collections::{BTreeMap, BTreeSet};
use waystone::ids::{BadgeId, EntityId};
use waystone::quest::aggregate::State;
use waystone::quest::command::HOPS_MAX;
use waystone::quest::event::{Event, PlayerEvent, TeamEvent};
use waystone::quest::notice::What;
use waystone::quest::run::{Over, Run};
use waystone::quest::view;

impl World {
    /// Checks what must always hold, when nothing is under way.
    pub fn check(&self) {
        assert!(self.lanes.is_empty(), "letters are under way");
        for (id, live) in &self.live {
            assert_eq!(self.rebuilt(id), *live, "{id} is not what its entries make it");
            let mut awards = BTreeSet::new();
            for (at, entry) in (1..).zip(self.entries(id)) {
                assert_eq!(entry.seq, at, "{id} skips a number");
                assert!(entry.hops <= HOPS_MAX, "{id} entry {at} ends a chain of {} hops", entry.hops);
                for award in &entry.awards {
                    assert!(awards.insert(award.clone()), "{id} gives {award} twice");
                }
            }
            self.check_points(id, &live.state);
            let notices = self.entries(id).flat_map(|entry| &entry.notices).count() as u64;
            if let State::Player(player) = &live.state {
                assert_eq!(player.offset, notices, "{id} has lost count of its notices");
                let kept: Vec<u64> = player.notices.iter().map(|(offset, _)| *offset).collect();
                let dense: Vec<u64> = (notices - kept.len() as u64 + 1..=notices).collect();
                assert_eq!(kept, dense, "offsets of {id} have gaps");
            }
        }
        self.check_stock();
    }

    fn check_points(&self, id: &EntityId, state: &State) {
        let events = || self.entries(id).flat_map(|entry| &entry.events);
        match state {
            State::Player(player) => {
                let sum: i64 = events()
                    .map(|event| match event {
                        Event::Player(
                            PlayerEvent::StepCompleted { points, .. } | PlayerEvent::PointsGiven { points, .. },
                        ) => *points,
                        _ => 0,
                    })
                    .sum();
                assert_eq!(player.points, sum, "points of {id}");
            }
            State::Team(team) => {
                let mut sums: BTreeMap<_, i64> = BTreeMap::new();
                for event in events() {
                    match event {
                        Event::Team(TeamEvent::RunStarted { run, .. }) => {
                            sums.insert(run.quest.id.clone(), 0);
                        }
                        Event::Team(
                            TeamEvent::StepCompleted { quest, points, .. }
                            | TeamEvent::RewardGiven { quest, points, .. }
                            | TeamEvent::RewardGone { quest, points, .. },
                        ) => *sums.entry(quest.clone()).or_default() += points,
                        _ => {}
                    }
                }
                let held = team.runs.iter().map(|(quest, run)| (quest.clone(), run.points)).collect();
                assert_eq!(sums, held, "points of {id}");
            }
            State::Region(_) => {}
        }
    }

    fn check_stock(&self) {
        for quest in self.catalog.all_latest() {
            let area = self.region(&waystone::ids::RegionId::of_quest(&quest.quest.id));
            for (reward, given) in &area.stock {
                let of = quest.rewards[reward.parse::<usize>().expect("a number")].stock.expect("limited");
                let numbers: BTreeSet<u32> = given.values().copied().collect();
                assert!(given.len() <= of as usize, "stock of {reward} is oversold");
                assert_eq!(numbers, (1..=given.len() as u32).collect(), "numbers of {reward}");
            }
        }
    }

    /// What a player was told, in order.
    pub fn told(&self, who: &str) -> Vec<What> {
        let id = EntityId::Player(player(who));
        self.entries(&id).flat_map(|entry| &entry.notices).map(|notice| notice.what.clone()).collect()
    }

    /// How many notices of a kind a player was told, by the name on the wire.
    pub fn count_told(&self, who: &str, kind: &str) -> usize {
        let kinds = self.told(who).into_iter().map(|what| serde_json::to_value(what).expect("a notice is JSON"));
        kinds.filter(|what| what["type"] == kind).count()
    }

    /// All that a player can know, as the wire bears it: every notice, and the state now.
    pub fn known(&self, who: &str) -> String {
        let state = view::state(&self.player(who), &player(who), &self.catalog);
        format!("{}{state}", serde_json::to_string(&self.told(who)).expect("notices are JSON"))
    }

    pub fn run(&self, name: &str) -> Run {
        self.team(name).runs.get(&self.quest).expect("the team has a run").clone()
    }

    pub fn is_done(&self, name: &str, id: &str) -> bool {
        self.run(name).done.contains_key(&step(id))
    }

    pub fn is_open(&self, name: &str, id: &str) -> bool {
        self.run(name).open.contains_key(&step(id))
    }

    pub fn is_finished(&self, name: &str) -> bool {
        self.run(name).over == Some(Over::Finished)
    }

    pub fn has_badge(&self, who: &str, badge: &str) -> bool {
        self.player(who).badges.contains_key(&BadgeId::new(badge).expect("a test's badge"))
    }

    /// All awards of all entities, to be compared with another world's.
    pub fn awards(&self) -> BTreeSet<(String, String)> {
        let of = |stored: &waystone::persist::Stored| {
            let id = stored.entity.to_string();
            stored.entry.awards.iter().map(move |award| (id.clone(), award.clone())).collect::<Vec<_>>()
        };
        self.log.iter().flat_map(of).collect()
    }

    pub fn team_id(name: &str) -> EntityId {
        EntityId::Team(team(name))
    }

    pub fn player_id(who: &str) -> EntityId {
        EntityId::Player(player(who))
    }
}
