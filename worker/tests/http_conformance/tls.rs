//! Whom TLS trusts, and as whom it introduces users.

use std::sync::Arc;

use rustls::HandshakeKind;
use sentinel_common::http::{ConnectionSettings, HttpSettings, Identity, Reuse, TlsSettings};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::authority::{Authority, H1, Signed};
use super::path::{Path, User};
use super::target::{Reply, Target, misbehaving, read_head, read_to_end};

fn refused(reason: &str) -> String {
    format!(
        "SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: {reason}')"
    )
}

async fn target(acceptor: TlsAcceptor) -> Target {
    Target::start_tls(acceptor, |_| Reply::ok("safe")).await
}

fn insecure() -> HttpSettings {
    let tls = TlsSettings { insecure: true, ..TlsSettings::default() };
    HttpSettings { tls, ..HttpSettings::default() }
}

fn with_identity(authority: &Authority, identity: Identity) -> HttpSettings {
    let tls = TlsSettings { identity: Some(identity), ..authority.trusted().tls };
    HttpSettings { tls, ..HttpSettings::default() }
}

pub async fn a_private_authority_is_trusted_if_it_is_given<P: Path>() {
    let authority = Authority::new();
    let target = target(authority.acceptor(H1)).await;
    let trusting = User::<P>::with(&authority.trusted());
    for host in ["127.0.0.1", "shop.test"] {
        assert_eq!(trusting.text(target.url_at(host, "/")).await, "safe");
    }
    let expected = refused("unable to get local issuer certificate");
    assert_eq!(User::<P>::new().failure(target.url("/")).await, expected);
    let trusts_another = User::<P>::with(&Authority::new().trusted());
    assert_eq!(trusts_another.failure(target.url("/")).await, expected);
}

pub async fn a_certificate_is_for_its_names_only<P: Path>() {
    let authority = Authority::new();
    let target = target(authority.sign(&["*.shop.test"]).acceptor(H1)).await;
    let user = User::<P>::with(&authority.trusted());
    assert_eq!(user.text(target.url_at("www.shop.test", "/")).await, "safe");
    for host in ["other.test", "shop.test", "a.b.shop.test", "127.0.0.1"] {
        assert_eq!(user.failure(target.url_at(host, "/")).await, refused("Hostname mismatch"), "{host}");
    }
}

pub async fn an_expired_certificate_is_refused<P: Path>() {
    let authority = Authority::new();
    let target = target(authority.sign_expired().acceptor(H1)).await;
    let words = User::<P>::with(&authority.trusted()).failure(target.url("/")).await;
    assert_eq!(words, refused("certificate has expired"));
}

pub async fn everything_is_accepted_if_that_is_wanted<P: Path>() {
    let authority = Authority::new();
    let user = User::<P>::with(&insecure());
    let odd = [authority.sign(&["elsewhere.test"]), authority.sign_expired(), Signed::by_itself()];
    for certificate in odd {
        let target = target(certificate.acceptor(H1)).await;
        assert_eq!(user.text(target.url_at("shop.test", "/")).await, "safe");
    }
}

pub async fn a_user_introduces_itself_if_it_can<P: Path>() {
    let authority = Authority::new();
    let target = target(authority.demanding_acceptor()).await;
    let known = with_identity(&authority, authority.sign(&["user.test"]).identity());
    assert_eq!(User::<P>::with(&known).text(target.url("/")).await, "safe");
    let nobody = User::<P>::with(&authority.trusted());
    assert_eq!(nobody.failure(target.url("/")).await, "SSLError('alert received: CertificateRequired')");
    let stranger = with_identity(&authority, Authority::new().sign(&["user.test"]).identity());
    let words = User::<P>::with(&stranger).failure(target.url("/")).await;
    assert!(words.starts_with("SSLError('alert received: "), "{words}");
}

pub async fn what_speaks_no_tls_is_named<P: Path>() {
    let plain = Target::start(|_| Reply::ok("plain")).await;
    let user = User::<P>::with(&insecure());
    let address = plain.address;
    let talkative = misbehaving(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        read_to_end(stream).await;
    })
    .await;
    let words = user.failure(format!("https://{talkative}/")).await;
    assert_eq!(words, "SSLError(1, '[SSL: WRONG_VERSION_NUMBER] wrong version number')");
    let closing = misbehaving(|mut stream| async move {
        let _ = stream.shutdown().await;
        read_to_end(stream).await;
    })
    .await;
    let words = user.failure(format!("https://{closing}/")).await;
    assert_eq!(
        words,
        "SSLEOFError(8, '[SSL: UNEXPECTED_EOF_WHILE_READING] EOF occurred in violation of protocol')"
    );
    assert_eq!(user.text(format!("http://{address}/")).await, "plain");
}

pub async fn an_abrupt_end_is_named_as_without_tls<P: Path>() {
    let acceptor = Authority::new().acceptor(H1);
    let user = User::<P>::with(&insecure());
    let check = async |answer: &'static [u8], expected: &str| {
        let acceptor = acceptor.clone();
        let address = misbehaving(move |stream| {
            let acceptor = acceptor.clone();
            async move {
                let mut stream = acceptor.accept(stream).await.unwrap();
                let _ = read_head(&mut stream).await;
                let _ = stream.write_all(answer).await;
                let _ = stream.flush().await;
                // The connection ends without a word of TLS.
                let (mut stream, _) = stream.into_inner();
                let _ = stream.shutdown().await;
                read_to_end(stream).await;
            }
        })
        .await;
        assert_eq!(user.failure(format!("https://{address}/")).await, expected);
    };
    check(b"", "RemoteDisconnected('Remote end closed connection without response')").await;
    check(
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        "IncompleteRead('the connection ended within the answer')",
    )
    .await;
}

pub async fn every_connection_has_a_whole_handshake<P: Path>() {
    let acceptor = Authority::new().acceptor(H1);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connection = ConnectionSettings { reuse: Reuse::None, ..ConnectionSettings::default() };
    let user = User::<P>::with(&HttpSettings { connection, ..insecure() });
    let serving = async {
        let mut kinds = Vec::new();
        for _ in 0..3 {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = acceptor.accept(stream).await.unwrap();
            let _ = read_head(&mut stream).await;
            kinds.push(stream.get_ref().1.handshake_kind());
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
            let _ = stream.shutdown().await;
        }
        kinds
    };
    let asking = async {
        for _ in 0..3 {
            assert_eq!(user.get(format!("https://{address}/")).await.status, 200);
        }
    };
    let (kinds, ()) = tokio::join!(serving, asking);
    assert_eq!(kinds, [Some(HandshakeKind::Full); 3]);
}

pub async fn users_of_a_class_share_what_was_prepared<P: Path>() {
    let authority = Authority::new();
    let target = target(authority.acceptor(H1)).await;
    let http = super::path::prepared(&authority.trusted());
    let (one, other) = (User::<P>::of(&http), User::<P>::of(&http));
    assert_eq!(
        (one.text(target.url("/")).await, other.text(target.url("/")).await),
        ("safe".into(), "safe".into())
    );
    assert!(Arc::strong_count(&http) >= 3);
}
