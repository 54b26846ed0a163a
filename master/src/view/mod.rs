//! The views of a run: the tables of Locust's console, the verdict that Locust has not, Locust's JSON and CSV, and what CI
//! systems and people read afterwards: JUnit, Markdown, a page.
//!
//! Pure functions of a [`Report`](sentinel_common::report::Report). The console prints the tables while a run lasts,
//! and all of them when it is over; [`crate::outputs`] writes the files. There is no terminal here, no colour, no clock
//! and no file; what a terminal is wide is an argument ([`NameWidth`]).
//!
//! Names and messages come from scenarios, targets and workers. None of them reaches a terminal as it is: see
//! [`printable`].

mod csv;
mod dry_run;
mod json;
mod junit;
mod live;
mod markdown;
mod page;
mod python;
mod ratio;
#[cfg(test)]
mod sample;
mod search;
mod secrets;
mod table;
mod top;
mod verdict;

use std::borrow::Cow;

pub use self::csv::{
    HistoryCsv, exceptions_csv, exceptions_csv_header, failures_csv, failures_csv_header, stats_csv,
    stats_csv_header,
};
pub use self::dry_run::{exchange_text, task_heading};
pub use self::json::locust_json;
pub use self::junit::junit_xml;
pub use self::live::{Room, live_view};
pub use self::markdown::summary_md;
pub use self::page::{Environment, report_page};
pub use self::ratio::{class_list, task_ratio_json, task_ratio_table};
pub use self::search::{search_heading, search_json, search_md, search_page, search_step, search_summary};
pub use self::secrets::command_line;
pub use self::table::{NameWidth, RateSpan, error_report, percentile_table, stats_table};
pub use self::verdict::verdict_block;

/// A text that cannot move the cursor of a terminal, break a line or change the direction of writing: characters that
/// could are written as in Rust source (`\n`, `\u{1b}`). Everything else stays as it is, backslashes too.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(acts_on_terminal) {
        return Cow::Borrowed(text);
    }
    let mut printable = String::with_capacity(text.len() + 8);
    for char in text.chars() {
        if acts_on_terminal(char) {
            printable.extend(char.escape_default());
        } else {
            printable.push(char);
        }
    }
    Cow::Owned(printable)
}

/// Control characters, line and paragraph separators, and marks that reorder what stands around them.
fn acts_on_terminal(char: char) -> bool {
    let separates = matches!(char, '\u{2028}' | '\u{2029}');
    let marks_direction = matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}');
    let reorders = matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    char.is_control() || separates || marks_direction || reorders
}

/// Lines as one text, the last one ended too.
fn text_of(lines: &[String]) -> String {
    lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(printable(text), expected);
    }

    #[test]
    fn nothing_can_act_on_a_terminal() {
        check("", "");
        check("/käse/日本語 100% \\n", "/käse/日本語 100% \\n");
        check("two\r\nlines\tand a tab", "two\\r\\nlines\\tand a tab");
        check("\u{1b}[2J\u{1b}[H", "\\u{1b}[2J\\u{1b}[H");
        check("\0 \u{7f} \u{9b}2J", "\\u{0} \\u{7f} \\u{9b}2J");
        check("a\u{2028}b \u{202e}drowssap", "a\\u{2028}b \\u{202e}drowssap");
    }

    #[test]
    fn a_harmless_text_is_not_copied() {
        assert!(matches!(printable("/harmless"), Cow::Borrowed(_)));
    }
}
