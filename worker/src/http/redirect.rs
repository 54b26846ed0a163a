//! Where a redirect leads and what is sent there: the rules of python-requests, as a function of values.

use http::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, LOCATION, PROXY_AUTHORIZATION,
    TRANSFER_ENCODING,
};
use http::{HeaderMap, Method, StatusCode};
use url::Url;

use super::outgoing::is_http;
use super::{HttpError, Outgoing, credentials};

/// Where an answer sends the user; `None` if it is no redirect.
///
/// # Errors
/// It leads to what is no URL, or none of HTTP.
pub(super) fn target(from: &Url, status: StatusCode, headers: &HeaderMap) -> Result<Option<Url>, HttpError> {
    if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some(location) = headers.get(LOCATION).filter(|location| !location.is_empty()) else {
        return Ok(None);
    };
    let location = String::from_utf8_lossy(location.as_bytes());
    let mut url = from.join(&location).map_err(|error| HttpError::invalid_url(&error))?;
    if !is_http(&url) {
        return Err(HttpError::invalid_scheme());
    }
    credentials::strip(&mut url);
    Ok(Some(url))
}

/// Turns a request into the one that follows the redirect.
pub(super) fn follow(request: &mut Outgoing, status: StatusCode, to: Url) {
    request.method = method_after(&request.method, status);
    let headers = &mut request.headers;
    if !matches!(status.as_u16(), 307 | 308) {
        request.body = None;
        for name in [CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING] {
            headers.remove(name);
        }
    }
    if leaves_origin(&request.url, &to) {
        headers.remove(AUTHORIZATION);
        // It names a host that the request no longer goes to.
        headers.remove(HOST);
    }
    // Cookies are those of the jar from here on, and a proxy's credentials are the connection's own.
    headers.remove(COOKIE);
    headers.remove(PROXY_AUTHORIZATION);
    request.url = to;
}

/// 302 turns everything into GET as browsers do, whatever the standard says.
fn method_after(method: &Method, status: StatusCode) -> Method {
    let becomes_get = match status.as_u16() {
        302 | 303 => *method != Method::HEAD,
        301 => *method == Method::POST,
        _ => false,
    };
    if becomes_get { Method::GET } else { method.clone() }
}

/// Whether credentials must not come along. The step from http to https on the usual ports is allowed.
fn leaves_origin(from: &Url, to: &Url) -> bool {
    if from.host_str() != to.host_str() {
        return true;
    }
    let ports = (from.port_or_known_default(), to.port_or_known_default());
    let is_upgrade = (from.scheme(), to.scheme()) == ("http", "https") && ports == (Some(80), Some(443));
    !is_upgrade && (from.scheme() != to.scheme() || ports.0 != ports.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn methods_change_as_in_python_requests() {
        let check = |status: u16, method: &str, expected: &str| {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(method_after(&method, status).as_str(), expected, "{status} {method}");
        };
        for method in ["GET", "HEAD", "PUT", "DELETE", "PATCH", "PROPFIND"] {
            check(301, method, method);
            check(307, method, method);
            check(308, method, method);
        }
        for status in [302, 303] {
            check(status, "HEAD", "HEAD");
            for method in ["GET", "POST", "PUT", "PROPFIND"] {
                check(status, method, "GET");
            }
        }
        check(301, "POST", "GET");
        check(307, "POST", "POST");
    }

    #[test]
    fn credentials_stay_with_their_origin() {
        let check = |from: &str, to: &str, expected: bool| {
            assert_eq!(leaves_origin(&url(from), &url(to)), expected, "{from} {to}");
        };
        check("http://a/x", "http://a/y", false);
        check("http://a/", "http://a:80/", false);
        check("https://a/", "https://a:443/", false);
        check("http://a/", "https://a/", false);
        check("https://a/", "http://a/", true);
        check("http://a:8000/", "https://a/", true);
        check("http://a/", "https://a:8443/", true);
        check("http://a/", "http://a:81/", true);
        check("http://a/", "http://b/", true);
        check("http://a/", "http://b.a/", true);
    }

    #[test]
    fn a_location_is_joined_to_where_it_came_from() {
        let check = |status: u16, location: &str, expected: Result<Option<&str>, &str>| {
            let headers = HeaderMap::from_iter([(LOCATION, location.parse().unwrap())]);
            let status = StatusCode::from_u16(status).unwrap();
            let target = target(&url("http://a:81/b/c?d"), status, &headers)
                .map(|url| url.map(String::from))
                .map_err(|error| error.to_string());
            assert_eq!(
                target,
                expected.map(|url| url.map(str::to_owned)).map_err(str::to_owned),
                "{location}"
            );
        };
        check(302, "/e", Ok(Some("http://a:81/e")));
        check(301, "e", Ok(Some("http://a:81/b/e")));
        check(303, "?e", Ok(Some("http://a:81/b/c?e")));
        check(307, "//f/g", Ok(Some("http://f/g")));
        check(308, "https://f", Ok(Some("https://f/")));
        check(302, "http://user:password@f/", Ok(Some("http://f/")));
        check(302, "/two words", Ok(Some("http://a:81/two%20words")));
        check(302, "", Ok(None));
        check(300, "/e", Ok(None));
        check(304, "/e", Ok(None));
        check(200, "/e", Ok(None));
        check(302, "ftp://f/", Err("InvalidSchema('No connection adapters were found')"));
        check(302, "http://", Err("InvalidURL('empty host')"));
    }
}
