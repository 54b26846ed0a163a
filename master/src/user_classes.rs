//! `--user-classes` and the names that stand alone on the command line: which user classes run, and with what weight.

use sentinel_common::dispatch::ClassSpec;
use thiserror::Error;

/// The most user classes that the option may name.
const MAX_CLASSES: usize = 1_000;

/// A user class as the option names it.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedClass {
    /// Its name.
    pub name: String,
    /// Its weight, if it was given.
    pub weight: Option<f64>,
}

/// A mistake in `--user-classes`, with the cure.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum UserClassesError {
    /// A part is not `Name` or `Name:weight`.
    #[error("--user-classes: {part:?} is not of the form Name or Name:weight, with a weight above zero")]
    Malformed {
        /// The part.
        part: String,
    },
    /// A class is named twice.
    #[error("--user-classes names {0} twice")]
    Twice(String),
    /// Too many of them.
    #[error("--user-classes names more than {MAX_CLASSES} classes")]
    TooMany,
}

/// Reads `Name[:weight],...` and the names that stand alone on the command line. Blanks separate as well as commas do, as
/// in Locust's variable. An empty text names none.
///
/// # Errors
/// A part that is no class with a weight, or a class that is named twice.
pub fn parse(text: &str, names: &[String]) -> Result<Vec<NamedClass>, UserClassesError> {
    let mut classes: Vec<NamedClass> = Vec::new();
    let names = names.iter().map(String::as_str);
    for part in text.split([',', ' ', '\t', '\n']).filter(|part| !part.is_empty()).chain(names) {
        let class = parse_one(part).ok_or_else(|| UserClassesError::Malformed { part: part.to_owned() })?;
        if classes.iter().any(|other| other.name == class.name) {
            return Err(UserClassesError::Twice(class.name));
        }
        if classes.len() == MAX_CLASSES {
            return Err(UserClassesError::TooMany);
        }
        classes.push(class);
    }
    Ok(classes)
}

fn parse_one(part: &str) -> Option<NamedClass> {
    let (name, weight) = match part.split_once(':') {
        Some((name, weight)) => (name, Some(weight.parse::<f64>().ok()?)),
        None => (part, None),
    };
    let usable = weight.is_none_or(|weight| weight.is_finite() && weight > 0.0);
    (usable && !name.is_empty()).then(|| NamedClass { name: name.to_owned(), weight })
}

/// The classes as the dispatcher sees them, for a locustfile of which nothing else is known.
pub fn class_specs(classes: &[NamedClass]) -> Vec<ClassSpec> {
    let spec = |class: &NamedClass| ClassSpec {
        name: class.name.clone(),
        weight: class.weight.unwrap_or(1.0),
        fixed_count: 0,
    };
    classes.iter().map(spec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_weights_are_read() {
        let check = |text: &str, expected: &[(&str, Option<f64>)]| {
            let classes = parse(text, &[]).unwrap();
            let found: Vec<_> = classes.iter().map(|class| (class.name.as_str(), class.weight)).collect();
            assert_eq!(found, expected, "{text:?}");
        };
        check("A", &[("A", None)]);
        check("A:3,B", &[("A", Some(3.0)), ("B", None)]);
        check("A:0.5 B:2, C", &[("A", Some(0.5)), ("B", Some(2.0)), ("C", None)]);
        check("", &[]);
        let both = parse("A:3", &["B".to_owned()]).unwrap();
        assert_eq!(both.iter().map(|class| class.name.as_str()).collect::<Vec<_>>(), ["A", "B"]);
    }

    #[test]
    fn mistakes_are_named() {
        let check = |text: &str, expected: &str| {
            let error = parse(text, &[]).unwrap_err().to_string();
            assert!(error.contains(expected), "{text:?}: {error}");
        };
        check("A:x", "\"A:x\"");
        check("A:-1", "above zero");
        check("A:0", "above zero");
        check("A:inf", "above zero");
        check(":3", "\":3\"");
        check("A:1:2", "\"A:1:2\"");
        check("A,B,A", "A twice");
        check(&(0..=MAX_CLASSES).map(|n| format!("C{n},")).collect::<String>(), "more than");
    }
}
