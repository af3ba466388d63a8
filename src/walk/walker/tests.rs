//! Tests of the walker: the pace is held, and the noise has the statistics that its model names.

use super::*;
use rand::SeedableRng;

const START: LonLat = LonLat::new(24.94, 60.17);
const SECOND: Duration = Duration::from_secs(1);

fn walker(noise: NoiseModel, seed: u64) -> Walker {
    Walker::new(START, MetersPerSecond::lossy(1.4), noise, StdRng::seed_from_u64(seed))
}

/// Only the wandering error: no outliers, no gaps.
fn steady() -> NoiseModel {
    let mut noise = NoiseModel::phone();
    noise.outliers.per_hour = 0.0;
    noise.gaps.per_hour = 0.0;
    noise
}

fn stand(noise: &NoiseModel, seed: u64, for_seconds: u32) -> Vec<(Timestamp, Reading)> {
    let mut walker = walker(noise.clone(), seed);
    let mut now = Timestamp::from_millis(0);
    let mut seen = Vec::new();
    for _ in 0..for_seconds {
        walker.advance(SECOND);
        seen.extend(walker.observe(now).into_iter().map(|reading| (now, reading)));
        now = now + SECOND;
    }
    seen
}

#[test]
fn pace_is_held_round_corners() {
    let mut walker = walker(NoiseModel::none(), 1);
    walker.walk_to(vec![START, START.moved_by(100.0, 0.0), START.moved_by(100.0, 100.0)]);
    let whole = walker.meters_left();
    assert!((whole - 200.0).abs() < 0.1, "{whole}");
    for tick in 1..=100_u32 {
        walker.advance(SECOND);
        assert!((whole - walker.meters_left() - 1.4 * f64::from(tick)).abs() < 0.1);
    }
    assert!(!walker.is_there());
    walker.advance(Duration::from_secs(60));
    assert!(walker.is_there(), "200 m at 1.4 m/s take 143 s");
    let end = walker.position();
    walker.advance(SECOND);
    assert_eq!(end, walker.position());
}

#[test]
fn without_noise_the_reading_is_the_truth() {
    let mut walker = walker(NoiseModel::none(), 1);
    walker.walk_to(vec![START.moved_by(0.0, 50.0)]);
    walker.advance(SECOND);
    let now = Timestamp::from_millis(5_000);
    let seen = walker.observe(now);
    assert_eq!(seen.len(), 1);
    let reading = seen[0];
    assert!(reading.at().meters_to(walker.position()) < 1e-6);
    assert_eq!((reading.accuracy_m, reading.time, reading.seq, reading.speed_mps), (5.0, now, 1, Some(1.4)));
}

#[test]
fn reported_accuracy_holds_the_truth_in_two_of_three() {
    let noise = steady();
    let (mut inside, mut all) = (0_u32, 0_u32);
    for seed in 0..60 {
        for (_, reading) in stand(&noise, seed, 1_500) {
            assert!((5.0..=12.0).contains(&reading.accuracy_m));
            inside += u32::from(reading.at().meters_to(START) <= reading.accuracy_m);
            all += 1;
        }
    }
    let share = f64::from(inside) / f64::from(all);
    assert!((0.64..0.72).contains(&share), "{share:.3} of the readings within their accuracy");
}

#[test]
fn error_lasts_about_as_long_as_the_model_says() {
    let noise = steady();
    let (mut now_and_later, mut variance) = (0.0, 0.0);
    for seed in 0..60 {
        let east: Vec<f64> = stand(&noise, seed, 1_500).iter().map(|(_, r)| START.offset_to(r.at()).0).collect();
        for pair in east.windows(21) {
            now_and_later += pair[0] * pair[20];
            variance += pair[0] * pair[0];
        }
    }
    let kept = now_and_later / variance;
    assert!((0.28..0.46).contains(&kept), "after 20 s {kept:.2} of the error is left, 1/e = 0.37 was meant");
}

#[test]
fn outliers_are_rare_far_and_mostly_admitted() {
    let mut noise = NoiseModel::phone();
    noise.gaps.per_hour = 0.0;
    let (mut far, mut admitted, mut all) = (0_u32, 0_u32, 0_u32);
    for seed in 0..40 {
        for (_, reading) in stand(&noise, seed, 3_600) {
            let error = reading.at().meters_to(START);
            assert!(error < 130.0);
            all += 1;
            if error > 40.0 {
                far += 1;
                admitted += u32::from(reading.accuracy_m > 18.0);
            }
        }
    }
    let (rare, honest) = (f64::from(far) / f64::from(all), f64::from(admitted) / f64::from(far));
    assert!((0.002..0.012).contains(&rare), "{rare:.4} of the readings are far off");
    assert!((0.7..0.97).contains(&honest), "{honest:.2} of them admitted it");
}

#[test]
fn gap_is_followed_by_all_that_was_measured_in_it() {
    let mut noise = NoiseModel::phone();
    noise.gaps.per_hour = 40.0;
    let seen = stand(&noise, 3, 3_600);
    let mut longest = 0;
    for (number, (came, reading)) in seen.iter().enumerate() {
        assert_eq!(reading.seq, number as u64 + 1, "a reading was lost or came twice");
        longest = longest.max(came.as_millis() - (reading.time.as_millis() - offset_of(&seen)));
    }
    assert!((10_000..=31_000).contains(&longest), "the oldest reading waited {longest} ms");
}

/// The clock's error: the first reading is never held back.
fn offset_of(seen: &[(Timestamp, Reading)]) -> i64 {
    seen[0].1.time.as_millis() - seen[0].0.as_millis()
}

#[test]
fn clock_is_off_by_little_and_by_the_same_always() {
    let offs: Vec<i64> = (0..50).map(|seed| offset_of(&stand(&NoiseModel::phone(), seed, 1))).collect();
    assert!(offs.iter().all(|off| off.abs() <= 1_500) && offs.iter().any(|off| off.abs() > 300));
    let seen = stand(&steady(), 1, 100);
    assert!(seen.iter().all(|(came, r)| r.time.as_millis() - came.as_millis() == offset_of(&seen)));
}

#[test]
fn same_seed_same_readings() {
    assert_eq!(stand(&NoiseModel::phone(), 9, 2_000), stand(&NoiseModel::phone(), 9, 2_000));
    assert_ne!(stand(&NoiseModel::phone(), 9, 10), stand(&NoiseModel::phone(), 10, 10));
}

#[test]
fn held_readings_are_bounded() {
    let mut noise = NoiseModel::phone();
    noise.gaps = Gaps { per_hour: 1e12, seconds: 1e6..1e6 };
    let mut walker = walker(noise, 1);
    let mut now = Timestamp::from_millis(0);
    for _ in 0..HELD_MAX * 2 {
        walker.observe(now);
        now = now + SECOND;
    }
    assert_eq!(walker.phone.held.len(), HELD_MAX);
}

#[test]
fn a_phone_in_a_pocket_speaks_seldom_and_forgets_nothing() {
    let seen = stand(&NoiseModel::pocket(), 3, 1_800);
    let mut moments: Vec<Timestamp> = seen.iter().map(|(now, _)| *now).collect();
    moments.dedup();
    assert!(moments.len() < 1_000, "{} of 1800 moments", moments.len());
    let numbers: Vec<u64> = seen.iter().map(|(_, reading)| reading.seq).collect();
    assert!(numbers.windows(2).all(|two| two[1] == two[0] + 1), "none is lost");
}
