//! The grammar of `.conf` files, which is that of Locust's: one `key = value` a line. Pure: text in, settings out.

use super::setting::{Mistake, Setting, Value};

/// Reads the `text` of a file that people call `name`.
///
/// ```text
/// # a comment, as are lines that begin with ; [ or ---
/// users = 100            also `users: 100`, `users 100`, `--users 100`
/// headless               the same as `headless = true`
/// tags = [fast, cheap]   a list; what is in it may also be JSON
/// host = "http://a"      quotes may stand around a value; ` #` and ` ;` behind one begin a comment
/// ```
///
/// # Errors
/// A line without a key.
pub fn parse(name: &str, text: &str) -> Result<Vec<Setting>, Mistake> {
    let mut settings = Vec::new();
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';', '[']) || line.starts_with("---") {
            continue;
        }
        let place = format!("{name}:{}", index + 1);
        let (key, value) = split(line)
            .ok_or_else(|| Mistake::new(&place, format!("expected `key = value`, found `{line}`")))?;
        settings.push(Setting { place, key: key.to_owned(), value: read_value(value) });
    }
    Ok(settings)
}

/// The key of a line and what stands behind it. A bare key means that it is so.
fn split(line: &str) -> Option<(&str, &str)> {
    let end = line.find(|c: char| c.is_whitespace() || ":=;#".contains(c)).unwrap_or(line.len());
    let (key, rest) = line.split_at(end);
    if key.is_empty() {
        return None;
    }
    if rest.is_empty() {
        return Some((key, "true"));
    }
    let behind = rest.trim_start();
    match behind.strip_prefix([':', '=']) {
        Some(value) => Some((key, without_comment(value.trim_start()))),
        None if behind.len() < rest.len() => Some((key, without_comment(behind))),
        None => None,
    }
}

/// A value without its quotes and without a comment behind it.
fn without_comment(text: &str) -> &str {
    let mut chars = text.char_indices();
    let Some((_, first)) = chars.next() else { return text };
    if matches!(first, '"' | '\'')
        && let Some((end, _)) = chars.find(|(at, c)| *c == first && ends_at(&text[at + 1..]))
    {
        return &text[1..end];
    }
    let end = text.char_indices().skip(1).find(|(at, _)| ends_at(&text[*at..]));
    end.map_or(text, |(end, _)| &text[..end])
}

/// Whether only a comment comes now, or nothing.
fn ends_at(rest: &str) -> bool {
    let behind = rest.trim_start();
    behind.is_empty() || (behind.len() < rest.len() && behind.starts_with(['#', ';']))
}

fn read_value(text: &str) -> Value {
    match Value::list_in_brackets(text) {
        Some(list) => Value::List(list),
        None => Value::Text(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Locust 2.47 makes of a line, measured with its own parser.
    fn check(line: &str, expected: Option<(&str, &Value)>) {
        let found = parse("locust.conf", line).unwrap().pop();
        let found = found.as_ref().map(|setting| (setting.key.as_str(), &setting.value));
        assert_eq!(found, expected, "{line:?}");
    }

    fn text(line: &str, key: &str, value: &str) {
        check(line, Some((key, &Value::Text(value.to_owned()))));
    }

    fn list(line: &str, key: &str, values: &[&str]) {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        check(line, Some((key, &Value::List(values))));
    }

    #[test]
    fn keys_and_values_are_separated_in_several_ways() {
        for line in ["users = 3", "users: 3", "users 3", "users=3", "  users  =  3  "] {
            text(line, "users", "3");
        }
        text("--users = 3", "--users", "3");
        text("-u 3", "-u", "3");
        text("headless", "headless", "true");
        text("headless =", "headless", "");
        text("headless:", "headless", "");
        text("host = a = b", "host", "a = b");
        text("host: http://a: b", "host", "http://a: b");
        text("csv = x y", "csv", "x y");
    }

    #[test]
    fn quotes_and_comments_are_taken_off() {
        text("host = \"http://a\" ", "host", "http://a");
        text("host = 'http://a'", "host", "http://a");
        text("host = \"\"", "host", "");
        text("host = \"http://a", "host", "\"http://a");
        text("host = it's", "host", "it's");
        text("host = \"a # b\" # c", "host", "a # b");
        text("host = http://a # c", "host", "http://a");
        text("host = http://a ; c", "host", "http://a");
        text("host = http://a#c", "host", "http://a#c");
        text("host = http://a;c", "host", "http://a;c");
        text("host = # x", "host", "# x");
        text("host #x", "host", "#x");
        for line in ["# c", "; c", "[section]", "---", "--- x", ""] {
            check(line, None);
        }
    }

    #[test]
    fn lists_stand_in_brackets() {
        list("tags = [a, b]", "tags", &["a", "b"]);
        list("tags = [\"a\", \"b c\"]", "tags", &["a", "b c"]);
        list("tags = [1, 2]", "tags", &["1", "2"]);
        list("tags = []", "tags", &[]);
        list("config-users = [{\"weight\": 3}]", "config-users", &["{\"weight\":3}"]);
    }

    #[test]
    fn a_line_without_a_key_is_a_mistake_with_its_place() {
        for line in ["= 3", ": 3", "hos#t = 3"] {
            let error = parse("locust.conf", &format!("users = 3\n{line}")).unwrap_err();
            assert_eq!(error.to_string(), format!("locust.conf:2: expected `key = value`, found `{line}`"));
        }
    }
}
