//! Deals arrivals out to several takers in turn, in exact proportion to their weights.
//!
//! ```text
//!  arrivals   0 1 2 3 4 5 6 7 …
//!  A, 3       x x x   x x x        a taker's arrivals are spread as evenly as whole ones can be,
//!  B, 1             x       x      and each arrival goes to exactly one
//! ```
//!
//! More than two takers are split into halves by the weights of the halves, and those into halves again.

/// One taker's part of all arrivals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Deal {
    /// From all arrivals down to the taker's own.
    turns: Vec<Turn>,
}

/// Takes `part` out of every `of` arrivals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Turn {
    part: u64,
    of: u64,
    /// Takes the first arrival of all. The other half takes what this one leaves.
    first: bool,
}

impl Deal {
    /// One deal for each of these weights, of which none is zero.
    pub(super) fn by_weights(weights: &[f64]) -> Vec<Self> {
        let mut deals = vec![Self::default(); weights.len()];
        halve(&parts(weights), &mut deals);
        deals
    }

    /// How many of the first `all` arrivals are the taker's.
    pub(super) fn count(&self, all: u64) -> u64 {
        self.turns.iter().fold(all, |all, turn| turn.count(all))
    }

    /// Which of all arrivals is number `own` of the taker's; `None` if it is beyond counting.
    pub(super) fn number(&self, own: u64) -> Option<u64> {
        self.turns.iter().rev().try_fold(own, |own, turn| turn.number(own))
    }
}

impl Turn {
    fn count(self, all: u64) -> u64 {
        let taken = u128::from(all) * u128::from(self.part);
        let of = u128::from(self.of);
        // Never more than all.
        (if self.first { taken.div_ceil(of) } else { taken / of }) as u64
    }

    fn number(self, own: u64) -> Option<u64> {
        let (own, part, of) = (u128::from(own), u128::from(self.part), u128::from(self.of));
        let number = if self.first { own * of / part } else { ((own + 1) * of).div_ceil(part) - 1 };
        u64::try_from(number).ok()
    }
}

/// Adds the turns that share arrivals among the takers of `parts`.
fn halve(parts: &[u64], deals: &mut [Deal]) {
    if parts.len() < 2 {
        return;
    }
    let middle = parts.len() / 2;
    let (left, right) = parts.split_at(middle);
    let (left_deals, right_deals) = deals.split_at_mut(middle);
    let (left_part, right_part) = (left.iter().sum::<u64>(), right.iter().sum::<u64>());
    let of = left_part + right_part;
    left_deals.iter_mut().for_each(|deal| deal.turns.push(Turn { part: left_part, of, first: true }));
    right_deals.iter_mut().for_each(|deal| deal.turns.push(Turn { part: right_part, of, first: false }));
    halve(left, left_deals);
    halve(right, right_deals);
}

/// Weights as whole numbers in the same proportion, none of them zero: exactly as they are written, unless they are so
/// far apart that the smaller ones have to be rounded.
fn parts(weights: &[f64]) -> Vec<u64> {
    // Room for the sum of all of them.
    let limit = u64::MAX / 4 / weights.len().max(1) as u64;
    let parts = decimals(weights, limit).unwrap_or_else(|| {
        let largest = weights.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        let rounded = |weight: &f64| (weight / largest * limit as f64) as u64;
        weights.iter().map(|weight| rounded(weight).clamp(1, limit)).collect()
    });
    let common = parts.iter().copied().fold(0, gcd).max(1);
    parts.into_iter().map(|part| part / common).collect()
}

/// Weights in the last decimal that any of them has, as long as none exceeds `limit`. A tenth is a tenth here, although
/// no float is.
fn decimals(weights: &[f64], limit: u64) -> Option<Vec<u64>> {
    // Digits and the power of ten that they count, in the fewest digits that give the float.
    let written = weights.iter().map(|weight| {
        let text = format!("{weight:e}");
        let (number, exponent) = text.split_once('e')?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits: u64 = format!("{whole}{fraction}").parse().ok()?;
        Some((digits, exponent.parse::<i32>().ok()? - fraction.len() as i32))
    });
    let written: Vec<(u64, i32)> = written.collect::<Option<_>>()?;
    let last = written.iter().map(|(_, exponent)| *exponent).min().unwrap_or(0);
    let scaled = written.into_iter().map(|(digits, exponent)| {
        let scale = 10_u64.checked_pow((exponent - last).unsigned_abs())?;
        digits.checked_mul(scale).filter(|part| *part <= limit)
    });
    scaled.collect()
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Deals out arrivals and writes down who takes each: `AAAB`.
    fn check(weights: &[f64], expected: &str) {
        let deals = Deal::by_weights(weights);
        let taker = |arrival: u64| {
            let takes = |deal: &&Deal| deal.count(arrival + 1) > deal.count(arrival);
            let taker = deals.iter().position(|deal| takes(&deal)).expect("somebody takes it");
            assert_eq!(deals.iter().filter(takes).count(), 1, "one taker for arrival {arrival}");
            char::from(b'A' + taker as u8)
        };
        assert_eq!((0..expected.len() as u64).map(taker).collect::<String>(), expected, "{weights:?}");
    }

    #[test]
    fn takers_come_in_turn_as_evenly_as_can_be() {
        check(&[1.0], "AAAA");
        check(&[1.0, 1.0], "ABABAB");
        check(&[3.0, 1.0], "AAABAAAB");
        check(&[0.1, 0.3], "ABBBABBB");
        check(&[1.0, 2.0, 1.0], "ABBCABBC");
        check(&[1e-300, 1e-300], "ABAB");
        check(&[1e300, 1e300], "ABAB");
        check(&[5e-324, 5e-324], "ABAB");
    }

    #[test]
    fn weights_are_kept_exactly() {
        assert_eq!(parts(&[3.0, 1.0]), [3, 1]);
        assert_eq!(parts(&[0.25, 10.0, 2.5]), [1, 40, 10]);
        assert_eq!(parts(&[0.1, 0.2, 0.7]), [1, 2, 7]);
        assert_eq!(parts(&[1.0 / 3.0, 2.0 / 3.0]), [1, 2]);
        let far = parts(&[f64::MIN_POSITIVE, 1.0]);
        assert!(far[0] == 1 && far[1] > 1 << 60, "too small to be kept, but not forgotten: {far:?}");
    }

    proptest! {
        #[test]
        fn every_arrival_has_one_taker_and_every_share_is_exact(
            weights in prop::collection::vec(0.001..1000.0f64, 1..40), arrivals in 0..1u64 << 50,
        ) {
            let deals = Deal::by_weights(&weights);
            let counts: Vec<u64> = deals.iter().map(|deal| deal.count(arrivals)).collect();
            prop_assert_eq!(counts.iter().sum::<u64>(), arrivals);
            let total: f64 = weights.iter().sum();
            // Each halving is exact to one arrival.
            let halvings = f64::from(weights.len().ilog2() + 1);
            for (count, weight) in counts.iter().zip(&weights) {
                let share = arrivals as f64 * (weight / total);
                prop_assert!((*count as f64 - share).abs() <= halvings + share * 1e-12, "{count} of {share}");
            }
        }

        #[test]
        fn a_number_is_the_inverse_of_a_count(
            weights in prop::collection::vec(0.001..1000.0f64, 1..10), own in 0..1u64 << 40,
        ) {
            for deal in Deal::by_weights(&weights) {
                let number = deal.number(own).expect("within counting");
                prop_assert_eq!((deal.count(number), deal.count(number + 1)), (own, own + 1));
            }
        }
    }
}
