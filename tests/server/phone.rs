//! A player's phone: walks at a person's pace by the test's clock, hears everything, remembers what it has heard.

use crate::harness::DEADLINE;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use waystone::clock::Clock;
use waystone::geo::position::Position;
use waystone::net::client::{Client, ClientError, Connected, Push, Resume};

/// Metres per second between two places: quick, but on foot.
const PACE: f64 = 4.0;
/// Metres between two fixes of [`Phone::walk`].
const STRIDE: f64 = 12.0;

/// A place on the map, as quest files have it: longitude first.
pub type Place = [f64; 2];

/// The phone.
pub struct Phone {
    pub player: String,
    pub client: Client,
    url: String,
    token: String,
    clock: Clock,
    pub epoch: String,
    /// The offset of the last notice heard.
    pub offset: u64,
    /// All notices, in the order heard.
    pub notices: Vec<Value>,
    /// Notices that no [`Self::expect`] has taken yet.
    unread: Vec<Value>,
    /// What came in live channels and is not taken yet.
    live: Vec<(String, Value)>,
    here: Option<Place>,
    pub seq: u64,
    commands: u32,
}

/// A refusal: code, message, whether temporary.
pub type Refused = (u32, String, bool);

impl Phone {
    pub async fn connect(url: &str, player: &str, token: &str, clock: Clock) -> Self {
        let (client, connected) = Client::connect(url, token, None).await.unwrap_or_else(|err| panic!("{err}"));
        let (channel, own) = connected.own().expect("every player has a channel");
        assert_eq!(channel, format!("#{player}"));
        let (epoch, offset) = (own.epoch.clone(), own.offset);
        let (notices, unread, live) = (Vec::new(), Vec::new(), Vec::new());
        let (url, token, player) = (url.to_owned(), token.to_owned(), player.to_owned());
        Self {
            player,
            client,
            url,
            token,
            clock,
            epoch,
            offset,
            notices,
            unread,
            live,
            here: None,
            seq: 0,
            commands: 0,
        }
    }

    /// Loses the connection without a word.
    pub fn enter_tunnel(&self) {
        self.client.kill();
    }

    /// Connects again from where it was; gives the server's answer, and hears what was missed.
    pub async fn leave_tunnel(&mut self) -> Connected {
        let resume = Resume { epoch: self.epoch.clone(), offset: self.offset };
        let connected = self.resume_from(resume).await;
        let own = connected.own().expect("a channel").1.clone();
        assert!(own.recovered, "{}: nothing was recovered: {connected:?}", self.player);
        for missed in own.publications {
            self.hear_notice(missed.data, missed.offset.expect("notices have offsets"));
        }
        connected
    }

    /// Connects again from anywhere.
    pub async fn resume_from(&mut self, resume: Resume) -> Connected {
        let again = Client::connect(&self.url, &self.token, Some(resume)).await;
        let (client, connected) = again.unwrap_or_else(|err| panic!("{}: {err}", self.player));
        self.client = client;
        connected
    }

    fn hear_notice(&mut self, data: Value, offset: u64) {
        // Dense: nothing is lost. Rising: nothing comes twice.
        assert_eq!(offset, self.offset + 1, "{} heard {data} after {:?}", self.player, self.kinds());
        assert!(data["at"].is_i64() && data["type"].is_string(), "{data}");
        self.offset = offset;
        self.notices.push(data.clone());
        self.unread.push(data);
    }

    fn hear(&mut self, push: Push) {
        match push {
            Push::Publication { data, offset: Some(offset), .. } => self.hear_notice(data, offset),
            Push::Publication { channel, data, offset: None } => self.live.push((channel, data)),
            Push::Disconnected { code, reason } => {
                panic!("{} was disconnected: {code} {reason}, after {:?}", self.player, self.kinds())
            }
        }
    }

    async fn hear_more(&mut self, end: Instant, wanted: &str) {
        match timeout_at(end, self.client.next_push()).await {
            Ok(Some(push)) => self.hear(push),
            Ok(None) => panic!("{}: the connection is over", self.player),
            Err(_) => panic!("{} never heard {wanted}; it heard {:#?}", self.player, self.notices),
        }
    }

    /// The next notice that has at least these fields; others stay unread.
    pub async fn expect(&mut self, fields: Value) -> Value {
        self.expect_any(&[fields]).await
    }

    /// The next notice that has at least the fields of one of these.
    pub async fn expect_any(&mut self, patterns: &[Value]) -> Value {
        let end = Instant::now() + DEADLINE;
        loop {
            let wanted = |notice: &Value| patterns.iter().any(|pattern| has(notice, pattern));
            if let Some(place) = self.unread.iter().position(wanted) {
                return self.unread.remove(place);
            }
            self.hear_more(end, &format!("{patterns:?}")).await;
        }
    }

    /// `step.completed` of a step.
    pub async fn expect_done(&mut self, step: &str) -> Value {
        self.expect(json!({"type": "step.completed", "step": step})).await
    }

    /// `step.opened` of a step.
    pub async fn expect_open(&mut self, step: &str) -> Value {
        self.expect(json!({"type": "step.opened", "step": {"id": step}})).await
    }

    /// The next live publication of a channel that pleases.
    pub async fn expect_live(&mut self, channel: &str, pleases: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + DEADLINE;
        loop {
            while !self.live.is_empty() {
                let (from, data) = self.live.remove(0);
                if from == channel && pleases(&data) {
                    return data;
                }
            }
            self.hear_more(end, channel).await;
        }
    }

