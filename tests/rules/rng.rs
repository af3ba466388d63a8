//! A seeded generator: the same seed plays the same game on every machine.

/// Steps of Knuth's MMIX generator; the high bits are good enough to choose by.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        let mut rng = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d);
        rng.next();
        rng
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next()).expect("31 bits") % n.max(1)
    }

    /// True once in `n`.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// One of these.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    /// In another order.
    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            list.swap(last, self.below(last + 1));
        }
    }
}

/// The seed to run alone, if the environment names one; else `0..count`.
#[expect(clippy::disallowed_methods, reason = "a failing seed is run again by hand")]
pub fn seeds(count: u64) -> Vec<u64> {
    match std::env::var("RULES_SEED") {
        Ok(seed) => vec![seed.parse().expect("RULES_SEED is a number")],
        Err(_) => (0..count).collect(),
    }
}

/// Runs a check of each seed; a failure says how to run it again.
pub fn for_each_seed(count: u64, test: &str, check: impl Fn(u64) + std::panic::RefUnwindSafe) {
    for seed in seeds(count) {
        if let Err(panic) = std::panic::catch_unwind(|| check(seed)) {
            #[expect(clippy::print_stderr, reason = "a failing seed is told where the failure is read")]
            {
                eprintln!("failed with seed {seed}; again: RULES_SEED={seed} cargo test --test rules {test}");
            }
            std::panic::resume_unwind(panic);
        }
    }
}
