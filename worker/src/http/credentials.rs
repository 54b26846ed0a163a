//! Credentials of HTTP's basic authentication.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use percent_encoding::percent_decode_str;
use url::Url;

/// The value of `Authorization` for a name and a password, marked as sensitive.
pub fn basic_auth(username: &str, password: &str) -> HeaderValue {
    let encoded = STANDARD.encode(format!("{username}:{password}"));
    let mut value = HeaderValue::try_from(format!("Basic {encoded}")).expect("Base64 is visible ASCII");
    value.set_sensitive(true);
    value
}

/// Takes `user:password@` out of a URL. Returns what it stands for.
pub(super) fn take_from(url: &mut Url) -> Option<HeaderValue> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let value = basic_auth(&decoded(url.username()), &decoded(url.password().unwrap_or_default()));
    strip(url);
    Some(value)
}

/// Takes `user:password@` out of a URL.
pub(super) fn strip(url: &mut Url) {
    // URLs of HTTP have a host, so both can be set.
    let _ = url.set_username("");
    let _ = url.set_password(None);
}
