//! What one server counts about itself, and its Prometheus text.
//!
//! The routes open a [`Call`] for every request they receive and close it with the status they answer.
//! Counters are resolved once and then incremented without a lookup. You will never find a global
//! registry here: each server owns one.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// The content type of [`Metrics::text`].
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The counters of one server.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    fraud: Counter,
    legitimate: Counter,
    errors: Counter,
    latency_seconds: Histogram,
    requests: Family<RequestLabels, Counter>,
    /// The counters of `requests`, each resolved when it is first used: only pairs that happened are shown.
    resolved: [[OnceLock<Counter>; Status::COUNT]; Path::COUNT],
}

impl Metrics {
    pub(crate) fn new() -> Metrics {
        let mut registry = Registry::with_prefix("sentinel");
        let predictions = Family::<PredictionLabels, Counter>::default();
        let errors = Counter::default();
        let latency_seconds = Histogram::new(LATENCY_BUCKETS_SECONDS);
        let requests = Family::<RequestLabels, Counter>::default();
        // The names lack the `_total` and the unit on purpose: the registry appends them.
        registry.register("predictions", "Transactions predicted, by result", predictions.clone());
        registry.register("errors", "Prediction requests answered 500", errors.clone());
        registry.register_with_unit(
            "prediction_latency",
            "Time from receiving to answering the prediction requests that reached the model",
            Unit::Seconds,
            latency_seconds.clone(),
        );
        registry.register("requests", "Requests, by route and answered status", requests.clone());
        let result = |result| predictions.get_or_create_owned(&PredictionLabels { result });
        Metrics {
            fraud: result("fraud"),
            legitimate: result("legitimate"),
            registry,
            errors,
            latency_seconds,
            requests,
            resolved: Default::default(),
        }
    }

    /// Begins to answer a request to `path`.
    pub(crate) fn begin(&self, path: Path) -> Call<'_> {
        Call { metrics: self, path, started: Instant::now(), status: Status::ClientGone }
    }

    /// Counts transactions predicted.
    pub(crate) fn predicted(&self, fraud: u64, legitimate: u64) {
        self.fraud.inc_by(fraud);
        self.legitimate.inc_by(legitimate);
    }

    /// All metrics in the OpenMetrics text format.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)
            .expect("a String takes any text");
        text
    }

    fn count(&self, path: Path, status: Status) {
        self.resolved[path as usize][status as usize]
            .get_or_init(|| {
                let status = u32::from(status.code().as_u16());
                self.requests.get_or_create_owned(&RequestLabels { path: path.label(), status })
            })
            .inc();
    }
}

/// One request being answered. It is counted exactly once, when it is dropped: by the status it was
/// closed with, or as [`Status::ClientGone`] if the client hung up before that.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    metrics: &'a Metrics,
    path: Path,
    started: Instant,
    status: Status,
}

impl Call<'_> {
    /// The time since the request was received.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Counts the request as answered with `status`.
    pub(crate) fn close(mut self, status: Status) {
        self.status = status;
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.metrics.count(self.path, self.status);
        let reached_the_model =
            self.path.is_prediction() && matches!(self.status, Status::Ok | Status::Failed);
        if reached_the_model {
            self.metrics.latency_seconds.observe(self.started.elapsed().as_secs_f64());
        }
        if self.status == Status::Failed {
            self.metrics.errors.inc();
        }
    }
}

/// A route as a label: what a client asks for never becomes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Path {
    Index,
    Health,
    Predict,
    BatchPredict,
    Metrics,
    Other,
}

impl Path {
    const COUNT: usize = Path::Other as usize + 1;
    const KNOWN: [Path; Path::COUNT - 1] =
        [Path::Index, Path::Health, Path::Predict, Path::BatchPredict, Path::Metrics];

    /// The route of a request path.
    pub(crate) fn of(path: &str) -> Path {
        Path::KNOWN.into_iter().find(|known| known.label() == path).unwrap_or(Path::Other)
    }

    /// The path of a known route, or "other".
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Path::Index => "/",
            Path::Health => "/health",
            Path::Predict => "/predict",
            Path::BatchPredict => "/batch_predict",
            Path::Metrics => "/metrics",
            Path::Other => "other",
        }
    }

    fn is_prediction(self) -> bool {
        matches!(self, Path::Predict | Path::BatchPredict)
    }
}

