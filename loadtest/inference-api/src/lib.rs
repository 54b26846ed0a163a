//! A fraud inference API that stands in for the target of a load test.
//!
//! It answers like a real service: it validates each transaction, scores it with a small logistic
//! model and counts what it did, so that a load generator's figures can be compared with the
//! server's own. Knobs on [`Config`] make it slow or faulty on purpose.
//!
//! The binary `inference-api` runs one server; tests and demos embed as many as they like with
//! [`serve`] or [`router`]. Nothing here is global: each server has its own metrics and its own
//! sequence of faults. You will never find product code here, nor a client.
//!
//! | route | answer |
//! | --- | --- |
//! | `GET /` | what this service is and which routes it has |
//! | `GET /health` | `{"status":"healthy","model_version":...}` |
//! | `POST /predict` | the verdict on one transaction |
//! | `POST /batch_predict` | the verdicts on an array of transactions, or on `{"transactions":[...]}` |
//! | `GET /metrics` | Prometheus text |
//!
//! Errors are JSON with an `error` field: 404 and 405 for a wrong route or method, 413 for a body over
//! 1 MiB, 422 for input that does not validate, 500 for an injected fault.

mod body;
mod config;
mod faults;
mod json;
mod metrics;
mod model;
mod refusal;
mod routes;
mod server;
mod transaction;

pub use config::{Config, ErrorRate, InvalidErrorRate};
pub use model::MODEL_VERSION;
pub use routes::router;
pub use server::{DRAIN_DEADLINE, serve};
