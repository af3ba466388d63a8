//! An index after edits is the index that a fresh build makes, to the last word; the one before stays as it was.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Every block with its regions and words.
fn content(index: &RegionIndex) -> BTreeMap<(usize, u64), (Vec<String>, Vec<u32>)> {
    let blocks = index.cells.iter().enumerate().flat_map(|(level, table)| table.iter().map(move |b| (level, b)));
    blocks
        .map(|(level, block)| {
            let ids = block.regions.iter().map(|region| region.id.to_string()).collect();
            ((level, block.key), (ids, block.words.to_vec()))
        })
        .collect()
}

fn region(name: u8, place: u8, kind: u8) -> Region {
    let (lon, lat) = (24.9 + f64::from(place % 8) * 0.002, 60.1 + f64::from(place / 8) * 0.001);
    let name = format!("r{name}");
    if kind.is_multiple_of(2) {
        return circle(&name, lon, lat, 30.0 + 40.0 * f64::from(kind));
    }
    let reach = 0.0004 * f64::from(kind);
    let corners = [(-1.0, -1.0), (1.0, -0.8), (0.9, 1.0), (0.0, 0.1), (-1.0, 0.9)];
    let ring = corners.iter().map(|(x, y)| at(lon + x * reach, lat + y * reach)).collect();
    let region = Region::new(id(&name), Shape::polygon(vec![ring]).expect("sound"));
    if kind == 5 { with_rings(region, &[60.0]) } else { region }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn edits_in_any_order_make_what_a_build_makes(
        steps in prop::collection::vec(prop::collection::vec((0_u8..12, 0_u8..64, 0_u8..9), 1..5), 1..12),
    ) {
        let mut index = RegionIndex::build(Vec::new());
        let mut model: BTreeMap<u8, Region> = BTreeMap::new();
        for step in steps {
            let before = (content(&index), index.generation());
            let mut changes = Vec::new();
            for (name, place, kind) in step {
                if kind == 8 {
                    model.remove(&name);
                    changes.push(Change::Remove(id(&format!("r{name}"))));
                } else {
                    model.insert(name, region(name, place, kind));
                    changes.push(Change::Put(region(name, place, kind)));
                }
            }
            let next = index.with(changes);
            prop_assert_eq!(&before, &(content(&index), index.generation()));
            prop_assert_ne!(next.generation(), index.generation());
            let built = RegionIndex::build(model.values().cloned().collect());
            prop_assert_eq!(content(&next), content(&built));
            let ids = |index: &RegionIndex| index.iter().map(|region| region.id.to_string()).collect::<Vec<_>>();
            prop_assert_eq!(ids(&next), ids(&built));
            prop_assert_eq!(next.len(), model.len());
            index = next;
        }
    }
}
