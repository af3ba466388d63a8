//! Players in pairs, each pair on two nodes: both say something all the time, under a command id that is sent again until
//! it is acknowledged, and write down what they asked, were answered and heard.

use crate::gaps::{Gaps, Place};
use crate::ground::Ground;
use crate::nodes::{Cluster, Owners};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use waystone::cluster::shard::Shard;
use waystone::ids::{EntityId, PlayerId, TeamId};
use waystone::net::client::{Client, ClientError, Push, Resume};
use waystone::verify::history::{Connected, Diary, Outcome, Position};

/// Pairs: enough that every node has teams and players of others' sessions.
const PAIRS: usize = 9;
const NODES: usize = 3;
/// How often each says something.
const EVERY: Duration = Duration::from_millis(400);
const ANSWER: Duration = Duration::from_secs(6);
/// How long everything may take to be answered when nothing is wrong any more, and to be heard at the end.
const HEARD: Duration = Duration::from_secs(20);

/// A player's evidence.
#[derive(Debug, Default)]
struct Evidence {
    /// What was heard: offset and text of what somebody said, if it was that.
    heard: Vec<(u64, Option<String>)>,
    /// What was acknowledged.
    said: Vec<Said>,
    /// Whether it was told that it is in its team.
    joined: bool,
    connects: usize,
    resume: Option<Resume>,
    faults: Vec<String>,
}

/// A command that was acknowledged: when it was first tried, how long it took, how often it was asked.
#[derive(Debug)]
struct Said {
    text: String,
    tried: Instant,
    took: Duration,
    times: usize,
}

struct Player {
    id: PlayerId,
    /// The node that it likes best.
    home: usize,
    diary: Diary,
    team: Mutex<Option<TeamId>>,
    evidence: Mutex<Evidence>,
    /// The connection, and at which node.
    client: watch::Sender<Option<(Client, usize)>>,
}

/// All of them.
pub(crate) struct Players {
    all: Vec<Arc<Player>>,
    readers: JoinSet<()>,
    speakers: JoinSet<()>,
    stop: watch::Sender<bool>,
}

/// A moment of play: who was where.
pub(crate) struct Mark {
    begun: Instant,
    /// Of each player: what it is to the one that a fault strikes.
    places: Vec<Place>,
    connects: Vec<usize>,
    /// How often shards had changed hands.
    pub moves: u64,
}

impl Player {
    fn evidence(&self) -> MutexGuard<'_, Evidence> {
        self.evidence.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hear(&self, offset: u64, data: &Value) {
        self.diary.told(offset, data);
        let said = (data["type"] == "team.said").then(|| data["text"].as_str().unwrap_or_default().to_owned());
        let mut evidence = self.evidence();
        evidence.heard.push((offset, said));
        evidence.joined |= data["type"] == "team.joined";
        evidence.resume.iter_mut().for_each(|resume| resume.offset = offset);
    }