    /// Types of all notices so far, in order.
    pub fn kinds(&self) -> Vec<&str> {
        self.notices.iter().filter_map(|notice| notice["type"].as_str()).collect()
    }

    /// How many notices like this came so far.
    pub fn count(&self, fields: &Value) -> usize {
        self.notices.iter().filter(|notice| has(notice, fields)).count()
    }

    /// How the server ends this connection.
    pub async fn closed(&mut self) -> (u32, String) {
        let end = Instant::now() + DEADLINE;
        loop {
            match timeout_at(end, self.client.next_push()).await.expect("the server closes in time") {
                Some(Push::Disconnected { code, reason }) => return (code, reason),
                Some(push) => self.hear(push),
                None => panic!("the end came before"),
            }
        }
    }

    /// A call that must succeed.
    pub async fn call(&self, method: &str, data: Value) -> Value {
        let answer = self.client.rpc(method, data.clone()).await;
        answer.unwrap_or_else(|err| panic!("{}: {method} {data}: {err}", self.player))
    }

    /// A call that must be refused.
    pub async fn refused(&self, method: &str, data: Value) -> Refused {
        match self.client.rpc(method, data.clone()).await {
            Err(ClientError::Rpc { code, message, temporary }) => (code, message, temporary),
            other => panic!("{}: {method} {data} was to be refused, not {other:?}", self.player),
        }
    }

    /// A subscription that must be refused.
    pub async fn refused_channel(&self, channel: &str) -> Refused {
        match self.client.subscribe(channel).await {
            Err(ClientError::Rpc { code, message, temporary }) => (code, message, temporary),
            other => panic!("{}: {channel} was to be refused, not {other:?}", self.player),
        }
    }

    /// A command under a new id.
    pub async fn act(&mut self, method: &str, mut data: Value) -> Value {
        self.commands += 1;
        data["cmd"] = json!(format!("{}-{}", self.player, self.commands));
        self.call(method, data).await
    }

    /// Founds a team and waits for the news of being in it.
    pub async fn found(&mut self, team: &str) {
        self.act("team.create", json!({ "name": team })).await;
        self.expect(json!({ "type": "team.joined" })).await;
    }

    /// Starts a quest and waits for the news of it, from which on the places count.
    pub async fn start(&mut self, quest: &str) {
        self.act("quest.start", json!({ "quest": quest })).await;
        self.expect(json!({ "type": "quest.started", "quest": quest })).await;
    }

    pub async fn state(&self) -> Value {
        self.call("state.get", json!({})).await
    }

    fn fix(&mut self, [lon, lat]: Place, ms_ago: i64) -> Value {
        self.seq += 1;
        let t = self.clock.now().as_millis() - ms_ago;
        json!({ "lat": lat, "lon": lon, "acc": 5.0, "t": t, "seq": self.seq })
    }

    /// Walks to a place, as long as that takes, and stands there for three fixes.
    pub async fn stand_at(&mut self, place: Place) {
        let way = self.here.map_or(0.0, |from| metres(from, place));
        self.clock.advance(Duration::from_secs_f64(way / PACE) + Duration::from_secs(3));
        let fixes: Vec<Value> = [2_000, 1_000, 0].map(|ago| self.fix(place, ago)).to_vec();
        self.report(fixes).await;
        self.here = Some(place);
    }

    /// Walks to a place and waits for the news of being there, from which on stays count.
    pub async fn enter(&mut self, name: &str, place: Place) -> Value {
        self.stand_at(place).await;
        self.expect(json!({ "type": "region.entered", "place": name })).await
    }

    /// Stands where it is for some time more.
    pub async fn stay(&mut self, span: Duration) {
        self.clock.advance(span);
        let here = self.here.expect("it stands somewhere");
        self.stand_at(here).await;
    }

    /// Walks straight from one point to the next.
    pub async fn walk(&mut self, points: &[Place]) {
        self.stand_at(points[0]).await;
        let mut way = Vec::new();
        for leg in points.windows(2) {
            let (from, to) = (leg[0], leg[1]);
            let strides = (metres(from, to) / STRIDE).ceil();
            let mut stride = 1.0;
            while stride <= strides {
                way.push([0, 1].map(|axis| from[axis] + (to[axis] - from[axis]) * stride / strides));
                stride += 1.0;
            }
        }
        let every = Duration::from_secs_f64(STRIDE / PACE);
        let mut fixes = Vec::new();
        for place in way {
            self.clock.advance(every);
            fixes.push(self.fix(place, 0));
        }
        self.report(fixes).await;
        self.here = points.last().copied();
    }

    async fn report(&self, fixes: Vec<Value>) {
        let sent = fixes.len();
        let reply = self.call("fixes", json!({ "fixes": fixes })).await;
        assert_eq!(reply["accepted"], sent, "{}: {reply}", self.player);
    }
}

fn metres(from: Place, to: Place) -> f64 {
    let position = |[lon, lat]: Place| Position::new(lon, lat).expect("on earth");
    position(from).distance(&position(to)).get()
}

/// Whether a value has at least what the pattern has.
pub fn has(value: &Value, pattern: &Value) -> bool {
    match pattern {
        Value::Object(fields) => fields.iter().all(|(name, wanted)| has(&value[name], wanted)),
        other => value == other,
    }
}
