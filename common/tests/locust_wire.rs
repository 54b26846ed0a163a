//! Real traffic between Locust processes, recorded segment by segment, through our codecs: everything that was said is
//! understood, and what we would say in the place of either side is the same to the byte.

use std::collections::BTreeMap;

use sentinel_common::locust::{self, ClientVersion, MasterMessage, Number, Value, WorkerMessage};
use sentinel_common::zmtp::{Connection, Event, Limits, SocketType};

const RUNS: [(&str, &str, &str); 2] = [
    ("run1", include_str!("fixtures/locust_wire/run1.hex"), include_str!("fixtures/locust_wire/run1.jsonl")),
    ("run5", include_str!("fixtures/locust_wire/run5.hex"), include_str!("fixtures/locust_wire/run5.jsonl")),
];
const TO_MASTER: &str = "w>m";
const TO_WORKER: &str = "m>w";
const AMPLE: locust::Limits = locust::Limits { depth_max: 8, values_max: 10_000 };

/// One direction of one connection.
struct Stream {
    name: String,
    to_master: bool,
    /// A boomer worker packs numbers and strings in another way than Python.
    from_python: bool,
    segments: Vec<Vec<u8>>,
    /// The decoded messages, as Python printed them.
    messages: Vec<String>,
    /// The identity in the READY that was sent in this direction.
    identity: Vec<u8>,
    /// The identity of the worker, whichever direction this is.
    worker: Vec<u8>,
}

#[test]
fn recorded_segments_are_understood() {
    check_all(|stream| stream.segments.clone());
}

#[test]
fn single_bytes_are_understood() {
    check_all(|stream| stream.bytes().chunks(1).map(<[u8]>::to_vec).collect());
}

#[test]
fn random_pieces_are_understood() {
    for seed in 1..=50_u64 {
        println!("seed {seed}");
        check_all(|stream| {
            let mut random = seed;
            let mut pieces = Vec::new();
            let mut rest = stream.bytes();
            while !rest.is_empty() {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let tail = rest.split_off(rest.len().min(1 + (random >> 40) as usize % 300));
                pieces.push(std::mem::replace(&mut rest, tail));
            }
            pieces
        });
    }
}

#[test]
fn a_whole_conversation_is_spoken_as_python_speaks_it() {
    let streams = streams();
    for stream in streams.iter().filter(|stream| stream.from_python) {
        let mut ours = stream.our_sender();
        let mut sent = ours.poll_transmit().expect("the greeting waits for nothing");
        // The other side of the same connection makes us open it.
        let is_other = |other: &&Stream| other.worker == stream.worker && other.to_master != stream.to_master;
        let other = streams.iter().find(is_other).expect("both directions are recorded");
        let opening = other.bytes();
        ours.handle_bytes(&mut opening.as_slice()).expect("a valid handshake").expect("the peer is ready");
        for body in stream.bodies() {
            ours.send(&spoken_again(&body, stream.to_master)).expect("the connection is open");
        }
        sent.extend(ours.poll_transmit().expect("READY and all messages"));
        assert!(sent == stream.bytes(), "{}: the bytes differ", stream.name);
    }
}

#[test]
fn boomers_dialect_is_understood() {
    let streams = streams();
    let boomer = streams.iter().find(|stream| !stream.from_python).expect("boomer is recorded");
    let messages: Vec<_> = boomer.bodies().iter().map(|body| from_worker(body)).collect();
    assert_eq!(messages[0], WorkerMessage::ClientReady(ClientVersion::Unchecked));
    let complete = messages.iter().find_map(|message| match message {
        WorkerMessage::SpawningComplete { user_count, .. } => Some(*user_count),
        _ => None,
    });
    assert_eq!(complete, Some(2));
    let first_report = messages.iter().find_map(|message| match message {
        WorkerMessage::Stats(report) => Some(report),
        _ => None,
    });
    let report = first_report.expect("boomer reports");
    assert_eq!(report.stats_total.name, "Total");
    assert_eq!(report.stats_total.num_requests, 19);
    assert_eq!(report.stats_total.response_times, [(Number::Int(150), 13), (Number::Int(100), 6)]);
    assert_eq!((report.errors[0].occurrences, report.errors[0].first_seen), (6, None));
    for message in messages {
        assert_eq!(from_worker(&message.encode("x_1")), message);
    }
}

#[test]
fn all_types_that_were_recorded_are_known() {
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for stream in streams() {
        for body in stream.bodies() {
            let kind = match stream.to_master {
                true => from_worker(&body).kind().to_owned(),
                false => from_master(&body).kind().to_owned(),
            };
            let direction = if stream.to_master { TO_MASTER } else { TO_WORKER };
            *kinds.entry(format!("{direction} {kind}")).or_default() += 1;
        }
    }
    let kinds: Vec<_> = kinds.into_keys().collect();
    let expected = [
        "m>w ack",
        "m>w heartbeat",
        "m>w locustfile",
        "m>w quit",
        "m>w spawn",
        "m>w spawning_complete",
        "m>w stop",
        "w>m client_ready",
        "w>m client_stopped",
        "w>m exception",
        "w>m heartbeat",
        "w>m locustfile",
        "w>m logs",
        "w>m quit",
        "w>m spawning",
        "w>m spawning_complete",
        "w>m stats",
    ];
    assert_eq!(kinds, expected);
}

