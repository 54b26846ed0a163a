//! Load shapes: how many users a run has at every time of its life, and when it ends.
//!
//! The coordinator asks once a second, as Locust does, and heads for the answer. Where a shape is a line or a wave,
//! the answer is where the shape will be a second later and the rate that takes exactly that second, so that workers
//! which ramp by themselves follow it without steps. Nobody spawns anything here.
//!
//! ```text
//!  stages               ramp         steps          spike        sine
//!         .---.          .------         ,--           ,-.         .-.     .-
//!      ,-'     \        /              ,-'             | |        /   \   /
//!   --'         \      /             ,-'           ----' '---   -'     '-'
//! ```

mod course;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use self::course::Course;
use crate::dispatch::{MAX_USERS, SpawnRate};
use crate::time::{RunTime, micros};
use crate::timespan::MAX_SPAN;

pub(crate) use self::course::within_a_second;

/// How far ahead an answer looks, which is how often to ask.
pub const TICK: Duration = Duration::from_secs(1);

/// More segments than this are a mistake: a step every few seconds for days.
pub const MAX_SEGMENTS: usize = 100_000;

/// How many users a run has at every time. Checked when it is made.
#[derive(Clone, Debug)]
pub struct Shape(Kind);

#[derive(Clone, Debug)]
enum Kind {
    /// Segments in order, without gaps.
    Planned(Vec<Segment>),
    /// Whoever is asked decides then.
    Tick(Arc<dyn Tick>),
}

/// A part of the run in which the shape does one thing.
#[derive(Clone, Debug)]
struct Segment {
    start_us: u64,
    length_us: u64,
    course: Course,
    /// New users come from these classes only.
    classes: Option<Vec<String>>,
}

/// One stage of [`Shape::stages`].
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// How long it takes.
    pub duration: Duration,
    /// Users at its end.
    pub users: u32,
    /// How fast to get there, as in Locust; `None`: in a line that takes the whole stage.
    pub spawn_rate: Option<SpawnRate>,
    /// New users come from these classes only; `None`: from all of them.
    pub classes: Option<Vec<String>>,
}

/// A shape that decides when it is asked.
pub trait Tick: fmt::Debug + Send + Sync {
    /// What the run should head for at `run_time`, when `users` run; `None` ends it.
    ///
    /// # Errors
    /// In words for people: the run cannot go on.
    fn tick(&self, run_time: RunTime, users: u32) -> Result<Option<TickTarget>, String>;
}

/// The answer of a [`Tick`].
#[derive(Clone, Debug, PartialEq)]
pub struct TickTarget {
    /// Users to have.
    pub users: u32,
    /// How fast to get there, in users per second; `None`: within a second.
    pub spawn_rate: Option<f64>,
    /// New users come from these classes only; `None`: from all of them.
    pub classes: Option<Vec<String>>,
}

/// The users of a run as a shape is told them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Present {
    /// Those that should run now.
    pub planned: u32,
    /// Those that do, as far as the workers have said.
    pub running: u32,
}

/// What a run should head for until the shape is asked again.
#[derive(Clone, Debug, PartialEq)]
pub struct ShapeTarget {
    /// Users to have.
    pub users: u32,
    /// How fast to get there.
    pub spawn_rate: SpawnRate,
    /// New users come from these classes only; `None`: from all of them.
    pub classes: Option<Vec<String>>,
    /// Which part of the shape this is; another number is something new to tell people.
    pub segment: usize,
    /// Users at the end of the segment.
    pub towards: u32,
    /// The target keeps moving within the segment, so reaching it completes nothing.
    pub moving: bool,
}

