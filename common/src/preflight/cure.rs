//! Who makes the load, in words, and how much more it takes to reach a goal.

use std::fmt;

use super::outlook::{Crowd, Outlook, highest_rate};
use crate::criteria::Criterion;
use crate::dispatch::MAX_USERS;
use crate::figures::{figure, rounded_up, whole};
use crate::scenario::TaskBody;
use crate::wait::{Throughput, WaitTime};

/// What the binary fractions of a division may leave above a whole number.
const NOISE: f64 = 1e-6;

/// `500 users with a mean wait of 0.3 s make`, or whoever else does.
pub(super) fn who_makes(outlook: &Outlook<'_>, crowds: &[Crowd<'_>]) -> String {
    let (closed, open) = apart(crowds);
    let users: f64 = closed.iter().map(|crowd| crowd.users).sum();
    let peak = if outlook.scenario.shape.is_some() { " at the peak of the shape" } else { "" };
    let noun = if users == 1.0 { "user" } else { "users" };
    let placed = format!("{} {noun}{peak} with {}", whole(users), waits(&closed, users));
    let rate: f64 = open.iter().filter_map(|crowd| Some(crowd.class.arrivals.as_ref()?.peak_rate())).sum();
    let arriving = format!("arrivals at up to {}/s", figure(rate));
    let both = [(placed, closed.is_empty()), (arriving, open.is_empty())];
    let present: Vec<String> = both.into_iter().filter(|(_, none)| !none).map(|(text, _)| text).collect();
    match (present.is_empty(), users == 1.0 && open.is_empty()) {
        (true, _) => "no users make".to_owned(),
        (false, true) => present.join(" and ") + " makes",
        (false, false) => present.join(" and ") + " make",
    }
}

/// Those whose users are placed, and those with arrivals.
fn apart<'c, 'a>(crowds: &'c [Crowd<'a>]) -> (Vec<&'c Crowd<'a>>, Vec<&'c Crowd<'a>>) {
    crowds.iter().partition(|crowd| crowd.class.arrivals.is_none())
}

/// How long users wait, in words.
fn waits(closed: &[&Crowd<'_>], users: f64) -> String {
    let mut text = match mean_wait_s(closed, users) {
        Some(mean_s) => format!("a mean wait of {} s", figure(mean_s)),
        None => match same_wait(closed) {
            Some(wait) => wait.to_string(),
            None => "their wait times".to_owned(),
        },
    };
    let thinking_s: f64 = closed.iter().map(|crowd| crowd.users * crowd.turn.thinking_s).sum();
    if thinking_s > 0.0 {
        text += " and the pauses in their tasks";
    }
    match closed {
        [crowd] if (crowd.turn.requests_per_iteration() - 1.0).abs() > NOISE => {
            text + &format!(
                " and {} of these requests per iteration",
                figure(crowd.turn.requests_per_iteration())
            )
        }
        _ => text,
    }
}

/// The mean wait of all users; `None` if some follow a schedule, or wait otherwise within a group.
fn mean_wait_s(closed: &[&Crowd<'_>], users: f64) -> Option<f64> {
    let own = |crowd: &&Crowd<'_>| {
        let grouped = crowd.class.tasks.iter().any(|task| matches!(task.body, TaskBody::Group(_)));
        let mean = crowd.class.wait_time.mean().filter(|_| !grouped)?;
        Some(crowd.users * mean.as_secs_f64())
    };
    let sum: Option<f64> = closed.iter().map(own).sum();
    Some(sum? / users)
}

fn same_wait(closed: &[&Crowd<'_>]) -> Option<WaitTime> {
    let mut waits = closed.iter().map(|crowd| crowd.class.wait_time);
    let first = waits.next()?;
    waits.all(|wait| wait == first).then_some(first)
}

/// More load, in words: one way or another.
#[derive(Debug, PartialEq)]
pub(super) struct Cure(Vec<String>);

impl Cure {
    /// For so many requests per second.
    pub(super) fn for_rate(outlook: &Outlook<'_>, crowds: &[Crowd<'_>], limit: f64) -> Self {
        let (closed, open) = apart(crowds);
        let rate = |crowds: &[&Crowd<'_>]| {
            highest_rate(&crowds.iter().map(|crowd| **crowd).collect::<Vec<_>>()).unwrap_or(0.0)
        };
        let (open_rate, closed_rate) = (rate(&open), rate(&closed));
        let mut ways = Vec::new();
        ways.extend(users_for(&closed, limit - open_rate).map(|users| at_least_users(outlook, users)));
        let throughput = throughput_for(&closed, limit - open_rate);
        ways.extend(throughput.map(|throughput| format!("`constant_throughput({throughput})`")));
        if open_rate > 0.0 {
            let peak: f64 = open.iter().filter_map(|it| Some(it.class.arrivals.as_ref()?.peak_rate())).sum();
            let needed = rounded_up(peak * (limit - closed_rate) / open_rate);
            ways.push(format!("arrivals at {}/s or more", figure(needed)));
        }
        Self(ways)
    }

    /// For so many requests in a time in which there are `count` of them at most.
    pub(super) fn for_count(
        outlook: &Outlook<'_>,
        crowds: &[Crowd<'_>],
        criterion: &Criterion,
        span_s: f64,
        count: f64,
        needed: f64,
    ) -> Self {
        let mut ways = Vec::new();
        let rate = highest_rate(crowds).filter(|rate| *rate > 0.0);
        if let Some(rate) = rate.filter(|_| criterion.scope.over_any_s.is_none()) {
            let at_once = count - rate * span_s;
            let length_s = f64::from(criterion.scope.after_s) + ((needed - at_once) / rate - NOISE).ceil();
            ways.push(format!("a run of at least {} s", whole(length_s)));
        }
        let (closed, open) = apart(crowds);
        let only_weights = open.is_empty() && closed.iter().all(|crowd| crowd.class.fixed_count == 0);
        let users: f64 = closed.iter().map(|crowd| crowd.users).sum();
        let users = (users * needed / count - NOISE).ceil();
        ways.extend((only_weights && is_possible(users)).then(|| at_least_users(outlook, users)));
        Self(ways)
    }
}

impl fmt::Display for Cure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { f.write_str("another load") } else { f.write_str(&self.0.join(" or ")) }
    }
}

