//! The system's limits on this process.

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
