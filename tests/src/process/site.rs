//! A master with a web page, and what one can ask of it over HTTP.

use std::time::Duration;

use reqwest::{Client, RequestBuilder, Response};
use serde_json::Value;

use super::{Master, PATIENCE, Process, Program};

/// A master that serves its page on a free port of the loopback.
#[derive(Debug)]
pub struct Site {
    /// The master.
    pub master: Master,
    /// Where its page is, without a slash at the end.
    pub url: String,
    client: Client,
}

impl Site {
    /// Starts one. `args` may name another host or port, for workers and for the page.
    pub fn start(args: &[&str]) -> Self {
        let mut all = Vec::new();
        let fixed = [
            ("--master-bind-host", "127.0.0.1"),
            ("--master-bind-port", "0"),
            ("--web-host", "127.0.0.1"),
            ("--web-port", "0"),
        ];
        for (option, value) in fixed {
            if !args.contains(&option) {
                all.extend([option, value]);
            }
        }
        Self::of(Process::start(Program::Master, &[&all, args].concat()))
    }

    /// The site of a master whose process is there already.
    ///
    /// # Panics
    /// It serves no page.
    pub fn of(process: Process) -> Self {
        let master = Master::listening(process);
        let line = master.process.line("Starting web interface at ");
        let url = line.word_after("web interface at ").trim_end_matches('/').to_owned();
        let client = Client::builder().no_proxy().timeout(PATIENCE).build();
        Self { master, url, client: client.expect("a client needs nothing") }
    }

    /// A request for `path`, which begins with a slash.
    pub fn request(&self, method: reqwest::Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    /// What is at `path`.
    ///
    /// # Panics
    /// Nobody answers.
    pub async fn get(&self, path: &str) -> Response {
        self.request(reqwest::Method::GET, path).send().await.expect("the master answers")
    }

    /// The JSON at `path`.
    ///
    /// # Panics
    /// There is none.
    pub async fn json(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        let text = answer.text().await.expect("the answer is complete");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}: {text}"))
    }

    /// Posts JSON to `path`. Returns the status and the answer.
    ///
    /// # Panics
    /// Nobody answers.
    pub async fn post(&self, path: &str, body: &Value) -> (u16, String) {
        let request = self.request(reqwest::Method::POST, path).header("content-type", "application/json");
        let answer = request.body(body.to_string()).send().await.expect("the master answers");
        (answer.status().as_u16(), answer.text().await.expect("the answer is complete"))
    }

    /// Posts a form to `path`. Returns the status and the answer.
    ///
    /// # Panics
    /// Nobody answers.
    pub async fn submit(&self, path: &str, form: &[(&str, &str)]) -> (u16, String) {
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(form);
        let request = self.request(reqwest::Method::POST, path);
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(body.finish());
        let answer = request.send().await.expect("the master answers");
        (answer.status().as_u16(), answer.text().await.expect("the answer is complete"))
    }

    /// Asks for the JSON at `path` until `seen` is satisfied with it, and returns it.
    ///
    /// # Panics
    /// It is not within [`PATIENCE`].
    pub async fn json_until(&self, path: &str, what: &str, seen: impl Fn(&Value) -> bool) -> Value {
        let deadline = std::time::Instant::now() + PATIENCE;
        loop {
            let value = self.json(path).await;
            if seen(&value) {
                return value;
            }
            assert!(std::time::Instant::now() < deadline, "{path} did not show {what}: {value}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
