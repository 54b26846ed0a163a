//! Strangers on the master's port, and masters that are none: each is turned away by itself, the log says why, and
//! the run of everybody else goes on as if nothing had been.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use bytes::{Buf as _, BufMut as _};
use sentinel_common::ids::WIRE_VERSION;
use sentinel_proto::MAX_MESSAGE_BYTES;
use sentinel_proto::v1::load_control_client::LoadControlClient;
use sentinel_proto::v1::load_control_server::{LoadControl, LoadControlServer};
use sentinel_proto::v1::{self, MasterMessage, WorkerMessage, master_message, worker_message};
use sentinel_tests::process::{Cluster, Exit, Master, PATIENCE, Worker};
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status, Streaming};

/// A run that is long enough for its uninvited guests.
const RUN: [&str; 8] = ["--users", "20", "--spawn-rate", "20", "--run-time", "6s", "--stop-timeout", "2"];

#[test]
fn bytes_that_are_no_grpc_end_their_connection_only() {
    let cluster = Cluster::start(1, &RUN);
    cluster.target.await_users(20);
    let address = cluster.master.address;
    let noise: Vec<u8> = (0..4096_u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    assert_hung_up("noise", say(address, &noise));
    assert_hung_up("half a TLS hello", say(address, &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]));
    assert_hung_up("HTTP/1.1", say(address, b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n"));
    assert_hung_up("HTTP/2 with noise for frames", say(address, &[&preface[..], &noise].concat()));
    // These may still become something, so they are kept waiting, and must not keep the master from ending.
    let _half_a_preface = say(address, &preface[..10]);
    let _not_a_byte = say(address, b"");
    let run = cluster.finish();
    run.assert_exit(0);
    run.assert_counts_are_exact();
}

#[test]
fn malformed_messages_end_their_stream_only() {
    let cluster = Cluster::start(1, &RUN);
    cluster.target.await_users(20);
    let address = cluster.master.address;
    let log = |text: &str| cluster.master.process.line(text);

    block_on(attach_raw(address, vec![0xff; 64]));
    log("it sent a malformed or oversized message: failed to decode Protobuf message");
    block_on(attach_raw(address, vec![0; MAX_MESSAGE_BYTES + 1]));
    log("it sent a malformed or oversized message: Error, decoded message length too large");
    block_on(attach(address, vec![WorkerMessage { kind: None }]));
    log("it sent a malformed message: the message is empty or of an unknown kind");
    block_on(attach(address, vec![stats(lying_histogram())]));
    log("it sent a malformed message: a histogram of 2 values has 1 counts");
    block_on(attach(address, vec![ready(&"x".repeat(1000), 1)]));
    log("it sent a malformed message: a worker id is 1 to 320 printable characters");
    block_on(attach(address, vec![stats(v1::StatsReport::default())]));
    log("it spoke before it introduced itself");

    let run = cluster.finish();
    run.assert_exit(0);
    run.assert_counts_are_exact();
    assert!(run.says("Workers: 1 connected"), "no stranger counts as a worker\n{}", run.log);
}

#[test]
fn a_worker_that_turns_malformed_is_lost_and_its_users_go_to_others() {
    let cluster = Cluster::start(1, &RUN);
    cluster.target.await_users(20);
    block_on(async {
        let (say, outgoing) = mpsc::channel(2);
        let mut client = LoadControlClient::new(connect(cluster.master.address).await);
        say.send(ready("traitor", WIRE_VERSION)).await.expect("room in the queue");
        let mut said = client.attach(ReceiverStream::new(outgoing)).await.expect("a stream").into_inner();
        let welcome = said.message().await.expect("no error").and_then(|message| message.kind);
        assert_eq!(welcome, Some(master_message::Kind::Ack(v1::Ack { index: 1 })));
        say.send(WorkerMessage { kind: None }).await.expect("room in the queue");
        until_closed(said).await;
    });
    cluster.master.process.line("Worker traitor was lost with 0 users: it sent a malformed message");
    let run = cluster.finish();
    run.assert_exit_is_that_of_the_verdict();
    run.assert_counts_are_exact();
    run.event_at("traitor", "joined");
    run.event_at("traitor", "was lost");
}

#[test]
fn a_stream_that_says_nothing_is_closed_after_ten_seconds() {
    let master = Master::start(&["--host", "http://127.0.0.1:9"]);
    let opened = Instant::now();
    assert_eq!(block_on(attach(master.address, Vec::new())), []);
    let open_for = opened.elapsed();
    assert!(open_for >= Duration::from_secs(10) && open_for < Duration::from_secs(15), "{open_for:?}");
    master.process.line("it said nothing for 10 s");
}

#[test]
fn a_worker_of_another_protocol_version_is_refused() {
    let cluster = Cluster::start(1, &RUN);
    cluster.target.await_users(20);
    let said = block_on(attach(cluster.master.address, vec![ready("stranger", 999)]));
    let [MasterMessage { kind: Some(master_message::Kind::Refused(refused)) }] = &said[..] else {
        panic!("{said:?}");
    };
    let reason = format!(
        "it speaks protocol version 999, this master speaks {WIRE_VERSION}; run the same release on both sides"
    );
    assert_eq!(refused.reason, reason);
    cluster.master.process.line(&format!("Refusing worker stranger: {reason}"));
    let run = cluster.finish();
    run.assert_exit(0);
    run.assert_counts_are_exact();
    assert!(!run.says("stranger"), "it never was a worker\n{}", run.log);
}

#[test]
fn a_worker_that_is_refused_says_why_and_ends() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let incoming = TcpListenerStream::new(listener);
    runtime.spawn(
        Server::builder().add_service(LoadControlServer::new(Unwelcoming)).serve_with_incoming(incoming),
    );
    let Exit { code, stdout, stderr } = Worker::start(address).process.wait();
    assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
    assert!(stderr.contains("The master refused this worker: no room\n"), "{stderr}");
}

#[test]
fn probes_find_a_healthy_service_and_its_description() {
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_check_response::ServingStatus;
    use tonic_health::pb::health_client::HealthClient;
    use tonic_reflection::pb::v1::ServerReflectionRequest;
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

    let master = Master::start(&["--host", "http://127.0.0.1:9"]);
    block_on(async {
        let channel = connect(master.address).await;
        for service in ["", "sentinel.v1.LoadControl"] {
            let question = HealthCheckRequest { service: service.to_owned() };
            let answer = HealthClient::new(channel.clone()).check(question).await.expect("an answer");
            assert_eq!(answer.into_inner().status(), ServingStatus::Serving, "{service:?}");
        }
        let message_request = Some(MessageRequest::ListServices(String::new()));
        let question = ServerReflectionRequest { host: String::new(), message_request };
        let mut client = ServerReflectionClient::new(channel);
        let answers = client.server_reflection_info(tokio_stream::once(question)).await.expect("an answer");
        let answer = answers.into_inner().message().await.expect("no error").expect("one answer");
        let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else {
            panic!("{answer:?}");
        };
        let services: Vec<&str> = list.service.iter().map(|service| service.name.as_str()).collect();
        assert!(services.contains(&"sentinel.v1.LoadControl"), "{services:?}");
        assert!(services.contains(&"grpc.health.v1.Health"), "{services:?}");
    });
}

/// A master with which no worker is welcome.
struct Unwelcoming;

#[tonic::async_trait]
impl LoadControl for Unwelcoming {
    type AttachStream = ReceiverStream<Result<MasterMessage, Status>>;

    async fn attach(
        &self,
        request: Request<Streaming<WorkerMessage>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        let (say, said) = mpsc::channel(1);
        tokio::spawn(async move {
            // It hears the worker out first, as a master does.
            let heard = request.into_inner().message().await;
            let refused = v1::Refused { reason: "no room".to_owned() };
            if matches!(heard, Ok(Some(WorkerMessage { kind: Some(worker_message::Kind::Ready(_)) }))) {
                let _ =
                    say.send(Ok(MasterMessage { kind: Some(master_message::Kind::Refused(refused)) })).await;
            }
        });
        Ok(Response::new(ReceiverStream::new(said)))
    }
}

/// Connects and sends bytes.
fn say(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut connection = TcpStream::connect(address).expect("the master accepts connections");
    connection.set_read_timeout(Some(PATIENCE)).expect("a timeout that is not zero");
    // The master may have hung up before it has read everything.
    let _ = connection.write_all(bytes);
    connection
}

/// Waits until the master ends a connection.
fn assert_hung_up(who: &str, mut connection: TcpStream) {
    let mut said = Vec::new();
    match connection.read_to_end(&mut said) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("{who}: the connection is still open: {error}"),
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { tokio::time::timeout(PATIENCE, future).await.expect("an end in time") })
}

