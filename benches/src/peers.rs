//! `peers`: the same regions and fixes given to what others use: Shapely, PostGIS, Redis.
//!
//! Writes them down, circles as 32-gons for everyone, measures the index on just that, and lets `peers.py` measure the
//! others in the same run. Each answers how many regions hold how many fixes; a peer that counts otherwise is said so.

use crate::city::World;
use crate::meter::best_ask;
use serde_json::{Value, json};
use std::hint::black_box;
use std::path::PathBuf;
use std::process::Command;
use waystone::geo::geojson::export_geometry;
use waystone::geo::index::RegionIndex;
use waystone::geo::position::Position;
use waystone::geo::region::Region;
use waystone::geo::shape::{Circle, Shape};

const FIXES: usize = 20_000;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// How many regions
    #[arg(long, default_value_t = 100_000)]
    regions: usize,
    /// For so long each figure is measured again, and the best kept
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// What chance begins with
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The Python that has shapely, numpy, psycopg and redis
    #[arg(long, default_value = "python3")]
    python: PathBuf,
    /// A PostGIS database to measure, as postgresql://...; it gets a table `waystone_bench`
    #[arg(long)]
    postgis: Option<String>,
    /// A Redis to measure, as redis://...; it gets a key `waystone:bench`
    #[arg(long)]
    redis: Option<String>,
}

pub fn run(args: &Args) -> std::io::Result<()> {
    let mut world = World::new(args.regions, args.seed);
    let regions: Vec<Region> = world.regions(args.regions).into_iter().map(cornered).collect();
    let clustered = world.fixes(FIXES, 1.0);
    let walks = world.walks(1_000, FIXES / 1_000);
    let file = std::env::temp_dir().join(format!("waystone-peers-{}.json", std::process::id()));
    let pairs = |fixes: &[Position]| fixes.iter().map(|p| [p.lon(), p.lat()]).collect::<Vec<_>>();
    let geometries: Vec<Value> = regions.iter().map(|region| export_geometry(&region.shape)).collect();
    let written = json!({ "regions": geometries, "clustered": pairs(&clustered), "walking": pairs(&walks) });
    std::fs::write(&file, written.to_string())?;

    println!("{} regions, {FIXES} fixes a figure; ns a fix on the wall, one caller", args.regions);
    println!("| | clustered | walking | hits |");
    println!("|---|---|---|---|");
    let index = RegionIndex::build(regions);
    let every = |fixes: &[Position]| {
        best_ask(fixes, args.seconds, |place, found| {
            black_box(index.look(place, found));
        })
    };
    let ((walking, _), (clustered, hits)) = (every(&walks), every(&clustered));
    println!("| **waystone**, every fix looked up | {clustered:.0} | {walking:.0} | {hits} |");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/peers.py");
    let mut command = Command::new(&args.python);
    command.arg(script).arg(&file).arg(args.seconds.to_string());
    command.args(args.postgis.iter().map(|url| format!("--postgis={url}")));
    command.args(args.redis.iter().map(|url| format!("--redis={url}")));
    let ended = command.status();
    std::fs::remove_file(&file)?;
    if !ended?.success() {
        println!("peers.py failed; benches/README.md says what it needs");
    }
    Ok(())
}

/// The same region with a polygon of 32 corners for a circle, so that everyone is asked the same.
fn cornered(region: Region) -> Region {
    let Shape::Circle(circle) = &region.shape else { return region };
    let shape = Shape::polygon(vec![corners(circle)]).expect("32 corners of a circle are sound");
    Region { shape, ..region }
}

fn corners(circle: &Circle) -> Vec<Position> {
    let (middle, degrees) = (circle.center(), circle.radius().get() / 111_320.0);
    let corner = |i: usize| {
        let angle = i as f64 / 32.0 * std::f64::consts::TAU;
        let lon = middle.lon() + degrees * angle.cos() / middle.lat().to_radians().cos();
        Position::new(lon, middle.lat() + degrees * angle.sin()).expect("cities lie away from the poles")
    };
    (0..32).map(corner).collect()
}
