//! Logging in with a token, and the accounts that setup and teardown open and close.

use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{FromRequest, Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::{Form, Json};
use serde_json::{Value, json};

use crate::accounts::{Account, Credentials, UserId};
use crate::refusal::Refusal;
use crate::shop::Shop;

/// Credentials come as JSON or as a form.
impl<S: Send + Sync> FromRequest<S> for Credentials {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let content_type = request.headers().get(header::CONTENT_TYPE);
        if content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/json")) {
            let Json(credentials) = Json::from_request(request, state).await?;
            Ok(credentials)
        } else {
            let Form(credentials) = Form::from_request(request, state).await?;
            Ok(credentials)
        }
    }
}

pub(super) async fn log_in(
    State(shop): State<Arc<Shop>>,
    credentials: Credentials,
) -> Result<Json<Value>, Refusal> {
    let mut state = shop.state();
    let user = state.accounts.identify(&credentials);
    let user_id = user.ok_or_else(|| Refusal::unauthorized("there is no such user with this password"))?;
    let access_token = state.new_token(user_id);
    Ok(Json(json!({ "access_token": access_token, "token_type": "Bearer", "user_id": user_id })))
}

pub(super) async fn me(State(shop): State<Arc<Shop>>, headers: HeaderMap) -> Result<Json<Account>, Refusal> {
    shop.state().account_of(&headers).map(Json)
}

pub(super) async fn open(
    State(shop): State<Arc<Shop>>,
    credentials: Result<Json<Credentials>, JsonRejection>,
) -> Result<(StatusCode, Json<Account>), Refusal> {
    let Json(credentials) = credentials?;
    let account = shop.state().accounts.open(credentials)?;
    Ok((StatusCode::CREATED, Json(account)))
}

pub(super) async fn opened(State(shop): State<Arc<Shop>>) -> Json<Vec<Account>> {
    Json(shop.state().accounts.opened())
}

pub(super) async fn close(
    State(shop): State<Arc<Shop>>,
    user_id: Result<Path<UserId>, PathRejection>,
) -> Result<StatusCode, Refusal> {
    let Path(user_id) = user_id?;
    if shop.state().accounts.close(user_id) {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Refusal::not_found("account of this number that was opened"))
    }
}
