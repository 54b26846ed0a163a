//! The random stream of one virtual user.
//!
//! Every user draws from a stream of its own, derived from the run's seed, the name of its class and its number
//! within that class. Whoever creates a user calls [`UserRng::for_user`]; nobody shares a stream, and nothing
//! here asks the operating system for randomness.

use std::convert::Infallible;

use rand::TryRng;
use rand_pcg::Pcg64;

/// The random number generator of one virtual user.
///
/// Equal arguments of [`for_user`](Self::for_user) give equal streams on every machine and in every release that
/// keeps the golden numbers in this module's tests. It is fast and statistically sound, and no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRng(Pcg64);

impl UserRng {
    /// The stream of user number `index` of class `class` in a run with `seed`.
    ///
    /// The stream depends on nothing else, so adding a class or a worker reshuffles no other user.
    pub fn for_user(seed: u64, class: &str, index: u64) -> Self {
        let mut key = Key(seed);
        key.absorb(class.len() as u64);
        for chunk in class.as_bytes().chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            key.absorb(u64::from_le_bytes(word));
        }
        key.absorb(index);
        Self(Pcg64::new(key.word(), key.word()))
    }
}

impl TryRng for UserRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.0.try_next_u32()
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0.try_next_u64()
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.try_fill_bytes(bytes)
    }
}

/// SplitMix64 as a sponge: words go in, then words come out, each bit depending on all that went in.
///
/// The standard library's hashers promise no stable output, and a plain sum of the parts would give
/// neighbouring users overlapping streams.
struct Key(u64);

impl Key {
    fn absorb(&mut self, word: u64) {
        self.0 = mix(self.0 ^ mix(word));
    }

    fn squeeze(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    fn word(&mut self) -> u128 {
        u128::from(self.squeeze()) << 64 | u128::from(self.squeeze())
    }
}

/// The finaliser of SplitMix64 after one step of its Weyl sequence.
fn mix(word: u64) -> u64 {
    let mut word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use rand::Rng;

    use super::*;

    fn first(seed: u64, class: &str, index: u64) -> u64 {
        UserRng::for_user(seed, class, index).next_u64()
    }

    #[test]
    fn every_argument_matters() {
        let base = first(1, "Buyer", 0);
        assert_eq!(first(1, "Buyer", 0), base);
        assert_ne!(first(2, "Buyer", 0), base);
        assert_ne!(first(1, "Buyer", 1), base);
        assert_ne!(first(1, "Buyer2", 0), base);
        assert_ne!(first(1, "Buyer\0", 0), base, "padding is not part of a name");
    }

    #[test]
    fn streams_are_the_same_on_every_machine() {
        let check = |seed, class, index, expected| {
            assert_eq!(first(seed, class, index), expected, "{seed} {class} {index}");
        };
        check(0, "", 0, 2_879_959_122_846_961_224);
        check(1, "FraudInferenceUser", 0, 1_497_834_330_985_672_011);
        check(1, "FraudInferenceUser", 499, 12_254_154_886_222_477_431);
        check(u64::MAX, "A", u64::MAX, 4_170_352_557_568_695_894);
    }

    #[test]
    fn streams_of_many_users_never_coincide() {
        let firsts: HashSet<u64> = (0..50)
            .flat_map(|seed| ["A", "B"].map(|class| (seed, class)))
            .flat_map(|(seed, class)| (0..500).map(move |index| first(seed, class, index)))
            .collect();
        assert_eq!(firsts.len(), 50 * 2 * 500);
    }

    #[test]
    fn neighbouring_users_are_uncorrelated() {
        let bits: u32 =
            (0..1000).map(|index| (first(7, "A", index) ^ first(7, "A", index + 1)).count_ones()).sum();
        let mean = f64::from(bits) / 1000.0;
        assert!((31.0..33.0).contains(&mean), "half of 64 bits differ, got {mean}");
    }
}
