//! Where redirects lead, and what is sent there: the rules of python-requests.

use sentinel_common::http::HttpSettings;
use sentinel_worker::http::HttpRequest;

use super::path::{Path, User, get, request, text, with_header};
use super::target::{Received, Reply, Target};

/// Answers `/<status>/<rest>` with that status, leading to `/<rest>`, and everything else with what it received.
fn wander(received: &Received) -> Reply {
    let (status, rest) = received.target[1..].split_once('/').unwrap_or_default();
    match status.parse() {
        Ok(status) => Reply::redirect(status, &format!("/{rest}")),
        Err(_) => Reply::ok(&received.body),
    }
}

fn with_limit(max_redirects: u32) -> HttpSettings {
    HttpSettings { max_redirects, ..HttpSettings::default() }
}

pub async fn chains_of_redirects_are_followed<P: Path>() {
    let (target, user) = (Target::start(wander).await, User::<P>::new());
    let answer = user.get(target.url("/301/302/303/307/308/end")).await;
    assert_eq!((answer.status, answer.url), (200, target.url("/end")));
    let seen: Vec<String> = target.requests().into_iter().map(|request| request.target).collect();
    assert_eq!(
        seen,
        [
            "/301/302/303/307/308/end",
            "/302/303/307/308/end",
            "/303/307/308/end",
            "/307/308/end",
            "/308/end",
            "/end"
        ]
    );
    assert_eq!(
        target.connections(),
        1,
        "what redirects say is read, so that the connection can be used again"
    );
}

pub async fn locations_may_be_relative<P: Path>() {
    let user = User::<P>::new();
    let check = async |location: &'static str, expected: &str| {
        let target = Target::start(move |received| match received.target.as_str() {
            "/a/b?c" => Reply::redirect(302, location),
            other => Reply::ok(other),
        })
        .await;
        assert_eq!(user.text(target.url("/a/b?c")).await, expected, "{location}");
    };
    check("/x", "/x").await;
    check("x", "/a/x").await;
    check("../x", "/x").await;
    check("?x", "/a/b?x").await;
    check("/x y", "/x%20y").await;
    check("/x#y", "/x").await;
    check("/%C3%A9", "/%C3%A9").await;
    check("/é", "/%C3%A9").await;
}

pub async fn methods_and_bodies_change_as_in_python_requests<P: Path>() {
    let (target, user) = (Target::start(wander).await, User::<P>::new());
    let check = async |status: u16, method: &str, expected: &str, keeps_body: bool| {
        let request = request(method, target.url(&format!("/{status}/end")));
        let request =
            HttpRequest { body: Some("body".into()), ..with_header(request, "content-type", "text/x") };
        let request = with_header(request, "x-kept", "yes");
        user.send(request).await.unwrap();
        let seen = target.last();
        let (body, kind) = if keeps_body { ("body", Some("text/x")) } else { ("", None) };
        assert_eq!(
            (seen.method.as_str(), seen.body.as_slice()),
            (expected, body.as_bytes()),
            "{status} {method}"
        );
        assert_eq!(seen.header("content-type"), kind, "{status} {method}");
        assert_eq!(seen.header("x-kept"), Some("yes"));
    };
    for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "PROPFIND"] {
        check(302, method, "GET", false).await;
        check(303, method, "GET", false).await;
        check(307, method, method, true).await;
        check(308, method, method, true).await;
    }
    check(301, "POST", "GET", false).await;
    check(301, "PUT", "PUT", false).await;
}

pub async fn a_head_stays_a_head<P: Path>() {
    let target = Target::start(|received| match received.target.as_str() {
        "/end" => Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"),
        status => {
            Reply::raw(format!("HTTP/1.1 {} X\r\nLocation: /end\r\nContent-Length: 7\r\n\r\n", &status[1..]))
        }
    })
    .await;
    let user = User::<P>::new();
    for status in [301, 302, 303, 307, 308] {
        let answer = user.send(request("HEAD", target.url(&format!("/{status}")))).await.unwrap();
        assert_eq!((answer.status, answer.body.len()), (200, 0));
        assert_eq!(target.last().method, "HEAD", "{status}");
    }
}

pub async fn other_statuses_and_missing_locations_are_answers<P: Path>() {
    let target = Target::start(|received| match received.target.as_str() {
        "/bare" => Reply::with("302 Found", "", "bare"),
        "/empty" => Reply::redirect(302, ""),
        status => Reply::redirect(status[1..].parse().unwrap(), "/elsewhere"),
    })
    .await;
    let user = User::<P>::new();
    for (path, expected) in [("/bare", 302), ("/empty", 302), ("/300", 300), ("/305", 305), ("/201", 201)] {
        assert_eq!(user.get(target.url(path)).await.status, expected);
    }
    assert_eq!(target.requests().len(), 5);
}