/// Why there is no such shape.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ShapeError {
    /// Something takes no time.
    #[error("the {0} of a shape must be above 0")]
    NoTime(&'static str),
    /// It lasts longer than [`MAX_SPAN`].
    #[error("the shape is longer than ten years, which is the limit")]
    TooLong,
    /// There is nothing in it.
    #[error("the shape has no stages; give it at least one")]
    NoStages,
    /// It never wants a user.
    #[error("the shape never has a user; give it at least one")]
    NoUsers,
    /// It wants more users than the dispatcher places.
    #[error("the shape wants {0} users; the limit is {max}", max = MAX_USERS)]
    TooManyUsers(u32),
    /// Its steps lead nowhere.
    #[error("the steps of a shape must be of at least 1 user")]
    NoStep,
    /// It has more than [`MAX_SEGMENTS`] parts.
    #[error("the shape has {0} stages or steps; the limit is {MAX_SEGMENTS}")]
    TooManySegments(usize),
    /// Bounds in the wrong order.
    #[error("the shape's min of {min} users is above its max of {max}")]
    Inverted {
        /// The lower bound.
        min: u32,
        /// The upper bound, which is lower.
        max: u32,
    },
    /// The spike is not over when the run is.
    #[error("the spike ends at {} s, after the run time of {} s", .ends.as_secs_f64(), .run_time.as_secs_f64())]
    SpikeTooLate {
        /// When the spike ends.
        ends: Duration,
        /// When the run ends.
        run_time: Duration,
    },
    /// No class is selected.
    #[error("stage {0} selects no user class; leave user_classes out to select all")]
    NoClasses(usize),
}

impl Shape {
    /// One stage after the other. A stage with a spawn rate goes to its users at that rate and stays there; one
    /// without goes there in a line. The first begins without users.
    ///
    /// # Errors
    /// No stage, a stage without length or classes, impossible users.
    pub fn stages(stages: Vec<Stage>) -> Result<Self, ShapeError> {
        let mut builder = Builder::default();
        for (index, stage) in stages.into_iter().enumerate() {
            if stage.classes.as_ref().is_some_and(Vec::is_empty) {
                return Err(ShapeError::NoClasses(index + 1));
            }
            let from = builder.users;
            let course = match stage.spawn_rate {
                Some(_) => Course::level(from, stage.users, stage.spawn_rate),
                None => Course::Line { from, to: stage.users },
            };
            builder.add("duration", stage.duration, course, stage.classes)?;
        }
        builder.finish()
    }

    /// In a line from `from` to `to` users in `duration`, then `hold` at `to`.
    ///
    /// # Errors
    /// A line without length, impossible users.
    pub fn ramp(from: u32, to: u32, duration: Duration, hold: Duration) -> Result<Self, ShapeError> {
        let mut builder = Builder::default();
        builder.add("duration", duration, Course::Line { from, to }, None)?;
        if !hold.is_zero() {
            builder.add("hold", hold, Course::level(to, to, None), None)?;
        }
        builder.finish()
    }

    /// From `from` to `to` users in steps of `step`, one `every` so often; the last of them, at `to`, takes as long.
    /// Each is made at `spawn_rate`, or else within a second.
    ///
    /// # Errors
    /// No step or no time between them, too many, impossible users.
    pub fn steps(
        from: u32,
        step: u32,
        every: Duration,
        to: u32,
        spawn_rate: Option<SpawnRate>,
    ) -> Result<Self, ShapeError> {
        if step == 0 {
            return Err(ShapeError::NoStep);
        }
        let count = from.abs_diff(to).div_ceil(step);
        if count as usize >= MAX_SEGMENTS {
            return Err(ShapeError::TooManySegments(count as usize + 1));
        }
        let mut builder = Builder::default();
        for index in 0..=count {
            let moved = index.saturating_mul(step).min(from.abs_diff(to));
            let users = if to >= from { from + moved } else { from - moved };
            builder.add("every", every, Course::level(builder.users, users, spawn_rate), None)?;
        }
        builder.finish()
    }

