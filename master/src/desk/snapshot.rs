//! What there is to see of a master at one moment.

use std::collections::BTreeMap;
use std::sync::Arc;

use sentinel_common::coordinator::Phase;
use sentinel_common::report::{Report, WorkerRow};
use sentinel_common::worker_logs::WorkerLogs;

use crate::settings::Settings;

/// Everything that a view of a master needs. Cheap to share, never changed.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// When it was taken, in microseconds since 1970.
    pub taken_at_unix_us: u64,
    /// What the master is doing.
    pub stage: Stage,
    /// The run that goes on, the last one, or the one that would begin by itself.
    pub settings: Arc<Settings>,
    /// How it goes, or went; `None` before the first run.
    pub report: Option<Arc<Report>>,
    /// The workers that are connected, by name.
    pub workers: Arc<[WorkerRow]>,
    /// The users that run, by class.
    pub class_users: Arc<BTreeMap<String, u64>>,
    /// What the workers wrote to their logs.
    pub worker_logs: Arc<WorkerLogs>,
    /// Why the run that was asked for last did not begin, if it did not.
    pub trouble: Option<String>,
}

/// What a master is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Nothing yet.
    Ready,
    /// Waiting for the workers of a run that begins by itself.
    Waiting,
    /// One worker sets the run up.
    SettingUp,
    /// Making a run.
    Run(Phase),
    /// One worker tears the run down.
    TearingDown,
}

impl Stage {
    /// Locust's word for it, or the nearest one.
    pub fn as_locust(self) -> &'static str {
        match self {
            Self::Ready | Self::Waiting => "ready",
            Self::SettingUp => "spawning",
            Self::Run(phase) => phase.as_str(),
            Self::TearingDown => Phase::Stopping.as_str(),
        }
    }

    /// Our word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::SettingUp => "setting_up",
            Self::TearingDown => "tearing_down",
            Self::Ready | Self::Run(_) => self.as_locust(),
        }
    }

    /// Whether users run, or should.
    pub fn is_active(self) -> bool {
        matches!(self, Self::Run(phase) if phase.is_active())
    }

    /// Whether a run can begin now.
    pub fn is_idle(self) -> bool {
        matches!(self, Self::Ready | Self::Waiting | Self::Run(Phase::Stopped))
    }
}
