//! Where one can walk: a graph of streets from GeoJSON, with the nearest node and the shortest way.
//!
//! Walkers that cross houses in a straight line never meet the fences as people do, so they follow real streets.
//! Promise: every two nodes are connected (only the largest connected part is kept), and a way is always the same
//! for the same map. Each search ends: it settles a node once, and a map has at most [`NODES_MAX`] of them.

mod joints;

use super::{LonLat, METERS_PER_DEGREE};
use rstar::RTree;
use rstar::primitives::GeomWithData;
use serde::Deserialize;
use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, HashMap};

/// The most nodes a map may have: a large city; beyond it the memory is no longer that of a demo.
pub const NODES_MAX: usize = 2_000_000;

/// Road classes that people walk on. Lifts, corridors, platforms and building sites are not among them.
const WALKABLE: [&str; 21] = [
    "footway",
    "pedestrian",
    "path",
    "steps",
    "residential",
    "living_street",
    "service",
    "unclassified",
    "tertiary",
    "tertiary_link",
    "secondary",
    "secondary_link",
    "primary",
    "primary_link",
    "cycleway",
    "trail",
    "track",
    "bridleway",
    "crossing",
    "road",
    "footpath",
];

/// A node of the graph; only [`Streets`] makes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(u32);

/// Why a text is not a map of streets.
#[derive(Debug, thiserror::Error)]
pub enum StreetsError {
    /// The text is not GeoJSON.
    #[error("not a GeoJSON feature collection: {0}; unpack the file first if its name ends in .gz")]
    NotGeoJson(#[from] serde_json::Error),
    /// A road's points are not lon, lat.
    #[error("road number {feature} has a point that is not [longitude, latitude] within range; export it again")]
    BadPoint {
        /// The feature's place in the collection, from 1.
        feature: usize,
    },
    /// No road to walk on.
    #[error(
        "the map has no road to walk on: features need a property highway such as \"footway\", or k = \"road\" and c"
    )]
    NoRoads,
    /// Larger than this module is made for.
    #[error("the map has more than {NODES_MAX} street nodes; cut it to the area of the quest")]
    TooLarge,
}

#[derive(Deserialize)]
struct Collection {
    features: Vec<Feature>,
}

#[derive(Deserialize)]
struct Feature {
    #[serde(default)]
    properties: Properties,
    geometry: Geometry,
}

#[derive(Deserialize, Default)]
struct Properties {
    k: Option<String>,
    c: Option<String>,
    /// As exports straight from OpenStreetMap have it, in place of the two.
    highway: Option<String>,
}

#[derive(Deserialize)]
struct Geometry {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    coordinates: serde_json::Value,
}

/// One end of a street piece, seen from the other end.
#[derive(Debug, Clone, Copy)]
struct Edge {
    to: u32,
    meters: f64,
}

type Indexed = GeomWithData<[f64; 2], u32>;

/// A connected graph of streets.
#[derive(Debug)]
pub struct Streets {
    nodes: Vec<LonLat>,
    /// The nodes in meters on a plane; edges are measured on it too, so the air line never exceeds a way's length.
    flat: Vec<[f64; 2]>,
    /// Node `n` has `edges[first[n]..first[n + 1]]`.
    first: Vec<u32>,
    edges: Vec<Edge>,
    index: RTree<Indexed>,
    origin: LonLat,
}

impl Streets {
    /// Reads the roads of a GeoJSON feature collection and keeps the largest connected part.
    pub fn from_geojson(text: &str) -> Result<Self, StreetsError> {
        let collection: Collection = serde_json::from_str(text)?;
        let mut draft = Draft::default();
        for (number, feature) in collection.features.iter().enumerate() {
            if feature.is_walkable() {
                draft.add_road(&feature.geometry.coordinates).map_err(|fault| match fault {
                    Fault::Point => StreetsError::BadPoint { feature: number + 1 },
                    Fault::Full => StreetsError::TooLarge,
                })?;
            }
        }
        draft.finish()
    }

    /// How many nodes there are; never none.
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// The node of this number, where `number` may be any: a way to pick one by chance.
    pub fn node(&self, number: usize) -> NodeId {
        NodeId(u32::try_from(number % self.nodes.len()).unwrap_or(0))
    }

    /// Where a node lies.
    pub fn position(&self, node: NodeId) -> LonLat {
        self.nodes[node.0 as usize]
    }

