use super::*;

const LIMITS: Limits =
    Limits { frame_len_max: 1000, command_len_max: 100, frames_max: 3, unsent_len_max: 200 };

fn greeting(major: u8, minor: u8, mechanism: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, major, minor];
    bytes.extend_from_slice(mechanism);
    bytes.resize(64, 0);
    bytes
}

fn command(name: &str, data: &[u8]) -> Vec<u8> {
    let body = [&[name.len() as u8], name.as_bytes(), data].concat();
    [&[4, body.len() as u8], body.as_slice()].concat()
}

fn property(name: &str, value: &[u8]) -> Vec<u8> {
    [&[name.len() as u8], name.as_bytes(), &(value.len() as u32).to_be_bytes(), value].concat()
}

fn ready(properties: &[(&str, &[u8])]) -> Vec<u8> {
    let data: Vec<u8> = properties.iter().flat_map(|(name, value)| property(name, value)).collect();
    command("READY", &data)
}

fn dealer_ready() -> Vec<u8> {
    ready(&[("Socket-Type", b"DEALER"), ("Identity", b"h_1")])
}

/// What a well-behaved worker sends before its first message.
fn opening() -> Vec<u8> {
    [greeting(3, 1, b"NULL"), dealer_ready()].concat()
}

/// Feeds all of `bytes`, one by one, so that every test runs over every split.
fn feed(connection: &mut Connection, bytes: &[u8]) -> Result<Vec<Event>, ZmtpError> {
    let mut events = Vec::new();
    for byte in bytes {
        let mut input = std::slice::from_ref(byte);
        while let Some(event) = connection.handle_bytes(&mut input)? {
            events.push(event);
        }
    }
    Ok(events)
}

fn open_master() -> Connection {
    let mut master = Connection::router(LIMITS);
    feed(&mut master, &opening()).expect("a valid opening");
    master.poll_transmit();
    master
}

fn message(body: &[u8], dropped_frames: usize) -> Event {
    Event::Message(Message { body: body.to_vec(), dropped_frames })
}

#[test]
fn greeting_is_sent_before_anything_arrives() {
    let mut master = Connection::router(LIMITS);
    let sent = master.poll_transmit().expect("a greeting");
    let mut expected = greeting(3, 1, b"NULL");
    expected[8] = 1;
    assert_eq!(sent, expected);
    assert_eq!(master.poll_transmit(), None);
}

#[test]
fn ready_is_sent_as_soon_as_the_greeting_is_there() {
    let mut worker = Connection::dealer(b"h_1", LIMITS).expect("a short identity");
    assert_eq!(worker.poll_transmit().map(|bytes| bytes[8]), Some(4));
    assert_eq!(feed(&mut worker, &greeting(3, 0, b"NULL")), Ok(vec![]));
    assert_eq!(worker.poll_transmit(), Some(dealer_ready()));
}

#[test]
fn handshake_tells_who_the_peer_is() {
    let check = |greeting: Vec<u8>, ready: Vec<u8>, minor, identity: &[u8]| {
        let mut master = Connection::router(LIMITS);
        let events = feed(&mut master, &[greeting, ready].concat());
        let version = Version { major: 3, minor };
        let peer =
            Peer { version, socket_type: SocketType::Dealer, identity: identity.to_vec(), native: false };
        assert_eq!(events, Ok(vec![Event::Ready(peer)]));
    };
    check(greeting(3, 1, b"NULL"), dealer_ready(), 1, b"h_1");
    check(greeting(3, 0, b"NULL"), dealer_ready(), 0, b"h_1");
    check(greeting(3, 7, b"NULL"), dealer_ready(), 7, b"h_1");
    check(greeting(3, 1, b"NULL"), ready(&[("socket-type", b"DEALER"), ("IDENTITY", b"go")]), 1, b"go");
    check(greeting(3, 1, b"NULL"), ready(&[("Socket-Type", b"DEALER")]), 1, b"");
    check(
        greeting(3, 1, b"NULL"),
        ready(&[("X-Other", b"1"), ("Identity", b"a"), ("Socket-Type", b"DEALER")]),
        1,
        b"a",
    );
}

