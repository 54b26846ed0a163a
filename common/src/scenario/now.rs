//! `now()`: what the wall clock shows, in the form that was asked for. The clock is the shell's; only conversions
//! happen here, all in UTC.

use std::sync::Arc;

use jiff::Timestamp;
use minijinja::Value;

use super::function::{Bound, text};
use super::outside::Outside;

/// The form in which the time is wanted.
#[derive(Clone, Debug)]
pub(super) enum Now {
    Seconds,
    Milliseconds,
    Microseconds,
    /// RFC 3339 with milliseconds.
    Iso,
    /// A format of `strftime`, tried out when it was bound.
    Format(Arc<str>),
}

pub(super) fn now(arguments: &[Value]) -> Result<Bound, String> {
    let format = text(&arguments[0], "format")?;
    let now = match format {
        "s" => Now::Seconds,
        "ms" => Now::Milliseconds,
        "us" => Now::Microseconds,
        "iso" => Now::Iso,
        _ if format.contains('%') => Now::Format(format.into()),
        _ => return Err(format!("needs 's', 'ms', 'us', 'iso' or a format like '%Y-%m-%d', got `{format}`")),
    };
    now.write(0)?;
    Ok(Bound::Now(now))
}

impl Now {
    /// What the clock shows now.
    pub(super) fn read(&self, outside: &Outside) -> Result<Value, String> {
        let unix_us = outside.unix_us().ok_or("there is no clock where this is rendered")?;
        self.write(unix_us)
    }

    fn write(&self, unix_us: u64) -> Result<Value, String> {
        Ok(match self {
            Self::Seconds => Value::from(unix_us as f64 / 1e6),
            Self::Milliseconds => Value::from(unix_us / 1000),
            Self::Microseconds => Value::from(unix_us),
            Self::Iso => Value::from(format!("{:.3}", timestamp(unix_us)?)),
            Self::Format(format) => {
                // Unlike a timestamp's own, this one returns what is wrong instead of failing while it writes.
                let written = jiff::fmt::strtime::format(format.as_bytes(), timestamp(unix_us)?);
                Value::from(written.map_err(|error| format!("cannot write a time as `{format}`: {error}"))?)
            }
        })
    }
}

fn timestamp(unix_us: u64) -> Result<Timestamp, String> {
    let timestamp = i64::try_from(unix_us).ok().and_then(|unix_us| Timestamp::from_microsecond(unix_us).ok());
    timestamp.ok_or_else(|| "cannot write a time beyond the year 9999".to_owned())
}
