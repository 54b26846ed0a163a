//! Functions of their arguments alone: digests, Base64, JSON as text.

use std::borrow::Cow;
use std::fmt::Write;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose};
use md5::Md5;
use minijinja::Value;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use super::function::{Bound, kind, text};
use super::json::{DOCUMENT_BYTES_MAX, write_value};
use crate::suggest::nearest;

/// Makes the digest of some bytes.
type Algorithm = fn(&[u8]) -> Vec<u8>;

/// The algorithms of `hash`.
const ALGORITHMS: [(&str, Algorithm); 4] = [
    ("sha256", |bytes| Sha256::digest(bytes).to_vec()),
    ("sha512", |bytes| Sha512::digest(bytes).to_vec()),
    ("sha1", |bytes| Sha1::digest(bytes).to_vec()),
    ("md5", |bytes| Md5::digest(bytes).to_vec()),
];

/// Senders of Base64 disagree on the padding at its end; nothing depends on it.
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);

pub(super) fn hash(arguments: &[Value]) -> Result<Bound, String> {
    let bytes = bytes(&arguments[0])?;
    let wanted = text(&arguments[1], "algorithm")?;
    let names = || ALGORITHMS.map(|(name, _)| name);
    let Some((_, digest)) = ALGORITHMS.iter().find(|(name, _)| *name == wanted) else {
        let help = nearest(wanted, names()).map_or_else(
            || format!("it has {}", names().join(", ")),
            |name| format!("did you mean `{name}`?"),
        );
        return Err(format!("has no algorithm `{wanted}`; {help}"));
    };
    Ok(Bound::Value(Value::from(hex(&digest(&bytes)))))
}

pub(super) fn b64(arguments: &[Value]) -> Result<Bound, String> {
    let bytes = bytes(&arguments[0])?;
    let engine = match bool::try_from(arguments[1].clone()) {
        Ok(true) => &general_purpose::URL_SAFE,
        Ok(false) => &general_purpose::STANDARD,
        Err(_) => return Err(format!("needs true or false for `urlsafe`, got {}", kind(&arguments[1]))),
    };
    Ok(Bound::Value(Value::from(engine.encode(bytes))))
}

pub(super) fn b64decode(arguments: &[Value]) -> Result<Bound, String> {
    let bytes = bytes(&arguments[0])?;
    let is_urlsafe = bytes.iter().any(|byte| matches!(byte, b'-' | b'_'));
    let alphabet = if is_urlsafe { &alphabet::URL_SAFE } else { &alphabet::STANDARD };
    let Ok(decoded) = GeneralPurpose::new(alphabet, LENIENT).decode(&bytes) else {
        // The text is not quoted: it may be a secret.
        return Err("needs Base64, got something else".to_owned());
    };
    // A template renders to text; bytes that are none would be replaced on their way without a word.
    let decoded = String::from_utf8(decoded).map_err(|_| "found bytes that are no text (UTF-8)")?;
    Ok(Bound::Value(Value::from(decoded)))
}

pub(super) fn json(arguments: &[Value]) -> Result<Bound, String> {
    let mut out = Vec::new();
    write_value(&mut out, &arguments[0], DOCUMENT_BYTES_MAX).map_err(|reason| format!("failed: {reason}"))?;
    Ok(Bound::Value(Value::from(String::from_utf8_lossy(&out).into_owned())))
}

/// The bytes of a text, of bytes, or of a number as templates print it.
fn bytes(value: &Value) -> Result<Cow<'_, [u8]>, String> {
    match value.as_bytes() {
        Some(bytes) => Ok(Cow::Borrowed(bytes)),
        None if value.is_number() => Ok(Cow::Owned(value.to_string().into_bytes())),
        None => Err(format!("needs text, got {}", kind(value))),
    }
}

/// Bytes as hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
