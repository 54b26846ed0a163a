//! How workers reach the master: connections of any wire become the same events and take the same messages.

mod grpc;
mod hub;
mod locust;

pub use grpc::serve;
pub use hub::{Hub, HubEvent};
pub use locust::serve as serve_locust;
