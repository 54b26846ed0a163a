//! Where the master is: `host`, `host:port`, `[v6]`, `[v6]:port`.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The port that masters listen on unless they are told otherwise.
pub const DEFAULT_PORT: u16 = 5557;

/// A master's address. The host is a name or an IP address, without brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MasterAddress {
    /// Name, IPv4 or IPv6 address.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "{text:?} is not the address of a master: {problem}; write it like master:5557, 10.0.0.7:5557 or [::1]:5557"
)]
pub struct BadAddress {
    text: String,
    problem: &'static str,
}

impl MasterAddress {
    /// The address as a URI of HTTP/2 without TLS.
    pub fn uri(&self) -> String {
        format!("http://{self}")
    }
}

impl FromStr for MasterAddress {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        let bad = |problem| BadAddress { text: text.to_owned(), problem };
        if text.contains("://") {
            return Err(bad("it is no URL"));
        }
        let (host, port) = split(text).ok_or_else(|| bad("an IPv6 address needs brackets before a port"))?;
        if host.is_empty() {
            return Err(bad("it names no host"));
        }
        if host.contains(|c: char| c.is_whitespace() || c.is_control() || "/?#@[]".contains(c)) {
            return Err(bad("the host has characters that no host has"));
        }
        let port = match port {
            Some(port) => {
                port.parse().ok().filter(|port| *port > 0).ok_or_else(|| bad("the port is not 1 to 65535"))?
            }
            None => DEFAULT_PORT,
        };
        Ok(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for MasterAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

fn split(text: &str) -> Option<(&str, Option<&str>)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        return match rest {
            "" => Some((host, None)),
            _ => Some((host, Some(rest.strip_prefix(':')?))),
        };
    }
    match text.split_once(':') {
        None => Some((text, None)),
        Some((host, port)) if !port.contains(':') => Some((host, Some(port))),
        // A bare IPv6 address is fine, but then nothing says where a port would begin.
        Some(_) => text.parse::<std::net::Ipv6Addr>().ok().map(|_| (text, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written() {
        let check = |text: &str, host: &str, port, written: &str| {
            let address: MasterAddress = text.parse().unwrap_or_else(|error| panic!("{error}"));
            assert_eq!((address.host.as_str(), address.port), (host, port), "{text}");
            assert_eq!(address.to_string(), written);
        };
        check("master", "master", 5557, "master:5557");
        check("master:6000", "master", 6000, "master:6000");
        check("10.0.0.7:5557", "10.0.0.7", 5557, "10.0.0.7:5557");
        check("[::1]:5557", "::1", 5557, "[::1]:5557");
        check("[fe80::1]", "fe80::1", 5557, "[fe80::1]:5557");
        check("::1", "::1", 5557, "[::1]:5557");
    }

    #[test]
    fn what_is_no_address_is_refused_with_an_example() {
        for text in [
            "",
            ":5557",
            "http://master:5557",
            "master:0",
            "master:70000",
            "master:x",
            "a b:1",
            "1:2:3",
            "[::1]x",
        ] {
            let error = text.parse::<MasterAddress>().expect_err(text);
            assert!(error.to_string().contains("[::1]:5557"), "{error}");
        }
    }
}
