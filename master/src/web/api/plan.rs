//! What a run could be: what people choose from before they start one.

use axum::Json;
use axum::extract::State as Extract;
use serde::Serialize;
use utoipa::ToSchema;

use super::model::Load;
use crate::desk::Snapshot;
use crate::web::State;

/// What the next run would be if nobody said anything, and what can be said.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Plan {
    /// The load, if nothing is said.
    pub load: Load,
    /// Where requests go; `null` if classes differ, or nobody has said it yet.
    pub host: Option<String>,
    /// Somebody has to say the host.
    pub needs_host: bool,
    /// The profile in force.
    pub profile: Option<String>,
    /// Tags of which a task has to have one; empty for all.
    pub tags: Vec<String>,
    /// Tags of which a task may have none.
    pub exclude_tags: Vec<String>,
    /// The classes that run; empty for all.
    pub selected_classes: Vec<String>,
    /// People may choose classes (`--class-picker`).
    pub class_picker: bool,
    /// The classes to choose from.
    pub classes: Vec<Class>,
    /// The profiles to choose from.
    pub profiles: Vec<Profile>,
    /// The tags to choose from.
    pub known_tags: Vec<String>,
    /// The scenario has a shape, which decides about users.
    pub has_shape: bool,
    /// What is odd about the plan.
    pub notes: Vec<String>,
    /// A worker can run inside the master's process.
    pub can_run_here: bool,
    /// How a worker is started that can take part.
    pub worker_command: String,
}

/// A user class.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Class {
    /// Its name.
    pub name: String,
    /// Its share of the users.
    pub weight: f64,
    /// Exactly this many users, or 0.
    pub fixed_count: u32,
    /// Where its requests go, if it says so itself.
    pub host: Option<String>,
    /// Its tasks with their weights.
    pub tasks: Vec<Task>,
    /// A schedule begins its iterations, and no user.
    pub has_arrivals: bool,
}

/// A task of a user class.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Task {
    /// Its name.
    pub name: String,
    /// How often it is picked compared to the others.
    pub weight: u32,
}

/// A named amount of load.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// Users at the top.
    pub users: Option<u32>,
    /// Users per second on the way.
    pub spawn_rate: Option<f64>,
    /// Seconds.
    pub run_time_s: Option<f64>,
}

/// What a run could be.
#[utoipa::path(
    get, path = "/api/v1/plan", tag = "run",
    responses((status = 200, description = "What the next run would be, and what can be chosen", body = Plan))
)]
pub async fn plan(Extract(state): Extract<State>) -> Json<Plan> {
    let picker = state.settings().class_picker;
    Json(Plan::of(&state.counter().snapshot(), picker, state.worker_command()))
}

impl Plan {
    /// What a snapshot says.
    pub fn of(snapshot: &Snapshot, class_picker: bool, worker_command: &str) -> Self {
        let settings = &snapshot.settings;
        let (spec, load, catalogue) =
            (&settings.autostart.spec, settings.autostart.load, &settings.catalogue);
        let class = |class: &sentinel_common::catalogue::ClassFacts| Class {
            name: class.name.clone(),
            weight: class.weight,
            fixed_count: class.fixed_count,
            host: class.host.clone(),
            tasks: class
                .tasks
                .iter()
                .map(|(name, weight)| Task { name: name.to_string(), weight: *weight })
                .collect(),
            has_arrivals: class.has_arrivals,
        };
        let profile = |(name, load): &(String, sentinel_common::scenario::ProfileLoad)| Profile {
            name: name.clone(),
            users: load.users,
            spawn_rate: load.spawn_rate,
            run_time_s: load.run_time.map(|time| time.as_secs_f64()),
        };
        Self {
            load: Load {
                users: load.users,
                spawn_rate: load.spawn_rate.as_per_second(),
                run_time_s: load.run_time.map(|time| time.as_secs_f64()),
                arrivals: spec.arrivals.iter().map(ToString::to_string).collect(),
                is_fixed: spec.shape.is_some() || spec.is_open(),
            },
            host: settings.host.clone(),
            needs_host: settings.needs_host,
            profile: spec.profile.clone(),
            tags: spec.tags.clone(),
            exclude_tags: spec.exclude_tags.clone(),
            selected_classes: spec.named_classes.iter().map(|(name, _)| name.clone()).collect(),
            class_picker,
            classes: catalogue.classes.iter().map(class).collect(),
            profiles: catalogue.profiles.iter().map(profile).collect(),
            known_tags: catalogue.tags.iter().map(ToString::to_string).collect(),
            has_shape: catalogue.has_shape,
            notes: settings.notes.clone(),
            can_run_here: settings.scenario.is_some(),
            worker_command: worker_command.to_owned(),
        }
    }
}
