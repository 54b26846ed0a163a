//! Looking for something to buy.

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query};
use serde::Deserialize;

use crate::catalogue::{self, Page, Product};
use crate::refusal::Refusal;

#[derive(Debug, Deserialize)]
pub(super) struct Search {
    #[serde(default)]
    q: String,
    /// Not a number yet, because forms send what was not filled in as nothing.
    #[serde(default)]
    page: String,
}

pub(super) async fn search(search: Result<Query<Search>, QueryRejection>) -> Result<Json<Page>, Refusal> {
    let Query(Search { q, page }) = search?;
    let page = if page.is_empty() { Some(1) } else { page.parse().ok().filter(|page| *page > 0) };
    let page = page.ok_or_else(|| Refusal::bad_request("pages are numbered from 1 on"))?;
    Ok(Json(catalogue::search(&q, page)))
}

pub(super) async fn product(id: Result<Path<u64>, PathRejection>) -> Result<Json<Product>, Refusal> {
    let Path(id) = id?;
    catalogue::product(id).map(Json).ok_or_else(|| Refusal::not_found("product of this number"))
}
