//! Criteria that no target can help a run to meet, each with what would.

use std::collections::BTreeSet;
use std::time::Duration;

use super::closed_class_specs;
use super::cure::{Cure, who_makes};
use super::outlook::{MostRequests, Outlook, chance, highest_rate};
use super::turn::{Wanted, name_of};
use crate::criteria::{Comparison, Criterion, Metric};
use crate::dispatch::capacity;
use crate::figures::{figure, grouped, whole};
use crate::scenario::{Scenario, Step};
use crate::suggest::nearest;

/// What the binary fractions of a division may add.
const NOISE: f64 = 1e-9;

/// So many names of requests are listed.
const MAX_NAMES: usize = 3;

/// Which of the criteria cannot be met, whatever the target does: why, and what it takes. Nothing is said of those for
/// which arithmetic does not know, because templates or an `interrupt` decide.
pub fn unreachable_criteria(outlook: &Outlook<'_>, criteria: &[Criterion]) -> Vec<String> {
    let note = |criterion: &Criterion| {
        let reason = unreachable(outlook, criterion)?;
        Some(format!("`{criterion}` cannot be met: {reason}"))
    };
    criteria.iter().filter_map(note).collect()
}

fn unreachable(outlook: &Outlook<'_>, criterion: &Criterion) -> Option<String> {
    if let Some(reason) = unknown_name(outlook, criterion)
        .or_else(|| only_warm_up(outlook, criterion))
        .or_else(|| too_few_samples(outlook, criterion))
    {
        return Some(reason);
    }
    match criterion.metric {
        Metric::Rps => too_slow(outlook, criterion),
        Metric::Requests => too_few_requests(outlook, criterion, needed_count(criterion)?),
        Metric::Users => too_few_users(outlook, needed_count(criterion)?),
        _ => None,
    }
}

/// The lowest whole number that satisfies a criterion which wants many.
fn needed_count(criterion: &Criterion) -> Option<f64> {
    match criterion.comparison {
        Comparison::Above => Some(criterion.limit.floor() + 1.0),
        Comparison::AtLeast | Comparison::Equal => Some(criterion.limit.ceil()),
        Comparison::Below | Comparison::AtMost => None,
    }
}

fn is_beyond(needed: f64, most: f64) -> bool {
    needed > most * (1.0 + NOISE)
}

fn unknown_name(outlook: &Outlook<'_>, criterion: &Criterion) -> Option<String> {
    let name = criterion.name.as_deref()?;
    let names = names(outlook.scenario).filter(|names| !names.contains(name))?;
    let hint = match nearest(name, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            let some: Vec<String> = names.iter().take(MAX_NAMES).map(|name| format!("`{name}`")).collect();
            let more = if names.len() > MAX_NAMES { " and others" } else { "" };
            format!("the names are {}{more}", some.join(", "))
        }
    };
    Some(format!("no request has the name `{name}`; {hint}"))
}

/// The names of all requests; `None` if a template makes one, or there are no requests.
fn names<'a>(scenario: &'a Scenario) -> Option<BTreeSet<&'a str>> {
    let mut names = Vec::new();
    let mut note = |step: &'a Step| {
        if let Step::Request(request) = step {
            names.push(name_of(request));
        }
    };
    scenario.setup.iter().chain(&scenario.teardown).for_each(|step| step.visit(&mut note));
    scenario.users.iter().for_each(|class| class.visit_steps(&mut note));
    names.into_iter().collect::<Option<BTreeSet<_>>>().filter(|names| !names.is_empty())
}

fn only_warm_up(outlook: &Outlook<'_>, criterion: &Criterion) -> Option<String> {
    let (after, length) = (warm_up(criterion), outlook.length()?);
    (after > length).then(|| {
        let (after, length) = (after.as_secs_f64(), figure(length.as_secs_f64()));
        format!("it begins {after} s after the start of the run, which is over after {length} s; make the run longer")
    })
}

fn warm_up(criterion: &Criterion) -> Duration {
    Duration::from_secs(criterion.scope.after_s.into())
}

