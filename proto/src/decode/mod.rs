//! From the wire to the domain. Whatever a peer may have got wrong ends here, as a [`DecodeError`].

mod stats;

use std::collections::HashMap;
use std::sync::Arc;

use sentinel_common::arrivals::{
    ArrivalRate, ArrivalRateError, Arrivals, ArrivalsError, Slot, SteadyArrivals,
};
use sentinel_common::files::{self, BadFiles, CHUNK_BYTES_MAX, Checksum, FileChunk, FileRef};
use sentinel_common::ids::{BadWorkerId, Generation, RunId, WorkerId};
use sentinel_common::messages::{
    ArrivalShare, Assignment, ClassCounts, FromWorker, Heartbeat, LocustPlan, NO_VARIABLES, Ready, Resources,
    RowsLease, RowsRequest, RowsReturned, RunPlan, ToWorker, VARIABLES_BYTES_MAX, Vitals, Wire, WorkerState,
};
use sentinel_common::rows::{RANGES_MAX, RowRange, SOURCE_NAME_BYTES_MAX, SOURCES_MAX};
use sentinel_common::scenario::{Adjustments, ClassEdit};
use sentinel_common::time::RunTime;
use thiserror::Error;

use crate::encode::span;
use crate::v1;
use crate::v1::master_message::Kind as MasterKind;
use crate::v1::setup_done::Result as SetupResult;
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
    /// The files of a plan cannot be those of a run.
    #[error(transparent)]
    Files(#[from] BadFiles),
    /// A checksum is not one of SHA-256.
    #[error("a checksum has 32 bytes, this one has {0}")]
    Checksum(usize),
    /// Setup came to nothing, neither variables nor an error.
    #[error("a setup has neither variables nor an error")]
    NoResult,
    /// Rows end before they begin, or nowhere.
    #[error("there are no rows from {first} to {end}")]
    Rows {
        /// The first one.
        first: u64,
        /// The one after the last one.
        end: u64,
    },
    /// A weight that must be finite and not negative is not.
    #[error("the weight {0} is no weight")]
    Weight(f64),
    /// There is more of something than there can be.
    #[error("{what}: {got} are more than {most}")]
    TooMuch {
        /// Of what.
        what: &'static str,
        /// How many, or how many bytes.
        got: usize,
        /// How many there may be.
        most: usize,
    },
    /// The rate of arrivals is none.
    #[error(transparent)]
    ArrivalRate(#[from] ArrivalRateError),
    /// There are no such arrivals.
    #[error(transparent)]
    Arrivals(#[from] ArrivalsError),
    /// There is no such part of arrivals.
    #[error("arrivals have no slot {index} of {count}")]
    Slot {
        /// Which one.
        index: u32,
        /// Of how many.
        count: u32,
    },
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
            WorkerKind::FileRequest(request) => {
                FromWorker::FileRequest { sha256: decode_checksum(&request.sha256)?, offset: request.offset }
            }
            WorkerKind::SetupDone(done) => FromWorker::SetupDone {
                run: RunId::new(&done.run_id),
                result: match done.result.ok_or(DecodeError::NoResult)? {
                    SetupResult::Variables(variables) => Ok(decode_variables(variables)?),
                    SetupResult::Error(reason) => Err(decode_reason(reason)?),
                },
            },
            WorkerKind::TeardownDone(done) => FromWorker::TeardownDone {
                run: RunId::new(&done.run_id),
                result: done.error.map_or(Ok(Ok(())), |reason| decode_reason(reason).map(Err))?,
            },
            WorkerKind::RowsRequest(asked) => FromWorker::RowsRequest(asked.decode()?),
            WorkerKind::RowsReturned(returned) => FromWorker::RowsReturned(returned.decode()?),
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
            MasterKind::Plan(plan) => ToWorker::Plan(Arc::new(plan.decode()?)),
            MasterKind::Setup(plan) => ToWorker::Setup(Arc::new(plan.decode()?)),
            MasterKind::Teardown(plan) => ToWorker::Teardown(Arc::new(plan.decode()?)),
            MasterKind::FileChunk(chunk) => ToWorker::FileChunk(chunk.decode()?),
            MasterKind::RowsLease(lease) => ToWorker::RowsLease(lease.decode()?),
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
            resources: Resources {
                threads: self.threads,
                cores: self.cores,
                open_files: self.open_files,
                ports: self.ports,
            },
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
            finished: decode_counts(self.finished_user_classes_count),
            vitals: Vitals {
                cpu_percent: self.current_cpu_usage,
                memory_bytes: self.current_memory_usage,
                wakeup_lag: span(self.wakeup_lag_us),
                network_percent: self.network_percent,
                in_flight: self.in_flight,
            },
            pool: decode_counts(self.pool_classes_count),
        })
    }
}

