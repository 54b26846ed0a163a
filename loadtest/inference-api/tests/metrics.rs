//! The server's counts agree exactly with what it received.

mod support;

use std::time::{Duration, Instant};

use inference_api::Config;
use reqwest::StatusCode;
use serde_json::json;
use support::{PATIENCE, Raw, Server, fraud, transaction};

#[tokio::test]
async fn a_fresh_server_shows_its_counters_at_zero() {
    let server = Server::start(Config::default()).await;
    let metrics = server.metrics().await;
    for series in [
        "sentinel_predictions_total{result=\"fraud\"}",
        "sentinel_predictions_total{result=\"legitimate\"}",
        "sentinel_errors_total",
        "sentinel_prediction_latency_seconds_count",
        "sentinel_prediction_latency_seconds_sum",
        "sentinel_prediction_latency_seconds_bucket{le=\"+Inf\"}",
    ] {
        assert_eq!(metrics.value(series), Some(0.0), "{series} in {}", metrics.0);
    }
    assert_eq!(metrics.requests("/predict", 200), None);
    assert!(metrics.0.ends_with("# EOF\n"));
}

#[tokio::test]
async fn the_scrape_says_that_it_is_openmetrics() {
    let server = Server::start(Config::default()).await;
    let response = server.request("GET", "/metrics").await;
    let content_type = response.headers()["content-type"].to_str().unwrap();
    assert_eq!(content_type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
}

#[tokio::test]
async fn every_request_is_counted_by_route_and_status() {
    let server = Server::start(Config::default()).await;
    for _ in 0..3 {
        server.predict().await;
    }
    server.post("/predict", fraud().to_string()).await;
    server.post("/predict", "{}").await;
    server.post("/batch_predict", json!([fraud(), fraud(), transaction()]).to_string()).await;
    server.post("/batch_predict", "[]").await;
    server.post("/batch_predict", vec![b' '; (1 << 20) + 1]).await;
    server.get("/health").await;
    server.get("/").await;
    server.get("/secret?token=hunter2").await;
    server.post("/no\"such{path}", "").await;
    server.request("PUT", "/predict").await;
    server.metrics().await;

    let metrics = server.metrics().await;
    for (path, status, count) in [
        ("/predict", 200, 4.0),
        ("/predict", 422, 1.0),
        ("/predict", 405, 1.0),
        ("/batch_predict", 200, 1.0),
        ("/batch_predict", 422, 1.0),
        ("/batch_predict", 413, 1.0),
        ("/health", 200, 1.0),
        ("/", 200, 1.0),
        ("/metrics", 200, 2.0),
        ("other", 404, 2.0),
    ] {
        assert_eq!(metrics.requests(path, status), Some(count), "{path} {status} in {}", metrics.0);
    }
    assert_eq!(metrics.0.matches("\nsentinel_requests_total{").count(), 10, "{}", metrics.0);
    assert!(!metrics.0.contains("hunter2") && !metrics.0.contains("such"), "{}", metrics.0);
    assert_eq!(metrics.predictions("fraud"), Some(3.0));
    assert_eq!(metrics.predictions("legitimate"), Some(4.0));
    assert_eq!(metrics.value("sentinel_prediction_latency_seconds_count"), Some(5.0));
    assert_eq!(metrics.value("sentinel_errors_total"), Some(0.0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_requests_are_all_counted() {
    const CLIENTS: usize = 16;
    const REQUESTS: usize = 50;
    let server = Server::start(Config::default()).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..CLIENTS {
        let (client, url) = (client.clone(), server.url("/predict"));
        clients.spawn(async move {
            for _ in 0..REQUESTS {
                let body = transaction().to_string();
                let status = client.post(&url).body(body).send().await.unwrap().status();
                assert_eq!(status, StatusCode::OK);
            }
        });
    }
    clients.join_all().await;
    let metrics = server.metrics().await;
    let expected = Some((CLIENTS * REQUESTS) as f64);
    assert_eq!(metrics.requests("/predict", 200), expected);
    assert_eq!(metrics.predictions("legitimate"), expected);
    assert_eq!(metrics.value("sentinel_prediction_latency_seconds_count"), expected);
}

#[tokio::test]
async fn a_client_that_hangs_up_is_counted_as_gone() {
    let server = Server::start(Config { latency: Duration::from_secs(600), ..Config::default() }).await;
    let body = transaction().to_string();
    let mut connection = Raw::connect(&server).await;
    connection.begin_predict(&body).await;
    connection.send(body.as_bytes()).await;
    drop(connection);

    let began = Instant::now();
    while server.metrics().await.requests("/predict", 499) != Some(1.0) {
        assert!(began.elapsed() < PATIENCE, "the request was never counted");
    }
    assert_eq!(server.metrics().await.predictions("legitimate"), Some(0.0));
}

#[tokio::test]
async fn embedded_servers_do_not_share_metrics() {
    let (first, second) = tokio::join!(Server::start(Config::default()), Server::start(Config::default()));
    first.predict().await;
    first.predict().await;
    second.predict().await;
    assert_eq!(first.metrics().await.requests("/predict", 200), Some(2.0));
    assert_eq!(second.metrics().await.requests("/predict", 200), Some(1.0));
}
