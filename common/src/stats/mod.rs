//! The statistics of a run: recorded without locks, merged without loss, read only after the last merge.
//!
//! ```text
//! Recorder (one per lane) -- StatsDelta --> Accumulator (one per worker) -- StatsDelta, with a number -->
//!     ReportLog (is it new?) --> RunStats (one per run) --> rows, rates, percentiles, seconds
//! ```
//!
//! A delta is a plain value; merging two is associative and, up to the order of rows, commutative. Clocks are never
//! read here: every time is a [`RunTime`](crate::time::RunTime) that the caller brought. There is no text for people
//! here and no wire format either.

mod accumulator;
mod buckets;
mod coarse;
mod deal;
mod delta;
mod entry;
mod histogram;
mod locust_rounding;
mod merged;
mod percentile;
pub mod rate;
mod recent;
mod recorder;
mod report_log;
mod series;
mod table;
#[cfg(test)]
mod tests;
mod watch;

pub use accumulator::Accumulator;
pub use buckets::{Gauge, RateBucket, RunBucket, TrafficBucket};
pub use coarse::CoarseHistogram;
pub use deal::deal_out;
pub use delta::{
    Delivery, EntryDelta, EntryKey, ErrorDelta, ExceptionDelta, Iterations, Overflow, RateDelta, SecondDelta,
    StatsDelta,
};
pub use entry::{EntryStats, Sample};
pub use histogram::{LatencyHistogram, MAX_TRACKABLE_US, SparseHistogram, bucket_of};
pub use locust_rounding::{locust_key_ms, locust_response_times};
pub use merged::RunStats;
pub use percentile::{Extremes, PERCENTILES_TO_REPORT, percentiles_us, rank};
pub use recent::{RECENT_WINDOW, RecentTimes};
pub use recorder::{EntryHandle, Recorder};
pub use report_log::{Arrival, MAX_REMEMBERED_WORKERS, ReportLog};
pub use series::{Bucket, MAX_BUCKETS, Series, Span, second_of};
pub use table::{MAX_TEXT_CHARS, MAX_TRACEBACK_CHARS};
pub use watch::{Figures, Watch, WatchId, Watches};

/// The name of the row that sums up all others.
pub const AGGREGATED: &str = "Aggregated";
/// The name, or message, under which everything is counted that a full table has no room for.
pub const OTHER: &str = "(other)";

/// How many rows there are at most, apart from [`OTHER`].
pub const MAX_ENTRIES: usize = 10_000;
/// How many different errors a run has at most, apart from [`OTHER`].
pub const MAX_ERRORS: usize = 10_000;
/// How many different errors a delta has at most, apart from [`OTHER`].
pub const MAX_ERRORS_PER_DELTA: usize = 1_000;
/// How many different exceptions a run has at most, apart from [`OTHER`].
pub const MAX_EXCEPTIONS: usize = 1_000;
/// How many different exceptions a delta has at most, apart from [`OTHER`].
pub const MAX_EXCEPTIONS_PER_DELTA: usize = 100;
/// How many workers are listed for one exception at most.
pub const MAX_WORKERS_PER_EXCEPTION: usize = 1_000;
