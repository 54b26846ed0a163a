//! The port that workers connect to.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;

/// Why the port cannot be used, with the cure.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot listen for workers on {host}:{port}: {cause}; choose another with --master-bind-host and --master-bind-port"
)]
pub struct BindError {
    host: String,
    port: u16,
    cause: io::Error,
}

impl BindError {
    /// What the system says.
    pub fn into_cause(self) -> io::Error {
        self.cause
    }
}

/// Listens on `host`, or on every address if it is `*`.
///
/// # Errors
/// The address does not exist here, or the port is taken.
pub async fn bind(host: &str, port: u16) -> Result<TcpListener, BindError> {
    let bound = match host {
        "*" | "" => match TcpListener::bind(("::", port)).await {
            // Where there is no IPv6, all addresses are IPv4 addresses.
            Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                TcpListener::bind(("0.0.0.0", port)).await
            }
            bound => bound,
        },
        _ => TcpListener::bind((host, port)).await,
    };
    bound.map_err(|cause| BindError { host: host.to_owned(), port, cause })
}

/// Where a worker on this machine reaches a master that listens on `bound`.
pub fn reachable(bound: SocketAddr) -> SocketAddr {
    let ip = match bound.ip() {
        ip if !ip.is_unspecified() => ip,
        _ => std::net::Ipv4Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, bound.port())
}

/// A connection that says nothing at first is closed after this.
const GREETING_TIMEOUT: Duration = Duration::from_secs(10);

/// Connections that may be silent at the same time; further ones are closed at once.
const MAX_SILENT: usize = 1024;

/// The first byte of TLS: the type of its handshake records (RFC 8446, section 5.1).
const TLS_HANDSHAKE: u8 = 0x16;

/// Accepted connections that wait for the server to take them.
const ACCEPTED_QUEUE: usize = 64;

/// How long to pause when the system gives no further connection, usually because too many files are open.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// Connections on which somebody has begun to speak, by what they speak.
#[derive(Debug)]
pub struct Incoming {
    /// Those that speak HTTP/2, as gRPC does.
    pub grpc: ReceiverStream<io::Result<TcpStream>>,
    /// Those that speak ZMTP, as Locust's workers do.
    pub zmtp: ReceiverStream<(TcpStream, SocketAddr)>,
}

/// Where the connections of each kind go.
#[derive(Clone, Debug)]
struct Doors {
    grpc: mpsc::Sender<io::Result<TcpStream>>,
    zmtp: mpsc::Sender<(TcpStream, SocketAddr)>,
}

/// Accepts connections and tells by the first byte what each speaks. Those that speak anything else are closed, with
/// a log line, and those that say nothing after ten seconds.
pub fn sort(listener: TcpListener) -> Incoming {
    let (grpc, grpc_queue) = mpsc::channel(ACCEPTED_QUEUE);
    let (zmtp, zmtp_queue) = mpsc::channel(ACCEPTED_QUEUE);
    tokio::spawn(accept(listener, Doors { grpc, zmtp }));
    Incoming { grpc: ReceiverStream::new(grpc_queue), zmtp: ReceiverStream::new(zmtp_queue) }
}

async fn accept(listener: TcpListener, doors: Doors) {
    let silent = Arc::new(Semaphore::new(MAX_SILENT));
    // Ends with the server, which lets go of the other end of the queue.
    while !doors.grpc.is_closed() {
        let connection = tokio::select! {
            connection = listener.accept() => connection,
            () = doors.grpc.closed() => return,
        };
        match connection {
            Ok((stream, peer)) => match silent.clone().try_acquire_owned() {
                Ok(permit) => {
                    tokio::spawn(await_greeting(stream, peer, permit, doors.clone()));
                }
                Err(_) => {
                    tracing::debug!("Closing a connection from {peer}: too many others say nothing");
                }
            },
            Err(error) => {
                tracing::warn!("Cannot accept a connection: {error}; trying again");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn await_greeting(stream: TcpStream, peer: SocketAddr, permit: OwnedSemaphorePermit, doors: Doors) {
    let mut first = [0];
    let spoken = tokio::time::timeout(GREETING_TIMEOUT, stream.peek(&mut first)).await;
    drop(permit);
    // Without anybody behind a door, the master is ending.
    match (spoken, first) {
        // The preface of HTTP/2 begins with `PRI`.
        (Ok(Ok(1)), [b'P']) => {
            let _ = doors.grpc.send(Ok(stream)).await;
        }
        (Ok(Ok(1)), [0xff]) => {
            let _ = doors.zmtp.send((stream, peer)).await;
        }
        (Ok(Ok(1)), [TLS_HANDSHAKE]) => {
            tracing::warn!(
                "Closing a connection from {peer}: it speaks TLS, and workers connect to this port without"
            );
        }
        (Ok(Ok(1)), [byte]) => {
            tracing::warn!(
                "Closing a connection from {peer}: it speaks neither gRPC nor ZMTP (first byte {byte:#04x})"
            );
        }
        (Err(_), _) => tracing::info!("Closing a connection from {peer}: it said nothing for 10 s"),
        (Ok(_), _) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_port_is_one_clear_message() {
        let first = bind("127.0.0.1", 0).await.unwrap();
        let port = first.local_addr().unwrap().port();
        let error = bind("127.0.0.1", port).await.unwrap_err().to_string();
        assert!(
            error.contains(&format!("127.0.0.1:{port}")) && error.contains("--master-bind-port"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn connections_are_told_apart_by_their_first_byte() {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        use tokio_stream::StreamExt as _;

        let listener = bind("127.0.0.1", 0).await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut incoming = sort(listener);
        for stranger in [b"\0\0\0\0".as_slice(), b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01"] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(stranger).await.unwrap();
            let closed = stream.read(&mut [0; 16]).await;
            assert!(matches!(closed, Ok(0) | Err(_)), "{stranger:?} was answered");
        }
        let mut ours = TcpStream::connect(address).await.unwrap();
        ours.write_all(b"PRI * HTTP/2.0").await.unwrap();
        let mut locusts = TcpStream::connect(address).await.unwrap();
        locusts.write_all(b"\xff").await.unwrap();
        let accepted = incoming.grpc.next().await.unwrap().unwrap();
        assert_eq!(accepted.peer_addr().unwrap(), ours.local_addr().unwrap());
        let (_, peer) = incoming.zmtp.next().await.unwrap();
        assert_eq!(peer, locusts.local_addr().unwrap());
    }

    #[tokio::test]
    async fn a_star_listens_everywhere() {
        let listener = bind("*", 0).await.unwrap();
        let address = reachable(listener.local_addr().unwrap());
        assert!(address.ip().is_loopback());
        tokio::net::TcpStream::connect(address).await.unwrap();
    }
}
