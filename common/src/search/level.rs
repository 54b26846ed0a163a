//! How much load: an arrival rate, or a number of users. What a search compares, doubles and halves.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use thiserror::Error;

use crate::arrivals::{ArrivalRate, ArrivalRateError, UNITS_PER_SECOND};
use crate::dispatch::MAX_USERS;

/// A load. Prints as it parses: `500/s`, or `40`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// So many iterations begin in a time.
    Rate(ArrivalRate),
    /// So many users.
    Users(u32),
}

/// What a load counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Iterations by time.
    Rate,
    /// Users.
    Users,
}

/// Why a text is no load.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LevelError {
    /// It is no rate.
    #[error(transparent)]
    Rate(#[from] ArrivalRateError),
    /// It is no number of users.
    #[error(
        "{0:?} is no load; write a rate such as 500/s or 30000/m, or a number of users from 1 to {MAX_USERS}"
    )]
    Users(String),
    /// Nothing would be done.
    #[error("a load must be above 0")]
    Zero,
}

impl Level {
    /// Reads a rate, which has a slash, or a number of users.
    ///
    /// # Errors
    /// It is neither, or zero.
    pub fn parse(text: &str) -> Result<Self, LevelError> {
        let text = text.trim();
        let level = match text.contains('/') {
            true => Self::Rate(ArrivalRate::parse(text)?),
            false => {
                let users = text.parse().ok().filter(|users| *users <= MAX_USERS);
                Self::Users(users.ok_or_else(|| LevelError::Users(text.to_owned()))?)
            }
        };
        if level.size() == 0 { Err(LevelError::Zero) } else { Ok(level) }
    }

    /// What it counts.
    pub fn kind(self) -> Kind {
        match self {
            Self::Rate(_) => Kind::Rate,
            Self::Users(_) => Kind::Users,
        }
    }

    /// Iterations per second, or users: where it lies on an axis.
    pub fn value(self) -> f64 {
        match self {
            Self::Rate(rate) => rate.as_per_second(),
            Self::Users(users) => f64::from(users),
        }
    }

    /// How often the smallest load of its kind it is.
    pub(super) fn size(self) -> u64 {
        match self {
            Self::Rate(rate) => rate.units(),
            Self::Users(users) => u64::from(users),
        }
    }
}

impl Kind {
    /// The load of this kind that is so often the smallest one.
    pub(super) fn level(self, size: u64) -> Level {
        match self {
            Self::Rate => Level::Rate(ArrivalRate::from_units(size)),
            Self::Users => Level::Users(u32::try_from(size).unwrap_or(MAX_USERS).min(MAX_USERS)),
        }
    }

    /// A plain load near the middle between two, in the sense of their ratio; `None` if there is none in between.
    pub(super) fn middle(self, low: u64, high: u64) -> Option<u64> {
        if high.saturating_sub(low) < 2 {
            return None;
        }
        let at = |share: f64| (low as f64).powf(1.0 - share) * (high as f64).powf(share);
        let (least, middle, most) = (at(0.45), at(0.5), at(0.55));
        let one = if self == Self::Rate { UNITS_PER_SECOND as f64 } else { 1.0 };
        let grids =
            (-5..=7).rev().flat_map(|power| [5.0, 1.0].map(|factor| factor * one * 10_f64.powi(power)));
        let plain = grids.filter(|grid| *grid >= 1.0).find_map(|grid| {
            let near = (middle / grid).round() * grid;
            (near >= least && near <= most).then_some(near as u64)
        });
        Some(plain.unwrap_or(middle as u64).clamp(low + 1, high - 1))
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate(rate) => rate.fmt(f),
            Self::Users(users) => users.fmt(f),
        }
    }
}

impl Level {
    /// The load in words: `500/s`, `40 users`.
    pub fn words(self) -> String {
        match self {
            Self::Rate(rate) => rate.to_string(),
            Self::Users(1) => "1 user".to_owned(),
            Self::Users(users) => format!("{users} users"),
        }
    }
}

impl FromStr for Level {
    type Err = LevelError;

    fn from_str(text: &str) -> Result<Self, LevelError> {
        Self::parse(text)
    }
}
