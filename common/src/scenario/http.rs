//! How the requests of a class are sent, as its file says it.
//!
//! Every option may be absent, so that those of a class can be laid over those of the scenario. What is absent in both
//! is as in [`crate::http::HttpSettings`].

use std::sync::Arc;
use std::time::Duration;

use super::step::Auth;
use super::template::Template;
use crate::http::{HttpSettings, HttpVersion, Identity, Proxy, Reuse};

/// The `http` mapping of a scenario or a class.
#[derive(Clone, Debug, Default)]
pub struct HttpOptions {
    /// Which HTTP to speak.
    pub version: Option<HttpVersion>,
    /// How long to wait for a whole answer.
    pub timeout: Option<Duration>,
    /// Headers of every request; a request's own replace those of the same name.
    pub headers: Vec<(String, Template)>,
    /// Who sends the requests.
    pub auth: Option<Auth>,
    /// Whether redirects are followed.
    pub follow_redirects: Option<bool>,
    /// How many redirects are followed.
    pub max_redirects: Option<u32>,
    /// Whether compressed answers are asked for and decoded.
    pub compression: Option<bool>,
    /// Whether users keep cookies.
    pub cookies: Option<bool>,
    /// How long a connection is kept.
    pub reuse: Option<Reuse>,
    /// After this time a connection is used no more.
    pub max_age: Option<Duration>,
    /// After this many requests a connection is used no more.
    pub max_requests: Option<u32>,
    /// The file of certificates to trust beside the system's, in PEM.
    pub ca: Option<Arc<str>>,
    /// The files of the client certificate and of its key, in PEM.
    pub identity: Option<(Arc<str>, Arc<str>)>,
    /// Whether any certificate is taken.
    pub insecure: Option<bool>,
    /// The address of a proxy.
    pub proxy: Option<Proxy>,
}

impl HttpOptions {
    /// These options where they say something, else those of `base`.
    pub(super) fn over(self, base: &Self) -> Self {
        let base = base.clone();
        Self {
            version: self.version.or(base.version),
            timeout: self.timeout.or(base.timeout),
            headers: replace_headers(base.headers, self.headers),
            auth: self.auth.or(base.auth),
            follow_redirects: self.follow_redirects.or(base.follow_redirects),
            max_redirects: self.max_redirects.or(base.max_redirects),
            compression: self.compression.or(base.compression),
            cookies: self.cookies.or(base.cookies),
            reuse: self.reuse.or(base.reuse),
            max_age: self.max_age.or(base.max_age),
            max_requests: self.max_requests.or(base.max_requests),
            ca: self.ca.or(base.ca),
            identity: self.identity.or(base.identity),
            insecure: self.insecure.or(base.insecure),
            proxy: self.proxy.or(base.proxy),
        }
    }

    /// The settings that they stand for; `contents` gives the contents of a file by its name. A file that is missing
    /// holds nothing, which whoever uses it will complain about.
    pub fn settings(&self, contents: impl Fn(&str) -> Option<Arc<[u8]>>) -> HttpSettings {
        let file = |name: &Arc<str>| contents(name).unwrap_or_default();
        let mut settings = HttpSettings::default();
        fn choose<T>(setting: &mut T, option: Option<T>) {
            if let Some(option) = option {
                *setting = option;
            }
        }
        choose(&mut settings.version, self.version);
        choose(&mut settings.timeout, self.timeout);
        choose(&mut settings.follow_redirects, self.follow_redirects);
        choose(&mut settings.max_redirects, self.max_redirects);
        choose(&mut settings.compression, self.compression);
        choose(&mut settings.cookies, self.cookies);
        choose(&mut settings.connection.reuse, self.reuse);
        choose(&mut settings.tls.insecure, self.insecure);
        settings.connection.max_age = self.max_age;
        settings.connection.max_requests = self.max_requests;
        settings.tls.ca = self.ca.as_ref().map(file);
        settings.tls.identity =
            self.identity.as_ref().map(|(cert, key)| Identity { cert: file(cert), key: file(key) });
        settings.proxy.clone_from(&self.proxy);
        settings
    }

    /// The names of the files that it needs.
    pub(super) fn files(&self) -> impl Iterator<Item = &Arc<str>> {
        let identity = self.identity.iter().flat_map(|(cert, key)| [cert, key]);
        self.ca.iter().chain(identity)
    }
}

/// `base` and then `own`, without those of `base` that `own` has, too.
fn replace_headers(
    mut base: Vec<(String, Template)>,
    own: Vec<(String, Template)>,
) -> Vec<(String, Template)> {
    base.retain(|(name, _)| own.iter().all(|(own, _)| !own.eq_ignore_ascii_case(name)));
    base.extend(own);
    base
}
