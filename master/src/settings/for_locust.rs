//! What Locust's workers are told of the command line.

use std::time::Duration;

use sentinel_common::load::Load;
use sentinel_common::locust::Value;

use super::misuse::is_headless;
use crate::cli::Args;

/// What Locust's workers are told of the command line, by Locust's names. Nothing here may be a secret: every worker
/// that connects learns it.
pub(super) fn parsed_options(
    args: &Args,
    file: &str,
    host: Option<&str>,
    load: Load,
    expect_workers: usize,
) -> Vec<(String, Value)> {
    let seconds = |span: Duration| Value::from(span.as_secs());
    let text = |text: Option<&str>| text.map_or(Value::Nil, Value::from);
    let options = [
        ("locustfile", Value::from(file)),
        ("host", text(host)),
        ("num_users", Value::from(load.users)),
        ("spawn_rate", Value::from(load.spawn_rate.as_per_second())),
        ("run_time", load.run_time.map_or(Value::Nil, seconds)),
        ("headless", Value::from(is_headless(args))),
        ("master", Value::from(true)),
        ("expect_workers", Value::from(expect_workers as u64)),
        ("expect_workers_max_wait", Value::from(args.expect_workers_max_wait.unwrap_or(0))),
        ("enable_rebalancing", Value::from(args.enable_rebalancing)),
        ("tags", list(words(&args.tags))),
        ("exclude_tags", list(words(&args.exclude_tags))),
        ("stop_timeout", args.stop_timeout.map_or(Value::from(0), seconds)),
        ("reset_stats", Value::from(args.reset_stats)),
        ("only_summary", Value::from(args.only_summary)),
        ("exit_code_on_error", Value::from(args.exit_code_on_error.unwrap_or(1))),
        ("profile", text(args.profile.as_deref())),
    ];
    options.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// As in Python, where no tags are `None`.
pub(super) fn list(words: Vec<String>) -> Value {
    if words.is_empty() {
        return Value::Nil;
    }
    Value::Array(words.into_iter().map(Value::from).collect())
}

/// The words of an option that takes several, or of its variable, where a list may stand in brackets.
pub(super) fn words(values: &[String]) -> Vec<String> {
    let separator = |c: char| c == ',' || c.is_whitespace();
    let words = values.iter().flat_map(|value| {
        let value = value.trim();
        let inner = value.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(value);
        inner.split(separator).filter(|word| !word.is_empty())
    });
    words.map(str::to_owned).collect()
}
