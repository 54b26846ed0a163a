//! The port that workers connect to.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

/// Why the port cannot be used, with the cure.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot listen for workers on {host}:{port}: {cause}; choose another with --master-bind-host and --master-bind-port"
)]
pub struct BindError {
    host: String,
    port: u16,
    cause: io::Error,
}

/// Listens on `host`, or on every address if it is `*`.
///
/// # Errors
/// The address does not exist here, or the port is taken.
pub async fn bind(host: &str, port: u16) -> Result<TcpListener, BindError> {
    let bound = match host {
        "*" | "" => match TcpListener::bind(("::", port)).await {
            // Where there is no IPv6, all addresses are IPv4 addresses.
            Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                TcpListener::bind(("0.0.0.0", port)).await
            }
            bound => bound,
        },
        _ => TcpListener::bind((host, port)).await,
    };
    bound.map_err(|cause| BindError { host: host.to_owned(), port, cause })
}

/// Where a worker on this machine reaches a master that listens on `bound`.
pub fn reachable(bound: SocketAddr) -> SocketAddr {
    let ip = match bound.ip() {
        ip if !ip.is_unspecified() => ip,
        _ => std::net::Ipv4Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, bound.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_port_is_one_clear_message() {
        let first = bind("127.0.0.1", 0).await.unwrap();
        let port = first.local_addr().unwrap().port();
        let error = bind("127.0.0.1", port).await.unwrap_err().to_string();
        assert!(
            error.contains(&format!("127.0.0.1:{port}")) && error.contains("--master-bind-port"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_star_listens_everywhere() {
        let listener = bind("*", 0).await.unwrap();
        let address = reachable(listener.local_addr().unwrap());
        assert!(address.ip().is_loopback());
        tokio::net::TcpStream::connect(address).await.unwrap();
    }
}
