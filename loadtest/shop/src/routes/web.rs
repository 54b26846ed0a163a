//! Logging in with a browser: a form with a CSRF token, and a session cookie.

use std::sync::Arc;

use axum::Form;
use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{AppendHeaders, Html, IntoResponse};
use serde::Deserialize;

use crate::accounts::Credentials;
use crate::refusal::Refusal;
use crate::shop::Shop;

/// What the form on the page sends. Forms know no nesting, so it has the fields of [`Credentials`] in it.
#[derive(Debug, Deserialize)]
pub(super) struct LoginForm {
    username: String,
    password: String,
    csrf_token: String,
}

pub(super) async fn login_page(State(shop): State<Arc<Shop>>, headers: HeaderMap) -> impl IntoResponse {
    let mut state = shop.state();
    let visit = state.sessions.find_or_begin(&headers);
    let page = page(&format!(
        r#"<form method="post" action="/web-login">
<input type="hidden" name="csrf_token" value="{}">
<input name="username">
<input name="password" type="password">
<button>Log in</button>
</form>"#,
        visit.session.csrf_token
    ));
    (AppendHeaders(visit.set_cookie.map(|cookie| (header::SET_COOKIE, cookie))), page)
}

pub(super) async fn log_in(
    State(shop): State<Arc<Shop>>,
    headers: HeaderMap,
    form: Result<Form<LoginForm>, FormRejection>,
) -> Result<Html<String>, Refusal> {
    let Form(LoginForm { username, password, csrf_token }) = form?;
    let mut state = shop.state();
    let session = state.sessions.find(&headers).filter(|session| session.csrf_token == csrf_token);
    if session.is_none() {
        let reason = "the CSRF token is not that of the session, see /login-page";
        return Err(Refusal::new(StatusCode::FORBIDDEN, reason));
    }
    let user = state.accounts.identify(&Credentials { username, password });
    let user = user.ok_or_else(|| Refusal::unauthorized("there is no such user with this password"))?;
    if let Some(session) = state.sessions.find(&headers) {
        session.user = Some(user);
    }
    Ok(page(&format!("<p>Welcome, user {user}</p>")))
}

fn page(content: &str) -> Html<String> {
    Html(format!("<!doctype html>\n<title>Shop</title>\n{content}\n"))
}
