//! From the wire to the domain. Whatever a peer may have got wrong ends here, as a [`DecodeError`].

use std::collections::HashMap;

use sentinel_common::ids::{BadWorkerId, Generation, RunId, WorkerId};
use sentinel_common::messages::{
    Assignment, ClassCounts, FromWorker, Heartbeat, LocustPlan, Ready, RunPlan, StatsReport, ToWorker, Wire,
    WorkerState,
};
use sentinel_common::stats::{
    CoarseHistogram, Delivery, EntryDelta, EntryKey, ErrorDelta, ExceptionDelta, Overflow, RateDelta,
    SecondDelta, SparseHistogram, StatsDelta,
};
use sentinel_common::time::RunTime;
use thiserror::Error;

use crate::encode::span;
use crate::v1;
use crate::v1::master_message::Kind as MasterKind;
use crate::v1::worker_message::Kind as WorkerKind;

/// A message that makes no sense.
#[derive(Debug, Error)]
pub enum DecodeError {
    /// It is of a kind that this release does not know, or of none.
    #[error("the message is empty or of an unknown kind")]
    UnknownKind,
    /// A worker's name is unusable.
    #[error(transparent)]
    WorkerId(#[from] BadWorkerId),
    /// A histogram has not as many values as counts, or its values overflow.
    #[error("a histogram of {values} values has {counts} counts, or its values overflow")]
    Buckets {
        /// Values that there are.
        values: usize,
        /// Counts that there are.
        counts: usize,
    },
    /// A number that must be finite and positive is not.
    #[error("the spawn rate {0} is not a positive number")]
    SpawnRate(f64),
    /// The parts of a row contradict each other.
    #[error("row {name:?} contradicts itself: {what}")]
    Row {
        /// The row's name.
        name: String,
        /// How.
        what: &'static str,
    },
}

/// Turns what came over the wire into a domain value.
pub trait Decode {
    /// The domain's type.
    type Domain;

    /// Turns it.
    ///
    /// # Errors
    /// The peer sent something that the domain has no value for.
    fn decode(self) -> Result<Self::Domain, DecodeError>;
}

impl Decode for v1::WorkerMessage {
    type Domain = FromWorker;

    fn decode(self) -> Result<FromWorker, DecodeError> {
        Ok(match self.kind.ok_or(DecodeError::UnknownKind)? {
            WorkerKind::Ready(ready) => FromWorker::Ready(ready.decode()?),
            WorkerKind::Spawning(spawning) => {
                FromWorker::Spawning { generation: Generation(spawning.generation) }
            }
            WorkerKind::SpawningComplete(complete) => FromWorker::SpawningComplete {
                generation: Generation(complete.generation),
                users: decode_counts(complete.user_classes_count),
            },
            WorkerKind::Stats(report) => FromWorker::Stats(report.decode()?),
            WorkerKind::Heartbeat(heartbeat) => FromWorker::Heartbeat(heartbeat.decode()?),
            WorkerKind::Logs(logs) => FromWorker::Logs { lines: logs.lines },
            WorkerKind::ClientStopped(stopped) => {
                FromWorker::ClientStopped { run: RunId::new(&stopped.run_id) }
            }
            WorkerKind::Quit(v1::Quit {}) => FromWorker::Quit,
        })
    }
}

impl Decode for v1::MasterMessage {
    type Domain = ToWorker;

    fn decode(self) -> Result<ToWorker, DecodeError> {
        Ok(match self.kind.ok_or(DecodeError::UnknownKind)? {
            MasterKind::Ack(ack) => ToWorker::Ack { index: ack.index },
            MasterKind::Refused(refused) => ToWorker::Refused { reason: refused.reason },
            MasterKind::Plan(plan) => ToWorker::Plan(plan.decode()?),
            MasterKind::Spawn(spawn) => ToWorker::Spawn(spawn.decode()?),
            MasterKind::SpawningComplete(spawned) => ToWorker::SpawningComplete {
                user_count: spawned.user_count,
                reset_stats: spawned.reset_stats,
            },
            MasterKind::StatsAck(ack) => ToWorker::StatsAck { run: RunId::new(&ack.run_id), seq: ack.seq },
            MasterKind::Heartbeat(reply) => {
                ToWorker::Heartbeat { run_time: reply.run_time_us.map(RunTime::from_micros) }
            }
            MasterKind::Stop(stop) => ToWorker::Stop { run: RunId::new(&stop.run_id) },
            MasterKind::Quit(v1::Quit {}) => ToWorker::Quit,
        })
    }
}

impl Decode for v1::Ready {
    type Domain = Ready;

