//! What each route answers, to good input and to bad.

mod support;

use inference_api::{Config, MODEL_VERSION};
use reqwest::StatusCode;
use serde_json::{Value, json};
use support::{Raw, Server, fraud, transaction};

const MEBIBYTE: usize = 1 << 20;

#[tokio::test]
async fn index_names_the_service_and_its_routes() {
    let server = Server::start(Config::default()).await;
    let (status, index) = server.get("/").await;
    assert_eq!((status, &index["service"]), (StatusCode::OK, &json!("inference-api")));
    assert_eq!(index["version"], env!("CARGO_PKG_VERSION"));
    let routes: Vec<&str> =
        index["routes"].as_array().unwrap().iter().map(|route| route["path"].as_str().unwrap()).collect();
    assert_eq!(routes, ["/", "/health", "/predict", "/batch_predict", "/metrics"]);
}

#[tokio::test]
async fn health_is_healthy() {
    let server = Server::start(Config::default()).await;
    let expected = json!({ "status": "healthy", "model_version": MODEL_VERSION });
    assert_eq!(server.get("/health").await, (StatusCode::OK, expected));
}

#[tokio::test]
async fn predict_answers_a_verdict() {
    let server = Server::start(Config::default()).await;
    for (input, is_fraud) in [(transaction(), false), (fraud(), true)] {
        let (status, verdict) = server.post("/predict", input.to_string()).await;
        assert_eq!(status, StatusCode::OK);
        assert_verdict(&verdict, is_fraud);
    }
}

#[tokio::test]
async fn batch_predict_answers_a_verdict_for_each_transaction_in_order() {
    let server = Server::start(Config::default()).await;
    let batch = json!([transaction(), fraud(), transaction()]);
    for input in [batch.clone(), json!({ "transactions": batch })] {
        let (status, answer) = server.post("/batch_predict", input.to_string()).await;
        assert_eq!(status, StatusCode::OK);
        let predictions = answer["predictions"].as_array().unwrap();
        assert_eq!(predictions.len(), 3);
        for (verdict, is_fraud) in predictions.iter().zip([false, true, false]) {
            assert_verdict(verdict, is_fraud);
        }
        assert_eq!((&answer["total_processed"], &answer["total_fraud"]), (&json!(3), &json!(1)));
        let latencies_ms: f64 =
            predictions.iter().map(|verdict| verdict["latency_ms"].as_f64().unwrap()).sum();
        assert!((answer["avg_latency_ms"].as_f64().unwrap() - latencies_ms / 3.0).abs() < 1e-9);
    }
}

#[tokio::test]
async fn the_same_transaction_always_gets_the_same_verdict() {
    let server = Server::start(Config::default()).await;
    let mut single = server.post("/predict", fraud().to_string()).await.1;
    let mut batch = server.post("/batch_predict", json!([fraud()]).to_string()).await.1;
    single["latency_ms"].take();
    batch["predictions"][0]["latency_ms"].take();
    assert_eq!(single, batch["predictions"][0]);
}

#[tokio::test]
async fn any_content_type_is_accepted() {
    let server = Server::start(Config::default()).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for content_type in ["application/json; charset=utf-8", "text/plain", "application/x-www-form-urlencoded"]
    {
        let request = client.post(server.url("/predict")).header("content-type", content_type);
        let response = request.body(transaction().to_string()).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{content_type}");
    }
}

#[tokio::test]
async fn an_invalid_transaction_is_refused_with_everything_wrong_in_it() {
    let server = Server::start(Config::default()).await;
    let mut input = transaction();
    input["amount"] = json!(-1);
    input["V2"] = json!("NaN");
    input["Class"] = json!(0);
    input.as_object_mut().unwrap().remove("V3");
    input.as_object_mut().unwrap().remove("time");
    let invalid = json!([
        { "field": "amount", "reason": "must not be negative, it is -1" },
        { "field": "V2", "reason": "must be a number, it is a string" },
    ]);

    let (status, refusal) = server.post("/predict", input.to_string()).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refusal["missing"], json!(["time", "V3"]));
    assert_eq!(refusal["unknown"], json!(["Class"]));
    assert_eq!(refusal["invalid"], invalid);

    let batch = json!([transaction(), input, null]);
    let (status, refusal) = server.post("/batch_predict", batch.to_string()).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refusal["invalid_transactions"], 2);
    assert_eq!(
        refusal["problems"],
        json!([
            { "index": 1, "missing": ["time", "V3"], "unknown": ["Class"], "invalid": invalid },
            { "index": 2, "reason": "is null, not a transaction object" },
        ])
    );
}