pub async fn a_loop_ends_at_the_usual_limit<P: Path>() {
    let (target, user) = (Target::start(|_| Reply::redirect(302, "/")).await, User::<P>::new());
    assert_eq!(user.failure(target.url("/")).await, "TooManyRedirects('Exceeded 30 redirects.')");
    assert_eq!(target.requests().len(), 31);
}

pub async fn the_limit_is_the_classs<P: Path>() {
    let target = Target::start(wander).await;
    let check = async |limit: u32, path: &str, expected: Result<u16, &str>| {
        let user = User::<P>::with(&with_limit(limit));
        let outcome = user.send(get(target.url(path))).await.map(|answer| answer.status);
        assert_eq!(outcome, expected.map_err(str::to_owned), "{limit} {path}");
    };
    check(2, "/302/302/end", Ok(200)).await;
    check(2, "/302/302/302/end", Err("TooManyRedirects('Exceeded 2 redirects.')")).await;
    check(0, "/end", Ok(200)).await;
    check(0, "/302/end", Err("TooManyRedirects('Exceeded 0 redirects.')")).await;
}

pub async fn a_request_may_refuse_to_follow<P: Path>() {
    let (target, user) = (Target::start(wander).await, User::<P>::with(&with_limit(0)));
    let request = HttpRequest { follow_redirects: false, ..get(target.url("/302/end")) };
    let answer = user.send(request).await.unwrap();
    assert_eq!((answer.status, text(&answer)), (302, "elsewhere".to_owned()));
    assert_eq!(answer.headers["location"], "/end");
    assert_eq!(target.requests().len(), 1);
}

pub async fn credentials_are_sent_to_their_origin_only<P: Path>() {
    let other = Target::start(wander).await;
    let to_other = other.url_at("other.test", "/end");
    let to_port = other.url_at("shop.test", "/end");
    let target = Target::start(move |received| match received.target.as_str() {
        "/to-other" => Reply::redirect(302, &to_other),
        "/to-port" => Reply::redirect(307, &to_port),
        _ => wander(received),
    })
    .await;
    let user = User::<P>::new();
    let check = async |path: &str, arrived_at: &Target, expected: Option<&str>| {
        let request = with_header(get(target.url_at("shop.test", path)), "authorization", "Bearer secret");
        user.send(with_header(request, "proxy-authorization", "Basic secret")).await.unwrap();
        let seen = arrived_at.last();
        assert_eq!((seen.target.as_str(), seen.header("authorization")), ("/end", expected), "{path}");
        assert_eq!(seen.header("proxy-authorization"), None);
    };
    check("/302/end", &target, Some("Bearer secret")).await;
    check("/308/end", &target, Some("Bearer secret")).await;
    check("/to-other", &other, None).await;
    check("/to-port", &other, None).await;
}

pub async fn a_host_of_ones_own_is_not_sent_elsewhere<P: Path>() {
    let other = Target::start(wander).await;
    let elsewhere = other.url_at("other.test", "/end");
    let target = Target::start(move |received| match received.target.as_str() {
        "/to-other" => Reply::redirect(302, &elsewhere),
        _ => wander(received),
    })
    .await;
    let user = User::<P>::new();
    let request = |path: &str| with_header(get(target.url(path)), "host", "virtual.test");
    user.send(request("/302/end")).await.unwrap();
    assert_eq!(target.last().header("host"), Some("virtual.test"));
    user.send(request("/to-other")).await.unwrap();
    let host = format!("other.test:{}", other.address.port());
    assert_eq!(other.last().header("host"), Some(host.as_str()));
}

pub async fn a_redirect_to_what_is_no_url_of_http_fails<P: Path>() {
    let user = User::<P>::new();
    let check = async |location: &'static str, expected: &str| {
        let target = Target::start(move |_| Reply::redirect(302, location)).await;
        assert_eq!(user.failure(target.url("/")).await, expected);
        let stays = HttpRequest { follow_redirects: false, ..get(target.url("/")) };
        assert_eq!(user.send(stays).await.unwrap().status, 302);
    };
    check("ftp://shop.test/", "InvalidSchema('No connection adapters were found')").await;
    check("http://[", "InvalidURL('invalid IPv6 address')").await;
}