impl Decode for v1::RunPlan {
    type Domain = RunPlan;

    fn decode(self) -> Result<RunPlan, DecodeError> {
        let files: Vec<FileRef> = decode_all(self.files)?;
        files::check(&files)?;
        Ok(RunPlan {
            files,
            sources: decode_sources(self.sources)?,
            run: RunId::new(&self.run_id),
            scenario_name: self.scenario_name,
            scenario: self.scenario,
            profile: Some(self.profile).filter(|profile| !profile.is_empty()),
            host: Some(self.host).filter(|host| !host.is_empty()),
            stop_timeout: span(self.stop_timeout_us),
            seed: self.seed,
            run_time: RunTime::from_micros(self.run_time_us),
            classes: decode_all(bounded("user classes", self.user_classes, MAX_NAMES)?)?,
            tags: decode_names("tags", self.tags)?,
            exclude_tags: decode_names("excluded tags", self.exclude_tags)?,
            adjustments: Adjustments {
                equal_weights: self.equal_weights,
                edits: decode_all(bounded("edits of user classes", self.class_edits, MAX_NAMES)?)?,
                arrivals: self.steady_arrivals.map(Decode::decode).transpose()?,
            },
            iterations: self.iterations,
            variables: decode_variables(self.variables)?,
            locust: LocustPlan::default(),
        })
    }
}

impl Decode for v1::SteadyArrivals {
    type Domain = SteadyArrivals;

    fn decode(self) -> Result<SteadyArrivals, DecodeError> {
        let steady = SteadyArrivals { rate: ArrivalRate::parse(&self.rate)?, max_users: self.max_users };
        Arrivals::steady(steady)?;
        Ok(steady)
    }
}

impl Decode for v1::FileRef {
    type Domain = FileRef;

    fn decode(self) -> Result<FileRef, DecodeError> {
        Ok(FileRef { name: self.name, bytes: self.size_bytes, sha256: decode_checksum(&self.sha256)? })
    }
}

impl Decode for v1::FileChunk {
    type Domain = FileChunk;

    fn decode(self) -> Result<FileChunk, DecodeError> {
        let (what, got, most) = ("bytes of a file", self.content.len(), CHUNK_BYTES_MAX);
        if got > most {
            return Err(DecodeError::TooMuch { what, got, most });
        }
        Ok(FileChunk {
            sha256: decode_checksum(&self.sha256)?,
            offset: self.offset,
            total: self.total_bytes,
            bytes: self.content,
        })
    }
}

impl Decode for v1::RowsRequest {
    type Domain = RowsRequest;

    fn decode(self) -> Result<RowsRequest, DecodeError> {
        let Self { run_id, source, request, left, want } = self;
        Ok(RowsRequest { run: RunId::new(&run_id), source: decode_source(source)?, request, left, want })
    }
}

impl Decode for v1::RowsReturned {
    type Domain = RowsReturned;

    fn decode(self) -> Result<RowsReturned, DecodeError> {
        let Self { run_id, source, request, ranges } = self;
        let (source, ranges) = (decode_source(source)?, decode_ranges(ranges)?);
        Ok(RowsReturned { run: RunId::new(&run_id), source, request, ranges })
    }
}

impl Decode for v1::RowsLease {
    type Domain = RowsLease;

    fn decode(self) -> Result<RowsLease, DecodeError> {
        let Self { run_id, source, request, ranges, exhausted } = self;
        let (source, ranges) = (decode_source(source)?, decode_ranges(ranges)?);
        Ok(RowsLease { run: RunId::new(&run_id), source, request, ranges, exhausted })
    }
}

impl Decode for v1::NamedClass {
    type Domain = (String, Option<f64>);

    fn decode(self) -> Result<Self::Domain, DecodeError> {
        let name = decode_name("a user class", self.name)?;
        match self.weight {
            Some(weight) if !(weight >= 0.0 && weight.is_finite()) => Err(DecodeError::Weight(weight)),
            weight => Ok((name, weight)),
        }
    }
}

