//! Why a body is not accepted, in words and as JSON.
//!
//! The parser makes refusals, the routes answer 422 with them. They exist on the failing path only, so
//! they may be generous; but they are bounded, because whoever sends a mebibyte of nonsense should not
//! get it back.

use std::fmt;

use serde::Serialize;

/// What is wrong with a body.
#[derive(Debug, PartialEq)]
pub(crate) enum Refusal {
    /// Not JSON, or not the shape that the route expects. The text says it all.
    Shape(String),
    /// JSON, but not a transaction.
    Transaction(Box<Problems>),
    /// A batch with invalid transactions in it.
    Batch(BatchProblems),
}

impl Refusal {
    /// The body of the answer: `error` in words, and each problem for programs.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Answer<'a, T> {
            error: String,
            #[serde(flatten)]
            problems: Option<&'a T>,
        }
        fn json<T: Serialize>(error: String, problems: Option<&T>) -> Vec<u8> {
            serde_json::to_vec(&Answer { error, problems }).expect("string keys and plain values serialise")
        }
        match self {
            Refusal::Shape(text) => json::<Problems>(text.clone(), None),
            Refusal::Transaction(problems) => {
                json(format!("invalid transaction: {problems}"), Some(problems))
            }
            Refusal::Batch(problems) => json(problems.to_string(), Some(problems)),
        }
    }
}

/// Everything wrong with one transaction.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(crate) struct Problems {
    /// Required fields that are not there.
    pub(crate) missing: Vec<&'static str>,
    /// Fields that a transaction does not have.
    pub(crate) unknown: Names,
    /// Fields with a value that is not accepted.
    pub(crate) invalid: Vec<Invalid>,
}

/// One field with a value that is not accepted.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Invalid {
    pub(crate) field: &'static str,
    /// Continues a sentence that begins with the field.
    pub(crate) reason: String,
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        if !self.missing.is_empty() {
            write!(f, "missing {}", self.missing.join(", "))?;
            separator = "; ";
        }
        if !self.unknown.is_empty() {
            write!(f, "{separator}unknown {}", self.unknown)?;
            separator = "; ";
        }
        for Invalid { field, reason } in &self.invalid {
            write!(f, "{separator}{field} {reason}")?;
            separator = "; ";
        }
        Ok(())
    }
}

/// The invalid transactions of one batch: all are counted, the first [`SHOWN_MAX`] are described.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(crate) struct BatchProblems {
    invalid_transactions: usize,
    problems: Vec<BatchProblem>,
}

#[derive(Debug, PartialEq, Serialize)]
struct BatchProblem {
    index: usize,
    #[serde(flatten)]
    what: ElementProblem,
}

/// What is wrong with one element of a batch.
#[derive(Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub(crate) enum ElementProblem {
    /// An object, but not a transaction.
    Fields(Box<Problems>),
    /// Not even an object.
    NotAnObject {
        /// What it is instead.
        reason: String,
    },
}

const SHOWN_MAX: usize = 8;

impl BatchProblems {
    /// Notes what is wrong with the transaction at `index`, counted from 0.
    pub(crate) fn note(&mut self, index: usize, what: ElementProblem) {
        self.invalid_transactions += 1;
        if self.problems.len() < SHOWN_MAX {
            self.problems.push(BatchProblem { index, what });
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.invalid_transactions == 0
    }
}

impl fmt::Display for BatchProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("invalid transactions")?;
        let mut separator = ":";
        for BatchProblem { index, what } in &self.problems {
            match what {
                ElementProblem::Fields(problems) => write!(f, "{separator} index {index}: {problems}")?,
                ElementProblem::NotAnObject { reason } => write!(f, "{separator} index {index}: {reason}")?,
            }
            separator = ".";
        }
        match self.invalid_transactions - self.problems.len() {
            0 => Ok(()),
            more => write!(f, ". And {more} more"),
        }
    }
}

/// Names that a client chose: all are counted, the first [`NAMES_MAX`] are kept, each cut to
/// [`NAME_CHARS_MAX`].
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Names {
    kept: Vec<String>,
    count: usize,
}

const NAMES_MAX: usize = 32;
const NAME_CHARS_MAX: usize = 64;

impl Names {
    pub(crate) fn note(&mut self, name: &str) {
        self.count += 1;
        if self.kept.len() < NAMES_MAX {
            self.kept.push(name.chars().take(NAME_CHARS_MAX).collect());
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kept.join(", "))?;
        match self.count - self.kept.len() {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

impl Serialize for Names {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.kept.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_bounded_whatever_was_sent() {
        let mut names = Names::default();
        let mut batch = BatchProblems::default();
        for index in 0..1_000 {
            names.note(&"ü".repeat(10_000));
            batch.note(index, ElementProblem::NotAnObject { reason: "is null, not an object".to_owned() });
        }
        assert!(names.to_string().ends_with(" and 968 more"));
        assert!(batch.to_string().ends_with(". And 992 more"));
        let unknown = Refusal::Transaction(Box::new(Problems { unknown: names, ..Problems::default() }));
        assert!(unknown.to_json().len() < 16_384);
        assert!(Refusal::Batch(batch).to_json().len() < 2_048);
    }
}
