//! What requests expect of answers, and what they keep of them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use http::HeaderMap;
use sentinel_common::scenario::{Answer, Identity, Outside, RenderContext, RequestStep, Scenario, Step};

const BODY: &str = r#"{"token": "t-1", "items": [{"id": 7}, {"id": 8}], "ok": true, "note": null}"#;

/// A request with one key beside its path.
fn request(key: &str) -> RequestStep {
    let text = format!("users: {{ A: {{ tasks: [{{ name: t, steps: [{{ get: /, {key} }}] }}] }} }}");
    let scenario = Scenario::load("f", &text).unwrap_or_else(|notes| panic!("{notes}\n{text}"));
    match &scenario.users[0].tasks[0].steps()[0] {
        Step::Request(request) => RequestStep::clone(request),
        step => panic!("{step:?}"),
    }
}

fn user() -> RenderContext {
    let identity = Identity { run_id: "run", seed: 1, class: "A", index: 0, host: "http://a" };
    RenderContext::new(&identity, &Outside::default())
}

/// Shows an answer to `look`: status 200, two headers, one cookie, [`BODY`], 250 ms.
fn with_answer<T>(body: &[u8], look: impl FnOnce(&Answer<'_>) -> T) -> T {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", "application/json; charset=utf-8".parse().unwrap());
    headers.insert("location", "/orders/17".parse().unwrap());
    let cookies = |name: &str| (name == "session").then(|| "s-9".to_owned());
    look(&Answer::new(200, &headers, body, Duration::from_millis(250), &cookies))
}

fn expected(expect: &str, verdict: Result<(), &str>) {
    let request = request(&format!("expect: {{ {expect} }}"));
    let found = with_answer(BODY.as_bytes(), |answer| request.expect.check(answer, &user()));
    assert_eq!(found.err().as_deref(), verdict.err(), "{expect}");
}

#[test]
fn headers_are_checked_by_name_whatever_their_case() {
    expected("headers: { Location: exists, X-Debug: absent }", Ok(()));
    expected("headers: { LOCATION: /orders/17 }", Ok(()));
    expected("headers: { location: '/orders/{{ 10 + 7 }}' }", Ok(()));
    expected("headers: { Content-Type: { contains: json, regex: 'utf-8$' } }", Ok(()));
    expected("headers: { X-Id: exists }", Err("expected header X-Id to exist"));
    expected("headers: { Location: absent }", Err("expected header Location to be absent"));
    expected("headers: { Location: { exists: false } }", Err("expected header Location to be absent"));
    expected("headers: { X-Id: '5' }", Err("expected header X-Id to equal `5`"));
    expected(
        "headers: { Content-Type: { contains: [json, xml] } }",
        Err("expected header Content-Type to contain `xml`"),
    );
    expected("headers: { Location: { regex: '^http' } }", Err("expected header Location to match /^http/"));
}

#[test]
fn bodies_are_checked_as_text() {
    expected("body: { contains: token, regex: '\"id\": \\d' }", Ok(()));
    expected("body: { regex: ['t-1', 'missing'] }", Err("expected the body to match /missing/"));
    expected("body: { equals: hello }", Err("expected the body to equal `hello`"));
}

#[test]
fn texts_in_json_are_matched() {
    expected("json: { token: { regex: '^t-' } }", Ok(()));
    expected("json: { token: { regex: '^x' } }", Err("expected JSON token to match /^x/"));
    expected("json: { ok: { regex: 'true' } }", Err("expected JSON ok to match /true/"));
}

#[test]
fn an_answer_has_to_come_in_time() {
    expected("under: 251ms", Ok(()));
    expected("under: 1", Ok(()));
    expected("under: 250ms", Err("expected an answer within 250ms"));
    expected("under: 0.2", Err("expected an answer within 0.2 s"));
}

/// Captures with one source and shows the value as JSON, or the message of the failure.
fn captured(source: &str, body: &str, expected: Result<&str, &str>) {
    let request = request(&format!("capture: {{ v: {source} }}"));
    let found = with_answer(body.as_bytes(), |answer| request.captures[0].take(answer, &user()));
    let found = found.map(|value| serde_json::to_string(&value).unwrap());
    assert_eq!(found.as_deref().map_err(String::as_str), expected, "{source}");
}

#[test]
fn values_are_captured_with_their_types() {
    captured("token", BODY, Ok("\"t-1\""));
    captured("{ json: 'items[1].id' }", BODY, Ok("8"));
    captured("{ json: items }", BODY, Ok(r#"[{"id":7},{"id":8}]"#));
    captured("note", BODY, Ok("null"));
    captured("$", "[1]", Ok("[1]"));
    captured("{ header: Location }", BODY, Ok("\"/orders/17\""));
    captured("{ cookie: session }", BODY, Ok("\"s-9\""));
}

#[test]
fn the_first_group_is_captured_unless_another_is_named() {
    let page = "<input name=csrf value=abc> <input name=page value=2>";
    captured("{ regex: 'name=csrf value=(\\w+)' }", page, Ok("\"abc\""));
    captured("{ regex: 'value=\\w+' }", page, Ok("\"value=abc\""));
    captured("{ regex: '(name)=(\\w+)', group: 2 }", page, Ok("\"csrf\""));
    captured("{ regex: '(name)=(\\w+)', group: 0 }", page, Ok("\"name=csrf\""));
    captured("{ regex: 'name=page value=(?P<page>\\d)', group: page }", page, Ok("\"2\""));
}

#[test]
fn what_is_not_there_fails_unless_there_is_a_default() {
    captured("tokn", BODY, Err("failed to capture `v`: nothing at JSON path tokn"));
    captured("token", "<html>", Err("failed to capture `v`: nothing at JSON path token"));
    captured("{ regex: 'x(y)?' }", "x", Err("failed to capture `v`: no match of /x(y)?/ in the body"));
    captured("{ header: ETag }", BODY, Err("failed to capture `v`: no header ETag"));
    captured("{ cookie: csrf }", BODY, Err("failed to capture `v`: no cookie csrf"));
    captured("{ json: tokn, default: none yet }", BODY, Ok("\"none yet\""));
    captured("{ json: tokn, default: null }", BODY, Ok("null"));
    captured("{ json: tokn, default: '{{ 2 + 3 }}' }", BODY, Ok("5"));
}
