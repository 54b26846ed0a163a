//! What an actor shows to whoever watches it: the dry run and `setup`.

use std::time::Duration;

use crate::http::{HttpRequest, HttpResponse};

/// One request with what came of it.
#[derive(Debug)]
pub struct Exchange<'a> {
    /// Its name in the statistics.
    pub name: &'a str,
    /// What was sent.
    pub request: &'a HttpRequest,
    /// The answer, or why there is none.
    pub outcome: Result<HttpResponse, String>,
    /// From its start to the end of the answer.
    pub response_time: Duration,
    /// What is wrong with the answer, if anything.
    pub failure: Option<&'a str>,
}

/// Somebody who watches an actor.
pub trait Observer {
    /// A request has ended.
    fn exchange(&self, exchange: &Exchange<'_>);
    /// A step has logged something.
    fn log(&self, text: &str);
    /// A task has ended with an exception at `place`.
    fn exception(&self, message: &str, place: &str);
}
