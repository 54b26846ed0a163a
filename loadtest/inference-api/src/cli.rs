//! The flags of the binary and how they are written.
//!
//! `main` parses them; the library knows nothing of flags.

use std::time::Duration;

use clap::{Parser, value_parser};
use inference_api::{Config, ErrorRate};

/// A fraud inference API that stands in for the target of a load test.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Cli {
    /// Port to listen on; 0 takes any free port and the log tells which.
    #[arg(long, default_value_t = 8000)]
    pub(crate) port: u16,

    /// Address or name of the interface to listen on.
    #[arg(long, default_value = "127.0.0.1")]
    pub(crate) host: String,

    /// CPU time that each prediction request burns, such as 2ms, 0.5s or 100us.
    #[arg(long, value_name = "DURATION", default_value = "0", value_parser = parse_duration)]
    inference_time: Duration,

    /// Time that each prediction request waits, rounded up to whole milliseconds.
    #[arg(long, value_name = "DURATION", default_value = "0", value_parser = parse_duration)]
    latency: Duration,

    /// Share of prediction requests, from 0 to 1, that answer 500.
    #[arg(long, value_name = "SHARE", default_value_t = ErrorRate::NEVER, allow_negative_numbers = true)]
    error_rate: ErrorRate,

    /// Decides which requests fail: the same seed fails the same ones.
    #[arg(long, default_value_t = 0)]
    seed: u64,

    /// Threads that answer requests [default: one per core].
    #[arg(long, value_name = "N", value_parser = value_parser!(u16).range(1..=256))]
    pub(crate) workers: Option<u16>,
}

impl Cli {
    /// How slow and how faulty the server shall be.
    pub(crate) fn config(&self) -> Config {
        Config {
            inference_time: self.inference_time,
            latency: self.latency,
            error_rate: self.error_rate,
            seed: self.seed,
        }
    }
}

/// Reads `2ms`, `0.5s`, `100us` or `0`.
fn parse_duration(text: &str) -> Result<Duration, String> {
    const HELP: &str = "write a number and a unit, such as 2ms, 0.5s or 100us";
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let unit_at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let seconds_per_unit = match unit {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "" => return Err(format!("the unit is missing, {HELP}")),
        _ => return Err(HELP.to_owned()),
    };
    let number: f64 = number.parse().map_err(|_| HELP.to_owned())?;
    match Duration::try_from_secs_f64(number * seconds_per_unit) {
        Ok(duration) if duration <= DURATION_MAX => Ok(duration),
        _ => Err(format!("it is longer than {DURATION_MAX:?}, the longest that makes sense here")),
    }
}

/// Load generators give up on a request long before.
const DURATION_MAX: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use clap::error::ErrorKind;

    use super::*;

    #[test]
    fn durations_have_a_number_and_a_unit() {
        let check = |text: &str, expected_us: u64| {
            assert_eq!(parse_duration(text), Ok(Duration::from_micros(expected_us)), "{text}");
        };
        check("0", 0);
        check("0s", 0);
        check("2ms", 2_000);
        check("0.5s", 500_000);
        check("100us", 100);
        check("1s", 1_000_000);
        check("1.5ms", 1_500);
        check("600s", 600_000_000);
    }

    #[test]
    fn other_durations_are_refused_with_a_hint() {
        let check = |text: &str, hint: &str| {
            let error = parse_duration(text).unwrap_err();
            assert!(error.contains(hint), "{text}: {error}");
        };
        check("2", "the unit is missing");
        check("1.5", "the unit is missing");
        check("600.1s", "longer than 600s");
        check("99999999999999999999999999s", "longer than 600s");
        for text in ["", "ms", "-2ms", "2 ms", "2m", "2MS", "1.2.3s", ".ms", "infs", "NaNs", "1e3s"] {
            let error = parse_duration(text).unwrap_err();
            assert!(error.contains("such as 2ms, 0.5s or 100us"), "{text}: {error}");
        }
    }

    #[test]
    fn bad_flags_are_usage_errors() {
        let check = |args: &[&str], expected: ErrorKind| {
            let error = Cli::try_parse_from([&["inference-api"], args].concat()).unwrap_err();
            assert_eq!((error.kind(), error.exit_code()), (expected, 2), "{args:?}");
        };
        check(&["--latency", "5"], ErrorKind::ValueValidation);
        check(&["--inference-time", "-1ms"], ErrorKind::UnknownArgument);
        check(&["--inference-time=-1ms"], ErrorKind::ValueValidation);
        check(&["--error-rate", "1.5"], ErrorKind::ValueValidation);
        check(&["--error-rate", "-0.5"], ErrorKind::ValueValidation);
        check(&["--port", "65536"], ErrorKind::ValueValidation);
        check(&["--workers", "0"], ErrorKind::ValueValidation);
        check(&["--workers", "257"], ErrorKind::ValueValidation);
    }

    #[test]
    fn flags_become_the_config() {
        let cli = Cli::parse_from([
            "inference-api",
            "--inference-time=2ms",
            "--latency=5ms",
            "--error-rate=0.01",
            "--seed=7",
        ]);
        let config = cli.config();
        assert_eq!(config.inference_time, Duration::from_millis(2));
        assert_eq!(config.latency, Duration::from_millis(5));
        assert_eq!(config.error_rate, ErrorRate::new(0.01).unwrap());
        assert_eq!(config.seed, 7);
        assert_eq!((cli.port, cli.host.as_str()), (8000, "127.0.0.1"));
    }
}
