//! Chromium, driven through its WebDriver, for pages that must work in a real browser.

use std::net::TcpStream;
use std::process::Command;

use fantoccini::wd::{Capabilities, WebDriverCompatibleCommand};
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use url::{ParseError, Url};

use crate::process::{PATIENCE, Process, free_port, until};

/// The programs that it takes.
const PROGRAMS: [&str; 2] = ["chromium", "chromedriver"];

/// A browser without a network. It ends when this is dropped.
#[derive(Debug)]
pub struct Browser {
    /// What tells it where to go.
    pub client: Client,
    _driver: Process,
}

/// How a page is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Screen {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// Whether the reader prefers light letters on a dark ground.
    pub dark: bool,
}

impl Browser {
    /// Starts one; `None`, and a word on why, where there is no Chromium.
    ///
    /// # Panics
    /// There is none and the environment says `CI=true`: there the tests must not be left out. Or it does not start.
    pub async fn start(screen: Screen) -> Option<Self> {
        let missing =
            PROGRAMS.into_iter().find(|program| Command::new(program).arg("--version").output().is_err());
        if let Some(program) = missing {
            assert!(
                std::env::var("CI").as_deref() != Ok("true"),
                "no browser to test with: {program} is missing"
            );
            println!("SKIPPED: there is no browser to test with: {program} is missing");
            return None;
        }
        let port = free_port();
        let mut command = Command::new("chromedriver");
        command.arg(format!("--port={port}"));
        let driver = Process::run("chromedriver", command);
        let listens = until(PATIENCE, || TcpStream::connect(("127.0.0.1", port)).ok());
        assert!(listens.is_some(), "chromedriver does not listen:\n{}", driver.log());
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(capabilities(screen));
        let client = builder.connect(&format!("http://127.0.0.1:{port}")).await.expect("the browser starts");
        let offline = json!({ "network_conditions": { "offline": true, "latency": 0, "throughput": 0 } });
        let path = "chromium/network_conditions";
        client.issue_cmd(Extension { path, body: offline }).await.expect("its network can be switched off");
        Some(Self { client, _driver: driver })
    }

    /// What the browser's console says since the last time, errors of scripts and of loading among it.
    ///
    /// # Panics
    /// The browser is gone.
    pub async fn console(&self) -> Vec<String> {
        let entries =
            self.client.issue_cmd(Extension { path: "se/log", body: json!({ "type": "browser" }) }).await;
        let entries = entries.expect("the browser tells what its console says");
        let entries = entries.as_array().cloned().unwrap_or_default();
        entries.iter().map(|entry| entry["message"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Evaluates an expression in the page.
    ///
    /// # Panics
    /// It fails.
    pub async fn evaluate(&self, expression: &str) -> Value {
        let script = format!("return {expression};");
        let value = self.client.execute(&script, Vec::new()).await;
        value.unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    /// Ends it.
    pub async fn close(self) {
        // Its driver ends in any case.
        let _ = self.client.close().await;
    }
}

fn capabilities(Screen { width, height, dark }: Screen) -> Capabilities {
    let arguments = [
        "--headless=new".to_owned(),
        // Tests run as root in containers, where Chromium has no sandbox.
        "--no-sandbox".to_owned(),
        "--disable-dev-shm-usage".to_owned(),
        "--disable-gpu".to_owned(),
        format!("--window-size={width},{height}"),
        format!("--blink-settings=preferredColorScheme={}", u8::from(!dark)),
    ];
    let mut capabilities = Capabilities::new();
    capabilities.insert("goog:chromeOptions".to_owned(), json!({ "args": arguments }));
    capabilities.insert("goog:loggingPrefs".to_owned(), json!({ "browser": "ALL" }));
    capabilities
}

/// A command that only this family of browsers has.
#[derive(Debug)]
struct Extension {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Extension {
    fn endpoint(&self, base_url: &Url, session_id: Option<&str>) -> Result<Url, ParseError> {
        base_url.join(&format!("session/{}/{}", session_id.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.body.to_string()))
    }
}
