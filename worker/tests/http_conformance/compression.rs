//! Compressed bodies, and what claims to be one.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use sentinel_common::http::HttpSettings;

use super::path::{Path, User, request};
use super::target::{Reply, Target};

const TEXT: &str =
    "The quick brown fox jumps over the lazy dog. The quick brown fox jumps over the lazy dog.";

/// One more byte than an answer may have.
const TOO_MUCH: usize = (64 << 20) + 1;

fn encode(coding: &str, body: &[u8]) -> Vec<u8> {
    let level = Compression::default();
    match coding {
        "gzip" | "x-gzip" => {
            let mut encoder = GzEncoder::new(Vec::new(), level);
            encoder.write_all(body).unwrap();
            encoder.finish().unwrap()
        }
        "deflate" => {
            let mut encoder = ZlibEncoder::new(Vec::new(), level);
            encoder.write_all(body).unwrap();
            encoder.finish().unwrap()
        }
        "raw deflate" => {
            let mut encoder = DeflateEncoder::new(Vec::new(), level);
            encoder.write_all(body).unwrap();
            encoder.finish().unwrap()
        }
        "br" => {
            let mut encoded = Vec::new();
            let mut encoder = brotli::CompressorWriter::new(&mut encoded, 4096, 5, 22);
            encoder.write_all(body).unwrap();
            drop(encoder);
            encoded
        }
        "zstd" => zstd::encode_all(body, 0).unwrap(),
        _ => body.to_vec(),
    }
}

fn encoded(header: &str, body: impl AsRef<[u8]>) -> Reply {
    Reply::with("200 OK", &format!("Content-Encoding: {header}\r\n"), body)
}

/// What becomes of an answer.
async fn outcome<P: Path>(header: &str, body: Vec<u8>) -> Result<Vec<u8>, String> {
    let header = header.to_owned();
    let target = Target::start(move |_| encoded(&header, &body)).await;
    let answer = User::<P>::new().send(request("GET", target.url("/"))).await;
    answer.map(|answer| answer.body.to_vec())
}

fn undecodable(header: &str) -> String {
    format!(
        "ContentDecodingError('Received response with content-encoding: {header}, but failed to decode it.')"
    )
}

pub async fn every_coding_is_decoded<P: Path>() {
    let check = async |header: &str, body: Vec<u8>| {
        assert_eq!(outcome::<P>(header, body).await.as_deref(), Ok(TEXT.as_bytes()), "{header}");
    };
    for coding in ["gzip", "x-gzip", "deflate", "br", "zstd", "identity"] {
        check(coding, encode(coding, TEXT.as_bytes())).await;
    }
    check("GZip", encode("gzip", TEXT.as_bytes())).await;
    check("deflate", encode("raw deflate", TEXT.as_bytes())).await;
    check("gzip, identity", encode("gzip", TEXT.as_bytes())).await;
    check("br, gzip", encode("gzip", &encode("br", TEXT.as_bytes()))).await;
    check("deflate, zstd, gzip", encode("gzip", &encode("zstd", &encode("deflate", TEXT.as_bytes())))).await;
}

pub async fn streams_may_follow_each_other<P: Path>() {
    let (one, other) = TEXT.as_bytes().split_at(20);
    for coding in ["gzip", "zstd"] {
        let body = [encode(coding, one), encode(coding, other)].concat();
        assert_eq!(outcome::<P>(coding, body).await.as_deref(), Ok(TEXT.as_bytes()), "{coding}");
    }
}

pub async fn chunks_need_not_be_whole_streams<P: Path>() {
    for coding in ["gzip", "deflate", "raw deflate", "br", "zstd"] {
        let mut answer = format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: {}\r\n\r\n",
            coding.trim_start_matches("raw ")
        )
        .into_bytes();
        for byte in encode(coding, TEXT.as_bytes()) {
            answer.extend_from_slice(&[b"1\r\n", [byte].as_slice(), b"\r\n"].concat());
        }
        answer.extend_from_slice(b"0\r\n\r\n");
        let target = Target::start(move |_| Reply::raw(answer.clone())).await;
        assert_eq!(User::<P>::new().text(target.url("/")).await, TEXT, "{coding}");
    }
}

