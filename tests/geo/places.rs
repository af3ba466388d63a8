//! The places that are asked about, made from a seed as in `data/polygons/make_expected.py`: step for step the same.

use serde_json::Value;

/// A whole turn in units of 1e-7 degrees.
pub const TURN: i64 = 3_600_000_000;
/// Half of it.
pub const HALF: i64 = TURN / 2;
/// A pole's latitude.
pub const POLE: i64 = TURN / 4;

/// A place in units.
pub type Place = (i64, i64);

/// West, south, east, north.
pub type Box4 = (i64, i64, i64, i64);

/// SplitMix64.
pub struct Dice(pub u64);

impl Dice {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: i64) -> i64 {
        (self.next() % n as u64) as i64
    }
}

/// One area as it was drawn.
pub struct Drawn {
    pub edges: Vec<(Place, Place)>,
    pub bounds: Box4,
}

/// Reads the rings of a Polygon or MultiPolygon.
pub fn drawn(geometry: &Value) -> Drawn {
    let list = |value: &Value| value.as_array().expect("a list").clone();
    let unit = |value: &Value| (value.as_f64().expect("a number") * 1e7).round() as i64;
    let place = |pair: &Value| (unit(&pair[0]), unit(&pair[1]));
    let parts = match geometry["type"].as_str() {
        Some("MultiPolygon") => list(&geometry["coordinates"]),
        _ => vec![geometry["coordinates"].clone()],
    };
    let rings: Vec<Vec<Place>> =
        parts.iter().flat_map(list).map(|ring| list(&ring).iter().map(place).collect()).collect();
    let of = |axis: fn(&Place) -> i64| rings.iter().flatten().map(axis);
    let (xs, ys) = (|p: &Place| p.0, |p: &Place| p.1);
    let least = |axis| of(axis).min().expect("not empty");
    let most = |axis| of(axis).max().expect("not empty");
    let (west, east) = if most(xs) - least(xs) <= HALF { (least(xs), most(xs)) } else { (-HALF, HALF) };
    let (low, high) = (least(ys), most(ys));
    let polar = 800_000_000;
    let bounds = (west, if low < -polar { -POLE } else { low }, east, if high > polar { POLE } else { high });
    Drawn { edges: rings.iter().flat_map(|ring| ring.windows(2)).map(|pair| (pair[0], pair[1])).collect(), bounds }
}

/// The place with that number.
pub fn place(dice: &mut Dice, number: usize, areas: &[Drawn]) -> Place {
    let area = &areas[dice.below(areas.len() as i64) as usize];
    let (x, y) = if number.is_multiple_of(5) {
        let (west, south, east, north) = area.bounds;
        let (wide, high) = ((east - west) / 10 + 1000, (north - south) / 10 + 1000);
        let x = west - wide + dice.below(east - west + 2 * wide);
        (x, south - high + dice.below(north - south + 2 * high))
    } else {
        let ((ax, ay), (bx, by)) = area.edges[dice.below(area.edges.len() as i64) as usize];
        let far = (bx - ax).abs() > HALF;
        let (dx, dy) = if far { (0, 0) } else { (bx - ax, by - ay) };
        match number % 5 {
            1 => {
                let part = dice.below(1001);
                let x = ax + (dx * part).div_euclid(1000) + dice.below(9001) - 4500;
                (x, ay + (dy * part).div_euclid(1000) + dice.below(9001) - 4500)
            }
            2 => (ax, ay),
            3 => (ax + dx.div_euclid(2), ay + dy.div_euclid(2)),
            _ => {
                let steps = common(dx, dy);
                let step = if steps > 0 { dice.below(steps) } else { 0 };
                if steps > 0 { (ax + dx / steps * step, ay + dy / steps * step) } else { (ax, ay) }
            }
        }
    };
    ((x + HALF).rem_euclid(TURN) - HALF, y.clamp(-POLE, POLE))
}

fn common(a: i64, b: i64) -> i64 {
    if b == 0 { a.abs() } else { common(b, a % b) }
}
