use super::*;

/// A worker's message with this data.
fn packed(kind: &str, data: Value) -> Vec<u8> {
    pack(&Value::Array(vec![kind.into(), data, "h_1".into()]))
}

fn pack(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, value).expect("writing to memory does not fail");
    bytes
}

fn map(pairs: &[(&str, Value)]) -> Value {
    Value::Map(pairs.iter().map(|(key, value)| ((*key).into(), value.clone())).collect())
}

fn from_worker(kind: &str, data: Value) -> Result<WorkerMessage, DecodeError> {
    WorkerMessage::decode(&packed(kind, data), Limits::default()).map(|envelope| envelope.message)
}

fn from_master(kind: &str, data: Value) -> Result<MasterMessage, DecodeError> {
    MasterMessage::decode(&packed(kind, data), Limits::default()).map(|envelope| envelope.message)
}

fn entry() -> Vec<(&'static str, Value)> {
    vec![
        ("name", "/".into()),
        ("method", "GET".into()),
        ("last_request_timestamp", Value::Nil),
        ("start_time", 12.5.into()),
        ("num_requests", 0.into()),
        ("num_none_requests", 0.into()),
        ("num_failures", 0.into()),
        ("total_response_time", 0.into()),
        ("max_response_time", 0.into()),
        ("min_response_time", Value::Nil),
        ("total_content_length", 0.into()),
        ("response_times", map(&[])),
        ("num_reqs_per_sec", map(&[])),
        ("num_fail_per_sec", map(&[])),
    ]
}

/// A report of which one field of its only entry is something else.
fn report_with(field: &str, value: Value) -> Value {
    let mut changed = entry();
    changed.retain(|(name, _)| *name != field);
    changed.push(("listeners may add", true.into()));
    let changed = [map(&changed), Value::Map(vec![(field.into(), value)])];
    let [Value::Map(mut pairs), Value::Map(more)] = changed else { unreachable!("both are maps") };
    pairs.extend(more);
    map(&[
        ("stats", Value::Array(vec![map(&entry()), Value::Map(pairs)])),
        ("stats_total", map(&entry())),
        ("errors", map(&[])),
        ("user_classes_count", map(&[("UserA", 2.into())])),
        ("user_count", 2.into()),
        ("my_key", map(&[("__datetime__", true.into()), ("as_str", "20261123T12:00:00.000000".into())])),
    ])
}

fn entry_with(field: &str, value: Value) -> StatsEntry {
    match from_worker("stats", report_with(field, value)) {
        Ok(WorkerMessage::Stats(report)) => report.stats[1].clone(),
        other => panic!("{other:?} instead of a report"),
    }
}

#[test]
fn envelope_carries_type_data_and_node_id() {
    let bytes = b"\x93\xa4quit\xc0\xa3h_1";
    let envelope = WorkerMessage::decode(bytes, Limits::default());
    assert_eq!(envelope, Ok(Envelope { message: WorkerMessage::Quit, node_id: "h_1".to_owned() }));
    assert_eq!(WorkerMessage::Quit.encode("h_1"), bytes);
}

#[test]
fn broken_bytes_are_told_apart() {
    let check = |bytes: &[u8], expected: DecodeError| {
        assert_eq!(WorkerMessage::decode(bytes, Limits::default()), Err(expected.clone()));
        assert_eq!(MasterMessage::decode(bytes, Limits::default()), Err(expected));
    };
    let shape = |part, found: &str| DecodeError::NotAnEnvelope { part, found: found.to_owned() };
    check(b"", DecodeError::Truncated { at: 0 });
    check(b"\x93\xa4qu", DecodeError::Truncated { at: 1 });
    check(b"\x93\xa4quit\xc0", DecodeError::Truncated { at: 7 });
    check(b"\x93\xa4quit\xcb\0", DecodeError::Truncated { at: 6 });
    check(b"\x93\xa4quit\xc6\xff\xff\xff\xff", DecodeError::Truncated { at: 6 });
    check(b"\x93\xa4quit\xdd\0\x07\0\0", DecodeError::Truncated { at: 11 });
    check(b"\x93\xa4quit\xc1\xa3h_1", DecodeError::ReservedByte { at: 6 });
    check(b"\x93\xa4quit\xc0\xa3h_1xy", DecodeError::TrailingBytes { at: 11, count: 2 });
    check(b"\x93\xa4qui\xff\xc0\xa3h_1", DecodeError::InvalidText { at: 1 });
    check(b"\x05", shape("outermost value", "a whole number"));
    check(b"\x80", shape("outermost value", "a map"));
    check(b"\x92\xa4quit\xc0", shape("length", "2"));
    check(b"\x94\xa4quit\xc0\xc0\xc0", shape("length", "4"));
    check(b"\x93\xc0\xc0\xa3h_1", shape("type", "nil"));
    check(b"\x93\xa4quit\xc0\x01", shape("node id", "a whole number"));
    let long = "x".repeat(256);
    check(&WorkerMessage::Quit.encode(&long), shape("node id", "longer than 255 bytes"));
    let custom = WorkerMessage::Custom { kind: long, data: Value::Nil };
    check(&custom.encode("h_1"), shape("type", "longer than 255 bytes"));
}

