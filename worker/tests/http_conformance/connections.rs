//! How long connections live, and what a new one brings.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sentinel_common::http::{ConnectionSettings, HttpSettings, Reuse};
use sentinel_worker::http::HttpClient as _;

use super::path::{PATIENCE, Path, User};
use super::target::{Reply, Target};

async fn shop() -> Target {
    Target::start(|received| match received.target.as_str() {
        "/redirect" => Reply::redirect(302, "/"),
        _ => Reply::ok("hello"),
    })
    .await
}

fn user<P: Path>(connection: ConnectionSettings) -> User<P> {
    User::with(&HttpSettings { connection, ..HttpSettings::default() })
}

fn reuse(reuse: Reuse) -> ConnectionSettings {
    ConnectionSettings { reuse, ..ConnectionSettings::default() }
}

fn at_most(max_requests: u32) -> ConnectionSettings {
    ConnectionSettings { max_requests: Some(max_requests), ..ConnectionSettings::default() }
}

async fn ask<P: Path>(user: &User<P>, target: &Target, times: usize) {
    for _ in 0..times {
        assert_eq!(user.get(target.url("/")).await.status, 200);
    }
}

pub async fn a_user_keeps_its_connection<P: Path>() {
    let (target, user) = (shop().await, user::<P>(ConnectionSettings::default()));
    ask(&user, &target, 2).await;
    user.client.begin_iteration();
    ask(&user, &target, 2).await;
    assert_eq!(target.connections_used(), [0, 0, 0, 0]);
}

pub async fn users_share_no_connection<P: Path>() {
    let target = shop().await;
    let users = [User::<P>::new(), User::<P>::new()];
    for _ in 0..2 {
        for user in &users {
            ask(user, &target, 1).await;
        }
    }
    assert_eq!(target.connections_used(), [0, 1, 0, 1]);
}

pub async fn every_origin_has_a_connection_of_its_own<P: Path>() {
    let (one, other, user) = (shop().await, shop().await, User::<P>::new());
    for _ in 0..2 {
        ask(&user, &one, 1).await;
        ask(&user, &other, 1).await;
    }
    assert_eq!((one.connections(), other.connections()), (1, 1));
}

pub async fn connections_to_many_origins_are_not_kept_for_ever<P: Path>() {
    let (target, user) = (shop().await, User::<P>::new());
    for host in 0..20 {
        user.get(target.url_at(&format!("host{host}.test"), "/")).await;
    }
    target.closed(1).await;
}

pub async fn a_target_may_close_after_each_answer<P: Path>() {
    let check = async |answer: &'static str| {
        let (target, user) = (Target::start(move |_| Reply::raw(answer).close()).await, User::<P>::new());
        ask(&user, &target, 3).await;
        assert_eq!(target.connections_used(), [0, 1, 2], "{answer}");
    };
    check("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi").await;
    check("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi").await;
    check("HTTP/1.1 200 OK\r\n\r\nhi").await;
}

pub async fn an_older_target_may_keep_the_connection<P: Path>() {
    let answer = "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi";
    let (target, user) = (Target::start(move |_| Reply::raw(answer)).await, User::<P>::new());
    ask(&user, &target, 2).await;
    assert_eq!(target.connections_used(), [0, 0]);
}

pub async fn an_idle_connection_that_the_target_closes_costs_no_request<P: Path>() {
    let (target, user) = (Target::start(|_| Reply::ok("hi").close()).await, User::<P>::new());
    for round in 1..=3 {
        ask(&user, &target, 1).await;
        target.closed(round).await;
    }
    assert_eq!(target.connections_used(), [0, 1, 2]);
}

pub async fn without_reuse_every_request_has_a_connection<P: Path>() {
    let (target, user) = (shop().await, user::<P>(reuse(Reuse::None)));
    ask(&user, &target, 2).await;
    user.get(target.url("/redirect")).await;
    assert_eq!(target.connections_used(), [0, 1, 2, 3]);
    assert!(target.requests().iter().all(|request| request.header("connection") == Some("close")));
    target.closed(4).await;
}

pub async fn connections_may_live_for_an_iteration<P: Path>() {
    let (target, user) = (shop().await, user::<P>(reuse(Reuse::Iteration)));
    for _ in 0..2 {
        user.client.begin_iteration();
        ask(&user, &target, 2).await;
    }
    assert_eq!(target.connections_used(), [0, 0, 1, 1]);
    target.closed(1).await;
}

pub async fn a_connection_takes_no_more_requests_than_it_may<P: Path>() {
    let (target, user) = (shop().await, user::<P>(at_most(3)));
    ask(&user, &target, 7).await;
    assert_eq!(target.connections_used(), [0, 0, 0, 1, 1, 1, 2]);
    target.closed(2).await;
}

pub async fn every_hop_of_a_redirect_is_a_request_of_its_connection<P: Path>() {
    let (target, user) = (shop().await, user::<P>(at_most(3)));
    user.get(target.url("/redirect")).await;
    user.get(target.url("/redirect")).await;
    assert_eq!(target.connections_used(), [0, 0, 0, 1]);
}

pub async fn requests_are_counted_by_connection<P: Path>() {
    let (one, other, two_each) = (shop().await, shop().await, user::<P>(at_most(2)));
    for _ in 0..3 {
        ask(&two_each, &one, 1).await;
        ask(&two_each, &other, 1).await;
    }
    assert_eq!((one.connections_used(), other.connections_used()), (vec![0, 0, 1], vec![0, 0, 1]));

    let asked = AtomicUsize::new(0);
    let target = Target::start(move |_| match asked.fetch_add(1, Ordering::Relaxed) {
        1 => Reply::with("200 OK", "Connection: close\r\n", "").close(),
        _ => Reply::ok(""),
    })
    .await;
    ask(&user::<P>(at_most(3)), &target, 6).await;
    assert_eq!(target.connections_used(), [0, 0, 1, 1, 1, 2], "a new connection begins at 0");
}

pub async fn an_old_connection_is_replaced<P: Path>() {
    let aged = |max_age| ConnectionSettings { max_age: Some(max_age), ..ConnectionSettings::default() };
    let target = shop().await;
    ask(&user::<P>(aged(Duration::from_secs(3600))), &target, 3).await;
    assert_eq!(target.connections(), 1);
    ask(&user::<P>(aged(Duration::ZERO)), &target, 2).await;
    assert_eq!(target.connections(), 3);

    let user = user::<P>(aged(Duration::from_millis(20)));
    let replaced = async {
        while target.connections() < 5 {
            ask(&user, &target, 1).await;
        }
    };
    tokio::time::timeout(PATIENCE, replaced).await.expect("a connection grows old");
}

pub async fn every_new_connection_looks_the_name_up<P: Path>() {
    let (target, user) = (shop().await, user::<P>(at_most(2)));
    for _ in 0..5 {
        user.get(target.url_at("shop.test", "/")).await;
    }
    assert_eq!((target.connections(), user.names.lookups()), (3, 3));
}

pub async fn a_name_that_moves_is_followed<P: Path>() {
    let old = Target::bind("127.0.0.1:0", None, |_| Reply::ok("old")).await;
    let new = Target::bind(&format!("127.0.0.2:{}", old.address.port()), None, |_| Reply::ok("new")).await;
    let user = user::<P>(at_most(2));
    let url = old.url_at("shop.test", "/");
    assert_eq!(user.text(&url).await, "old");
    user.names.point("shop.test", IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)));
    assert_eq!(user.text(&url).await, "old", "a connection goes where it was made to");
    assert_eq!(user.text(&url).await, "new");
    assert_eq!((old.connections(), new.connections()), (1, 1));
}
