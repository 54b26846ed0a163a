//! The greeting, 64 bytes in each direction, with which a ZMTP stream begins.
//!
//! ```text
//!  0        1 .. 8             9     10     11     12 .. 31          32         33 .. 63
//!  ff   length (legacy)       7f   major  minor   mechanism      as-server     filler
//! ```

use super::ZmtpError;

/// How long a greeting is, in bytes.
pub(super) const GREETING_LEN: usize = 64;

const SIGNATURE_START: u8 = 0xff;
const SIGNATURE_END: u8 = 0x7f;
const SIGNATURE_END_AT: usize = 9;
const MAJOR_AT: usize = 10;
const MINOR_AT: usize = 11;
const MECHANISM: std::ops::Range<usize> = 12..32;
const NULL: &[u8] = b"NULL";

/// The version of ZMTP that a peer speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// Always 3: others are refused.
    pub major: u8,
    /// 0 and 1 are in use. A higher one is accepted, for it has to fall back to ours.
    pub minor: u8,
}

/// Our own version.
const VERSION: Version = Version { major: 3, minor: 1 };

/// Our greeting. The legacy length is that of the identity plus 1, as libzmq writes it; nobody reads it.
pub(super) fn greeting(identity_len: usize) -> [u8; GREETING_LEN] {
    let mut bytes = [0; GREETING_LEN];
    bytes[0] = SIGNATURE_START;
    bytes[1..SIGNATURE_END_AT].copy_from_slice(&(identity_len as u64 + 1).to_be_bytes());
    bytes[SIGNATURE_END_AT] = SIGNATURE_END;
    bytes[MAJOR_AT] = VERSION.major;
    bytes[MINOR_AT] = VERSION.minor;
    bytes[MECHANISM][..NULL.len()].copy_from_slice(NULL);
    bytes
}

/// Collects the peer's greeting and refuses it at the first byte that cannot be right.
#[derive(Debug)]
pub(super) struct GreetingReader {
    bytes: [u8; GREETING_LEN],
    len: usize,
}

impl GreetingReader {
    pub(super) fn new() -> Self {
        Self { bytes: [0; GREETING_LEN], len: 0 }
    }

    /// Takes what belongs to the greeting from the front of `input`; the version once all of it was there.
    pub(super) fn read(&mut self, input: &mut &[u8]) -> Result<Option<Version>, ZmtpError> {
        let (taken, rest) = input.split_at(input.len().min(GREETING_LEN - self.len));
        self.bytes[self.len..][..taken.len()].copy_from_slice(taken);
        self.len += taken.len();
        *input = rest;
        self.check_start()?;
        if self.len < GREETING_LEN {
            return Ok(None);
        }
        self.check_mechanism()?;
        Ok(Some(Version { major: self.bytes[MAJOR_AT], minor: self.bytes[MINOR_AT] }))
    }

    /// A peer of ZMTP 1 or 2 sends fewer than 64 bytes and waits: the start must be judged before the end is there.
    fn check_start(&self) -> Result<(), ZmtpError> {
        for (at, expected) in [(0, SIGNATURE_START), (SIGNATURE_END_AT, SIGNATURE_END)] {
            if self.len > at && self.bytes[at] != expected {
                return Err(ZmtpError::NotZmtp { at, expected, found: self.bytes[at] });
            }
        }
        if self.len > MAJOR_AT && self.bytes[MAJOR_AT] != VERSION.major {
            return Err(ZmtpError::UnsupportedVersion { major: self.bytes[MAJOR_AT] });
        }
        Ok(())
    }

    fn check_mechanism(&self) -> Result<(), ZmtpError> {
        let padded = &self.bytes[MECHANISM];
        let len = padded.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        if &padded[..len] != NULL {
            let mechanism = String::from_utf8_lossy(&padded[..len]).into_owned();
            return Err(ZmtpError::UnsupportedMechanism { mechanism });
        }
        Ok(())
    }
}
