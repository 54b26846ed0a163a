//! A proxy between workers and a master that understands what goes through it.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use sentinel_common::locust::{Limits as MessageLimits, MasterMessage, WorkerMessage};
use sentinel_common::zmtp::{Connection, Event, Limits};

use crate::process::{PATIENCE, until};

/// A message that went through.
#[derive(Clone, Debug)]
pub struct Heard {
    /// Which connection, counted from 0 in the order of their arrival.
    pub connection: usize,
    /// When it arrived at the proxy, just before it was passed on.
    pub at: Instant,
    /// The message.
    pub said: Said,
}

/// Who said what.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// The worker, to its master.
    Worker(WorkerMessage),
    /// The master, to its worker.
    Master(MasterMessage),
}

impl Said {
    /// The type, with who said it: `worker heartbeat`.
    pub fn kind(&self) -> String {
        match self {
            Self::Worker(message) => format!("worker {}", message.kind()),
            Self::Master(message) => format!("master {}", message.kind()),
        }
    }
}

/// A proxy that passes on every byte and keeps every message. It ends with this value.
#[derive(Debug)]
pub struct Wiretap {
    /// Where workers are to connect.
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    master: SocketAddr,
    ended: AtomicBool,
    heard: Mutex<Vec<Heard>>,
    streams: Mutex<Vec<TcpStream>>,
}

impl Wiretap {
    /// Listens on a free port for those who want to talk to the master at `master`.
    ///
    /// # Panics
    /// There is no free port.
    pub fn before(master: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let (heard, streams) = (Mutex::default(), Mutex::default());
        let shared = Arc::new(Shared { master, ended: AtomicBool::new(false), heard, streams });
        thread::spawn({
            let shared = shared.clone();
            move || shared.accept(&listener)
        });
        Self { address, shared }
    }

    /// Everything so far, in the order in which it went through.
    pub fn heard(&self) -> Vec<Heard> {
        lock(&self.shared.heard).clone()
    }

    /// Waits until a message went through that `is_it`, and returns the first one.
    ///
    /// # Panics
    /// There is none within the usual patience.
    pub fn wait_for(&self, what: &str, is_it: impl Fn(&Heard) -> bool) -> Heard {
        let find = || self.heard().into_iter().find(&is_it);
        until(PATIENCE, find).unwrap_or_else(|| panic!("no {what} among {:?}", kinds(&self.heard())))
    }

    /// Waits until a message of this kind went through.
    ///
    /// # Panics
    /// There is none within the usual patience.
    pub fn wait_for_kind(&self, kind: &str) -> Heard {
        self.wait_for(kind, |heard| heard.said.kind() == kind)
    }
}

impl Drop for Wiretap {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        for stream in lock(&self.shared.streams).iter() {
            let _ = stream.shutdown(Shutdown::Both);
        }
        // Wakes the listener.
        let _ = TcpStream::connect(self.address);
    }
}

/// The kinds of these messages.
pub fn kinds(heard: &[Heard]) -> Vec<String> {
    heard.iter().map(|heard| heard.said.kind()).collect()
}

impl Shared {
    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        for (connection, worker) in listener.incoming().enumerate() {
            if self.ended.load(Ordering::SeqCst) {
                return;
            }
            // A worker that is gone, or a master that is not there: the worker sees its connection end.
            let (Ok(worker), Ok(master)) = (worker, TcpStream::connect(self.master)) else { continue };
            self.pass(connection, worker, master);
        }
    }

    fn pass(self: &Arc<Self>, connection: usize, worker: TcpStream, master: TcpStream) {
        let copy = |stream: &TcpStream| stream.try_clone().expect("a socket can be shared");
        lock(&self.streams).extend([copy(&worker), copy(&master)]);
        for (from, to, is_worker) in [(copy(&worker), copy(&master), true), (master, worker, false)] {
            let shared = self.clone();
            thread::spawn(move || shared.pump(connection, from, to, is_worker));
        }
    }

    /// Passes on what one side says until it has said everything.
    fn pump(&self, connection: usize, mut from: TcpStream, mut to: TcpStream, is_worker: bool) {
        let mut listener = match is_worker {
            true => Some(Connection::router(Limits::default())),
            false => Connection::dealer(b"", Limits::default()),
        };
        let mut buffer = vec![0; 64 << 10];
        while let Ok(len @ 1..) = from.read(&mut buffer) {
            let mut input = &buffer[..len];
            // What is no ZMTP is passed on all the same, and is not listened to any more.
            let listened =
                listener.as_mut().is_some_and(|it| self.listen(it, connection, &mut input, is_worker));
            if !listened {
                listener = None;
            }
            if to.write_all(&buffer[..len]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
        let _ = from.shutdown(Shutdown::Read);
    }

    fn listen(
        &self,
        listener: &mut Connection,
        connection: usize,
        input: &mut &[u8],
        is_worker: bool,
    ) -> bool {
        loop {
            let event = listener.handle_bytes(input);
            // What it would answer is nobody's business.
            listener.poll_transmit();
            match event {
                Ok(Some(Event::Message(message))) => {
                    if let Some(said) = understand(&message.body, is_worker) {
                        lock(&self.heard).push(Heard { connection, at: Instant::now(), said });
                    }
                }
                Ok(Some(_)) => {}
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
    }
}

fn understand(body: &[u8], is_worker: bool) -> Option<Said> {
    let limits = MessageLimits::default();
    match is_worker {
        true => WorkerMessage::decode(body, limits).ok().map(|envelope| Said::Worker(envelope.message)),
        false => MasterMessage::decode(body, limits).ok().map(|envelope| Said::Master(envelope.message)),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A test that panicked while it held the lock was only reading.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
