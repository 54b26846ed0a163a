//! A private authority, and targets that it vouches for.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use sentinel_common::http::{HttpSettings, Identity, TlsSettings};
use tokio_rustls::TlsAcceptor;

/// What targets are called, unless a test says otherwise.
pub const NAMES: [&str; 2] = ["127.0.0.1", "shop.test"];

/// Versions of HTTP that targets offer.
pub const H1: &[&str] = &["http/1.1"];
pub const H2: &[&str] = &["h2"];
pub const BOTH: &[&str] = &["h2", "http/1.1"];

static AUTHORITIES: AtomicUsize = AtomicUsize::new(0);

/// An authority that no system knows.
pub struct Authority {
    certificate: rcgen::Certificate,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key.
pub struct Signed {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        // Two authorities of one name would be taken for one that has lost its key.
        let number = AUTHORITIES.fetch_add(1, Ordering::Relaxed);
        params.distinguished_name.push(DnType::CommonName, format!("Authority {number}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    /// Vouches for these names.
    pub fn sign(&self, names: &[&str]) -> Signed {
        self.sign_params(&params(names))
    }

    /// Has vouched for the usual names, long ago.
    pub fn sign_expired(&self) -> Signed {
        let mut params = params(&NAMES);
        (params.not_before, params.not_after) = (date_time_ymd(2001, 1, 1), date_time_ymd(2002, 1, 1));
        self.sign_params(&params)
    }

    fn sign_params(&self, params: &CertificateParams) -> Signed {
        let key = KeyPair::generate().unwrap();
        Signed { certificate: params.signed_by(&key, &self.issuer).unwrap(), key }
    }

    /// A target with the usual names that offers these versions of HTTP.
    pub fn acceptor(&self, alpn: &[&str]) -> TlsAcceptor {
        self.sign(&NAMES).acceptor(alpn)
    }

    /// A target that wants to see a certificate of this authority.
    pub fn demanding_acceptor(&self) -> TlsAcceptor {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.certificate.der().clone()).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        let Signed { certificate, key } = self.sign(&NAMES);
        let config = server_config_builder()
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![certificate.der().clone()], der(&key))
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }

    /// Its certificate in PEM.
    pub fn pem(&self) -> Arc<[u8]> {
        Arc::from(self.certificate.pem().into_bytes())
    }

    /// Settings that trust it.
    pub fn trusted(&self) -> HttpSettings {
        let tls = TlsSettings { ca: Some(self.pem()), ..TlsSettings::default() };
        HttpSettings { tls, ..HttpSettings::default() }
    }
}

impl Signed {
    /// A certificate that vouches for itself.
    pub fn by_itself() -> Self {
        let key = KeyPair::generate().unwrap();
        Self { certificate: params(&NAMES).self_signed(&key).unwrap(), key }
    }

    /// A target that shows it and offers these versions of HTTP.
    pub fn acceptor(&self, alpn: &[&str]) -> TlsAcceptor {
        let chain: Vec<CertificateDer<'static>> = vec![self.certificate.der().clone()];
        let mut config =
            server_config_builder().with_no_client_auth().with_single_cert(chain, der(&self.key)).unwrap();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }

    /// What a user shows.
    pub fn identity(&self) -> Identity {
        let bytes = |pem: String| Arc::from(pem.into_bytes());
        Identity { cert: bytes(self.certificate.pem()), key: bytes(self.key.serialize_pem()) }
    }
}

fn params(names: &[&str]) -> CertificateParams {
    CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap()
}

fn der(key: &KeyPair) -> PrivateKeyDer<'static> {
    PrivatePkcs8KeyDer::from(key.serialize_der()).into()
}

fn server_config_builder() -> rustls::ConfigBuilder<ServerConfig, rustls::WantsVerifier> {
    ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
}
