//! A look over a message before anything is built from it: is it whole, and how deep and how large would it become?
//!
//! The decoder of `rmpv` recurses once per level and takes 0xc1 for nil. After this check it can neither run out of
//! stack nor reserve memory for values that are not there, and it cannot fail.

use super::DecodeError;

/// What a message may make us build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How deep arrays and maps may nest, the message's own array included.
    pub depth_max: usize,
    /// How many values there may be, keys and containers included. Each takes at most 40 bytes while it is decoded, and
    /// as much again while its container grows.
    pub values_max: usize,
}

impl Default for Limits {
    /// Enough for a report of two thousand rows with a hundred different response times each: a row has some 30 values,
    /// and 2 for each pair in its maps. By the sizes of the types, the worst message takes about 80 MiB for the moment
    /// of its decoding.
    fn default() -> Self {
        Self { depth_max: 32, values_max: 1 << 19 }
    }
}

/// Accepts exactly one whole MessagePack value within the limits, all of whose strings are UTF-8.
pub(super) fn check(bytes: &[u8], limits: Limits) -> Result<(), DecodeError> {
    let mut cursor = Cursor { bytes, at: 0 };
    // How many values each open container still misses. The outermost stands for the message itself.
    let mut open: Vec<u64> = vec![1];
    let mut budget = limits.values_max as u64;
    while let Some(missing) = open.last_mut() {
        if *missing == 0 {
            open.pop();
            continue;
        }
        *missing -= 1;
        let at = cursor.at;
        budget = budget.checked_sub(1).ok_or(DecodeError::TooManyValues { limit: limits.values_max })?;
        match cursor.token().ok_or(DecodeError::Truncated { at })? {
            Token::Plain(len) => {
                cursor.take(len).ok_or(DecodeError::Truncated { at })?;
            }
            Token::Text(len) => {
                let text = cursor.take(len).ok_or(DecodeError::Truncated { at })?;
                std::str::from_utf8(text).map_err(|_| DecodeError::InvalidText { at })?;
            }
            Token::Container(values) => {
                if values > budget {
                    return Err(DecodeError::TooManyValues { limit: limits.values_max });
                }
                if open.len() > limits.depth_max {
                    return Err(DecodeError::TooDeep { limit: limits.depth_max });
                }
                open.push(values);
            }
            Token::Reserved => return Err(DecodeError::ReservedByte { at }),
        }
    }
    match bytes.len() - cursor.at {
        0 => Ok(()),
        count => Err(DecodeError::TrailingBytes { at: cursor.at, count }),
    }
}

/// The head of a value: everything up to its body or its first child.
enum Token {
    /// So many bytes without inner structure follow.
    Plain(u64),
    /// So many bytes of a string follow.
    Text(u64),
    /// So many values follow; a pair of a map counts as two.
    Container(u64),
    Reserved,
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// `None` if the message ends within the head.
    fn token(&mut self) -> Option<Token> {
        let marker = self.number(1)?;
        Some(match marker {
            0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => Token::Plain(0),
            0x80..=0x8f => Token::Container(2 * (marker & 0x0f)),
            0x90..=0x9f => Token::Container(marker & 0x0f),
            0xa0..=0xbf => Token::Text(marker & 0x1f),
            // Binary, then extensions, which have one byte more for their type.
            0xc4..=0xc6 => Token::Plain(self.number(1 << (marker - 0xc4))?),
            0xc7..=0xc9 => Token::Plain(1 + self.number(1 << (marker - 0xc7))?),
            0xca => Token::Plain(4),
            0xcb => Token::Plain(8),
            0xcc..=0xcf => Token::Plain(1 << (marker - 0xcc)),
            0xd0..=0xd3 => Token::Plain(1 << (marker - 0xd0)),
            0xd4..=0xd8 => Token::Plain(1 + (1 << (marker - 0xd4))),
            0xd9..=0xdb => Token::Text(self.number(1 << (marker - 0xd9))?),
            0xdc | 0xdd => Token::Container(self.number(2 << (marker - 0xdc))?),
            0xde | 0xdf => Token::Container(2 * self.number(2 << (marker - 0xde))?),
            _ => Token::Reserved,
        })
    }

    /// A big-endian number of at most four bytes.
    fn number(&mut self, len: u64) -> Option<u64> {
        Some(self.take(len)?.iter().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    fn take(&mut self, len: u64) -> Option<&'a [u8]> {
        let rest = &self.bytes[self.at..];
        let taken = rest.get(..usize::try_from(len).ok()?)?;
        self.at += taken.len();
        Some(taken)
    }
}
