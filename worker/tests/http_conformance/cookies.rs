//! Which cookies a user keeps, and where it sends them.

use std::collections::BTreeSet;

use sentinel_common::http::{ConnectionSettings, HttpSettings, Reuse};
use sentinel_worker::http::HttpClient as _;

use super::authority::{Authority, H1};
use super::path::{PATIENCE, Path, User, get, text, with_header};
use super::target::{Received, Reply, Target};

/// Sets the cookie that the request's `x-set` says, and tells which cookies it was sent.
fn shop(received: &Received) -> Reply {
    let sent = received.all("cookie").join("|");
    let set: String =
        received.all("x-set").iter().map(|cookie| format!("Set-Cookie: {cookie}\r\n")).collect();
    match received.target.as_str() {
        "/leave" => Reply::with("302 Found", &format!("{set}Location: /\r\n"), ""),
        _ => Reply::with("200 OK", &set, sent),
    }
}

async fn set<P: Path>(user: &User<P>, url: String, cookie: &str) {
    user.send(with_header(get(url), "x-set", cookie)).await.unwrap();
}

/// Has a cookie set at one place of a shop and tells what is then sent to another.
async fn check<P: Path>(cookie: &str, set_at: (&str, &str), sent_to: (&str, &str), expected: &str) {
    let (target, user) = (Target::start(shop).await, User::<P>::new());
    set(&user, target.url_at(set_at.0, set_at.1), cookie).await;
    let sent = user.text(target.url_at(sent_to.0, sent_to.1)).await;
    assert_eq!(sent, expected, "{cookie:?} set at {set_at:?}, sent to {sent_to:?}");
}

pub async fn a_user_keeps_its_cookies_and_nobody_elses<P: Path>() {
    let target = Target::start(shop).await;
    let (one, other) = (User::<P>::new(), User::<P>::new());
    set(&one, target.url("/"), "session=7").await;
    assert_eq!(one.text(target.url("/")).await, "session=7");
    assert_eq!(other.text(target.url("/")).await, "");
}

pub async fn cookies_are_sent_under_their_path<P: Path>() {
    let at = |path| ("shop.test", path);
    check::<P>("a=1; Path=/x", at("/"), at("/x"), "a=1").await;
    check::<P>("a=1; Path=/x", at("/"), at("/x/y"), "a=1").await;
    check::<P>("a=1; Path=/x", at("/"), at("/xy"), "").await;
    check::<P>("a=1; Path=/x", at("/"), at("/"), "").await;
    check::<P>("a=1", at("/x/y"), at("/x/z"), "a=1").await;
    check::<P>("a=1", at("/x/y"), at("/z"), "").await;
    check::<P>("a=1; Path=relative", at("/x/y"), at("/x/z"), "a=1").await;
}

pub async fn cookies_are_sent_to_their_host_or_domain<P: Path>() {
    let at = |host| (host, "/");
    check::<P>("a=1", at("shop.test"), at("shop.test"), "a=1").await;
    check::<P>("a=1", at("shop.test"), at("www.shop.test"), "").await;
    check::<P>("a=1; Domain=shop.test", at("shop.test"), at("www.shop.test"), "a=1").await;
    check::<P>("a=1; Domain=.shop.test", at("www.shop.test"), at("shop.test"), "a=1").await;
    check::<P>("a=1; Domain=SHOP.test", at("www.shop.test"), at("api.shop.test"), "a=1").await;
    check::<P>("a=1; Domain=shop.test", at("shop.test"), at("workshop.test"), "").await;
    check::<P>("a=1; Domain=other.test", at("shop.test"), at("other.test"), "").await;
    check::<P>("a=1; Domain=www.shop.test", at("shop.test"), at("www.shop.test"), "").await;
}

pub async fn ports_share_cookies<P: Path>() {
    let (one, other, user) = (Target::start(shop).await, Target::start(shop).await, User::<P>::new());
    set(&user, one.url("/"), "a=1").await;
    assert_eq!(user.text(other.url("/")).await, "a=1");
}

pub async fn secure_cookies_go_over_tls_only<P: Path>() {
    let authority = Authority::new();
    let secure = Target::start_tls(authority.acceptor(H1), shop).await;
    let (plain, user) = (Target::start(shop).await, User::<P>::with(&authority.trusted()));
    set(&user, secure.url_at("shop.test", "/"), "a=1; Secure").await;
    set(&user, secure.url_at("shop.test", "/"), "b=2").await;
    assert_eq!(user.text(secure.url_at("shop.test", "/")).await, "a=1; b=2");
    assert_eq!(user.text(plain.url_at("shop.test", "/")).await, "b=2");
}

