//! What can be known of a run before it starts: how many users it has at its peak, how long it is, and the most that
//! they can request.

use std::time::Duration;

use super::turn::{Turn, Wanted, requests};
use super::{closed_class_specs, placed_users};
use crate::load::Load;
use crate::scenario::{Scenario, TaskBody, UserClass};
use crate::time::RunTime;
use crate::wait::WaitTime;

/// A run that has not begun.
#[derive(Clone, Copy, Debug)]
pub struct Outlook<'a> {
    /// What users do.
    pub scenario: &'a Scenario,
    /// How many of them, and for how long.
    pub load: &'a Load,
    /// How many iterations the whole cluster makes, if that is limited.
    pub iterations: Option<u64>,
}

/// What the users of one class do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Crowd<'a> {
    pub(super) class: &'a UserClass,
    /// Those that are placed; none of a class with arrivals.
    pub(super) users: f64,
    /// What one of them does in a turn.
    pub(super) turn: Turn,
    /// Iterations per second, all users together; `None` if nothing limits them.
    pub(super) iterations_per_s: Option<f64>,
}

impl Crowd<'_> {
    /// Requests per second that one placed user makes at most; `None` if nothing limits them.
    pub(super) fn requests_per_s_of_one(&self) -> Option<f64> {
        let length_s = self.turn.length_s(self.class);
        match self.turn.requests {
            0.0 => Some(0.0),
            requests => (length_s > 0.0).then(|| requests / length_s),
        }
    }

    /// Requests per second, all users together.
    fn requests_per_s(&self) -> Option<f64> {
        match &self.class.arrivals {
            // An arrival is a whole turn.
            Some(arrivals) => Some(arrivals.peak_rate() * self.turn.requests),
            None => Some(self.users * self.requests_per_s_of_one()?),
        }
    }

    /// Whether chance may give it more than the mean.
    fn is_random(&self) -> bool {
        let draws =
            !matches!(self.class.wait_time, WaitTime::Constant(_)) && !self.class.wait_time.is_paced();
        let one_task = matches!(&self.class.tasks[..], [task] if matches!(task.body, TaskBody::Steps(_)));
        draws || !one_task || self.turn.thinking_s > 0.0 || self.class.arrivals.is_some()
    }
}

impl<'a> Outlook<'a> {
    /// Users at the peak, without those that serve arrivals; `None` if nobody knows beforehand.
    pub(super) fn users(&self) -> Option<u32> {
        if closed_class_specs(self.scenario).is_empty() {
            return Some(0);
        }
        match &self.scenario.shape {
            Some(shape) => shape.peak_users(),
            None => Some(self.load.users),
        }
    }

    /// Users that serve arrivals, at most.
    pub(super) fn open_users(&self) -> u64 {
        let arrivals = self.scenario.users.iter().filter_map(|class| class.arrivals.as_ref());
        arrivals.map(|arrivals| u64::from(arrivals.max_users())).sum()
    }

    /// How long the run is; `None` if that is not known, or until somebody stops it.
    pub(super) fn length(&self) -> Option<Duration> {
        let shape = self.scenario.shape.as_ref().and_then(|shape| shape.end());
        let shape = shape.map(|end| end.saturating_since(RunTime::ZERO));
        let classes = &self.scenario.users;
        let arrivals = classes.iter().map(|class| class.arrivals.as_ref()?.length());
        let arrivals = arrivals.collect::<Option<Vec<_>>>().and_then(|lengths| lengths.into_iter().max());
        [self.load.run_time, shape, arrivals].into_iter().flatten().min()
    }

    /// How long users come, if they come in one ramp.
    pub(super) fn ramp(&self) -> Duration {
        let seconds = f64::from(self.load.users) / self.load.spawn_rate.as_per_second();
        let ramp = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        if self.scenario.shape.is_some() { Duration::ZERO } else { ramp }
    }

