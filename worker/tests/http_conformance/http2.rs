//! HTTP/2: how it is agreed on, and what it does differently.

use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use http::{Request, Version};
use sentinel_common::http::{ConnectionSettings, HttpSettings, HttpVersion, Reuse};
use sentinel_worker::http::{HttpClient as _, HttpRequest};
use tokio::io::AsyncWriteExt as _;

use super::authority::{Authority, BOTH, H1, H2};
use super::h2_target::{H2Reply, H2Target, LAST, Welcome};
use super::path::{Path, User, get, request, with_header};
use super::target::{Reply, Target, misbehaving, read_head, read_to_end};

fn echo(request: &Request<Bytes>) -> H2Reply {
    H2Reply::Ok(request.body().clone())
}

fn version(version: HttpVersion) -> HttpSettings {
    HttpSettings { version, ..HttpSettings::default() }
}

fn user<P: Path>() -> User<P> {
    User::with(&version(HttpVersion::Http2))
}

fn user_with<P: Path>(connection: ConnectionSettings) -> User<P> {
    User::with(&HttpSettings { connection, ..version(HttpVersion::Http2) })
}

/// The words for targets that answer every request with `reply`, and how often one of them was asked.
async fn failure<P: Path>(reply: impl Fn() -> H2Reply + Copy + Send + Sync + 'static) -> (String, usize) {
    let target = H2Target::start(move |_| reply()).await;
    let words = user::<P>().failure(target.url("/")).await;
    (words, target.requests().len())
}

pub async fn prior_knowledge_needs_no_tls<P: Path>() {
    let (target, user) = (H2Target::start(echo).await, user::<P>());
    for _ in 0..3 {
        assert_eq!(user.get(target.url("/x?y")).await.status, 200);
    }
    let seen = target.requests();
    assert_eq!((seen[0].version(), seen[0].uri().to_string()), (Version::HTTP_2, target.url("/x?y")));
    assert_eq!(target.connections_used(), [0, 0, 0]);
}

pub async fn tls_agrees_on_the_newest_version_that_both_speak<P: Path>() {
    let authority = Authority::new();
    let trusting = |version| HttpSettings { version, ..authority.trusted() };
    let new = H2Target::start_tls(authority.acceptor(BOTH), echo).await;
    let old = Target::start_tls(authority.acceptor(H1), |_| Reply::ok("old")).await;
    let silent = Target::start_tls(authority.acceptor(&[]), |_| Reply::ok("silent")).await;
    let auto = User::<P>::with(&trusting(HttpVersion::Auto));
    assert_eq!(auto.get(new.url("/")).await.status, 200);
    assert_eq!(auto.text(old.url("/")).await, "old");
    assert_eq!(auto.text(silent.url("/")).await, "silent");
    let both = Target::start_tls(authority.acceptor(BOTH), |_| Reply::ok("1.1")).await;
    assert_eq!(User::<P>::with(&trusting(HttpVersion::Http1)).text(both.url("/")).await, "1.1");
    assert_eq!(User::<P>::with(&trusting(HttpVersion::Http2)).get(new.url("/")).await.status, 200);
}

pub async fn only_the_wanted_version_is_offered<P: Path>() {
    let authority = Authority::new();
    let check = async |version: HttpVersion, acceptor: &[&str]| {
        let target = Target::start_tls(authority.acceptor(acceptor), |_| Reply::ok("")).await;
        let user = User::<P>::with(&HttpSettings { version, ..authority.trusted() });
        assert_eq!(user.failure(target.url("/")).await, "SSLError('alert received: NoApplicationProtocol')");
    };
    check(HttpVersion::Http2, H1).await;
    check(HttpVersion::Http1, H2).await;
}

pub async fn without_tls_auto_means_the_old_version<P: Path>() {
    let target = Target::start(|_| Reply::ok("1.1")).await;
    assert_eq!(User::<P>::new().text(target.url("/")).await, "1.1");
}

pub async fn methods_headers_and_bodies_are_the_same<P: Path>() {
    let (target, user) = (H2Target::start(echo).await, user::<P>());
    for size in [0, 1, 100_000, 5 << 20] {
        let body = Bytes::from(vec![7; size]);
        let request = HttpRequest { body: Some(body.clone()), ..request("PROPFIND", target.url("/")) };
        let answer = user.send(with_header(request, "x-own", "1")).await.unwrap();
        assert!(answer.body == body, "{size}");
    }
    let seen = &target.requests()[1];
    assert_eq!((seen.method().as_str(), &seen.headers()["x-own"]), ("PROPFIND", &"1".parse().unwrap()));
    assert_eq!(seen.headers()["accept-encoding"], "gzip, br, zstd, deflate");
    let head = user.send(request("HEAD", target.url("/"))).await.unwrap();
    assert_eq!((head.status, head.body.len()), (200, 0));
}