#[test]
fn wrong_handshakes_are_refused() {
    let check = |bytes: Vec<u8>, expected: ZmtpError| {
        let mut master = Connection::router(Limits { command_len_max: 1000, ..LIMITS });
        assert_eq!(feed(&mut master, &bytes), Err(expected.clone()));
        // It stays refused.
        assert_eq!(feed(&mut master, &opening()), Err(expected));
    };
    let greeted = |rest: Vec<u8>| [greeting(3, 1, b"NULL"), rest].concat();
    let malformed = |problem| ZmtpError::MalformedCommand { command: "READY", problem };
    let incompatible = |found: &str| ZmtpError::IncompatibleSocket {
        ours: SocketType::Router,
        expected: SocketType::Dealer,
        found: found.to_owned(),
    };
    check(b"GET / HTTP/1.1".to_vec(), ZmtpError::NotZmtp { at: 0, expected: 0xff, found: b'G' });
    check(vec![0xff; 10], ZmtpError::NotZmtp { at: 9, expected: 0x7f, found: 0xff });
    check(greeting(1, 0, b"")[..11].to_vec(), ZmtpError::UnsupportedVersion { major: 1 });
    check(greeting(4, 0, b"NULL"), ZmtpError::UnsupportedVersion { major: 4 });
    check(greeting(3, 1, b"CURVE"), ZmtpError::UnsupportedMechanism { mechanism: "CURVE".to_owned() });
    check(greeting(3, 1, b"NULLS"), ZmtpError::UnsupportedMechanism { mechanism: "NULLS".to_owned() });
    check(greeted(vec![0, 1, b'x']), ZmtpError::MessageBeforeReady);
    check(
        greeted(command("PING", &[0, 0])),
        ZmtpError::UnexpectedCommand { command: "PING", when: "before its READY" },
    );
    check(greeted(ready(&[("Identity", b"a")])), malformed("it names no Socket-Type"));
    check(greeted(command("READY", b"\x0bSocket")), malformed("it ends within a property"));
    check(greeted(command("READY", b"\x01a\xff\xff\xff\xff")), malformed("it ends within a property"));
    check(greeted(ready(&[("Socket-Type", b"PUB")])), incompatible("PUB"));
    check(greeted(ready(&[("Socket-Type", b"ROUTER")])), incompatible("ROUTER"));
    let long = ready(&[("Identity", &[b'a'; 200])]);
    let long =
        [b"\x06\0\0\0\0\0\0\x01\x0f".to_vec(), long[2..8].to_vec(), property("Identity", &[b'a'; 256])];
    let mut long = long.concat();
    let body_len = long.len() - 9;
    long[1..9].copy_from_slice(&(body_len as u64).to_be_bytes());
    check(greeted(long), ZmtpError::IdentityTooLong { len: 256 });
}

#[test]
fn a_stranger_may_say_less() {
    let mut master = Connection::router(LIMITS);
    master.limit_incoming(10);
    feed(&mut master, &opening()).unwrap();
    let check = |master: &mut Connection, len: u8, accepted: bool| {
        let frame = [vec![0, len], vec![b'x'; usize::from(len)]].concat();
        assert_eq!(feed(master, &frame).is_ok(), accepted, "{len} bytes");
    };
    check(&mut master, 10, true);
    master.limit_incoming(usize::MAX);
    check(&mut master, 11, true);
    master.limit_incoming(10);
    check(&mut master, 11, false);
}

#[test]
fn a_master_beside_grpc_says_so() {
    let check = |mut master: Connection, expected| {
        let mut worker = Connection::dealer(b"h1_a", LIMITS).unwrap();
        feed(&mut master, &worker.poll_transmit().unwrap()).unwrap();
        let events = feed(&mut worker, &master.poll_transmit().unwrap()).unwrap();
        assert!(matches!(&events[..], [Event::Ready(peer)] if peer.native == expected), "{events:?}");
    };
    check(Connection::router(LIMITS), false);
    check(Connection::router(LIMITS).beside_grpc(), true);
}

