//! Exceptions for a Locust master, which counts them by counting messages.

use crate::locust::WorkerMessage;
use crate::stats::StatsDelta;

/// How many messages about exceptions one delta becomes at most.
pub const MAX_EXCEPTION_MESSAGES: usize = 1_000;

/// The exceptions of a delta, as a Locust worker tells them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExceptionMessages {
    /// One [`WorkerMessage::Exception`] for each time that one was thrown, equal ones together.
    pub messages: Vec<WorkerMessage>,
    /// How many times are not told, because there were more than [`MAX_EXCEPTION_MESSAGES`].
    pub left_out: u64,
}

/// The messages that tell a Locust master of the exceptions in `delta`.
///
/// If there are too many, each kind is told once before any is told again, in the order of the delta, so that rare
/// ones do not drown. A Locust master takes exceptions with the same traceback for the same, whatever their messages
/// are; one without a traceback has its message there too, so that different ones stay different.
pub fn exceptions_of(delta: &StatsDelta) -> ExceptionMessages {
    let thrown = delta.exceptions.iter().filter(|exception| exception.occurrences > 0);
    let told: Vec<_> = thrown.take(MAX_EXCEPTION_MESSAGES).collect();
    let mut repeats_left = (MAX_EXCEPTION_MESSAGES - told.len()) as u64;
    let mut messages = Vec::new();
    for exception in told {
        let repeats = (exception.occurrences - 1).min(repeats_left);
        repeats_left -= repeats;
        let origin = if exception.traceback.is_empty() { &exception.message } else { &exception.traceback };
        let message =
            WorkerMessage::Exception { msg: exception.message.to_string(), traceback: origin.to_string() };
        messages.extend((0..=repeats).map(|_| message.clone()));
    }
    let all = delta.exceptions.iter().fold(0_u64, |sum, exception| sum.saturating_add(exception.occurrences));
    let left_out = all.saturating_sub(messages.len() as u64);
    ExceptionMessages { messages, left_out }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{ExceptionDelta, Recorder};

    fn exception(message: &str, occurrences: u64) -> ExceptionDelta {
        ExceptionDelta { message: message.into(), traceback: "".into(), occurrences }
    }

    fn told(messages: &ExceptionMessages, text: &str) -> usize {
        let is_it =
            |message: &&WorkerMessage| matches!(message, WorkerMessage::Exception { msg, .. } if msg == text);
        messages.messages.iter().filter(is_it).count()
    }

    #[test]
    fn every_occurrence_is_a_message() {
        let mut recorder = Recorder::default();
        recorder.exception("blew up", "  line 3\n");
        recorder.exception("no such key", "");
        recorder.exception("blew up", "  line 3\n");
        let exception = |msg: &str, traceback: &str| WorkerMessage::Exception {
            msg: msg.to_owned(),
            traceback: traceback.to_owned(),
        };
        let blew_up = exception("blew up", "  line 3\n");
        let messages = vec![blew_up.clone(), blew_up, exception("no such key", "no such key")];
        assert_eq!(exceptions_of(&recorder.take()), ExceptionMessages { messages, left_out: 0 });
        assert_eq!(exceptions_of(&recorder.take()), ExceptionMessages::default());
    }

    #[test]
    fn rare_ones_are_told_beside_frequent_ones() {
        let exceptions = vec![exception("often", 5_000), exception("never", 0), exception("once", 1)];
        let messages = exceptions_of(&StatsDelta { exceptions, ..StatsDelta::default() });
        assert_eq!(messages.messages.len(), MAX_EXCEPTION_MESSAGES);
        assert_eq!(
            (told(&messages, "often"), told(&messages, "never"), told(&messages, "once")),
            (999, 0, 1)
        );
        assert_eq!(messages.left_out, 4_001);
    }

    #[test]
    fn too_many_kinds_are_cut_off() {
        let exceptions = (0..1_500).map(|number| exception(&number.to_string(), u64::MAX)).collect();
        let messages = exceptions_of(&StatsDelta { exceptions, ..StatsDelta::default() });
        assert_eq!(messages.messages.len(), MAX_EXCEPTION_MESSAGES);
        assert_eq!((told(&messages, "999"), told(&messages, "1000")), (1, 0));
        assert_eq!(messages.left_out, u64::MAX - 1_000);
    }
}
