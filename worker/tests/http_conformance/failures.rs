//! What targets do wrong, and the words in which failures are grouped.

use std::time::Duration;

use sentinel_worker::http::HttpRequest;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};

use super::path::{Path, User, get};
use super::target::{Reply, Target, misbehaving, read_head, read_to_end};

const NO_ANSWER: &str = "RemoteDisconnected('Remote end closed connection without response')";
const BROKEN_OFF: &str = "IncompleteRead('the connection ended within the answer')";

/// As short as a test can be that waits for it.
const SHORT: Duration = Duration::from_millis(100);

/// The words for two targets that treat connections as `behave` does. They differ in address, so the words must not.
async fn failure<P: Path, F>(behave: impl Fn(TcpStream) -> F + Copy + Send + 'static) -> String
where
    F: Future<Output = ()> + Send + 'static,
{
    let user = User::<P>::new();
    let one = user.failure(format!("http://{}/", misbehaving(behave).await)).await;
    let other = user.failure(format!("http://{}/other?x=1", misbehaving(behave).await)).await;
    assert_eq!(one, other);
    one
}

/// The words for a target that answers with `answer` and closes.
async fn failure_after<P: Path>(answer: &'static str) -> String {
    failure::<P, _>(move |mut stream| async move {
        let _ = read_head(&mut stream).await;
        let _ = stream.write_all(answer.as_bytes()).await;
        let _ = stream.shutdown().await;
        read_to_end(stream).await;
    })
    .await
}

/// The words for a target that answers with `answer`, over a connection that is there already, and then says nothing
/// more.
async fn failure_in_time<P: Path>(answer: &'static str) -> String {
    let target = Target::start(move |received| match received.target.as_str() {
        "/slow" => Reply::raw(answer).hang(),
        _ => Reply::ok(""),
    })
    .await;
    let user = User::<P>::new();
    user.get(target.url("/")).await;
    let request = HttpRequest { timeout: SHORT, ..get(target.url("/slow")) };
    let words = user.send(request).await.expect_err("it takes too long");
    assert_eq!(target.connections(), 1);
    words
}

pub async fn a_refused_connection_is_named<P: Path>() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let words = User::<P>::new().failure(format!("http://{address}/")).await;
    assert_eq!(words, "ConnectionRefusedError(111, 'Connection refused')");
}

pub async fn an_unknown_name_is_named<P: Path>() {
    let user = User::<P>::new();
    for url in ["http://shop.invalid/", "http://other.invalid:81/x"] {
        assert_eq!(user.failure(url).await, "gaierror(-2, 'Name or service not known')");
    }
}

pub async fn a_reset_connection_is_named<P: Path>() {
    let reset = |stream: &TcpStream| stream.set_zero_linger().unwrap();
    let words = failure::<P, _>(move |mut stream| async move {
        let _ = read_head(&mut stream).await;
        reset(&stream);
    })
    .await;
    assert_eq!(words, "ConnectionResetError(104, 'Connection reset by peer')");
    let words = failure::<P, _>(move |mut stream| async move {
        let _ = read_head(&mut stream).await;
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 32 << 20);
        let _ = stream.write_all(head.as_bytes()).await;
        // More than can be on the way, so the user has read some of it before the connection is reset.
        let _ = stream.write_all(&vec![0; 16 << 20]).await;
        reset(&stream);
    })
    .await;
    assert_eq!(words, "ConnectionResetError(104, 'Connection reset by peer')");
}

pub async fn a_connection_closed_without_an_answer_is_named<P: Path>() {
    assert_eq!(failure_after::<P>("").await, NO_ANSWER);
    assert_eq!(failure_after::<P>("HTTP/1.1 200 OK\r\nContent-Le").await, NO_ANSWER);
    assert_eq!(failure_after::<P>("HTTP/1.1 100 Continue\r\n\r\n").await, NO_ANSWER);
}

pub async fn a_connection_closed_before_the_request_is_named<P: Path>() {
    let words = failure::<P, _>(|mut stream| async move {
        let _ = stream.shutdown().await;
        read_to_end(stream).await;
    })
    .await;
    assert_eq!(words, NO_ANSWER);
}

