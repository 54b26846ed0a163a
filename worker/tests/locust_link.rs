//! Finding out what a master speaks, and talking to Locust's, over real sockets with a scripted other side.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod scripted_master;

use std::time::Duration;

use sentinel_common::ids::WorkerId;
use sentinel_common::locust::{ClientVersion, MasterMessage, WorkerMessage};
use sentinel_common::zmtp::{Connection, Limits};
use sentinel_worker::address::MasterAddress;
use sentinel_worker::locust_link::{Answer, LocustLink, knock, open};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::scripted_master::Master;

/// Longer than anything here takes, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(30);

fn worker() -> WorkerId {
    WorkerId::new("h1_a").unwrap()
}

/// A listener whose first connection `behave` treats.
async fn listen<B>(behave: impl FnOnce(TcpStream) -> B + Send + 'static) -> MasterAddress
where
    B: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        behave(stream).await;
    });
    MasterAddress { host: "127.0.0.1".to_owned(), port }
}

async fn connected(master: &MasterAddress) -> LocustLink {
    match knock(master, &worker()).await.unwrap() {
        Answer::Locust(link) => link,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn messages_go_both_ways_and_the_last_ones_arrive() {
    let (tell, told) = tokio::sync::oneshot::channel();
    let address = listen(async move |stream| {
        let mut master = Master::new(stream, Connection::router(Limits::default()));
        let mut heard = vec![master.hear().await.unwrap()];
        master.say(&MasterMessage::Ack { index: Some(7) }).await;
        while let Some(message) = master.hear().await {
            heard.push(message);
        }
        tell.send(heard).unwrap();
    })
    .await;
    let mut link = connected(&address).await;
    let ready = WorkerMessage::ClientReady(ClientVersion::Unchecked);
    assert!(link.send(&ready));
    assert_eq!(link.next().await.unwrap(), MasterMessage::Ack { index: Some(7) });
    // Far more than a socket takes at once.
    let line = "x".repeat(1_000_000);
    let long = WorkerMessage::Logs { worker_id: "h1_a".to_owned(), logs: vec![line; 4] };
    let last = [long, WorkerMessage::Quit];
    assert!(last.iter().all(|message| link.send(message)));
    tokio::time::timeout(PATIENCE, link.close()).await.unwrap();
    let heard = tokio::time::timeout(PATIENCE, told).await.unwrap().unwrap();
    assert_eq!((&heard[0], &heard[1..]), (&ready, last.as_slice()));
}

#[tokio::test]
async fn a_message_that_cannot_be_understood_costs_only_itself() {
    let address = listen(async |stream| {
        let mut master = Master::new(stream, Connection::router(Limits::default()));
        master.next().await;
        for body in [b"\xc1".as_slice(), b"", b"\x93\xa5spawn\xc0\xa4h1_a"] {
            master.say_bytes(body).await;
        }
        master.say(&MasterMessage::Stop).await;
        while master.next().await.is_some() {}
    })
    .await;
    let mut link = connected(&address).await;
    assert_eq!(link.next().await.unwrap(), MasterMessage::Stop);
}

#[tokio::test]
async fn the_end_of_the_connection_is_told() {
    let address = listen(async |stream| {
        Master::new(stream, Connection::router(Limits::default())).next().await;
    })
    .await;
    let mut link = connected(&address).await;
    assert!(link.next().await.is_err());
    assert!(link.next().await.is_err(), "and again");
}

#[tokio::test]
async fn a_sentinel_master_is_recognised_and_speaks_either_wire() {
    let sentinel = async |stream| {
        let mut master = Master::new(stream, Connection::router(Limits::default()).beside_grpc());
        while master.next().await.is_some() {}
    };
    assert!(matches!(knock(&listen(sentinel).await, &worker()).await, Ok(Answer::Sentinel)));
    assert!(open(&listen(sentinel).await, &worker()).await.is_ok(), "whoever wants Locust's wire gets it");
}

#[tokio::test]
async fn whoever_speaks_something_else_or_nothing_is_a_stranger() {
    let talker = listen(async |mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    });
    let silent = listen(async |mut stream| {
        let mut buffer = [0; 1024];
        while matches!(stream.read(&mut buffer).await, Ok(1..)) {}
    });
    let closer = listen(async |stream| drop(stream));
    for address in [talker.await, silent.await, closer.await] {
        let answer = tokio::time::timeout(PATIENCE, knock(&address, &worker())).await.unwrap();
        assert!(matches!(answer, Ok(Answer::Stranger(_))), "{answer:?}");
    }
}

#[tokio::test]
async fn nobody_at_all_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = MasterAddress { host: "127.0.0.1".to_owned(), port: listener.local_addr().unwrap().port() };
    drop(listener);
    assert!(knock(&address, &worker()).await.is_err());
    assert!(open(&address, &worker()).await.is_err());
}
