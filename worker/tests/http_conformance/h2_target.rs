//! Targets that speak HTTP/2.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use h2::server::{self, SendResponse};
use h2::{Reason, RecvStream};
use http::{HeaderMap, Method, Request, Response};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::target::read_to_end;

/// Asked for this, a target says that it takes no more requests over this connection, and answers.
pub const LAST: &str = "/last";

/// A target that speaks HTTP/2 and nothing else.
#[derive(Clone)]
pub struct H2Target {
    address: SocketAddr,
    scheme: &'static str,
    connections: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<Received>>>,
}

/// The number of a connection, from 0, and a request that came over it.
type Received = (usize, Request<Bytes>);

/// What it does with a request.
pub enum H2Reply {
    /// It answers with this body, and trailers.
    Ok(Bytes),
    /// It ends the stream without an answer.
    Reset(Reason),
    /// It ends the stream within the answer.
    ResetWithin(Reason),
    /// It never answers.
    Never,
}

/// What it does with a connection before anything else.
#[derive(Clone, Copy)]
pub enum Welcome {
    /// It serves it.
    Serve,
    /// It refuses all requests of its first connection in order, and serves the others.
    ShutDownFirst,
    /// It ends each connection for this reason, with a text that is another each time.
    Refuse(Reason),
}

impl H2Target {
    /// A target that takes HTTP/2 for granted.
    pub async fn start(answer: impl Fn(&Request<Bytes>) -> H2Reply + Send + Sync + 'static) -> Self {
        Self::bind(None, Welcome::Serve, answer).await
    }

    /// The same over TLS.
    pub async fn start_tls(
        acceptor: TlsAcceptor,
        answer: impl Fn(&Request<Bytes>) -> H2Reply + Send + Sync + 'static,
    ) -> Self {
        Self::bind(Some(acceptor), Welcome::Serve, answer).await
    }

    /// The same with an odd beginning.
    pub async fn welcoming(
        welcome: Welcome,
        answer: impl Fn(&Request<Bytes>) -> H2Reply + Send + Sync + 'static,
    ) -> Self {
        Self::bind(None, welcome, answer).await
    }

    async fn bind(
        acceptor: Option<TlsAcceptor>,
        welcome: Welcome,
        answer: impl Fn(&Request<Bytes>) -> H2Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let scheme = if acceptor.is_some() { "https" } else { "http" };
        let target = Self { address, scheme, connections: Arc::default(), requests: Arc::default() };
        let (served, answer) = (target.clone(), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(served.clone().accept(stream, acceptor.clone(), welcome, answer.clone()));
            }
        });
        target
    }

    /// Where it is asked for `path`.
    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// What it was asked.
    pub fn requests(&self) -> Vec<Request<Bytes>> {
        self.requests.lock().unwrap().iter().map(|(_, request)| request.clone()).collect()
    }

    /// The connection that each request came over.
    pub fn connections_used(&self) -> Vec<usize> {
        self.requests.lock().unwrap().iter().map(|(connection, _)| *connection).collect()
    }

    async fn accept(
        self,
        stream: TcpStream,
        acceptor: Option<TlsAcceptor>,
        welcome: Welcome,
        answer: Arc<impl Fn(&Request<Bytes>) -> H2Reply + Send + Sync + 'static>,
    ) {
        let number = self.connections.fetch_add(1, Ordering::Relaxed);
        match welcome {
            Welcome::ShutDownFirst if number == 0 => return refuse(stream, Reason::NO_ERROR, number).await,
            Welcome::Refuse(reason) => return refuse(stream, reason, number).await,
            _ => {}
        }
        match acceptor {
            None => self.serve(stream, number, answer).await,
            Some(acceptor) => {
                if let Ok(stream) = acceptor.accept(stream).await {
                    self.serve(stream, number, answer).await;
                }
            }
        }
    }

    async fn serve(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin,
        number: usize,
        answer: Arc<impl Fn(&Request<Bytes>) -> H2Reply + Send + Sync + 'static>,
    ) {
        let Ok(mut connection) = server::handshake(stream).await else {
            return;
        };
        while let Some(Ok((request, respond))) = connection.accept().await {
            let (requests, answer) = (self.requests.clone(), answer.clone());
            let (head, body) = request.into_parts();
            let is_last = head.uri.path() == LAST;
            // The connection makes progress only while it is asked for the next request.
            tokio::spawn(async move {
                let Some(body) = read(body).await else {
                    return;
                };
                let request = Request::from_parts(head, body);
                let reply = answer(&request);
                let is_head = request.method() == Method::HEAD;
                requests.lock().unwrap().push((number, request));
                respond_with(reply, is_head, respond).await;
            });
            if is_last {
                connection.graceful_shutdown();
            }
        }
    }
}

async fn read(mut body: RecvStream) -> Option<Bytes> {
    let mut whole = Vec::new();
    while let Some(chunk) = body.data().await {
        let chunk = chunk.ok()?;
        body.flow_control().release_capacity(chunk.len()).ok()?;
        whole.extend_from_slice(&chunk);
    }
    Some(whole.into())
}

async fn respond_with(reply: H2Reply, is_head: bool, mut respond: SendResponse<Bytes>) {
    let ok = |length: usize| Response::builder().header("content-length", length).body(()).unwrap();
    match reply {
        H2Reply::Ok(body) if is_head => {
            let _ = respond.send_response(ok(body.len()), true);
        }
        H2Reply::Ok(body) => {
            if let Ok(mut stream) = respond.send_response(ok(body.len()), false) {
                let _ = stream.send_data(body, false);
                let trailers = HeaderMap::from_iter([(http::header::AGE, "1".parse().unwrap())]);
                let _ = stream.send_trailers(trailers);
            }
        }
        H2Reply::Reset(reason) => respond.send_reset(reason),
        H2Reply::ResetWithin(reason) => {
            if let Ok(mut stream) = respond.send_response(ok(10), false) {
                let _ = stream.send_data(Bytes::from_static(b"half"), false);
                stream.send_reset(reason);
            }
        }
        H2Reply::Never => std::future::pending().await,
    }
}

/// Says GOAWAY before any request was taken, as raw frames.
async fn refuse(mut stream: TcpStream, reason: Reason, number: usize) {
    let debug = format!("connection {number} of 127.0.0.1");
    let settings = frame(4, &[]);
    let last_stream = 0_u32.to_be_bytes();
    let code = u32::from(reason).to_be_bytes();
    let goaway = frame(7, &[&last_stream, &code, debug.as_bytes()].concat());
    let _ = stream.write_all(&[settings, goaway].concat()).await;
    let _ = stream.shutdown().await;
    read_to_end(stream).await;
}

/// A frame of the connection itself.
fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, 0], &0_u32.to_be_bytes(), payload].concat()
}
