//! A plan: what some teams do at the demo quest, fixed by a seed. Played with or without faults it must bring the
//! same awards, for everything that decides them is in the plan.

use crate::fixtures::DEMO;
use crate::rng::Rng;
use crate::world::{World, player, secs, sight, team};
use waystone::ids::EntityId;
use waystone::quest::aggregate::Message;
use waystone::quest::command::{Attempt, Command, PlayerCommand, Sighting, TeamCommand};

#[derive(Debug, Clone)]
enum Deed {
    Sight(&'static str, Sighting),
    Try(&'static str, Attempt),
    Approve(&'static str),
    Hint(&'static str),
}

/// Who does what, in rounds; what is in one round happens in the same second.
#[derive(Debug, Clone)]
pub struct Plan {
    pub teams: Vec<(String, Vec<String>)>,
    rounds: Vec<Vec<(usize, String, Deed)>>,
}

/// How long each round lasts, in seconds: gather, walk, hint, try, review, disperse, guard, crypt.
const ROUNDS: [u64; 8] = [60, 300, 1, 1, 1, 1, 180, 1];

impl Plan {
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let mut plan = Self { teams: Vec::new(), rounds: vec![Vec::new(); ROUNDS.len()] };
        for nth in 0..1 + rng.below(3) {
            let members: Vec<String> = (0..2 + rng.below(3)).map(|n| format!("t{nth}-p{n}")).collect();
            plan.plan_team(&mut rng, nth, &members);
            plan.teams.push((format!("t{nth}"), members));
        }
        plan.rounds.iter_mut().for_each(|round| rng.shuffle(round));
        plan
    }

    fn plan_team(&mut self, rng: &mut Rng, nth: usize, members: &[String]) {
        let anyone = |rng: &mut Rng| members[rng.below(members.len())].clone();
        let mut add = |round: usize, who: &str, deed: Deed| self.rounds[round].push((nth, who.to_owned(), deed));
        let text = |text: &str| text.to_owned();
        for who in members {
            add(0, who, Deed::Sight("kivi", Sighting::Entered));
        }
        let mut statues = [
            ("smiths", "smiths", Deed::Try("smiths", Attempt::Answer(text("Two")))),
            ("poet", "runeberg", Deed::Try("poet", Attempt::Scan(text("code-poet")))),
            ("amanda", "amanda", Deed::Try("amanda", Attempt::Photo(text("photo")))),
            ("promenade", "esplanadi", Deed::Sight("esplanadi", Sighting::Walked { quarters: 0b1111 })),
            ("side", "senate", Deed::Try("side", Attempt::Choose(text(["law", "light"][rng.below(2)])))),
        ];
        rng.shuffle(&mut statues);
        for (step, place, deed) in statues.into_iter().take(3) {
            let who = &anyone(rng);
            add(1, who, Deed::Sight(place, Sighting::Entered));
            if step == "smiths" && rng.one_in(2) {
                add(2, &anyone(rng), Deed::Hint(step));
            }
            if step == "smiths" && rng.one_in(2) {
                add(2, who, Deed::Try(step, Attempt::Answer(text("nine"))));
            }
            add(3, who, deed);
            if step == "amanda" {
                add(4, who, Deed::Approve(step));
            }
            add(5, who, Deed::Sight(place, Sighting::Left));
        }
        let guard = rng.below(members.len());
        for who in [guard, (guard + 1) % members.len()] {
            add(6, &members[who], Deed::Sight("senate", Sighting::Entered));
        }
        add(7, &anyone(rng), Deed::Sight("crypt", Sighting::Entered));
    }

    /// Plays it to the end; with a seed for the faults, or without any.
    pub fn play(&self, faults: Option<u64>) -> World {
        let mut world = World::with(&[DEMO]);
        for (name, members) in &self.teams {
            let members: Vec<&str> = members.iter().map(String::as_str).collect();
            world.playing(name, &members);
        }
        if let Some(seed) = faults {
            world.disturb(seed);
        }
        for (round, lasts) in self.rounds.iter().zip(ROUNDS) {
            for (nth, who, deed) in round {
                world.perform(&self.teams[*nth].0, who, deed);
                let twice = world.chaos.as_mut().map(|chaos| (chaos.rng.one_in(3), chaos.rng.below(6)));
                if let Some((twice, letters)) = twice {
                    // A session that has died says again what it saw.
                    if twice && matches!(deed, Deed::Sight(..)) {
                        world.perform(&self.teams[*nth].0, who, deed);
                    }
                    world.carry_some(letters);
                }
            }
            world.carry();
            world.later(secs(lasts));
        }
        world
    }
}

impl World {
    fn perform(&mut self, name: &str, who: &str, deed: &Deed) {
        let me = EntityId::Player(player(who));
        let bare = |command| Message::bare(Command::Player(command));
        let (to, message) = match deed {
            Deed::Sight(place, what) => {
                (EntityId::Region(self.region_of(place)), sight(&player(who), *what, self.now))
            }
            Deed::Try(step, with) => (me, bare(PlayerCommand::Try { at: self.at(step), with: with.clone() })),
            Deed::Approve(step) => {
                (me, bare(PlayerCommand::Review { at: self.at(step), approve: true, reason: None }))
            }
            Deed::Hint(step) => {
                let hint = TeamCommand::Hint { player: player(who), at: self.at(step), hint: 0 };
                (EntityId::Team(team(name)), Message::bare(Command::Team(hint)))
            }
        };
        let answer = self.post(&to, &message);
        assert!(answer.is_ok(), "{who} is refused {deed:?}: {answer:?}");
    }
}
