//! How a Locust worker names a kind of failure.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::python_repr;

/// The key of a failure in a report: the SHA-256, in lower-case hexadecimal digits, of method, name and the text of
/// the error in Python's quotes, with dots between them. A master takes it as it is.
pub fn error_key(method: &str, name: &str, error: &str) -> String {
    let digest = Sha256::digest(format!("{method}.{name}.{}", python_repr(error)));
    digest.iter().fold(String::with_capacity(64), |mut key, byte| {
        let written = write!(key, "{byte:02x}");
        debug_assert!(written.is_ok(), "writing to a string does not fail");
        key
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_those_of_locust() {
        assert_eq!(
            error_key("GET", "/missing", "LocustBadStatusCode(code=404)"),
            "50db195a5fa29f9f27a2dd48086cc67977e9d3b5b1e8ab402b7dac688f388588"
        );
    }
}
