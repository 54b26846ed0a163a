//! The routes, and what happens to every request before and after them.
//!
//! ```text
//! request ── counted ── held while frozen ── body read ── route
//!                                                           |
//! answer  ─────────────  held while frozen  ────────────────'
//! ```

mod accounts;
mod checkout;
mod probes;
mod products;
mod upload;
mod web;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{StatusCode, Uri};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::{any, delete, get, post};

pub(crate) use self::upload::Upload;

use crate::body;
use crate::refusal::Refusal;
use crate::shop::Shop;

const COUNTS: &str = "/counts";
const FREEZE: &str = "/freeze";

/// The routes of a new shop.
pub fn router() -> Router {
    let shop = Arc::new(Shop::default());
    Router::new()
        .route("/login", post(accounts::log_in))
        .route("/me", get(accounts::me))
        .route("/admin/accounts", get(accounts::opened).post(accounts::open))
        .route("/admin/accounts/{id}", delete(accounts::close))
        .route("/login-page", get(web::login_page))
        .route("/web-login", post(web::log_in))
        .route("/products", get(products::search))
        .route("/products/{id}", get(products::product))
        .route("/basket", get(checkout::basket).post(checkout::add).delete(checkout::empty))
        .route("/orders", post(checkout::order))
        .route("/orders/{id}", get(checkout::ordered))
        .route("/upload", post(upload::upload))
        .route("/uploads/{id}", get(upload::uploaded))
        .route("/echo", any(probes::echo))
        .route("/slow", any(probes::slow))
        .route("/status/{code}", any(probes::status))
        .route("/redirect/{n}", get(probes::redirect))
        .route("/health", get(probes::health))
        .route(COUNTS, get(probes::counts))
        .route(FREEZE, post(probes::freeze))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn(body::read_first))
        .layer(from_fn_with_state(shop.clone(), hold_while_frozen))
        .layer(from_fn_with_state(shop.clone(), count))
        .with_state(shop)
}

async fn count(State(shop): State<Arc<Shop>>, request: Request, next: Next) -> Response {
    let route = route_of(&request);
    if route != Some(COUNTS) {
        shop.counts.note(request.method().as_str(), route);
    }
    next.run(request).await
}

async fn hold_while_frozen(State(shop): State<Arc<Shop>>, request: Request, next: Next) -> Response {
    if route_of(&request) == Some(COUNTS) {
        return next.run(request).await;
    }
    let freezes = route_of(&request) == Some(FREEZE);
    shop.freeze.thawed().await;
    let answer = next.run(request).await;
    // Whoever freezes the shop is told so at once.
    if !freezes {
        shop.freeze.thawed().await;
    }
    answer
}

fn route_of(request: &Request) -> Option<&str> {
    request.extensions().get::<MatchedPath>().map(MatchedPath::as_str)
}

async fn not_found(uri: Uri) -> Refusal {
    Refusal::not_found(uri.path())
}

async fn method_not_allowed(uri: Uri) -> Refusal {
    let reason = format!("{} does not take this method, see the allow header", uri.path());
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, reason)
}
