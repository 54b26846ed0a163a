//! What people can choose from before they start a run: user classes, tags, profiles, and whether there is a shape.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::dispatch::ClassSpec;
use crate::scenario::{ProfileLoad, Scenario, TaskBody, Tasks, UserClass};

/// Everything that a scenario, or the names of a locustfile's classes, offer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Catalogue {
    /// The user classes, in the order of the file.
    pub classes: Vec<ClassFacts>,
    /// The profiles by name, with the load that each stands for.
    pub profiles: Vec<(String, ProfileLoad)>,
    /// The tags of all tasks.
    pub tags: BTreeSet<Arc<str>>,
    /// The users follow a shape, unless a profile says otherwise.
    pub has_shape: bool,
    /// Where requests go that do not say it themselves.
    pub host: Option<String>,
}

/// What people may want to know of a user class.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClassFacts {
    /// Its name.
    pub name: String,
    /// Its share of the users.
    pub weight: f64,
    /// Exactly this many users, or 0.
    pub fixed_count: u32,
    /// Where its requests go, if it says so itself.
    pub host: Option<String>,
    /// Its tasks with their weights; a group of tasks counts as one.
    pub tasks: Vec<(Arc<str>, u32)>,
    /// A schedule begins its iterations, and no user.
    pub has_arrivals: bool,
}

impl Catalogue {
    /// What a scenario offers before anything of it is selected.
    pub fn of_scenario(scenario: &Scenario) -> Self {
        let mut tags = BTreeSet::new();
        scenario.users.iter().for_each(|class| add_tags(&class.tasks, &mut tags));
        let profiles = scenario.profiles.iter().map(|(name, profile)| (name.clone(), profile.load));
        Self {
            classes: scenario.users.iter().map(|class| ClassFacts::of(class, scenario)).collect(),
            profiles: profiles.collect(),
            tags,
            has_shape: scenario.shape.is_some(),
            host: scenario.host.as_ref().map(|host| host.as_str().to_owned()),
        }
    }

    /// What is known of a locustfile: the names and weights of its classes.
    pub fn of_classes(classes: &[ClassSpec]) -> Self {
        let facts = |class: &ClassSpec| ClassFacts {
            name: class.name.clone(),
            weight: class.weight,
            fixed_count: class.fixed_count,
            ..ClassFacts::default()
        };
        Self { classes: classes.iter().map(facts).collect(), ..Self::default() }
    }

    /// The class of a name.
    pub fn class(&self, name: &str) -> Option<&ClassFacts> {
        self.classes.iter().find(|class| class.name == name)
    }
}

impl ClassFacts {
    fn of(class: &UserClass, scenario: &Scenario) -> Self {
        Self {
            name: class.name.clone(),
            weight: class.weight,
            fixed_count: class.fixed_count,
            host: class.host.as_ref().map(|host| host.as_str().to_owned()),
            tasks: class.tasks.iter().map(|task| (task.name.clone(), task.weight)).collect(),
            has_arrivals: class.arrivals.is_some() || scenario.arrivals.is_some(),
        }
    }
}

/// Groups are as deep as the scenario is, which is bounded.
fn add_tags(tasks: &Tasks, tags: &mut BTreeSet<Arc<str>>) {
    for task in tasks.iter() {
        tags.extend(task.tags.iter().cloned());
        if let TaskBody::Group(group) = &task.body {
            add_tags(&group.tasks, tags);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_tells_what_there_is_to_choose_from() {
        let text = "
host: http://h
users:
  Reader:
    fixed_count: 2
    tasks:
      - name: read
        weight: 3
        tags: [slow]
        steps: [{ get: / }]
      - name: around
        iterations: 1
        tasks:
          - { name: inner, tags: [fast], steps: [{ get: / }] }
  Writer:
    host: http://w
    tasks: [{ name: write, steps: [{ get: / }] }]
profiles:
  light: { users: 10 }
";
        let catalogue = Catalogue::of_scenario(&Scenario::load("s.yaml", text).unwrap());
        let [reader, writer] = &catalogue.classes[..] else { panic!("{catalogue:?}") };
        assert_eq!((reader.fixed_count, reader.host.as_deref()), (2, None));
        assert_eq!(reader.tasks, [("read".into(), 3), ("around".into(), 1)]);
        assert_eq!(writer.host.as_deref(), Some("http://w"));
        assert_eq!(catalogue.tags.iter().map(|tag| &**tag).collect::<Vec<_>>(), ["fast", "slow"]);
        assert_eq!(catalogue.profiles[0].1.users, Some(10));
        assert!(!catalogue.has_shape && catalogue.class("Nobody").is_none());
    }
}
