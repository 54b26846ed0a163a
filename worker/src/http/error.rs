//! Why there is no answer, in Locust's words.
//!
//! Failures are grouped by their text, so nothing that differs from request to request gets into it: no URL, port,
//! address, time, or word of the target's own. Transports bring their errors here; they have no words themselves.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::io;

use rustls::CertificateError;

use super::MAX_BODY_BYTES;

/// Why there is no answer, displayed as Locust displays it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpError {
    message: Cow<'static, str>,
}

impl HttpError {
    /// An error that is displayed as `message`, which must be the same for every request that fails like this.
    pub fn new(message: impl Into<Cow<'static, str>>) -> Self {
        Self { message: message.into() }
    }

    /// The deadline passed; `is_connecting` if there was no connection yet.
    pub fn timed_out(is_connecting: bool) -> Self {
        Self::new(if is_connecting { "ConnectTimeout('timed out')" } else { "ReadTimeout('timed out')" })
    }

    /// The peer closed the connection before it answered.
    pub fn closed_without_answer() -> Self {
        Self::new("RemoteDisconnected('Remote end closed connection without response')")
    }

    /// The text is no URL.
    pub(super) fn invalid_url(reason: &dyn fmt::Display) -> Self {
        Self::new(format!("InvalidURL('{reason}')"))
    }

    /// It is a URL, but not one of HTTP.
    pub(super) fn invalid_scheme() -> Self {
        Self::new("InvalidSchema('No connection adapters were found')")
    }

    /// There were more redirects than the class follows.
    pub(super) fn too_many_redirects(limit: u32) -> Self {
        Self::new(format!("TooManyRedirects('Exceeded {limit} redirects.')"))
    }

    /// The body is larger than [`MAX_BODY_BYTES`].
    pub(super) fn too_large() -> Self {
        Self::new(format!("ResponseTooLarge('more than {} MiB')", MAX_BODY_BYTES >> 20))
    }

    /// The body is not what its `Content-Encoding` says.
    pub(super) fn undecodable(coding: &str) -> Self {
        Self::new(format!(
            "ContentDecodingError('Received response with content-encoding: {coding}, but failed to decode it.')"
        ))
    }

    /// The same error, which happened on the way to the proxy. What says so already, and what TLS says of the target,
    /// stays as it is.
    pub fn at_proxy(self) -> Self {
        if self.message.starts_with("ProxyError(") || self.message.starts_with("SSL") {
            return self;
        }
        Self::new(format!("ProxyError('Unable to connect to proxy', {})", self.message))
    }

