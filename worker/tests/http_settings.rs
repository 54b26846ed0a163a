//! What of a class's HTTP settings cannot be used, and how the scenario's author is told.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use sentinel_common::http::{HttpSettings, Identity, Proxy, TlsSettings};
use sentinel_worker::http::{BadHttpSettings, PreparedHttp};

const NOT_A_CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
const NOT_A_KEY: &str = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
const BROKEN: &str = "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n";

/// A certificate and its key in PEM.
fn signed() -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["user.test".to_owned()]).unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

fn pem(text: &str) -> Arc<[u8]> {
    Arc::from(text.as_bytes())
}

fn prepare(tls: TlsSettings) -> Result<Arc<PreparedHttp>, BadHttpSettings> {
    PreparedHttp::new(&HttpSettings { tls, ..HttpSettings::default() })
}

fn with_ca(ca: &str) -> Result<Arc<PreparedHttp>, BadHttpSettings> {
    prepare(TlsSettings { ca: Some(pem(ca)), ..TlsSettings::default() })
}

fn with_identity(cert: &str, key: &str) -> Result<Arc<PreparedHttp>, BadHttpSettings> {
    let identity = Some(Identity { cert: pem(cert), key: pem(key) });
    prepare(TlsSettings { identity, ..TlsSettings::default() })
}

#[track_caller]
fn check(outcome: Result<Arc<PreparedHttp>, BadHttpSettings>, expected: &str) {
    let message = outcome.expect_err("it cannot be used").to_string();
    assert!(message.starts_with(expected), "{message}");
}

#[test]
fn what_can_be_used_is_prepared() {
    let (cert, key) = signed();
    with_ca(&cert).unwrap();
    with_ca(&format!("An authority\n{cert}Another one\n{}", signed().0)).unwrap();
    with_identity(&cert, &key).unwrap();
    // Both in one file, as some tools write them.
    let both = format!("{key}{cert}");
    with_identity(&both, &both).unwrap();
    let proxy = Some(Proxy::parse("http://me:secret@proxy.test:3128").unwrap());
    let settings = HttpSettings { proxy, ..HttpSettings::default() };
    let prepared = PreparedHttp::new(&settings).unwrap();
    assert_eq!(*prepared.settings(), settings);
}

#[test]
fn an_authority_that_cannot_be_used_is_named() {
    check(with_ca(""), "http.tls.ca holds no certificate");
    check(with_ca("nonsense"), "http.tls.ca holds no certificate");
    check(with_ca(&signed().1), "http.tls.ca holds no certificate");
    check(with_ca(NOT_A_CERTIFICATE), "http.tls.ca holds a certificate that cannot be used: ");
    check(with_ca(BROKEN), "http.tls.ca holds a certificate that cannot be used: ");
    check(with_ca(&format!("{}{NOT_A_CERTIFICATE}", signed().0)), "http.tls.ca holds a certificate that");
    let insecure = TlsSettings { ca: Some(pem("")), insecure: true, ..TlsSettings::default() };
    check(prepare(insecure), "http.tls.ca holds no certificate");
}

#[test]
fn an_identity_that_cannot_be_used_is_named() {
    let (cert, key) = signed();
    check(with_identity("", &key), "http.tls.cert holds no certificate");
    check(with_identity(&key, &key), "http.tls.cert holds no certificate");
    check(with_identity(NOT_A_CERTIFICATE, &key), "http.tls.cert holds a certificate that cannot be used: ");
    check(with_identity(BROKEN, &key), "http.tls.cert holds a certificate that cannot be used: ");
    check(with_identity(&cert, ""), "http.tls.key holds no private key");
    check(with_identity(&cert, &cert), "http.tls.key holds no private key");
    check(with_identity(&cert, NOT_A_KEY), "http.tls.key holds a private key that cannot be used: ");
    check(with_identity(&cert, &signed().1), "http.tls.key does not belong to http.tls.cert");
}

#[test]
fn nothing_secret_is_shown() {
    let (cert, key) = signed();
    let identity = Some(Identity { cert: pem(&cert), key: pem(&key) });
    let proxy = Some(Proxy::parse("http://me:secret@proxy.test:3128").unwrap());
    let settings = HttpSettings {
        tls: TlsSettings { identity, ..TlsSettings::default() },
        proxy,
        ..HttpSettings::default()
    };
    let shown = format!("{:?}", PreparedHttp::new(&settings).unwrap());
    assert!(!shown.contains("secret"), "{shown}");
    let key_bytes = format!("{:?}", &key.as_bytes()[40..60]);
    assert!(!shown.contains(key_bytes.trim_matches(['[', ']'])), "{shown}");
}
