//! Targets that do exactly what a test says, byte by byte, and write down what they are asked.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::path::PATIENCE;

/// A target that speaks HTTP/1.1, or what a test takes for it.
#[derive(Clone)]
pub struct Target {
    pub address: SocketAddr,
    scheme: &'static str,
    log: Arc<Mutex<Log>>,
}

#[derive(Default)]
struct Log {
    connections: usize,
    closed: usize,
    requests: Vec<Received>,
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Received {
    /// The number of its connection, from 0.
    pub connection: usize,
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// What a target does with a request.
pub struct Reply {
    bytes: Vec<u8>,
    then: Then,
}

/// What a target does once it has answered.
enum Then {
    /// It waits for the next request.
    KeepOpen,
    /// It says that nothing more will come, and waits for the client to close, too.
    Close,
    /// It does nothing more, and waits for the client to close.
    Hang,
}

impl Received {
    /// The value of a header, whose name is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// All values of a header.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
    }
}

impl Reply {
    /// Exactly these bytes.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self { bytes: bytes.into(), then: Then::KeepOpen }
    }

    /// A proper answer with more headers, each ended by `\r\n`.
    pub fn with(status: &str, headers: &str, body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
        Self::raw([head.as_bytes(), body].concat())
    }

    /// Success.
    pub fn ok(body: impl AsRef<[u8]>) -> Self {
        Self::with("200 OK", "", body)
    }

    /// A redirect.
    pub fn redirect(status: u16, location: &str) -> Self {
        Self::with(&format!("{status} Elsewhere"), &format!("Location: {location}\r\n"), "elsewhere")
    }

    /// The same, and then the end.
    pub fn close(self) -> Self {
        Self { then: Then::Close, ..self }
    }

    /// The same, and then silence.
    pub fn hang(self) -> Self {
        Self { then: Then::Hang, ..self }
    }
}

impl Target {
    /// A target that answers each request with what `answer` says.
    pub async fn start(answer: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Self {
        Self::bind("127.0.0.1:0", None, answer).await
    }

    /// The same over TLS.
    pub async fn start_tls(
        acceptor: TlsAcceptor,
        answer: impl Fn(&Received) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::bind("127.0.0.1:0", Some(acceptor), answer).await
    }

    /// The same at an address of the test's choice.
    pub async fn bind(
        address: &str,
        acceptor: Option<TlsAcceptor>,
        answer: impl Fn(&Received) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let scheme = if acceptor.is_some() { "https" } else { "http" };
        let target = Self { address, scheme, log: Arc::default() };
        let (served, answer) = (target.clone(), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(served.clone().accept(stream, acceptor.clone(), answer.clone()));
            }
        });
        target
    }

    /// Where it is asked for `path`.
    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// The same under another name of this machine.
    pub fn url_at(&self, host: &str, path: &str) -> String {
        format!("{}://{host}:{}{path}", self.scheme, self.address.port())
    }

    /// What it was asked.
    pub fn requests(&self) -> Vec<Received> {
        self.log.lock().unwrap().requests.clone()
    }

    /// What it was asked last.
    pub fn last(&self) -> Received {
        self.requests().pop().expect("it was asked")
    }

    /// How many connections it took.
    pub fn connections(&self) -> usize {
        self.log.lock().unwrap().connections
    }

    /// The connection that each request came over.
    pub fn connections_used(&self) -> Vec<usize> {
        self.requests().iter().map(|request| request.connection).collect()
    }

    /// Waits until this many connections are closed by both sides.
    pub async fn closed(&self, connections: usize) {
        until(|| self.log.lock().unwrap().closed >= connections).await;
    }

    async fn accept(
        self,
        stream: TcpStream,
        acceptor: Option<TlsAcceptor>,
        answer: Arc<impl Fn(&Received) -> Reply>,
    ) {
        let number = {
            let mut log = self.log.lock().unwrap();
            log.connections += 1;
            log.connections - 1
        };
        match acceptor {
            None => self.serve(stream, number, answer).await,
            Some(acceptor) => {
                if let Ok(stream) = acceptor.accept(stream).await {
                    self.serve(stream, number, answer).await;
                }
            }
        }
        self.log.lock().unwrap().closed += 1;
    }

    async fn serve(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin,
        connection: usize,
        answer: Arc<impl Fn(&Received) -> Reply>,
    ) {
        let mut stream = BufReader::new(stream);
        while let Some(received) = receive(&mut stream, connection).await {
            let reply = answer(&received);
            self.log.lock().unwrap().requests.push(received);
            if stream.write_all(&reply.bytes).await.is_err() || stream.flush().await.is_err() {
                return;
            }
            match reply.then {
                Then::KeepOpen => continue,
                Then::Close => {
                    let _ = stream.shutdown().await;
                }
                Then::Hang => {}
            }
            return read_to_end(stream).await;
        }
    }
}

/// Reads what nobody looks at.
pub async fn read_to_end(mut stream: impl AsyncRead + Unpin) {
    let mut buffer = [0; 4096];
    while matches!(stream.read(&mut buffer).await, Ok(1..)) {}
}

/// Reads a head, from its first line to the empty one.
pub async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8_lossy(&head).into_owned())
}

async fn receive(stream: &mut (impl AsyncRead + Unpin), connection: usize) -> Option<Received> {
    let head = read_head(stream).await?;
    let mut lines = head.lines();
    let mut words = lines.next()?.split(' ').map(str::to_owned);
    let (method, target) = (words.next()?, words.next()?);
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let mut received = Received { connection, method, target, headers, body: Vec::new() };
    let length = received.header("content-length").map_or(0, |length| length.parse().unwrap());
    received.body.resize(length, 0);
    stream.read_exact(&mut received.body).await.ok()?;
    Some(received)
}

/// A target that treats each connection as `behave` does.
pub async fn misbehaving<F>(behave: impl Fn(TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(behave(stream));
        }
    });
    address
}

/// Waits for a condition.
pub async fn until(condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("it comes about in time");
}
