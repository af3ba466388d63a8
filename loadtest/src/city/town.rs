//! The town that is played in: streets, places along them, and the two quests that a city of players plays there.
//!
//! One quest is walked (`city-walk`): places at street corners, where one has to be, answer, scan, choose or meet. The
//! other is answered anywhere (`city-quiz`), so that awards can be asked for at a rate of one's own, whatever the way
//! between two places. Both may be played again, so a run has no end. Promise: the same streets, seed and size give the
//! same town in every process.

use crate::fault::Fault;
use flate2::read::GzDecoder;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use waystone::walk::{LonLat, Streets};

/// The quests' ids.
pub const WALK: &str = "city-walk";
pub const QUIZ: &str = "city-quiz";
/// Questions in a run of the quiz: few enough that all fit the notices that are kept for who comes back.
pub const QUESTIONS: usize = 20;
/// The code on every wall, the answer to every question, the option that everybody takes.
pub const CODE: &str = "K-1872";
pub const ANSWER: &str = "granite";
pub const OPTION: &str = "left";
/// Codes of the limited stock: fewer than teams finish in any run that is worth the name.
const STOCK: u32 = 40;
/// Radius of a place, and least distance between two, in metres; less where the streets have no room.
const RADIUS: f64 = 30.0;
const APART: f64 = 150.0;
/// Places that one goes to next.
const NEIGHBOURS: usize = 5;
/// Largest map that is read: a large city, unpacked.
const MAP_BYTES_MAX: u64 = 256 << 20;

/// What is to be done at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Be there.
    Visit,
    /// Answer there.
    Answer,
    /// Scan there.
    Scan,
    /// Choose there.
    Choose,
    /// Be there, two of the team within a minute.
    Together,
}

/// A town.
#[derive(Debug)]
pub struct Town {
    streets: Streets,
    places: Vec<LonLat>,
    neighbours: Vec<Vec<usize>>,
    routes: HashMap<(usize, usize), Arc<[LonLat]>>,
}

impl Town {
    /// On the streets of a file, or of Helsinki; with so many places.
    pub fn build(streets: Option<&Path>, places: usize, seed: u64) -> Result<Self, Fault> {
        let text = match streets {
            None => unpacked(waystone::demo::MAP)?,
            Some(path) => {
                let bytes = std::fs::read(path).map_err(|source| Fault::Io { path: path.to_owned(), source })?;
                if bytes.starts_with(&[0x1f, 0x8b]) {
                    unpacked(&bytes)?
                } else {
                    String::from_utf8(bytes).map_err(|_| Fault::Settings("the map is not UTF-8".to_owned()))?
                }
            }
        };
        let streets = Streets::from_geojson(&text).map_err(|err| Fault::Settings(err.to_string()))?;
        let mut rng = StdRng::seed_from_u64(seed);
        let spots = spread(&streets, places, &mut rng)?;
        let near = |from: usize| {
            let mut others: Vec<usize> = (0..spots.len()).filter(|to| *to != from).collect();
            others.sort_by(|a, b| {
                let gap = |to: &usize| spots[from].meters_to(spots[*to]);
                gap(a).total_cmp(&gap(b))
            });
            others.truncate(NEIGHBOURS);
            others
        };
        let neighbours: Vec<Vec<usize>> = (0..spots.len()).map(near).collect();
        let mut routes = HashMap::new();
        for (from, nexts) in neighbours.iter().enumerate() {
            for to in nexts {
                let way: Arc<[LonLat]> = streets.route_to_point(spots[from], spots[*to]).into();
                routes.insert((from, *to), way);
            }
        }
        Ok(Self { streets, places: spots, neighbours, routes })
    }

    /// Where places are.
    pub fn places(&self) -> &[LonLat] {
        &self.places
    }

    /// What is to be done at a place.
    pub fn verb(place: usize) -> Verb {
        [Verb::Visit, Verb::Answer, Verb::Visit, Verb::Scan, Verb::Together, Verb::Choose][place % 6]
    }

    /// Where one goes from a place, and how: the `turn`-th of its neighbours.
    pub fn next(&self, from: usize, turn: usize) -> (usize, Arc<[LonLat]>) {
        let near = &self.neighbours[from];
        let to = near.get(turn % near.len().max(1)).copied().unwrap_or(from);
        (to, self.routes.get(&(from, to)).cloned().unwrap_or_default())
    }

    /// The streets as lines, thinned to so many points, for a picture.
    pub fn lines(&self, points: usize) -> Vec<Vec<(f64, f64)>> {
        let pieces = self.streets.pieces();
        let every = (pieces.len() * 2).div_ceil(points.max(1)).max(1);
        let pair = |at: LonLat| (at.lon, at.lat);
        pieces.into_iter().step_by(every).map(|(a, b)| vec![pair(a), pair(b)]).collect()
    }

