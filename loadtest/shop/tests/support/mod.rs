//! An open shop on a free port, and customers of it.

// Each test binary uses its own part of this.
#![allow(dead_code)]

use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use tokio::net::TcpListener;

/// The bound on every wait.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A shop that is open as long as the runtime of its test.
pub(crate) struct Shop {
    url: String,
}

/// Somebody with a browser of their own: it keeps cookies and stays where it is when it is led elsewhere.
pub(crate) struct Customer {
    url: String,
    client: reqwest::Client,
}

impl Shop {
    pub(crate) async fn open() -> Shop {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("a bound address"));
        tokio::spawn(shop::serve(listener, std::future::pending()));
        Shop { url }
    }

    pub(crate) fn customer(&self) -> Customer {
        let client = reqwest::Client::builder().timeout(PATIENCE).no_proxy().cookie_store(true);
        let client = client.redirect(reqwest::redirect::Policy::none()).build().expect("a client");
        Customer { url: self.url.clone(), client }
    }

    pub(crate) async fn counts(&self) -> Value {
        self.customer().get("/counts").await.1
    }
}

impl Customer {
    pub(crate) fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let method: Method = method.parse().expect("a method");
        self.client.request(method, format!("{}{path}", self.url))
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        json(send(self.request("GET", path)).await).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        json(send(self.request("POST", path).json(&body)).await).await
    }

    pub(crate) async fn delete(&self, path: &str) -> StatusCode {
        send(self.request("DELETE", path)).await.status()
    }

    /// Posts form fields, which need no escapes.
    pub(crate) async fn post_form(&self, path: &str, fields: &str) -> Response {
        let request = self.request("POST", path).body(fields.to_owned());
        send(request.header("content-type", "application/x-www-form-urlencoded")).await
    }
}

pub(crate) async fn send(request: RequestBuilder) -> Response {
    request.send().await.expect("an answer")
}

/// Status and body of an answer that must be JSON and say so.
pub(crate) async fn json(response: Response) -> (StatusCode, Value) {
    let (status, content_type) = (response.status(), response.headers().get("content-type").cloned());
    assert_eq!(content_type.expect("a content type"), "application/json", "{status}");
    (status, response.json().await.expect("JSON"))
}