fn at_least_users(outlook: &Outlook<'_>, users: f64) -> String {
    let peak = if outlook.scenario.shape.is_some() { "a peak of " } else { "" };
    format!("{peak}at least {} users", whole(users))
}

fn is_possible(users: f64) -> bool {
    users <= f64::from(MAX_USERS)
}

/// Users that it takes for so many requests per second, if those of fixed number stay as they are; `None` if no number
/// is enough.
fn users_for(closed: &[&Crowd<'_>], rate: f64) -> Option<f64> {
    let (weighted, fixed): (Vec<&Crowd<'_>>, Vec<&Crowd<'_>>) =
        closed.iter().partition(|crowd| crowd.class.fixed_count == 0);
    let weights: f64 = weighted.iter().map(|crowd| crowd.class.weight).sum();
    let mean = |crowd: &&Crowd<'_>| Some(crowd.class.weight / weights * crowd.requests_per_s_of_one()?);
    let of_one: f64 = weighted.iter().map(mean).sum::<Option<f64>>()?;
    let of_fixed = |crowd: &&Crowd<'_>| Some(crowd.users * crowd.requests_per_s_of_one()?);
    let of_fixed: f64 = fixed.iter().map(of_fixed).sum::<Option<f64>>()?;
    let fixed_users: f64 = fixed.iter().map(|crowd| crowd.users).sum();
    let needed = fixed_users + ((rate - of_fixed) / of_one - NOISE).ceil();
    (of_one > 0.0 && is_possible(needed)).then_some(needed)
}

/// Iterations per second of each user that it takes for so many requests per second; `None` if none are enough, or if
/// the pauses within tasks do not allow them.
fn throughput_for(closed: &[&Crowd<'_>], rate: f64) -> Option<f64> {
    let of_one: f64 = closed.iter().map(|crowd| crowd.users * crowd.turn.requests_per_iteration()).sum();
    let needed = rounded_up(rate / of_one);
    let is_free = |crowd: &&Crowd<'_>| crowd.turn.thinking_s * needed <= crowd.turn.iterations;
    let possible = of_one > 0.0 && needed <= Throughput::MAX_PER_SECOND;
    (possible && closed.iter().all(is_free)).then_some(needed)
}
