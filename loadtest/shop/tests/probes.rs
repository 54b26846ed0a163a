//! What load generators have to cope with, and what the shop says of itself.

mod support;

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::json;
use shop::BODY_BYTES_MAX;
use support::{Shop, send};

/// A form with a text and a file of these contents.
fn form(text: &str, file: &[u8]) -> Vec<u8> {
    let head = format!(
        "--frontier\r\ncontent-disposition: form-data; name=\"title\"\r\n\r\n{text}\r\n\
         --frontier\r\ncontent-disposition: form-data; name=\"photo\"; filename=\"cat.png\"\r\n\
         content-type: image/png\r\n\r\n"
    );
    [head.as_bytes(), file, b"\r\n--frontier--\r\n"].concat()
}

const FORM: &str = "multipart/form-data; boundary=frontier";

#[tokio::test]
async fn an_upload_is_measured_part_by_part() {
    let shop = Shop::open().await;
    let customer = shop.customer();
    let request = customer.request("POST", "/upload").header("content-type", FORM).body(form("abc", b""));
    let (status, answer) = support::json(send(request).await).await;
    assert_eq!(status, StatusCode::CREATED);
    let expected = json!({
        "id": 1,
        "parts": [
            {
                "name": "title", "filename": null, "content_type": null, "bytes": 3,
                // The first example of FIPS 180.
                "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            },
            {
                "name": "photo", "filename": "cat.png", "content_type": "image/png", "bytes": 0,
                "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            },
        ],
    });
    assert_eq!(answer, expected);
    assert_eq!(customer.get("/uploads/1").await, (StatusCode::OK, expected));
    assert_eq!(customer.get("/uploads/2").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn uploads_end_at_eight_mebibytes() {
    let shop = Shop::open().await;
    let customer = shop.customer();
    let check = async |length: usize, expected: StatusCode| {
        let frame = form("t", b"").len();
        let body = form("t", &vec![b'x'; length - frame]);
        assert_eq!(body.len(), length);
        let request = customer.request("POST", "/upload").header("content-type", FORM).body(body);
        let (status, answer) = support::json(send(request).await).await;
        assert_eq!(status, expected, "{length}: {answer}");
    };
    check(BODY_BYTES_MAX, StatusCode::CREATED).await;
    check(BODY_BYTES_MAX + 1, StatusCode::PAYLOAD_TOO_LARGE).await;
    check(3 * BODY_BYTES_MAX, StatusCode::PAYLOAD_TOO_LARGE).await;
}

#[tokio::test]
async fn broken_uploads_are_refused() {
    let shop = Shop::open().await;
    let customer = shop.customer();
    let check = async |content_type: &str, body: &[u8]| {
        let request = customer.request("POST", "/upload").header("content-type", content_type);
        let (status, _) = support::json(send(request.body(body.to_vec())).await).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{content_type}");
    };
    check("text/plain", b"abc").await;
    check(FORM, b"abc").await;
    let whole = form("t", b"cut off");
    check(FORM, &whole[..whole.len() - 20]).await;
}

#[tokio::test]
async fn echo_tells_what_it_was_sent() {
    let shop = Shop::open().await;
    let customer = shop.customer();
    let request = customer.request("PROPFIND", "/echo?a=1&tag=x&tag=y%20z").header("x-test", "one");
    let (status, echo) = support::json(send(request.header("x-test", "two").body("käse")).await).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!((&echo["method"], &echo["path"]), (&json!("PROPFIND"), &json!("/echo")));
    assert_eq!(echo["query"], json!({ "a": ["1"], "tag": ["x", "y z"] }));
    assert_eq!(echo["headers"]["x-test"], "one, two");
    assert_eq!((&echo["body"], &echo["body_bytes"]), (&json!("käse"), &json!(5)));
}

#[tokio::test]
async fn statuses_are_those_that_were_asked_for() {
    let shop = Shop::open().await;
    let customer = shop.customer();
    for code in [200, 204, 304, 404, 418, 503, 999] {
        let response = send(customer.request("GET", &format!("/status/{code}"))).await;
        assert_eq!(response.status().as_u16(), code);
    }
    for code in ["100", "0", "1000", "x"] {
        assert_eq!(customer.get(&format!("/status/{code}")).await.0, StatusCode::BAD_REQUEST, "{code}");
    }
}

#[tokio::test]
async fn redirects_lead_somewhere_in_the_end() {
    let shop = Shop::open().await;
    let customer = shop.customer();
    let mut path = "/redirect/3".to_owned();
    for expected in ["/redirect/2", "/redirect/1", "/redirect/0"] {
        let response = send(customer.request("GET", &path)).await;
        assert_eq!(response.status(), StatusCode::FOUND);
        path = response.headers()["location"].to_str().unwrap().to_owned();
        assert_eq!(path, expected);
    }
    assert_eq!(customer.get(&path).await, (StatusCode::OK, json!({ "arrived": true })));
    assert_eq!(customer.get("/redirect/-1").await.0, StatusCode::BAD_REQUEST);
    assert_eq!(customer.get("/redirect/1001").await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn slow_answers_take_their_time() {
    let shop = Shop::open().await;
    let began = Instant::now();
    let slow = shop.customer().get("/slow?ms=100").await;
    assert!(began.elapsed() >= Duration::from_millis(100), "it came after {:?}", began.elapsed());
    assert_eq!(slow, (StatusCode::OK, json!({ "slept_ms": 100 })));
    assert_eq!(shop.customer().get("/slow?ms=fast").await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_slow_answer_keeps_nobody_else_waiting() {
    let shop = Shop::open().await;
    let customer = shop.customer();
    let slow = tokio::spawn(async move { customer.get("/slow?ms=10000").await });
    while shop.counts().await["GET /slow"] != 1 {}
    assert_eq!(shop.customer().get("/health").await, (StatusCode::OK, json!({ "status": "healthy" })));
    assert!(!slow.is_finished(), "the slow answer came first");
}

#[tokio::test]
async fn a_frozen_shop_answers_nothing_but_its_counts() {
    let shop = Shop::open().await;
    let customer = shop.customer();
    assert_eq!(customer.post("/freeze?ms=60000", json!({})).await.1, json!({ "frozen_ms": 60_000 }));
    let waiting = tokio::spawn(async move { customer.get("/health").await });
    while shop.counts().await["GET /health"] != 1 {}
    assert_eq!(shop.counts().await, json!({ "GET /health": 1, "POST /freeze": 1 }));
    assert!(!waiting.is_finished(), "it was answered");
}

#[tokio::test]
async fn a_shop_thaws_and_then_answers_all_who_waited() {
    const FROZEN: Duration = Duration::from_millis(1_300);
    let shop = Shop::open().await;
    let (early, late) = (shop.customer(), shop.customer());
    // This one is at work when the shop freezes; its answer is due before the thaw and must not come.
    let at_work = tokio::spawn(async move { (early.get("/slow?ms=1000").await.0, Instant::now()) });
    while shop.counts().await["GET /slow"] != 1 {}
    let began = Instant::now();
    late.post("/freeze?ms=1300", json!({})).await;
    let (came_late, late_at) = (late.get("/health").await.0, Instant::now());
    let (came_early, early_at) = at_work.await.unwrap();
    assert_eq!((came_early, came_late), (StatusCode::OK, StatusCode::OK));
    for at in [early_at, late_at] {
        assert!(at >= began + FROZEN, "it came {:?} after the freeze began", at - began);
    }
}

#[tokio::test]
async fn requests_are_counted_by_method_and_route() {
    let shop = Shop::open().await;
    let customer = shop.customer();
    for path in ["/products/1", "/products/2?x=y", "/products/999", "/products/x", "/products", "/nowhere"] {
        customer.get(path).await;
    }
    customer.post("/health", json!({})).await;
    customer.post("/basket", json!({ "product_id": 1 })).await;
    customer.delete("/basket").await;
    shop.counts().await;
    let expected = json!({
        "DELETE /basket": 1, "GET (other)": 1, "GET /products": 1, "GET /products/{id}": 4,
        "POST /basket": 1, "POST /health": 1,
    });
    assert_eq!(shop.counts().await, expected);
    assert_eq!(Shop::open().await.counts().await, json!({}), "every shop has counts of its own");
}

#[tokio::test]
async fn wrong_routes_and_methods_are_refused_with_a_reason() {
    let shop = Shop::open().await;
    let customer = shop.customer();
    let (status, refusal) = customer.get("/nowhere").await;
    assert_eq!((status, refusal), (StatusCode::NOT_FOUND, json!({ "error": "there is no /nowhere" })));
    let response = send(customer.request("POST", "/products")).await;
    assert_eq!(response.headers()["allow"], "GET,HEAD");
    let (status, refusal) = support::json(response).await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(refusal["error"].as_str().unwrap().starts_with("/products does not"), "{refusal}");
}
