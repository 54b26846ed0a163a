//! A hundred thousand random, cut and changed inputs to each decoder of Locust's wire: none makes it panic, none makes it
//! keep memory that was not paid for in bytes, and whatever we can say comes back as it was said.
//!
//! What they allocate on the way is measured where there is an allocator that counts: in the tests of whole clusters.

use proptest::collection::vec;
use proptest::prelude::*;
use sentinel_common::locust::{
    self, ClientVersion, Counts, ErrorEntry, Heartbeat, LocustfileReply, LocustfileSource, MasterMessage,
    Number, Spawn, StatsEntry, StatsReport, UserClassUpdate, Value, WorkerMessage, WorkerState,
};
use sentinel_common::zmtp::{Connection, Event, Limits};

use self::hostile::{Dice, Hostile, Seed};

mod hostile;
#[path = "../../fuzz/properties/locust_messages.rs"]
mod message_property;
#[path = "../../fuzz/properties/zmtp.rs"]
mod stream_property;

/// How many inputs each decoder has to survive.
const INPUTS: u64 = 100_000;

#[test]
fn a_master_survives_hostile_streams() {
    let opening = opening_of_worker("h_1");
    for_each_stream(&opening, stream_property::holds_for_master);
}

#[test]
fn a_worker_survives_hostile_streams() {
    let opening = opening_of_master();
    for_each_stream(&opening, stream_property::holds_for_worker);
}

#[test]
fn hostile_messages_of_workers_are_survived() {
    for_each_message(message_property::holds_for_worker);
}

#[test]
fn hostile_messages_of_masters_are_survived() {
    for_each_message(message_property::holds_for_master);
}

/// Every other input comes after a handshake that is beyond reproach.
fn for_each_stream(opening: &[u8], holds: fn(&[u8], usize)) {
    let hostile = Hostile::from_corpus("zmtp", 1);
    let bodies = Hostile::from_corpus("locust_messages", 0);
    for number in 0..INPUTS {
        let _seed = Seed(number);
        let size = 1 + Dice::new(!number).below(200);
        let input = match number % 4 {
            0 | 2 => hostile.input(number),
            1 => [opening, &hostile.input(number)].concat(),
            _ => [opening, &framed(&bodies.input(number)), &hostile.input(number)].concat(),
        };
        holds(&input, size);
    }
}

fn for_each_message(holds: fn(&[u8]) -> bool) {
    let hostile = Hostile::from_corpus("locust_messages", 0);
    let survived = |number: &u64| {
        let _seed = Seed(*number);
        holds(&hostile.input(*number))
    };
    let accepted = (0..INPUTS).filter(survived).count() as u64;
    // Inputs that are all refused at once would prove little.
    assert!((INPUTS / 100..INPUTS / 2).contains(&accepted), "{accepted} of {INPUTS} were accepted");
}