    /// The node nearest to a point, however far away; for what is no point on earth, some node.
    pub fn nearest(&self, at: LonLat) -> NodeId {
        // The index cannot order distances that are not numbers.
        let at = if at.is_on_earth() { at } else { self.origin };
        NodeId(self.index.nearest_neighbor(&flatten(self.origin, at)).map_or(0, |found| found.data))
    }

    /// The shortest way from node to node, both ends included; a single point when they are the same.
    pub fn route(&self, from: NodeId, to: NodeId) -> Vec<LonLat> {
        let mut best = vec![f64::INFINITY; self.nodes.len()];
        let mut came_from = vec![u32::MAX; self.nodes.len()];
        let mut open = BinaryHeap::new();
        best[from.0 as usize] = 0.0;
        open.push(Reverse(Candidate { guess: self.air_line(from.0, to.0), node: from.0, so_far: 0.0 }));
        while let Some(Reverse(candidate)) = open.pop() {
            if candidate.node == to.0 {
                break;
            }
            if candidate.so_far > best[candidate.node as usize] {
                continue;
            }
            for edge in self.edges_of(candidate.node) {
                let so_far = candidate.so_far + edge.meters;
                if so_far < best[edge.to as usize] {
                    best[edge.to as usize] = so_far;
                    came_from[edge.to as usize] = candidate.node;
                    let guess = so_far + self.air_line(edge.to, to.0);
                    open.push(Reverse(Candidate { guess, node: edge.to, so_far }));
                }
            }
        }
        self.walk_back(&came_from, from.0, to.0)
    }

    /// From any point to any point: to the nearest street, along streets, and straight over at the end.
    pub fn route_to_point(&self, from: LonLat, to: LonLat) -> Vec<LonLat> {
        let (first, last) = (self.nearest(from), self.nearest(to));
        let mut way = vec![from];
        // Two points at one node are a few steps apart; no one walks to the street and back for that.
        if first != last {
            way.extend(self.route(first, last));
        }
        way.push(to);
        way.dedup();
        way
    }

    /// Every piece of street between two nodes, once: what a map draws.
    pub fn pieces(&self) -> Vec<(LonLat, LonLat)> {
        let nodes = 0..u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        let forward = |node: u32| {
            self.edges_of(node).iter().filter(move |edge| edge.to > node).map(move |edge| (node, edge.to))
        };
        let place = |node: u32| self.nodes[node as usize];
        nodes.flat_map(forward).map(|(from, to)| (place(from), place(to))).collect()
    }

    fn edges_of(&self, node: u32) -> &[Edge] {
        &self.edges[self.first[node as usize] as usize..self.first[node as usize + 1] as usize]
    }

    fn air_line(&self, a: u32, b: u32) -> f64 {
        let ([ax, ay], [bx, by]) = (self.flat[a as usize], self.flat[b as usize]);
        (ax - bx).hypot(ay - by)
    }

    fn walk_back(&self, came_from: &[u32], from: u32, to: u32) -> Vec<LonLat> {
        let mut way = vec![self.nodes[to as usize]];
        let mut node = to;
        while node != from {
            node = came_from[node as usize];
            // Cannot be: the graph is connected. If it were, a short way is better than a panic.
            if node == u32::MAX {
                break;
            }
            way.push(self.nodes[node as usize]);
        }
        way.reverse();
        way
    }
}

/// A node on the search's frontier, ordered by the guessed length of the whole way, then by its number.
struct Candidate {
    guess: f64,
    so_far: f64,
    node: u32,
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        self.guess.total_cmp(&other.guess).then(self.node.cmp(&other.node))
    }
}
impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Candidate {}

impl Feature {
    fn is_walkable(&self) -> bool {
        let Properties { k, c, highway } = &self.properties;
        let class = highway.as_deref().or(c.as_deref().filter(|_| k.as_deref() == Some("road")));
        self.geometry.kind == "LineString" && class.is_some_and(|class| WALKABLE.contains(&class))
    }
}

enum Fault {
    Point,
    Full,
}

/// A graph while it is read: nodes by their coordinates, and pieces between them.
#[derive(Default)]
struct Draft {
    by_key: HashMap<(i64, i64), u32>,
    nodes: Vec<LonLat>,
    pieces: Vec<(u32, u32)>,
}

impl Draft {
    fn add_road(&mut self, coordinates: &serde_json::Value) -> Result<(), Fault> {
        let points = coordinates.as_array().ok_or(Fault::Point)?;
        let mut before = None;
        for point in points {
            let degrees = |axis: usize| point.get(axis).and_then(serde_json::Value::as_f64).ok_or(Fault::Point);
            let node = self.node_at(LonLat::new(degrees(0)?, degrees(1)?))?;
            if let Some(before) = before.filter(|before| *before != node) {
                self.pieces.push((before, node));
            }
            before = Some(node);
        }
        Ok(())
    }

