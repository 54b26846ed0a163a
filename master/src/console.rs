//! The console: tables and verdict for people on standard error, JSON for programs on standard output, as in Locust.

use std::io::{self, Write as _};

use sentinel_common::report::Report;
use sentinel_common::search::{Measurement, Search};

use crate::search::SearchPlan;
use crate::settings::Output;
use crate::view::{
    NameWidth, RateSpan, error_report, locust_json, percentile_table, search_heading, search_step,
    search_summary, stats_table, verdict_block,
};

/// Of so many reports on a run that goes on, one is printed: every two seconds, as in Locust.
const PROGRESS_PER_TABLE: u32 = 2;

/// Prints a run.
#[derive(Clone, Copy, Debug)]
pub struct Console {
    output: Output,
    width: NameWidth,
    /// Reports since the last table.
    unprinted: u32,
}

impl Console {
    /// A console as wide as the terminal, if there is one.
    pub fn new(output: Output) -> Self {
        let columns = terminal_size::terminal_size_of(io::stderr()).map(|(columns, _)| columns.0);
        Self { output, width: NameWidth::of_terminal(columns), unprinted: 0 }
    }

    /// Prints the table of a run that goes on, if it is time for one and not only the summary is wanted.
    pub fn progress(&mut self, report: &Report) {
        self.unprinted = (self.unprinted + 1) % PROGRESS_PER_TABLE;
        if self.output.periodic && self.unprinted == 0 {
            print(&stats_table(report, RateSpan::Current, self.width));
        }
    }

    /// Prints everything about a run that is over. Returns whether standard output took what was to go there; if not,
    /// that was told.
    #[must_use]
    pub fn summary(&self, report: &Report) -> bool {
        let mut text = stats_table(report, RateSpan::Overall, self.width);
        text.push_str(&percentile_table(report, self.width));
        text.push_str(&error_report(report, self.width).unwrap_or_default());
        text.push_str(&verdict_block(report));
        if self.output.tables {
            print(&text);
        }
        !self.output.json || print_json(&locust_json(report))
    }
}

/// Writes JSON to standard output. Returns whether it is there; if not, that was told.
fn print_json(json: &str) -> bool {
    let mut output = io::stdout().lock();
    match writeln!(output, "{json}").and_then(|()| output.flush()) {
        // A reader that has gone away has read enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            tracing::error!("--json cannot write to standard output: {error}");
            false
        }
        _ => true,
    }
}

/// Prints a search: a line for each step, and everything at the end.
#[derive(Clone, Copy, Debug)]
pub struct SearchConsole {
    output: Output,
}

impl SearchConsole {
    /// A console for what was asked for.
    pub fn new(output: Output) -> Self {
        Self { output }
    }

    /// Says what is searched.
    pub fn begin(self, plan: &SearchPlan) {
        self.print(&search_heading(&plan.range, &plan.steps));
    }

    /// Prints the line of a run that is over.
    pub fn step(self, measurement: &Measurement) {
        if self.output.periodic {
            self.print(&search_step(measurement));
        }
    }

    /// Prints the table, the chart and the result.
    pub fn summary(self, search: &Search) {
        self.print(&search_summary(search));
    }

    fn print(self, text: &str) {
        if self.output.tables {
            print(text);
        }
    }
}

fn print(text: &str) {
    // There is nobody to tell that standard error is closed.
    let _ = io::stderr().write_all(text.as_bytes());
}
