//! The wire between master and worker: the generated protobuf types, and the one place where they and the domain's
//! types become each other.
//!
//! [`Encode`] cannot fail. [`Decode`] checks everything a peer could get wrong, because the domain types promise
//! more than protobuf can. No decisions are made here.

mod decode;
mod encode;

pub use decode::{Decode, DecodeError};
pub use encode::Encode;

/// The generated code of package `sentinel.v1`.
#[expect(missing_docs, clippy::all, reason = "generated; the documentation is in the .proto file")]
pub mod v1 {
    tonic::include_proto!("sentinel.v1");
}

/// The compiled contract, for gRPC reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// The largest message that either side accepts, in bytes. A report of 10,000 rows with full histograms stays below.
pub const MAX_MESSAGE_BYTES: usize = 32 * 1024 * 1024;
