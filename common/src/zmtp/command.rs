//! Commands: what two ZMTP peers say to each other beneath the messages.
//!
//! A body is the length of the name (one byte), the name, and data that depends on the name.

use super::frame::{Kind, write_frame};
use super::{IDENTITY_LEN_MAX, SocketType, ZmtpError};

/// The longest context that a PING may carry, in bytes.
const PING_CONTEXT_LEN_MAX: usize = 16;

/// A command as it was received.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command<'a> {
    Ready(Ready<'a>),
    Error {
        reason: &'a [u8],
    },
    /// The time to live is left out: the connection has timers of its own.
    Ping {
        context: &'a [u8],
    },
    Pong,
    /// Anything else, such as the subscriptions of sockets that Locust does not use.
    Other,
}

/// The property by which a master says that it speaks gRPC, too, on the same port. Others pass over it, as over every
/// name that begins with `X-`.
const WIRE_PROPERTY: (&str, &[u8]) = ("X-Sentinel-Wire", b"grpc");

/// The properties of a READY command that matter.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Ready<'a> {
    pub(super) socket_type: Option<&'a [u8]>,
    /// Empty if the peer has none.
    pub(super) identity: &'a [u8],
    /// It says that it speaks gRPC, too.
    pub(super) native: bool,
}

/// Reads the body of a command frame.
pub(super) fn parse(body: &[u8]) -> Result<Command<'_>, ZmtpError> {
    let (name, data) = split_short(body).ok_or_else(|| malformed("unnamed", "it ends within its name"))?;
    match name {
        b"READY" => parse_ready(data).map(Command::Ready),
        b"ERROR" => match split_short(data) {
            Some((reason, _)) => Ok(Command::Error { reason }),
            None => Err(malformed("ERROR", "it ends within its reason")),
        },
        b"PING" => match data {
            [_, _, context @ ..] if context.len() <= PING_CONTEXT_LEN_MAX => Ok(Command::Ping { context }),
            [_, _, ..] => Err(malformed("PING", "its context is longer than 16 bytes")),
            _ => Err(malformed("PING", "it ends within its time to live")),
        },
        b"PONG" => Ok(Command::Pong),
        _ => Ok(Command::Other),
    }
}

/// Appends our READY to `out`, with the properties in libzmq's order and, if we are `native`, the one of our own.
pub(super) fn write_ready(socket_type: SocketType, identity: &[u8], native: bool, out: &mut Vec<u8>) {
    let mut data = Vec::new();
    let usual = [("Socket-Type", socket_type.name().as_bytes()), ("Identity", identity)];
    for (name, value) in usual.into_iter().chain(native.then_some(WIRE_PROPERTY)) {
        data.push(name.len() as u8);
        data.extend_from_slice(name.as_bytes());
        data.extend_from_slice(&(value.len() as u32).to_be_bytes());
        data.extend_from_slice(value);
    }
    write_command("READY", &data, out);
}

/// Appends an ERROR to `out`; a reason of more than 255 bytes loses its end.
pub(super) fn write_error(reason: &str, out: &mut Vec<u8>) {
    let reason = &reason.as_bytes()[..reason.floor_char_boundary(usize::from(u8::MAX))];
    let mut data = vec![reason.len() as u8];
    data.extend_from_slice(reason);
    write_command("ERROR", &data, out);
}

/// Appends a PING to `out`, without a time to live and without a context.
pub(super) fn write_ping(out: &mut Vec<u8>) {
    write_command("PING", &[0, 0], out);
}

/// Appends the answer to a PING with this context to `out`.
pub(super) fn write_pong(context: &[u8], out: &mut Vec<u8>) {
    write_command("PONG", context, out);
}

fn write_command(name: &str, data: &[u8], out: &mut Vec<u8>) {
    let mut body = vec![name.len() as u8];
    body.extend_from_slice(name.as_bytes());
    body.extend_from_slice(data);
    write_frame(Kind::Command, &body, out);
}

/// Names are compared without case: gomq writes `socket-type`. Of a repeated property the last one counts.
fn parse_ready(mut data: &[u8]) -> Result<Ready<'_>, ZmtpError> {
    let mut ready = Ready::default();
    while !data.is_empty() {
        let (name, value, rest) =
            split_property(data).ok_or_else(|| malformed("READY", "it ends within a property"))?;
        if name.eq_ignore_ascii_case(b"Socket-Type") {
            ready.socket_type = Some(value);
        } else if name.eq_ignore_ascii_case(b"Identity") {
            if value.len() > IDENTITY_LEN_MAX {
                return Err(ZmtpError::IdentityTooLong { len: value.len() });
            }
            ready.identity = value;
        } else if name.eq_ignore_ascii_case(WIRE_PROPERTY.0.as_bytes()) {
            ready.native = value == WIRE_PROPERTY.1;
        }
        data = rest;
    }
    Ok(ready)
}

/// Name, value and what follows.
fn split_property(data: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (name, rest) = split_short(data)?;
    let (len, rest) = rest.split_first_chunk()?;
    let (value, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*len)).ok()?)?;
    Some((name, value, rest))
}

/// A text with a length of one byte, and what follows.
fn split_short(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&len, rest) = data.split_first()?;
    rest.split_at_checked(usize::from(len))
}

fn malformed(command: &'static str, problem: &'static str) -> ZmtpError {
    ZmtpError::MalformedCommand { command, problem }
}
