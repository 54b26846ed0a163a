//! Which wire the master speaks, and a connection on either.

use std::sync::Arc;

use clap::ValueEnum;
use sentinel_common::ids::WorkerId;
use sentinel_common::locust::MasterMessage as LocustMessage;
use sentinel_proto::v1::MasterMessage as GrpcMessage;

use crate::address::MasterAddress;
use crate::link::{Dial, Link, LinkError};
use crate::locust_link::{self, Answer, LocustLink};
use crate::machine::Outgoing;

/// What to speak to the master.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Protocol {
    /// Find out, anew for every connection.
    #[default]
    Auto,
    /// Sentinel's own.
    Grpc,
    /// Locust's, with any master that speaks it.
    Locust,
}

/// How to get to the master.
#[derive(Clone)]
pub enum Route {
    /// By gRPC.
    Grpc(Arc<dyn Dial>),
    /// By Locust's wire.
    Locust(MasterAddress),
    /// By whichever of the two the address speaks.
    Detect(MasterAddress, Arc<dyn Dial>),
}

/// An open connection.
#[derive(Debug)]
pub enum AnyLink {
    /// To a Sentinel master.
    Grpc(Box<Link>),
    /// To a Locust master.
    Locust(LocustLink),
}

/// A message of either kind of master.
#[derive(Debug)]
pub enum Incoming {
    /// Over gRPC, not yet understood.
    Grpc(Box<GrpcMessage>),
    /// Over Locust's wire.
    Locust(LocustMessage),
}

impl Route {
    /// Opens a connection for `worker`.
    ///
    /// # Errors
    /// The master cannot be reached, or does not speak what it should.
    pub async fn open(self, worker: WorkerId) -> Result<AnyLink, LinkError> {
        match self {
            Self::Grpc(dial) => grpc(dial).await,
            Self::Locust(master) => locust_link::open(&master, &worker).await.map(AnyLink::Locust),
            // A Locust master must never see the first bytes of gRPC, so its own wire is tried first.
            Self::Detect(master, dial) => match locust_link::knock(&master, &worker).await? {
                Answer::Locust(link) => Ok(AnyLink::Locust(link)),
                Answer::Sentinel => grpc(dial).await,
                Answer::Stranger(reason) => {
                    tracing::debug!("The master does not speak Locust's wire: {reason}");
                    grpc(dial).await
                }
            },
        }
    }
}

impl AnyLink {
    /// Queues a message. Returns false if the queue is full, or the message is for another kind of master.
    #[must_use]
    pub fn send(&self, message: Outgoing) -> bool {
        match (self, message) {
            (Self::Grpc(link), Outgoing::Grpc(message)) => link.send(message),
            (Self::Locust(link), Outgoing::Locust(message)) => link.send(&message),
            _ => false,
        }
    }

    /// The next message of the master; an error once there is none any more.
    ///
    /// # Errors
    /// The connection has ended.
    pub async fn next(&mut self) -> Result<Incoming, LinkError> {
        match self {
            Self::Grpc(link) => link.next().await.map(|message| Incoming::Grpc(Box::new(message))),
            Self::Locust(link) => link.next().await.map(Incoming::Locust),
        }
    }

    /// Ends the connection once the master has read everything that was queued.
    pub async fn close(self) {
        match self {
            Self::Grpc(link) => link.close().await,
            Self::Locust(link) => link.close().await,
        }
    }
}

async fn grpc(dial: Arc<dyn Dial>) -> Result<AnyLink, LinkError> {
    Link::open(dial).await.map(|link| AnyLink::Grpc(Box::new(link)))
}
