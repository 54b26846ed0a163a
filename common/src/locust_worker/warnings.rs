//! Warnings that are given once, however often there is a reason.

use std::collections::BTreeSet;

/// Different warnings that are remembered. A master that gives more reasons than this is not worth the log's space.
const REMEMBERED_MAX: usize = 32;

/// The warnings that were given.
#[derive(Debug, Default)]
pub(super) struct Warnings {
    given: BTreeSet<String>,
}

impl Warnings {
    /// Whether this warning is to be given, which it is once.
    pub(super) fn is_new(&mut self, text: &str) -> bool {
        self.given.len() < REMEMBERED_MAX && self.given.insert(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_given_once_and_not_without_end() {
        let mut warnings = Warnings::default();
        assert!(warnings.is_new("a"));
        assert!(!warnings.is_new("a"));
        let given = (0..1000).filter(|number| warnings.is_new(&number.to_string())).count();
        assert_eq!(given, REMEMBERED_MAX - 1);
    }
}
