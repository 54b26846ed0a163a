//! Reads `http`: how requests are sent.

use std::sync::Arc;

use super::compile::Names;
use super::decode::{Decoder, Fields};
use super::document::{Content, Node};
use super::http::HttpOptions;
use super::request::{auth, headers};
use crate::http::{HttpVersion, Proxy, Reuse};

const HTTP_KEYS: [&str; 11] = [
    "version",
    "timeout",
    "headers",
    "auth",
    "follow_redirects",
    "max_redirects",
    "compression",
    "cookies",
    "connection",
    "tls",
    "proxy",
];

const CONNECTION_KEYS: [&str; 3] = ["reuse", "max_age", "max_requests"];

const TLS_KEYS: [&str; 4] = ["ca", "cert", "key", "insecure"];

const VERSIONS: [(&str, HttpVersion); 4] = [
    ("auto", HttpVersion::Auto),
    ("1.1", HttpVersion::Http1),
    ("2", HttpVersion::Http2),
    ("2.0", HttpVersion::Http2),
];

const REUSES: [(&str, Reuse); 3] =
    [("user", Reuse::User), ("iteration", Reuse::Iteration), ("none", Reuse::None)];

/// Reads the options of a scenario or a class.
pub(super) fn http_options<'t>(
    decoder: &mut Decoder<'t>,
    node: &Node<'t>,
    names: &Names,
) -> Option<HttpOptions> {
    let fields = decoder.fields(node, "`http`", &HTTP_KEYS)?;
    let mut options = HttpOptions {
        version: fields.get("version").and_then(|node| decoder.word(node, "`version`", &VERSIONS)),
        timeout: fields.get("timeout").and_then(|node| decoder.duration(node, "`timeout`")),
        headers: fields.get("headers").map(|node| headers(decoder, node, names)).unwrap_or_default(),
        auth: fields.get("auth").and_then(|node| auth(decoder, node, names)),
        follow_redirects: boolean(decoder, &fields, "follow_redirects"),
        max_redirects: fields
            .get("max_redirects")
            .and_then(|node| decoder.integer(node, "`max_redirects`", 0, 1000)),
        compression: boolean(decoder, &fields, "compression"),
        cookies: boolean(decoder, &fields, "cookies"),
        proxy: fields.get("proxy").and_then(|node| decoder.parsed(node, "`proxy`", Proxy::parse)),
        ..HttpOptions::default()
    };
    if let Some(node) = fields.get("connection") {
        connection(decoder, node, &mut options);
    }
    if let Some(node) = fields.get("tls") {
        tls(decoder, node, &mut options);
    }
    Some(options)
}

fn boolean<'t>(decoder: &mut Decoder<'t>, fields: &Fields<'_, 't>, key: &str) -> Option<bool> {
    fields.get(key).and_then(|node| decoder.boolean(node, &format!("`{key}`")))
}

/// A mapping, or the reuse alone.
fn connection<'t>(decoder: &mut Decoder<'t>, node: &Node<'t>, options: &mut HttpOptions) {
    if matches!(&*node.content, Content::Scalar(_)) {
        options.reuse = decoder.word(node, "`connection`", &REUSES);
        return;
    }
    let Some(fields) = decoder.fields(node, "`connection`", &CONNECTION_KEYS) else { return };
    options.reuse = fields.get("reuse").and_then(|node| decoder.word(node, "`reuse`", &REUSES));
    options.max_age = fields.get("max_age").and_then(|node| decoder.duration(node, "`max_age`"));
    options.max_requests =
        fields.get("max_requests").and_then(|node| decoder.integer(node, "`max_requests`", 1, u32::MAX));
}

fn tls<'t>(decoder: &mut Decoder<'t>, node: &Node<'t>, options: &mut HttpOptions) {
    let Some(fields) = decoder.fields(node, "`tls`", &TLS_KEYS) else { return };
    let mut file = |key: &str| -> Option<Arc<str>> {
        fields.get(key).and_then(|node| decoder.file_name(node, &format!("`{key}`")))
    };
    options.ca = file("ca");
    options.identity = file("cert").zip(file("key"));
    if fields.get("cert").is_some() != fields.get("key").is_some() {
        decoder.note(node.at, "`cert` and `key` belong together");
    }
    options.insecure = boolean(decoder, &fields, "insecure");
}
