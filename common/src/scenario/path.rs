//! Paths into a JSON document: `predictions[0].is_fraud`, `predictions.0.is_fraud`, or `$` for the document itself.

use std::fmt;

use serde_json::Value as Json;

/// A parsed path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct JsonPath {
    source: String,
    segments: Vec<Segment>,
}

/// One step into the document. A number without brackets means an index in an array and a key in an object.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Key(String),
    Index(usize),
    Either(String, usize),
}

impl JsonPath {
    /// Parses a path; the error says what is wrong with it.
    pub(super) fn parse(source: &str) -> Result<Self, String> {
        let broken = |reason: &str| format!("`{source}` is not a JSON path: {reason}");
        let mut segments = Vec::new();
        let mut rest = source.strip_prefix('$').unwrap_or(source);
        let mut at_start = rest.len() == source.len();
        if at_start && rest.is_empty() {
            return Err(broken("it is empty"));
        }
        while !rest.is_empty() {
            if let Some(inside) = rest.strip_prefix('[') {
                let (digits, after) = inside.split_once(']').ok_or_else(|| broken("`[` without `]`"))?;
                let index = digits.parse().map_err(|_| broken("between `[` and `]` stands an index"))?;
                segments.push(Segment::Index(index));
                rest = after;
            } else {
                rest = match rest.strip_prefix('.') {
                    Some(after) if !at_start => after,
                    None if at_start => rest,
                    _ => return Err(broken("write `a.b[0].c`")),
                };
                let end = rest.find(['.', '[']).unwrap_or(rest.len());
                let (key, after) = rest.split_at(end);
                if key.is_empty() {
                    return Err(broken("a name is missing"));
                }
                segments.push(match key.parse() {
                    Ok(index) => Segment::Either(key.to_owned(), index),
                    Err(_) => Segment::Key(key.to_owned()),
                });
                rest = after;
            }
            at_start = false;
        }
        Ok(Self { source: source.to_owned(), segments })
    }

    /// What stands at this path of `document`. JSON null is a value and not absence.
    pub(super) fn find<'d>(&self, document: &'d Json) -> Option<&'d Json> {
        self.segments.iter().try_fold(document, |value, segment| match (segment, value) {
            (Segment::Key(key) | Segment::Either(key, _), Json::Object(fields)) => fields.get(key),
            (Segment::Index(index) | Segment::Either(_, index), Json::Array(items)) => items.get(*index),
            _ => None,
        })
    }
}

impl fmt::Display for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_find_values_by_name_and_index() {
        let document = json!({"a": {"0": "key", "b": [[1], {"c": null}]}});
        let check = |path: &str, expected: Option<Json>| {
            let found = JsonPath::parse(path).map(|path| path.find(&document).cloned());
            assert_eq!(found, Ok(expected), "{path}");
        };
        check("a.0", Some(json!("key")));
        check("a.b.0.0", Some(json!(1)));
        check("a.b[0][0]", Some(json!(1)));
        check("$.a.b[1].c", Some(Json::Null));
        check("$", Some(document.clone()));
        check("a[0]", None);
        check("a.b.2", None);
        check("a.b.c", None);
        check("a.b[0][0].d", None);
    }

    #[test]
    fn broken_paths_say_what_is_wrong() {
        let check = |path: &str, reason: &str| {
            assert_eq!(JsonPath::parse(path), Err(format!("`{path}` is not a JSON path: {reason}")));
        };
        check("", "it is empty");
        check(".a", "write `a.b[0].c`");
        check("a..b", "a name is missing");
        check("a.", "a name is missing");
        check("a[", "`[` without `]`");
        check("a[x]", "between `[` and `]` stands an index");
        check("a[0]b", "write `a.b[0].c`");
        check("$a", "write `a.b[0].c`");
    }
}
