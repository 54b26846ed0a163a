//! Statistics, from the wire to the domain.

use sentinel_common::ids::RunId;
use sentinel_common::messages::StatsReport;
use sentinel_common::stats::{
    CoarseHistogram, Delivery, EntryDelta, EntryKey, ErrorDelta, ExceptionDelta, Iterations, Overflow,
    RateDelta, SecondDelta, SparseHistogram, StatsDelta,
};
use sentinel_common::time::RunTime;

use super::{Decode, DecodeError, decode_all};
use crate::v1;

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
            iterations: Iterations {
                planned: self.planned,
                started: self.started,
                late: self.late,
                dropped: self.dropped,
            },
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
