//! What must hold for any bytes that are taken for a message: decoding ends, and what is accepted can be said again.
//!
//! The fuzz target and the tests of `common` include this file.

use sentinel_common::locust::{Limits, MasterMessage, WorkerMessage};

/// Far below the real ones, so that short inputs reach them.
const LIMITS: Limits = Limits { depth_max: 16, values_max: 1000 };

/// Takes the bytes for a message of a worker and for one of a master.
///
/// # Panics
/// A decoder accepts a message that it does not accept again, or not as the same.
pub fn holds(bytes: &[u8]) {
    holds_for_worker(bytes);
    holds_for_master(bytes);
}

/// As [`holds`], for a message of a worker. Returns whether it was accepted.
pub fn holds_for_worker(bytes: &[u8]) -> bool {
    let Ok(first) = WorkerMessage::decode(bytes, LIMITS) else { return false };
    let again = WorkerMessage::decode(&first.message.encode(&first.node_id), LIMITS);
    assert_same(&again, &Ok(first));
    true
}

/// As [`holds`], for a message of a master. Returns whether it was accepted.
pub fn holds_for_master(bytes: &[u8]) -> bool {
    let Ok(first) = MasterMessage::decode(bytes, LIMITS) else { return false };
    let again = MasterMessage::decode(&first.message.encode(&first.node_id), LIMITS);
    assert_same(&again, &Ok(first));
    true
}

/// Equal as text: a number that is none equals itself there.
fn assert_same<T: std::fmt::Debug>(again: &T, first: &T) {
    assert_eq!(format!("{again:?}"), format!("{first:?}"));
}
