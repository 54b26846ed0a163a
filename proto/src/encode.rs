//! From the domain to the wire.

use std::sync::Arc;
use std::time::Duration;

use sentinel_common::arrivals::Slot;
use sentinel_common::files::{FileChunk, FileRef};
use sentinel_common::messages::{
    ArrivalShare, Assignment, ClassCounts, FromWorker, Heartbeat, Ready, RowsLease, RowsRequest,
    RowsReturned, RunPlan, StatsReport, ToWorker, WorkerState,
};
use sentinel_common::rows::RowRange;
use sentinel_common::scenario::ClassEdit;
use sentinel_common::stats::{
    Delivery, EntryDelta, ErrorDelta, ExceptionDelta, Iterations, RateDelta, SecondDelta, StatsDelta,
};
use sentinel_common::time::{RunTime, micros};

use crate::v1;
use crate::v1::master_message::Kind as MasterKind;
use crate::v1::setup_done::Result as SetupResult;
use crate::v1::worker_message::Kind as WorkerKind;

/// Turns a domain value into its form on the wire.
pub trait Encode {
    /// The form on the wire.
    type Wire;

    /// Turns it.
    fn encode(self) -> Self::Wire;
}

impl Encode for FromWorker {
    type Wire = v1::WorkerMessage;

    fn encode(self) -> v1::WorkerMessage {
        let kind = match self {
            Self::Ready(ready) => WorkerKind::Ready(ready.encode()),
            Self::Spawning { generation } => WorkerKind::Spawning(v1::Spawning { generation: generation.0 }),
            Self::SpawningComplete { generation, users } => {
                WorkerKind::SpawningComplete(v1::SpawningComplete {
                    generation: generation.0,
                    user_classes_count: encode_counts(users),
                })
            }
            Self::Stats(report) => WorkerKind::Stats(report.encode()),
            Self::Heartbeat(heartbeat) => WorkerKind::Heartbeat(heartbeat.encode()),
            Self::Logs { lines } => WorkerKind::Logs(v1::Logs { lines }),
            Self::FileRequest { sha256, offset } => {
                WorkerKind::FileRequest(v1::FileRequest { sha256: sha256.0.to_vec(), offset })
            }
            Self::SetupDone { run, result } => {
                let result = match result {
                    Ok(variables) => SetupResult::Variables(variables),
                    Err(reason) => SetupResult::Error(reason),
                };
                WorkerKind::SetupDone(v1::SetupDone { run_id: run.as_str().to_owned(), result: Some(result) })
            }
            Self::TeardownDone { run, result } => WorkerKind::TeardownDone(v1::TeardownDone {
                run_id: run.as_str().to_owned(),
                error: result.err(),
            }),
            Self::RowsRequest(asked) => WorkerKind::RowsRequest(asked.encode()),
            Self::RowsReturned(returned) => WorkerKind::RowsReturned(returned.encode()),
            Self::ClientStopped { run } => {
                WorkerKind::ClientStopped(v1::ClientStopped { run_id: run.as_str().to_owned() })
            }
            Self::Quit => WorkerKind::Quit(v1::Quit {}),
        };
        v1::WorkerMessage { kind: Some(kind) }
    }
}

impl Encode for ToWorker {
    type Wire = v1::MasterMessage;

    fn encode(self) -> v1::MasterMessage {
        let kind = match self {
            Self::Ack { index } => MasterKind::Ack(v1::Ack { index }),
            Self::Refused { reason } => MasterKind::Refused(v1::Refused { reason }),
            Self::Plan(plan) => MasterKind::Plan(Arc::unwrap_or_clone(plan).encode()),
            Self::Setup(plan) => MasterKind::Setup(Arc::unwrap_or_clone(plan).encode()),
            Self::Teardown(plan) => MasterKind::Teardown(Arc::unwrap_or_clone(plan).encode()),
            Self::FileChunk(chunk) => MasterKind::FileChunk(chunk.encode()),
            Self::RowsLease(lease) => MasterKind::RowsLease(lease.encode()),
            Self::Spawn(assignment) => MasterKind::Spawn(assignment.encode()),
            Self::SpawningComplete { user_count, reset_stats } => {
                MasterKind::SpawningComplete(v1::ClusterSpawned { user_count, reset_stats })
            }
            Self::StatsAck { run, seq } => {
                MasterKind::StatsAck(v1::StatsAck { run_id: run.as_str().to_owned(), seq })
            }
            Self::Heartbeat { run_time } => {
                MasterKind::Heartbeat(v1::HeartbeatReply { run_time_us: run_time.map(RunTime::as_micros) })
            }
            Self::Stop { run } => MasterKind::Stop(v1::Stop { run_id: run.as_str().to_owned() }),
            Self::Quit => MasterKind::Quit(v1::Quit {}),
        };
        v1::MasterMessage { kind: Some(kind) }
    }
}

impl Encode for Ready {
    type Wire = v1::Ready;

