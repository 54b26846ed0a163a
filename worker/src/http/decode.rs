//! Decoding of compressed bodies: gzip, deflate, brotli and zstd, one over the other if a target says so.
//!
//! It works on bytes alone, chunk by chunk as they arrive, so no body is ever held twice. Answers that would become
//! larger than [`MAX_BODY_BYTES`] are given up as soon as they do, however small they are on the wire.

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};
use flate2::{Decompress, FlushDecompress, Status};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use zstd::stream::raw::{DParameter, InBuffer, Operation as _, OutBuffer};

use super::{HttpError, MAX_BODY_BYTES};

/// What is asked for, and everything that can be decoded.
pub(super) const ACCEPTED: &str = "gzip, br, zstd, deflate";

/// Codings that one body may have one over the other. Nobody who means well uses more than one.
const MAX_LAYERS: usize = 5;

/// The largest window that zstd may have as a coding of HTTP, as a power of two: 8 MiB (RFC 9659).
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// A window of deflate as a power of two: always its largest.
const DEFLATE_WINDOW_LOG: u8 = 15;

/// How much is decoded at once.
const STEP_BYTES: usize = 16 << 10;

/// Decodes one body. An empty body needs no decoding, whatever its headers say.
pub(super) struct Decoder {
    /// The coding as the target named it, for the error.
    name: String,
    /// In the order of decoding, which is the reverse of the header's. Never empty.
    layers: Vec<Layer>,
    decoded: Vec<u8>,
}

/// One coding.
struct Layer {
    codec: Codec,
    /// Whether anything came at all.
    has_begun: bool,
    /// Whether the codec is at the end of a stream, where the body may end.
    is_at_end: bool,
}

enum Codec {
    Gzip(Decompress),
    /// Which of its two forms it is shows in the first byte.
    Deflate(Option<Decompress>),
    Brotli(Box<BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>>),
    Zstd(zstd::stream::raw::Decoder<'static>),
}

/// What one step of a codec did.
struct Step {
    read: usize,
    written: usize,
    is_at_end: bool,
}

/// The bytes are no such stream.
struct Corrupt;

impl Decoder {
    /// The decoder that a body with these headers needs; `None` if it needs none, or has a coding that is not known,
    /// whose body then stays as it is.
    ///
    /// # Errors
    /// There are more codings than anybody needs.
    pub(super) fn for_headers(headers: &HeaderMap) -> Result<Option<Self>, HttpError> {
        let values = headers.get_all(CONTENT_ENCODING).iter().filter_map(|value| value.to_str().ok());
        let names = values.flat_map(|value| value.split(',')).map(|name| name.trim().to_ascii_lowercase());
        let names: Vec<String> = names.filter(|name| !matches!(name.as_str(), "" | "identity")).collect();
        if names.is_empty() {
            return Ok(None);
        }
        if names.len() > MAX_LAYERS {
            return Err(HttpError::undecodable("more than 5 of them"));
        }
        let layers: Option<Vec<Layer>> = names.iter().rev().map(|name| Layer::new(name)).collect();
        let name = names.join(", ");
        Ok(layers.map(|layers| Self { name, layers, decoded: Vec::new() }))
    }

    /// Decodes the next bytes of the body.
    pub(super) fn push(&mut self, chunk: &[u8]) -> Result<(), HttpError> {
        let mut between = Vec::new();
        let last = self.layers.len() - 1;
        for (index, layer) in self.layers.iter_mut().enumerate() {
            let input = std::mem::take(&mut between);
            let input = if index == 0 { chunk } else { &input };
            let output = if index == last { &mut self.decoded } else { &mut between };
            layer.push(input, output, &self.name)?;
        }
        Ok(())
    }

    /// The decoded body.
    ///
    /// # Errors
    /// It is not complete.
    pub(super) fn finish(self) -> Result<Vec<u8>, HttpError> {
        match self.layers.iter().all(|layer| layer.is_at_end || !layer.has_begun) {
            true => Ok(self.decoded),
            false => Err(HttpError::undecodable(&self.name)),
        }
    }
}

impl Layer {
    fn new(name: &str) -> Option<Self> {
        let codec = match name {
            "gzip" | "x-gzip" => Codec::Gzip(Decompress::new_gzip(DEFLATE_WINDOW_LOG)),
            "deflate" => Codec::Deflate(None),
            "br" => Codec::Brotli(Box::new(BrotliState::new_strict(
                StandardAlloc::default(),
                StandardAlloc::default(),
                StandardAlloc::default(),
            ))),
            "zstd" => Codec::Zstd(zstd_decoder()?),
            _ => return None,
        };
        Some(Self { codec, has_begun: false, is_at_end: false })
    }

    fn push(&mut self, mut input: &[u8], output: &mut Vec<u8>, name: &str) -> Result<(), HttpError> {
        if input.is_empty() {
            return Ok(());
        }
        self.has_begun = true;
        let mut buffer = [0; STEP_BYTES];
        while !(input.is_empty() && self.is_at_end) {
            let step = self.codec.step(input, &mut buffer).map_err(|Corrupt| HttpError::undecodable(name))?;
            if output.len() + step.written > MAX_BODY_BYTES {
                return Err(HttpError::too_large());
            }
            output.extend_from_slice(&buffer[..step.written]);
            input = &input[step.read..];
            self.is_at_end = step.is_at_end;
            if self.is_at_end && !input.is_empty() && !self.codec.begin_again() {
                // What follows the end of such a stream means nothing, and clients pass over it.
                return Ok(());
            }
            // A codec that did not fill the buffer has nothing left to say about what it read.
            if input.is_empty() && step.written < buffer.len() {
                return Ok(());
            }
            if step.read == 0 && step.written == 0 && !self.is_at_end {
                return Err(HttpError::undecodable(name));
            }
        }
        Ok(())
    }
}

impl Codec {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, Corrupt> {
        match self {
            Self::Gzip(stream) => inflate(stream, input, output),
            Self::Deflate(stream) => {
                let stream = stream.get_or_insert_with(|| Decompress::new(has_zlib_header(input)));
                inflate(stream, input, output)
            }
            Self::Brotli(state) => unbrotli(state, input, output),
            Self::Zstd(decoder) => unzstd(decoder, input, output),
        }
    }