#[test]
fn messages_come_out_as_they_went_in() {
    let check = |bytes: &[u8], expected: &[Event]| {
        assert_eq!(feed(&mut open_master(), bytes).as_deref(), Ok(expected));
    };
    check(b"\0\x02hi", &[message(b"hi", 0)]);
    check(b"\0\0", &[message(b"", 0)]);
    check(b"\x02\0\0\0\0\0\0\0\x02hi", &[message(b"hi", 0)]);
    check(b"\0\x01a\0\x01b", &[message(b"a", 0), message(b"b", 0)]);
    check(b"\x01\x01a\x01\x01b\0\x01c", &[message(b"a", 2)]);
    check(b"\x01\0\0\x01b", &[message(b"", 1)]);
    check(b"\x01\x01a\x04\x07\x04PING\0\0\0\x01b", &[Event::Ping, message(b"a", 1)]);
}

#[test]
fn violations_end_the_connection() {
    let check = |bytes: &[u8], expected: ZmtpError| {
        let mut master = open_master();
        assert_eq!(feed(&mut master, bytes), Err(expected.clone()));
        assert_eq!(feed(&mut master, b"\0\x02hi"), Err(expected));
        assert_eq!(master.send(b"x"), Err(SendError::NotOpen));
    };
    let too_long = |what, claimed, limit| ZmtpError::FrameTooLong { what, claimed, limit };
    let malformed = |command, problem| ZmtpError::MalformedCommand { command, problem };
    for flags in [0x05, 0x07, 0x08, 0x80, 0xff] {
        check(&[flags], ZmtpError::UndefinedFlags { flags });
    }
    check(b"\x02\0\0\0\0\0\0\x03\xe9", too_long("message frame", 1001, 1000));
    check(b"\x02\xff\xff\xff\xff\xff\xff\xff\xff", too_long("message frame", u64::MAX, 1000));
    check(b"\x01\x01a\x02\0\0\0\x01\0\0\0\0", too_long("message frame", 1 << 32, 1000));
    check(b"\x04\x65", too_long("command", 101, 100));
    check(b"\x06\x7f\0\0\0\0\0\0\0", too_long("command", 0x7f << 56, 100));
    check(b"\x01\0\x01\0\x01\0", ZmtpError::TooManyFrames { limit: 3 });
    check(&dealer_ready(), ZmtpError::UnexpectedCommand { command: "READY", when: "twice" });
    check(b"\x04\0", malformed("unnamed", "it ends within its name"));
    check(b"\x04\x03\x05PI", malformed("unnamed", "it ends within its name"));
    check(&command("PING", b"\0"), malformed("PING", "it ends within its time to live"));
    check(&command("PING", &[0; 19]), malformed("PING", "its context is longer than 16 bytes"));
    check(&command("ERROR", b"\x05no"), malformed("ERROR", "it ends within its reason"));
    check(&command("ERROR", b"\x02no"), ZmtpError::Refused { reason: "no".to_owned() });
}

#[test]
fn pings_are_answered_with_their_context() {
    let check = |context: &[u8]| {
        let mut master = open_master();
        let ping = command("PING", &[&[0, 10], context].concat());
        assert_eq!(feed(&mut master, &ping), Ok(vec![Event::Ping]));
        assert_eq!(master.poll_transmit(), Some(command("PONG", context)));
    };
    check(b"");
    check(b"abc");
    check(&[7; 16]);
}

#[test]
fn own_pings_and_unknown_commands_pass() {
    let mut master = open_master();
    assert_eq!(master.ping(), Ok(()));
    assert_eq!(master.poll_transmit(), Some(command("PING", &[0, 0])));
    let answer = [command("SUBSCRIBE", b"x"), command("PONG", b"")].concat();
    assert_eq!(feed(&mut master, &answer), Ok(vec![Event::Pong]));
}

