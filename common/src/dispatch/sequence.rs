//! The endless sequence of classes that new users are taken from. The dispatcher draws from it; workers are none
//! of its business.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use super::{ClassSpec, Placement};

/// Which class comes next: missing users of fixed counts first, then classes by weight.
#[derive(Clone, Debug)]
pub(super) struct ClassSequence {
    weighted: Interleave,
    /// The missing users of the fixed classes in the proportion of what is missing, and how many are still due.
    fixed: Interleave,
    fixed_due: u64,
    /// Fixed counts may be short: look again before the next weighted user.
    recheck_fixed: bool,
}

impl ClassSequence {
    pub(super) fn new(classes: &[ClassSpec], selected: &[usize]) -> Self {
        let weighted = Interleave::of_weights(classes, selected);
        Self { weighted, fixed: Interleave::default(), fixed_due: 0, recheck_fixed: true }
    }

    /// Starts afresh with other classes. Whether fixed counts need a look is not a matter of the selection.
    pub(super) fn select(&mut self, classes: &[ClassSpec], selected: &[usize]) {
        let recheck_fixed = self.recheck_fixed;
        *self = Self { recheck_fixed, ..Self::new(classes, selected) };
    }

    /// Notes that fixed counts may be short now.
    pub(super) fn users_were_removed(&mut self) {
        self.recheck_fixed = true;
    }

    /// The index of the class of the next user, or `None` if no class has another one to give.
    pub(super) fn next(
        &mut self,
        classes: &[ClassSpec],
        selected: &[usize],
        placed: &Placement,
    ) -> Option<u32> {
        // Fixed users once found missing are all emitted before anybody looks again, whatever happens meanwhile.
        if self.fixed_due == 0 && std::mem::take(&mut self.recheck_fixed) {
            let missing = selected.iter().map(|&index| {
                let fixed_count = classes[index].fixed_count;
                let present = if fixed_count == 0 { 0 } else { placed.users_of_column(index) };
                (index as u32, fixed_count.saturating_sub(present))
            });
            let missing = Vec::from_iter(missing);
            self.fixed_due = missing.iter().map(|&(_, users)| u64::from(users)).sum();
            self.fixed = Interleave::new(missing.into_iter().map(|(index, users)| (index, f64::from(users))));
        }
        if self.fixed_due > 0 {
            self.fixed_due -= 1;
            return self.fixed.next();
        }
        self.weighted.next()
    }
}

/// Emits classes endlessly such that every prefix is as near to the weights as can be, in terms of Kullback-Leibler
/// divergence: {A 5, B 1} gives `AABAAAAABAAA…`.
///
/// A class of weight w that came k times already has the key `w·log2((w+k)/(w+k+1))`; the smallest key is next.
#[derive(Clone, Debug, Default)]
struct Interleave {
    heap: BinaryHeap<Reverse<Candidate>>,
}

impl Interleave {
    fn of_weights(classes: &[ClassSpec], selected: &[usize]) -> Self {
        let weighted = selected.iter().filter(|&&index| !classes[index].is_fixed());
        Self::new(weighted.map(|&index| (index as u32, classes[index].weight)))
    }

    /// From classes with their weights, which are finite; those of zero never come.
    fn new(weights: impl Iterator<Item = (u32, f64)>) -> Self {
        let positive = weights.filter(|&(_, weight)| weight > 0.0);
        Self { heap: positive.map(|(class, weight)| Reverse(Candidate::new(class, weight))).collect() }
    }
}

impl Iterator for Interleave {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let mut smallest = self.heap.peek_mut()?;
        let class = smallest.0.class;
        // The heap restores its order when the borrow of its top ends.
        smallest.0.advance();
        Some(class)
    }
}

/// A class in the heap. The order is that of Locust's tuples: key, then x, then weight, then name.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    key: f64,
    /// Weight plus the number of emissions.
    x: f64,
    weight: f64,
    /// Classes are indexed by name, so this compares like names.
    class: u32,
}

impl Candidate {
    fn new(class: u32, weight: f64) -> Self {
        Self { key: key(weight, weight), x: weight + 1.0, weight, class }
    }

    fn advance(&mut self) {
        self.key = key(self.weight, self.x);
        self.x += 1.0;
    }
}

/// The order of these operations is Locust's: another would round differently and break ties differently.
fn key(weight: f64, x: f64) -> f64 {
    weight * (x / (x + 1.0)).log2()
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        // Where this differs from Locust's comparison, -0.0 before 0.0, its next element decides the same: a key is
        // -0.0 only for tiny x, and 0.0 only for x so large that one more is lost.
        (self.key.total_cmp(&other.key))
            .then_with(|| self.x.total_cmp(&other.x))
            .then_with(|| self.weight.total_cmp(&other.weight))
            .then_with(|| self.class.cmp(&other.class))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_come_in_the_proportion_of_their_weights() {
        let check = |weights: &[f64], expected: &str| {
            let sequence = Interleave::new((0..).zip(weights.iter().copied()));
            let letters: String =
                sequence.take(expected.len()).map(|class| char::from(b'A' + class as u8)).collect();
            assert_eq!(letters, expected, "{weights:?}");
        };
        check(&[5.0, 1.0], "AABAAAAABAAAAABAAAAABAAA");
        check(&[3.0, 1.0], "ABAAABAAABAAABAA");
        check(&[1.0, 1.0, 1.0], "ABCABCABC");
        check(&[1.0, 2.0, 7.0], "CCBCACCBCCCCBCACCBCCCCBC");
        check(&[0.0, 1.0], "BBBB");
        check(&[0.5, 0.5], "ABABAB");
        // Where keys underflow or round to zero, x and then the weight decide. The answers are Locust's.
        check(&[1e-323, 5e-324], "ABABBAAAABBBBABABABABABA");
        check(&[3e-323, 5e-324, 1e-322], "CABCCCACCACCCCCCAAACCCCC");
        check(&[2e17, 1e17], "BBBBBBBB");
    }

    #[test]
    fn a_sequence_without_weights_is_empty() {
        assert_eq!(Interleave::new([(0, 0.0)].into_iter()).next(), None);
    }

    #[test]
    fn weights_at_the_edge_of_floats_neither_stall_nor_panic() {
        let extremes = [f64::MIN_POSITIVE, 5e-324, f64::MAX, 1.0];
        let emitted = Interleave::new((0..).zip(extremes)).take(100);
        assert_eq!(emitted.count(), 100);
    }
}