#[tokio::test]
async fn unusable_bodies_are_refused_with_a_reason() {
    let server = Server::start(Config::default()).await;
    let nan = transaction().to_string().replacen("0.25", "NaN", 1);
    let huge = transaction().to_string().replacen("0.25", "1e999", 1);
    for (path, body, reason) in [
        ("/predict", "", "the body is empty"),
        ("/predict", "{", "malformed JSON"),
        ("/predict", nan.as_str(), "malformed JSON"),
        ("/predict", huge.as_str(), "number out of range"),
        ("/predict", "[]", "is an array, not a transaction object"),
        ("/batch_predict", "", "the body is empty"),
        ("/batch_predict", "[{]", "malformed JSON"),
        ("/batch_predict", "[]", "the batch is empty"),
        ("/batch_predict", "{\"transactions\": 3}", "must be an array"),
        ("/batch_predict", "\"[]\"", "must be an array"),
    ] {
        let (status, refusal) = server.post(path, body.to_owned()).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{path} {body}");
        assert_error(&refusal, reason);
    }
}

#[tokio::test]
async fn unknown_routes_and_wrong_methods_are_refused_in_json() {
    let server = Server::start(Config::default()).await;
    for path in ["/nope", "/predict/", "/health/live"] {
        let (status, refusal) = server.get(path).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
        assert_error(&refusal, path);
    }
    for (method, path, allowed) in
        [("GET", "/predict", "POST"), ("DELETE", "/batch_predict", "POST"), ("POST", "/health", "GET,HEAD")]
    {
        let response = server.request(method, path).await;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
        assert_eq!(response.headers()["allow"], allowed, "{method} {path}");
        assert_error(&response.json().await.unwrap(), path);
    }
}

#[tokio::test]
async fn a_body_of_just_a_mebibyte_is_still_read() {
    let server = Server::start(Config::default()).await;
    let mut body = transaction().to_string();
    body.push_str(&" ".repeat(MEBIBYTE - body.len()));
    assert_eq!(server.post("/predict", body.clone()).await.0, StatusCode::OK);
    body.push(' ');
    assert_eq!(server.post("/predict", body).await.0, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_body_declared_too_large_is_refused() {
    let server = Server::start(Config::default()).await;
    for path in ["/predict", "/batch_predict"] {
        let (status, refusal) = server.post(path, vec![b' '; 3 * MEBIBYTE]).await;
        assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{path}");
        assert_error(&refusal, "1048576 bytes");
    }
}

#[tokio::test]
async fn a_chunked_body_is_read_and_refused_when_it_grows_too_large() {
    let server = Server::start(Config::default()).await;
    let mut connection = Raw::connect(&server).await;
    let head = b"POST /predict HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n";
    let text = transaction().to_string();
    let (first, second) = text.split_at(100);

    connection.send(head).await;
    for chunk in [first, second, ""] {
        connection.send(format!("{:x}\r\n{chunk}\r\n", chunk.len()).as_bytes()).await;
    }
    let answer = connection.read_until("}").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");

    // The same connection still serves: nothing of the previous body was left behind.
    connection.send(head).await;
    let spaces = " ".repeat(MEBIBYTE / 4);
    for chunk in [spaces.as_str(); 5].into_iter().chain([""]) {
        connection.send(format!("{:x}\r\n{chunk}\r\n", chunk.len()).as_bytes()).await;
    }
    let answer = connection.read_until("}").await;
    assert!(answer.starts_with("HTTP/1.1 413 Payload Too Large\r\n"), "{answer}");
    assert!(
        answer.contains("{\"error\":\"the body is longer than the 1048576 bytes accepted\"}"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_request_in_flight_is_answered_before_the_server_stops() {
    let server = Server::start(Config::default()).await;
    let address = server.address;
    let mut connection = Raw::connect(&server).await;
    let body = transaction().to_string();
    connection.begin_predict(&body).await;

    let serving = server.stop();
    connection.send(body.as_bytes()).await;
    let answer = connection.read_until("}").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    tokio::time::timeout(support::PATIENCE, serving).await.unwrap().unwrap().unwrap();
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "the port is free again");
}

fn assert_verdict(verdict: &Value, is_fraud: bool) {
    let mut fields: Vec<&str> = verdict.as_object().expect("an object").keys().map(String::as_str).collect();
    fields.sort_unstable();
    let expected =
        ["anomaly_score", "fraud_probability", "is_anomaly", "is_fraud", "latency_ms", "model_version"];
    assert_eq!(fields, expected);
    for share in ["fraud_probability", "anomaly_score"] {
        assert!((0.0..=1.0).contains(&verdict[share].as_f64().expect("a number")), "{share} in {verdict}");
    }
    assert_eq!(verdict["fraud_probability"].as_f64().expect("a number") >= 0.5, is_fraud, "{verdict}");
    assert_eq!(verdict["is_fraud"], is_fraud);
    assert!(verdict["is_anomaly"].is_boolean());
    assert!(verdict["latency_ms"].as_f64().expect("a number") > 0.0);
    assert_eq!(verdict["model_version"], MODEL_VERSION);
}

fn assert_error(refusal: &Value, reason: &str) {
    let error = refusal["error"].as_str().expect("an error");
    assert!(error.contains(reason), "{error:?} does not contain {reason:?}");
}