    /// At the end of a stream with bytes left: makes ready for another stream, if this coding can have several.
    fn begin_again(&mut self) -> bool {
        match self {
            Self::Gzip(stream) => *stream = Decompress::new_gzip(DEFLATE_WINDOW_LOG),
            // It begins the next frame by itself.
            Self::Zstd(_) => {}
            Self::Deflate(_) | Self::Brotli(_) => return false,
        }
        true
    }
}

fn inflate(stream: &mut Decompress, input: &[u8], output: &mut [u8]) -> Result<Step, Corrupt> {
    let (read, written) = (stream.total_in(), stream.total_out());
    let status = stream.decompress(input, output, FlushDecompress::None).map_err(|_| Corrupt)?;
    // Both are at most the lengths of the slices.
    let read = (stream.total_in() - read) as usize;
    let written = (stream.total_out() - written) as usize;
    Ok(Step { read, written, is_at_end: status == Status::StreamEnd })
}

/// `deflate` means the format of zlib, but some targets leave out its header. Without it no encoder begins with such a
/// byte: it would be a stored block whose unused bits are not 0.
fn has_zlib_header(input: &[u8]) -> bool {
    input.first().is_none_or(|first| first & 0x0f == 8)
}

fn unbrotli(
    state: &mut BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>,
    input: &[u8],
    output: &mut [u8],
) -> Result<Step, Corrupt> {
    let (mut left, mut room, mut read, mut written) = (input.len(), output.len(), 0, 0);
    let result =
        BrotliDecompressStream(&mut left, &mut read, input, &mut room, &mut written, output, &mut 0, state);
    match result {
        BrotliResult::ResultFailure => Err(Corrupt),
        BrotliResult::ResultSuccess => Ok(Step { read, written, is_at_end: true }),
        BrotliResult::NeedsMoreInput | BrotliResult::NeedsMoreOutput => {
            Ok(Step { read, written, is_at_end: false })
        }
    }
}

fn zstd_decoder() -> Option<zstd::stream::raw::Decoder<'static>> {
    // Neither fails with memory left and a parameter in its range.
    let mut decoder = zstd::stream::raw::Decoder::new().ok()?;
    decoder.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG_MAX)).ok()?;
    Some(decoder)
}

fn unzstd(
    decoder: &mut zstd::stream::raw::Decoder<'static>,
    input: &[u8],
    output: &mut [u8],
) -> Result<Step, Corrupt> {
    let mut input = InBuffer::around(input);
    let mut output = OutBuffer::around(output);
    let hint = decoder.run(&mut input, &mut output).map_err(|_| Corrupt)?;
    Ok(Step { read: input.pos(), written: output.pos(), is_at_end: hint == 0 })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use http::HeaderValue;

    use super::*;

    const TEXT: &[u8] = b"abcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabc";

    fn decode(coding: &'static str, chunks: &[&[u8]]) -> Result<Vec<u8>, HttpError> {
        let headers = HeaderMap::from_iter([(CONTENT_ENCODING, HeaderValue::from_static(coding))]);
        let mut decoder = Decoder::for_headers(&headers)?.expect("a known coding");
        for chunk in chunks {
            decoder.push(chunk)?;
        }
        decoder.finish()
    }

    fn written<W: Write>(mut encoder: W) -> W {
        encoder.write_all(TEXT).unwrap();
        encoder
    }

    /// [`TEXT`] in every form that is understood.
    fn encoded() -> Vec<(&'static str, Vec<u8>)> {
        let level = Compression::default();
        let mut brotli = Vec::new();
        drop(written(brotli::CompressorWriter::new(&mut brotli, 4096, 5, 22)));
        vec![
            ("gzip", written(GzEncoder::new(Vec::new(), level)).finish().unwrap()),
            ("deflate", written(ZlibEncoder::new(Vec::new(), level)).finish().unwrap()),
            ("deflate", written(DeflateEncoder::new(Vec::new(), level)).finish().unwrap()),
            ("br", brotli),
            ("zstd", zstd::encode_all(TEXT, 0).unwrap()),
        ]
    }

    #[test]
    fn a_stream_may_be_cut_anywhere_but_not_short() {
        for (coding, stream) in encoded() {
            for at in 1..stream.len() {
                let (one, other) = stream.split_at(at);
                assert_eq!(decode(coding, &[one, b"", other]).as_deref(), Ok(TEXT), "{coding} cut at {at}");
                assert_eq!(
                    decode(coding, &[one]),
                    Err(HttpError::undecodable(coding)),
                    "{coding} ends at {at}"
                );
            }
        }
    }

    #[test]
    fn hostile_bytes_are_decoded_or_refused() {
        let mut state = 1_u64;
        let mut byte = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as u8
        };
        for (coding, good) in encoded() {
            for round in 0..2000_usize {
                let mut bytes = good.clone();
                for _ in 0..=round % 8 {
                    let index = usize::from(byte()) % bytes.len();
                    bytes[index] = byte();
                }
                bytes.extend((0..round % 32).map(|_| byte()));
                // Whatever it says, it comes to an end within its bounds.
                let _ = decode(coding, &[&bytes]);
            }
        }
    }
}
