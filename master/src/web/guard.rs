//! What holds for every request, whoever handles it: bounds on what clients send, no changes on behalf of other sites, and
//! headers that keep browsers from doing what the page never needs.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};

/// The longest body of a request. Forms are short, and so is what is said of a user class.
pub(super) const BODY_MAX: usize = 64 << 10;

/// How long a client may take to send a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// What a browser may load and run: only what comes from here, nothing that stands in the page itself.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
                      connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// `Sec-Fetch-Site` (W3C Fetch Metadata): from where a browser was made to send a request.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The routes with everything that holds for all of them. They are complete in themselves: what a route allows is known only
/// outside of its router.
pub(super) fn guarded(routes: Router) -> Router {
    Router::new()
        .fallback_service(routes)
        .layer(middleware::from_fn(bounded_body))
        .layer(middleware::from_fn(own_site_only))
        .layer(middleware::from_fn(options))
        .layer(tower_http::compression::CompressionLayer::new())
        .layer(middleware::from_fn(headers))
}

/// Takes the whole body before anybody handles the request, within bounds.
async fn bounded_body(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let body = match tokio::time::timeout(BODY_TIMEOUT, to_bytes(body, BODY_MAX)).await {
        Ok(Ok(body)) => body,
        Ok(Err(error)) if is_too_long(&error) => {
            let text = format!("the body is longer than {BODY_MAX} bytes\n");
            return (StatusCode::PAYLOAD_TOO_LARGE, text).into_response();
        }
        Ok(Err(_)) => return (StatusCode::BAD_REQUEST, "the body is broken\n").into_response(),
        Err(_) => {
            let text = format!("the body did not come within {} s\n", BODY_TIMEOUT.as_secs());
            return (StatusCode::REQUEST_TIMEOUT, text).into_response();
        }
    };
    next.run(Request::from_parts(parts, Body::from(body))).await
}

/// Whether the limit is what ended a body.
fn is_too_long(error: &axum::Error) -> bool {
    let mut error: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(cause) = error {
        if cause.is::<http_body_util::LengthLimitError>() {
            return true;
        }
        error = cause.source();
    }
    false
}

/// Refuses changes that another site makes a browser ask for: Locust's page lets any site start a test. Programs, which send
/// none of these headers, are not browsers.
async fn own_site_only(request: Request, next: Next) -> Response {
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if changes && comes_from_another_site(request.headers()) {
        let text = "this request comes from a page of another site, which may change nothing here\n";
        return (StatusCode::FORBIDDEN, text).into_response();
    }
    next.run(request).await
}

fn comes_from_another_site(headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get(SEC_FETCH_SITE) {
        return site != "same-origin" && site != "none";
    }
    let Some(origin) = headers.get(ORIGIN) else {
        return false;
    };
    let authority = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, rest)| rest);
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    authority.is_none() || authority != host
}

/// Answers `OPTIONS` for every route with the methods that it takes, as Locust does, and names it among them.
async fn options(request: Request, next: Next) -> Response {
    let asks = request.method() == Method::OPTIONS;
    let mut response = next.run(request).await;
    if response.status() != StatusCode::METHOD_NOT_ALLOWED {
        return response;
    }
    let allowed = response.headers().get(ALLOW).and_then(|allowed| allowed.to_str().ok()).unwrap_or_default();
    let mut allowed: Vec<&str> =
        allowed.split(',').map(str::trim).filter(|method| !method.is_empty()).collect();
    allowed.push("OPTIONS");
    allowed.sort_unstable();
    let allowed = HeaderValue::from_str(&allowed.join(", "));
    if asks {
        response = StatusCode::OK.into_response();
    }
    if let Ok(allowed) = allowed {
        response.headers_mut().insert(ALLOW, allowed);
    }
    response
}

/// Tells browsers what the page never needs. What says nothing of caches changes all the time.
async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let fixed =
        [(X_CONTENT_TYPE_OPTIONS, "nosniff"), (X_FRAME_OPTIONS, "DENY"), (REFERRER_POLICY, "same-origin")];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    for (name, value) in [(CONTENT_SECURITY_POLICY, POLICY), (CACHE_CONTROL, "no-store")] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}
