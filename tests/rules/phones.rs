//! Clients of a world, as a server would have them: they are welcomed, ask, are answered, are told, lose their
//! connection and resume; and each writes down what it saw. What goes wrong on the way is decided by a seed.

use crate::rng::Rng;
use crate::world::{World, player};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex};
use waystone::actors::act_route;
use waystone::ids::EntityId;
use waystone::quest::act::Act;
use waystone::quest::aggregate::{Message, State};
use waystone::quest::command::{Command, TeamCommand};
use waystone::quest::guidance;
use waystone::quest::notice::Notice;
use waystone::quest::player::Player;
use waystone::quest::refusal::Refusal;
use waystone::quest::view;
use waystone::units::Timestamp;
use waystone::verify::history::{Connected, Diary, Outcome, Position, Recorder};

/// The id of a journal in memory: the epoch of all streams.
pub const EPOCH: &str = "memory";

/// Where the history is written.
#[derive(Debug, Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no writer panics").extend(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// All phones of a world.
pub struct Phones {
    pub world: World,
    pub rng: Rng,
    paper: Paper,
    recorder: Recorder,
    phones: BTreeMap<String, Phone>,
}

/// What was missed, in order.
type Missed = Vec<(u64, Arc<Notice>)>;

struct Phone {
    diary: Diary,
    device: u32,
    up: bool,
    /// Up to where it knows its stream.
    known: Option<u64>,
    /// The team by what its session has heard.
    team: Option<waystone::ids::TeamId>,
    commands: u32,
    /// Commands without an outcome, to be asked again before any other.
    pending: Vec<(&'static str, Value)>,
}

impl Phones {
    pub fn new(world: World, rng: Rng) -> Self {
        let paper = Paper::default();
        let recorder = Recorder::to(paper.clone(), "a test", || Timestamp::from_millis(0));
        Self { world, rng, paper, recorder, phones: BTreeMap::new() }
    }

    /// What was written.
    pub fn history(&self) -> String {
        String::from_utf8(self.paper.0.lock().expect("no writer panics").clone()).expect("JSON")
    }

    pub fn add(&mut self, who: &str) {
        let (diary, team) = (self.recorder.client(player(who)), None);
        let phone = Phone { diary, device: 0, up: false, known: None, team, commands: 0, pending: Vec::new() };
        self.phones.insert(who.to_owned(), phone);
        self.connect(who);
    }

    /// A player as the server has it.
    pub fn player(&self, who: &str) -> Option<&Player> {
        match &self.world.live.get(&EntityId::Player(player(who)))?.state {
            State::Player(player) => Some(player),
            State::Team(_) | State::Region(_) => None,
        }
    }

    /// The end of a player's stream, and what it has missed if that is kept.
    fn stream(&self, who: &str) -> (u64, Option<Missed>) {
        let known = self.phones[who].known;
        let missed = |player: &Player| known.and_then(|known| player.missed(known));
        self.player(who).map_or((0, known.map(|_| Vec::new())), |player| (player.offset, missed(player)))
    }

    pub fn is_up(&self, who: &str) -> bool {
        self.phones[who].up
    }

    fn phone(&mut self, who: &str) -> &mut Phone {
        self.phones.get_mut(who).expect("the phone was added")
    }

    /// Connects, resuming where it was; then asks again for what has no outcome.
    pub fn connect(&mut self, who: &str) {
        let ((end, missed), team) = (self.stream(who), self.player(who).and_then(|player| player.team.clone()));
        let phone = self.phone(who);
        let resumed = phone.known.map(|offset| Position { epoch: EPOCH.to_owned(), offset });
        let offset = phone.known.filter(|_| missed.is_some()).unwrap_or(end);
        phone.diary.connected(Connected { epoch: EPOCH.to_owned(), resumed, recovered: missed.is_some(), offset });
        (phone.up, phone.known, phone.team) = (true, Some(offset), team);
        let tell = missed.map_or(0, |missed| missed.len());
        self.hear(who, tell);
    }

    pub fn disconnect(&mut self, who: &str) {
        let phone = self.phone(who);
        phone.up = false;
        phone.diary.disconnected("the tunnel");
    }

    /// Another device, which knows nothing.
    pub fn replace(&mut self, who: &str) {
        let device = self.phones[who].device + 1;
        let diary = self.recorder.device(player(who), device);
        let phone = self.phone(who);
        // What the old one had asked for, it does not know.
        (phone.diary, phone.device, phone.known) = (diary, device, None);
        phone.pending.clear();
        self.connect(who);
    }

    /// Is told of so many notices at most.
    pub fn hear(&mut self, who: &str, most: usize) {
        if !self.is_up(who) {
            return;
        }
        let ((_, missed), team) = (self.stream(who), self.player(who).and_then(|player| player.team.clone()));
        let phone = self.phone(who);
        for (offset, notice) in missed.unwrap_or_default().into_iter().take(most) {
            phone.diary.told(offset, &serde_json::to_value(&*notice).expect("plain data"));
            phone.known = Some(offset);
        }
        phone.team = team;
    }

