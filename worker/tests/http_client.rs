//! The HTTP client over real sockets: what targets do, and the words in which failures are grouped.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::header::HeaderMap;
use sentinel_common::scenario::Method;
use sentinel_worker::http::{ClientFactory as _, HttpClient as _, HttpRequest, HttpResponse, ReqwestFactory};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A target that answers every request on every connection with `answer`, which sees the request's head.
async fn target(answer: impl Fn(&str) -> String + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, answer.clone()));
        }
    });
    address
}

async fn serve(mut stream: TcpStream, answer: impl Fn(&str) -> String) {
    let mut head = Vec::new();
    loop {
        let mut byte = [0];
        match stream.read(&mut byte).await {
            Ok(1) => head.push(byte[0]),
            _ => return,
        }
        if head.ends_with(b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&std::mem::take(&mut head)).into_owned();
            let reply = answer(&text);
            if stream.write_all(reply.as_bytes()).await.is_err() || reply.contains("Connection: close") {
                return;
            }
        }
    }
}

fn ok(headers: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len())
}

fn get(url: String) -> HttpRequest {
    HttpRequest {
        method: Method::Get,
        url,
        headers: HeaderMap::new(),
        body: None,
        timeout: Duration::from_secs(10),
    }
}

async fn fetch(url: String) -> Result<HttpResponse, String> {
    let client = ReqwestFactory::new().unwrap().client();
    client.exchange(get(url)).await.map_err(|error| error.to_string())
}

/// The words for a failure at an address where `behave` treats connections.
async fn failure(behave: impl AsyncFn(TcpStream) + Clone + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let local = tokio::task::LocalSet::new();
    local.spawn_local(async move {
        while let Ok((stream, _)) = listener.accept().await {
            behave(stream).await;
        }
    });
    local.run_until(fetch(format!("http://{address}/"))).await.expect_err("the target misbehaves")
}

#[tokio::test]
async fn an_answer_is_read_to_its_end() {
    let address = target(|_| ok("", "hello")).await;
    let answer = fetch(format!("http://{address}/")).await.unwrap();
    assert_eq!((answer.status, answer.body.as_slice()), (200, b"hello".as_slice()));
}

#[tokio::test]
async fn a_user_keeps_its_cookies_and_no_one_elses() {
    let address = target(|head| match head.contains("cookie: session=7") {
        true => ok("", "known"),
        false => ok("Set-Cookie: session=7\r\n", "new"),
    })
    .await;
    let factory = ReqwestFactory::new().unwrap();
    let (one, other) = (factory.client(), factory.client());
    let url = format!("http://{address}/");
    let body = async |client: &sentinel_worker::http::ReqwestClient| {
        String::from_utf8(client.exchange(get(url.clone())).await.unwrap().body).unwrap()
    };
    assert_eq!(
        (body(&one).await, body(&one).await, body(&other).await),
        ("new".into(), "known".into(), "new".into())
    );
}

#[tokio::test]
async fn redirects_are_followed_up_to_a_limit() {
    let address = target(|head| match head.starts_with("GET /end ") {
        true => ok("", "arrived"),
        false if head.starts_with("GET /loop ") => {
            "HTTP/1.1 302 Found\r\nLocation: /loop\r\nContent-Length: 0\r\n\r\n".to_owned()
        }
        false => "HTTP/1.1 302 Found\r\nLocation: /end\r\nContent-Length: 0\r\n\r\n".to_owned(),
    })
    .await;
    assert_eq!(fetch(format!("http://{address}/")).await.unwrap().body, b"arrived");
    let error = fetch(format!("http://{address}/loop")).await.unwrap_err();
    assert_eq!(error, "TooManyRedirects('Exceeded 30 redirects.')");
}

#[tokio::test]
async fn a_refused_connection_is_named_as_locust_names_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = fetch(format!("http://{address}/")).await.unwrap_err();
    assert_eq!(error, "ConnectionRefusedError(111, 'Connection refused')");
}

#[tokio::test]
async fn a_connection_closed_without_an_answer_is_named() {
    let error = failure(async |mut stream| {
        let mut request = [0; 1024];
        let _ = stream.read(&mut request).await;
    })
    .await;
    assert_eq!(error, "RemoteDisconnected('Remote end closed connection without response')");
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_named() {
    let error = failure(async |mut stream| {
        let mut request = [0; 1024];
        let _ = stream.read(&mut request).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf").await;
    })
    .await;
    assert!(error.starts_with("IncompleteRead("), "{error}");
}

#[tokio::test]
async fn a_timeout_is_named_and_has_no_url_in_it() {
    let address = target(|_| String::new()).await;
    let client = ReqwestFactory::new().unwrap().client();
    let request = HttpRequest { timeout: Duration::from_millis(100), ..get(format!("http://{address}/")) };
    assert_eq!(client.exchange(request).await.unwrap_err().to_string(), "ReadTimeout('timed out')");
}

#[tokio::test]
async fn failures_have_no_address_in_them() {
    for url in ["http://does-not-exist.invalid/", "http://127.0.0.1:1/", "http://[::1]:1/x?y=1"] {
        let error = fetch(url.to_owned()).await.unwrap_err();
        assert!(
            !error.contains("invalid") && !error.contains("127.0.0.1") && !error.contains("::1"),
            "{error}"
        );
    }
}