    /// `base` users, but `peak` from `at` on for `duration`, until `run_time`. Each change is made at `spawn_rate`, or
    /// else within a second.
    ///
    /// # Errors
    /// A spike without length or beyond the end, impossible users.
    pub fn spike(
        base: u32,
        peak: u32,
        at: Duration,
        duration: Duration,
        run_time: Duration,
        spawn_rate: Option<SpawnRate>,
    ) -> Result<Self, ShapeError> {
        let ends = at.saturating_add(duration);
        if ends > run_time {
            return Err(ShapeError::SpikeTooLate { ends, run_time });
        }
        if duration.is_zero() {
            return Err(ShapeError::NoTime("duration"));
        }
        let mut builder = Builder::default();
        for (users, length) in [(base, at), (peak, duration), (base, run_time - ends)] {
            if !length.is_zero() {
                builder.add("duration", length, Course::level(builder.users, users, spawn_rate), None)?;
            }
        }
        builder.finish()
    }

    /// Between `min` and `max` users and back in every `period`, from `min` on, for `run_time`.
    ///
    /// # Errors
    /// No period or run time, bounds in the wrong order, impossible users.
    pub fn sine(min: u32, max: u32, period: Duration, run_time: Duration) -> Result<Self, ShapeError> {
        if min > max {
            return Err(ShapeError::Inverted { min, max });
        }
        let period_us = micros(period);
        if period_us == 0 {
            return Err(ShapeError::NoTime("period"));
        }
        let mut builder = Builder::default();
        builder.add("run_time", run_time, Course::Wave { min, max, period_us }, None)?;
        builder.finish()
    }

    /// Whatever `tick` says.
    pub fn tick(tick: Arc<dyn Tick>) -> Self {
        Self(Kind::Tick(tick))
    }

    /// What the run should head for from `at` on; `None` if it is over. To be asked every [`TICK`].
    ///
    /// # Errors
    /// In words for people: a [`Tick`] failed, or wants the impossible.
    pub fn target(&self, at: RunTime, present: Present) -> Result<Option<ShapeTarget>, String> {
        match &self.0 {
            Kind::Planned(segments) => Ok(planned_target(segments, at.as_micros(), present.planned)),
            Kind::Tick(tick) => {
                let answer = tick.tick(at, present.running)?;
                answer.map(|target| ticked_target(target, present.planned)).transpose()
            }
        }
    }

    /// When it is over; `None` if nobody knows beforehand.
    pub fn end(&self) -> Option<RunTime> {
        match &self.0 {
            Kind::Planned(segments) => segments.last().map(|last| RunTime::from_micros(last.end_us())),
            Kind::Tick(_) => None,
        }
    }

    /// The most users that it ever wants; `None` if nobody knows beforehand.
    pub fn peak_users(&self) -> Option<u32> {
        match &self.0 {
            Kind::Planned(segments) => segments.iter().map(|segment| segment.course.peak()).max(),
            Kind::Tick(_) => None,
        }
    }

    /// Users that begin over its whole length, at most: who comes back after a valley begins anew. `None` if nobody
    /// knows beforehand.
    pub fn users_begun(&self) -> Option<u64> {
        let Kind::Planned(segments) = &self.0 else {
            return None;
        };
        let (mut begun, mut users) = (0, 0);
        for segment in segments {
            begun += segment.course.rises(users, segment.length_us);
            users = segment.course.arrives_at(users, segment.length_us);
        }
        Some(begun)
    }

    /// The classes that it selects at any time, by name; those of a [`Tick`] are not known.
    pub fn classes(&self) -> impl Iterator<Item = &str> {
        let segments = match &self.0 {
            Kind::Planned(segments) => segments.as_slice(),
            Kind::Tick(_) => &[],
        };
        segments.iter().filter_map(|segment| segment.classes.as_ref()).flatten().map(String::as_str)
    }
}

impl Segment {
    fn end_us(&self) -> u64 {
        self.start_us + self.length_us
    }

    fn users(&self, at_us: u64) -> u32 {
        self.course.users(at_us.saturating_sub(self.start_us), self.length_us)
    }
}

