//! What must hold for any bytes at either end of a stream: they end in events or in an error that stays, memory follows
//! the bytes that came, and it makes no difference in which pieces they came.
//!
//! The fuzz target and the tests of `common` include this file.

use sentinel_common::zmtp::{Connection, Event, Limits, ZmtpError};

/// Far below the real ones, so that short inputs reach them.
const LIMITS: Limits =
    Limits { frame_len_max: 4096, command_len_max: 512, frames_max: 4, unsent_len_max: 1024 };

/// What our side writes by itself while nobody reads: greeting, READY, and one answer beyond the limit.
const OURS: usize = 2 * (LIMITS.unsent_len_max + 512);

/// What became of a stream.
pub type Outcome = (Vec<Event>, Option<ZmtpError>);

/// The first byte says how the others are cut.
///
/// # Panics
/// The property does not hold.
pub fn holds(bytes: &[u8]) {
    let Some((&size, bytes)) = bytes.split_first() else { return };
    let size = usize::from(size).max(1);
    holds_for_master(bytes, size);
    holds_for_worker(bytes, size);
}

/// As [`holds`], for the master's end and pieces of `size` bytes.
pub fn holds_for_master(bytes: &[u8], size: usize) {
    holds_for(|| Connection::router(LIMITS), bytes, size);
}

/// As [`holds`], for the worker's end and pieces of `size` bytes.
pub fn holds_for_worker(bytes: &[u8], size: usize) {
    holds_for(|| Connection::dealer(b"host_1", LIMITS).expect("a short identity"), bytes, size);
}

fn holds_for(end: impl Fn() -> Connection, bytes: &[u8], size: usize) {
    let whole = feed(end(), &[bytes]);
    let pieces: Vec<&[u8]> = bytes.chunks(size).collect();
    assert_eq!(feed(end(), &pieces), whole, "in pieces of {size} bytes");
}

/// What one end makes of these pieces while its peer reads what it answers.
///
/// # Panics
/// It keeps memory that was not paid for in bytes, or forgets that it has failed.
pub fn feed(mut end: Connection, pieces: &[&[u8]]) -> Outcome {
    let mut events = Vec::new();
    let mut fed = 0;
    for piece in pieces {
        let mut input = *piece;
        fed += input.len();
        loop {
            match end.handle_bytes(&mut input) {
                Ok(Some(event)) => {
                    assert_bounded(&event, fed);
                    events.push(event);
                }
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(end.handle_bytes(&mut &b"\0\0"[..]), Err(error.clone()));
                    return (events, Some(error));
                }
            }
            end.poll_transmit();
        }
        assert!(input.is_empty(), "all of it was taken");
        // A vector may reserve twice what it holds.
        let memory = end.memory();
        assert!(memory <= 2 * fed.min(LIMITS.frame_len_max) + OURS, "{memory} bytes for {fed}");
        end.poll_transmit();
    }
    (events, None)
}

fn assert_bounded(event: &Event, fed: usize) {
    if let Event::Message(message) = event {
        assert!(message.body.len() <= LIMITS.frame_len_max.min(fed));
        assert!(message.dropped_frames < LIMITS.frames_max);
    }
}
