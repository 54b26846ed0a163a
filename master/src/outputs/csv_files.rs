//! Locust's four CSV files on the disk: three that are written anew each time, and a history that grows.

use sentinel_common::report::Report;

use super::place::{Log, OutputError, Place};
use crate::view::{
    HistoryCsv, exceptions_csv, exceptions_csv_header, failures_csv, failures_csv_header, stats_csv,
    stats_csv_header,
};

/// The four files.
#[derive(Debug)]
pub(super) struct CsvFiles {
    stats: Place,
    failures: Place,
    exceptions: Place,
    log: Log,
    history: HistoryCsv,
}

impl CsvFiles {
    /// Writes the first line of each.
    pub(super) fn begin(
        stats: Place,
        history_place: Place,
        failures: Place,
        exceptions: Place,
        full_history: bool,
    ) -> Result<Self, OutputError> {
        let history = HistoryCsv::new(full_history);
        let log = Log::begin(history_place, &history.header())?;
        stats.begin(&stats_csv_header())?;
        failures.begin(&failures_csv_header())?;
        exceptions.begin(&exceptions_csv_header())?;
        Ok(Self { stats, failures, exceptions, log, history })
    }

    /// Writes where the run stands.
    pub(super) fn write(&mut self, report: &Report) {
        self.stats.write(&stats_csv(report));
        self.log.append(&self.history.lines(report));
        self.failures.write(&failures_csv(report));
        self.exceptions.write(&exceptions_csv(report));
    }

    /// Whether all four are what they should be.
    pub(super) fn are_complete(&self) -> bool {
        let rewritten = [&self.stats, &self.failures, &self.exceptions];
        self.log.is_complete() && rewritten.iter().all(|place| place.is_complete())
    }
}
