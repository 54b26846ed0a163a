//! What a shape wants within one segment of the run.

use std::f64::consts::TAU;

use crate::dispatch::SpawnRate;

/// How the number of users goes on within a segment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Course {
    /// In a line from one number to another over the whole segment.
    Line { from: u32, to: u32 },
    /// To one number, at a rate of its own, and then it stays.
    Level { users: u32, spawn_rate: SpawnRate },
    /// Up and down, from the lowest number on.
    Wave { min: u32, max: u32, period_us: u64 },
}

impl Course {
    /// From `from` to `users` at `spawn_rate`. Without one, it takes at most a second, and so does it to make up for
    /// any users that are lost later.
    pub(super) fn level(from: u32, users: u32, spawn_rate: Option<SpawnRate>) -> Self {
        let spawn_rate = spawn_rate.unwrap_or_else(|| within_a_second(0, from.max(users)));
        Self::Level { users, spawn_rate }
    }

    /// Users that the course wants when `elapsed_us` of its `length_us` have passed.
    pub(super) fn users(self, elapsed_us: u64, length_us: u64) -> u32 {
        match self {
            Self::Line { from, to } => line(from, to, elapsed_us.min(length_us), length_us),
            Self::Level { users, .. } => users,
            Self::Wave { min, max, period_us } => {
                let phase = (elapsed_us % period_us) as f64 / period_us as f64;
                let swing = f64::from(max - min) * (1.0 - (TAU * phase).cos()) / 2.0;
                min + swing.round() as u32
            }
        }
    }

    /// Users that will have been reached by the end, if `from` ran at the start.
    pub(super) fn arrives_at(self, from: u32, length_us: u64) -> u32 {
        let Self::Level { users, spawn_rate } = self else {
            return self.users(length_us, length_us);
        };
        let moved = (length_us as f64 / 1e6 * spawn_rate.as_per_second()) as u32;
        if users >= from {
            from.saturating_add(moved).min(users)
        } else {
            from.saturating_sub(moved).max(users)
        }
    }

    /// By how many users it rises, all rises together, if `from` ran at its start.
    pub(super) fn rises(self, from: u32, length_us: u64) -> u64 {
        let rise = |from: u32, to: u32| u64::from(to.saturating_sub(from));
        match self {
            Self::Line { from: start, to } => rise(from, start) + rise(start, to),
            Self::Level { users, .. } => rise(from, users),
            Self::Wave { min, max, period_us } => {
                rise(from, min) + length_us.div_ceil(period_us.max(1)).saturating_mul(rise(min, max))
            }
        }
    }

    /// The most users that it ever wants.
    pub(super) fn peak(self) -> u32 {
        match self {
            Self::Line { from, to } => from.max(to),
            Self::Level { users, .. } => users,
            Self::Wave { max, .. } => max,
        }
    }
}

/// The rate that takes exactly a second from one number of users to another.
pub(crate) fn within_a_second(from: u32, to: u32) -> SpawnRate {
    let users = from.abs_diff(to).max(1);
    SpawnRate::per_second(f64::from(users)).expect("at least one user per second")
}

/// The whole number next to the point of a line.
fn line(from: u32, to: u32, elapsed: u64, length: u64) -> u32 {
    let (change, elapsed, length) = (u128::from(from.abs_diff(to)), u128::from(elapsed), u128::from(length));
    let moved = ((2 * change * elapsed + length) / (2 * length)) as u32;
    if to >= from { from + moved } else { from - moved }
}