#[test]
fn reconnect_is_asked_for_where_locust_asks_for_it() {
    let check = |bytes: &[u8], expected: bool| {
        let error = WorkerMessage::decode(bytes, Limits::default()).expect_err("broken");
        assert_eq!(error.asks_for_reconnect(), expected, "{error}");
    };
    check(b"\x93\xa4quit\xc0\xa3h_1x", true);
    check(b"\x93\xa4qui\xff\xc0\xa3h_1", true);
    check(b"\x93\xa4quit\xc0", false);
    check(b"\x05", false);
}

#[test]
fn depth_and_number_of_values_are_bounded() {
    let limits = Limits { depth_max: 4, values_max: 10 };
    let check = |data: &[u8], expected: Option<DecodeError>| {
        let bytes = [b"\x93\xa1x".as_slice(), data, b"\xa3h_1"].concat();
        assert_eq!(WorkerMessage::decode(&bytes, limits).err(), expected);
    };
    check(b"\x91\x91\x91\xc0", None);
    check(b"\x81\xc0\x81\x91\xc0\xc0", None);
    check(b"\x91\x91\x91\x91\xc0", Some(DecodeError::TooDeep { limit: 4 }));
    check(b"\x96\xc0\xc0\xc0\xc0\xc0\xc0", None);
    check(b"\x97\xc0\xc0\xc0\xc0\xc0\xc0\xc0", Some(DecodeError::TooManyValues { limit: 10 }));
    // A claim is refused before anything is there to support it.
    check(b"\xdd\xff\xff\xff\xff", Some(DecodeError::TooManyValues { limit: 10 }));
    check(b"\xdf\xff\xff\xff\xff", Some(DecodeError::TooManyValues { limit: 10 }));

    let nested = [b"\x93\xa1x".to_vec(), vec![0x91; 1 << 20], b"\xc0\xa3h_1".to_vec()].concat();
    let error = WorkerMessage::decode(&nested, Limits::default());
    assert_eq!(error.err(), Some(DecodeError::TooDeep { limit: 32 }));
}

#[test]
fn every_form_of_msgpack_is_understood() {
    let check = |data: &[u8], expected: Value| {
        let bytes = [b"\x93\xa1x".as_slice(), data, b"\xda\0\x03h_1"].concat();
        let message = WorkerMessage::decode(&bytes, Limits::default()).map(|envelope| envelope.message);
        assert_eq!(message, Ok(WorkerMessage::Custom { kind: "x".to_owned(), data: expected }));
    };
    for (data, number) in [
        (b"\x07".as_slice(), 7),
        (b"\xff", -1),
        (b"\xcc\x93", 147),
        (b"\xcd\0\x93", 147),
        (b"\xce\0\0\0\x93", 147),
        (b"\xcf\0\0\0\0\0\0\0\x93", 147),
        (b"\xd0\xff", -1),
        (b"\xd1\0\x93", 147),
        (b"\xd2\xff\xff\xff\xff", -1),
        (b"\xd3\xff\xff\xff\xff\xff\xff\xff\xff", -1),
    ] {
        check(data, number.into());
    }
    for data in [b"\xa1a".as_slice(), b"\xd9\x01a", b"\xda\0\x01a", b"\xdb\0\0\0\x01a"] {
        check(data, "a".into());
    }
    for data in [b"\xc4\x01a".as_slice(), b"\xc5\0\x01a", b"\xc6\0\0\0\x01a"] {
        check(data, Value::Binary(b"a".to_vec()));
    }
    for data in [b"\x91\xc0".as_slice(), b"\xdc\0\x01\xc0", b"\xdd\0\0\0\x01\xc0"] {
        check(data, Value::Array(vec![Value::Nil]));
    }
    for data in [b"\x81\x01\xc0".as_slice(), b"\xde\0\x01\x01\xc0", b"\xdf\0\0\0\x01\x01\xc0"] {
        check(data, Value::Map(vec![(1.into(), Value::Nil)]));
    }
    check(b"\xc2", false.into());
    check(b"\xc3", true.into());
    check(b"\xca\x3f\x80\0\0", Value::F32(1.0));
    check(b"\xcb\x3f\xf0\0\0\0\0\0\0", 1.0.into());
    for data in [b"\xd4\x05a".as_slice(), b"\xc7\x01\x05a", b"\xc8\0\x01\x05a", b"\xc9\0\0\0\x01\x05a"] {
        check(data, Value::Ext(5, b"a".to_vec()));
    }
    for (marker, len) in [(0xd5, 2), (0xd6, 4), (0xd7, 8), (0xd8, 16)] {
        check(&[vec![marker, 5], vec![b'a'; len]].concat(), Value::Ext(5, vec![b'a'; len]));
    }
}