/// A message frame in the short form, with as much of the body as fits.
fn framed(body: &[u8]) -> Vec<u8> {
    let body = &body[..body.len().min(255)];
    [&[0, body.len() as u8], body].concat()
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(5_000))]

    #[test]
    fn changed_streams_are_survived(
        bodies in vec(vec(any::<u8>(), 0..300), 0..5),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        len in any::<prop::sample::Index>(),
        size in any::<u8>(),
    ) {
        let mut bytes = conversation(&bodies);
        change(&mut bytes, &changes);
        bytes.truncate(len.index(bytes.len()) + 1);
        stream_property::holds(&[&[size], bytes.as_slice()].concat());
    }

    #[test]
    fn changed_messages_of_workers_are_survived(
        message in worker_message(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        len in any::<prop::sample::Index>(),
    ) {
        let mut bytes = message.encode("h_1");
        change(&mut bytes, &changes);
        message_property::holds(&bytes);
        bytes.truncate(len.index(bytes.len()));
        message_property::holds(&bytes);
    }

    #[test]
    fn changed_messages_of_masters_are_survived(
        message in master_message(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
    ) {
        let mut bytes = message.encode("h_1");
        change(&mut bytes, &changes);
        message_property::holds(&bytes);
    }
}

proptest! {
    #![proptest_config(cases(10_000))]

    #[test]
    fn worker_messages_return_as_they_were(message in worker_message(), node_id in "\\PC{0,60}") {
        let decoded = WorkerMessage::decode(&message.encode(&node_id), locust::Limits::default());
        let decoded = decoded.map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!((decoded.message, decoded.node_id), (message, node_id));
    }

    #[test]
    fn master_messages_return_as_they_were(message in master_message(), node_id in "\\PC{0,60}") {
        let decoded = MasterMessage::decode(&message.encode(&node_id), locust::Limits::default());
        let decoded = decoded.map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!((decoded.message, decoded.node_id), (message, node_id));
    }

    #[test]
    fn bodies_arrive_whole_however_the_stream_is_cut(
        bodies in vec(vec(any::<u8>(), 0..600), 0..6),
        pieces in vec(1..700_usize, 1..20),
    ) {
        let conversation = conversation(&bodies);
        let (events, error) = stream_property::feed(Connection::router(Limits::default()), &cut(&conversation, &pieces));
        prop_assert_eq!(error, None);
        let arrived: Vec<_> = events.into_iter().skip(1).filter_map(|event| match event {
            Event::Message(message) => Some(message.body),
            _ => None,
        }).collect();
        prop_assert_eq!(arrived, bodies);
    }
}

fn change(bytes: &mut [u8], changes: &[(prop::sample::Index, u8)]) {
    for (at, byte) in changes {
        let at = at.index(bytes.len());
        bytes[at] = *byte;
    }
}

/// The bytes in pieces of these sizes, over and over.
fn cut<'a>(mut bytes: &'a [u8], sizes: &[usize]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    let mut sizes = sizes.iter().cycle();
    while let (false, Some(size)) = (bytes.is_empty(), sizes.next()) {
        let (piece, rest) = bytes.split_at((*size).min(bytes.len()));
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}

fn opening_of_worker(identity: &str) -> Vec<u8> {
    conversation_of(identity, &[])
}

fn opening_of_master() -> Vec<u8> {
    let mut master = Connection::router(Limits::default());
    let mut worker = Connection::dealer(b"h_1", Limits::default()).expect("a short identity");
    let sent = worker.poll_transmit().expect("a greeting");
    master.handle_bytes(&mut sent.as_slice()).expect("a valid greeting");
    master.poll_transmit().expect("a greeting and READY")
}

fn conversation(bodies: &[Vec<u8>]) -> Vec<u8> {
    conversation_of("h_1", bodies)
}

/// What a worker sends that joins and says this, with a PING before each message.
fn conversation_of(identity: &str, bodies: &[Vec<u8>]) -> Vec<u8> {
    let mut master = Connection::router(Limits::default());
    let mut worker = Connection::dealer(identity.as_bytes(), Limits::default()).expect("a short identity");
    let mut sent = worker.poll_transmit().expect("a greeting");
    master.handle_bytes(&mut sent.as_slice()).expect("a valid greeting");
    let reply = master.poll_transmit().expect("a greeting and READY");
    worker.handle_bytes(&mut reply.as_slice()).expect("a valid handshake");
    for body in bodies {
        worker.ping().expect("the connection is open");
        worker.send(body).expect("the connection is open");
    }
    sent.extend(worker.poll_transmit().expect("READY at least"));
    sent
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Nil),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        finite().prop_map(Value::from),
        "\\PC{0,40}".prop_map(Value::from),
        vec(any::<u8>(), 0..300).prop_map(Value::from),
        (any::<i8>(), vec(any::<u8>(), 0..20)).prop_map(|(kind, data)| Value::Ext(kind, data)),
    ];
    leaf.prop_recursive(3, 20, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..20).prop_map(Value::Array),
            vec((inner.clone(), inner), 0..20).prop_map(Value::Map),
        ]
    })
}

fn finite() -> impl Strategy<Value = f64> {
    prop::num::f64::NORMAL | prop::num::f64::ZERO | prop::num::f64::SUBNORMAL
}

fn number() -> impl Strategy<Value = Number> {
    prop_oneof![any::<i64>().prop_map(Number::from), finite().prop_map(Number::from)]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["\\PC{0,10}", "[a-z]{30,34}", "[a-z]{254,258}"]
}

fn counts() -> impl Strategy<Value = Counts> {
    vec((text(), any::<u64>()), 0..4)
}

/// Names that are not those of fields or types that Locust knows.
fn free_values() -> impl Strategy<Value = Vec<(String, Value)>> {
    vec(("x_[a-z]{0,5}", value()), 0..3)
}

fn custom() -> impl Strategy<Value = (String, Value)> {
    ("x_[a-z]{0,5}", value())
}

