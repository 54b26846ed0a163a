//! The routes: what is asked, in which order it is checked, and what is answered.
//!
//! [`router`] is the way in, for [`crate::serve`] and for embedders. Handlers decide on the status and
//! the body; parsing, scoring and counting happen in their own modules.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, Uri, header};
use axum::response::Response;
use axum::routing::{get, post};
use serde::Serialize;
use serde_json::json;

use crate::Config;
use crate::body::{self, BODY_BYTES_MAX, Unreadable};
use crate::faults::Faults;
use crate::metrics::{self, Metrics, Path, Status};
use crate::model::{self, MODEL_VERSION};
use crate::refusal::Refusal;
use crate::transaction::{self, Transaction};

/// The routes of a new server with its own metrics and its own sequence of faults.
pub fn router(config: Config) -> Router {
    Router::new()
        .route(Path::Index.label(), get(index))
        .route(Path::Health.label(), get(health))
        .route(Path::Predict.label(), post(predict))
        .route(Path::BatchPredict.label(), post(batch_predict))
        .route(Path::Metrics.label(), get(metrics_text))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(Arc::new(App::new(config)))
}

/// What the connections of one server share.
struct App {
    inference_time: Duration,
    latency: Duration,
    faults: Faults,
    metrics: Metrics,
}

impl App {
    fn new(config: Config) -> App {
        let Config { inference_time, latency, error_rate, seed } = config;
        App { inference_time, latency, faults: Faults::new(error_rate, seed), metrics: Metrics::new() }
    }

    /// The validated input of a prediction request, after the time that inference takes.
    ///
    /// An injected fault strikes at the end: a failed inference costs as much as a good one.
    async fn infer<T>(&self, body: Body, parse: fn(&[u8]) -> Result<T, Refusal>) -> Result<T, Rejection> {
        let input = parse(&body::read(body).await?)?;
        let fails = self.faults.next_fails();
        if !self.latency.is_zero() {
            tokio::time::sleep(self.latency).await;
        }
        burn(self.inference_time);
        if fails { Err(Rejection::Injected) } else { Ok(input) }
    }
}

async fn predict(State(app): State<Arc<App>>, body: Body) -> Response {
    let call = app.metrics.begin(Path::Predict);
    let (status, answer) = match app.infer(body, transaction::parse_one).await {
        Ok(transaction) => {
            let prediction = Prediction::of(&transaction, call.elapsed());
            let fraud = u64::from(prediction.is_fraud);
            app.metrics.predicted(fraud, 1 - fraud);
            (Status::Ok, to_json(&prediction))
        }
        Err(rejection) => rejection.answer(),
    };
    call.close(status);
    respond(status, answer)
}

async fn batch_predict(State(app): State<Arc<App>>, body: Body) -> Response {
    let call = app.metrics.begin(Path::BatchPredict);
    let (status, answer) = match app.infer(body, transaction::parse_batch).await {
        Ok(transactions) => {
            let latency_each = call.elapsed().div_f64(transactions.len() as f64);
            let batch = BatchAnswer::of(&transactions, latency_each);
            let (fraud, total) = (batch.total_fraud as u64, batch.total_processed as u64);
            app.metrics.predicted(fraud, total - fraud);
            (Status::Ok, to_json(&batch))
        }
        Err(rejection) => rejection.answer(),
    };
    call.close(status);
    respond(status, answer)
}

async fn index(State(app): State<Arc<App>>) -> Response {
    app.metrics.begin(Path::Index).close(Status::Ok);
    let answer = json!({
        "service": env!("CARGO_PKG_NAME"),
        "version": env!("CARGO_PKG_VERSION"),
        "model_version": MODEL_VERSION,
        "routes": [
            { "method": "GET", "path": "/", "answers": "this overview" },
            { "method": "GET", "path": "/health", "answers": "whether the service is healthy" },
            { "method": "POST", "path": "/predict", "answers": "the verdict on one transaction" },
            { "method": "POST", "path": "/batch_predict", "answers": "the verdicts on many transactions" },
            { "method": "GET", "path": "/metrics", "answers": "Prometheus metrics" },
        ],
    });
    respond(Status::Ok, to_json(&answer))
}

