//! The address of the system under test, as users write it: `http://localhost:8000`.

use std::fmt;

use thiserror::Error;
use url::Url;

/// Where requests go: an `http` or `https` address, perhaps with a path that every request's path is appended
/// to, as in Locust.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host(Url);

/// Why an address cannot be a host.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HostError {
    /// The text is no absolute URL.
    #[error("`{text}` is not a URL ({reason}); write it as http://name:port")]
    NotAUrl {
        /// What was written.
        text: String,
        /// What the URL parser said.
        reason: String,
    },
    /// The URL has another scheme.
    #[error("`{text}` is neither http nor https; write it as http://name:port")]
    Scheme {
        /// What was written.
        text: String,
    },
    /// The URL has a query or a fragment, which no path can be appended to.
    #[error("`{text}` has a query or a fragment; a host ends with its name, port or path")]
    Query {
        /// What was written.
        text: String,
    },
}

impl Host {
    /// Reads an address such as `http://localhost:8000` or `https://shop.example/api`.
    ///
    /// # Errors
    /// If the text is no URL, has another scheme than `http` and `https`, or has a query or fragment.
    pub fn parse(text: &str) -> Result<Self, HostError> {
        let written = || text.to_owned();
        let url = match Url::parse(text.trim()) {
            Ok(url) => url,
            Err(reason) => return Err(HostError::NotAUrl { text: written(), reason: reason.to_string() }),
        };
        match url.scheme() {
            // The URL parser takes `http:name`; `http://` is what everybody means.
            "http" | "https" if text.contains("://") => {}
            _ => return Err(HostError::Scheme { text: written() }),
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(HostError::Query { text: written() });
        }
        Ok(Self(url))
    }

    /// The address without a slash at its end: `http://localhost:8000`.
    pub fn as_str(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }

    /// The address as a URL; its path is at least `/`.
    pub fn url(&self) -> &Url {
        &self.0
    }

    /// The full address of a request's target: a path is appended to the host, as Locust does, an absolute
    /// `http` or `https` URL stands for itself.
    pub fn join(&self, target: &str) -> String {
        if target.starts_with("http://") || target.starts_with("https://") {
            return target.to_owned();
        }
        let slash = if target.starts_with('/') { "" } else { "/" };
        format!("{}{slash}{target}", self.as_str())
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_http_addresses_without_query_are_hosts() {
        let check = |text: &str, expected: Result<&str, &str>| {
            let host = Host::parse(text).map(|host| host.to_string()).map_err(|error| error.to_string());
            assert_eq!(host.as_deref().map_err(String::as_str), expected, "{text}");
        };
        check("http://localhost:8000", Ok("http://localhost:8000"));
        check("https://shop.example/api/", Ok("https://shop.example/api"));
        check("http://[::1]:80", Ok("http://[::1]"));
        check(
            "localhost:8000",
            Err("`localhost:8000` is neither http nor https; write it as http://name:port"),
        );
        check(
            "localhost",
            Err("`localhost` is not a URL (relative URL without a base); write it as http://name:port"),
        );
        check("ftp://a", Err("`ftp://a` is neither http nor https; write it as http://name:port"));
        check(
            "http://a/?b",
            Err("`http://a/?b` has a query or a fragment; a host ends with its name, port or path"),
        );
        check(
            "http://a/#b",
            Err("`http://a/#b` has a query or a fragment; a host ends with its name, port or path"),
        );
        check("http://", Err("`http://` is not a URL (empty host); write it as http://name:port"));
    }

    #[test]
    fn paths_are_appended_and_urls_stand_alone() {
        let check = |host, target, expected| {
            assert_eq!(Host::parse(host).map(|host| host.join(target)).as_deref(), Ok(expected));
        };
        check("http://a", "/b?c=d", "http://a/b?c=d");
        check("http://a/api/", "/b", "http://a/api/b");
        check("http://a", "b", "http://a/b");
        check("http://a", "https://c/d", "https://c/d");
    }
}
