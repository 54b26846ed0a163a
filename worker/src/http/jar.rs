//! One user's cookies, by the rules of RFC 6265.

use std::cell::RefCell;
use std::cmp::Reverse;

use cookie_store::{Cookie, CookieStore, StoreAction};
use http::header::{HeaderMap, HeaderValue, SET_COOKIE};
use url::Url;

/// A user's cookies beyond this are ignored; browsers keep no fewer than 50 of one host.
const MAX_COOKIES: usize = 300;

/// A longer cookie is ignored, as by browsers.
const MAX_COOKIE_BYTES: usize = 4096;

/// A user's cookies. Only the user's thread sees them.
#[derive(Debug, Default)]
pub(super) struct Jar(RefCell<CookieStore>);

impl Jar {
    /// Keeps what an answer from `url` sets, and forgets what it deletes.
    pub(super) fn store(&self, url: &Url, headers: &HeaderMap) {
        for value in headers.get_all(SET_COOKIE) {
            if let Some(cookie) = parse(url, value) {
                self.insert(url, cookie);
            }
        }
    }

    /// The value of `Cookie` for a request to `url`: longer paths first, then in the order in which they came.
    pub(super) fn header_for(&self, url: &Url) -> Option<HeaderValue> {
        let store = self.0.borrow();
        let mut cookies = store.matches(url);
        if cookies.is_empty() {
            return None;
        }
        cookies.sort_by_key(|cookie| Reverse(cookie.path.len()));
        let pairs: Vec<String> =
            cookies.iter().map(|cookie| format!("{}={}", cookie.name(), cookie.value())).collect();
        // What came in a header can go out in one.
        HeaderValue::try_from(pairs.join("; ")).ok()
    }

    /// See [`HttpClient::cookie`](super::HttpClient::cookie).
    pub(super) fn value(&self, url: &Url, name: &str) -> Option<String> {
        let store = self.0.borrow();
        let mut sent = store.matches(url);
        sent.sort_by_key(|cookie| Reverse(cookie.path.len()));
        let of_this_host = store.iter_unexpired().filter(|cookie| cookie.domain.matches(url));
        let mut candidates = sent.into_iter().chain(of_this_host);
        candidates.find(|cookie| cookie.name() == name).map(|cookie| cookie.value().to_owned())
    }

    fn insert(&self, url: &Url, cookie: Cookie<'static>) {
        let mut store = self.0.borrow_mut();
        let key = (String::from(&cookie.domain), String::from(&cookie.path), cookie.name().to_owned());
        if !store.contains_any(&key.0, &key.1, &key.2) && is_full(&mut store) {
            return;
        }
        // The store keeps the remains of a cookie that was deleted; a jar with a bound does not.
        if let Ok(StoreAction::ExpiredExisting) = store.insert(cookie, url) {
            store.remove(&key.0, &key.1, &key.2);
        }
    }
}

/// A cookie that may be kept. What is none, or too long, or not this host's to set, is ignored as by browsers.
fn parse(url: &Url, value: &HeaderValue) -> Option<Cookie<'static>> {
    let text = std::str::from_utf8(value.as_bytes()).ok()?;
    if text.len() > MAX_COOKIE_BYTES {
        return None;
    }
    Cookie::parse(text, url).ok().map(Cookie::into_owned)
}

/// Whether there is no room, once what has expired is gone.
fn is_full(store: &mut CookieStore) -> bool {
    if store.iter_any().count() < MAX_COOKIES {
        return false;
    }
    let expired: Vec<(String, String, String)> = store
        .iter_any()
        .filter(|cookie| cookie.is_expired())
        .map(|cookie| (String::from(&cookie.domain), String::from(&cookie.path), cookie.name().to_owned()))
        .collect();
    for (domain, path, name) in &expired {
        store.remove(domain, path, name);
    }
    expired.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn set(jar: &Jar, at: &str, cookie: &str) {
        let headers = HeaderMap::from_iter([(SET_COOKIE, HeaderValue::from_str(cookie).unwrap())]);
        jar.store(&url(at), &headers);
    }

    fn sent(jar: &Jar, to: &str) -> String {
        jar.header_for(&url(to)).map_or_else(String::new, |value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn longer_paths_come_first_and_then_older_cookies() {
        let jar = Jar::default();
        for cookie in ["a=1; Path=/", "b=2; Path=/x", "c=3; Path=/"] {
            set(&jar, "http://shop.test/", cookie);
        }
        assert_eq!(sent(&jar, "http://shop.test/x"), "b=2; a=1; c=3");
    }

    #[test]
    fn a_jar_holds_no_more_than_it_may() {
        let jar = Jar::default();
        for number in 0..MAX_COOKIES + 10 {
            set(&jar, "http://shop.test/", &format!("c{number}=1; Path=/"));
        }
        assert_eq!(sent(&jar, "http://shop.test/").split("; ").count(), MAX_COOKIES);
        set(&jar, "http://shop.test/", "c0=; Path=/; Max-Age=0");
        set(&jar, "http://shop.test/", "late=1; Path=/");
        assert!(sent(&jar, "http://shop.test/").ends_with("late=1"), "a deleted cookie makes room");
        set(&jar, "http://shop.test/", &format!("c1={}; Path=/", "x".repeat(MAX_COOKIE_BYTES)));
        assert!(sent(&jar, "http://shop.test/").contains("c1=1;"), "what is too long changes nothing");
    }

    #[test]
    fn a_cookie_of_another_path_of_the_host_is_found_last() {
        let jar = Jar::default();
        set(&jar, "http://shop.test/login", "sid=app; Path=/app");
        assert_eq!(jar.value(&url("http://shop.test/login"), "sid").as_deref(), Some("app"));
        set(&jar, "http://shop.test/login", "sid=all; Path=/");
        assert_eq!(jar.value(&url("http://shop.test/login"), "sid").as_deref(), Some("all"));
        assert_eq!(jar.value(&url("http://shop.test/app"), "sid").as_deref(), Some("app"));
        assert_eq!(jar.value(&url("http://other.test/"), "sid"), None);
    }
}
