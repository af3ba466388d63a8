//! The design's trial: hours of GPS jitter at the edge, against a point test.

use super::*;

#[test]
fn standing_at_the_edge_does_not_flap() {
    // Error of 5 m an axis, correlated over 20 s, true place 10 m outside to 20 m inside: as in the design's trial.
    let mut state = 7_u64;
    let mut uniform = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let (mut ours, mut naive, mut hours) = (0, 0, 0.0);
    for inside in [-10.0, -5.0, 0.0, 5.0, 10.0, 15.0, 20.0] {
        let mut scene = Scene::with(vec![circle("a", 0.0, 75.0)]);
        let (mut east, mut north, mut was_in, mut left_at) = (0.0, 0.0, false, None);
        let keep = (-1.0_f64 / 20.0).exp();
        for second in 0..7200 {
            let mut gauss = || (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
            let fresh = 5.0 * (1.0 - keep * keep).sqrt();
            east = keep * east + fresh * gauss();
            north = keep * north + fresh * gauss();
            let fix = Fix::new(place(75.0 - inside + east, north), time(f64::from(second)));
            let fix = fix.with_accuracy(Meters::lossy(7.6)).expect("not negative");
            scene.see(fix);
            let is_in = (75.0 - inside + east).hypot(north) <= 75.0;
            naive += u32::from(is_in != was_in);
            was_in = is_in;
            for told in scene.told() {
                ours += 1;
                match told.as_str() {
                    "-a" => left_at = Some(second),
                    "+a" => assert!(left_at.is_none_or(|left| second - left >= 30 || inside > 10.0)),
                    _ => assert_eq!(told, "already a"),
                }
            }
        }
        hours += 2.0;
    }
    let (ours, naive) = (f64::from(ours) / hours, f64::from(naive) / hours);
    assert!(naive > 80.0 && ours < naive / 8.0, "{ours} an hour against {naive} for a point test");
}
