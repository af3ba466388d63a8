//! Measuring on the WGS84 ellipsoid, and exact tests on the grid of 1e-7 degrees.
//!
//! Haversine is up to 0.56 % off, which is 56 cm at the edge of a 100 m circle, so it must not decide membership.
//! Promise: [`distance`] is within 1 cm of the geodesic up to 100 km, at any latitude; [`turn`] is exact, hence equal
//! on every machine and at every replay.

/// Units of the grid in a degree.
pub(super) const UNITS_PER_DEGREE: f64 = 1e7;
/// The whole way round, in units.
pub(super) const FULL_TURN: i64 = 3_600_000_000;

/// WGS84 semi-major axis in metres.
const SEMI_MAJOR: f64 = 6_378_137.0;
/// Radius in metres of the sphere with the surface of WGS84.
const MEAN_RADIUS: f64 = 6_371_007.2;
/// WGS84 flattening.
const FLATTENING: f64 = 1.0 / 298.257_223_563;
/// First eccentricity squared.
const ECC2: f64 = FLATTENING * (2.0 - FLATTENING);
/// Where the mid-latitude formula hands over to the chord; its error grows with d^3 (1 + tan^2 lat), and at 10 km it
/// would be 2 cm at 77 degrees.
const LOCAL_MAX_METERS: f64 = 2_000.0;
/// Latitude in degrees from which edges are measured as spirals round the pole: there the flat frame is 1 mm off at
/// 1 km, and beyond it gets worse quickly.
const POLAR_LATITUDE: f64 = 88.0;
/// Metres of a degree of latitude at a pole.
const METERS_PER_DEGREE_AT_POLE: f64 = 111_694.0;
/// Latitude in degrees from which the chord measures everything.
const LOCAL_MAX_LATITUDE: f64 = 80.0;

/// A place on the grid. `x` may run past +-180 degrees, so that a shape across the antimeridian stays in one piece.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct GridPoint {
    /// Longitude in 1e-7 degrees, unwrapped.
    pub(super) x: i64,
    /// Latitude in 1e-7 degrees.
    pub(super) y: i64,
}

impl GridPoint {
    /// Latitude in degrees.
    pub(super) fn latitude(self) -> f64 {
        self.y as f64 / UNITS_PER_DEGREE
    }

    /// The same place, by whole turns as near to `x` as can be.
    pub(super) fn turned_toward(self, x: i64) -> Self {
        let turns = (x - self.x + FULL_TURN / 2).div_euclid(FULL_TURN);
        Self { x: self.x + turns * FULL_TURN, y: self.y }
    }
}

/// Radii of curvature in metres at a latitude: along the meridian and across it (M and N of the textbooks).
fn radii(sine: f64) -> (f64, f64) {
    let w = 1.0 - ECC2 * sine * sine;
    let across = SEMI_MAJOR / w.sqrt();
    (across * (1.0 - ECC2) / w, across)
}

/// Metres for one degree of longitude and one of latitude, at a latitude in degrees.
fn meters_per_degree(latitude: f64) -> (f64, f64) {
    let (sine, cosine) = latitude.to_radians().sin_cos();
    let (along, across) = radii(sine);
    ((across * cosine).to_radians(), along.to_radians())
}

/// Metres between two places: latitudes in degrees, and the difference of longitude, wrapped to +-180 degrees here.
///
/// Short ways use the scale at the middle latitude (error below 0.05 (1 + tan^2 lat) d^3 / R^2: 0.3 mm at 2 km and
/// 80 degrees). Long and polar ways use the straight chord c through the earth, as an arc 2 R asin(c / 2R) with
/// R = sqrt(M N) at the middle: 7 mm off at 100 km; for other continents good to 0.6 %, enough to see a teleport.
pub(super) fn distance(dlon: f64, lat1: f64, lat2: f64) -> f64 {
    let dlon = dlon - 360.0 * (dlon / 360.0).round();
    let middle = 0.5 * (lat1 + lat2);
    if middle.abs() < LOCAL_MAX_LATITUDE {
        let (kx, ky) = meters_per_degree(middle);
        let d = (dlon * kx).hypot((lat2 - lat1) * ky);
        if d <= LOCAL_MAX_METERS {
            return d;
        }
    }
    let (along, across) = radii(middle.to_radians().sin());
    let radius = (along * across).sqrt();
    let (x1, y1, z1) = earth_centered(0.0, lat1);
    let (x2, y2, z2) = earth_centered(dlon, lat2);
    let chord = (x2 - x1).hypot(y2 - y1).hypot(z2 - z1);
    2.0 * radius * (chord / (2.0 * radius)).min(1.0).asin()
}

