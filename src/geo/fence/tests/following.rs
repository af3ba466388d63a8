//! Corridors that are followed: which quarters are told, and when.

use super::*;

#[test]
fn corridor_quarters_are_done_in_both_directions() {
    let line = vec![place(0.0, 0.0), place(400.0, 0.0), place(400.0, 400.0)];
    let trail = || Region::new(id("trail"), Shape::corridor(line.clone(), Meters::lossy(40.0)).expect("sound"));
    let on_line = |meters: f64| if meters <= 400.0 { (meters, 0.0) } else { (400.0, meters - 400.0) };
    let walk = |back: bool, done: u8| {
        let mut scene = Scene::with(vec![trail()]);
        scene.tracker.follow(id("trail"), Meters::lossy(15.0), done);
        for step in 0..=110 {
            let meters = 8.0 * f64::from(step - 5);
            let (east, north) = on_line(if back { 800.0 - meters } else { meters });
            scene.see(Scene::fix(east + 3.0, north - 4.0, f64::from(step) * 5.0));
        }
        let told = scene.told();
        told.into_iter().filter(|told| told.ends_with(" trail") && told.starts_with(['0', '1'])).collect::<Vec<_>>()
    };
    assert_eq!(walk(false, 0), ["0001 trail", "0011 trail", "0111 trail", "1111 trail"]);
    assert_eq!(walk(true, 0), ["1000 trail", "1100 trail", "1110 trail", "1111 trail"]);
    assert_eq!(walk(false, 0b0110), ["0111 trail", "1111 trail"]);
    // Cutting the corner leaves both quarters at it undone.
    let mut short = Scene::with(vec![trail()]);
    short.tracker.follow(id("trail"), Meters::lossy(15.0), 0);
    for step in 0..=60_u32 {
        let way = f64::from(step) * 10.0;
        let (east, north) = if way <= 300.0 { (way, 0.0) } else { (way.min(400.0), way - 300.0) };
        short.see(Scene::fix(east, north, way));
    }
    assert_eq!(
        short.told().into_iter().filter(|told| told.starts_with(['0', '1'])).collect::<Vec<_>>(),
        ["0001 trail"]
    );
}

#[test]
fn quarters_walked_before_the_enter_was_sure_are_told_with_it() {
    let line = vec![place(0.0, 0.0), place(90.0, 0.0)];
    let lane = Region::new(id("lane"), Shape::corridor(line, Meters::lossy(40.0)).expect("sound"));
    let mut scene = Scene::with(vec![lane]);
    scene.tracker.follow(id("lane"), Meters::lossy(15.0), 0);
    scene.at(-60.0, 0.0);
    // A gap in the fixes looks like a jump, and for ten seconds after it nobody enters anything.
    assert_eq!(scene.see(Scene::fix(-24.0, 0.0, 0.3)), Fate::Held(Reason::Jump));
    for step in 1..=20 {
        scene.at(-24.0 + 6.0 * f64::from(step), 0.3 + 0.15 * f64::from(step));
    }
    assert_eq!(scene.told(), Vec::<String>::new(), "all of it is walked, and who hears of it would not know them");
    for seconds in 4..=20 {
        scene.at(90.0, f64::from(seconds));
    }
    assert_eq!(scene.told(), ["+lane", "1111 lane"]);
}
