//! What goes out: methods, URLs, headers, bodies.

use sentinel_common::http::HttpSettings;
use sentinel_worker::http::HttpRequest;

use super::path::{Path, User, get, request, with_header};
use super::target::{Reply, Target};

async fn echo() -> Target {
    Target::start(|received| match received.method.as_str() {
        "HEAD" => Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        _ => Reply::ok(&received.body),
    })
    .await
}

pub async fn every_method_is_sent_as_it_is<P: Path>() {
    let (target, user) = (echo().await, User::<P>::new());
    let methods = [
        "GET", "HEAD", "OPTIONS", "DELETE", "POST", "PUT", "PATCH", "TRACE", "PROPFIND", "M-SEARCH", "lower",
    ];
    for method in methods {
        assert_eq!(user.send(request(method, target.url("/"))).await.unwrap().status, 200, "{method}");
    }
    let seen: Vec<String> = target.requests().into_iter().map(|request| request.method).collect();
    assert_eq!(seen, methods);
}

pub async fn path_and_query_are_sent_as_written_and_fragments_are_not<P: Path>() {
    let (target, user) = (echo().await, User::<P>::new());
    let check = async |written: &str, expected: &str| {
        user.get(target.url(written)).await;
        assert_eq!(target.last().target, expected);
    };
    check("", "/").await;
    check("/a%20b/%C3%A9?x=1&x=%2F+2", "/a%20b/%C3%A9?x=1&x=%2F+2").await;
    check("/a b?c d", "/a%20b?c%20d").await;
    check("/a?b#c", "/a?b").await;
    check("?b", "/?b").await;
}

pub async fn every_request_has_the_usual_headers<P: Path>() {
    let (target, user) = (echo().await, User::<P>::new());
    user.get(target.url("/")).await;
    let seen = target.last();
    let agent = concat!("sentinel/", env!("CARGO_PKG_VERSION"));
    assert_eq!(seen.header("host"), Some(target.address.to_string().as_str()));
    assert_eq!(seen.header("user-agent"), Some(agent));
    assert_eq!(seen.header("accept"), Some("*/*"));
    assert_eq!(seen.header("accept-encoding"), Some("gzip, br, zstd, deflate"));
    assert_eq!(seen.headers.len(), 4, "{seen:?}");
}

pub async fn a_requests_own_headers_replace_the_usual_ones<P: Path>() {
    let (target, user) = (echo().await, User::<P>::new());
    let mut request = get(target.url("/"));
    let own = [
        ("user-agent", "mine"),
        ("accept", "text/html"),
        ("accept-encoding", "identity"),
        ("host", "elsewhere.test"),
        ("x-twice", "1"),
        ("x-twice", "2"),
    ];
    for (name, value) in own {
        request = with_header(request, name, value);
    }
    user.send(request).await.unwrap();
    let seen = target.last();
    for (name, value) in &own[..4] {
        assert_eq!(seen.all(name), [*value]);
    }
    assert_eq!(seen.all("x-twice"), ["1", "2"]);
}

pub async fn without_compression_none_is_asked_for<P: Path>() {
    let target = echo().await;
    let user = User::<P>::with(&HttpSettings { compression: false, ..HttpSettings::default() });
    user.get(target.url("/")).await;
    assert_eq!(target.last().header("accept-encoding"), None);
}

pub async fn bodies_of_every_size_arrive_and_come_back<P: Path>() {
    let (target, user) = (echo().await, User::<P>::new());
    for size in [0, 1, 2, 1023, 64 << 10, (1 << 20) + 1, 5 << 20] {
        let body: Vec<u8> = (0..size).map(|index| (index % 251) as u8).collect();
        let request = HttpRequest { body: Some(body.clone().into()), ..request("POST", target.url("/")) };
        let answer = user.send(request).await.unwrap();
        assert!(answer.body == body, "{size} bytes");
        assert_eq!(target.last().header("content-length"), Some(size.to_string().as_str()));
        assert_eq!(target.last().header("transfer-encoding"), None);
    }
    assert_eq!(target.connections(), 1);
}

pub async fn a_missing_body_has_a_length_where_one_could_be<P: Path>() {
    let (target, user) = (echo().await, User::<P>::new());
    for (method, expected) in [("GET", None), ("HEAD", None), ("POST", Some("0")), ("PUT", Some("0"))] {
        user.send(request(method, target.url("/"))).await.unwrap();
        assert_eq!(target.last().header("content-length"), expected, "{method}");
    }
}

pub async fn credentials_in_a_url_become_basic_authentication<P: Path>() {
    let (target, user) = (echo().await, User::<P>::new());
    let url = |credentials: &str| format!("http://{credentials}@{}/x", target.address);
    let answer = user.get(url("me:p%40ss")).await;
    assert_eq!(answer.url, target.url("/x"));
    assert_eq!(target.last().header("authorization"), Some("Basic bWU6cEBzcw=="));
    assert_eq!(target.last().target, "/x");
    let own = with_header(get(url("me:pass")), "authorization", "Bearer token");
    user.send(own).await.unwrap();
    assert_eq!(target.last().all("authorization"), ["Bearer token"]);
}

pub async fn what_is_no_url_of_http_is_not_sent<P: Path>() {
    let user = User::<P>::new();
    let check = async |url: &str, expected: &str| assert_eq!(user.failure(url).await, expected, "{url}");
    check("nonsense", "InvalidURL('relative URL without a base')").await;
    check("http://", "InvalidURL('empty host')").await;
    check("http://127.0.0.1:99999/", "InvalidURL('invalid port number')").await;
    check("ftp://shop.test/", "InvalidSchema('No connection adapters were found')").await;
    check("mailto:me", "InvalidSchema('No connection adapters were found')").await;
}