    fn decode(self) -> Result<Ready, DecodeError> {
        Ok(Ready {
            worker: WorkerId::new(&self.worker_id)?,
            wire: Wire::Grpc,
            wire_version: self.wire_version,
            software_version: self.software_version,
            capabilities: self.capabilities,
            run: (!self.run_id.is_empty()).then(|| RunId::new(&self.run_id)),
        })
    }
}

impl Decode for v1::Heartbeat {
    type Domain = Heartbeat;

    fn decode(self) -> Result<Heartbeat, DecodeError> {
        let state = match self.state() {
            v1::WorkerState::Unspecified | v1::WorkerState::Ready => WorkerState::Ready,
            v1::WorkerState::Spawning => WorkerState::Spawning,
            v1::WorkerState::Running => WorkerState::Running,
            v1::WorkerState::Stopping => WorkerState::Stopping,
        };
        Ok(Heartbeat {
            state,
            users: decode_counts(self.user_classes_count),
            cpu_percent: self.current_cpu_usage,
            memory_bytes: self.current_memory_usage,
            wakeup_lag: span(self.wakeup_lag_us),
        })
    }
}

impl Decode for v1::RunPlan {
    type Domain = RunPlan;

    fn decode(self) -> Result<RunPlan, DecodeError> {
        Ok(RunPlan {
            run: RunId::new(&self.run_id),
            scenario_name: self.scenario_name,
            scenario: self.scenario,
            profile: Some(self.profile).filter(|profile| !profile.is_empty()),
            host: Some(self.host).filter(|host| !host.is_empty()),
            stop_timeout: span(self.stop_timeout_us),
            seed: self.seed,
            run_time: RunTime::from_micros(self.run_time_us),
            locust: LocustPlan::default(),
        })
    }
}

impl Decode for v1::Spawn {
    type Domain = Assignment;

    fn decode(self) -> Result<Assignment, DecodeError> {
        // Zero is fine: a worker with nothing to change needs no rate.
        if !(self.spawn_rate >= 0.0 && self.spawn_rate.is_finite()) {
            return Err(DecodeError::SpawnRate(self.spawn_rate));
        }
        Ok(Assignment {
            run: RunId::new(&self.run_id),
            generation: Generation(self.generation),
            users: decode_counts(self.user_classes_count),
            spawn_rate: self.spawn_rate,
            first_delay: span(self.first_delay_us),
        })
    }
}

impl Decode for v1::StatsReport {
    type Domain = StatsReport;

    fn decode(self) -> Result<StatsReport, DecodeError> {
        let delta = StatsDelta {
            entries: decode_all(self.entries)?,
            errors: decode_all(self.errors)?,
            exceptions: decode_all(self.exceptions)?,
            seconds: decode_all(self.seconds)?,
            delivery: self.delivery.unwrap_or_default().decode()?,
            overflow: Overflow {
                names_capped: self.names_capped,
                errors_capped: self.errors_capped,
                exceptions_capped: self.exceptions_capped,
            },
        };
        Ok(StatsReport { run: RunId::new(&self.run_id), seq: self.seq, delta })
    }
}

impl Decode for v1::EntryStats {
    type Domain = EntryDelta;

