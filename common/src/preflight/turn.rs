//! What one user does in one turn: from picking a task to picking the next one.

use crate::http::Reuse;
use crate::scenario::{RequestStep, Step, TaskBody, Tasks, UserClass};

/// Which requests count.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wanted<'a> {
    /// All of them.
    All,
    /// Those that may have this name.
    Named(&'a str),
}

impl Wanted<'_> {
    /// Those of one name, or all.
    pub(super) fn of(name: Option<&str>) -> Wanted<'_> {
        name.map_or(Wanted::All, Wanted::Named)
    }

    pub(super) fn counts(self, request: &RequestStep) -> bool {
        match self {
            Self::All => true,
            // A name that a template makes may be any.
            Self::Named(name) => name_of(request).is_none_or(|known| known == name),
        }
    }
}

/// The name of a request in the statistics; `None` if a template makes it.
pub(super) fn name_of(request: &RequestStep) -> Option<&str> {
    match &request.name {
        Some(name) => name.as_constant(),
        None if request.query.is_empty() => request.target.as_constant(),
        None => None,
    }
}

/// A turn, on average over the tasks that may be picked.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Turn {
    /// Tasks that are carried out; more than one in a group.
    pub(super) iterations: f64,
    /// Requests that count, at most.
    pub(super) requests: f64,
    /// Seconds of waits between tasks, for a user that follows no schedule.
    pub(super) waiting_s: f64,
    /// Seconds of pauses within tasks, at least.
    pub(super) thinking_s: f64,
    /// Requests that count in the turn that has the most of them.
    pub(super) most_requests: f64,
}

impl Turn {
    /// The turn of a user of `class`; `None` if only the run can tell, because templates or an `interrupt` decide.
    pub(super) fn of(class: &UserClass, wanted: Wanted<'_>) -> Option<Self> {
        let wait_s = class.wait_time.mean().map_or(0.0, |wait| wait.as_secs_f64());
        Self::of_tasks(&class.tasks, wait_s, wanted)
    }

    fn of_tasks(tasks: &Tasks, wait_s: f64, wanted: Wanted<'_>) -> Option<Self> {
        let mut mean = Self::default();
        for task in tasks.iter() {
            let share = f64::from(task.weight) / tasks.total_weight() as f64;
            let turn = Self::of_task(&task.body, wait_s, wanted)?;
            mean.iterations += share * turn.iterations;
            mean.requests += share * turn.requests;
            mean.waiting_s += share * turn.waiting_s;
            mean.thinking_s += share * turn.thinking_s;
            mean.most_requests = mean.most_requests.max(turn.most_requests);
        }
        Some(mean)
    }

    fn of_task(body: &TaskBody, wait_s: f64, wanted: Wanted<'_>) -> Option<Self> {
        let group = match body {
            TaskBody::Steps(steps) => {
                let requests = requests(steps, wanted)?;
                let thinking_s = if may_end_early(steps) { 0.0 } else { thinking_s(steps) };
                let (iterations, waiting_s, most_requests) = (1.0, wait_s, requests);
                return Some(Self { iterations, requests, waiting_s, thinking_s, most_requests });
            }
            TaskBody::Group(group) => group,
        };
        // How long it is until an `interrupt` nobody knows.
        let picks = group.iterations.filter(|_| !is_interrupted(&group.tasks))? as f64;
        let wait_s = group.wait_time.map_or(wait_s, |wait| wait.mean().unwrap_or_default().as_secs_f64());
        let inner = Self::of_tasks(&group.tasks, wait_s, wanted)?;
        let hooks = requests(&group.on_start, wanted)? + requests(&group.on_stop, wanted)?;
        Some(Self {
            iterations: picks * inner.iterations,
            requests: picks * inner.requests + hooks,
            waiting_s: picks * inner.waiting_s,
            thinking_s: picks * inner.thinking_s,
            most_requests: picks * inner.most_requests + hooks,
        })
    }

    /// Requests that count in one iteration, on average.
    pub(super) fn requests_per_iteration(&self) -> f64 {
        self.requests / self.iterations
    }

    /// The fewest seconds that it takes, if the target takes no time at all.
    pub(super) fn length_s(&self, class: &UserClass) -> f64 {
        let schedule = Some(class.wait_time).filter(|wait| wait.is_paced()).and_then(|wait| wait.max_rate());
        match schedule {
            Some(per_second) => (self.iterations / per_second).max(self.thinking_s),
            None => self.waiting_s + self.thinking_s,
        }
    }

    /// Connections that one iteration opens, on average.
    pub(super) fn connections_per_iteration(&self, class: &UserClass) -> f64 {
        let per_request = self.requests_per_iteration();
        let spent = class.http.max_requests.map_or(0.0, |most| per_request / f64::from(most.max(1)));
        match class.http.reuse.unwrap_or_default() {
            Reuse::None => per_request,
            // A user whose iteration requests nothing opens nothing.
            Reuse::Iteration => spent.max(per_request.min(1.0)),
            Reuse::User => spent,
        }
    }
}

/// The most requests that count among these steps; `None` if templates decide about it.
pub(super) fn requests(steps: &[Step], wanted: Wanted<'_>) -> Option<f64> {
    let of_step = |step: &Step| match step {
        Step::Request(request) => Some(f64::from(u8::from(wanted.counts(request)))),
        Step::If { then, otherwise, .. } => Some(requests(then, wanted)?.max(requests(otherwise, wanted)?)),
        Step::Repeat { count, steps, .. } => match requests(steps, wanted)? {
            0.0 => Some(0.0),
            each => Some(each * count.as_constant()?.parse::<f64>().ok()?),
        },
        Step::ForEach { steps, .. } => requests(steps, wanted).filter(|each| *each == 0.0),
        _ => Some(0.0),
    };
    steps.iter().map(of_step).sum()
}

/// The fewest seconds that these steps pause, on average, if all of them are done.
fn thinking_s(steps: &[Step]) -> f64 {
    let of_step = |step: &Step| match step {
        Step::Think(wait) => wait.mean().unwrap_or_default().as_secs_f64(),
        Step::If { then, otherwise, .. } => thinking_s(then).min(thinking_s(otherwise)),
        Step::Repeat { count, steps, .. } => {
            let rounds: Option<f64> = count.as_constant().and_then(|count| count.parse().ok());
            rounds.unwrap_or(0.0) * thinking_s(steps)
        }
        _ => 0.0,
    };
    steps.iter().map(of_step).sum()
}

fn may_end_early(steps: &[Step]) -> bool {
    let ends = |step: &Step| matches!(step, Step::Fail(_) | Step::Interrupt | Step::StopUser(_));
    any(steps, &ends)
}

fn is_interrupted(tasks: &Tasks) -> bool {
    let interrupts = |step: &Step| matches!(step, Step::Interrupt);
    tasks.iter().any(|task| match &task.body {
        TaskBody::Steps(steps) => any(steps, &interrupts),
        TaskBody::Group(group) => is_interrupted(&group.tasks),
    })
}

fn any(steps: &[Step], holds: &impl Fn(&Step) -> bool) -> bool {
    let mut found = false;
    steps.iter().for_each(|step| step.visit(&mut |step| found |= holds(step)));
    found
}