    /// The words for whatever a transport's library reports. The innermost cause that is known by its type decides;
    /// otherwise the innermost text, which libraries take from lists of fixed ones.
    pub fn from_causes(error: &(dyn Error + 'static)) -> Self {
        causes(error).filter_map(known).last().unwrap_or_else(|| {
            let innermost = causes(error).last().map_or_else(|| error.to_string(), ToString::to_string);
            Self::new(format!("ConnectionError('{innermost}')"))
        })
    }

    /// The same for an error before the head of an answer was there, where an early end means no answer at all.
    pub fn before_answer(error: &(dyn Error + 'static)) -> Self {
        let io_errors = causes(error).filter_map(|cause| cause.downcast_ref::<io::Error>());
        match io_errors.last().map(io::Error::kind) {
            Some(io::ErrorKind::UnexpectedEof) => Self::closed_without_answer(),
            _ => Self::from_causes(error),
        }
    }

    /// The words for a failed look-up of a name.
    pub fn from_lookup(error: &(dyn Error + 'static)) -> Self {
        let text = causes(error).last().map_or_else(|| error.to_string(), ToString::to_string);
        let words = text.rsplit_once(": ").map_or(text.as_str(), |(_, words)| words);
        // The numbers that Python shows are those of the C library, which Rust does not tell.
        let number = match words {
            "Name or service not known" => -2,
            "Temporary failure in name resolution" => -3,
            "No address associated with hostname" => -5,
            _ => return Self::new(format!("gaierror('{words}')")),
        };
        Self::new(format!("gaierror({number}, '{words}')"))
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for HttpError {}

/// The words for an error that is known by its type.
fn known(error: &(dyn Error + 'static)) -> Option<HttpError> {
    if let Some(error) = error.downcast_ref::<io::Error>() {
        return Some(HttpError::new(io_words(error)));
    }
    if let Some(error) = error.downcast_ref::<h2::Error>() {
        return Some(HttpError::new(h2_words(error)));
    }
    if let Some(error) = error.downcast_ref::<rustls::Error>() {
        return Some(HttpError::new(tls_words(error)));
    }
    if let Some(error) = error.downcast_ref::<hyper::Error>() {
        let is_end = error.is_incomplete_message() || error.is_canceled() || error.is_closed();
        return is_end.then(HttpError::closed_without_answer);
    }
    proxy_words(&error.to_string()).map(HttpError::new)
}

fn io_words(error: &io::Error) -> String {
    let inner = error.get_ref();
    if let Some(tls) = inner.and_then(|inner| inner.downcast_ref()) {
        return tls_words(tls);
    }
    if let Some(io) = inner.and_then(|inner| inner.downcast_ref()) {
        return io_words(io);
    }
    // The words of tokio-rustls for a connection that the other side closed during the handshake.
    if error.to_string() == "tls handshake eof" {
        return "SSLEOFError(8, '[SSL: UNEXPECTED_EOF_WHILE_READING] EOF occurred in violation of protocol')"
            .to_owned();
    }
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "ConnectionRefusedError(111, 'Connection refused')".to_owned(),
        io::ErrorKind::ConnectionReset => "ConnectionResetError(104, 'Connection reset by peer')".to_owned(),
        io::ErrorKind::BrokenPipe => "BrokenPipeError(32, 'Broken pipe')".to_owned(),
        io::ErrorKind::TimedOut => "TimeoutError(110, 'Connection timed out')".to_owned(),
        io::ErrorKind::UnexpectedEof => "IncompleteRead('the connection ended within the answer')".to_owned(),
        _ => match error.raw_os_error() {
            Some(code) => format!("OSError({code}, '{}')", without_code(&error.to_string())),
            None => format!("ConnectionError('{error}')"),
        },
    }
}

/// `Network is unreachable (os error 101)` without its end.
fn without_code(text: &str) -> &str {
    text.split_once(" (os error").map_or(text, |(words, _)| words)
}

/// HTTP/2 has no words in Locust; these name what happened and the reason's name in the standard. What the target adds
/// to a GOAWAY stays out.
fn h2_words(error: &h2::Error) -> String {
    if let Some(error) = error.get_io() {
        return io_words(error);
    }
    let deed = match (error.is_remote(), error.is_reset()) {
        (true, true) => "StreamReset",
        (true, false) => "ConnectionTerminated",
        (false, _) => "ProtocolError",
    };
    match error.reason() {
        Some(reason) => format!("{deed}('HTTP/2: {reason:?}')"),
        None => format!("{deed}('HTTP/2')"),
    }
}

/// OpenSSL's words where it has some, as Python shows them.
fn tls_words(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(reason) => {
            let words = certificate_words(reason);
            format!(
                "SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: {words}')"
            )
        }
        rustls::Error::AlertReceived(alert) => format!("SSLError('alert received: {alert:?}')"),
        rustls::Error::InvalidMessage(_) => {
            "SSLError(1, '[SSL: WRONG_VERSION_NUMBER] wrong version number')".to_owned()
        }
        other => format!("SSLError('{}')", variant(other)),
    }
}

fn certificate_words(error: &CertificateError) -> Cow<'static, str> {
    use CertificateError as E;
    match error {
        E::Expired | E::ExpiredContext { .. } => "certificate has expired".into(),
        E::NotValidYet | E::NotValidYetContext { .. } => "certificate is not yet valid".into(),
        E::UnknownIssuer => "unable to get local issuer certificate".into(),
        E::NotValidForName | E::NotValidForNameContext { .. } => "Hostname mismatch".into(),
        E::Revoked => "certificate revoked".into(),
        other => variant(other).into(),
    }
}

/// The name of an enum's variant without what is in it: names and times that differ.
fn variant(error: &dyn fmt::Debug) -> String {
    format!("{error:?}").chars().take_while(char::is_ascii_alphanumeric).collect()
}

/// hyper-util keeps its errors about proxies to itself; only their texts can be known.
fn proxy_words(text: &str) -> Option<String> {
    let (kind, reason) = text.split_once(" error: ")?;
    let words = match (kind, reason) {
        ("tunnel", "proxy authorization required") => {
            "OSError('Tunnel connection failed: 407 Proxy Authentication Required')".to_owned()
        }
        ("tunnel", reason) => format!("OSError('Tunnel connection failed: {reason}')"),
        ("SOCKS", reason) => format!("OSError('SOCKS5: {reason}')"),
        _ => return None,
    };
    Some(format!("ProxyError('Unable to connect to proxy', {words})"))
}

/// An error and what caused it, outermost first.
pub(super) fn causes<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    use rustls::pki_types::UnixTime;

    use super::*;

    fn check(error: impl Error + 'static, expected: &str) {
        assert_eq!(HttpError::from_causes(&error).to_string(), expected);
    }

    fn certificate(error: CertificateError) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, rustls::Error::InvalidCertificate(error))
    }

    #[test]
    fn errors_of_the_system_are_pythons() {
        check(io::Error::from_raw_os_error(111), "ConnectionRefusedError(111, 'Connection refused')");
        check(io::Error::from_raw_os_error(101), "OSError(101, 'Network is unreachable')");
        check(io::Error::other("odd"), "ConnectionError('odd')");
    }

    #[test]
    fn the_time_of_a_failure_is_not_in_its_words() {
        let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        for time in [at(1), at(now)] {
            check(
                certificate(CertificateError::ExpiredContext { time, not_after: at(0) }),
                "SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: \
                 certificate has expired')",
            );
        }
    }

    #[test]
    fn what_differs_is_cut_from_rarer_words() {
        check(
            certificate(CertificateError::ExpiredRevocationListContext {
                time: UnixTime::now(),
                next_update: UnixTime::now(),
            }),
            "SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: \
             ExpiredRevocationListContext')",
        );
    }

    #[test]
    fn names_that_cannot_be_looked_up_are_pythons() {
        let check = |text: &str, expected: &str| {
            let error = io::Error::other(text.to_owned());
            assert_eq!(HttpError::from_lookup(&error).to_string(), expected);
        };
        let std = "failed to lookup address information: Name or service not known";
        check(std, "gaierror(-2, 'Name or service not known')");
        check("no such name", "gaierror('no such name')");
    }
}
