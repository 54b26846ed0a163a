//! The HTTP methods, by the keys of steps and by any other name.

use std::fmt;
use std::sync::Arc;

/// An HTTP method (RFC 9110, section 9).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Method {
    Get,
    Head,
    Options,
    Delete,
    Post,
    Put,
    Patch,
    Trace,
    /// Another one, such as `PROPFIND`: a token of RFC 9110.
    Other(Arc<str>),
}

impl Method {
    /// Every method that is a step key, in the order in which help texts list them.
    pub const ALL: [Self; 8] =
        [Self::Get, Self::Head, Self::Options, Self::Delete, Self::Post, Self::Put, Self::Patch, Self::Trace];

    /// The method of this name, which HTTP compares with its case; `None` if no method can have it.
    pub fn named(name: &str) -> Option<Self> {
        let known = Self::ALL.into_iter().find(|method| method.as_str() == name);
        known.or_else(|| is_token(name).then(|| Self::Other(name.into())))
    }

    /// The method as HTTP and the statistics write it: `GET`.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Options => "OPTIONS",
            Self::Delete => "DELETE",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Trace => "TRACE",
            Self::Other(name) => name,
        }
    }

    /// The method as a step key: `get`. The others stand under `REQUEST_KEY`.
    pub fn key(&self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Head => "head",
            Self::Options => "options",
            Self::Delete => "delete",
            Self::Post => "post",
            Self::Put => "put",
            Self::Patch => "patch",
            Self::Trace => "trace",
            Self::Other(_) => REQUEST_KEY,
        }
    }
}

/// The step key of a request whose method stands under `method`.
pub const REQUEST_KEY: &str = "request";

/// Whether a text is a token of RFC 9110, as names of methods and headers are.
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
