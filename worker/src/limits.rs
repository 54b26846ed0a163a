//! The system's limits on this process.

use std::fs;

use sentinel_common::messages::Resources;

/// Users that a worker can be expected to run; each needs a socket.
const WORTH_A_WARNING: u64 = 10_000;

/// Allows this process as many open files as the system permits: every user holds a connection, and the usual limit
/// of 1024 is meant for programs that do not.
pub fn raise_open_files() {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) if limit < WORTH_A_WARNING => {
            tracing::warn!(
                "Only {limit} open files are allowed, so about as many users can run here; see ulimit -n"
            );
        }
        Ok(limit) => tracing::debug!("{limit} open files are allowed"),
        Err(error) => tracing::warn!("Cannot raise the limit on open files: {error}; see ulimit -n"),
    }
}

/// What this process has to make load with on `threads` threads.
pub fn resources(threads: usize) -> Resources {
    let small = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Resources {
        threads: small(threads),
        cores: std::thread::available_parallelism().map_or(0, |cores| small(cores.get())),
        open_files: rlimit::Resource::NOFILE.get_soft().unwrap_or(0),
        ports: fs::read_to_string(PORT_RANGE).ok().and_then(|range| ports_in(&range)).unwrap_or(0),
    }
}

/// Where Linux tells which ports it gives to connections. Elsewhere nothing is known of them.
const PORT_RANGE: &str = "/proc/sys/net/ipv4/ip_local_port_range";

/// How many ports there are from the first to the last, both included.
fn ports_in(range: &str) -> Option<u32> {
    let mut bounds = range.split_whitespace().map(|bound| bound.parse::<u16>().ok());
    let (first, last) = (bounds.next()??, bounds.next()??);
    Some(u32::from(last).checked_sub(u32::from(first))? + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_counted_with_both_ends() {
        let check = |range, expected| assert_eq!(ports_in(range), expected, "{range:?}");
        check("32768\t60999\n", Some(28_232));
        check("1024 1024", Some(1));
        check("9 1", None);
        check("", None);
        check("1 70000", None);
    }

    #[test]
    fn a_process_has_something_to_make_load_with() {
        let found = resources(3);
        assert_eq!(found.threads, 3);
        assert!(found.cores > 0 && found.open_files > 0, "{found:?}");
    }
}