async fn connect(address: SocketAddr) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("an address makes a URL");
    endpoint.connect().await.expect("the master accepts connections")
}

/// Opens a stream, says `messages` and then nothing more. Returns what the master says until it ends the stream.
async fn attach(address: SocketAddr, messages: Vec<WorkerMessage>) -> Vec<MasterMessage> {
    let outgoing = tokio_stream::iter(messages).chain(tokio_stream::pending());
    let attached = LoadControlClient::new(connect(address).await).attach(outgoing).await;
    until_closed(attached.expect("a stream").into_inner()).await
}

/// The same with one message that need not be one.
async fn attach_raw(address: SocketAddr, message: Vec<u8>) -> Vec<Vec<u8>> {
    let outgoing = tokio_stream::once(message).chain(tokio_stream::pending());
    let mut client = tonic::client::Grpc::new(connect(address).await);
    client.ready().await.expect("a connection");
    let path = http::uri::PathAndQuery::from_static("/sentinel.v1.LoadControl/Attach");
    let attached = client.streaming(Request::new(outgoing), path, Raw).await;
    until_closed(attached.expect("a stream").into_inner()).await
}

/// What comes until the master ends the stream, in whatever way.
async fn until_closed<T>(mut stream: Streaming<T>) -> Vec<T> {
    let mut said = Vec::new();
    while let Ok(Some(message)) = stream.message().await {
        said.push(message);
    }
    said
}

fn ready(worker_id: &str, wire_version: u32) -> WorkerMessage {
    let ready = v1::Ready { worker_id: worker_id.to_owned(), wire_version, ..v1::Ready::default() };
    WorkerMessage { kind: Some(worker_message::Kind::Ready(ready)) }
}

fn stats(report: v1::StatsReport) -> WorkerMessage {
    WorkerMessage { kind: Some(worker_message::Kind::Stats(report)) }
}

/// A report with a row whose histogram has more values than counts.
fn lying_histogram() -> v1::StatsReport {
    let response_times = Some(v1::Buckets { value_steps: vec![1, 1], counts: vec![1] });
    let entry = v1::EntryStats { num_requests: 1, response_times, ..v1::EntryStats::default() };
    v1::StatsReport { seq: 1, entries: vec![entry], ..v1::StatsReport::default() }
}

/// Messages as they are, whether they are protobuf or not.
#[derive(Clone, Copy)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, message: Vec<u8>, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put_slice(&message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        Ok(Some(bytes.copy_to_bytes(bytes.remaining()).to_vec()))
    }
}
