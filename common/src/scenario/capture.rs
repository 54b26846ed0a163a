//! What a request keeps of its answer: values for the user's variables.

use std::fmt;
use std::sync::Arc;

use minijinja::Value;
use minijinja::value::Serde;
use regex::bytes::Regex;

use super::answer::Answer;
use super::context::RenderContext;
use super::path::JsonPath;
use super::template::Template;

/// One value to keep.
#[derive(Clone, Debug)]
pub struct Capture {
    /// The variable that gets it.
    pub variable: Arc<str>,
    pub(super) source: CaptureSource,
    /// What the variable gets if there is nothing to keep.
    pub(super) default: Option<Template>,
}

/// Where a value comes from.
#[derive(Clone, Debug)]
pub(super) enum CaptureSource {
    /// What stands at this path of the JSON body, with its type.
    Json(JsonPath),
    /// The text of a group of the first match in the body.
    Regex { regex: Regex, group: usize },
    /// The value of a header, the first if there are several.
    Header(String),
    /// The value of a cookie that the user has for the address of the request.
    Cookie(String),
}

impl Capture {
    /// Takes the value from an answer.
    ///
    /// # Errors
    /// There is nothing to keep and no default, or the default cannot be rendered: a message that is the same for all
    /// answers that lack the same thing.
    pub fn take(&self, answer: &Answer<'_>, context: &RenderContext) -> Result<Value, String> {
        match (self.find(answer), &self.default) {
            (Some(value), _) => Ok(value),
            (None, Some(default)) => default.evaluate(context).map_err(|error| error.to_string()),
            (None, None) => Err(format!("failed to capture `{}`: {}", self.variable, self.source)),
        }
    }

    fn find(&self, answer: &Answer<'_>) -> Option<Value> {
        match &self.source {
            CaptureSource::Json(path) => path.find(answer.json()?).map(|found| Value::from(Serde(found))),
            CaptureSource::Regex { regex, group } => {
                let found = regex.captures(answer.body())?.get(*group)?;
                Some(Value::from(String::from_utf8_lossy(found.as_bytes()).as_ref()))
            }
            CaptureSource::Header(name) => answer.header(name).map(|text| Value::from(text.as_ref())),
            CaptureSource::Cookie(name) => answer.cookie(name).map(Value::from),
        }
    }
}

impl fmt::Display for CaptureSource {
    /// The end of the sentence `failed to capture ...: `.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(path) => write!(f, "nothing at JSON path {path}"),
            Self::Regex { regex, .. } => write!(f, "no match of /{regex}/ in the body"),
            Self::Header(name) => write!(f, "no header {name}"),
            Self::Cookie(name) => write!(f, "no cookie {name}"),
        }
    }
}
