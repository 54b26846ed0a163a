//! How a user class speaks HTTP: versions, limits, connections, TLS and the proxy, as plain values.
//!
//! The scenario's reader makes these and a worker's HTTP client obeys them. Headers and credentials are not here: they
//! are templates, so they are rendered request by request.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use url::Url;

/// An answer may take this long unless the scenario says otherwise, as in Locust's fast client.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// This many redirects are followed unless the scenario says otherwise, as in Locust.
pub const DEFAULT_MAX_REDIRECTS: u32 = 30;

/// The port of a SOCKS proxy that names none.
const SOCKS_PORT: u16 = 1080;

/// What holds for every request of a user class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpSettings {
    /// Which versions of HTTP are spoken.
    pub version: HttpVersion,
    /// How long a whole answer may take, redirects included; a request's own timeout comes first.
    pub timeout: Duration,
    /// Whether redirects are followed; a request's own word comes first.
    pub follow_redirects: bool,
    /// How many redirects one request may follow; it fails at the next one. 0 lets none be followed.
    pub max_redirects: u32,
    /// Whether compressed answers are asked for and decoded. Without it bodies stay as they came.
    pub compression: bool,
    /// Whether each user keeps the cookies that it is given.
    pub cookies: bool,
    /// How long connections live.
    pub connection: ConnectionSettings,
    /// Whom TLS trusts, and as whom it introduces users.
    pub tls: TlsSettings,
    /// Where all requests go through. The environment's proxies are never used.
    pub proxy: Option<Proxy>,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            version: HttpVersion::default(),
            timeout: DEFAULT_TIMEOUT,
            follow_redirects: true,
            max_redirects: DEFAULT_MAX_REDIRECTS,
            compression: true,
            cookies: true,
            connection: ConnectionSettings::default(),
            tls: TlsSettings::default(),
            proxy: None,
        }
    }
}

/// Versions of HTTP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum HttpVersion {
    /// HTTP/1.1 over `http://`; over `https://` whichever of both the target prefers.
    #[default]
    Auto,
    /// HTTP/1.1 only.
    Http1,
    /// HTTP/2 only; over `http://` without asking first, which is called prior knowledge.
    Http2,
}

/// How long a connection lives. Each new one looks its host's name up again. Cookies survive a change of connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ConnectionSettings {
    /// How much of a user's life shares a connection.
    pub reuse: Reuse,
    /// A connection that was opened this long ago takes no further request.
    pub max_age: Option<Duration>,
    /// A connection takes this many requests and no further one. 0 means the same as 1.
    pub max_requests: Option<u32>,
}

/// How much of a user's life shares a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Reuse {
    /// All of it, as long as the target keeps the connection open.
    #[default]
    User,
    /// One iteration; the next one begins without connections.
    Iteration,
    /// Nothing: every request has a connection of its own.
    None,
}

/// Whom TLS trusts, and as whom it introduces users.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct TlsSettings {
    /// Certificates in PEM that are trusted beside the system's.
    pub ca: Option<Arc<[u8]>>,
    /// What users show to targets that ask for a certificate.
    pub identity: Option<Identity>,
    /// Whether every certificate is accepted, whoever signed it for whatever name.
    pub insecure: bool,
}

/// A certificate and its private key.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate in PEM, followed by those that lead to its authority.
    pub cert: Arc<[u8]>,
    /// The private key in PEM.
    pub key: Arc<[u8]>,
}

/// The address of a proxy, maybe with credentials: `http://user:password@proxy.example:3128`.
///
/// `http` and `https` proxies forward requests for `http://` and tunnel those for `https://`; `socks5` carries both, with
/// names looked up by the worker, and `socks5h` has the proxy look them up. Shown without the credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    url: Url,
}

/// Why a text is no address of a proxy. The text itself is not repeated: there may be a password in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BadProxy {
    /// It is no URL, for this reason.
    #[error("not a URL: {0}")]
    NotAUrl(url::ParseError),
    /// It is a URL of another kind.
    #[error("a proxy begins with http://, https://, socks5:// or socks5h://")]
    UnknownScheme,
    /// It names no host.
    #[error("the proxy has no host")]
    NoHost,
    /// Something follows the port.
    #[error("a proxy is a host and a port, without a path")]
    MoreThanAHost,
}

