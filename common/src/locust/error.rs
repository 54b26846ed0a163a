//! Why a message could not be understood.

/// What is wrong with a message. It ends the connection of the peer that sent it, and nothing else.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The message ends within a value.
    #[error("the message ends within the value at byte {at}")]
    Truncated {
        /// Where the value begins, in bytes from the start of the message.
        at: usize,
    },
    /// More follows after the message.
    #[error("{count} bytes follow the end of the message at byte {at}")]
    TrailingBytes {
        /// Where the message ends.
        at: usize,
        /// How many bytes follow.
        count: usize,
    },
    /// A string is not UTF-8.
    #[error("the string at byte {at} is not UTF-8")]
    InvalidText {
        /// Where the string begins.
        at: usize,
    },
    /// A byte begins no value in MessagePack.
    #[error("byte {at} is 0xc1, which begins no MessagePack value")]
    ReservedByte {
        /// Where the byte is.
        at: usize,
    },
    /// Arrays and maps are nested too deeply.
    #[error("the message nests arrays and maps more than {limit} levels deep")]
    TooDeep {
        /// How many levels are allowed.
        limit: usize,
    },
    /// The message consists of too many values.
    #[error("the message has more than {limit} values")]
    TooManyValues {
        /// How many are allowed, keys and containers included.
        limit: usize,
    },
    /// The message is not an array of type, data and node id.
    #[error("a message must be an array of type, data and node id, but its {part} is {found}")]
    NotAnEnvelope {
        /// `outermost value`, `length`, `type` or `node id`.
        part: &'static str,
        /// What was there instead.
        found: String,
    },
    /// The data does not fit the type of the message.
    #[error("the message `{kind}` must have {expected} in its {path}, but there is {found}")]
    Unfit {
        /// The type of the message.
        kind: &'static str,
        /// Where in the data, such as `stats[3].num_requests`; `data` for all of it.
        path: String,
        /// What has to be there.
        expected: &'static str,
        /// What is there.
        found: &'static str,
    },
}

impl DecodeError {
    /// Whether a Locust master would answer a known worker with `reconnect` rather than stumble over the message.
    pub fn asks_for_reconnect(&self) -> bool {
        matches!(self, Self::TrailingBytes { .. } | Self::InvalidText { .. })
    }
}