pub async fn expired_cookies_are_not_kept<P: Path>() {
    let at = ("shop.test", "/");
    let past = "Expires=Thu, 01 Jan 1970 00:00:00 GMT";
    let future = "Expires=Fri, 01 Jan 2100 00:00:00 GMT";
    check::<P>(&format!("a=1; {past}"), at, at, "").await;
    check::<P>(&format!("a=1; {future}"), at, at, "a=1").await;
    check::<P>("a=1; Max-Age=0", at, at, "").await;
    check::<P>("a=1; Max-Age=-1", at, at, "").await;
    check::<P>("a=1; Max-Age=3600", at, at, "a=1").await;
    check::<P>(&format!("a=1; Max-Age=3600; {past}"), at, at, "a=1").await;
    check::<P>(&format!("a=1; Max-Age=0; {future}"), at, at, "").await;
}

pub async fn cookies_expire_in_time<P: Path>() {
    let (target, user) = (Target::start(shop).await, User::<P>::new());
    set(&user, target.url("/"), "a=1; Max-Age=1").await;
    let gone = async { while !user.text(target.url("/")).await.is_empty() {} };
    tokio::time::timeout(PATIENCE, gone).await.expect("the cookie expires");
}

pub async fn cookies_are_replaced_and_deleted<P: Path>() {
    let (target, user) = (Target::start(shop).await, User::<P>::new());
    let check = async |cookie: &str, expected: &str| {
        set(&user, target.url("/"), cookie).await;
        assert_eq!(user.text(target.url("/")).await, expected, "{cookie}");
    };
    check("a=1", "a=1").await;
    check("a=2", "a=2").await;
    check("a=; Max-Age=0", "").await;
    check("a=3", "a=3").await;
    check("a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "").await;
}

pub async fn several_cookies_are_one_header<P: Path>() {
    let (target, user) = (Target::start(shop).await, User::<P>::new());
    let request =
        with_header(with_header(get(target.url("/x")), "x-set", "a=1; Path=/"), "x-set", "b=2; HttpOnly");
    user.send(with_header(request, "x-set", "nonsense")).await.unwrap();
    let sent = user.text(target.url("/x")).await;
    assert_eq!(sent.split("; ").collect::<BTreeSet<_>>(), BTreeSet::from(["a=1", "b=2"]));
    assert!(!sent.contains('|'), "{sent}");
}

pub async fn cookies_of_a_redirect_are_sent_where_it_leads<P: Path>() {
    let (target, user) = (Target::start(shop).await, User::<P>::new());
    let request = with_header(get(target.url("/leave")), "x-set", "a=1");
    assert_eq!(text(&user.send(request).await.unwrap()), "a=1");
}

pub async fn a_requests_own_cookies_are_sent_alone_and_once<P: Path>() {
    let (target, user) = (Target::start(shop).await, User::<P>::new());
    set(&user, target.url("/"), "a=1").await;
    let own = |path| with_header(get(target.url(path)), "cookie", "mine=2");
    assert_eq!(text(&user.send(own("/")).await.unwrap()), "mine=2");
    assert_eq!(text(&user.send(own("/leave")).await.unwrap()), "a=1");
}

pub async fn cookies_can_be_switched_off<P: Path>() {
    let target = Target::start(shop).await;
    let user = User::<P>::with(&HttpSettings { cookies: false, ..HttpSettings::default() });
    set(&user, target.url("/"), "a=1").await;
    assert_eq!(user.text(target.url("/")).await, "");
    assert_eq!(user.client.cookie(&target.url("/"), "a"), None);
}

pub async fn cookies_can_be_looked_at<P: Path>() {
    let (target, user) = (Target::start(shop).await, User::<P>::new());
    set(&user, target.url("/login"), "session=a b; Path=/app").await;
    let cookie = |path, name| user.client.cookie(&target.url(path), name);
    assert_eq!(cookie("/login", "session").as_deref(), Some("a b"));
    assert_eq!(cookie("/login", "other"), None);
    assert_eq!(user.client.cookie("http://other.test/", "session"), None);
    assert_eq!(user.client.cookie("nonsense", "session"), None);
}

pub async fn cookies_survive_a_change_of_connection<P: Path>() {
    let target = Target::start(shop).await;
    let connection = ConnectionSettings { reuse: Reuse::None, ..ConnectionSettings::default() };
    let user = User::<P>::with(&HttpSettings { connection, ..HttpSettings::default() });
    set(&user, target.url("/"), "a=1").await;
    user.client.begin_iteration();
    assert_eq!(user.text(target.url("/")).await, "a=1");
    assert_eq!(target.connections(), 2);
}
