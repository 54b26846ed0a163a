//! A worker's statistics, as they are on the wire: what happened since its previous report.

use rmpv::{Value, ValueRef};

use super::fields::{self, Fields, Read};
use super::wire::{self, map, number_or_nil, text};
use super::{Counts, Number};

/// The data of a `stats` message.
#[derive(Clone, Debug, PartialEq)]
pub struct StatsReport {
    /// One entry per method and name with requests or failures since the previous report.
    pub stats: Vec<StatsEntry>,
    /// All requests together; its name is `Aggregated` from Locust and `Total` from boomer.
    pub stats_total: StatsEntry,
    /// Failures by kind.
    pub errors: Vec<ErrorEntry>,
    /// Running users by user class.
    pub user_classes_count: Counts,
    /// Running users.
    pub user_count: u64,
    /// What listeners in the user's code have added.
    pub extra: Vec<(String, Value)>,
}

/// The requests of one method and name. Times are milliseconds, points in time are Unix seconds by the worker's clock.
#[derive(Clone, Debug, PartialEq)]
pub struct StatsEntry {
    /// What the requests are called.
    pub name: String,
    /// Their method.
    pub method: String,
    /// When the last one ended; `None` if there was none.
    pub last_request_timestamp: Option<Number>,
    /// When the previous report was made, or the first request of a new entry.
    pub start_time: Number,
    /// How many requests ended.
    pub num_requests: u64,
    /// How many of them have no response time.
    pub num_none_requests: u64,
    /// How many failures there were. May exceed the requests.
    pub num_failures: u64,
    /// The sum of the response times.
    pub total_response_time: Number,
    /// The longest response time; 0 without requests.
    pub max_response_time: Number,
    /// The shortest response time; `None` without requests from Locust, but 0 from boomer.
    pub min_response_time: Option<Number>,
    /// The sum of the lengths of the responses, in bytes.
    pub total_content_length: Number,
    /// Requests by rounded response time. The keys are whole, unless the user's code rounds in its own way.
    pub response_times: Vec<(Number, u64)>,
    /// Requests by the second in which they ended.
    pub num_reqs_per_sec: Vec<(i64, u64)>,
    /// Failures by the second in which they ended.
    pub num_fail_per_sec: Vec<(i64, u64)>,
}

/// One kind of failure.
#[derive(Clone, Debug, PartialEq)]
pub struct ErrorEntry {
    /// Identifies the kind: a hash over the fields below, which nobody has to recompute.
    pub key: String,
    /// What the requests are called.
    pub name: String,
    /// Their method.
    pub method: String,
    /// What went wrong.
    pub error: String,
    /// How often it did.
    pub occurrences: u64,
    /// When it first did, in Unix seconds by the worker's clock; boomer does not tell.
    pub first_seen: Option<Number>,
    /// When it last did, as `first_seen`.
    pub last_seen: Option<Number>,
}

const FIELDS: [&str; 5] = ["stats", "stats_total", "errors", "user_classes_count", "user_count"];

impl StatsReport {
    pub(super) fn read(data: &ValueRef<'_>) -> Read<Self> {
        let fields = Fields::of(data)?;
        let [stats, stats_total, errors, user_classes_count, user_count] = FIELDS;
        Ok(Self {
            stats: fields.get(stats, |value| fields::list(value, StatsEntry::read))?,
            stats_total: fields.get(stats_total, StatsEntry::read)?,
            errors: fields.get(errors, |value| {
                let entries = fields::pairs(value, fields::text, ErrorEntry::read)?;
                Ok(entries.into_iter().map(|(key, entry)| ErrorEntry { key, ..entry }).collect())
            })?,
            user_classes_count: fields.get(user_classes_count, fields::counts)?,
            user_count: fields.get(user_count, fields::count)?,
            extra: fields.others(&FIELDS)?,
        })
    }