pub async fn an_answer_that_breaks_off_is_named<P: Path>() {
    let check = async |answer| assert_eq!(failure_after::<P>(answer).await, BROKEN_OFF, "{answer:?}");
    check("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf").await;
    check("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n").await;
    check("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    check("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5").await;
    check("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe").await;
    check("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n").await;
    check("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n").await;
}

pub async fn what_is_not_http_is_named<P: Path>() {
    let check =
        async |answer, expected: &str| assert_eq!(failure_after::<P>(answer).await, expected, "{answer:?}");
    check("SSH-2.0-OpenSSH_9.6\r\n\r\n", "ConnectionError('invalid HTTP version parsed')").await;
    check("\x15\x03\x01\x00\x02\x02\x46", "ConnectionError('invalid HTTP version parsed')").await;
    check("HTTP/3.0 200 OK\r\n\r\n", "ConnectionError('invalid HTTP version parsed')").await;
    check("HTTP/1.1 abc OK\r\n\r\n", "ConnectionError('invalid HTTP status-code parsed')").await;
    check("HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "ConnectionError('invalid HTTP header parsed')").await;
    check(
        "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        "ConnectionError('invalid content-length parsed')",
    )
    .await;
    check(
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "ConnectionError('invalid content-length parsed')",
    )
    .await;
    check(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nmany\r\n",
        "ConnectionError('Invalid chunk size line: missing size digit')",
    )
    .await;
}

pub async fn large_heads_are_read_and_huge_ones_are_not<P: Path>() {
    let head = |lines: usize, bytes: usize| {
        let line = |number| format!("X-{number}: {}\r\n", "x".repeat(bytes));
        let lines: String = (0..lines).map(line).collect();
        Reply::with("200 OK", &lines, "")
    };
    let target = Target::start(move |received| match received.target.as_str() {
        "/large" => head(90, 1000),
        "/huge" => head(90, 10_000),
        _ => head(200, 1),
    })
    .await;
    let user = User::<P>::new();
    assert_eq!(user.get(target.url("/large")).await.headers["x-89"].len(), 1000);
    for path in ["/huge", "/many"] {
        assert_eq!(
            user.failure(target.url(path)).await,
            "ConnectionError('message head is too large')",
            "{path}"
        );
    }
}

pub async fn a_head_that_takes_too_long_is_given_up<P: Path>() {
    for answer in ["", "HTTP/1.1 200 OK\r\nX-Slow:", "HTTP/1.1 100 Continue\r\n\r\n"] {
        assert_eq!(failure_in_time::<P>(answer).await, "ReadTimeout('timed out')", "{answer:?}");
    }
}

pub async fn a_body_that_takes_too_long_is_given_up<P: Path>() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\n\r\nhello",
        "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 5\r\n\r\n",
    ] {
        assert_eq!(failure_in_time::<P>(answer).await, "ReadTimeout('timed out')", "{answer:?}");
    }
}

pub async fn the_deadline_is_that_of_the_whole_answer<P: Path>() {
    let address = misbehaving(|mut stream| async move {
        let _ = read_head(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
        let _ = read_head(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        // It says something long before each pause becomes too long.
        while stream.write_all(b"1\r\nx\r\n").await.is_ok() {
            tokio::time::sleep(SHORT / 10).await;
        }
    })
    .await;
    let (user, url) = (User::<P>::new(), format!("http://{address}/"));
    user.get(&url).await;
    let request = HttpRequest { timeout: SHORT, ..get(url) };
    let words = user.send(request).await.expect_err("it never ends");
    assert_eq!(words, "ReadTimeout('timed out')");
}

pub async fn a_connection_that_takes_too_long_is_given_up<P: Path>() {
    let address = misbehaving(read_to_end).await;
    // Its handshake is never answered.
    let request = HttpRequest { timeout: SHORT, ..get(format!("https://{address}/")) };
    let words = User::<P>::new().send(request).await.expect_err("there is no connection");
    assert_eq!(words, "ConnectTimeout('timed out')");
}

pub async fn a_user_goes_on_after_any_failure<P: Path>() {
    let target = Target::start(|received| match received.target.as_str() {
        "/silent" => Reply::raw("").hang(),
        "/closed" => Reply::raw("").close(),
        "/half" => Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe").close(),
        "/garbage" => Reply::raw("garbage\r\n\r\n"),
        _ => Reply::ok("fine"),
    })
    .await;
    let user = User::<P>::new();
    for path in ["/silent", "/closed", "/half", "/garbage"] {
        let request = HttpRequest { timeout: SHORT, ..get(target.url(path)) };
        assert!(user.send(request).await.is_err(), "{path}");
        assert_eq!(user.text(target.url("/")).await, "fine", "{path}");
    }
}

pub async fn a_request_that_is_dropped_ends_its_connection<P: Path>() {
    let (target, user) = (Target::start(|_| Reply::raw("").hang()).await, User::<P>::new());
    let request = HttpRequest { timeout: SHORT, ..get(target.url("/")) };
    assert!(user.send(request).await.is_err());
    target.closed(1).await;
}