/// How long the time is that counts; `None` if it has no known end.
fn span(outlook: &Outlook<'_>, criterion: &Criterion) -> Option<Duration> {
    let window = criterion.scope.over_any_s.map(|length_s| Duration::from_secs(length_s.into()));
    let rest = outlook.length().map(|length| length.saturating_sub(warm_up(criterion)));
    [window, rest].into_iter().flatten().min()
}

fn too_slow(outlook: &Outlook<'_>, criterion: &Criterion) -> Option<String> {
    needed_count(criterion)?;
    let wanted = Wanted::of(criterion.name.as_deref());
    let crowds = outlook.crowds(wanted)?;
    let highest = highest_rate(&crowds)?;
    // In a short run, what comes sooner than the rate says, or by chance, is a part of the rate.
    let ramp = outlook.ramp().max(warm_up(criterion));
    let steady = outlook.length().map(|length| length.saturating_sub(ramp)).filter(|span| !span.is_zero());
    let surplus = match steady.or(span(outlook, criterion)).map(|span| span.as_secs_f64()) {
        Some(span_s) if span_s > 0.0 => {
            (outlook.head_start(&crowds)? + chance(&crowds, highest * span_s)) / span_s
        }
        _ => 0.0,
    };
    if !is_beyond(criterion.limit, highest + surplus) {
        return None;
    }
    let of_name = criterion.name.as_ref().map(|name| format!(" of `{name}`")).unwrap_or_default();
    let (makers, most, limit) = (who_makes(outlook, &crowds), figure(highest), figure(criterion.limit));
    let cure = Cure::for_rate(outlook, &crowds, criterion.limit);
    Some(format!("{makers} at most {most} req/s{of_name}; {limit} need {cure}"))
}

fn too_few_requests(outlook: &Outlook<'_>, criterion: &Criterion, needed: f64) -> Option<String> {
    let wanted = Wanted::of(criterion.name.as_deref());
    let span = span(outlook, criterion);
    let most = outlook.most_requests(wanted, span)?;
    if !is_beyond(needed, most.count + most.chance) {
        return None;
    }
    let of_name = criterion.name.as_ref().map(|name| format!(" of `{name}`")).unwrap_or_default();
    let (count, limit) = (whole(most.count.floor()), whole(needed));
    let MostRequests { by_iterations, .. } = most;
    if let Some(iterations) = outlook.iterations.filter(|_| by_iterations) {
        let cure = (iterations as f64 * needed / most.count).ceil();
        let cure = if cure.is_finite() {
            format!("at least {} iterations", whole(cure))
        } else {
            "other tasks".into()
        };
        let iterations = grouped(iterations);
        return Some(format!(
            "{iterations} iterations make at most {count} requests{of_name}; {limit} need {cure}"
        ));
    }
    let crowds = outlook.crowds(wanted)?;
    let span_s = span?.as_secs_f64();
    let cure = Cure::for_count(outlook, &crowds, criterion, span_s, most.count, needed);
    let (makers, span_s) = (who_makes(outlook, &crowds), figure(span_s));
    Some(format!("{makers} at most {count} requests{of_name} in {span_s} s; {limit} need {cure}"))
}

fn too_few_samples(outlook: &Outlook<'_>, criterion: &Criterion) -> Option<String> {
    let counts = !matches!(criterion.metric, Metric::Users | Metric::Dropped);
    let needed = (counts && criterion.min_samples > 0).then_some(criterion.min_samples as f64)?;
    let reason = too_few_requests(outlook, criterion, needed)?;
    Some(format!("it takes {} requests to judge it, and {reason}", whole(needed)))
}

fn too_few_users(outlook: &Outlook<'_>, needed: f64) -> Option<String> {
    let closed = closed_class_specs(outlook.scenario);
    let users = u64::from(outlook.users()?);
    let most = capacity(&closed).map_or(users, |capacity| capacity.min(users));
    if !is_beyond(needed, most as f64) {
        return None;
    }
    let (most, needed) = (grouped(most), whole(needed));
    Some(match (&outlook.scenario.shape, closed.is_empty()) {
        (_, true) => "users that serve arrivals do not count, and there are no others".to_owned(),
        (Some(_), false) => format!("the shape has at most {most} users; raise its peak to {needed}"),
        (None, false) => format!("there are at most {most} users; raise --users to {needed}"),
    })
}