    fn encode(self) -> v1::Ready {
        v1::Ready {
            worker_id: self.worker.as_str().to_owned(),
            wire_version: self.wire_version,
            software_version: self.software_version,
            capabilities: self.capabilities,
            run_id: self.run.map(|run| run.as_str().to_owned()).unwrap_or_default(),
            threads: self.resources.threads,
            cores: self.resources.cores,
            open_files: self.resources.open_files,
            ports: self.resources.ports,
        }
    }
}

impl Encode for Heartbeat {
    type Wire = v1::Heartbeat;

    fn encode(self) -> v1::Heartbeat {
        let state = match self.state {
            WorkerState::Ready => v1::WorkerState::Ready,
            WorkerState::Spawning => v1::WorkerState::Spawning,
            WorkerState::Running => v1::WorkerState::Running,
            WorkerState::Stopping => v1::WorkerState::Stopping,
            // Only a master calls a worker missing.
            WorkerState::Missing => v1::WorkerState::Unspecified,
        };
        v1::Heartbeat {
            state: state.into(),
            user_classes_count: encode_counts(self.users),
            current_cpu_usage: self.vitals.cpu_percent,
            current_memory_usage: self.vitals.memory_bytes,
            wakeup_lag_us: micros(self.vitals.wakeup_lag),
            network_percent: self.vitals.network_percent,
            in_flight: self.vitals.in_flight,
            pool_classes_count: encode_counts(self.pool),
            finished_user_classes_count: encode_counts(self.finished),
        }
    }
}

impl Encode for RunPlan {
    type Wire = v1::RunPlan;

    fn encode(self) -> v1::RunPlan {
        v1::RunPlan {
            run_id: self.run.as_str().to_owned(),
            scenario_name: self.scenario_name,
            scenario: self.scenario,
            profile: self.profile.unwrap_or_default(),
            host: self.host.unwrap_or_default(),
            stop_timeout_us: micros(self.stop_timeout),
            seed: self.seed,
            run_time_us: self.run_time.as_micros(),
            variables: self.variables,
            tags: self.tags,
            exclude_tags: self.exclude_tags,
            equal_weights: self.adjustments.equal_weights,
            class_edits: self.adjustments.edits.into_iter().map(Encode::encode).collect(),
            steady_arrivals: self.adjustments.arrivals.map(|arrivals| v1::SteadyArrivals {
                rate: arrivals.rate.to_string(),
                max_users: arrivals.max_users,
            }),
            user_classes: self
                .classes
                .into_iter()
                .map(|(name, weight)| v1::NamedClass { name, weight })
                .collect(),
            iterations: self.iterations,
            files: self.files.into_iter().map(Encode::encode).collect(),
            sources: self.sources,
        }
    }
}

impl Encode for ClassEdit {
    type Wire = v1::ClassEdit;

    fn encode(self) -> v1::ClassEdit {
        let Self { user_class_name, weight, fixed_count, host, wait_time, tasks } = self;
        let tasks = tasks.map(|names| v1::TaskNames { names });
        v1::ClassEdit { user_class_name, weight, fixed_count, host, wait_time, tasks }
    }
}

impl Encode for RowsRequest {
    type Wire = v1::RowsRequest;

    fn encode(self) -> v1::RowsRequest {
        let Self { run, source, request, left, want } = self;
        v1::RowsRequest { run_id: run.as_str().to_owned(), source, request, left, want }
    }
}

impl Encode for RowsReturned {
    type Wire = v1::RowsReturned;

    fn encode(self) -> v1::RowsReturned {
        let Self { run, source, request, ranges } = self;
        let ranges = encode_ranges(ranges);
        v1::RowsReturned { run_id: run.as_str().to_owned(), source, request, ranges }
    }
}

impl Encode for RowsLease {
    type Wire = v1::RowsLease;

    fn encode(self) -> v1::RowsLease {
        let Self { run, source, request, ranges, exhausted } = self;
        let ranges = encode_ranges(ranges);
        v1::RowsLease { run_id: run.as_str().to_owned(), source, request, ranges, exhausted }
    }
}

impl Encode for FileRef {
    type Wire = v1::FileRef;

    fn encode(self) -> v1::FileRef {
        v1::FileRef { name: self.name, size_bytes: self.bytes, sha256: self.sha256.0.to_vec() }
    }
}

impl Encode for FileChunk {
    type Wire = v1::FileChunk;

    fn encode(self) -> v1::FileChunk {
        let Self { sha256, offset, total, bytes } = self;
        v1::FileChunk { sha256: sha256.0.to_vec(), offset, total_bytes: total, content: bytes }
    }
}

impl Encode for Assignment {
    type Wire = v1::Spawn;

    fn encode(self) -> v1::Spawn {
        v1::Spawn {
            run_id: self.run.as_str().to_owned(),
            generation: self.generation.0,
            user_classes_count: encode_counts(self.users),
            spawn_rate: self.spawn_rate,
            first_delay_us: micros(self.first_delay),
            arrivals: self.arrivals.into_iter().map(Encode::encode).collect(),
        }
    }
}