    fn node_at(&mut self, at: LonLat) -> Result<u32, Fault> {
        if !at.is_on_earth() {
            return Err(Fault::Point);
        }
        // Roads meet where they name the very same point; 1e-7 degree is the grain of OpenStreetMap.
        let key = ((at.lon * 1e7).round() as i64, (at.lat * 1e7).round() as i64);
        if let Some(node) = self.by_key.get(&key) {
            return Ok(*node);
        }
        if self.nodes.len() >= NODES_MAX {
            return Err(Fault::Full);
        }
        let node = self.nodes.len() as u32;
        self.nodes.push(at);
        self.by_key.insert(key, node);
        Ok(node)
    }

    fn finish(mut self) -> Result<Streets, StreetsError> {
        let Some(somewhere) = self.nodes.first().copied().filter(|_| !self.pieces.is_empty()) else {
            return Err(StreetsError::NoRoads);
        };
        let flat: Vec<[f64; 2]> = self.nodes.iter().map(|at| flatten(somewhere, *at)).collect();
        let joints = joints::missing(&flat, &self.pieces);
        self.pieces.extend(joints);
        let kept = self.largest_part();
        let mut new_number = vec![u32::MAX; self.nodes.len()];
        let mut nodes = Vec::new();
        for (old, at) in self.nodes.iter().enumerate() {
            if kept[old] {
                new_number[old] = nodes.len() as u32;
                nodes.push(*at);
            }
        }
        let origin = nodes[0];
        let flat: Vec<[f64; 2]> = nodes.iter().map(|at| flatten(origin, *at)).collect();
        let pieces = self.pieces.iter().map(|(a, b)| (new_number[*a as usize], new_number[*b as usize]));
        let (first, edges) = adjacency(&flat, pieces.filter(|(a, _)| *a != u32::MAX));
        let index = flat.iter().enumerate().map(|(node, at)| Indexed::new(*at, node as u32)).collect();
        Ok(Streets { index: RTree::bulk_load(index), nodes, flat, first, edges, origin })
    }

    /// Which nodes belong to the connected part with the most nodes; on a tie, the one read first.
    fn largest_part(&self) -> Vec<bool> {
        let mut root: Vec<u32> = (0..self.nodes.len() as u32).collect();
        for (a, b) in &self.pieces {
            let (a, b) = (find(&mut root, *a), find(&mut root, *b));
            root[a.max(b) as usize] = a.min(b);
        }
        let mut sizes = vec![0_usize; root.len()];
        for node in 0..root.len() as u32 {
            sizes[find(&mut root, node) as usize] += 1;
        }
        let largest = (0..sizes.len()).rev().max_by_key(|node| sizes[*node]).unwrap_or(0) as u32;
        (0..root.len() as u32).map(|node| find(&mut root, node) == largest).collect()
    }
}

/// The root of a node in a union-find forest; halves the path on the way, so that it stays nearly flat.
fn find(root: &mut [u32], mut node: u32) -> u32 {
    while root[node as usize] != node {
        root[node as usize] = root[root[node as usize] as usize];
        node = root[node as usize];
    }
    node
}

/// Packs pieces into one edge list, both directions, grouped by node.
fn adjacency(flat: &[[f64; 2]], pieces: impl Iterator<Item = (u32, u32)>) -> (Vec<u32>, Vec<Edge>) {
    let mut both: Vec<(u32, u32)> = pieces.flat_map(|(a, b)| [(a, b), (b, a)]).collect();
    both.sort_unstable();
    both.dedup();
    let mut first = vec![0_u32; flat.len() + 1];
    for (from, _) in &both {
        first[*from as usize + 1] += 1;
    }
    for node in 0..flat.len() {
        first[node + 1] += first[node];
    }
    let edges = both.iter().map(|(from, to)| {
        let ([ax, ay], [bx, by]) = (flat[*from as usize], flat[*to as usize]);
        Edge { to: *to, meters: (ax - bx).hypot(ay - by) }
    });
    (first, edges.collect())
}

fn flatten(origin: LonLat, at: LonLat) -> [f64; 2] {
    let east = (at.lon - origin.lon) * METERS_PER_DEGREE * origin.lat.to_radians().cos();
    [east, (at.lat - origin.lat) * METERS_PER_DEGREE]
}

#[cfg(test)]
mod tests;