/// Puts segments behind each other.
#[derive(Default)]
struct Builder {
    segments: Vec<Segment>,
    at_us: u64,
    /// Users at the end of what there is so far.
    users: u32,
}

impl Builder {
    /// Adds a segment of this length, which people know by the name `what`.
    fn add(
        &mut self,
        what: &'static str,
        length: Duration,
        course: Course,
        classes: Option<Vec<String>>,
    ) -> Result<(), ShapeError> {
        let (start_us, length_us) = (self.at_us, micros(length));
        if length_us == 0 {
            return Err(ShapeError::NoTime(what));
        }
        if course.peak() > MAX_USERS {
            return Err(ShapeError::TooManyUsers(course.peak()));
        }
        self.at_us = start_us.saturating_add(length_us);
        if self.at_us > micros(MAX_SPAN) {
            return Err(ShapeError::TooLong);
        }
        self.users = course.arrives_at(self.users, length_us);
        self.segments.push(Segment { start_us, length_us, course, classes });
        Ok(())
    }

    fn finish(self) -> Result<Shape, ShapeError> {
        let Self { segments, .. } = self;
        if segments.is_empty() {
            return Err(ShapeError::NoStages);
        }
        if segments.len() > MAX_SEGMENTS {
            return Err(ShapeError::TooManySegments(segments.len()));
        }
        if segments.iter().all(|segment| segment.course.peak() == 0) {
            return Err(ShapeError::NoUsers);
        }
        Ok(Shape(Kind::Planned(segments)))
    }
}

fn planned_target(segments: &[Segment], at_us: u64, planned: u32) -> Option<ShapeTarget> {
    let index = segments.partition_point(|segment| segment.end_us() <= at_us);
    let segment = segments.get(index)?;
    let next_us = at_us + micros(TICK);
    let (users, spawn_rate, part, towards) = match segment.course {
        Course::Level { users, spawn_rate } => (users, spawn_rate, 0, users),
        Course::Line { to, .. } => {
            let users = users_of_lines(&segments[index..], next_us);
            (users, within_a_second(planned, users), 0, to)
        }
        Course::Wave { min, max, period_us } => {
            let users = segment.users(next_us);
            let half = (at_us - segment.start_us) / (period_us / 2).max(1);
            let towards = if half.is_multiple_of(2) { max } else { min };
            (users, within_a_second(planned, users), usize::try_from(half).unwrap_or(0), towards)
        }
    };
    let moving = !matches!(segment.course, Course::Level { .. });
    let classes = segment.classes.clone();
    Some(ShapeTarget { users, spawn_rate, classes, segment: index + part, towards, moving })
}

/// Where a line and the lines that follow it are at a time; the end of the last one if it is over by then.
fn users_of_lines(segments: &[Segment], at_us: u64) -> u32 {
    let is_line = |segment: &&Segment| matches!(segment.course, Course::Line { .. });
    let lines = segments.iter().take_while(is_line);
    // The first one that is not over, or the last one.
    let line = lines.reduce(|line, next| if at_us < line.end_us() { line } else { next });
    line.map_or(0, |line| line.users(at_us))
}

fn ticked_target(target: TickTarget, planned: u32) -> Result<ShapeTarget, String> {
    let TickTarget { users, spawn_rate, classes } = target;
    if users > MAX_USERS {
        return Err(format!("the shape wants {users} users; the limit is {MAX_USERS}"));
    }
    if classes.as_ref().is_some_and(Vec::is_empty) {
        return Err("the shape selects no user class; leave the list out to select all".to_owned());
    }
    let spawn_rate = match spawn_rate {
        Some(rate) => SpawnRate::per_second(rate).map_err(|error| error.to_string())?,
        None => within_a_second(planned, users),
    };
    Ok(ShapeTarget { users, spawn_rate, classes, segment: users as usize, towards: users, moving: false })
}