/// Feeds every stream in the pieces that `cut` makes of it and compares what comes out with what was recorded.
fn check_all(cut: impl Fn(&Stream) -> Vec<Vec<u8>>) {
    for stream in streams() {
        let events = events(&mut stream.our_receiver(), &cut(&stream));
        let (first, rest) = events.split_first().expect("a handshake was recorded");
        let Event::Ready(peer) = first else { panic!("{}: {first:?} instead of the handshake", stream.name) };
        assert_eq!(peer.identity, stream.identity, "{}", stream.name);
        let expected = if stream.to_master { SocketType::Dealer } else { SocketType::Router };
        assert_eq!((peer.socket_type, peer.version.minor), (expected, 1), "{}", stream.name);
        let messages: Vec<_> = rest.iter().map(|event| python(&decoded(body(event)))).collect();
        assert_eq!(messages, stream.messages, "{}", stream.name);
    }
}

fn events(connection: &mut Connection, pieces: &[Vec<u8>]) -> Vec<Event> {
    let mut events = Vec::new();
    for piece in pieces {
        let mut input = piece.as_slice();
        while let Some(event) = connection.handle_bytes(&mut input).expect("recorded traffic is valid") {
            events.push(event);
        }
        assert!(input.is_empty());
    }
    events
}

fn body(event: &Event) -> &[u8] {
    match event {
        Event::Message(message) => &message.body,
        other => panic!("{other:?} instead of a message"),
    }
}

fn spoken_again(body: &[u8], to_master: bool) -> Vec<u8> {
    if to_master {
        let envelope = WorkerMessage::decode(body, AMPLE).expect("a recorded message");
        envelope.message.encode(&envelope.node_id)
    } else {
        let envelope = MasterMessage::decode(body, AMPLE).expect("a recorded message");
        envelope.message.encode(&envelope.node_id)
    }
}

fn from_worker(body: &[u8]) -> WorkerMessage {
    WorkerMessage::decode(body, AMPLE).expect("a recorded message").message
}

fn from_master(body: &[u8]) -> MasterMessage {
    MasterMessage::decode(body, AMPLE).expect("a recorded message").message
}

fn decoded(body: &[u8]) -> Value {
    rmpv::decode::read_value(&mut &body[..]).expect("recorded MessagePack")
}

impl Stream {
    fn bytes(&self) -> Vec<u8> {
        self.segments.concat()
    }

    fn bodies(&self) -> Vec<Vec<u8>> {
        let events = events(&mut self.our_receiver(), &self.segments);
        events[1..].iter().map(|event| body(event).to_vec()).collect()
    }

    fn our_receiver(&self) -> Connection {
        end(self.to_master, &self.worker)
    }

    fn our_sender(&self) -> Connection {
        end(!self.to_master, &self.worker)
    }
}

fn end(is_master: bool, worker: &[u8]) -> Connection {
    match is_master {
        true => Connection::router(Limits::default()),
        false => Connection::dealer(worker, Limits::default()).expect("a recorded identity is short"),
    }
}

fn streams() -> Vec<Stream> {
    RUNS.iter().flat_map(|(run, hex, jsonl)| streams_of(run, hex, jsonl)).collect()
}

fn streams_of(run: &str, hex: &str, jsonl: &str) -> Vec<Stream> {
    let mut streams: BTreeMap<(u64, bool), Stream> = BTreeMap::new();
    for line in hex.lines() {
        let [_, connection, direction, len, bytes] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("not a segment: {line}");
        };
        let number: u64 = connection[1..].parse().expect("a connection");
        let to_master = direction == TO_MASTER;
        let stream = streams.entry((number, to_master)).or_insert_with(|| Stream {
            name: format!("{run} {connection} {direction}"),
            to_master,
            from_python: !(run == "run5" && number == 1 && to_master),
            segments: Vec::new(),
            messages: Vec::new(),
            identity: Vec::new(),
            worker: Vec::new(),
        });
        let segment = from_hex(bytes);
        assert_eq!(format!("len={}", segment.len()), len);
        stream.segments.push(segment);
    }
    for line in jsonl.lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("a decoded line");
        let text = |field: &str| line[field].as_str().expect("a text");
        let key = (line["c"].as_u64().expect("a connection"), text("d") == TO_MASTER);
        match text("k") {
            "MSG" => streams.get_mut(&key).expect("a stream").messages.push(text("m").to_owned()),
            "COMMAND" if key.1 => {
                let ready = from_hex(text("m").split(' ').nth(2).expect("the bytes of the command"));
                let marker = b"Identity".as_slice();
                let at = ready.windows(8).position(|window| window == marker).expect("an identity");
                let identity = ready[at + 8 + 4..].to_vec();
                streams.get_mut(&(key.0, false)).expect("a stream").worker = identity.clone();
                let stream = streams.get_mut(&key).expect("a stream");
                stream.worker = identity.clone();
                stream.identity = identity;
            }
            _ => {}
        }
    }
    streams.into_values().collect()
}

fn from_hex(text: &str) -> Vec<u8> {
    let digits = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal digits");
    (0..text.len()).step_by(2).map(digits).collect()
}

/// The value as Python's `json` prints it, but with numbers as keys where they are numbers.
fn python(value: &Value) -> String {
    let joined = |parts: Vec<String>| parts.join(", ");
    match value {
        Value::Nil => "null".to_owned(),
        Value::Boolean(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::F64(value) => format!("{value:?}"),
        Value::String(value) => serde_json::to_string(value.as_str().expect("UTF-8")).expect("a string"),
        Value::Array(items) => format!("[{}]", joined(items.iter().map(python).collect())),
        Value::Map(pairs) => {
            let pairs = pairs.iter().map(|(key, value)| format!("{}: {}", python(key), python(value)));
            format!("{{{}}}", joined(pairs.collect()))
        }
        other => panic!("Locust does not send {other:?}"),
    }
}
