//! Requests that go through a proxy.

use std::process::Command;
use std::sync::{Arc, Mutex};

use sentinel_common::http::{HttpSettings, Proxy};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use super::authority::{Authority, H1};
use super::path::{Path, User};
use super::target::{Reply, Target, misbehaving, read_head};

/// `me:p@ss`, as basic authentication has it.
const ME: &str = "Basic bWU6cEBzcw==";

fn through(proxy: &str, settings: HttpSettings) -> HttpSettings {
    HttpSettings { proxy: Some(Proxy::parse(proxy).unwrap()), ..settings }
}

fn user<P: Path>(proxy: &str) -> User<P> {
    User::with(&through(proxy, HttpSettings::default()))
}

/// A proxy that does what `serve` does with each connection, and writes down what it was asked.
struct Relay {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Relay {
    async fn start<F>(serve: impl Fn(TcpStream, Arc<Mutex<Vec<String>>>) -> F + Copy + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let log = asked.clone();
        let address = misbehaving(move |stream| serve(stream, log.clone())).await.to_string();
        Self { address, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// Connects a client to a port of this machine, whatever it is called.
async fn relay(mut client: TcpStream, port: u16, welcome: &[u8]) {
    let mut target = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    client.write_all(welcome).await.unwrap();
    let _ = copy_bidirectional(&mut client, &mut target).await;
}

/// A proxy that opens tunnels.
async fn tunnel(mut client: TcpStream, asked: Arc<Mutex<Vec<String>>>) {
    let Some(head) = read_head(&mut client).await else {
        return;
    };
    let port = head.split([':', ' ']).nth(2).and_then(|port| port.parse().ok()).unwrap();
    asked.lock().unwrap().push(head);
    relay(client, port, b"HTTP/1.1 200 Connected\r\n\r\n").await;
}

/// A SOCKS proxy that knows `me` only.
async fn socks(mut client: TcpStream, asked: Arc<Mutex<Vec<String>>>) {
    let methods = counted(&mut client, 1).await;
    if methods.contains(&2) {
        client.write_all(&[5, 2]).await.unwrap();
        let name = counted(&mut client, 1).await;
        let password = counted(&mut client, 0).await;
        let is_known = (name.as_slice(), password.as_slice()) == (b"me", b"p@ss");
        client.write_all(&[1, u8::from(!is_known)]).await.unwrap();
        if !is_known {
            return;
        }
    } else {
        client.write_all(&[5, 0]).await.unwrap();
    }
    let mut request = [0; 4];
    client.read_exact(&mut request).await.unwrap();
    let host = match request[3] {
        1 => {
            let mut address = [0; 4];
            client.read_exact(&mut address).await.unwrap();
            address.map(|byte| byte.to_string()).join(".")
        }
        _ => String::from_utf8(counted(&mut client, 0).await).unwrap(),
    };
    let port = client.read_u16().await.unwrap();
    asked.lock().unwrap().push(host);
    relay(client, port, &[5, 0, 0, 1, 127, 0, 0, 1, 0, 0]).await;
}

/// Bytes that come after their number, after a few that nobody looks at.
async fn counted(stream: &mut (impl AsyncRead + Unpin), skipped: usize) -> Vec<u8> {
    let mut head = vec![0; skipped + 1];
    stream.read_exact(&mut head).await.unwrap();
    let mut bytes = vec![0; usize::from(head[skipped])];
    stream.read_exact(&mut bytes).await.unwrap();
    bytes
}

pub async fn plain_requests_are_forwarded<P: Path>() {
    let proxy = Target::start(|_| Reply::ok("forwarded")).await;
    let user = user::<P>(&format!("http://{}", proxy.address));
    assert_eq!(user.text("http://shop.test:81/x?y").await, "forwarded");
    let seen = proxy.last();
    assert_eq!(
        (seen.target.as_str(), seen.header("host")),
        ("http://shop.test:81/x?y", Some("shop.test:81"))
    );
    assert_eq!(seen.header("proxy-authorization"), None);
    assert_eq!(user.names.lookups(), 0, "it is the proxy that looks names up");
}

pub async fn a_forwarding_proxy_is_told_the_credentials<P: Path>() {
    let proxy = Target::start(|received| match received.header("proxy-authorization") {
        Some(ME) => Reply::ok("forwarded"),
        _ => Reply::with("407 Proxy Authentication Required", "", ""),
    })
    .await;
    let known = user::<P>(&format!("http://me:p%40ss@{}", proxy.address));
    assert_eq!(known.text("http://shop.test/").await, "forwarded");
    let unknown = user::<P>(&format!("http://{}", proxy.address));
    assert_eq!(unknown.get("http://shop.test/").await.status, 407);
}

pub async fn secure_requests_go_through_a_tunnel<P: Path>() {
    let authority = Authority::new();
    let target = Target::start_tls(authority.acceptor(H1), |_| Reply::ok("safe")).await;
    let proxy = Relay::start(tunnel).await;
    let user = User::<P>::with(&through(&format!("http://me:p%40ss@{}", proxy.address), authority.trusted()));
    for _ in 0..2 {
        assert_eq!(user.text(target.url_at("shop.test", "/")).await, "safe");
    }
    let asked = proxy.asked();
    let line = format!("CONNECT shop.test:{} HTTP/1.1\r\n", target.address.port());
    assert_eq!(asked.len(), 1, "the tunnel is used again");
    assert!(asked[0].starts_with(&line), "{asked:?}");
    assert!(
        asked[0].to_ascii_lowercase().contains(&format!("proxy-authorization: {}", ME.to_ascii_lowercase()))
    );
    assert!(target.requests().iter().all(|request| request.header("proxy-authorization").is_none()));
}

pub async fn a_tunnel_that_is_refused_is_named<P: Path>() {
    let check = async |status: &'static str, expected: &str| {
        let proxy = Target::start(move |_| Reply::with(status, "", "")).await;
        let words = user::<P>(&format!("http://{}", proxy.address)).failure("https://shop.test/").await;
        assert_eq!(words, format!("ProxyError('Unable to connect to proxy', OSError('{expected}'))"));
    };
    check("407 Proxy Authentication Required", "Tunnel connection failed: 407 Proxy Authentication Required")
        .await;
    check("502 Bad Gateway", "Tunnel connection failed: unsuccessful").await;
}

pub async fn a_proxy_that_is_not_there_is_named<P: Path>() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let refused =
        "ProxyError('Unable to connect to proxy', ConnectionRefusedError(111, 'Connection refused'))";
    let silent =
        "ProxyError('Unable to connect to proxy', OSError('SOCKS5: failed to create underlying connection'))";
    for (scheme, expected) in [("http", refused), ("https", refused), ("socks5", silent)] {
        for url in ["http://shop.test/", "https://shop.test/"] {
            let words = user::<P>(&format!("{scheme}://{address}")).failure(url).await;
            assert_eq!(words, expected, "{scheme} {url}");
        }
    }
    let words = user::<P>("http://proxy.invalid:3128").failure("http://shop.test/").await;
    let unknown = "ProxyError('Unable to connect to proxy', gaierror(-2, 'Name or service not known'))";
    assert_eq!(words, unknown);
}

pub async fn a_proxy_may_want_tls_itself<P: Path>() {
    let authority = Authority::new();
    let proxy = Target::start_tls(authority.acceptor(H1), |_| Reply::ok("forwarded")).await;
    let user = User::<P>::with(&through(&proxy.url_at("shop.test", ""), authority.trusted()));
    assert_eq!(user.text("http://other.test/x").await, "forwarded");
    assert_eq!(proxy.last().target, "http://other.test/x");
}

pub async fn socks_carries_both_kinds<P: Path>() {
    let authority = Authority::new();
    let secure = Target::start_tls(authority.acceptor(H1), |_| Reply::ok("safe")).await;
    let plain = Target::start(|_| Reply::ok("plain")).await;
    let proxy = Relay::start(socks).await;
    let user = User::<P>::with(&through(&format!("socks5://{}", proxy.address), authority.trusted()));
    assert_eq!(user.text(secure.url_at("shop.test", "/")).await, "safe");
    assert_eq!(user.text(plain.url_at("shop.test", "/")).await, "plain");
    assert_eq!(proxy.asked(), ["127.0.0.1", "127.0.0.1"], "the worker looks names up");
    let target = plain.last();
    let host = format!("shop.test:{}", plain.address.port());
    assert_eq!((target.target.as_str(), target.header("host")), ("/", Some(host.as_str())));
}

pub async fn socks_may_look_names_up<P: Path>() {
    let (plain, proxy) = (Target::start(|_| Reply::ok("plain")).await, Relay::start(socks).await);
    let user = user::<P>(&format!("socks5h://{}", proxy.address));
    assert_eq!(user.text(plain.url_at("only-there.invalid", "/")).await, "plain");
    assert_eq!((proxy.asked(), user.names.lookups()), (vec!["only-there.invalid".to_owned()], 0));
}

pub async fn socks_is_told_the_credentials<P: Path>() {
    let (plain, proxy) = (Target::start(|_| Reply::ok("plain")).await, Relay::start(socks).await);
    let known = user::<P>(&format!("socks5://me:p%40ss@{}", proxy.address));
    assert_eq!(known.text(plain.url("/")).await, "plain");
    let stranger = user::<P>(&format!("socks5://me:wrong@{}", proxy.address));
    assert_eq!(
        stranger.failure(plain.url("/")).await,
        "ProxyError('Unable to connect to proxy', OSError('SOCKS5: credentials not accepted'))"
    );
}

/// Runs another test of this suite again, in an environment that sends everything to a proxy that is not there.
pub async fn proxies_of_the_environment_are_not_used<P: Path>() {
    let mut tests = Command::new(std::env::current_exe().unwrap());
    tests.arg("an_answer_is_read_to_its_end");
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        tests.env(name, "http://127.0.0.1:1");
    }
    tests.env_remove("no_proxy").env_remove("NO_PROXY");
    let output = tests.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && !text.contains("running 0 tests"), "{text}");
}