/// Every status that this server answers, and the one for having nobody to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Ok,
    BadRequest,
    NotFound,
    MethodNotAllowed,
    TooLarge,
    Invalid,
    ClientGone,
    Failed,
}

impl Status {
    const COUNT: usize = Status::Failed as usize + 1;

    /// The HTTP status. 499 is never sent: it labels requests whose client hung up before the answer.
    pub(crate) fn code(self) -> StatusCode {
        match self {
            Status::Ok => StatusCode::OK,
            Status::BadRequest => StatusCode::BAD_REQUEST,
            Status::NotFound => StatusCode::NOT_FOUND,
            Status::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Status::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Status::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
            Status::ClientGone => StatusCode::from_u16(499).expect("499 is a valid status code"),
            Status::Failed => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// From what an idle server needs to what makes a load test fail.
const LATENCY_BUCKETS_SECONDS: [f64; 16] = [
    0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1,
    0.25, 0.5, 1.0,
];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct PredictionLabels {
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestLabels {
    path: &'static str,
    status: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of the text that are not about buckets or sums, which depend on the clock.
    fn stable_lines(metrics: &Metrics) -> Vec<String> {
        let on_the_clock = |line: &str| line.contains("_bucket{") || line.contains("_seconds_sum ");
        metrics.text().lines().filter(|line| !on_the_clock(line)).map(str::to_owned).collect()
    }

    #[test]
    fn the_text_has_exactly_the_promised_names() {
        let metrics = Metrics::new();
        metrics.begin(Path::Predict).close(Status::Ok);
        metrics.predicted(2, 3);
        metrics.begin(Path::BatchPredict).close(Status::Failed);
        let expected = [
            "# HELP sentinel_predictions Transactions predicted, by result.",
            "# TYPE sentinel_predictions counter",
            "sentinel_predictions_total{result=\"fraud\"} 2",
            "sentinel_predictions_total{result=\"legitimate\"} 3",
            "# HELP sentinel_errors Prediction requests answered 500.",
            "# TYPE sentinel_errors counter",
            "sentinel_errors_total 1",
            "# HELP sentinel_prediction_latency_seconds \
             Time from receiving to answering the prediction requests that reached the model.",
            "# TYPE sentinel_prediction_latency_seconds histogram",
            "# UNIT sentinel_prediction_latency_seconds seconds",
            "sentinel_prediction_latency_seconds_count 2",
            "# HELP sentinel_requests Requests, by route and answered status.",
            "# TYPE sentinel_requests counter",
            "sentinel_requests_total{path=\"/predict\",status=\"200\"} 1",
            "sentinel_requests_total{path=\"/batch_predict\",status=\"500\"} 1",
            "# EOF",
        ];
        // Series of one family come in any order.
        let sorted = |mut lines: Vec<String>| {
            lines.sort();
            lines
        };
        assert_eq!(sorted(stable_lines(&metrics)), sorted(expected.map(str::to_owned).to_vec()));
    }

    #[test]
    fn only_requests_that_reached_the_model_have_a_latency() {
        let check = |path: Path, status: Status, expected: u64| {
            let metrics = Metrics::new();
            metrics.begin(path).close(status);
            let count = format!("sentinel_prediction_latency_seconds_count {expected}\n");
            assert!(metrics.text().contains(&count), "{path:?} {status:?}: {}", metrics.text());
        };
        check(Path::Predict, Status::Ok, 1);
        check(Path::BatchPredict, Status::Failed, 1);
        check(Path::Predict, Status::Invalid, 0);
        check(Path::Predict, Status::MethodNotAllowed, 0);
        check(Path::BatchPredict, Status::ClientGone, 0);
        check(Path::Health, Status::Ok, 0);
    }

    #[test]
    fn a_call_that_is_dropped_unanswered_counts_as_client_gone() {
        let metrics = Metrics::new();
        drop(metrics.begin(Path::Predict));
        let expected = "sentinel_requests_total{path=\"/predict\",status=\"499\"} 1\n";
        assert!(metrics.text().contains(expected), "{}", metrics.text());
    }

    #[test]
    fn unknown_paths_share_one_label() {
        let check = |path: &str, expected: Path| assert_eq!(Path::of(path), expected, "{path:?}");
        check("/", Path::Index);
        check("/batch_predict", Path::BatchPredict);
        for stranger in ["", "other", "/other", "/predict/", "/Predict", "//", "/predict?x"] {
            check(stranger, Path::Other);
        }
    }
}
