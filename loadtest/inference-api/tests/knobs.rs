//! The knobs do what they say, and only to predictions.

mod support;

use std::time::{Duration, Instant};

use inference_api::{Config, ErrorRate};
use reqwest::StatusCode;
use serde_json::json;
use support::{Raw, Server, transaction};

#[tokio::test]
async fn an_error_rate_of_one_fails_every_valid_prediction_and_nothing_else() {
    let server = Server::start(Config { error_rate: ErrorRate::ALWAYS, ..Config::default() }).await;
    for (path, body) in
        [("/predict", transaction().to_string()), ("/batch_predict", json!([transaction()]).to_string())]
    {
        let (status, answer) = server.post(path, body).await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR, "{path}");
        assert!(answer["error"].as_str().unwrap().contains("injected"), "{answer}");
    }
    assert_eq!(server.post("/predict", "{}").await.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(server.get("/health").await.0, StatusCode::OK);

    let metrics = server.metrics().await;
    assert_eq!(metrics.value("sentinel_errors_total"), Some(2.0));
    assert_eq!(metrics.requests("/predict", 500), Some(1.0));
    assert_eq!(metrics.predictions("legitimate"), Some(0.0));
    assert_eq!(metrics.value("sentinel_prediction_latency_seconds_count"), Some(2.0));
}

#[tokio::test]
async fn an_error_rate_of_zero_fails_none() {
    let server = Server::start(Config { error_rate: ErrorRate::NEVER, ..Config::default() }).await;
    for _ in 0..200 {
        assert_eq!(server.predict().await, StatusCode::OK);
    }
    assert_eq!(server.metrics().await.value("sentinel_errors_total"), Some(0.0));
}

#[tokio::test]
async fn the_same_seed_fails_the_same_requests() {
    let first = statuses(1).await;
    assert_eq!(first, statuses(1).await);
    assert_ne!(first, statuses(2).await);
    let failed = first.iter().filter(|&&status| status == StatusCode::INTERNAL_SERVER_ERROR).count();
    assert!((20..=80).contains(&failed), "{failed} of {} failed at a rate of one half", first.len());
}

/// The statuses of the first hundred predictions of a server that fails every other request.
async fn statuses(seed: u64) -> Vec<StatusCode> {
    let error_rate = ErrorRate::new(0.5).expect("a share");
    let server = Server::start(Config { error_rate, seed, ..Config::default() }).await;
    let mut statuses = Vec::new();
    for _ in 0..100 {
        statuses.push(server.predict().await);
    }
    statuses
}

#[tokio::test]
async fn predictions_take_the_time_they_are_told_to() {
    const PAUSE: Duration = Duration::from_millis(30);
    for config in [
        Config { latency: PAUSE, ..Config::default() },
        Config { inference_time: PAUSE, ..Config::default() },
    ] {
        let server = Server::start(config).await;
        let began = Instant::now();
        let (_, verdict) = server.post("/predict", transaction().to_string()).await;
        assert!(began.elapsed() >= PAUSE, "{config:?} took {:?}", began.elapsed());
        assert!(verdict["latency_ms"].as_f64().unwrap() >= 30.0, "{config:?}: {verdict}");
        let sum = server.metrics().await.value("sentinel_prediction_latency_seconds_sum").unwrap();
        assert!(sum >= PAUSE.as_secs_f64(), "{config:?}: {sum}");
    }
}

#[tokio::test]
async fn a_batch_takes_the_time_once_and_shares_it_out() {
    const PAUSE: Duration = Duration::from_millis(40);
    let server = Server::start(Config { inference_time: PAUSE, ..Config::default() }).await;
    let (_, answer) = server.post("/batch_predict", json!([transaction(), transaction()]).to_string()).await;
    let average_ms = answer["avg_latency_ms"].as_f64().unwrap();
    let whole_ms = server.metrics().await.value("sentinel_prediction_latency_seconds_sum").unwrap() * 1e3;
    assert!(average_ms >= 20.0 && 2.0 * average_ms <= whole_ms, "{average_ms} each, {whole_ms} in all");
}

#[tokio::test]
async fn waiting_does_not_keep_others_from_being_served() {
    let server = Server::start(Config { latency: Duration::from_secs(600), ..Config::default() }).await;
    let mut waiting = Raw::connect(&server).await;
    waiting.begin_predict(&transaction().to_string()).await;
    waiting.send(transaction().to_string().as_bytes()).await;
    assert_eq!(server.get("/health").await.0, StatusCode::OK);
    assert_eq!(server.metrics().await.requests("/predict", 200), None);
}