    /// Every class that has users at the peak; `None` if it is not known what they do.
    pub(super) fn crowds(&self, wanted: Wanted<'_>) -> Option<Vec<Crowd<'a>>> {
        // A stage may give all its users to the class that makes the most.
        let selects = self.scenario.shape.as_ref().is_some_and(|shape| shape.classes().next().is_some());
        let users = self.users().filter(|_| !selects)?;
        let placed = placed_users(self.scenario, users);
        let mut crowds = Vec::new();
        for class in &self.scenario.users {
            let users = placed.get(class.name.as_str()).copied().unwrap_or(0);
            if users == 0 && class.arrivals.is_none() {
                continue;
            }
            let turn = Turn::of(class, wanted)?;
            let (users, length_s) = (f64::from(users), turn.length_s(class));
            let iterations_per_s = match &class.arrivals {
                Some(arrivals) => Some(arrivals.peak_rate() * turn.iterations),
                None => (length_s > 0.0).then(|| users * turn.iterations / length_s),
            };
            crowds.push(Crowd { class, users, turn, iterations_per_s });
        }
        Some(crowds)
    }
}

/// The highest number of requests per second that all of them make if the target takes no time at all; `None` if
/// nothing limits it.
pub(super) fn highest_rate(crowds: &[Crowd<'_>]) -> Option<f64> {
    crowds.iter().map(Crowd::requests_per_s).sum()
}

/// The most requests that can come in a span, and what they follow from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct MostRequests {
    /// How many, on average.
    pub(super) count: f64,
    /// How many more chance may bring.
    pub(super) chance: f64,
    /// `--iterations` sets the limit, not the time.
    pub(super) by_iterations: bool,
}

impl Outlook<'_> {
    /// How often each user of the peak begins in the run: once, or more often where a shape goes down and up again.
    fn beginnings(&self) -> Option<f64> {
        match &self.scenario.shape {
            Some(shape) => Some(shape.users_begun()? as f64 / f64::from(shape.peak_users()?.max(1))),
            None => Some(1.0),
        }
    }

    /// Requests that come sooner than the rate says, at most: the first turn of every user begins without a wait.
    pub(super) fn head_start(&self, crowds: &[Crowd<'_>]) -> Option<f64> {
        let first: f64 = crowds.iter().map(|crowd| crowd.users * crowd.turn.most_requests).sum();
        Some(self.beginnings()? * first)
    }

    /// The most requests in a span of this length; `None` if nothing limits them.
    pub(super) fn most_requests(&self, wanted: Wanted<'_>, span: Option<Duration>) -> Option<MostRequests> {
        let crowds = self.crowds(wanted)?;
        let hooks = self.hook_requests(&crowds, wanted)?;
        let most = crowds.iter().map(|crowd| crowd.turn.most_requests).fold(0.0, f64::max);
        let by_iterations = self.iterations.map(|iterations| MostRequests {
            count: iterations as f64 * most + hooks,
            chance: 0.0,
            by_iterations: true,
        });
        let by_time = span.and_then(|span| {
            let expected = highest_rate(&crowds)? * span.as_secs_f64();
            let count = expected + self.head_start(&crowds)? + hooks;
            Some(MostRequests { count, chance: chance(&crowds, expected), by_iterations: false })
        });
        let both = [by_iterations, by_time].into_iter().flatten();
        both.min_by(|a, b| (a.count + a.chance).total_cmp(&(b.count + b.chance)))
    }

    /// Requests of `on_start` and `on_stop`, at most.
    fn hook_requests(&self, crowds: &[Crowd<'_>], wanted: Wanted<'_>) -> Option<f64> {
        let beginnings = self.beginnings()?;
        let hooks = crowds.iter().map(|crowd| {
            let each = requests(&crowd.class.on_start, wanted)? + requests(&crowd.class.on_stop, wanted)?;
            let open = crowd.class.arrivals.as_ref().map_or(0.0, |arrivals| f64::from(arrivals.max_users()));
            Some((beginnings * crowd.users + open) * each)
        });
        hooks.sum()
    }
}

/// How many more requests than expected chance may bring: hardly ever more than four deviations.
pub(super) fn chance(crowds: &[Crowd<'_>], expected: f64) -> f64 {
    if crowds.iter().any(Crowd::is_random) { 4.0 * expected.sqrt() } else { 0.0 }
}