    /// Stays connected, to any node that takes it, and hears.
    async fn listen(self: Arc<Self>, ground: Arc<Ground>) {
        let mut next = self.home;
        loop {
            let Some((node, port)) = ground.front.pick(next) else {
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            };
            let (url, from) = (format!("ws://127.0.0.1:{port}/connect"), self.evidence().resume.clone());
            // Whoever was sent away or left goes on to the next, and comes round to where it likes to be.
            next = if node == self.home { node + 1 } else { self.home };
            match Client::connect(&url, &ground.token(&self.id), from.clone()).await {
                Ok((client, connected)) => {
                    let Some((_, own)) = connected.own() else { continue };
                    let resumed = from.clone().map(|Resume { epoch, offset }| Position { epoch, offset });
                    let (epoch, offset, recovered) = (own.epoch.clone(), own.offset, own.recovered);
                    self.diary.connected(Connected { epoch: epoch.clone(), resumed, recovered, offset });
                    if from.is_some() && !recovered {
                        self.evidence().faults.push(format!("{} could not go on where it was", self.id));
                    }
                    self.evidence().resume.get_or_insert(Resume { epoch, offset });
                    for missed in &own.publications {
                        self.hear(missed.offset.unwrap_or(0), &missed.data);
                    }
                    self.evidence().connects += 1;
                    self.client.send_replace(Some((client.clone(), node)));
                    self.hear_all(&client).await;
                    self.client.send_replace(None);
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    async fn hear_all(&self, client: &Client) {
        while let Some(push) = client.next_push().await {
            match push {
                Push::Publication { data, offset: Some(offset), .. } => self.hear(offset, &data),
                Push::Publication { .. } => {}
                Push::Disconnected { reason, .. } => return self.diary.disconnected(&reason),
            }
        }
    }

    /// Has a command done, however often that must be tried; gives the answer, and how often it was asked.
    async fn insist(&self, method: &str, data: Value) -> (Value, usize) {
        let mut times = 0;
        loop {
            let client = self.client.borrow().clone();
            if let Some((client, _)) = client {
                times += 1;
                let request = self.diary.asked(method, &data);
                let answer = client.rpc_within(method, data.clone(), ANSWER).await;
                let outcome = match &answer {
                    Ok(answer) => Outcome::Done(answer.clone()),
                    Err(ClientError::Rpc { code, .. }) => Outcome::Refused(*code),
                    Err(_) => Outcome::Unknown,
                };
                self.diary.answered(request, outcome);
                match answer {
                    Ok(answer) => return (answer, times),
                    Err(ClientError::Rpc { temporary: false, code, message }) => {
                        self.evidence().faults.push(format!("{method} {data} was refused: {message} ({code})"));
                        return (Value::Null, times);
                    }
                    Err(_) => {}
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn speak(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        for number in 0.. {
            if tokio::time::timeout(EVERY, stop.wait_for(|stop| *stop)).await.is_ok() {
                return;
            }
            let (text, tried) = (format!("{} {number}", self.id), Instant::now());
            let say = json!({ "cmd": format!("say-{number}"), "text": text });
            let (_, times) = self.insist("team.say", say).await;
            self.evidence().said.push(Said { text, tried, took: tried.elapsed(), times });
        }
    }

    /// What a node is to this player.
    fn place(&self, node: &str, place: usize, owners: &Owners) -> Place {
        let seated = self.client.borrow().as_ref().is_none_or(|(_, at)| *at == place);
        let team = self.team.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let entities = [Some(EntityId::Player(self.id.clone())), team.map(EntityId::Team)];
        let owner = |entity: &EntityId| owners.get(&Shard::of(entity).number()).is_some_and(|owner| owner == node);
        match seated {
            true => Place::Session,
            false if entities.iter().flatten().any(owner) => Place::Entity,
            false => Place::Elsewhere,
        }
    }
}

impl Players {
    /// Connects them, makes the teams, and lets them talk.
    pub(crate) async fn set_out(ground: &Arc<Ground>) -> Self {
        let (mut readers, mut speakers, stop) = (JoinSet::new(), JoinSet::new(), watch::Sender::new(false));
        let mut all = Vec::new();
        for number in 0..PAIRS * 2 {
            let id = PlayerId::new(format!("talker{number}")).expect("an id");
            let (diary, client) = (ground.diary(id.clone()), watch::Sender::new(None));
            // The two of a pair on different nodes.
            let (home, team, evidence) = ((number / 2 + number % 2) % NODES, Mutex::default(), Mutex::default());
            let player = Arc::new(Player { id, home, diary, team, evidence, client });
            readers.spawn(Arc::clone(&player).listen(Arc::clone(ground)));
            all.push(player);
        }
        for (number, pair) in all.chunks(2).enumerate() {
            let team = json!({ "cmd": "found", "name": format!("Pair {number}") });
            let (team, _) = pair[0].insist("team.create", team).await;
            pair[1].insist("team.join", json!({ "cmd": "join", "code": team["invite"] })).await;
            for player in pair {
                *player.team.lock().expect("nobody panics") =
                    TeamId::new(team["team"].as_str().expect("its id")).ok();
            }
        }
        // The answer is the team's, and the player knows a moment later.
        let begun = Instant::now();
        while !all.iter().all(|player| player.evidence().joined) {
            assert!(begun.elapsed() < HEARD, "everyone was to hear of their teams");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        for player in &all {
            speakers.spawn(Arc::clone(player).speak(stop.subscribe()));
        }
        Self { all, readers, speakers, stop }
    }

    /// Now; and what a node that is about to be struck is to each.
    pub(crate) async fn mark(&self, cluster: &Cluster, node: Option<&str>) -> Mark {
        let owners = cluster.owners().await;
        let place = |player: &Arc<Player>| match node {
            Some(node) => player.place(node, cluster.place(node), &owners),
            None => Place::Elsewhere,
        };
        let places = self.all.iter().map(place).collect();
        let connects = self.all.iter().map(|player| player.evidence().connects).collect();
        Mark { begun: Instant::now(), places, connects, moves: cluster.moves().await }
    }

    /// Everyone goes back to where it came from, once that is open: whoever was not let in there tries again.
    pub(crate) async fn go_home(&self) {
        let begun = Instant::now();
        loop {
            let mut away = 0;
            for player in &self.all {
                let client = player.client.borrow().clone();
                match client {
                    Some((_, node)) if node == player.home => {}
                    Some((client, _)) => {
                        away += 1;
                        client.close().await;
                    }
                    None => away += 1,
                }
            }
            if away == 0 {
                return;
            }
            assert!(begun.elapsed() < HEARD, "everyone was to be let in at home");
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    /// How long answers took since then, once everyone has been answered something that was asked from now on.
    pub(crate) async fn gaps_since(&self, mark: &Mark) -> Gaps {
        let now = Instant::now();
        let answered = |player: &Arc<Player>| player.evidence().said.last().is_some_and(|said| said.tried >= now);
        while !self.all.iter().all(answered) {
            assert!(now.elapsed() < HEARD, "everyone was to be answered within {HEARD:?} after the trouble");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let mut gaps = Gaps::default();
        for ((player, place), before) in self.all.iter().zip(&mark.places).zip(&mark.connects) {
            let evidence = player.evidence();
            let since = evidence.said.iter().rev().take_while(|said| said.tried + said.took >= mark.begun);
            let since: Vec<&Said> = since.collect();
            let slowest = since.iter().map(|said| said.took).max().unwrap_or_default();
            gaps.add(*place, slowest, evidence.connects - before);
            gaps.answers += since.len();
            gaps.at_once += since.iter().filter(|said| said.times == 1).count();
        }
        gaps
    }

    /// What must not have happened.
    pub(crate) fn faults(&self) -> Vec<String> {
        self.all.iter().flat_map(|player| player.evidence().faults.clone()).collect()
    }

    /// Lets them finish, and holds what they heard against what was acknowledged.
    pub(crate) async fn rest(mut self) -> String {
        self.stop.send_replace(true);
        let finished = async { while self.speakers.join_next().await.is_some() {} };
        tokio::time::timeout(HEARD, finished).await.expect("the last words are acknowledged");
        let begun = Instant::now();
        loop {
            let missing = self.missing();
            if missing.is_empty() {
                break;
            }
            assert!(begun.elapsed() < HEARD, "acknowledged, but not heard: {missing:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        self.see_all().await;
        self.readers.shutdown().await;
        let (mut said, mut heard, mut connects) = (0, 0, 0);
        for player in &self.all {
            let evidence = player.evidence();
            assert!(evidence.faults.is_empty(), "{:?}", evidence.faults);
            let offsets: Vec<u64> = evidence.heard.iter().map(|(offset, _)| *offset).collect();
            let dense = offsets.windows(2).all(|two| two[1] == two[0] + 1);
            assert!(dense, "{} heard notices twice, or not in order, or not at all: {offsets:?}", player.id);
            (said, heard, connects) =
                (said + evidence.said.len(), heard + offsets.len(), connects + evidence.connects);
        }
        format!(
            "{said} commands acknowledged, {heard} notices heard by {} players over {connects} connections: lost 0, twice 0",
            self.all.len()
        )
    }

    /// The last look: what each sees now is final, and `verify` compares it.
    async fn see_all(&self) {
        for player in &self.all {
            player.diary.settled();
            let client = player.client.borrow().clone();
            let (client, _) = client.expect("it is connected when all is well");
            let request = player.diary.asked("state.get", &json!({}));
            let state = client.rpc_within("state.get", json!({}), ANSWER).await.expect("it can be had");
            player.diary.state(request, &state);
        }
    }

    /// What was acknowledged and is not heard by both of a pair.
    fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        for pair in self.all.chunks(2) {
            let said: Vec<String> = pair
                .iter()
                .flat_map(|one| one.evidence().said.iter().map(|said| said.text.clone()).collect::<Vec<_>>())
                .collect();
            for one in pair {
                let evidence = one.evidence();
                let heard: std::collections::BTreeSet<&str> =
                    evidence.heard.iter().filter_map(|(_, text)| text.as_deref()).collect();
                missing.extend(
                    said.iter()
                        .filter(|text| !heard.contains(text.as_str()))
                        .map(|text| format!("{} not by {}", text, one.id)),
                );
            }
        }
        missing
    }
}
