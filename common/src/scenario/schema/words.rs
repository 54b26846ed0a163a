//! The words of which a schema is made: mappings, texts, numbers and lists, as JSON Schema writes them.

use serde_json::{Map, Value as Json, json};

pub(super) fn refers(name: &str) -> Json {
    json!({ "$ref": format!("#/definitions/{name}") })
}

pub(super) fn text(description: &str) -> Json {
    json!({ "type": "string", "description": description })
}

pub(super) fn boolean(description: &str) -> Json {
    json!({ "type": "boolean", "description": description })
}

pub(super) fn integer(description: &str, least: u32) -> Json {
    json!({ "type": "integer", "minimum": least, "description": description })
}

pub(super) fn number(description: &str, least: u32) -> Json {
    json!({ "type": "number", "minimum": least, "description": description })
}

pub(super) fn list_or_one(item: Json) -> Json {
    let mut list = json!({ "type": "array" });
    list["items"] = item.clone();
    Json::Object(object([("anyOf", Json::Array(vec![item, list]))]))
}

/// A mapping from any names to values of one kind.
pub(super) fn named(description: &str, value: Json) -> Json {
    let mut mapping = json!({ "type": "object", "description": description });
    mapping["additionalProperties"] = value;
    mapping
}

pub(super) fn at_least_one(mut mapping: Json) -> Json {
    mapping["minProperties"] = json!(1);
    mapping
}

pub(super) fn at_least_one_item(mut list: Json) -> Json {
    list["minItems"] = json!(1);
    list
}

pub(super) fn object<'k>(properties: impl IntoIterator<Item = (&'k str, Json)>) -> Map<String, Json> {
    properties.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// A mapping with these keys only.
pub(super) fn mapping<'k>(
    description: &str,
    required: &[&str],
    properties: impl IntoIterator<Item = (&'k str, Json)>,
) -> Json {
    json!({
        "description": description,
        "type": "object",
        "properties": object(properties),
        "required": required,
        "additionalProperties": false,
    })
}

/// A step with this verb.
pub(super) fn verb<'k>(
    verb: &'k str,
    description: &str,
    value: Json,
    beside: &[&'k str],
    others: impl IntoIterator<Item = (&'k str, Json)>,
) -> Json {
    let required: Vec<&str> = [verb].into_iter().chain(beside.iter().copied()).collect();
    mapping(description, &required, [(verb, value)].into_iter().chain(others))
}
