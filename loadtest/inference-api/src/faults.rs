//! Which prediction requests fail on purpose.
//!
//! The routes ask once per prediction request. The n-th answer depends on the seed and n alone, so runs
//! can be repeated, and asking costs one atomic addition.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::ErrorRate;

/// A repeatable sequence of fates, shared by all connections of one server.
#[derive(Debug)]
pub(crate) struct Faults {
    rate: ErrorRate,
    state: AtomicU64,
}

impl Faults {
    pub(crate) fn new(rate: ErrorRate, seed: u64) -> Faults {
        Faults { rate, state: AtomicU64::new(seed) }
    }

    /// Whether the next request fails.
    pub(crate) fn next_fails(&self) -> bool {
        // The generator is SplitMix64: its state is a plain counter, which is what lets threads share it.
        let state = self.state.fetch_add(GOLDEN_GAMMA, Ordering::Relaxed).wrapping_add(GOLDEN_GAMMA);
        unit_interval(mix(state)) < self.rate.share()
    }
}

const GOLDEN_GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

fn mix(state: u64) -> u64 {
    let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Maps the upper 53 bits to [0, 1): never 1, so a rate of 1 always fails and a rate of 0 never does.
fn unit_interval(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWS: usize = 10_000;

    fn fates(share: f64, seed: u64) -> Vec<bool> {
        let faults = Faults::new(ErrorRate::new(share).unwrap(), seed);
        (0..DRAWS).map(|_| faults.next_fails()).collect()
    }

    #[test]
    fn the_share_of_faults_is_the_rate() {
        let check = |share: f64, tolerance: f64| {
            for seed in [0, 1, u64::MAX] {
                let failed = fates(share, seed).iter().filter(|&&fails| fails).count();
                let observed = failed as f64 / DRAWS as f64;
                assert!((observed - share).abs() <= tolerance, "rate {share}, seed {seed}: {observed}");
            }
        };
        check(0.0, 0.0);
        check(0.01, 0.005);
        check(0.5, 0.02);
        check(1.0, 0.0);
    }

    #[test]
    fn the_seed_alone_decides_the_sequence() {
        assert_eq!(fates(0.3, 7), fates(0.3, 7));
        assert_ne!(fates(0.3, 7), fates(0.3, 8));
    }
}
