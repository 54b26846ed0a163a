//! What the dry run shows of a request and its answer.

use std::fmt::Write as _;

use http::HeaderMap;
use sentinel_worker::exchange::Exchange;

use super::printable;

/// The longest body that is shown, in characters.
const BODY_CHARS_MAX: usize = 2_000;

/// The line above the requests of a task or hook.
pub fn task_heading(class: &str, what: &str) -> String {
    format!("\n=== {class}: {}\n", printable(what))
}

/// A request, its answer, and the verdict on it. Secrets stay out.
pub fn exchange_text(exchange: &Exchange<'_>) -> String {
    let request = exchange.request;
    let mut text = format!("\n> {} {}\n", request.method, printable(&request.url));
    append_headers(&mut text, '>', &request.headers);
    append_body(&mut text, '>', request.body.as_deref().unwrap_or_default());
    let millis = exchange.response_time.as_secs_f64() * 1e3;
    // Writing to a string cannot fail.
    let _ = match &exchange.outcome {
        Ok(response) => {
            let bytes = response.body.len();
            let line = writeln!(text, "< {} in {millis:.1} ms, {bytes} bytes", response.status);
            append_headers(&mut text, '<', &response.headers);
            append_body(&mut text, '<', &response.body);
            line
        }
        Err(_) => writeln!(text, "< no answer after {millis:.1} ms"),
    };
    let name = printable(exchange.name);
    let _ = match exchange.failure {
        Some(failure) => writeln!(text, "FAILED {name}: {}", printable(failure)),
        None => writeln!(text, "passed {name}"),
    };
    text
}

fn append_headers(text: &mut String, mark: char, headers: &HeaderMap) {
    for (name, value) in headers {
        let shown = match value.is_sensitive() {
            true => "(not shown)".into(),
            false => String::from_utf8_lossy(value.as_bytes()),
        };
        let _ = writeln!(text, "{mark} {name}: {}", printable(&shown));
    }
}

fn append_body(text: &mut String, mark: char, body: &[u8]) {
    if body.is_empty() {
        return;
    }
    let _ = writeln!(text, "{mark}");
    let Ok(body) = std::str::from_utf8(body) else {
        let _ = writeln!(text, "{mark} ({} bytes that are no text)", body.len());
        return;
    };
    let shown: String = body.chars().take(BODY_CHARS_MAX).collect();
    for line in shown.lines() {
        let _ = writeln!(text, "{mark} {}", printable(line));
    }
    if shown.len() < body.len() {
        let _ = writeln!(text, "{mark} ... ({} bytes in all)", body.len());
    }
}