/// Earth-centred, earth-fixed coordinates in metres of a place on the ellipsoid.
pub(super) fn earth_centered(lon: f64, lat: f64) -> (f64, f64, f64) {
    let (sine, cosine) = lat.to_radians().sin_cos();
    let (_, across) = radii(sine);
    let (sin_lon, cos_lon) = lon.to_radians().sin_cos();
    (across * cosine * cos_lon, across * cosine * sin_lon, across * (1.0 - ECC2) * sine)
}

/// On which side of the way `a` -> `b` lies `c`: positive left, negative right, zero on its line. Exact.
pub(super) fn turn(a: GridPoint, b: GridPoint, c: GridPoint) -> i128 {
    let wide = |p: i64, q: i64| i128::from(p - q);
    wide(b.x, a.x) * wide(c.y, a.y) - wide(b.y, a.y) * wide(c.x, a.x)
}

/// Whether `p` lies on the segment `a`-`b`, ends included. Exact.
pub(super) fn on_segment(a: GridPoint, b: GridPoint, p: GridPoint) -> bool {
    let within = |p: i64, a: i64, b: i64| a.min(b) <= p && p <= a.max(b);
    within(p.x, a.x, b.x) && within(p.y, a.y, b.y) && turn(a, b, p) == 0
}

/// Whether two segments have a point in common. Exact.
pub(super) fn segments_touch(a: GridPoint, b: GridPoint, c: GridPoint, d: GridPoint) -> bool {
    let sides = |p, q, r, s| turn(p, q, r).signum() * turn(p, q, s).signum();
    (sides(a, b, c, d) < 0 && sides(c, d, a, b) < 0)
        || on_segment(a, b, c)
        || on_segment(a, b, d)
        || on_segment(c, d, a)
        || on_segment(c, d, b)
}

/// Whether two segments cross in a point inside both, or run along one another; meeting in an end is neither. Exact.
pub(super) fn segments_cross(a: GridPoint, b: GridPoint, c: GridPoint, d: GridPoint) -> bool {
    let sides = |p, q, r, s| turn(p, q, r).signum() * turn(p, q, s).signum();
    if sides(a, b, c, d) < 0 && sides(c, d, a, b) < 0 {
        return true;
    }
    // Two distinct points in common with both ends on one line: they run along one another.
    let mut common = None;
    let ends = [(a, b, c), (a, b, d), (c, d, a), (c, d, b)];
    ends.into_iter().filter(|&(p, q, r)| on_segment(p, q, r)).any(|(_, _, r)| *common.get_or_insert(r) != r)
}

/// Square metres of one square unit of the grid at a place's latitude.
pub(super) fn meters_per_unit2(place: GridPoint) -> f64 {
    let (kx, ky) = meters_per_degree(place.latitude());
    kx * ky / (UNITS_PER_DEGREE * UNITS_PER_DEGREE)
}

/// Square metres between an edge and the equator on the sphere with the earth's surface, negative when it runs east on
/// the northern side: over all edges of a ring that runs counter-clockwise, what it encloses.
pub(super) fn sphere_area(a: GridPoint, b: GridPoint) -> f64 {
    let [south, north] = [a, b].map(|p| p.latitude().to_radians());
    // The mean of the sine over the edge's latitudes.
    let mean = if (north - south).abs() < 1e-6 {
        ((north + south) / 2.0).sin()
    } else {
        (south.cos() - north.cos()) / (north - south)
    };
    let dlon = ((b.x - a.x) as f64 / UNITS_PER_DEGREE).to_radians();
    -dlon * mean * MEAN_RADIUS * MEAN_RADIUS
}