pub async fn connections_have_the_same_lifetimes<P: Path>() {
    let check = async |connection: ConnectionSettings, expected: [usize; 4]| {
        let (target, user) = (H2Target::start(echo).await, user_with::<P>(connection));
        for _ in 0..2 {
            user.client.begin_iteration();
            user.get(target.url("/")).await;
            user.get(target.url("/")).await;
        }
        assert_eq!(target.connections_used(), expected, "{connection:?}");
    };
    let reuse = |reuse| ConnectionSettings { reuse, ..ConnectionSettings::default() };
    check(reuse(Reuse::User), [0, 0, 0, 0]).await;
    check(reuse(Reuse::Iteration), [0, 0, 1, 1]).await;
    check(reuse(Reuse::None), [0, 1, 2, 3]).await;
    check(ConnectionSettings { max_requests: Some(3), ..ConnectionSettings::default() }, [0, 0, 0, 1]).await;
}

pub async fn a_stream_that_is_reset_is_named<P: Path>() {
    let reset = |reason| move || H2Reply::Reset(reason);
    let words = failure::<P>(reset(Reason::INTERNAL_ERROR)).await;
    assert_eq!(words, ("StreamReset('HTTP/2: INTERNAL_ERROR')".to_owned(), 1));
    let words = failure::<P>(reset(Reason::CANCEL)).await;
    assert_eq!(words, ("StreamReset('HTTP/2: CANCEL')".to_owned(), 1));
    let words = failure::<P>(|| H2Reply::ResetWithin(Reason::INTERNAL_ERROR)).await;
    assert_eq!(words, ("StreamReset('HTTP/2: INTERNAL_ERROR')".to_owned(), 1));
}

pub async fn a_request_that_is_refused_has_failed<P: Path>() {
    let words = failure::<P>(|| H2Reply::Reset(Reason::REFUSED_STREAM)).await;
    assert_eq!(words, ("StreamReset('HTTP/2: REFUSED_STREAM')".to_owned(), 1));
}

pub async fn an_orderly_shutdown_costs_no_request<P: Path>() {
    let (target, user) = (H2Target::start(echo).await, user::<P>());
    for _ in 0..2 {
        assert_eq!(user.get(target.url("/")).await.status, 200);
        assert_eq!(user.get(target.url(LAST)).await.status, 200);
    }
    assert_eq!(target.connections_used(), [0, 0, 1, 1]);
    let target = H2Target::welcoming(Welcome::ShutDownFirst, echo).await;
    assert_eq!(user.get(target.url("/")).await.status, 200);
    assert_eq!(target.connections_used(), [1]);
}

pub async fn a_target_that_always_shuts_down_is_given_up<P: Path>() {
    let target = H2Target::welcoming(Welcome::Refuse(Reason::NO_ERROR), echo).await;
    let words = user::<P>().failure(target.url("/")).await;
    assert_eq!(words, "ConnectionTerminated('HTTP/2: NO_ERROR')");
}

pub async fn a_connection_that_is_terminated_is_named<P: Path>() {
    let target = H2Target::welcoming(Welcome::Refuse(Reason::ENHANCE_YOUR_CALM), echo).await;
    let user = user::<P>();
    for _ in 0..2 {
        let words = user.failure(target.url("/")).await;
        assert_eq!(words, "ConnectionTerminated('HTTP/2: ENHANCE_YOUR_CALM')");
    }
}

pub async fn a_slow_answer_is_given_up_and_its_connection_stays<P: Path>() {
    let target = H2Target::start(|request| match request.uri().path() {
        "/slow" => H2Reply::Never,
        _ => echo(request),
    })
    .await;
    let user = user::<P>();
    user.get(target.url("/")).await;
    let request = HttpRequest { timeout: Duration::from_millis(100), ..get(target.url("/slow")) };
    assert_eq!(user.send(request).await.expect_err("it takes too long"), "ReadTimeout('timed out')");
    assert_eq!(user.get(target.url("/")).await.status, 200);
    assert_eq!(target.connections_used(), [0, 0, 0]);
}

pub async fn a_target_that_speaks_only_the_old_version_is_named<P: Path>() {
    let address = misbehaving(|mut stream| async move {
        let _ = read_head(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await;
        let _ = stream.shutdown().await;
        read_to_end(stream).await;
    })
    .await;
    let words = user::<P>().failure(format!("http://{address}/")).await;
    assert_eq!(words, "ProtocolError('HTTP/2: FRAME_SIZE_ERROR')");
}