impl Proxy {
    /// Reads the address of a proxy. A port that is left out is the scheme's, 1080 for SOCKS.
    ///
    /// # Errors
    /// It is no URL of a proxy.
    pub fn parse(text: &str) -> Result<Self, BadProxy> {
        let mut url = Url::parse(text).map_err(|error| match error {
            url::ParseError::RelativeUrlWithoutBase => BadProxy::UnknownScheme,
            url::ParseError::EmptyHost => BadProxy::NoHost,
            error => BadProxy::NotAUrl(error),
        })?;
        let is_socks = match url.scheme() {
            "http" | "https" => false,
            "socks5" | "socks5h" => true,
            _ => return Err(BadProxy::UnknownScheme),
        };
        if url.host_str().is_none_or(str::is_empty) {
            return Err(BadProxy::NoHost);
        }
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(BadProxy::MoreThanAHost);
        }
        if is_socks && url.port().is_none() {
            // It has a host, so it can have a port.
            let _ = url.set_port(Some(SOCKS_PORT));
        }
        Ok(Self { url })
    }

    /// The whole address, credentials included: for the client that connects, never for people.
    pub fn as_url(&self) -> &Url {
        &self.url
    }
}

impl FromStr for Proxy {
    type Err = BadProxy;

    fn from_str(text: &str) -> Result<Self, BadProxy> {
        Self::parse(text)
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.url.scheme(), self.url.host_str().unwrap_or_default())?;
        self.url.port_or_known_default().map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

impl fmt::Debug for TlsSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsSettings")
            .field("ca_bytes", &self.ca.as_ref().map(|pem| pem.len()))
            .field("identity", &self.identity)
            .field("insecure", &self.insecure)
            .finish()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("cert_bytes", &self.cert.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, BadProxy>) {
        let shown = Proxy::parse(text).map(|proxy| proxy.to_string());
        assert_eq!(shown, expected.map(str::to_owned), "{text}");
    }

    #[test]
    fn a_proxy_is_a_scheme_a_host_and_a_port() {
        check("http://proxy.example:3128", Ok("http://proxy.example:3128"));
        check("http://proxy.example", Ok("http://proxy.example:80"));
        check("https://proxy.example/", Ok("https://proxy.example:443"));
        check("socks5://10.0.0.1", Ok("socks5://10.0.0.1:1080"));
        check("socks5h://[::1]:9050", Ok("socks5h://[::1]:9050"));
    }

    #[test]
    fn what_is_no_proxy_is_refused_with_the_reason() {
        check("proxy.example", Err(BadProxy::UnknownScheme));
        check("proxy.example:3128", Err(BadProxy::UnknownScheme));
        check("ftp://proxy.example", Err(BadProxy::UnknownScheme));
        check("http://", Err(BadProxy::NoHost));
        check("socks5://", Err(BadProxy::NoHost));
        check("http://proxy.example:99999", Err(BadProxy::NotAUrl(url::ParseError::InvalidPort)));
        check("http://proxy.example/way", Err(BadProxy::MoreThanAHost));
        check("http://proxy.example?x=1", Err(BadProxy::MoreThanAHost));
    }

    #[test]
    fn credentials_are_kept_and_never_shown() {
        let proxy = Proxy::parse("http://me:secret@proxy.example:3128").unwrap();
        assert_eq!((proxy.as_url().username(), proxy.as_url().password()), ("me", Some("secret")));
        for shown in [proxy.to_string(), format!("{proxy:?}")] {
            assert!(!shown.contains("secret") && !shown.contains("me:"), "{shown}");
        }
    }

    #[test]
    fn keys_are_never_shown() {
        let pem = |text: &str| Arc::from(text.as_bytes());
        let identity = Some(Identity { cert: pem("a certificate"), key: pem("a secret") });
        let tls = TlsSettings { ca: Some(pem("an authority")), identity, insecure: false };
        let shown = format!("{:?}", HttpSettings { tls, ..HttpSettings::default() });
        let secret = format!("{:?}", b"a secret");
        assert!(!shown.contains(secret.trim_matches(['[', ']'])) && !shown.contains("secret"), "{shown}");
        assert!(shown.contains("cert_bytes: 13"), "{shown}");
    }
}
