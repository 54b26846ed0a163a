//! What a user does: the steps of tasks and hooks, compiled.
//!
//! The readers in this module's siblings make these from text; a worker's interpreter walks them. Nothing here sends a
//! request or waits.

use std::sync::Arc;
use std::time::Duration;

use super::capture::Capture;
use super::expect::Expectation;
use super::json::JsonTemplate;
use super::method::Method;
use super::template::Template;
use crate::wait::WaitTime;

/// The most times that one `repeat` or `for_each` goes round.
pub const ROUNDS_MAX: u64 = 1_000_000;

/// One step of a task.
#[derive(Clone, Debug)]
pub enum Step {
    /// Sends a request and checks the answer.
    Request(Box<RequestStep>),
    /// Sets variables of the user, in this order; each sees those before it. See [`RenderContext::assign`].
    ///
    /// [`RenderContext::assign`]: super::RenderContext::assign
    Set(Vec<(Arc<str>, Template)>),
    /// Pauses between steps: never paced.
    Think(WaitTime),
    /// Writes a line to the worker's log.
    Log(Template),
    /// Ends the task; counted as an exception with this message.
    Fail(Template),
    /// Ends the user, after its `on_stop`, for this reason.
    StopUser(Option<Template>),
    /// Leaves the group of tasks that the user is in.
    Interrupt,
    /// Does one thing or another.
    If {
        /// Exactly one expression, or a constant.
        condition: Template,
        /// What to do if it is true.
        then: Vec<Step>,
        /// What to do if it is not.
        otherwise: Vec<Step>,
    },
    /// Does the same thing several times.
    Repeat {
        /// How often: a whole number from 0 to [`ROUNDS_MAX`].
        count: Template,
        /// The variable that counts the rounds, from 0.
        index: Option<Arc<str>>,
        /// What to do.
        steps: Vec<Step>,
    },
    /// Does the same thing for every item of a list.
    ForEach {
        /// The list, of at most [`ROUNDS_MAX`] items.
        items: Template,
        /// The variable that holds the item.
        item: Arc<str>,
        /// What to do.
        steps: Vec<Step>,
    },
    /// Takes the next row of a data source.
    Feed {
        /// The name of the source, which exists.
        source: Arc<str>,
        /// The variable that holds the row.
        variable: Arc<str>,
    },
}

/// A request and what is expected of its answer.
#[derive(Clone, Debug)]
pub struct RequestStep {
    /// The HTTP method.
    pub method: Method,
    /// The path, appended to the host, or an absolute URL; see [`Host::join`](super::Host::join).
    pub target: Template,
    /// The name in the statistics; the target's rendered text without it, as in Locust.
    pub name: Option<Template>,
    /// Parameters to percent-encode and append to the target, in this order.
    pub query: Vec<(String, Template)>,
    /// Headers, in this order. Names are valid HTTP tokens; a rendered value may still be invalid.
    pub headers: Vec<(String, Template)>,
    /// The body.
    pub body: Body,
    /// Who sends it; replaces that of the class.
    pub auth: Option<Auth>,
    /// How long to wait for the whole answer; what the class says without it.
    pub timeout: Option<Duration>,
    /// Whether redirects are followed; what the class says without it.
    pub follow_redirects: Option<bool>,
    /// What makes the answer a success.
    pub expect: Expectation,
    /// What to keep of the answer.
    pub captures: Vec<Capture>,
}

/// The body of a request.
#[derive(Clone, Debug)]
pub enum Body {
    /// No body.
    None,
    /// A JSON document, sent as `application/json` unless the headers name a content type.
    Json(JsonTemplate),
    /// Fields, sent as `application/x-www-form-urlencoded` unless the headers name a content type.
    Form(Vec<(String, Template)>),
    /// Parts, sent as `multipart/form-data` (RFC 7578).
    Multipart(Vec<Part>),
    /// Text, sent as it is; no content type unless the headers name one.
    Text(Template),
    /// The contents of a file, sent as they are; no content type unless the headers name one.
    File(Arc<str>),
}

/// One part of a `multipart/form-data` body.
#[derive(Clone, Debug)]
pub struct Part {
    /// The name of the field.
    pub name: Arc<str>,
    /// What it holds.
    pub content: PartContent,
    /// The file name that the target is told; for a file, its own without it.
    pub filename: Option<Template>,
    /// The content type; for a file, `application/octet-stream` without it.
    pub content_type: Option<Template>,
}

/// What a part holds.
#[derive(Clone, Debug)]
pub enum PartContent {
    /// Text.
    Text(Template),
    /// The contents of a file.
    File(Arc<str>),
}

/// Who sends a request.
#[derive(Clone, Debug)]
pub enum Auth {
    /// `Authorization: Basic` (RFC 7617).
    Basic {
        /// The user name.
        username: Template,
        /// The password.
        password: Template,
    },
    /// `Authorization: Bearer` (RFC 6750), with this token.
    Bearer(Template),
}

impl Step {
    /// This step and all steps inside of it, the outer ones first.
    pub fn visit<'s>(&'s self, visit: &mut impl FnMut(&'s Step)) {
        visit(self);
        let inner: [&[Step]; 2] = match self {
            Self::If { then, otherwise, .. } => [then, otherwise],
            Self::Repeat { steps, .. } | Self::ForEach { steps, .. } => [steps, &[]],
            _ => [&[], &[]],
        };
        inner.into_iter().flatten().for_each(|step| step.visit(visit));
    }

    /// The names of the files that it needs, with repetitions.
    pub(super) fn files(&self) -> Vec<&Arc<str>> {
        let Self::Request(request) = self else { return Vec::new() };
        match &request.body {
            Body::File(file) => vec![file],
            Body::Multipart(parts) => {
                let files = parts.iter().filter_map(|part| match &part.content {
                    PartContent::File(file) => Some(file),
                    PartContent::Text(_) => None,
                });
                files.collect()
            }
            _ => Vec::new(),
        }
    }
}
