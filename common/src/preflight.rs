//! Preflight: what arithmetic says about a run before it starts.

use crate::coordinator::ClassArrivals;
use crate::criteria::{Comparison, Criterion, Metric};
use crate::dispatch::{ClassSpec, Dispatcher, capacity, fixed_users};
use crate::load::Load;
use crate::scenario::{Scenario, Step, TaskBody, Tasks, UserClass};

impl From<&UserClass> for ClassSpec {
    fn from(class: &UserClass) -> Self {
        Self { name: class.name.clone(), weight: class.weight, fixed_count: class.fixed_count }
    }
}

/// The user classes of a scenario with their weights and fixed counts.
pub fn class_specs(scenario: &Scenario) -> Vec<ClassSpec> {
    scenario.users.iter().map(ClassSpec::from).collect()
}

/// Those whose users are placed, which is not the business of arrivals.
pub fn closed_class_specs(scenario: &Scenario) -> Vec<ClassSpec> {
    scenario.users.iter().filter(|class| class.arrivals.is_none()).map(ClassSpec::from).collect()
}

/// The user classes of a scenario whose iterations begin by a schedule.
pub fn class_arrivals(scenario: &Scenario) -> Vec<ClassArrivals> {
    let open = |class: &UserClass| {
        Some(ClassArrivals { class: class.name.clone(), arrivals: class.arrivals.clone()? })
    };
    scenario.users.iter().filter_map(open).collect()
}

/// Why `users` cannot be given to these classes; `None` if they can.
pub fn misfit(classes: &[ClassSpec], users: u32) -> Option<String> {
    if classes.is_empty() {
        // Arrivals bring their own.
        return None;
    }
    let fixed = fixed_users(classes);
    if u64::from(users) < fixed {
        return Some(format!(
            "the classes with a fixed_count need {fixed} users, but there are only {users}"
        ));
    }
    capacity(classes).filter(|most| *most < u64::from(users)).map(|most| {
        format!(
            "all classes have a fixed_count, so {most} users will run and not {users}; give a class a weight"
        )
    })
}

/// Says so if the ramp takes longer than the run; `None` if it does not.
pub fn unfinished_ramp(load: &Load) -> Option<String> {
    let run_time = load.run_time?.as_secs_f64();
    let ramp = f64::from(load.users) / load.spawn_rate.as_per_second();
    (ramp > run_time).then(|| {
        let (users, rate) = (load.users, load.spawn_rate.as_per_second());
        format!("the ramp to {users} users at {rate}/s takes {ramp:.0} s, longer than the run time of {run_time:.0} s")
    })
}

/// The highest number of requests per second that `users` can make if the target takes no time at all; `None` if
/// nothing limits it.
pub fn highest_rate(scenario: &Scenario, users: u32) -> Option<f64> {
    let mut dispatcher = Dispatcher::new(closed_class_specs(scenario), ["all"]).ok();
    let placement = dispatcher.as_mut().map(|dispatcher| dispatcher.ramp(users));
    let mut highest = 0.0;
    for class in &scenario.users {
        let placed = placement.and_then(|placement| placement.of_class(&class.name)).unwrap_or(0);
        let iterations = match &class.arrivals {
            Some(arrivals) => arrivals.peak_rate(),
            None if placed == 0 => continue,
            None => f64::from(placed) * class.wait_time.max_rate()?,
        };
        highest += iterations * requests_per_iteration(&class.tasks)?;
    }
    Some(highest)
}

/// What is wrong with the criteria, knowing the highest rate.
pub fn unreachable_criteria(scenario: &Scenario, criteria: &[Criterion], users: u32) -> Vec<String> {
    let Some(highest) = highest_rate(scenario, users) else {
        return Vec::new();
    };
    let wants_more = |criterion: &&Criterion| {
        let at_least = matches!(criterion.comparison, Comparison::Above | Comparison::AtLeast);
        criterion.metric == Metric::Rps && at_least && criterion.limit > highest
    };
    let explain = |criterion: &Criterion| {
        let needed = (f64::from(users) * criterion.limit / highest).ceil();
        format!(
            "`{criterion}` cannot be met: with their wait times, {users} users make at most {highest:.0} requests per \
             second; it takes at least {needed:.0} users or shorter waits, such as constant_throughput"
        )
    };
    criteria.iter().filter(wants_more).map(explain).collect()
}

/// The mean number of requests in one iteration, at most; `None` if templates decide about it.
fn requests_per_iteration(tasks: &Tasks) -> Option<f64> {
    let visit = Visit::of(tasks)?;
    Some(visit.requests / visit.iterations)
}