    /// A new command, unless an old one waits.
    pub fn command(&mut self, who: &str, method: &'static str, mut data: Value) {
        let phone = self.phone(who);
        if !phone.pending.is_empty() {
            return self.again(who);
        }
        phone.commands += 1;
        data["cmd"] = json!(format!("d{}c{}", phone.device, phone.commands));
        phone.pending.push((method, data));
        self.again(who);
    }

    /// Asks for what has no outcome; the question or the answer may be lost, with the connection.
    pub fn again(&mut self, who: &str) {
        for (method, data) in self.phones[who].pending.clone() {
            let request = self.phone(who).diary.asked(method, &data);
            let fate = if self.world.chaos.is_some() { self.rng.below(12) } else { 12 };
            if fate == 0 {
                return self.lose(who, request);
            }
            let answer = self.perform(who, method, &data);
            if fate == 1 {
                return self.lose(who, request);
            }
            let phone = self.phone(who);
            phone.pending.remove(0);
            phone.diary.answered(
                request,
                match answer {
                    Ok(reply) => Outcome::Done(reply),
                    Err(refusal) => Outcome::Refused(refusal.code),
                },
            );
        }
    }

    /// A new command whose answer is lost; it is asked again at once, and answered.
    pub fn command_twice(&mut self, who: &str, method: &'static str, mut data: Value) {
        self.phone(who).commands += 1;
        data["cmd"] = json!(format!("d0c{}", self.phones[who].commands));
        let request = self.phone(who).diary.asked(method, &data);
        self.perform(who, method, &data).expect("it is not refused");
        self.phone(who).diary.answered(request, Outcome::Unknown);
        self.phone(who).pending.push((method, data));
        self.again(who);
    }

    fn lose(&mut self, who: &str, request: u64) {
        // Some clients say that they do not know, others die.
        if self.rng.one_in(2) {
            self.phone(who).diary.answered(request, Outcome::Unknown);
        }
        self.disconnect(who);
    }

    /// What the server does with a command.
    fn perform(&mut self, who: &str, method: &str, data: &Value) -> Result<Value, Refusal> {
        let id = player(who);
        let (cmd, act) = Act::parse(method, &data.to_string())?.expect("a method of ours");
        let entity = EntityId::Player(id.clone());
        let seq = self.world.live.get(&entity).map_or(0, |aggregate| aggregate.seq);
        let (catalog, stranger) = (&self.world.catalog, Player::default());
        let guidance = guidance::of(self.player(who).unwrap_or(&stranger), &id, seq, catalog);
        let (to, mut command) = act_route::route(&id, &guidance, &self.world.catalog, cmd.as_ref(), &act)?;
        if let Command::Team(TeamCommand::Create { secret, .. }) = &mut command {
            "sesame22".clone_into(secret);
        }
        let answer = self.world.post(&to, &Message::from_act(&id, cmd, &act, command))?;
        Ok(answer.unwrap_or_else(|| Value::Object(Map::new())))
    }

    /// Asks for the state.
    pub fn look(&mut self, who: &str) {
        let id = player(who);
        let request = self.phone(who).diary.asked("state.get", &json!({}));
        let stranger = Player::default();
        let mut state = view::state(self.player(who).unwrap_or(&stranger), &id, &self.world.catalog);
        let team = self.phones[who].team.clone();
        state["team"] = team.map_or(Value::Null, |team| view::team(&self.world.team(team.as_str()), &team));
        self.phone(who).diary.state(request, &state);
    }

    /// Is shown the board of the world's quest.
    pub fn look_at_board(&mut self, who: &str) {
        let mut rows = Vec::new();
        for (id, aggregate) in &self.world.live {
            let (EntityId::Team(team), State::Team(state)) = (id, &aggregate.state) else { continue };
            let run = state.runs.values().find(|run| run.over.is_none()).or_else(|| state.runs.values().next());
            if let Some(run) = run.filter(|run| run.run.quest.id == self.world.quest) {
                rows.push((std::cmp::Reverse(run.points), team));
            }
        }
        rows.sort();
        let rows: Vec<Value> =
            rows.iter().map(|(points, team)| json!({ "team": team, "name": "", "points": points.0 })).collect();
        let board = json!({ "quest": self.world.quest, "rows": rows });
        let diary = &self.phone(who).diary;
        diary.board(None, &board);
        let request = diary.asked("subscribe", &Value::Null);
        diary.board(Some(request), &board);
    }

    /// Sends a fix, whose position must not be written down.
    pub fn send_fix(&mut self, who: &str) {
        let phone = self.phone(who);
        let fix = json!({ "fixes": [{ "lon": 24.941_234_5, "lat": 60.171_234_5, "acc": 4, "t": 0 }] });
        let request = phone.diary.asked("fixes", &fix);
        phone.diary.answered(request, Outcome::Done(json!({ "accepted": 1 })));
    }

    /// All comes to rest: everyone is back, has its answers and is told all; and then looks once more.
    pub fn settle(&mut self) {
        self.world.chaos = None;
        let names: Vec<String> = self.phones.keys().cloned().collect();
        for who in &names {
            if !self.is_up(who) {
                self.connect(who);
            }
            self.again(who);
        }
        self.world.carry();
        for who in &names {
            self.hear(who, usize::MAX);
            self.phones[who].diary.settled();
            self.look(who);
            self.look_at_board(who);
        }
    }
}
