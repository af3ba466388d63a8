//! The part of the map that a client looks at: `map:<west>,<south>,<east>,<north>`, in degrees.
//!
//! Promise: what lies on an edge is inside; a window may lie across the antimeridian (then its west is greater than its
//! east), and what is no window has no channel.

use std::fmt;

/// A window, under the name that its client gave it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Viewport {
    /// As the client wrote it: pushes must name the channel as its subscription does.
    name: String,
    /// West, south, east, north, in ten-millionths of a degree: whole, so that windows can be compared.
    edges: [i64; 4],
}

/// Ten-millionths of a degree.
fn fine(degrees: f64) -> i64 {
    // Checked to be within 180 degrees, so it fits by far.
    (degrees * 1e7).round() as i64
}

impl Viewport {
    /// From what stands behind `map:`.
    pub fn parse(name: &str) -> Option<Self> {
        let numbers: Vec<f64> = name.split(',').map(|number| number.parse().ok()).collect::<Option<_>>()?;
        let [west, south, east, north] = numbers[..] else { return None };
        let within = |degrees: f64, most: f64| degrees.abs() <= most;
        let on_earth = within(west, 180.0) && within(east, 180.0) && within(south, 90.0) && within(north, 90.0);
        let upright = south <= north;
        (on_earth && upright).then(|| Self { name: name.to_owned(), edges: [west, south, east, north].map(fine) })
    }

    /// Whether it shows a place.
    pub fn shows(&self, lon: f64, lat: f64) -> bool {
        let [west, south, east, north] = self.edges;
        let (lon, lat) = (fine(lon), fine(lat));
        let between = if west <= east { west <= lon && lon <= east } else { lon >= west || lon <= east };
        between && south <= lat && lat <= north
    }
}

impl fmt::Display for Viewport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn window_shows_what_lies_in_it_and_on_its_edges() {
        let window = Viewport::parse("24.9,60.1,25.0,60.2").expect("a window");
        for (lon, lat, shown) in [
            (24.95, 60.15, true),
            (24.9, 60.1, true),
            (25.0, 60.2, true),
            (24.8999, 60.15, false),
            (25.0001, 60.15, false),
            (24.95, 60.0999, false),
            (24.95, 60.2001, false),
            (-24.95, 60.15, false),
        ] {
            assert_eq!(window.shows(lon, lat), shown, "{lon} {lat}");
        }
        let across = Viewport::parse("179,-10,-179,10").expect("a window");
        let shown = [179.5, -179.5, 180.0, -180.0, 178.9, -178.9, 0.0].map(|lon| across.shows(lon, 0.0));
        assert_eq!(shown, [true, true, true, true, false, false, false]);
        assert!(Viewport::parse("-180,-90,180,90").expect("the earth").shows(1.0, 2.0));
    }

    #[test]
    fn what_is_no_window_is_refused() {
        for name in [
            "",
            "1,2,3",
            "1,2,3,4,5",
            "a,b,c,d",
            "1,4,3,2",
            "1,2,181,3",
            "1,-91,2,3",
            "NaN,1,2,3",
            "1,2,inf,3",
            "1 ,2,3,4",
        ] {
            assert_eq!(Viewport::parse(name), None, "{name}");
        }
    }
}