async fn health(State(app): State<Arc<App>>) -> Response {
    app.metrics.begin(Path::Health).close(Status::Ok);
    respond(Status::Ok, to_json(&json!({ "status": "healthy", "model_version": MODEL_VERSION })))
}

/// The text includes the scrape itself: the request counters add up to all requests received so far.
async fn metrics_text(State(app): State<Arc<App>>) -> Response {
    app.metrics.begin(Path::Metrics).close(Status::Ok);
    let mut response = Response::new(Body::from(app.metrics.text()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(metrics::CONTENT_TYPE));
    response
}

async fn not_found(State(app): State<Arc<App>>, uri: Uri, body: Body) -> Response {
    let call = app.metrics.begin(Path::Other);
    body::discard(body).await;
    call.close(Status::NotFound);
    respond(Status::NotFound, error(&format!("there is no {}, see / for the routes", uri.path())))
}

async fn method_not_allowed(State(app): State<Arc<App>>, uri: Uri, body: Body) -> Response {
    let call = app.metrics.begin(Path::of(uri.path()));
    body::discard(body).await;
    call.close(Status::MethodNotAllowed);
    let reason = format!("{} does not take this method, see the allow header", uri.path());
    respond(Status::MethodNotAllowed, error(&reason))
}

/// Why a prediction request gets no prediction.
enum Rejection {
    Unreadable(Unreadable),
    Refused(Refusal),
    Injected,
}

impl Rejection {
    fn answer(&self) -> (Status, Vec<u8>) {
        match self {
            Rejection::Unreadable(Unreadable::TooLarge) => {
                let reason = format!("the body is longer than the {BODY_BYTES_MAX} bytes accepted");
                (Status::TooLarge, error(&reason))
            }
            Rejection::Unreadable(Unreadable::Broken(cause)) => {
                (Status::BadRequest, error(&format!("failed to read the body: {cause}")))
            }
            Rejection::Refused(refusal) => (Status::Invalid, refusal.to_json()),
            Rejection::Injected => (Status::Failed, error("injected fault, as the error rate asks for")),
        }
    }
}

impl From<Unreadable> for Rejection {
    fn from(unreadable: Unreadable) -> Rejection {
        Rejection::Unreadable(unreadable)
    }
}

impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Rejection {
        Rejection::Refused(refusal)
    }
}

/// The answer to one transaction.
#[derive(Serialize)]
struct Prediction {
    fraud_probability: f64,
    is_fraud: bool,
    anomaly_score: f64,
    is_anomaly: bool,
    latency_ms: f64,
    model_version: &'static str,
}

impl Prediction {
    fn of(transaction: &Transaction, latency: Duration) -> Prediction {
        let verdict = model::score(transaction);
        Prediction {
            fraud_probability: verdict.fraud_probability,
            is_fraud: verdict.is_fraud,
            anomaly_score: verdict.anomaly_score,
            is_anomaly: verdict.is_anomaly,
            latency_ms: latency.as_secs_f64() * 1e3,
            model_version: MODEL_VERSION,
        }
    }
}

/// The answer to a batch. Inference runs on the whole batch at once, so each transaction took an equal
/// share of its time.
#[derive(Serialize)]
struct BatchAnswer {
    predictions: Vec<Prediction>,
    total_processed: usize,
    total_fraud: usize,
    avg_latency_ms: f64,
}

impl BatchAnswer {
    fn of(transactions: &[Transaction], latency_each: Duration) -> BatchAnswer {
        let predictions: Vec<_> = transactions.iter().map(|one| Prediction::of(one, latency_each)).collect();
        BatchAnswer {
            total_processed: predictions.len(),
            total_fraud: predictions.iter().filter(|prediction| prediction.is_fraud).count(),
            avg_latency_ms: latency_each.as_secs_f64() * 1e3,
            predictions,
        }
    }
}

/// Keeps a core busy for `time`.
fn burn(time: Duration) {
    if time.is_zero() {
        return;
    }
    let started = Instant::now();
    while started.elapsed() < time {
        std::hint::spin_loop();
    }
}

fn error(reason: &str) -> Vec<u8> {
    to_json(&json!({ "error": reason }))
}

fn to_json(answer: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(answer).expect("string keys and plain values serialise")
}

fn respond(status: Status, answer: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(answer));
    *response.status_mut() = status.code();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
