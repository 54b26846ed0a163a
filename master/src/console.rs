//! The console: tables and verdict for people on standard error, JSON for programs on standard output, as in Locust.

use std::io::{self, Write as _};

use sentinel_common::report::Report;

use crate::settings::Output;
use crate::view::{
    NameWidth, RateSpan, error_report, locust_json, percentile_table, stats_table, verdict_block,
};

/// Prints a run.
#[derive(Clone, Copy, Debug)]
pub struct Console {
    output: Output,
    width: NameWidth,
}

impl Console {
    /// A console as wide as the terminal, if there is one.
    pub fn new(output: Output) -> Self {
        let columns = terminal_size::terminal_size_of(io::stderr()).map(|(columns, _)| columns.0);
        Self { output, width: NameWidth::of_terminal(columns) }
    }

    /// Prints the table of a run that goes on, unless only the summary is wanted.
    pub fn progress(&self, report: &Report) {
        if self.output.periodic {
            print(&stats_table(report, RateSpan::Current, self.width));
        }
    }

    /// Prints everything about a run that is over.
    pub fn summary(&self, report: &Report) {
        let mut text = stats_table(report, RateSpan::Overall, self.width);
        text.push_str(&percentile_table(report, self.width));
        text.push_str(&error_report(report, self.width).unwrap_or_default());
        text.push_str(&verdict_block(report));
        print(&text);
        if self.output.json {
            // A reader that has gone away has read enough.
            let _ = writeln!(io::stdout(), "{}", locust_json(report));
        }
    }
}

fn print(text: &str) {
    // There is nobody to tell that standard error is closed.
    let _ = io::stderr().write_all(text.as_bytes());
}