    pub(super) fn value(&self) -> ValueRef<'_> {
        let errors = self.errors.iter().map(|error| (error.key.as_str(), error.value()));
        let known = [
            ValueRef::Array(self.stats.iter().map(StatsEntry::value).collect()),
            self.stats_total.value(),
            map(errors),
            wire::counts(&self.user_classes_count),
            ValueRef::from(self.user_count),
        ];
        map(FIELDS.into_iter().zip(known).chain(wire::values(&self.extra)))
    }
}

impl StatsEntry {
    fn read(value: &ValueRef<'_>) -> Read<Self> {
        let fields = Fields::of(value)?;
        let seconds = |value: &ValueRef<'_>| fields::pairs(value, fields::second, fields::count);
        Ok(Self {
            name: fields.get("name", fields::text)?,
            method: fields.get("method", fields::text)?,
            last_request_timestamp: fields.get("last_request_timestamp", fields::number_or_nil)?,
            start_time: fields.get("start_time", fields::number)?,
            num_requests: fields.get("num_requests", fields::count)?,
            num_none_requests: fields.get("num_none_requests", fields::count)?,
            num_failures: fields.get("num_failures", fields::count)?,
            total_response_time: fields.get("total_response_time", fields::number)?,
            max_response_time: fields.get("max_response_time", fields::number)?,
            min_response_time: fields.get("min_response_time", fields::number_or_nil)?,
            total_content_length: fields.get("total_content_length", fields::number)?,
            response_times: fields
                .get("response_times", |value| fields::pairs(value, fields::number, fields::count))?,
            num_reqs_per_sec: fields.get("num_reqs_per_sec", seconds)?,
            num_fail_per_sec: fields.get("num_fail_per_sec", seconds)?,
        })
    }

    fn value(&self) -> ValueRef<'_> {
        let times = self.response_times.iter().map(|(time, count)| (time.value(), ValueRef::from(*count)));
        map([
            ("name", text(&self.name)),
            ("method", text(&self.method)),
            ("last_request_timestamp", number_or_nil(self.last_request_timestamp)),
            ("start_time", self.start_time.value()),
            ("num_requests", ValueRef::from(self.num_requests)),
            ("num_none_requests", ValueRef::from(self.num_none_requests)),
            ("num_failures", ValueRef::from(self.num_failures)),
            ("total_response_time", self.total_response_time.value()),
            ("max_response_time", self.max_response_time.value()),
            ("min_response_time", number_or_nil(self.min_response_time)),
            ("total_content_length", self.total_content_length.value()),
            ("response_times", ValueRef::Map(times.collect())),
            ("num_reqs_per_sec", seconds(&self.num_reqs_per_sec)),
            ("num_fail_per_sec", seconds(&self.num_fail_per_sec)),
        ])
    }
}

impl ErrorEntry {
    /// All but the key, which is outside.
    fn read(value: &ValueRef<'_>) -> Read<Self> {
        let fields = Fields::of(value)?;
        Ok(Self {
            key: String::new(),
            name: fields.get("name", fields::text)?,
            method: fields.get("method", fields::text)?,
            error: fields.get("error", fields::text)?,
            occurrences: fields.get("occurrences", fields::count)?,
            first_seen: fields.get_optional("first_seen", fields::number)?,
            last_seen: fields.get_optional("last_seen", fields::number)?,
        })
    }

    fn value(&self) -> ValueRef<'_> {
        let known = [
            ("name", text(&self.name)),
            ("method", text(&self.method)),
            ("error", text(&self.error)),
            ("occurrences", ValueRef::from(self.occurrences)),
        ];
        let seen = [("first_seen", self.first_seen), ("last_seen", self.last_seen)];
        let seen = seen.into_iter().filter_map(|(name, at)| Some((name, at?.value())));
        map(known.into_iter().chain(seen))
    }
}

fn seconds(counts: &[(i64, u64)]) -> ValueRef<'_> {
    let pairs = counts.iter().map(|(second, count)| (ValueRef::from(*second), ValueRef::from(*count)));
    ValueRef::Map(pairs.collect())
}
