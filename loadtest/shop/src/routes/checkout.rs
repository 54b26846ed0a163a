//! The basket, and what becomes of it.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::basket::Basket;
use crate::catalogue;
use crate::refusal::Refusal;
use crate::shop::Shop;

/// The largest order, in bytes.
const ORDER_BYTES_MAX: usize = 8 << 10;

/// What is put in a basket.
#[derive(Debug, Deserialize)]
pub(super) struct Addition {
    product_id: u64,
    #[serde(default = "one")]
    quantity: u64,
}

fn one() -> u64 {
    1
}

pub(super) async fn add(
    State(shop): State<Arc<Shop>>,
    headers: HeaderMap,
    addition: Result<Json<Addition>, JsonRejection>,
) -> Result<impl IntoResponse, Refusal> {
    let Json(Addition { product_id, quantity }) = addition?;
    let product = catalogue::product(product_id);
    let product = product.ok_or_else(|| Refusal::not_found("product of this number"))?;
    let mut state = shop.state();
    let visit = state.sessions.find_or_begin(&headers);
    visit.session.basket.add(&product, quantity)?;
    let set_cookie = AppendHeaders(visit.set_cookie.map(|cookie| (header::SET_COOKIE, cookie)));
    Ok((set_cookie, Json(visit.session.basket.clone())))
}

pub(super) async fn basket(State(shop): State<Arc<Shop>>, headers: HeaderMap) -> impl IntoResponse {
    let mut state = shop.state();
    let visit = state.sessions.find_or_begin(&headers);
    let set_cookie = AppendHeaders(visit.set_cookie.map(|cookie| (header::SET_COOKIE, cookie)));
    (set_cookie, Json(visit.session.basket.clone()))
}

pub(super) async fn empty(State(shop): State<Arc<Shop>>, headers: HeaderMap) -> StatusCode {
    if let Some(session) = shop.state().sessions.find(&headers) {
        session.basket = Basket::default();
    }
    StatusCode::NO_CONTENT
}

pub(super) async fn order(
    State(shop): State<Arc<Shop>>,
    headers: HeaderMap,
    order: Bytes,
) -> Result<impl IntoResponse, Refusal> {
    if order.len() > ORDER_BYTES_MAX {
        let reason = format!("the order is longer than the {ORDER_BYTES_MAX} bytes accepted");
        return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, reason));
    }
    read_order(&headers, &order)?;
    let id = shop.state().orders.add(order);
    let location = AppendHeaders([(header::LOCATION, format!("/orders/{id}"))]);
    Ok((StatusCode::CREATED, location, Json(json!({ "id": id }))))
}

pub(super) async fn ordered(
    State(shop): State<Arc<Shop>>,
    id: Result<Path<u64>, PathRejection>,
) -> Result<Json<Value>, Refusal> {
    let Path(id) = id?;
    let order = shop.state().orders.get(id).cloned();
    let order = order.ok_or_else(|| Refusal::not_found("order of this number"))?;
    let Json(order) = Json::<Map<String, Value>>::from_bytes(&order)?;
    Ok(Json(json!({ "id": id, "order": order })))
}

/// The order, if it is one: a JSON object that says that it is JSON.
fn read_order(headers: &HeaderMap, order: &[u8]) -> Result<Map<String, Value>, Refusal> {
    let content_type = headers.get(header::CONTENT_TYPE);
    if !content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/json")) {
        let reason = "an order is sent with `Content-Type: application/json`";
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, reason));
    }
    let Json(order) = Json::from_bytes(order)?;
    Ok(order)
}
