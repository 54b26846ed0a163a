//! Locust's keys: `w` and `W` add 1 and 10 users, `s` and `S` take them away.
//!
//! As in Locust, keys come at once and are not echoed, but Ctrl-C and Ctrl-Z stay what they are: signals. The terminal's
//! other modes are left alone. Only the process that the terminal belongs to, the one in the foreground, may touch it;
//! any other would be stopped by the system.

use std::io::{self, PipeReader, PipeWriter, Stdin};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::getpgrp;
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr,
};
use tokio::sync::mpsc;

use crate::control::Command;

/// How often is looked whether the process is in the foreground: nothing announces that.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };

/// Keys are read until this is dropped.
#[derive(Debug)]
pub(super) struct Keys {
    modes: Modes,
    /// The thread ends when it is gone.
    stop: Option<PipeWriter>,
    thread: Option<JoinHandle<()>>,
}

impl Keys {
    /// Begins to read standard input, if it is a terminal.
    ///
    /// # Errors
    /// The system has no pipe or no thread to give.
    pub(super) fn listen(tell: mpsc::Sender<Command>) -> io::Result<Option<Self>> {
        let input = io::stdin();
        if !io::IsTerminal::is_terminal(&input) {
            return Ok(None);
        }
        let (stopped, stop) = io::pipe()?;
        let modes = Modes::default();
        let listener = Listener { input, stopped, modes: modes.clone(), tell };
        let thread = thread::Builder::new().name("keys".to_owned()).spawn(move || listener.listen())?;
        Ok(Some(Self { modes, stop: Some(stop), thread: Some(thread) }))
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It has nothing to tell that its panic has not told.
            let _ = thread.join();
        }
        self.modes.restore();
    }
}

/// The modes that were found, while the terminal has ours.
#[derive(Clone, Debug, Default)]
struct Modes(Arc<Mutex<Option<Termios>>>);

impl Modes {
    /// Sets ours, if they are not set. A shell that takes the process back to the foreground has set its own.
    fn set(&self, input: &Stdin) -> rustix::io::Result<()> {
        let mut found = self.found();
        let mut modes = tcgetattr(input)?;
        let unwanted = LocalModes::ICANON | LocalModes::ECHO;
        if !modes.local_modes.intersects(unwanted) {
            return Ok(());
        }
        let as_found = modes.clone();
        modes.local_modes.remove(unwanted);
        modes.special_codes[SpecialCodeIndex::VMIN] = 1;
        modes.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(input, OptionalActions::Now, &modes)?;
        *found = Some(as_found);
        Ok(())
    }

    /// Puts the modes back that were found.
    fn restore(&self) {
        if let Some(modes) = self.found().take().filter(|_| is_foreground(io::stdin())) {
            // A terminal that is gone has no modes.
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, &modes);
        }
    }

    fn found(&self) -> MutexGuard<'_, Option<Termios>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the terminal belongs to this process. One that does no job control belongs to everybody.
pub(super) fn is_foreground(terminal: impl AsFd) -> bool {
    tcgetpgrp(terminal).map_or(true, |group| group == getpgrp())
}

struct Listener {
    input: Stdin,
    stopped: PipeReader,
    modes: Modes,
    tell: mpsc::Sender<Command>,
}

impl Listener {
    fn listen(&self) {
        if let Err(error) = self.until_stopped() {
            tracing::debug!("Keys are no longer read: {error}");
        }
    }

    fn until_stopped(&self) -> rustix::io::Result<()> {
        let mut keys = [0; 64];
        loop {
            let mut awaited = vec![PollFd::new(&self.stopped, PollFlags::IN)];
            if is_foreground(&self.input) {
                self.modes.set(&self.input)?;
                awaited.push(PollFd::new(&self.input, PollFlags::IN));
            }
            match poll(&mut awaited, Some(&LOOK)) {
                Err(Errno::INTR) => continue,
                result => result?,
            };
            let is_ready = |index: usize| awaited.get(index).is_some_and(|it| !it.revents().is_empty());
            if is_ready(0) {
                return Ok(());
            }
            // The process may have been sent to the background meanwhile.
            if is_ready(1) && is_foreground(&self.input) {
                match rustix::io::read(&self.input, &mut keys) {
                    Err(Errno::INTR) => continue,
                    Ok(0) => return Ok(()),
                    count => self.tell(&keys[..count?]),
                }
            }
        }
    }

    fn tell(&self, keys: &[u8]) {
        for by in changes(keys) {
            // Whoever leans on the keyboard does not count: what the master has not got round to is lost.
            let _ = self.tell.try_send(Command::Adjust(by));
        }
    }
}

/// By how many users the keys change a run. Keys with names, such as F4, send several characters, the first of which is
/// Escape; none of them is meant.
fn changes(keys: &[u8]) -> Vec<i32> {
    if keys.starts_with(b"\x1b") {
        return Vec::new();
    }
    let change = |key: &u8| match key {
        b'w' => Some(1),
        b'W' => Some(10),
        b's' => Some(-1),
        b'S' => Some(-10),
        _ => None,
    };
    keys.iter().filter_map(change).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_those_of_locust() {
        let check = |keys: &[u8], expected: &[i32]| assert_eq!(changes(keys), expected, "{keys:?}");
        check(b"w", &[1]);
        check(b"W", &[10]);
        check(b"s", &[-1]);
        check(b"S", &[-10]);
        check(b"wwS q\r\n", &[1, 1, -10]);
        check(b"", &[]);
        check(b"\x1b[1;2S", &[]);
        check("wäs\u{1f600}".as_bytes(), &[1, -1]);
    }
}
