//! The HTTP settings of a user class, made ready once and shared by all its users.

use std::fmt;
use std::sync::Arc;

use rustls::ClientConfig;
use sentinel_common::http::HttpSettings;
use thiserror::Error;

use super::tls;

/// Settings that are ready for use: certificates and keys are parsed, the system's roots are
/// loaded, the proxy is known to be one.
pub struct PreparedHttp {
    settings: HttpSettings,
    tls: Arc<ClientConfig>,
    proxy: Option<reqwest::Proxy>,
}

/// Why settings cannot be used, by their names in the scenario.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadHttpSettings {
    /// There is PEM, or not even that, but no certificate in it.
    #[error("http.tls.ca holds no certificate")]
    CaWithoutCertificate,
    /// What looks like a certificate is none.
    #[error("http.tls.ca holds a certificate that cannot be used: {0}")]
    BadCa(String),
    /// There is PEM, or not even that, but no certificate in it.
    #[error("http.tls.cert holds no certificate")]
    IdentityWithoutCertificate,
    /// What looks like a certificate is none.
    #[error("http.tls.cert holds a certificate that cannot be used: {0}")]
    BadCertificate(String),
    /// There is PEM, or not even that, but no private key in it.
    #[error("http.tls.key holds no private key")]
    IdentityWithoutKey,
    /// What looks like a key is none, or of a kind that is not supported.
    #[error("http.tls.key holds a private key that cannot be used: {0}")]
    BadKey(String),
    /// Both are fine, each by itself.
    #[error("http.tls.key does not belong to http.tls.cert")]
    KeyOfAnotherCertificate,
    /// The address is fine, but the client cannot use it.
    #[error("http.proxy cannot be used")]
    Proxy,
    /// The TLS library refuses its own defaults.
    #[error("http.tls cannot be set up: {0}")]
    Tls(String),
}

impl PreparedHttp {
    /// Makes settings ready. The system's root certificates are read once per process; a system that has none can
    /// still be used for targets without TLS, and says so in the log.
    ///
    /// # Errors
    /// A certificate or a key cannot be used.
    pub fn new(settings: &HttpSettings) -> Result<Arc<Self>, BadHttpSettings> {
        let tls = Arc::new(tls::client_config(settings)?);
        let proxy = settings.proxy.as_ref().map(|proxy| reqwest::Proxy::all(proxy.as_url().clone()));
        let proxy = proxy.transpose().map_err(|_| BadHttpSettings::Proxy)?;
        Ok(Arc::new(Self { settings: settings.clone(), tls, proxy }))
    }

    /// The settings as they were given.
    pub fn settings(&self) -> &HttpSettings {
        &self.settings
    }

    /// The proxy, ready for `reqwest`.
    pub(super) fn proxy(&self) -> Option<&reqwest::Proxy> {
        self.proxy.as_ref()
    }

    /// How TLS is spoken with targets, and with proxies that want it.
    pub fn tls(&self) -> &Arc<ClientConfig> {
        &self.tls
    }
}

/// What the libraries made of the settings shows passwords.
impl fmt::Debug for PreparedHttp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PreparedHttp").field("settings", &self.settings).finish_non_exhaustive()
    }
}
