//! The gRPC wire: `sentinel.v1.LoadControl`, with the standard health service and reflection beside it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use sentinel_proto::v1::load_control_server::{LoadControl, LoadControlServer};
use sentinel_proto::v1::{MasterMessage, WorkerMessage};
use sentinel_proto::{DESCRIPTORS, Decode as _, Encode as _, MAX_MESSAGE_BYTES};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt as _};
use tonic::transport::Server;
use tonic::transport::server::Connected;
use tonic::{Request, Response, Status, Streaming};

use super::hub::{Connection, Hub, HubEvent};

/// A connection that says nothing at first is closed after this.
const FIRST_MESSAGE_TIMEOUT: Duration = Duration::from_secs(10);

/// A peer that does not answer pings for this long is not there any more.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// Streams that one connection may open at once; a worker needs one, a health probe another.
const MAX_STREAMS: u32 = 16;

/// Serves workers on `incoming` connections until `shutdown` completes.
///
/// # Errors
/// The server cannot be built, or accepting connections fails for good.
pub async fn serve<S, IO, E>(
    incoming: S,
    hub: Arc<Hub>,
    shutdown: impl Future<Output = ()>,
) -> anyhow::Result<()>
where
    S: Stream<Item = Result<IO, E>>,
    IO: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<LoadControlServer<Service>>().await;
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()?;
    let load_control = LoadControlServer::new(Service { hub }).max_decoding_message_size(MAX_MESSAGE_BYTES);
    Server::builder()
        .http2_keepalive_interval(Some(KEEP_ALIVE))
        .http2_keepalive_timeout(Some(KEEP_ALIVE))
        .max_concurrent_streams(MAX_STREAMS)
        .add_service(health_service)
        .add_service(reflection)
        .add_service(load_control)
        .serve_with_incoming_shutdown(incoming, shutdown)
        .await?;
    Ok(())
}

struct Service {
    hub: Arc<Hub>,
}

#[tonic::async_trait]
impl LoadControl for Service {
    type AttachStream = Pin<Box<dyn Stream<Item = Result<MasterMessage, Status>> + Send>>;

    async fn attach(
        &self,
        request: Request<Streaming<WorkerMessage>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        let Connection { id, outgoing, closed } = self.hub.open();
        let hub = self.hub.clone();
        tokio::spawn(async move {
            let reason = read(&hub, id, request.into_inner(), closed).await;
            hub.notify(HubEvent::Disconnected(id, reason)).await;
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(outgoing).map(|message| Ok(message.encode())))))
    }
}

/// Passes on what a worker says until it ends, breaks the rules or is cut off. Returns how it ended, for people.
async fn read(
    hub: &Hub,
    id: sentinel_common::ids::ConnectionId,
    mut messages: Streaming<WorkerMessage>,
    mut closed: oneshot::Receiver<()>,
) -> String {
    let mut first = true;
    loop {
        let patience = if first { FIRST_MESSAGE_TIMEOUT } else { Duration::MAX };
        let received = tokio::select! {
            received = tokio::time::timeout(patience, messages.message()) => received,
            _ = &mut closed => return "the master closed the connection".to_owned(),
        };
        let message = match received {
            Err(_) => {
                let reason = format!("it said nothing for {} s", FIRST_MESSAGE_TIMEOUT.as_secs());
                // Nobody else tells: to the control loop it never was a worker.
                tracing::warn!("Closing {id}: {reason}");
                return reason;
            }
            Ok(Ok(None)) => return "its connection ended".to_owned(),
            Ok(Err(status)) => return broken(id, &status),
            Ok(Ok(Some(message))) => message,
        };
        match message.decode() {
            Ok(message) => hub.notify(HubEvent::Message(id, message)).await,
            Err(error) => {
                tracing::warn!("Closing {id}: it sent a malformed message: {error}");
                return format!("it sent a malformed message: {error}");
            }
        }
        first = false;
    }
}

/// Tells a peer that broke the rules from one that is simply gone.
fn broken(id: sentinel_common::ids::ConnectionId, status: &Status) -> String {
    use tonic::Code;
    match status.code() {
        Code::Internal
        | Code::OutOfRange
        | Code::ResourceExhausted
        | Code::InvalidArgument
        | Code::DataLoss => {
            tracing::warn!("Closing {id}: it sent a malformed or oversized message: {}", status.message());
            format!("it sent a malformed or oversized message: {}", status.message())
        }
        _ => "its connection broke".to_owned(),
    }
}
