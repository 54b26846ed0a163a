//! What may be wrong with what was typed.

use sentinel_common::criteria::MAX_CRITERIA;
use sentinel_common::load::BadLoad;
use sentinel_common::scenario::{HostError, SelectionError};
use sentinel_common::verdict::exit_code;
use sentinel_worker::config_users::ConfigUsersError;
use thiserror::Error;

use super::misuse::Misuse;
use crate::definition::BadScenario;
use crate::search::SearchMisuse;
use crate::source::SourceError;
use crate::user_classes::UserClassesError;

/// A mistake of whoever started the program, with the cure.
#[derive(Debug, Error)]
pub enum UsageError {
    /// Options that cannot be.
    #[error(transparent)]
    Misuse(#[from] Misuse),
    /// `--config-users` cannot be used.
    #[error(transparent)]
    ConfigUsers(#[from] ConfigUsersError),
    /// `--config-users` names a class that does not run.
    #[error("--config-users: there is no user class {0} among those that were named")]
    ConfigUsersClass(String),
    /// There is nothing to run.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The user classes are not named well.
    #[error(transparent)]
    UserClasses(#[from] UserClassesError),
    /// A locustfile needs Locust's workers.
    #[error(
        "workers inside this process cannot run {0}; start locust --worker instead of using --local-workers"
    )]
    LocalWorkers(String),
    /// Only scenarios can be looked into.
    #[error("{0} is a locustfile, which only Locust can look into: use locust with the same option")]
    Locustfile(String),
    /// Locust's workers do not count iterations.
    #[error("--iterations needs a scenario: workers of Locust's, which run {0}, do not count iterations")]
    Iterations(String),
    /// Arrivals have a number of their own.
    #[error(
        "--iterations is about users that begin their iterations; arrivals end with --run-time or their stages"
    )]
    IterationsOfArrivals,
    /// The scenario cannot be used.
    #[error(transparent)]
    Scenario(#[from] BadScenario),
    /// More criteria than anybody follows.
    #[error("there are {0} criteria, at most {MAX_CRITERIA} can be followed; leave some out")]
    TooManyCriteria(usize),
    /// Options about files do not fit together.
    #[error("{0}")]
    Outputs(String),
    /// A search that cannot be.
    #[error(transparent)]
    Search(#[from] SearchMisuse),
    /// Impossible users or spawn rate.
    #[error(transparent)]
    Load(#[from] BadLoad),
    /// Users and fixed counts do not fit.
    #[error("--users {users} is too low: {reason}")]
    TooFewUsers {
        /// The users.
        users: u32,
        /// So many would be enough.
        enough: u64,
        /// Why.
        reason: String,
    },
    /// `--host` is no base URL.
    #[error("bad --host")]
    Host(#[from] HostError),
    /// A user class has no host to send its requests to.
    #[error("there is no host to load: give one with --host, such as --host http://localhost:8000{hint}")]
    NoHost {
        /// Where it could stand instead.
        hint: String,
    },
}

impl UsageError {
    /// The exit code. Where Locust refuses the same, it is Locust's.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Misuse(misuse) => misuse.exit_code(),
            Self::Source(SourceError::TooLarge | SourceError::NoDemo) => exit_code::USAGE,
            Self::Source(_) | Self::Scenario(BadScenario::Selection(SelectionError::Class(_))) => {
                exit_code::FAILURES
            }
            Self::ConfigUsers(error) => error.exit_code(),
            Self::ConfigUsersClass(_) | Self::Scenario(BadScenario::Selection(SelectionError::Adjust(_))) => {
                exit_code::MISMATCH
            }
            _ => exit_code::USAGE,
        }
    }
}