prop_compose! {
    fn stats_entry()(
        (name, method) in (text(), text()),
        (last_request_timestamp, min_response_time) in (of(number()), of(number())),
        (start_time, total_response_time, max_response_time) in (number(), number(), number()),
        total_content_length in number(),
        (num_requests, num_none_requests, num_failures) in any::<(u64, u64, u64)>(),
        response_times in vec((number(), any::<u64>()), 0..20),
        num_reqs_per_sec in vec(any::<(i64, u64)>(), 0..4),
        num_fail_per_sec in vec(any::<(i64, u64)>(), 0..4),
    ) -> StatsEntry {
        StatsEntry {
            name, method, last_request_timestamp, start_time, num_requests, num_none_requests, num_failures,
            total_response_time, max_response_time, min_response_time, total_content_length, response_times,
            num_reqs_per_sec, num_fail_per_sec,
        }
    }
}

prop_compose! {
    fn error_entry()(
        (key, name, method, error) in (text(), text(), text(), text()),
        occurrences in any::<u64>(),
        (first_seen, last_seen) in (of(number()), of(number())),
    ) -> ErrorEntry {
        ErrorEntry { key, name, method, error, occurrences, first_seen, last_seen }
    }
}

prop_compose! {
    fn report()(
        stats in vec(stats_entry(), 0..3),
        stats_total in stats_entry(),
        errors in vec(error_entry(), 0..3),
        user_classes_count in counts(),
        user_count in any::<u64>(),
        extra in free_values(),
    ) -> StatsReport {
        StatsReport { stats, stats_total, errors, user_classes_count, user_count, extra }
    }
}

fn of<T: std::fmt::Debug>(inner: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
    prop::option::of(inner)
}

fn worker_message() -> impl Strategy<Value = WorkerMessage> {
    let state = prop::sample::select(WorkerState::ALL.to_vec());
    let heartbeat = (state, finite(), of(any::<u64>()));
    prop_oneof![
        Just(WorkerMessage::ClientReady(ClientVersion::Unchecked)),
        "\\PC{1,20}".prop_map(|version| WorkerMessage::ClientReady(ClientVersion::Release(version))),
        heartbeat.prop_map(|(state, current_cpu_usage, current_memory_usage)| {
            WorkerMessage::Heartbeat(Heartbeat { state, current_cpu_usage, current_memory_usage })
        }),
        report().prop_map(|report| WorkerMessage::Stats(Box::new(report))),
        Just(WorkerMessage::Spawning),
        (counts(), any::<u64>()).prop_map(|(user_classes_count, user_count)| {
            WorkerMessage::SpawningComplete { user_classes_count, user_count }
        }),
        Just(WorkerMessage::ClientStopped),
        Just(WorkerMessage::Quit),
        (text(), text()).prop_map(|(msg, traceback)| WorkerMessage::Exception { msg, traceback }),
        (text(), vec(text(), 0..20)).prop_map(|(worker_id, logs)| WorkerMessage::Logs { worker_id, logs }),
        text().prop_map(|version| WorkerMessage::LocustfileRequest { version }),
        custom().prop_map(|(kind, data)| WorkerMessage::Custom { kind, data }),
    ]
}

fn master_message() -> impl Strategy<Value = MasterMessage> {
    let spawn = (finite(), counts(), of(text()), of(finite()), free_values());
    let file = (text(), text());
    let source = prop_oneof![
        file.prop_map(|(filename, contents)| LocustfileSource::File { filename, contents }),
        text().prop_map(LocustfileSource::Url),
    ];
    let reply = prop_oneof![
        vec(source, 0..3).prop_map(LocustfileReply::Sources),
        text().prop_map(LocustfileReply::Error),
    ];
    prop_oneof![
        of(any::<u64>()).prop_map(|index| MasterMessage::Ack { index }),
        spawn.prop_map(|(timestamp, user_classes_count, host, stop_timeout, parsed_options)| {
            MasterMessage::Spawn(Box::new(Spawn {
                timestamp,
                user_classes_count,
                host,
                stop_timeout,
                parsed_options,
            }))
        }),
        Just(MasterMessage::Heartbeat),
        any::<u64>().prop_map(|user_count| MasterMessage::SpawningComplete { user_count }),
        Just(MasterMessage::Stop),
        Just(MasterMessage::Quit),
        Just(MasterMessage::Reconnect),
        (text(), free_values(), of(vec(text(), 0..3))).prop_map(|(user_class_name, attributes, tasks)| {
            MasterMessage::UpdateUserClass(UserClassUpdate { user_class_name, attributes, tasks })
        }),
        reply.prop_map(MasterMessage::Locustfile),
        custom().prop_map(|(kind, data)| MasterMessage::Custom { kind, data }),
    ]
}