impl Decode for v1::ClassEdit {
    type Domain = ClassEdit;

    fn decode(self) -> Result<ClassEdit, DecodeError> {
        let text = |what, text: Option<String>| text.map(|text| decode_name(what, text)).transpose();
        let (user_class_name, weight) =
            v1::NamedClass { name: self.user_class_name, weight: self.weight }.decode()?;
        Ok(ClassEdit {
            user_class_name,
            weight,
            fixed_count: self.fixed_count,
            host: text("a host", self.host)?,
            wait_time: text("a wait time", self.wait_time)?,
            tasks: self.tasks.map(|tasks| decode_names("tasks", tasks.names)).transpose()?,
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
            arrivals: decode_all(self.arrivals)?,
        })
    }
}

impl Decode for v1::ArrivalShare {
    type Domain = ArrivalShare;

    fn decode(self) -> Result<ArrivalShare, DecodeError> {
        let (index, count) = (self.slot_index, self.slot_count);
        let slot = match count {
            0 => None,
            _ => Some(Slot::new(index, count).ok_or(DecodeError::Slot { index, count })?),
        };
        Ok(ArrivalShare {
            class: self.user_class,
            slot,
            max_users: self.max_users,
            from: RunTime::from_micros(self.from_us),
            until: self.until_us.map(RunTime::from_micros),
        })
    }
}

/// Names in one list: tags, user classes.
const MAX_NAMES: usize = 1_000;

/// The longest name of a class, a tag or the like, in bytes.
const MAX_NAME_BYTES: usize = 1_024;

fn bounded<T>(what: &'static str, list: Vec<T>, most: usize) -> Result<Vec<T>, DecodeError> {
    match list.len() {
        got if got > most => Err(DecodeError::TooMuch { what, got, most }),
        _ => Ok(list),
    }
}

fn bounded_text(what: &'static str, text: String, most: usize) -> Result<String, DecodeError> {
    match text.len() {
        got if got > most => Err(DecodeError::TooMuch { what, got, most }),
        _ => Ok(text),
    }
}

fn decode_name(what: &'static str, name: String) -> Result<String, DecodeError> {
    bounded_text(what, name, MAX_NAME_BYTES)
}

fn decode_names(what: &'static str, names: Vec<String>) -> Result<Vec<String>, DecodeError> {
    let names = bounded(what, names, MAX_NAMES)?;
    names.into_iter().map(|name| decode_name(what, name)).collect()
}

fn decode_variables(variables: String) -> Result<String, DecodeError> {
    match variables.is_empty() {
        true => Ok(NO_VARIABLES.to_owned()),
        false => bounded_text("variables", variables, VARIABLES_BYTES_MAX),
    }
}

/// The longest reason of a failure, in bytes.
const MAX_REASON_BYTES: usize = 16 << 10;

fn decode_reason(reason: String) -> Result<String, DecodeError> {
    bounded_text("a reason", reason, MAX_REASON_BYTES)
}

fn decode_source(source: String) -> Result<String, DecodeError> {
    bounded_text("the name of a source", source, SOURCE_NAME_BYTES_MAX)
}

fn decode_sources(sources: Vec<String>) -> Result<Vec<String>, DecodeError> {
    bounded("sources of rows", sources, SOURCES_MAX)?.into_iter().map(decode_source).collect()
}

fn decode_ranges(ranges: Vec<v1::RowRange>) -> Result<Vec<RowRange>, DecodeError> {
    let rows = |v1::RowRange { first, end }| match first < end {
        true => Ok(first..end),
        false => Err(DecodeError::Rows { first, end }),
    };
    bounded("ranges of rows", ranges, RANGES_MAX)?.into_iter().map(rows).collect()
}

fn decode_checksum(sha256: &[u8]) -> Result<Checksum, DecodeError> {
    sha256.try_into().map(Checksum).map_err(|_| DecodeError::Checksum(sha256.len()))
}

fn decode_all<W: Decode>(wire: Vec<W>) -> Result<Vec<W::Domain>, DecodeError> {
    wire.into_iter().map(Decode::decode).collect()
}

fn decode_counts(counts: HashMap<String, u32>) -> ClassCounts {
    counts.into_iter().collect()
}