#[test]
fn client_ready_has_a_version_or_minus_one() {
    let check = |data: Value, expected: Option<ClientVersion>| {
        assert_eq!(from_worker("client_ready", data).ok(), expected.map(WorkerMessage::ClientReady));
    };
    check("2.47.0".into(), Some(ClientVersion::Release("2.47.0".to_owned())));
    check((-1).into(), Some(ClientVersion::Unchecked));
    check("".into(), None);
    check(Value::Nil, None);
    check(0.into(), None);
    check((-2).into(), None);
}

#[test]
fn heartbeat_may_lack_the_memory() {
    let check = |fields: &[(&str, Value)], expected: Option<(WorkerState, f64, Option<u64>)>| {
        let message = from_worker("heartbeat", map(fields)).ok();
        let expected = expected.map(|(state, current_cpu_usage, current_memory_usage)| {
            WorkerMessage::Heartbeat(Heartbeat { state, current_cpu_usage, current_memory_usage })
        });
        assert_eq!(message, expected);
    };
    let [state, cpu] = [("state", "running".into()), ("current_cpu_usage", Value::from(1.5))];
    let memory = |value: Value| ("current_memory_usage", value);
    let running = |cpu, memory| Some((WorkerState::Running, cpu, memory));
    check(&[state.clone(), cpu.clone(), memory(7.into())], running(1.5, Some(7)));
    check(&[state.clone(), cpu.clone(), memory(Value::Nil)], running(1.5, None));
    check(&[state.clone(), cpu.clone()], running(1.5, None));
    check(&[("current_cpu_usage", 3.into()), state.clone()], running(3.0, None));
    check(&[state.clone(), ("current_cpu_usage", f64::NAN.into())], None);
    check(std::slice::from_ref(&state), None);
    check(std::slice::from_ref(&cpu), None);
    check(&[("state", "dancing".into()), cpu.clone()], None);
    check(&[state, cpu, memory((-1).into())], None);
}

#[test]
fn spawning_complete_takes_boomers_count() {
    let check = |fields: &[(&str, Value)], expected: Option<u64>| {
        let counts = ("user_classes_count", map(&[("UserA", 2.into())]));
        let message = from_worker("spawning_complete", map(&[fields, &[counts]].concat()));
        let user_count = match message {
            Ok(WorkerMessage::SpawningComplete { user_count, .. }) => Some(user_count),
            _ => None,
        };
        assert_eq!(user_count, expected);
    };
    check(&[("user_count", 2.into())], Some(2));
    check(&[("count", 3.into())], Some(3));
    check(&[("count", 3.into()), ("user_count", 2.into())], Some(2));
    check(&[], None);
    check(&[("user_count", Value::Nil)], None);
}

#[test]
fn statistics_keep_the_kind_of_their_numbers() {
    let integer = Number::Int(12);
    let fraction = Number::Float(1.25);
    assert_eq!(entry_with("start_time", 12.into()).start_time, integer);
    assert_eq!(entry_with("total_response_time", 1.25.into()).total_response_time, fraction);
    assert_eq!(entry_with("last_request_timestamp", 12.into()).last_request_timestamp, Some(integer));
    assert_eq!(entry_with("min_response_time", 1.25.into()).min_response_time, Some(fraction));
    assert_eq!(entry_with("min_response_time", Value::Nil).min_response_time, None);
    let times = Value::Map(vec![(12.into(), 3.into()), (1.25.into(), 4.into())]);
    assert_eq!(entry_with("response_times", times).response_times, [(integer, 3), (fraction, 4)]);
}

#[test]
fn what_listeners_added_is_kept() {
    let report = report_with("num_requests", 1.into());
    let Ok(WorkerMessage::Stats(read)) = from_worker("stats", report) else { panic!("not a report") };
    let marker = map(&[("__datetime__", true.into()), ("as_str", "20261123T12:00:00.000000".into())]);
    assert_eq!(read.extra, [("my_key".to_owned(), marker)]);
    assert_eq!(from_worker("stats", read.value().to_owned()), Ok(WorkerMessage::Stats(read)));
}

