//! Frames: flags, a length of one or eight bytes, a body.

use super::ZmtpError;

const MORE: u8 = 1;
const LONG: u8 = 2;
const COMMAND: u8 = 4;
/// Flags, then a length of eight bytes.
const HEADER_LEN_MAX: usize = 9;

/// What a frame belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A message; `more` if further frames of it follow.
    Message { more: bool },
    /// A command, always a single frame.
    Command,
}

/// A frame that has arrived completely.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) kind: Kind,
    /// Empty if the frame was to be dropped.
    pub(super) body: Vec<u8>,
}

/// What to do with a message frame that comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// It violates the protocol.
    Refuse,
    /// Its body is wanted.
    Keep,
    /// Its body is skipped as it arrives.
    Drop,
}

/// How long bodies may be, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caps {
    pub(super) message_len_max: usize,
    pub(super) command_len_max: usize,
}

/// Puts frames together from whatever pieces the stream arrives in.
///
/// Memory follows the bytes that have arrived, never the length that was announced: a peer has to send 16 MiB before it
/// occupies 16 MiB.
#[derive(Debug)]
pub(super) enum FrameReader {
    /// Between frames, or with the first bytes of a header.
    Header { bytes: [u8; HEADER_LEN_MAX], len: usize },
    /// Within a body of which `missing` bytes have not arrived.
    Body { kind: Kind, body: Vec<u8>, missing: usize },
}

impl FrameReader {
    pub(super) fn new() -> Self {
        Self::Header { bytes: [0; HEADER_LEN_MAX], len: 0 }
    }

    /// Takes what belongs to one frame from the front of `input`; the frame once all of it was there.
    ///
    /// `admission` must stay the same until a frame is complete.
    pub(super) fn read(
        &mut self,
        input: &mut &[u8],
        caps: Caps,
        admission: Admission,
    ) -> Result<Option<Frame>, ZmtpError> {
        loop {
            match self {
                Self::Header { bytes, len } => {
                    let Some((&byte, rest)) = input.split_first() else { return Ok(None) };
                    bytes[*len] = byte;
                    *len += 1;
                    *input = rest;
                    if let Some((kind, missing)) = parse_header(&bytes[..*len], caps, admission)? {
                        *self = Self::Body { kind, body: Vec::new(), missing };
                    }
                }
                Self::Body { kind, body, missing } => {
                    let (taken, rest) = input.split_at(input.len().min(*missing));
                    if *kind == Kind::Command || admission == Admission::Keep {
                        body.extend_from_slice(taken);
                    }
                    *missing -= taken.len();
                    *input = rest;
                    if *missing > 0 {
                        return Ok(None);
                    }
                    let frame = Frame { kind: *kind, body: std::mem::take(body) };
                    *self = Self::new();
                    return Ok(Some(frame));
                }
            }
        }
    }

    /// The memory reserved for an unfinished body, in bytes.
    pub(super) fn reserved(&self) -> usize {
        match self {
            Self::Header { .. } => 0,
            Self::Body { body, .. } => body.capacity(),
        }
    }
}

/// Appends a frame to `out`, in the short form where the length allows it.
pub(super) fn write_frame(kind: Kind, body: &[u8], out: &mut Vec<u8>) {
    let flags = match kind {
        Kind::Message { more: false } => 0,
        Kind::Message { more: true } => MORE,
        Kind::Command => COMMAND,
    };
    match u8::try_from(body.len()) {
        Ok(len) => out.extend_from_slice(&[flags, len]),
        Err(_) => {
            out.push(flags | LONG);
            out.extend_from_slice(&(body.len() as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(body);
}

/// The kind and the length of the body once the header is complete. Each violation is seen as early as it can be.
fn parse_header(bytes: &[u8], caps: Caps, admission: Admission) -> Result<Option<(Kind, usize)>, ZmtpError> {
    let flags = bytes[0];
    let kind = match flags & !LONG {
        0 => Kind::Message { more: false },
        MORE => Kind::Message { more: true },
        COMMAND => Kind::Command,
        _ => return Err(ZmtpError::UndefinedFlags { flags }),
    };
    if kind != Kind::Command && admission == Admission::Refuse {
        return Err(ZmtpError::MessageBeforeReady);
    }
    let claimed = match (flags & LONG != 0, &bytes[1..]) {
        (false, [len]) => u64::from(*len),
        (true, &[a, b, c, d, e, f, g, h]) => u64::from_be_bytes([a, b, c, d, e, f, g, h]),
        _ => return Ok(None),
    };
    let (what, limit) = match kind {
        Kind::Command => ("command", caps.command_len_max),
        Kind::Message { .. } => ("message frame", caps.message_len_max),
    };
    match usize::try_from(claimed) {
        Ok(len) if len <= limit => Ok(Some((kind, len))),
        _ => Err(ZmtpError::FrameTooLong { what, claimed, limit }),
    }
}