/// What one pick of a list of tasks leads to, on average.
struct Visit {
    iterations: f64,
    requests: f64,
}

impl Visit {
    fn of(tasks: &Tasks) -> Option<Self> {
        let mut mean = Self { iterations: 0.0, requests: 0.0 };
        let weights: f64 = tasks.iter().map(|task| f64::from(task.weight)).sum();
        for task in tasks.iter() {
            let (share, visit) = (f64::from(task.weight) / weights, Self::of_task(&task.body)?);
            mean.iterations += share * visit.iterations;
            mean.requests += share * visit.requests;
        }
        Some(mean)
    }

    fn of_task(body: &TaskBody) -> Option<Self> {
        let group = match body {
            TaskBody::Steps(steps) => return Some(Self { iterations: 1.0, requests: requests(steps)? }),
            TaskBody::Group(group) => group,
        };
        // How long it is until an `interrupt` nobody knows; one pass stands for it.
        let picks = group.iterations.unwrap_or(group.tasks.total_weight()) as f64;
        let inner = Self::of(&group.tasks)?;
        let hooks = requests(&group.on_start)? + requests(&group.on_stop)?;
        Some(Self { iterations: picks * inner.iterations, requests: picks * inner.requests + hooks })
    }
}

/// The most requests that these steps make; `None` if templates decide about it.
fn requests(steps: &[Step]) -> Option<f64> {
    let of_step = |step: &Step| match step {
        Step::Request(_) => Some(1.0),
        Step::If { then, otherwise, .. } => Some(requests(then)?.max(requests(otherwise)?)),
        Step::Repeat { count, steps, .. } => match requests(steps)? {
            0.0 => Some(0.0),
            each => Some(each * count.as_constant()?.parse::<f64>().ok()?),
        },
        Step::ForEach { steps, .. } => requests(steps).filter(|each| *each == 0.0),
        _ => Some(0.0),
    };
    steps.iter().map(of_step).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario(wait: &str) -> Scenario {
        let text = format!(
            "host: http://localhost\nusers:\n  U:\n    wait_time: {wait}\n    tasks:\n      - name: t\n        steps: [{{ get: / }}]\n"
        );
        Scenario::load("test.yaml", &text).unwrap_or_else(|notes| panic!("{notes}"))
    }

    #[test]
    fn the_highest_rate_follows_from_users_and_waits() {
        let check = |wait: &str, users, expected: Option<f64>| {
            let found = highest_rate(&scenario(wait), users).map(f64::round);
            assert_eq!(found, expected, "{users} users, {wait}");
        };
        check("between(0.1, 0.5)", 500, Some(1667.0));
        check("constant_throughput(20)", 500, Some(10_000.0));
        check("constant(0)", 500, None);
    }

    #[test]
    fn a_criterion_out_of_reach_is_explained() {
        let criteria = [Criterion::parse("rps >= 10000").unwrap(), Criterion::parse("p95 < 1s").unwrap()];
        let notes = unreachable_criteria(&scenario("between(0.1, 0.5)"), &criteria, 500);
        assert_eq!(notes.len(), 1);
        assert!(
            notes[0].contains("at most 1667") && notes[0].contains("at least 3000 users"),
            "{}",
            notes[0]
        );
        assert!(unreachable_criteria(&scenario("constant_throughput(21)"), &criteria, 500).is_empty());
    }

    #[test]
    fn a_ramp_that_outlasts_the_run_is_noted() {
        let check = |users, rate, seconds, expected: bool| {
            let load = Load::new(users, rate, Some(std::time::Duration::from_secs(seconds))).unwrap();
            assert_eq!(
                unfinished_ramp(&load).is_some(),
                expected,
                "{users} users at {rate}/s in {seconds} s"
            );
        };
        check(500, 50.0, 30, false);
        check(500, 50.0, 9, true);
        check(10, 1.0, 10, false);
    }

    #[test]
    fn fixed_counts_and_users_must_fit() {
        let class =
            |weight, fixed_count| ClassSpec { name: format!("{weight}-{fixed_count}"), weight, fixed_count };
        assert!(misfit(&[class(1.0, 5), class(1.0, 0)], 4).is_some_and(|text| text.contains("need 5 users")));
        assert!(misfit(&[class(1.0, 5)], 9).is_some_and(|text| text.contains("5 users will run")));
        assert_eq!(misfit(&[class(1.0, 5), class(1.0, 0)], 9), None);
    }
}
