//! How the web page is served, as the command line says it.

use std::path::PathBuf;
use std::time::Duration;

use super::misuse::is_headless;
use crate::cli::Args;

/// The port that people look for unless they are told otherwise.
const DEFAULT_PORT: u16 = 8089;

/// How the web page is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSettings {
    /// The address to listen on; `*` for all.
    pub host: String,
    /// The port to listen on; 0 for any free one.
    pub port: u16,
    /// What all paths begin with: empty, or a path that begins with a slash and does not end with one.
    pub base_path: String,
    /// With what it is served by HTTPS; by HTTP without.
    pub tls: Option<TlsFiles>,
    /// The host in the address that is logged.
    pub display_name: Option<String>,
    /// People may choose user classes.
    pub class_picker: bool,
    /// A run begins by itself.
    pub autostart: bool,
    /// End so long after the run that began by itself; `None` for never.
    pub autoquit: Option<Duration>,
}

/// What HTTPS needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate with the chain above it, as PEM.
    pub cert: PathBuf,
    /// Its key, as PEM.
    pub key: PathBuf,
}

impl WebSettings {
    /// What `args` say; `None` if there is to be no page.
    pub(super) fn of(args: &Args) -> Option<Self> {
        if is_headless(args) {
            return None;
        }
        let tls = args.tls_cert.clone().zip(args.tls_key.clone());
        let base_path = args.web_base_path.as_deref().unwrap_or_default().trim_end_matches('/');
        let seconds = args.autoquit.and_then(|seconds| u64::try_from(seconds).ok());
        Some(Self {
            host: args.web_host.clone().filter(|host| !host.is_empty()).unwrap_or_else(|| "*".to_owned()),
            port: args.web_port.unwrap_or(DEFAULT_PORT),
            base_path: base_path.to_owned(),
            tls: tls.map(|(cert, key)| TlsFiles { cert, key }),
            display_name: args.web_host_display_name.clone(),
            class_picker: args.class_picker,
            autostart: args.autostart,
            autoquit: seconds.filter(|_| args.autostart).map(Duration::from_secs),
        })
    }
}
