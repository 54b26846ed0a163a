//! Answers as HTTP/1.1 frames them, in every way that it allows.

use sentinel_worker::http::HttpRequest;
use tokio::io::AsyncWriteExt as _;

use super::path::{Path, User, request};
use super::target::{Reply, Target, misbehaving, read_head, read_to_end};

/// The most that a body may have.
const LIMIT: usize = 64 << 20;

/// What a user makes of an answer: its status and its text. A second answer must come over the same connection.
async fn check<P: Path>(answer: impl Into<String>, status: u16, body: &str) {
    let answer = answer.into();
    let sent = answer.clone();
    let (target, user) = (Target::start(move |_| Reply::raw(sent.clone())).await, User::<P>::new());
    for _ in 0..2 {
        let received = user.get(target.url("/")).await;
        assert_eq!((received.status, received.body), (status, body.to_owned().into()), "{answer:?}");
    }
    assert_eq!(target.connections_used(), [0, 0], "{answer:?}");
}

pub async fn an_answer_is_read_to_its_end<P: Path>() {
    check::<P>("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello").await;
    check::<P>("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, "").await;
    check::<P>("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", 404, "no").await;
    check::<P>("HTTP/1.1 599 \r\nContent-Length: 2\r\n\r\nno", 599, "no").await;
    check::<P>("HTTP/1.1 200\r\ncontent-length:5\r\n\r\nhello", 200, "hello").await;
}

pub async fn headers_are_handed_over<P: Path>() {
    let head =
        "HTTP/1.1 200 OK\r\nX-One: 1\r\nx-two:  2 \r\nX-TWO: 3\r\nX-Odd: \u{e9}\r\nContent-Length: 0\r\n\r\n";
    let target = Target::start(move |_| Reply::raw(head)).await;
    let headers = User::<P>::new().get(target.url("/")).await.headers;
    let twos: Vec<&str> = headers.get_all("x-two").iter().map(|value| value.to_str().unwrap()).collect();
    assert_eq!((headers["x-one"].to_str().unwrap(), twos), ("1", vec!["2", "3"]));
    assert_eq!(headers["x-odd"].as_bytes(), "\u{e9}".as_bytes());
}

pub async fn chunks_are_joined<P: Path>() {
    let chunked = |chunks: &str| format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
    check::<P>(chunked("5\r\nhello\r\n0\r\n\r\n"), 200, "hello").await;
    check::<P>(chunked("2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"), 200, "hello").await;
    check::<P>(chunked("0\r\n\r\n"), 200, "").await;
    check::<P>(chunked("000A\r\n0123456789\r\n0\r\n\r\n"), 200, "0123456789").await;
    check::<P>(chunked("5;name=value;flag\r\nhello\r\n0;last\r\n\r\n"), 200, "hello").await;
    check::<P>(chunked("5\r\nhello\r\n0\r\nX-Sum: 1\r\nX-Other: 2\r\n\r\n"), 200, "hello").await;
}

pub async fn statuses_without_a_body_have_none<P: Path>() {
    check::<P>("HTTP/1.1 204 No Content\r\n\r\n", 204, "").await;
    check::<P>("HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n", 304, "").await;
    check::<P>("HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", 304, "").await;
}

pub async fn interim_answers_are_passed_over<P: Path>() {
    let last = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    check::<P>(format!("HTTP/1.1 100 Continue\r\n\r\n{last}"), 200, "hello").await;
    check::<P>(format!("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n{last}"), 200, "hello").await;
    let several =
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 X\r\nA: b\r\n\r\n";
    check::<P>(format!("{several}{last}"), 200, "hello").await;
}

pub async fn the_answer_to_head_has_no_body<P: Path>() {
    for length in ["Content-Length: 5", "Transfer-Encoding: chunked"] {
        let answer = format!("HTTP/1.1 200 OK\r\n{length}\r\n\r\n");
        let (target, user) = (Target::start(move |_| Reply::raw(answer.clone())).await, User::<P>::new());
        for _ in 0..2 {
            let answer = user.send(request("HEAD", target.url("/"))).await.unwrap();
            let (name, value) = length.split_once(": ").unwrap();
            assert_eq!((answer.body.len(), answer.headers[name].to_str().unwrap()), (0, value));
        }
        assert_eq!(target.connections_used(), [0, 0]);
    }
}

pub async fn a_body_may_end_with_its_connection<P: Path>() {
    let answer = "HTTP/1.1 200 OK\r\n\r\nhello";
    let (target, user) = (Target::start(move |_| Reply::raw(answer).close()).await, User::<P>::new());
    assert_eq!(user.text(target.url("/")).await, "hello");
}

pub async fn bytes_may_come_one_by_one<P: Path>() {
    let address = misbehaving(|mut stream| async move {
        stream.set_nodelay(true).unwrap();
        let _ = read_head(&mut stream).await;
        let answer =
            "HTTP/1.1 103 X\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
        for byte in answer.bytes() {
            let _ = stream.write_all(&[byte]).await;
            tokio::task::yield_now().await;
        }
        read_to_end(stream).await;
    })
    .await;
    assert_eq!(User::<P>::new().text(format!("http://{address}/")).await, "hi");
}

pub async fn bytes_behind_an_answer_are_no_answer<P: Path>() {
    let answer =
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 500 Smuggled\r\nContent-Length: 0\r\n\r\n";
    let (target, user) = (Target::start(move |_| Reply::raw(answer)).await, User::<P>::new());
    for _ in 0..3 {
        let answer = user.get(target.url("/")).await;
        assert_eq!((answer.status, answer.body.as_ref()), (200, b"hi".as_slice()));
    }
    assert_eq!(target.connections_used(), [0, 1, 2]);
}

pub async fn an_answer_may_come_before_the_request_was_read<P: Path>() {
    let address = misbehaving(|mut stream| async move {
        let _ = read_head(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno").await;
        read_to_end(stream).await;
    })
    .await;
    let request =
        HttpRequest { body: Some(vec![0; 8 << 20].into()), ..request("POST", format!("http://{address}/")) };
    let answer = User::<P>::new().send(request).await.unwrap();
    assert_eq!((answer.status, answer.body.as_ref()), (413, b"no".as_slice()));
}

pub async fn bodies_are_read_up_to_a_limit<P: Path>() {
    let target = Target::start(|received| {
        let over: usize = received.target[1..].parse().unwrap();
        Reply::ok(vec![0; LIMIT + over]).close()
    })
    .await;
    let user = User::<P>::new();
    assert_eq!(user.get(target.url("/0")).await.body.len(), LIMIT);
    assert_eq!(user.failure(target.url("/1")).await, "ResponseTooLarge('more than 64 MiB')");
}

pub async fn a_body_without_an_end_is_given_up<P: Path>() {
    let address = misbehaving(|mut stream| async move {
        let _ = read_head(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        let chunk = [b"100000\r\n".as_slice(), &[0; 1 << 20], b"\r\n"].concat();
        while stream.write_all(&chunk).await.is_ok() {}
    })
    .await;
    let words = User::<P>::new().failure(format!("http://{address}/")).await;
    assert_eq!(words, "ResponseTooLarge('more than 64 MiB')");
}
