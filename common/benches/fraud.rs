//! What one request of the fraud scenario costs the generator: its body rendered, its answer judged.
//!
//! `cargo bench -p sentinel-common --bench fraud`

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use sentinel_common::scenario::{
    Answer, Body, Identity, Outside, RenderContext, RequestStep, Scenario, Step,
};

const FRAUD: &str = include_str!("../../loadtest/fraud.yaml");

/// An answer of the inference API to a single transaction.
const ANSWER: &[u8] = br#"{"fraud_probability":0.03217346521987654,"is_fraud":false,"anomaly_score":0.4172839016253,"is_anomaly":false,"latency_ms":1.2075,"model_version":"logistic-1.0.0"}"#;

fn single_prediction() -> RequestStep {
    let scenario = Scenario::load("fraud.yaml", FRAUD).expect("the scenario is valid");
    match &scenario.users[0].tasks[0].steps()[0] {
        Step::Request(request) => RequestStep::clone(request),
        step => panic!("expected a request, found {step:?}"),
    }
}

fn fraud(criterion: &mut Criterion) {
    let request = single_prediction();
    let Body::Json(document) = &request.body else { panic!("the body is JSON") };
    let identity = Identity {
        run_id: "bench",
        seed: 1,
        class: "FraudInferenceUser",
        index: 0,
        host: "http://localhost:8000",
    };
    let user = RenderContext::new(&identity, &Outside::default());
    let render = || {
        // As the worker makes a body.
        let mut body = Vec::with_capacity(1024);
        document.render_into(&mut body, &user).expect("it renders");
        body
    };
    let headers = http::HeaderMap::new();
    let check = || {
        let answer = Answer::new(200, &headers, ANSWER, Duration::from_millis(1), &|_| None);
        request.expect.check(&answer, &user).expect("the answer is right");
    };
    criterion.bench_function("render", |bencher| bencher.iter(render));
    criterion.bench_function("check", |bencher| bencher.iter(check));
    criterion.bench_function("render and check", |bencher| {
        bencher.iter(|| {
            let body = render();
            check();
            body
        });
    });
}

criterion_group!(benches, fraud);
criterion_main!(benches);
