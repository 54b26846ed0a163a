//! What a hostile input makes the decoders of Locust's wire allocate on the way, counted by the allocator.

use std::hint::black_box;

use sentinel_common::locust::{Limits as MessageLimits, MasterMessage, WorkerMessage};
use sentinel_common::zmtp::{Connection, Limits};
use sentinel_tests::locust::{Hostile, Seed};

/// How many inputs each decoder is given.
const INPUTS: u64 = 100_000;
/// What any input may cost at a time, in bytes, before its length counts: greetings, limits, texts of errors.
const BASE: u64 = 4 << 10;
/// What a byte of a stream may cost at a time: the body that grows, which may be twice as large as what it holds.
const PER_STREAM_BYTE: u64 = 4;
/// What a byte of a message may cost at a time, in bytes: it can be a value of its own, which takes 40 bytes as it is
/// decoded, as much again while its container grows, and as much once more where the message keeps it.
const PER_MESSAGE_BYTE: u64 = 160;

#[test]
fn a_hostile_stream_costs_no_more_than_its_bytes() {
    check("zmtp", 1, PER_STREAM_BYTE, |bytes| drain(Connection::router(Limits::default()), bytes));
    check("zmtp", 1, PER_STREAM_BYTE, |bytes| {
        drain(Connection::dealer(b"h_1", Limits::default()).expect("a short identity"), bytes);
    });
}

#[test]
fn a_hostile_message_costs_no_more_than_its_bytes() {
    check("locust_messages", 0, PER_MESSAGE_BYTE, |bytes| {
        drop(black_box(WorkerMessage::decode(bytes, MessageLimits::default())));
    });
    check("locust_messages", 0, PER_MESSAGE_BYTE, |bytes| {
        drop(black_box(MasterMessage::decode(bytes, MessageLimits::default())));
    });
}

#[test]
fn the_longest_message_of_the_smallest_values_costs_no_more_than_its_limit() {
    // Half a million values of one byte each, which is as many as there may be.
    let values = MessageLimits::default().values_max - 10;
    let len = u32::try_from(values).expect("the limit is smaller").to_be_bytes();
    let bytes = [b"\x93\xa1x\xdd".as_slice(), &len, &vec![0xc0; values], b"\xa3h_1"].concat();
    let peak = peak(|| drop(black_box(WorkerMessage::decode(&bytes, MessageLimits::default()))));
    assert!(peak > values as u64 * 40, "it was decoded: {peak} bytes");
    assert!(peak < values as u64 * PER_MESSAGE_BYTE, "{peak} bytes at a time");
}

fn check(corpus: &str, skip: usize, per_byte: u64, decode: impl Fn(&[u8])) {
    let hostile = Hostile::from_corpus(corpus, skip);
    let mut worst = 0;
    for number in 0..INPUTS {
        let _seed = Seed(number);
        let bytes = hostile.input(number);
        let peak = peak(|| decode(&bytes));
        let bound = BASE + per_byte * bytes.len() as u64;
        assert!(peak <= bound, "{peak} bytes at a time for {} bytes", bytes.len());
        worst = worst.max(peak);
    }
    println!("{corpus}: at most {worst} bytes at a time");
}

/// The most that this thread had allocated at a time, in bytes.
fn peak(work: impl FnOnce()) -> u64 {
    allocation_counter::measure(work).bytes_max
}

/// Takes everything in, and writes nothing.
fn drain(mut end: Connection, bytes: &[u8]) {
    let mut input = bytes;
    while let Ok(Some(event)) = end.handle_bytes(&mut input) {
        black_box(event);
    }
}