/// A flat frame round one place: the scale at its latitude, held constant.
///
/// An affine map keeps lines straight, so "straight in longitude and latitude" stays so; its error at distance d is
/// below 0.2 tan|lat| d^2 / R, so it finds the nearest point and [`distance`] then measures the way there.
pub(super) struct Frame {
    origin: GridPoint,
    kx: f64,
    ky: f64,
    /// Beside a pole, where no flat map with straight meridians will do: see [`Frame::nearest_on`].
    polar: bool,
}

impl Frame {
    /// The frame at a place.
    pub(super) fn at(origin: GridPoint) -> Self {
        let (kx, ky) = meters_per_degree(origin.latitude());
        let polar = origin.latitude().abs() >= POLAR_LATITUDE;
        Self { origin, kx: kx / UNITS_PER_DEGREE, ky: ky / UNITS_PER_DEGREE, polar }
    }

    /// Metres east and north of the frame's place.
    pub(super) fn offset(&self, p: GridPoint) -> (f64, f64) {
        ((p.x - self.origin.x) as f64 * self.kx, (p.y - self.origin.y) as f64 * self.ky)
    }

    /// The point of segment `a`-`b` nearest to the frame's place: its fraction of the way, and its squared metres.
    pub(super) fn nearest_on(&self, a: GridPoint, b: GridPoint) -> (f64, f64) {
        if self.polar {
            return self.nearest_round_pole(a, b);
        }
        nearest_on_segment(self.offset(a), self.offset(b), (0.0, 0.0))
    }

    /// A square that [`Self::nearest_on`] does not go below for any edge in the box.
    pub(super) fn least_square(&self, bounds: &Bounds) -> f64 {
        let outside = |p: i64, low: i64, high: i64| (low - p).max(p - high).max(0) as f64;
        let dx = outside(self.origin.x, bounds.low.x, bounds.high.x) * self.kx;
        let dy = outside(self.origin.y, bounds.low.y, bounds.high.y) * self.ky;
        // A hair less, so that rounding never makes it more; beside a pole only the latitude says anything.
        (1.0 - 1e-9) * if self.polar { 0.99 * dy * dy } else { dx * dx + dy * dy }
    }

    /// Round a pole, edges that are straight in longitude and latitude are spirals: looked for in short pieces on the
    /// flat map that has the pole in its middle, then closer and closer about the best.
    fn nearest_round_pole(&self, a: GridPoint, b: GridPoint) -> (f64, f64) {
        let pole = if self.origin.y < 0 { -90.0 } else { 90.0 };
        let spot = |x: f64, y: f64| {
            let reach = (pole - y / UNITS_PER_DEGREE).abs() * METERS_PER_DEGREE_AT_POLE;
            let (sine, cosine) = ((x - self.origin.x as f64) / UNITS_PER_DEGREE).to_radians().sin_cos();
            (reach * cosine, reach * sine)
        };
        let here = spot(self.origin.x as f64, self.origin.y as f64);
        let along = |from: i64, to: i64, part: f64| from as f64 + part * (to - from) as f64;
        let point = |part: f64| spot(along(a.x, b.x, part), along(a.y, b.y, part));
        let pieces = ((b.x - a.x).abs() as f64 / UNITS_PER_DEGREE / 4.0).ceil().max(1.0);
        let nearest = |from: f64, to: f64, pieces: f64| {
            let cut = |k: f64| from + (to - from) * k / pieces;
            let mut best = (from, f64::INFINITY);
            let mut k = 0.0;
            while k < pieces {
                let (fraction, square) = nearest_on_segment(point(cut(k)), point(cut(k + 1.0)), here);
                if square < best.1 {
                    best = (cut(k + fraction), square);
                }
                k += 1.0;
            }
            best
        };
        let mut best = nearest(0.0, 1.0, pieces);
        let mut width = 1.0 / pieces;
        // Each round divides the piece by four and its bend by sixteen: from 15 m to below a millimetre.
        for _ in 0..4 {
            best = nearest((best.0 - width).max(0.0), (best.0 + width).min(1.0), 8.0);
            width /= 4.0;
        }
        best
    }

