//! Short-hands of the driver: what players, teams and operators do, in the words of the scene.

use crate::world::{World, player, sight, team};
use serde_json::Value;
use waystone::ids::{EntityId, PlaceId, QuestId, RegionId, StepId};
use waystone::quest::act::{CommandId, StepRef};
use waystone::quest::aggregate::Message;
use waystone::quest::command::{Attempt, Command, PlayerCommand, Sighting, TeamCommand};
use waystone::quest::refusal::Refusal;

pub type Answer = Result<Option<Value>, Refusal>;

/// The code of a refusal; 0 for none.
pub fn code(answer: &Answer) -> u32 {
    answer.as_ref().err().map_or(0, |refusal| refusal.code)
}

pub fn step(id: &str) -> StepId {
    StepId::new(id).expect("a test's step")
}

impl World {
    pub fn region_of(&self, place: &str) -> RegionId {
        let version = self.catalog.latest(&self.quest).expect("published").quest.version;
        RegionId::of_place(&self.quest, version, &PlaceId::new(place).expect("a test's place")).expect("short")
    }

    pub fn at(&self, id: &str) -> StepRef {
        StepRef { quest: self.quest.clone(), step: step(id) }
    }

    fn sight(&mut self, who: &str, place: &str, what: Sighting) {
        let region = EntityId::Region(self.region_of(place));
        let message = sight(&player(who), what, self.now);
        self.tell(&region, &message).expect("a sighting is never refused");
    }

    pub fn enter(&mut self, who: &str, place: &str) {
        self.sight(who, place, Sighting::Entered);
    }

    pub fn leave(&mut self, who: &str, place: &str) {
        self.sight(who, place, Sighting::Left);
    }

    pub fn stayed(&mut self, who: &str, place: &str) {
        self.sight(who, place, Sighting::Stayed);
    }

    pub fn walked(&mut self, who: &str, place: &str, quarters: u8) {
        self.sight(who, place, Sighting::Walked { quarters });
    }

    pub fn tell_player(&mut self, who: &str, command: PlayerCommand) -> Answer {
        let message = Message::from_client(&player(who), None, Command::Player(command));
        self.tell(&EntityId::Player(player(who)), &message)
    }

    pub fn tell_team(&mut self, name: &str, command: TeamCommand) -> Answer {
        self.tell(&EntityId::Team(team(name)), &Message::bare(Command::Team(command)))
    }

    /// A client's command with an id of its own.
    pub fn command(&mut self, who: &str, cmd: &str, to: &EntityId, command: Command) -> Answer {
        let cmd = CommandId::new(cmd).expect("a test's command id");
        self.tell(to, &Message::from_client(&player(who), Some(cmd), command))
    }

    pub fn attempt(&mut self, who: &str, id: &str, with: Attempt) -> Answer {
        let at = self.at(id);
        self.tell_player(who, PlayerCommand::Try { at, with })
    }

    pub fn answer(&mut self, who: &str, id: &str, text: &str) -> Answer {
        self.attempt(who, id, Attempt::Answer(text.to_owned()))
    }

    pub fn scan(&mut self, who: &str, id: &str, text: &str) -> Answer {
        self.attempt(who, id, Attempt::Scan(text.to_owned()))
    }

    pub fn choose(&mut self, who: &str, id: &str, option: &str) -> Answer {
        self.attempt(who, id, Attempt::Choose(option.to_owned()))
    }

    pub fn photo(&mut self, who: &str, id: &str) -> Answer {
        self.attempt(who, id, Attempt::Photo("photos/1.jpg".to_owned()))
    }

    pub fn review(&mut self, who: &str, id: &str, approve: bool) -> Answer {
        let review = PlayerCommand::Review { at: self.at(id), approve, reason: None };
        self.tell(&EntityId::Player(player(who)), &Message::bare(Command::Player(review)))
    }

    pub fn speak(&mut self, who: &str, lang: &str) {
        let profile = PlayerCommand::Profile { name: None, lang: Some(lang.to_owned()) };
        self.tell_player(who, profile).expect("a profile is never refused");
    }

    /// Founds a team; the first of these players creates it, the others join.
    pub fn found(&mut self, name: &str, members: &[&str]) {
        let (first, others) = members.split_first().expect("a team has a founder");
        self.create(name, first).expect("the team is new");
        for other in others {
            self.join(name, other).expect("the secret is right");
        }
    }

    pub fn create(&mut self, name: &str, who: &str) -> Answer {
        let (secret, player_name) = ("sesame".to_owned(), who.to_owned());
        self.tell_team(name, TeamCommand::Create { name: name.to_owned(), secret, player: player(who), player_name })
    }

    pub fn join(&mut self, name: &str, who: &str) -> Answer {
        let (player_name, secret) = (who.to_owned(), "sesame".to_owned());
        self.tell_team(name, TeamCommand::Join { player: player(who), player_name, secret })
    }

    pub fn quit(&mut self, name: &str, who: &str) -> Answer {
        self.tell_team(name, TeamCommand::Leave { player: player(who) })
    }

    pub fn start(&mut self, name: &str, who: &str) -> Answer {
        let quest = self.quest.clone();
        self.start_quest(name, who, &quest, true)
    }

    pub fn start_quest(&mut self, name: &str, who: &str, quest: &QuestId, finished: bool) -> Answer {
        self.tell_team(name, TeamCommand::Start { player: player(who), quest: quest.clone(), finished })
    }

    pub fn abandon(&mut self, name: &str, who: &str) -> Answer {
        let quest = self.quest.clone();
        self.tell_team(name, TeamCommand::Abandon { player: player(who), quest })
    }

    pub fn hint(&mut self, name: &str, who: &str, id: &str, hint: u16) -> Answer {
        let at = self.at(id);
        self.tell_team(name, TeamCommand::Hint { player: player(who), at, hint })
    }

    /// A team that has started the quest.
    pub fn playing(&mut self, name: &str, members: &[&str]) {
        self.found(name, members);
        self.start(name, members[0]).expect("the quest can be started");
    }
}
