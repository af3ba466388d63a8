//! The room round a place: a box that shrinks with each edge near it, so that none is left in it.
//!
//! Promise: after an edge was kept out, no place in the box lies on it.

/// A box of whole units that are counted from a cell's corner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) west: i32,
    pub(super) south: i32,
    pub(super) east: i32,
    pub(super) north: i32,
}

impl Room {
    /// The place lies on an edge, or too near to tell: no box at all.
    pub(super) fn close(&mut self) {
        *self = Self { west: i32::MAX, south: i32::MAX, east: i32::MIN, north: i32::MIN };
    }

    /// Keeps out an edge whose box `p` does not lie in.
    #[inline]
    pub(super) fn keep_out_box(&mut self, a: (i32, i32), b: (i32, i32), p: (i32, i32)) {
        let (west, east) = (a.0.min(b.0), a.0.max(b.0));
        let (south, north) = (a.1.min(b.1), a.1.max(b.1));
        if west > self.east || east < self.west || south > self.north || north < self.south {
            return;
        }
        // How far the edge's box is off to each side; the farthest side costs the box least.
        let (to_east, to_west) = (west - p.0, p.0 - east);
        let (to_north, to_south) = (south - p.1, p.1 - north);
        let farthest = to_east.max(to_west).max(to_north.max(to_south));
        if farthest == to_east {
            self.east = west - 1;
        } else if farthest == to_west {
            self.west = east + 1;
        } else if farthest == to_north {
            self.north = south - 1;
        } else {
            self.south = north + 1;
        }
    }

    /// Keeps out an edge whose box has `p` in it, though not the edge: the room ends where its corner would meet the
    /// edge's line. `turn` is positive when `p` lies left of the way from `a` to `b`.
    pub(super) fn keep_out_line(&mut self, a: (i32, i32), b: (i32, i32), p: (i32, i32), turn: i64) {
        let (dx, dy) = (i64::from(b.0) - i64::from(a.0), i64::from(b.1) - i64::from(a.1));
        // One unit changes the turn by dy eastward and by dx northward.
        let steps = (turn.abs() - 1).max(0) / (dx.abs() + dy.abs()).max(1);
        let steps = i32::try_from(steps).unwrap_or(i32::MAX / 4);
        if (turn > 0) == (dy > 0) {
            self.east = self.east.min(p.0.saturating_add(steps));
        } else {
            self.west = self.west.max(p.0.saturating_sub(steps));
        }
        if (turn > 0) == (dx < 0) {
            self.north = self.north.min(p.1.saturating_add(steps));
        } else {
            self.south = self.south.max(p.1.saturating_sub(steps));
        }
    }

    /// Keeps to so many units around `p`.
    pub(super) fn keep_within(&mut self, p: (i32, i32), x: i32, y: i32) {
        self.keep_sides(p, (x, x), (y, y));
    }

    /// Keeps to so many units west and east, south and north of `p`.
    #[inline]
    fn keep_sides(&mut self, p: (i32, i32), (west, east): (i32, i32), (south, north): (i32, i32)) {
        self.west = self.west.max(p.0.saturating_sub(west));
        self.east = self.east.min(p.0.saturating_add(east));
        self.south = self.south.max(p.1.saturating_sub(south));
        self.north = self.north.min(p.1.saturating_add(north));
    }

    /// Keeps out a circle of radius 1 that is too wide rather than too narrow; `u`, `v` lead from its middle to `p`,
    /// in radii, and `kx`, `ky` are the radii in a unit.
    #[inline]
    pub(super) fn keep_off_disc(&mut self, p: (i32, i32), (u, v): (f32, f32), (kx, ky): (f32, f32)) {
        // Metres to the circle's box on either axis count alike in radii.
        let (off_x, off_y) = (u.abs() - 1.0, v.abs() - 1.0);
        if off_x > 0.0 || off_y > 0.0 {
            if off_x > off_y {
                self.keep_toward_x(p, u, (off_x / kx) as i32 - 2);
            } else {
                self.keep_toward_y(p, v, (off_y / ky) as i32 - 2);
            }
            return;
        }
        let off = ((u * u + v * v).sqrt() - 1.0) * std::f32::consts::FRAC_1_SQRT_2;
        self.keep_toward_x(p, u, (off / kx) as i32 - 2);
        self.keep_toward_y(p, v, (off / ky) as i32 - 2);
    }

    /// Keeps inside a circle of radius 1 that is too narrow rather than too wide.
    #[inline]
    pub(super) fn keep_in_disc(&mut self, p: (i32, i32), (u, v): (f32, f32), (kx, ky): (f32, f32)) {
        let left = (1.0 - (u * u + v * v).sqrt()) * std::f32::consts::FRAC_1_SQRT_2;
        // Away from the middle by what is left on both axes, and over it to the mirror image of that.
        let (far_x, far_y) = (left + 2.0 * u.abs(), left + 2.0 * v.abs());
        let whole = |radii: f32, k: f32| (radii / k) as i32 - 2;
        let (away_x, away_y) = (whole(left, kx), whole(left, ky));
        if away_x < 0 || away_y < 0 {
            return self.close();
        }
        let (toward_x, toward_y) = (whole(far_x, kx), whole(far_y, ky));
        let west_east = if u > 0.0 { (toward_x, away_x) } else { (away_x, toward_x) };
        let south_north = if v > 0.0 { (toward_y, away_y) } else { (away_y, toward_y) };
        self.keep_sides(p, west_east, south_north);
    }

    /// At most so many units towards a middle that lies `u` back.
    #[inline]
    fn keep_toward_x(&mut self, p: (i32, i32), u: f32, units: i32) {
        if units < 0 {
            self.close();
        } else if u > 0.0 {
            self.west = self.west.max(p.0.saturating_sub(units));
        } else {
            self.east = self.east.min(p.0.saturating_add(units));
        }
    }

    #[inline]
    fn keep_toward_y(&mut self, p: (i32, i32), v: f32, units: i32) {
        if units < 0 {
            self.close();
        } else if v > 0.0 {
            self.south = self.south.max(p.1.saturating_sub(units));
        } else {
            self.north = self.north.min(p.1.saturating_add(units));
        }
    }
}
