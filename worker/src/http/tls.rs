//! How TLS is spoken: whom it trusts, what it shows, which versions of HTTP it offers.

use std::sync::{Arc, LazyLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WantsClientCert};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ConfigBuilder, DigitallySignedStruct, RootCertStore, SignatureScheme, WantsVerifier,
};
use sentinel_common::http::{HttpSettings, HttpVersion, Identity, TlsSettings};

use super::BadHttpSettings;

static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| Arc::new(aws_lc_rs::default_provider()));

/// The certificates that the system trusts. Reading them takes milliseconds, and they are the same for all classes.
static SYSTEM_ROOTS: LazyLock<Arc<RootCertStore>> = LazyLock::new(|| Arc::new(system_roots()));

/// How TLS is spoken under these settings.
///
/// # Errors
/// A certificate or a key cannot be used.
pub(super) fn client_config(settings: &HttpSettings) -> Result<ClientConfig, BadHttpSettings> {
    let builder = ClientConfig::builder_with_provider(PROVIDER.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| BadHttpSettings::Tls(error.to_string()))?;
    let builder = trusting(builder, &settings.tls)?;
    let mut config = match &settings.tls.identity {
        Some(identity) => introducing(builder, identity)?,
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = match settings.version {
        HttpVersion::Auto => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        HttpVersion::Http1 => vec![b"http/1.1".to_vec()],
        HttpVersion::Http2 => vec![b"h2".to_vec()],
    };
    // Every new connection costs the target a whole handshake, as from Locust. To resume would also let one user go on
    // with the session of another, behind a lock that all lanes share.
    config.resumption = Resumption::disabled();
    Ok(config)
}

fn trusting(
    builder: ConfigBuilder<ClientConfig, WantsVerifier>,
    tls: &TlsSettings,
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, BadHttpSettings> {
    let roots = match &tls.ca {
        Some(pem) => with_authorities(&SYSTEM_ROOTS, pem)?,
        None => SYSTEM_ROOTS.clone(),
    };
    Ok(if tls.insecure {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(AcceptAll))
    } else {
        builder.with_root_certificates(roots)
    })
}

fn with_authorities(roots: &RootCertStore, pem: &[u8]) -> Result<Arc<RootCertStore>, BadHttpSettings> {
    let authorities = certificates(pem).map_err(|error| BadHttpSettings::BadCa(error.to_string()))?;
    if authorities.is_empty() {
        return Err(BadHttpSettings::CaWithoutCertificate);
    }
    let mut roots = roots.clone();
    for authority in authorities {
        roots.add(authority).map_err(|error| BadHttpSettings::BadCa(error.to_string()))?;
    }
    Ok(Arc::new(roots))
}

fn introducing(
    builder: ConfigBuilder<ClientConfig, WantsClientCert>,
    identity: &Identity,
) -> Result<ClientConfig, BadHttpSettings> {
    let chain =
        certificates(&identity.cert).map_err(|error| BadHttpSettings::BadCertificate(error.to_string()))?;
    if chain.is_empty() {
        return Err(BadHttpSettings::IdentityWithoutCertificate);
    }
    let key = PrivateKeyDer::from_pem_slice(&identity.key).map_err(|error| match error {
        pem::Error::NoItemsFound => BadHttpSettings::IdentityWithoutKey,
        error => BadHttpSettings::BadKey(error.to_string()),
    })?;
    builder.with_client_auth_cert(chain, key).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => BadHttpSettings::KeyOfAnotherCertificate,
        rustls::Error::InvalidCertificate(_) => BadHttpSettings::BadCertificate(error.to_string()),
        error => BadHttpSettings::BadKey(error.to_string()),
    })
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, pem::Error> {
    CertificateDer::pem_slice_iter(pem).collect()
}

fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let loaded = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(loaded.certs);
    if roots.is_empty() {
        let reason = loaded.errors.first().map_or_else(|| "there are none".to_owned(), ToString::to_string);
        tracing::warn!("No root certificates, so no https target of a public authority is trusted: {reason}");
    }
    roots
}

/// For `http.tls.insecure`: whatever is shown is accepted, even if it is hardly a certificate.
#[derive(Debug)]
struct AcceptAll;

impl ServerCertVerifier for AcceptAll {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        PROVIDER.signature_verification_algorithms.supported_schemes()
    }
}
