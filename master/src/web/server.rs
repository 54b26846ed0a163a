//! The port of the web page: accepts connections, speaks TLS if asked to, and bounds what clients can hold up.
//!
//! | what a client does | what happens |
//! | --- | --- |
//! | sends its headers slowly | 408 after 10 s |
//! | sends long or many headers | 431; a long path 414 |
//! | does not read its answer | its connection ends after 30 s, by the kernel's hand |
//! | shakes hands slowly | its connection ends after 10 s |
//! | comes when 1,024 others are there | it waits for its turn |

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sentinel_common::verdict::exit_code;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use super::{Parts, State, router};
use crate::listener;
use crate::settings::{TlsFiles, WebSettings};

/// Connections at the same time.
const CONNECTIONS_MAX: usize = 1_024;

/// How long a client may take for its headers, and for the handshake before them.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest head of a request, path and headers together.
const HEAD_MAX: usize = 32 << 10;

/// The most headers of a request.
const HEADERS_MAX: usize = 100;

/// How long a client may leave unread what it was sent.
const UNREAD_TIMEOUT: Duration = Duration::from_secs(30);

/// How long to pause when the system gives no further connection, usually because too many files are open.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// How long answers that are under way may take when the site closes.
const CLOSING_TIMEOUT: Duration = Duration::from_secs(1);

/// Why the page cannot be served, with the cure.
#[derive(Debug, Error)]
pub enum SiteError {
    /// The port cannot be used.
    #[error(
        "cannot serve the web page on {host}:{port}: {cause}; choose another with --web-host and --web-port, or do without with --headless"
    )]
    Bind {
        /// The address.
        host: String,
        /// The port.
        port: u16,
        /// What the system says.
        cause: io::Error,
    },
    /// What HTTPS needs cannot be used.
    #[error("{option} {path}: {reason}")]
    Tls {
        /// The option that names the file.
        option: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl SiteError {
    /// The exit code.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Bind { .. } => exit_code::FAILURES,
            Self::Tls { .. } => exit_code::USAGE,
        }
    }
}

/// A port that is open and not served yet.
pub struct Site {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    settings: WebSettings,
}

/// A site that is being served.
#[derive(Debug)]
pub struct Serving {
    closing: watch::Sender<()>,
    server: JoinHandle<()>,
}

impl Site {
    /// Opens the port.
    ///
    /// # Errors
    /// The port or the certificate cannot be used.
    pub async fn open(settings: &WebSettings) -> Result<Self, SiteError> {
        let tls = settings.tls.as_ref().map(acceptor).transpose()?;
        let (host, port) = (settings.host.clone(), settings.port);
        let bound = listener::bind(&host, port).await;
        let listener = bound.map_err(|error| SiteError::Bind { host, port, cause: error.into_cause() })?;
        Ok(Self { listener, tls, settings: settings.clone() })
    }

    /// Serves it until told to stop.
    pub fn serve(self, parts: Parts) -> Serving {
        if let Ok(address) = self.listener.local_addr() {
            tracing::info!("Starting web interface at {}", self.address(address));
        }
        let (closing, closed) = watch::channel(());
        let router = router(State::new(parts, self.settings, closed.clone()));
        let server = tokio::spawn(accept_all(self.listener, self.tls, router, closed));
        Serving { closing, server }
    }

    /// Where people find it.
    fn address(&self, bound: SocketAddr) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let host = match (&self.settings.display_name, bound.ip()) {
            (Some(name), _) => name.clone(),
            (None, ip) if ip.is_unspecified() => "localhost".to_owned(),
            (None, ip) if ip.is_ipv6() => format!("[{ip}]"),
            (None, ip) => ip.to_string(),
        };
        format!("{scheme}://{host}:{}{}/", bound.port(), self.settings.base_path)
    }
}

impl std::fmt::Debug for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Site").field("listener", &self.listener).finish_non_exhaustive()
    }
}

impl Serving {
    /// Closes the site: streams end, and answers that are under way have a second.
    pub async fn stop(self) {
        drop(self.closing);
        if self.server.await.is_err() {
            tracing::error!("The server of the web page panicked");
        }
    }
}

fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, SiteError> {
    let bad = |option, path: &PathBuf, reason: String| SiteError::Tls { option, path: path.clone(), reason };
    let chain = CertificateDer::pem_file_iter(&files.cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| bad("--tls-cert", &files.cert, error.to_string()))?;
    if chain.is_empty() {
        return Err(bad("--tls-cert", &files.cert, "there is no certificate in it".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| bad("--tls-key", &files.key, error.to_string()))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| bad("--tls-cert", &files.cert, error.to_string()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn accept_all(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    mut closed: watch::Receiver<()>,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let next = async {
            let place = places.clone().acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            next = next => next,
            _ = closed.changed() => break,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, _)) => {
                let (tls, router, closed) = (tls.clone(), router.clone(), closed.clone());
                connections.spawn(async move {
                    let _place = place;
                    serve_stream(stream, tls, router, closed).await;
                });
            }
            Err(error) => {
                tracing::warn!("The web page cannot take a further connection: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    let all_ended = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(CLOSING_TIMEOUT, all_ended).await;
}

async fn serve_stream(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    router: Router,
    closed: watch::Receiver<()>,
) {
    let _ = stream.set_nodelay(true);
    limit_unread(&stream);
    match tls {
        None => serve_http(stream, router, closed).await,
        Some(tls) => match tokio::time::timeout(HEAD_TIMEOUT, tls.accept(stream)).await {
            Ok(Ok(stream)) => serve_http(stream, router, closed).await,
            Ok(Err(error)) => tracing::debug!("A browser and the web page did not agree on TLS: {error}"),
            Err(_) => tracing::debug!("A client did not finish its TLS handshake"),
        },
    }
}

async fn serve_http(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    router: Router,
    mut closed: watch::Receiver<()>,
) {
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_MAX)
        .max_headers(HEADERS_MAX);
    let mut connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let served = tokio::select! {
        served = poll_fn(|context| connection.poll_without_shutdown(context)) => served,
        () = async { while closed.changed().await.is_ok() {} } => {
            Pin::new(&mut connection).graceful_shutdown();
            poll_fn(|context| connection.poll_without_shutdown(context)).await
        }
    };
    let parts = connection.into_parts();
    let mut stream = parts.io.into_inner();
    let is_late = served.is_err_and(|error| error.is_timeout());
    if is_late && !parts.read_buf.is_empty() {
        let answer = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        let _ = stream.write_all(answer).await;
    }
    let _ = tokio::time::timeout(HEAD_TIMEOUT, stream.shutdown()).await;
}

/// Has the kernel end a connection whose other end does not read (`TCP_USER_TIMEOUT`, RFC 5482).
fn limit_unread(stream: &TcpStream) {
    #[cfg(target_os = "linux")]
    {
        let millis = u32::try_from(UNREAD_TIMEOUT.as_millis()).unwrap_or(u32::MAX);
        if let Err(error) = rustix::net::sockopt::set_tcp_user_timeout(stream, millis) {
            tracing::debug!("A connection of the web page has no timeout for what is not read: {error}");
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (stream, UNREAD_TIMEOUT);
}