#[test]
fn frames_are_as_short_as_they_can_be() {
    let check = |len: usize, header: &[u8]| {
        let mut master = open_master();
        let body = vec![b'x'; len];
        assert_eq!(master.send(&body), Ok(()));
        assert_eq!(master.poll_transmit(), Some([header, &body].concat()));
    };
    check(0, b"\0\0");
    check(255, b"\0\xff");
    check(256, b"\x02\0\0\0\0\0\0\x01\0");
    check(1000, b"\x02\0\0\0\0\0\0\x03\xe8");
}

#[test]
fn sends_that_cannot_work_change_nothing() {
    let mut early = Connection::router(LIMITS);
    assert_eq!(early.send(b"x"), Err(SendError::NotOpen));
    assert_eq!(early.poll_transmit().map(|bytes| bytes.len()), Some(64));

    let mut master = open_master();
    assert_eq!(master.send(&[0; 1001]), Err(SendError::TooLong { len: 1001, limit: 1000 }));
    assert_eq!(master.poll_transmit(), None);
    master.send(&[0; 900]).expect("nothing waits yet");
    let backlog = SendError::Backlog { unsent: 909, limit: 200 };
    assert_eq!((master.send(b"x"), master.ping()), (Err(backlog.clone()), Err(backlog)));
    assert_eq!(master.poll_transmit().map(|bytes| bytes.len()), Some(909));
    assert_eq!(master.send(b"x"), Ok(()));
}

#[test]
fn peer_that_asks_without_reading_is_cut_off() {
    let mut master = open_master();
    let pings = command("PING", &[0; 18]).repeat(100);
    let error = feed(&mut master, &pings).expect_err("it never reads");
    assert!(matches!(error, ZmtpError::NotReading { unsent: 201..250, limit: 200 }), "{error}");
}

#[test]
fn refusal_tells_the_peer_why() {
    let mut master = open_master();
    master.refuse(&"é".repeat(200));
    let sent = master.poll_transmit().expect("an ERROR command");
    let mut worker = Connection::dealer(b"h_1", Limits::default()).expect("a short identity");
    feed(&mut worker, &greeting(3, 1, b"NULL")).expect("a valid greeting");
    assert_eq!(feed(&mut worker, &sent), Err(ZmtpError::Refused { reason: "é".repeat(127) }));
    assert_eq!(feed(&mut master, b"\0\0"), Err(ZmtpError::Dismissed));

    // Before the peer has greeted it could not read an ERROR.
    let mut master = Connection::router(LIMITS);
    master.refuse("no");
    assert_eq!(master.poll_transmit().map(|bytes| bytes.len()), Some(64));
}

#[test]
fn memory_follows_what_arrived_and_not_what_was_announced() {
    let mut master = Connection::router(Limits { unsent_len_max: 100, ..Limits::default() });
    feed(&mut master, &opening()).expect("a valid opening");
    master.poll_transmit();
    feed(&mut master, b"\x02\0\0\0\0\x01\0\0\0").expect("16 MiB are allowed");
    assert_eq!(master.memory(), 0);
    feed(&mut master, &[0; 1000]).expect("a part of the body");
    assert!((1000..=2048).contains(&master.memory()), "{}", master.memory());

    // Frames that nobody will see take no memory at all.
    let mut master = Connection::router(Limits::default());
    feed(&mut master, &opening()).expect("a valid opening");
    master.poll_transmit();
    feed(&mut master, b"\x01\0\x02\0\0\0\0\x01\0\0\0").expect("16 MiB are allowed");
    feed(&mut master, &[0; 10_000]).expect("a part of the body");
    assert_eq!(master.memory(), 0);
}

#[test]
fn identity_is_at_most_255_bytes() {
    assert!(Connection::dealer(&[b'a'; 255], LIMITS).is_some());
    assert!(Connection::dealer(&[b'a'; 256], LIMITS).is_none());
}
