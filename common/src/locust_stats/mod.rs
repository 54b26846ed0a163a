//! Statistics between two worlds: what a Locust worker reports, as a delta of ours, and a delta of ours, as a Locust
//! worker would report it.
//!
//! ```text
//! Locust or boomer worker -- StatsReport --> delta_of (with its WorkerClock) -- StatsDelta --> RunStats
//!
//! Accumulator -- StatsDelta --> report_of (in a ReportFrame) -- StatsReport --> a Locust master
//!                          \--> exceptions_of -- one message for each --------> a Locust master
//! ```
//!
//! The master's side of Locust's wire calls the first, the worker's side the others. Nothing is decoded or sent here,
//! and no clock is read. Figures that Locust rounds are rounded by
//! [`locust_response_times`](crate::stats::locust_response_times) alone.

mod clock;
mod delta;
mod error_key;
mod exceptions;
mod python_repr;
mod report;
#[cfg(test)]
mod tests;
mod unix;

pub use clock::WorkerClock;
pub use delta::{MAX_COUNT_PER_REPORT, MAX_SUM_PER_REPORT, delta_of};
pub use error_key::error_key;
pub use exceptions::{ExceptionMessages, MAX_EXCEPTION_MESSAGES, exceptions_of};
pub use python_repr::python_repr;
pub use report::{ReportFrame, report_of};