    /// The files of its quests.
    pub fn quests(&self) -> [String; 2] {
        [self.walk_quest(), quiz_quest()]
    }

    fn walk_quest(&self) -> String {
        let mut text = format!(
            "schema: quest/v1\nid: {WALK}\ntitle: A walk through the city\n\
             play: {{ mode: team, team_size: [1, 60], repeat: again }}\n\
             safety: {{ max_speed: 8, min_accuracy: 50, min_score: 0.5, show_position_to: team }}\nplaces:\n"
        );
        // Writing to a String cannot fail.
        for (place, LonLat { lon, lat }) in self.places.iter().enumerate() {
            let _ = writeln!(text, "  p{place}: {{ center: [{lon:.6}, {lat:.6}], radius: {RADIUS} }}");
        }
        text.push_str("steps:\n");
        for place in 0..self.places.len() {
            let verb = match Self::verb(place) {
                Verb::Visit => format!("visit: {{ at: p{place} }}"),
                Verb::Together => format!("visit: {{ at: p{place}, team: {{ members: 2, together: 1m }} }}"),
                Verb::Answer => {
                    format!("answer: {{ at: p{place}, question: \"Of what?\", accept: [{ANSWER}] }}")
                }
                Verb::Scan => format!("scan: {{ at: p{place}, code: \"{CODE}\" }}"),
                Verb::Choose => format!(
                    "choose: {{ at: p{place}, question: \"Where?\", options: \
                     [{{ id: {OPTION}, label: Left }}, {{ id: right, label: Right }}] }}"
                ),
            };
            let _ = writeln!(text, "  - {{ id: s{place}, {verb}, points: 10 }}");
        }
        let _ = write!(
            text,
            "rewards:\n  - {{ give: {{ badge: walker }}, each: player }}\n  - {{ give: {{ code_pool: tickets }}, \
             each: team, stock: {STOCK}, otherwise: {{ points: 20 }} }}\n"
        );
        text
    }
}

fn quiz_quest() -> String {
    let mut text = format!(
        "schema: quest/v1\nid: {QUIZ}\ntitle: A quiz\n\
         play: {{ mode: team, team_size: [1, 60], repeat: again }}\nsteps:\n"
    );
    for question in 0..QUESTIONS {
        let answer = format!("{{ question: \"Of what?\", accept: [{ANSWER}] }}");
        let _ = writeln!(text, "  - {{ id: q{question}, answer: {answer}, points: 1 }}");
    }
    text.push_str("rewards:\n  - { give: { points: 5 }, each: player }\n");
    text
}

/// Corners that lie apart; nearer to one another the longer it takes to find the next.
fn spread(streets: &Streets, count: usize, rng: &mut StdRng) -> Result<Vec<LonLat>, Fault> {
    let (mut spots, mut apart): (Vec<LonLat>, f64) = (Vec::new(), APART);
    while spots.len() < count {
        let spot = streets.position(streets.node(rng.random::<u32>() as usize));
        if spots.iter().all(|other| other.meters_to(spot) >= apart) {
            spots.push(spot);
        } else {
            apart *= 0.999;
        }
        if apart < RADIUS {
            let why = format!("the streets have room for {} places only: ask for fewer", spots.len());
            return Err(Fault::Settings(why));
        }
    }
    Ok(spots)
}

fn unpacked(bytes: &[u8]) -> Result<String, Fault> {
    let mut text = String::new();
    let read = GzDecoder::new(bytes).take(MAP_BYTES_MAX).read_to_string(&mut text);
    read.map_err(|err| Fault::Settings(format!("the map cannot be unpacked: {err}")))?;
    Ok(text)
}

/// The step of a place, or a question, by its number.
pub fn number(step: &str) -> Option<usize> {
    step.get(1..)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn town_is_the_same_for_the_same_seed_and_its_quests_are_sound() {
        let (one, two) = (Town::build(None, 24, 7).expect("a town"), Town::build(None, 24, 7).expect("a town"));
        assert_eq!(one.places(), two.places());
        assert_ne!(one.places(), Town::build(None, 24, 8).expect("a town").places());
        for text in one.quests() {
            let read = waystone::content::publish(&text, "city", 1, &|_| String::new());
            assert!(read.is_ok(), "{}", read.err().map_or_else(String::new, |report| report.to_string()));
        }
        let (to, way) = one.next(3, 1);
        assert!(way.len() >= 2 && to != 3, "{to} {way:?}");
        assert!(way.first().is_some_and(|from| from.meters_to(one.places()[3]) < 1.0));
        assert!(one.lines(1_000).len() <= 500, "{}", one.lines(1_000).len());
    }

    #[test]
    fn more_places_than_corners_are_refused() {
        assert!(matches!(Town::build(None, 5_000, 1), Err(Fault::Settings(_))));
    }
}
