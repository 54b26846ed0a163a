//! Preflight: what arithmetic says about a run before it starts.
//!
//! ```text
//! scenario, load --> Outlook --> Crowds (a class, its users, its Turn) --> highest rate --> criteria out of reach
//!                                                                     `--> Demand --+
//!                                                     what workers say they have ---`--> shortages
//! ```
//!
//! Whatever is said holds for any target: only waits, schedules and the machines that make the load are reckoned with.

mod criteria;
mod cure;
mod outlook;
mod resources;
mod turn;

use std::collections::BTreeMap;

use crate::coordinator::ClassArrivals;
use crate::dispatch::{ClassSpec, Dispatcher, capacity, fixed_users};
use crate::load::Load;
use crate::scenario::{Scenario, UserClass};

pub use self::criteria::unreachable_criteria;
pub use self::outlook::Outlook;
pub use self::resources::{
    Demand, REQUESTS_PER_S_OF_CORE, RESERVED_FILES, Resource, Supply, TIME_WAIT_S, master_files,
};

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

/// How many users of each class run when `users` are placed.
fn placed_users(scenario: &Scenario, users: u32) -> BTreeMap<&str, u32> {
    let mut dispatcher = Dispatcher::new(closed_class_specs(scenario), ["all"]).ok();
    let placement = dispatcher.as_mut().map(|dispatcher| dispatcher.ramp(users));
    let of_class = |class: &str| placement.and_then(|placement| placement.of_class(class)).unwrap_or(0);
    scenario.users.iter().map(|class| (class.name.as_str(), of_class(&class.name))).collect()
}

#[cfg(test)]
mod tests;