    /// Metres, measured well, to the point at a fraction of the way from `a` to `b`.
    pub(super) fn measure(&self, a: GridPoint, b: GridPoint, fraction: f64) -> f64 {
        let between = |from: i64, to: i64, base: i64| (from - base) as f64 + fraction * (to - from) as f64;
        let dlon = between(a.x, b.x, self.origin.x) / UNITS_PER_DEGREE;
        let dlat = between(a.y, b.y, self.origin.y) / UNITS_PER_DEGREE;
        let latitude = self.origin.latitude();
        distance(dlon, latitude, latitude + dlat)
    }
}

/// The point of a flat segment nearest to `p`: its fraction of the way, and the squared distance.
pub(super) fn nearest_on_segment(a: (f64, f64), b: (f64, f64), p: (f64, f64)) -> (f64, f64) {
    let (vx, vy) = (b.0 - a.0, b.1 - a.1);
    let (wx, wy) = (p.0 - a.0, p.1 - a.1);
    let length2 = vx * vx + vy * vy;
    let fraction = if length2 > 0.0 { ((wx * vx + wy * vy) / length2).clamp(0.0, 1.0) } else { 0.0 };
    let (dx, dy) = (wx - fraction * vx, wy - fraction * vy);
    (fraction, dx * dx + dy * dy)
}

/// A box on the grid.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Bounds {
    pub(super) low: GridPoint,
    pub(super) high: GridPoint,
}

impl Bounds {
    /// The smallest box round some points; `None` when there are none.
    pub(super) fn around(points: impl IntoIterator<Item = GridPoint>) -> Option<Self> {
        points.into_iter().fold(None, |bounds: Option<Self>, p| Some(bounds.map_or(p.into(), |b| b.union(p.into()))))
    }

    /// The smallest box round both.
    pub(super) fn union(self, other: Self) -> Self {
        Self {
            low: GridPoint { x: self.low.x.min(other.low.x), y: self.low.y.min(other.low.y) },
            high: GridPoint { x: self.high.x.max(other.high.x), y: self.high.y.max(other.high.y) },
        }
    }

    /// Whether the two have a place in common.
    pub(super) fn meets(&self, other: &Self) -> bool {
        self.low.x <= other.high.x
            && other.low.x <= self.high.x
            && self.low.y <= other.high.y
            && other.low.y <= self.high.y
    }

    /// The same box so much further east and north.
    pub(super) fn moved(self, by: GridPoint) -> Self {
        let moved = |p: GridPoint| GridPoint { x: p.x + by.x, y: p.y + by.y };
        Self { low: moved(self.low), high: moved(self.high) }
    }

    /// The longitude in its middle.
    pub(super) fn middle_x(&self) -> i64 {
        (self.low.x + self.high.x).div_euclid(2)
    }

    /// In degrees, with every place within `margin` metres; all longitudes when that reaches a pole.
    pub(super) fn envelope(&self, margin: f64) -> Envelope {
        // The shortest degree of latitude is 110,574 m and a degree of longitude is at least 111,319 cos(lat) m;
        // the rounder numbers and the last digits are slack, which costs a candidate and never loses one.
        let dlat = margin / 110_000.0 + 1e-8;
        let south = self.low.latitude() - dlat;
        let north = self.high.latitude() + dlat;
        let steepest = south.abs().max(north.abs());
        if steepest >= 89.9 {
            return Envelope { west: -180.0, south, east: 180.0, north };
        }
        let dlon = margin / (111_000.0 * steepest.to_radians().cos()) + 1e-8;
        let (west, east) =
            (self.low.x as f64 / UNITS_PER_DEGREE - dlon, self.high.x as f64 / UNITS_PER_DEGREE + dlon);
        if east - west >= 360.0 {
            return Envelope { west: -180.0, south, east: 180.0, north };
        }
        Envelope { west, south, east, north }
    }
}

impl From<GridPoint> for Bounds {
    fn from(p: GridPoint) -> Self {
        Self { low: p, high: p }
    }
}

/// A box in degrees; `west` <= `east`, either may lie past +-180.
#[derive(Debug, Clone, Copy)]
pub(super) struct Envelope {
    pub(super) west: f64,
    pub(super) south: f64,
    pub(super) east: f64,
    pub(super) north: f64,
}