pub async fn large_bodies_are_decoded<P: Path>() {
    let body: Vec<u8> = (0..200_000_u32).flat_map(|number| (number / 7).to_le_bytes()).collect();
    for coding in ["gzip", "deflate", "br", "zstd"] {
        let decoded = outcome::<P>(coding, encode(coding, &body)).await.unwrap();
        assert!(decoded == body, "{coding}");
    }
}

pub async fn headers_stay_as_they_came<P: Path>() {
    let body = encode("gzip", TEXT.as_bytes());
    let length = body.len().to_string();
    let target = Target::start(move |_| encoded("gzip", &body)).await;
    let answer = User::<P>::new().get(target.url("/")).await;
    assert_eq!(answer.headers["content-encoding"], "gzip");
    assert_eq!(answer.headers["content-length"], length.as_str());
    assert_eq!(answer.body.len(), TEXT.len());
}

pub async fn no_body_needs_no_decoding<P: Path>() {
    for coding in ["gzip", "deflate", "br", "zstd", "br, gzip"] {
        assert_eq!(outcome::<P>(coding, Vec::new()).await.as_deref(), Ok([].as_slice()), "{coding}");
        let head = format!("HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: 9\r\n\r\n");
        let not_modified = head.replace("200 OK", "304 Not Modified");
        let target = Target::start(move |received| match received.method.as_str() {
            "HEAD" => Reply::raw(head.clone()),
            _ => Reply::raw(not_modified.clone()),
        })
        .await;
        let user = User::<P>::new();
        for (method, status) in [("HEAD", 200), ("GET", 304)] {
            let answer = user.send(request(method, target.url("/"))).await.unwrap();
            assert_eq!((answer.status, answer.body.len()), (status, 0), "{coding}");
        }
    }
}

pub async fn corrupt_bodies_fail<P: Path>() {
    for coding in ["gzip", "deflate", "br", "zstd"] {
        let good = encode(coding, TEXT.as_bytes());
        let nonsense = vec![0x3c; 100];
        let cut_short = good[..good.len() - 1].to_vec();
        for body in [nonsense, cut_short] {
            assert_eq!(outcome::<P>(coding, body).await, Err(undecodable(coding)), "{coding}");
        }
    }
    let mut wrong_sum = encode("gzip", TEXT.as_bytes());
    let end = wrong_sum.len();
    wrong_sum[end - 6] ^= 1;
    assert_eq!(outcome::<P>("gzip", wrong_sum).await, Err(undecodable("gzip")));
    let garbage_behind = [encode("gzip", TEXT.as_bytes()), b"garbage".to_vec()].concat();
    assert_eq!(outcome::<P>("gzip", garbage_behind).await, Err(undecodable("gzip")));
}

pub async fn unknown_codings_stay_as_they_are<P: Path>() {
    assert_eq!(outcome::<P>("utf-8", TEXT.into()).await.as_deref(), Ok(TEXT.as_bytes()));
}

pub async fn more_layers_than_anybody_needs_fail<P: Path>() {
    let header = ["gzip"; 6].join(", ");
    assert_eq!(outcome::<P>(&header, Vec::new()).await, Err(undecodable("more than 5 of them")));
}

pub async fn without_compression_bodies_stay_as_they_came<P: Path>() {
    let body = encode("gzip", TEXT.as_bytes());
    let sent = body.clone();
    let target = Target::start(move |_| encoded("gzip", &sent)).await;
    let user = User::<P>::with(&HttpSettings { compression: false, ..HttpSettings::default() });
    assert_eq!(user.get(target.url("/")).await.body, body);
}

pub async fn a_bomb_is_given_up<P: Path>() {
    let zeros = vec![0; TOO_MUCH];
    for coding in ["gzip", "deflate", "br", "zstd"] {
        let bomb = encode(coding, &zeros);
        assert!(bomb.len() < 1 << 20, "{coding}");
        assert_eq!(outcome::<P>(coding, bomb).await, Err("ResponseTooLarge('more than 64 MiB')".to_owned()));
    }
    let wrapped = encode("gzip", &encode("gzip", &zeros));
    let words = outcome::<P>("gzip, gzip", wrapped).await;
    assert_eq!(words, Err("ResponseTooLarge('more than 64 MiB')".to_owned()));
}

pub async fn a_window_beyond_the_standards_is_refused<P: Path>() {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(24).unwrap();
    encoder.write_all(&vec![0; 17 << 20]).unwrap();
    let body = encoder.finish().unwrap();
    assert_eq!(outcome::<P>("zstd", body).await, Err(undecodable("zstd")));
}
