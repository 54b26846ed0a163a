//! What the master of Locust is told and asked through its web page.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use crate::process::{PATIENCE, until};

/// The web page of a master.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    address: SocketAddr,
}

impl Page {
    /// The page at this address, which need not be there yet.
    pub fn at(address: SocketAddr) -> Self {
        Self { address }
    }

    /// Waits until the page is served.
    ///
    /// # Panics
    /// It is not.
    pub fn wait(&self) {
        let served = until(PATIENCE, || TcpStream::connect(self.address).ok());
        assert!(served.is_some(), "no web page at {}", self.address);
    }

    /// Starts a run, or leads the one that goes on to other figures.
    ///
    /// # Panics
    /// The master refuses.
    pub fn swarm(&self, users: u32, spawn_rate: u32, host: &str) {
        let form = format!("user_count={users}&spawn_rate={spawn_rate}&host={host}");
        let answer = self.ask("POST", "/swarm", &form);
        assert!(answer.contains("\"success\":true") || answer.contains("\"success\": true"), "{answer}");
    }

    /// Stops the run.
    pub fn stop(&self) {
        self.ask("POST", "/stop", "");
    }

    /// `/stats/requests` at this moment. Locust answers from a memory of two seconds.
    pub fn requests(&self) -> Value {
        self.json("/stats/requests")
    }

    /// `/exceptions` at this moment.
    pub fn exceptions(&self) -> Value {
        self.json("/exceptions")
    }

    /// Waits until `/stats/requests` is as a test wants it, and returns it.
    ///
    /// # Panics
    /// It does not become so.
    pub fn requests_until(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let found = until(PATIENCE, || {
            last = self.requests();
            is_so(&last).then(|| last.clone())
        });
        found.unwrap_or_else(|| panic!("no {what}: {last:#}"))
    }

    fn json(&self, path: &str) -> Value {
        let answer = self.ask("GET", path, "");
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{path}: {error}: {answer}"))
    }

    /// The body of the answer.
    fn ask(&self, method: &str, path: &str, form: &str) -> String {
        let mut stream = TcpStream::connect(self.address).expect("the page is served");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout that is not zero");
        let head = format!(
            "{method} {path} HTTP/1.0\r\nhost: {}\r\ncontent-type: application/x-www-form-urlencoded\r\n\
             content-length: {}\r\n\r\n",
            self.address,
            form.len()
        );
        stream.write_all((head + form).as_bytes()).expect("the page takes a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the page answers in text");
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer of HTTP");
        assert!(head.contains(" 200 "), "{method} {path}: {answer}");
        body.to_owned()
    }
}
