//! Runs that follow a shape: the coordinator's part that asks it once a second and heads for the answer.
//!
//! On a line or a wave the answer is a second away, and every second brings a new one. The workers are told each, people
//! only when the shape does something new.

use std::time::Duration;

use super::Coordinator;
use super::run::Run;
use super::timers::Timer;
use crate::dispatch::{DispatchError, SpawnRate};
use crate::load::{Load, Ramp};
use crate::roster::WorkerNode;
use crate::shape::{Present, ShapeTarget, TICK, within_a_second};
use crate::time::{Moment, RunTime};

/// The reason of a stop at the end of a shape.
pub const SHAPE_OVER: &str = "the shape is over";

/// What is known of a worker's users may be as old as this: two heartbeats.
const NEWS_AGE: Duration = Duration::from_secs(1);

/// Where a run is in its shape.
#[derive(Debug, Default)]
pub(super) struct Following {
    /// The part of the shape that people were told of last.
    segment: Option<usize>,
    /// New users come from these classes only; `None`: from all.
    pub(super) classes: Option<Vec<String>>,
    /// The target keeps moving, so that reaching it completes nothing.
    pub(super) moving: bool,
    /// Workers have come or gone, and not all of the others have taken that in.
    disturbed: bool,
    /// Every worker is where the shape wanted it a moment ago. So it needs to be told no more than the next step, and
    /// what it was told is better known than what it last said it runs.
    pub(super) on_course: bool,
}

/// What is to be done when a shape was asked.
#[must_use]
pub(super) enum Course {
    /// Other users are to be placed.
    Change,
    /// Nothing.
    Stay,
    /// The run is to be stopped, for this reason.
    End(String),
}

impl Following {
    /// Workers have come or gone.
    pub(super) fn disturb(&mut self) {
        self.disturbed = true;
        self.on_course = false;
    }
}

impl Coordinator {
    /// Asks the shape of a run that is about to begin, if it has one.
    pub(super) fn begin_shape(&mut self, now: Moment) -> Option<Course> {
        let run = self.run.as_mut().filter(|run| run.spec.shape.is_some())?;
        // Nobody runs before the shape says so.
        run.load.users = 0;
        run.ramp.to = 0;
        Some(self.consult_shape(now))
    }

    /// Asks the shape what to head for, and heads for it.
    pub(super) fn ask_shape(&mut self, now: Moment) {
        match self.consult_shape(now) {
            Course::Change => self.place_edited(now),
            // The end of a line may have been reached while it was still one.
            Course::Stay => self.complete_ramp_if_settled(now),
            Course::End(reason) => self.stop(now, &reason),
        }
    }

    fn consult_shape(&mut self, now: Moment) -> Course {
        let Some(run) = self.run.as_ref().filter(|run| run.phase.is_active()) else {
            return Course::Stay;
        };
        let Some(shape) = run.spec.shape.clone() else {
            return Course::Stay;
        };
        let at = run.clock(now);
        let running = u32::try_from(self.roster.user_count()).unwrap_or(u32::MAX);
        let present = Present { planned: run.ramp.users(at), running };
        match shape.target(at, present) {
            Err(reason) => self.fail(&reason),
            Ok(None) => Course::End(SHAPE_OVER.to_owned()),
            Ok(Some(target)) => {
                let next = RunTime::from_secs(at.as_secs() + TICK.as_secs());
                let next = shape.end().filter(|end| *end > at).map_or(next, |end| end.min(next));
                self.timers.set(Timer::Shape, now + next.saturating_since(at));
                self.head_for(now, target, present)
            }
        }
    }

    /// The shape cannot be followed any further.
    fn fail(&mut self, reason: &str) -> Course {
        let reason = format!("the shape failed: {reason}");
        self.warn(format!("Cannot go on: {reason}"));
        if let Some(run) = self.run.as_mut() {
            run.unplanned = Some(reason.clone());
        }
        Course::End(reason)
    }

    fn head_for(&mut self, now: Moment, target: ShapeTarget, present: Present) -> Course {
        let settled = self.roster.active().all(WorkerNode::is_settled);
        let Some(run) = self.run.as_mut() else {
            return Course::Stay;
        };
        let at = run.clock(now);
        let ShapeTarget { users, spawn_rate, classes, segment, towards, moving } = target;
        let news = run.following.segment != Some(segment);
        let selects = run.following.classes != classes;
        let catch_up = if moving { run.catch_up_rate(at, present, users) } else { None };
        let disturbed = run.following.disturbed && !settled;
        let on_course = moving && catch_up.is_none() && !disturbed;
        run.following = Following { segment: Some(segment), classes, moving, disturbed, on_course };
        if selects && let Err(error) = run.select_classes() {
            return self.fail(&error.to_string());
        }
        let differs = users != run.ramp.to || news && spawn_rate != run.ramp.spawn_rate;
        if differs {
            run.ramp = Ramp { from: present.planned, to: users, spawn_rate, since: at };
        }
        let changes = differs || catch_up.is_some();
        if changes {
            run.load = Load { users, spawn_rate: catch_up.unwrap_or(spawn_rate), ..run.load };
        }
        if news {
            self.announce(now, present.planned, towards, spawn_rate);
        }
        if changes { Course::Change } else { Course::Stay }
    }
}

impl Run {
    /// Workers were lost, and `running` users are left. On a line or a wave, there is no rate at which lost users come
    /// back: they are made up for within a second.
    pub(super) fn lose(&mut self, running: u32) {
        self.following.disturb();
        if self.following.moving {
            self.load.spawn_rate = within_a_second(running, self.load.users);
        }
    }

    /// The same, should there be fewer or more users than any news on the way can explain.
    fn catch_up_rate(&self, at: RunTime, present: Present, users: u32) -> Option<SpawnRate> {
        let Present { planned, running } = present;
        let before = self.ramp.users(at - NEWS_AGE);
        let explained = planned.min(before)..=planned.max(before);
        (!explained.contains(&running)).then(|| within_a_second(running, users))
    }

    /// Takes new users from the classes that are selected, or from all.
    fn select_classes(&mut self) -> Result<(), DispatchError> {
        let all = self.closed_classes().filter(|class| class.is_spawnable());
        let all: Vec<String> = all.map(|class| class.name.clone()).collect();
        let selected = self.following.classes.as_ref().unwrap_or(&all);
        // Before there is a placement, nobody else would notice.
        if let Some(unknown) = selected.iter().find(|class| !all.contains(class)) {
            return Err(DispatchError::UnknownClass(unknown.clone()));
        }
        match self.placement.as_mut() {
            Some(placement) => placement.select_classes(selected.iter().map(String::as_str)),
            None => Ok(()),
        }
    }
}