impl Encode for ArrivalShare {
    type Wire = v1::ArrivalShare;

    fn encode(self) -> v1::ArrivalShare {
        v1::ArrivalShare {
            user_class: self.class,
            slot_index: self.slot.map_or(0, Slot::index),
            slot_count: self.slot.map_or(0, Slot::of),
            max_users: self.max_users,
            from_us: self.from.as_micros(),
            until_us: self.until.map(RunTime::as_micros),
        }
    }
}

impl Encode for StatsReport {
    type Wire = v1::StatsReport;

    fn encode(self) -> v1::StatsReport {
        let StatsDelta { entries, errors, exceptions, seconds, delivery, overflow } = self.delta;
        v1::StatsReport {
            run_id: self.run.as_str().to_owned(),
            seq: self.seq,
            entries: entries.into_iter().map(Encode::encode).collect(),
            errors: errors.into_iter().map(Encode::encode).collect(),
            exceptions: exceptions.into_iter().map(Encode::encode).collect(),
            seconds: seconds.into_iter().map(Encode::encode).collect(),
            delivery: Some(delivery.encode()),
            names_capped: overflow.names_capped,
            errors_capped: overflow.errors_capped,
            exceptions_capped: overflow.exceptions_capped,
        }
    }
}

impl Encode for EntryDelta {
    type Wire = v1::EntryStats;

    fn encode(self) -> v1::EntryStats {
        v1::EntryStats {
            method: self.key.method.to_string(),
            name: self.key.name.to_string(),
            num_requests: self.requests,
            num_failures: self.failures,
            num_none_requests: self.without_time,
            total_response_time_us: self.total_response_time_us,
            min_response_time_us: self.min_us,
            max_response_time_us: self.max_us,
            total_content_length: self.response_length,
            first_start_us: self.first_start.map(RunTime::as_micros),
            last_end_us: self.last_end.map(RunTime::as_micros),
            response_times: Some(encode_buckets(self.response_times.buckets().iter().copied())),
            corrected_times: self
                .corrected_times
                .map(|times| encode_buckets(times.buckets().iter().copied())),
            seconds: self.seconds.into_iter().map(Encode::encode).collect(),
        }
    }
}

impl Encode for RateDelta {
    type Wire = v1::RateSecond;

    fn encode(self) -> v1::RateSecond {
        v1::RateSecond { second: self.second, requests: self.requests, failures: self.failures }
    }
}

impl Encode for SecondDelta {
    type Wire = v1::SecondStats;

    fn encode(self) -> v1::SecondStats {
        let Iterations { planned, started, late, dropped } = self.iterations;
        v1::SecondStats {
            second: self.second,
            requests: self.requests,
            failures: self.failures,
            response_times: Some(encode_buckets(self.response_times.buckets())),
            planned,
            started,
            late,
            dropped,
        }
    }
}

impl Encode for ErrorDelta {
    type Wire = v1::ErrorStats;

    fn encode(self) -> v1::ErrorStats {
        v1::ErrorStats {
            method: self.key.method.to_string(),
            name: self.key.name.to_string(),
            message: self.message.to_string(),
            occurrences: self.occurrences,
            first_seen_us: self.first_seen.map(RunTime::as_micros),
            last_seen_us: self.last_seen.map(RunTime::as_micros),
        }
    }
}

impl Encode for ExceptionDelta {
    type Wire = v1::ExceptionStats;

    fn encode(self) -> v1::ExceptionStats {
        v1::ExceptionStats {
            message: self.message.to_string(),
            traceback: self.traceback.to_string(),
            occurrences: self.occurrences,
        }
    }
}

impl Encode for Delivery {
    type Wire = v1::Delivery;

    fn encode(self) -> v1::Delivery {
        let Self { planned, started, late, dropped, sent, answered, failed, in_flight_at_stop } = self;
        v1::Delivery { planned, started, late, dropped, sent, answered, failed, in_flight_at_stop }
    }
}

fn encode_counts(users: ClassCounts) -> std::collections::HashMap<String, u32> {
    users.into_iter().collect()
}

fn encode_ranges(ranges: Vec<RowRange>) -> Vec<v1::RowRange> {
    ranges.into_iter().map(|range| v1::RowRange { first: range.start, end: range.end }).collect()
}

/// Values go as differences, which are small and so take one or two bytes each.
fn encode_buckets(buckets: impl Iterator<Item = (u64, u64)>) -> v1::Buckets {
    let mut wire = v1::Buckets::default();
    let mut before = 0;
    for (value, count) in buckets {
        wire.value_steps.push(value - before);
        wire.counts.push(count);
        before = value;
    }
    wire
}

/// A span that came over the wire.
pub(crate) fn span(micros: u64) -> Duration {
    Duration::from_micros(micros)
}