    fn decode(self) -> Result<EntryDelta, DecodeError> {
        let timed = self.num_requests.checked_sub(self.num_none_requests);
        let response_times = decode_sparse(self.response_times.unwrap_or_default())?;
        let corrected_times = self.corrected_times.map(decode_sparse).transpose()?;
        let all_counted =
            |times: &SparseHistogram| timed == Some(times.buckets().iter().map(|(_, count)| count).sum());
        if !all_counted(&response_times) || !corrected_times.as_ref().is_none_or(all_counted) {
            return Err(DecodeError::Row {
                name: self.name,
                what: "its histogram has not as many samples as requests",
            });
        }
        if timed != Some(0) && (self.min_response_time_us.is_none() || self.max_response_time_us.is_none()) {
            return Err(DecodeError::Row { name: self.name, what: "it has response times, but no extremes" });
        }
        Ok(EntryDelta {
            key: EntryKey::new(&self.method, &self.name),
            requests: self.num_requests,
            failures: self.num_failures,
            without_time: self.num_none_requests,
            total_response_time_us: self.total_response_time_us,
            min_us: self.min_response_time_us,
            max_us: self.max_response_time_us,
            response_length: self.total_content_length,
            first_start: self.first_start_us.map(RunTime::from_micros),
            last_end: self.last_end_us.map(RunTime::from_micros),
            response_times,
            corrected_times,
            seconds: decode_all(self.seconds)?,
        })
    }
}

impl Decode for v1::RateSecond {
    type Domain = RateDelta;

    fn decode(self) -> Result<RateDelta, DecodeError> {
        Ok(RateDelta { second: self.second, requests: self.requests, failures: self.failures })
    }
}

impl Decode for v1::SecondStats {
    type Domain = SecondDelta;

    fn decode(self) -> Result<SecondDelta, DecodeError> {
        let buckets = decode_buckets(self.response_times.unwrap_or_default())?;
        Ok(SecondDelta {
            second: self.second,
            requests: self.requests,
            failures: self.failures,
            response_times: CoarseHistogram::from_buckets(buckets),
        })
    }
}

impl Decode for v1::ErrorStats {
    type Domain = ErrorDelta;

    fn decode(self) -> Result<ErrorDelta, DecodeError> {
        Ok(ErrorDelta {
            key: EntryKey::new(&self.method, &self.name),
            message: self.message.into(),
            occurrences: self.occurrences,
            first_seen: self.first_seen_us.map(RunTime::from_micros),
            last_seen: self.last_seen_us.map(RunTime::from_micros),
        })
    }
}

impl Decode for v1::ExceptionStats {
    type Domain = ExceptionDelta;

    fn decode(self) -> Result<ExceptionDelta, DecodeError> {
        Ok(ExceptionDelta {
            message: self.message.into(),
            traceback: self.traceback.into(),
            occurrences: self.occurrences,
        })
    }
}

impl Decode for v1::Delivery {
    type Domain = Delivery;

    fn decode(self) -> Result<Delivery, DecodeError> {
        let Self { planned, started, late, dropped, sent, answered, failed, in_flight_at_stop } = self;
        Ok(Delivery { planned, started, late, dropped, sent, answered, failed, in_flight_at_stop })
    }
}

fn decode_all<W: Decode>(wire: Vec<W>) -> Result<Vec<W::Domain>, DecodeError> {
    wire.into_iter().map(Decode::decode).collect()
}

fn decode_counts(counts: HashMap<String, u32>) -> ClassCounts {
    counts.into_iter().collect()
}

fn decode_sparse(wire: v1::Buckets) -> Result<SparseHistogram, DecodeError> {
    Ok(SparseHistogram::from_buckets(decode_buckets(wire)?))
}

fn decode_buckets(wire: v1::Buckets) -> Result<Vec<(u64, u64)>, DecodeError> {
    let (values, counts) = (wire.value_steps.len(), wire.counts.len());
    let broken = DecodeError::Buckets { values, counts };
    if values != counts {
        return Err(broken);
    }
    let mut value = 0_u64;
    let mut total = 0_u64;
    let mut buckets = Vec::with_capacity(values);
    for (step, count) in wire.value_steps.into_iter().zip(wire.counts) {
        let (Some(next), Some(sum)) = (value.checked_add(step), total.checked_add(count)) else {
            return Err(broken);
        };
        (value, total) = (next, sum);
        buckets.push((value, count));
    }
    Ok(buckets)
}
