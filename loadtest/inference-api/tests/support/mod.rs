//! A running server on a free port, a client for it, and valid input.

// Each test binary uses its own part of this.
#![allow(dead_code)]

use std::net::SocketAddr;
use std::time::Duration;

use inference_api::{Config, serve};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// The bound on every wait.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// An embedded server. It stops when this is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    client: reqwest::Client,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Server {
    pub(crate) async fn start(config: Config) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound address");
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(serve(listener, config, async {
            let _ = stopped.await;
        }));
        let client = reqwest::Client::builder().timeout(PATIENCE).no_proxy().build().expect("a client");
        Server { address, client, stop, serving }
    }

    /// Begins the shutdown and hands over what `serve` will return.
    pub(crate) fn stop(self) -> JoinHandle<std::io::Result<()>> {
        let _ = self.stop.send(());
        self.serving
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        answer(self.client.get(self.url(path))).await
    }

    pub(crate) async fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> (StatusCode, Value) {
        answer(self.client.post(self.url(path)).body(body)).await
    }

    /// Posts valid input to `/predict` and returns the status.
    pub(crate) async fn predict(&self) -> StatusCode {
        self.post("/predict", transaction().to_string()).await.0
    }

    pub(crate) async fn request(&self, method: &str, path: &str) -> reqwest::Response {
        let method = method.parse().expect("a method");
        self.client.request(method, self.url(path)).send().await.expect("an answer")
    }

    pub(crate) async fn metrics(&self) -> Metrics {
        let response = self.request("GET", "/metrics").await;
        assert_eq!(response.status(), StatusCode::OK);
        Metrics(response.text().await.expect("metrics text"))
    }
}

/// Sends the request; the answer must be JSON and say so.
async fn answer(request: reqwest::RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.expect("an answer");
    let (status, content_type) = (response.status(), response.headers().get("content-type").cloned());
    assert_eq!(content_type.expect("a content type"), "application/json");
    (status, response.json().await.expect("JSON"))
}

/// A scrape.
pub(crate) struct Metrics(pub(crate) String);

impl Metrics {
    /// The value of one series, written as in the text; `None` when it is not there.
    pub(crate) fn value(&self, series: &str) -> Option<f64> {
        let line = self.0.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map(|value| value.parse().expect("a number"))
    }

    pub(crate) fn requests(&self, path: &str, status: u16) -> Option<f64> {
        self.value(&format!("sentinel_requests_total{{path=\"{path}\",status=\"{status}\"}}"))
    }

    pub(crate) fn predictions(&self, result: &str) -> Option<f64> {
        self.value(&format!("sentinel_predictions_total{{result=\"{result}\"}}"))
    }
}

/// An unsuspicious transaction.
pub(crate) fn transaction() -> Value {
    let mut transaction = json!({ "time": 1, "amount": 20.5 });
    for n in 1..=28 {
        transaction[format!("V{n}")] = json!(0.25);
    }
    transaction
}

/// A transaction that the model takes for a fraud.
pub(crate) fn fraud() -> Value {
    let mut transaction = transaction();
    transaction["V14"] = json!(-6.0);
    transaction["V12"] = json!(-4);
    transaction
}

/// A connection without an HTTP client, for what a client would not do.
pub(crate) struct Raw(TcpStream);

impl Raw {
    pub(crate) async fn connect(server: &Server) -> Raw {
        Raw(TcpStream::connect(server.address).await.expect("a connection"))
    }

    /// Sends the head of a `/predict` request and returns when its handler asks for the body.
    pub(crate) async fn begin_predict(&mut self, body: &str) {
        let length = body.len();
        let head = format!(
            "POST /predict HTTP/1.1\r\nhost: test\r\nexpect: 100-continue\r\ncontent-length: {length}\r\n\r\n"
        );
        self.send(head.as_bytes()).await;
        let interim = self.read_until("\r\n\r\n").await;
        assert!(interim.starts_with("HTTP/1.1 100 Continue"), "{interim}");
    }

    pub(crate) async fn send(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            self.0.writable().await.expect("an open connection");
            match self.0.try_write(bytes) {
                Ok(sent) => bytes = &bytes[sent..],
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => panic!("the server closed the connection: {error}"),
            }
        }
    }

    /// Reads until the text contains `end`, or until the server closes the connection.
    pub(crate) async fn read_until(&mut self, end: &str) -> String {
        let reading = async {
            let mut text = Vec::new();
            let mut buffer = [0; 4096];
            loop {
                self.0.readable().await.expect("an open connection");
                match self.0.try_read(&mut buffer) {
                    Ok(0) => break,
                    Ok(count) => text.extend_from_slice(&buffer[..count]),
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                    Err(error) => panic!("the server reset the connection: {error}"),
                }
                if String::from_utf8_lossy(&text).contains(end) {
                    break;
                }
            }
            String::from_utf8_lossy(&text).into_owned()
        };
        tokio::time::timeout(PATIENCE, reading).await.expect("the server answers in time")
    }
}