#[test]
fn errors_name_the_field_and_what_is_wrong() {
    let check = |kind: &str, data: Value, expected: &str| {
        let error = from_worker(kind, data).expect_err("it does not fit");
        assert_eq!(error.to_string(), expected);
    };
    check(
        "stats",
        report_with("num_requests", "many".into()),
        "the message `stats` must have a whole number from 0 in its `stats[1].num_requests`, but there is a string",
    );
    check(
        "stats",
        report_with("response_times", Value::Map(vec![(5.into(), (-1).into())])),
        "the message `stats` must have a whole number from 0 in its `stats[1].response_times[0]`, \
         but there is a negative number",
    );
    check(
        "stats",
        report_with("num_fail_per_sec", Value::Map(vec![("x".into(), 1.into())])),
        "the message `stats` must have a second as a whole number in its `stats[1].num_fail_per_sec[key 0]`, \
         but there is a string",
    );
    check("stats", Value::Nil, "the message `stats` must have a map in its data, but there is nil");
    check(
        "heartbeat",
        map(&[("state", "ready".into())]),
        "the message `heartbeat` must have a value in its `current_cpu_usage`, but there is nothing",
    );
    check(
        "client_ready",
        "".into(),
        "the message `client_ready` must have a version or -1 in its data, but there is an empty string",
    );
    check(
        "logs",
        map(&[("worker_id", "a".into()), ("logs", Value::Array(vec!["a".into(), Value::Nil]))]),
        "the message `logs` must have a string in its `logs[1]`, but there is nil",
    );
    check(
        "exception",
        map(&[("msg", "a".into()), ("traceback", Value::Binary(vec![1]))]),
        "the message `exception` must have a string in its `traceback`, but there is binary data",
    );
}

#[test]
fn ack_may_come_without_an_index() {
    let check = |data: Value, index: Option<u64>| {
        assert_eq!(from_master("ack", data), Ok(MasterMessage::Ack { index }));
    };
    check(map(&[("index", 3.into())]), Some(3));
    check(map(&[]), None);
    check(Value::Nil, None);
    // Of a repeated field the last one counts, as in Python.
    check(map(&[("index", 3.into()), ("index", 4.into())]), Some(4));
    assert!(from_master("ack", map(&[("index", "3".into())])).is_err());
}

#[test]
fn spawn_needs_all_its_fields() {
    let fields = [
        ("timestamp", Value::from(12)),
        ("user_classes_count", map(&[("UserA", 2.into())])),
        ("host", Value::Nil),
        ("stop_timeout", Value::Nil),
        ("parsed_options", map(&[("tags", Value::Nil)])),
    ];
    let spawn = Spawn {
        timestamp: 12.0,
        user_classes_count: vec![("UserA".to_owned(), 2)],
        host: None,
        stop_timeout: None,
        parsed_options: vec![("tags".to_owned(), Value::Nil)],
    };
    assert_eq!(from_master("spawn", map(&fields)), Ok(MasterMessage::Spawn(Box::new(spawn))));
    for missing in 0..fields.len() {
        let mut fields = fields.to_vec();
        fields.remove(missing);
        assert!(from_master("spawn", map(&fields)).is_err(), "without field {missing}");
    }
}

#[test]
fn master_messages_are_spoken_as_python_speaks_them() {
    let check = |message: MasterMessage, expected: &[u8]| {
        assert_eq!(message.encode("h_1"), expected);
        let envelope = Envelope { message, node_id: "h_1".to_owned() };
        assert_eq!(MasterMessage::decode(expected, Limits::default()), Ok(envelope));
    };
    // The bytes of `the rules of Python's msgpack` on the same values.
    check(MasterMessage::Reconnect, b"\x93\xa9reconnect\xc0\xa3h_1");
    check(MasterMessage::Stop, b"\x93\xa4stop\xc0\xa3h_1");
    check(MasterMessage::Ack { index: Some(200) }, b"\x93\xa3ack\x81\xa5index\xcc\xc8\xa3h_1");
    check(
        MasterMessage::UpdateUserClass(UserClassUpdate {
            user_class_name: "UserA".to_owned(),
            attributes: vec![("weight".to_owned(), 5.into())],
            tasks: Some(vec!["index".to_owned()]),
        }),
        b"\x93\xb1update_user_class\x83\xafuser_class_name\xa5UserA\xa6weight\x05\xa5tasks\x91\xa5index\xa3h_1",
    );
    check(
        MasterMessage::Locustfile(LocustfileReply::Error("none".to_owned())),
        b"\x93\xaalocustfile\x81\xa5error\xa4none\xa3h_1",
    );
    check(
        MasterMessage::Locustfile(LocustfileReply::Sources(vec![LocustfileSource::Url("u".to_owned())])),
        b"\x93\xaalocustfile\x81\xablocustfiles\x91\xa1u\xa3h_1",
    );
}

#[test]
fn a_value_costs_what_the_limit_promises() {
    assert!(size_of::<rmpv::ValueRef<'_>>() <= 40);
}
