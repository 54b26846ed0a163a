//! What customers meet: accounts, products, baskets, orders.

mod support;

use reqwest::StatusCode;
use serde_json::{Value, json};
use support::{Customer, Shop, send};

async fn me(customer: &Customer, token: &str) -> (StatusCode, Value) {
    support::json(send(customer.request("GET", "/me").bearer_auth(token)).await).await
}

fn token(login: &Value) -> &str {
    login["access_token"].as_str().expect("a token")
}

/// The hidden field of the login page.
async fn csrf_token(customer: &Customer) -> String {
    let page = send(customer.request("GET", "/login-page")).await;
    assert_eq!(page.status(), StatusCode::OK);
    let page = page.text().await.expect("text");
    let (_, rest) = page.split_once(r#"name="csrf_token" value=""#).expect("a hidden field");
    rest.split('"').next().expect("a value").to_owned()
}

#[tokio::test]
async fn a_token_stands_for_who_logged_in() {
    let shop = Shop::open().await;
    let customer = shop.customer();
    let credentials = json!({ "username": "user0042", "password": "secret-42" });
    let (status, login) = customer.post("/login", credentials).await;
    assert_eq!((status, &login["user_id"]), (StatusCode::OK, &json!(42)));
    let expected = json!({ "user_id": 42, "username": "user0042" });
    assert_eq!(me(&customer, token(&login)).await, (StatusCode::OK, expected));

    let response = customer.post_form("/login", "username=user0007&password=secret-7").await;
    let (status, other) = support::json(response).await;
    assert_eq!((status, &other["user_id"]), (StatusCode::OK, &json!(7)));
    assert_ne!(token(&login), token(&other));
    assert_eq!(me(&customer, token(&other)).await.1["user_id"], 7);
}

#[tokio::test]
async fn nobody_gets_in_with_wrong_credentials() {
    let shop = Shop::open().await;
    let customer = shop.customer();
    let wrong = json!({ "username": "user0042", "password": "secret-43" });
    assert_eq!(customer.post("/login", wrong).await.0, StatusCode::UNAUTHORIZED);
    let response = customer.post_form("/login", "username=nobody&password=secret-1").await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(customer.post("/login", json!({})).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    let untyped = send(customer.request("POST", "/login").body("{}")).await;
    assert_eq!(untyped.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(customer.get("/me").await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(me(&customer, "forged").await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_form_wants_the_token_of_its_own_session() {
    let shop = Shop::open().await;
    let (customer, other) = (shop.customer(), shop.customer());
    let (csrf, foreign) = (csrf_token(&customer).await, csrf_token(&other).await);
    assert_ne!(csrf, foreign);
    assert_eq!(csrf_token(&customer).await, csrf, "the session stays the same");

    let log_in = async |customer: &Customer, password: &str, csrf: &str| {
        let fields = format!("username=user0042&password={password}&csrf_token={csrf}");
        customer.post_form("/web-login", &fields).await.status()
    };
    assert_eq!(log_in(&customer, "secret-42", &foreign).await, StatusCode::FORBIDDEN);
    assert_eq!(log_in(&shop.customer(), "secret-42", &csrf).await, StatusCode::FORBIDDEN);
    assert_eq!(log_in(&customer, "secret-43", &csrf).await, StatusCode::UNAUTHORIZED);
    assert_eq!(customer.get("/me").await.0, StatusCode::UNAUTHORIZED);

    assert_eq!(log_in(&customer, "secret-42", &csrf).await, StatusCode::OK);
    assert_eq!(customer.get("/me").await.1, json!({ "user_id": 42, "username": "user0042" }));
    assert_eq!(other.get("/me").await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn an_account_that_was_opened_can_be_used_until_it_is_closed() {
    let shop = Shop::open().await;
    let admin = shop.customer();
    let ada = json!({ "username": "ada", "password": "lovelace" });
    let (status, account) = admin.post("/admin/accounts", ada.clone()).await;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(account["username"], "ada");
    assert_eq!(admin.post("/admin/accounts", ada.clone()).await.0, StatusCode::CONFLICT);
    assert_eq!(admin.get("/admin/accounts").await.1, json!([account]));
    let (_, login) = admin.post("/login", ada.clone()).await;
    assert_eq!(me(&admin, token(&login)).await.1, account);

    let path = format!("/admin/accounts/{}", account["user_id"]);
    assert_eq!(admin.delete(&path).await, StatusCode::NO_CONTENT);
    assert_eq!(admin.delete(&path).await, StatusCode::NOT_FOUND);
    assert_eq!(admin.get("/admin/accounts").await.1, json!([]));
    assert_eq!(admin.post("/login", ada).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(me(&admin, token(&login)).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn products_can_be_searched_and_looked_at() {
    let shop = Shop::open().await;
    let customer = shop.customer();
    let check = async |query: &str, first: Option<u64>, [page, pages, total]: [u64; 3]| {
        let (status, found) = customer.get(&format!("/products{query}")).await;
        assert_eq!(status, StatusCode::OK, "{query}");
        assert_eq!(found["products"][0]["id"].as_u64(), first, "{query}");
        assert_eq!([&found["page"], &found["pages"], &found["total"]], [page, pages, total], "{query}");
    };
    check("", Some(1), [1, 10, 200]).await;
    check("?q=&page=", Some(1), [1, 10, 200]).await;
    check("?page=2", Some(21), [2, 10, 200]).await;
    check("?q=boots", Some(41), [1, 1, 10]).await;
    check("?q=red+boots&page=1", Some(41), [1, 1, 1]).await;
    check("?q=unicorn", None, [1, 0, 0]).await;
    for page in ["0", "-1", "x"] {
        assert_eq!(
            customer.get(&format!("/products?page={page}")).await.0,
            StatusCode::BAD_REQUEST,
            "{page}"
        );
    }

    let (status, product) = customer.get("/products/41").await;
    assert_eq!((status, &product["id"], &product["name"]), (StatusCode::OK, &json!(41), &json!("red boots")));
    assert_eq!(customer.get("/products/201").await.0, StatusCode::NOT_FOUND);
    assert_eq!(customer.get("/products/x").await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn every_customer_has_a_basket() {
    let shop = Shop::open().await;
    let (customer, other) = (shop.customer(), shop.customer());
    let empty = json!({ "items": [], "total": 0 });
    assert_eq!(customer.get("/basket").await, (StatusCode::OK, empty.clone()));

    customer.post("/basket", json!({ "product_id": 41 })).await;
    customer.post("/basket", json!({ "product_id": 7, "quantity": 2 })).await;
    let (status, basket) = customer.post("/basket", json!({ "product_id": 41, "quantity": 2 })).await;
    let price = async |id: u64| customer.get(&format!("/products/{id}")).await.1["price"].as_u64().unwrap();
    let (boots, hat) = (price(41).await, price(7).await);
    let expected = json!({
        "items": [
            { "product_id": 41, "quantity": 3, "price": boots },
            { "product_id": 7, "quantity": 2, "price": hat },
        ],
        "total": 3 * boots + 2 * hat,
    });
    assert_eq!((status, &basket), (StatusCode::OK, &expected));
    assert_eq!(customer.get("/basket").await.1, expected);
    assert_eq!(other.get("/basket").await.1, empty);

    let missing = json!({ "product_id": 201 });
    assert_eq!(customer.post("/basket", missing).await.0, StatusCode::NOT_FOUND);
    let none = json!({ "product_id": 41, "quantity": 0 });
    assert_eq!(customer.post("/basket", none).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(customer.delete("/basket").await, StatusCode::NO_CONTENT);
    assert_eq!(customer.get("/basket").await.1, empty);
}

#[tokio::test]
async fn an_order_is_found_where_the_answer_says() {
    let shop = Shop::open().await;
    let customer = shop.customer();
    for number in 1..=2 {
        let order = json!({ "customer": format!("c-{number}"), "items": [41] });
        let response = send(customer.request("POST", "/orders").json(&order)).await;
        assert_eq!(response.status(), StatusCode::CREATED);
        let location = response.headers()["location"].to_str().unwrap().to_owned();
        assert_eq!(location, format!("/orders/{number}"));
        assert_eq!(support::json(response).await.1, json!({ "id": number }));
        let expected = json!({ "id": number, "order": order });
        assert_eq!(customer.get(&location).await, (StatusCode::OK, expected));
    }
    assert_eq!(customer.get("/orders/3").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_is_no_order_is_refused() {
    let shop = Shop::open().await;
    let customer = shop.customer();
    let check = async |content_type: &str, body: String, expected: StatusCode| {
        let request = customer.request("POST", "/orders").header("content-type", content_type);
        let (status, refusal) = support::json(send(request.body(body.clone())).await).await;
        assert_eq!(status, expected, "{content_type} {body:.20}: {refusal}");
    };
    check("text/plain", "{}".to_owned(), StatusCode::UNSUPPORTED_MEDIA_TYPE).await;
    check("application/json", "{".to_owned(), StatusCode::BAD_REQUEST).await;
    check("application/json", "[]".to_owned(), StatusCode::UNPROCESSABLE_ENTITY).await;
    let long = json!({ "note": "x".repeat(8 << 10) }).to_string();
    check("application/json", long, StatusCode::PAYLOAD_TOO_LARGE).await;
    assert_eq!(customer.get("/orders/1").await.0, StatusCode::NOT_FOUND);
}
