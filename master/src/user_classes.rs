//! `--user-classes`: which user classes run, and with what weight.

use sentinel_common::dispatch::ClassSpec;
use sentinel_common::scenario::Scenario;
use sentinel_common::suggest::nearest;
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
    /// The scenario has no such class.
    #[error("--user-classes names {name}, but {file} has only {known}{hint}")]
    Unknown {
        /// The class.
        name: String,
        /// The scenario.
        file: String,
        /// The classes that it has.
        known: String,
        /// What may have been meant.
        hint: String,
    },
}

/// Reads `Name[:weight],...`. Blanks separate as well as commas do, as in Locust's variable. An empty text names none.
///
/// # Errors
/// A part that is no class with a weight, or a class that is named twice.
pub fn parse(text: &str) -> Result<Vec<NamedClass>, UserClassesError> {
    let mut classes: Vec<NamedClass> = Vec::new();
    for part in text.split([',', ' ', '\t', '\n']).filter(|part| !part.is_empty()) {
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

/// Leaves only these classes in a scenario, with their weights. With none, the scenario stays as it is.
///
/// # Errors
/// The scenario has no such class.
pub fn restrict(scenario: &mut Scenario, classes: &[NamedClass], file: &str) -> Result<(), UserClassesError> {
    if let Some(unknown) =
        classes.iter().find(|class| scenario.users.iter().all(|user| user.name != class.name))
    {
        let names: Vec<&str> = scenario.users.iter().map(|user| user.name.as_str()).collect();
        return Err(UserClassesError::Unknown {
            name: unknown.name.clone(),
            file: file.to_owned(),
            known: names.join(", "),
            hint: nearest(&unknown.name, names)
                .map(|name| format!("; did you mean {name}?"))
                .unwrap_or_default(),
        });
    }
    if classes.is_empty() {
        return Ok(());
    }
    scenario.users.retain_mut(|user| {
        let Some(class) = classes.iter().find(|class| class.name == user.name) else {
            return false;
        };
        if let Some(weight) = class.weight {
            (user.weight, user.fixed_count) = (weight, 0);
        }
        true
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_weights_are_read() {
        let check = |text: &str, expected: &[(&str, Option<f64>)]| {
            let classes = parse(text).unwrap();
            let found: Vec<_> = classes.iter().map(|class| (class.name.as_str(), class.weight)).collect();
            assert_eq!(found, expected, "{text:?}");
        };
        check("A", &[("A", None)]);
        check("A:3,B", &[("A", Some(3.0)), ("B", None)]);
        check("A:0.5 B:2, C", &[("A", Some(0.5)), ("B", Some(2.0)), ("C", None)]);
        check("", &[]);
    }

    #[test]
    fn mistakes_are_named() {
        let check = |text: &str, expected: &str| {
            let error = parse(text).unwrap_err().to_string();
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

    #[test]
    fn a_scenario_is_restricted_and_weighted() {
        let text = "
host: http://localhost:1
users:
  Fixed: { fixed_count: 3, wait_time: constant(1), tasks: [{ name: t, steps: [{ get: / }] }] }
  Weighted: { wait_time: constant(1), tasks: [{ name: t, steps: [{ get: / }] }] }
";
        let restricted = |classes: &str| {
            let mut scenario = Scenario::load("x.yaml", text).unwrap();
            restrict(&mut scenario, &parse(classes).unwrap(), "x.yaml")?;
            let class = |user: &sentinel_common::scenario::UserClass| {
                (user.name.clone(), user.weight, user.fixed_count)
            };
            Ok::<_, UserClassesError>(scenario.users.iter().map(class).collect::<Vec<_>>())
        };
        assert_eq!(restricted("").unwrap().len(), 2);
        assert_eq!(restricted("Weighted:4").unwrap(), [("Weighted".to_owned(), 4.0, 0)]);
        assert_eq!(restricted("Fixed:2").unwrap(), [("Fixed".to_owned(), 2.0, 0)]);
        let error = restricted("Wieghted").unwrap_err().to_string();
        assert!(error.contains("Fixed, Weighted") && error.contains("did you mean Weighted?"), "{error}");
    }
}
