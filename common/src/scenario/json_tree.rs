//! Reads trees of YAML as JSON documents with templates in them.

use saphyr::Scalar;

use super::compile::Names;
use super::decode::Decoder;
use super::document::{Content, Node, ScalarNode};
use super::json::{JsonBuilder, JsonTemplate, REPEAT_MAX};
use super::template::Template;

/// Compiles a tree to a JSON document. After a mistake the result is some document; its note keeps it from use.
pub(super) fn json_template<'t>(decoder: &mut Decoder<'t>, node: &Node<'t>, names: &Names) -> JsonTemplate {
    let mut builder = JsonBuilder::default();
    json_into(decoder, &mut builder, node, names);
    builder.build()
}

/// Appends a tree. Recursion is bounded by the depth of the document.
fn json_into<'t>(decoder: &mut Decoder<'t>, builder: &mut JsonBuilder, node: &Node<'t>, names: &Names) {
    match &*node.content {
        Content::Scalar(scalar) => json_scalar(decoder, builder, node, scalar, names),
        Content::List(items) => {
            builder.raw("[");
            for (index, item) in items.iter().enumerate() {
                builder.raw(if index == 0 { "" } else { "," });
                json_into(decoder, builder, item, names);
            }
            builder.raw("]");
        }
        Content::Map(entries) if entries.iter().any(|entry| matches!(&*entry.key, "$repeat" | "$item")) => {
            repeat(decoder, builder, node, names);
        }
        Content::Map(entries) => {
            builder.raw("{");
            for (index, entry) in entries.iter().enumerate() {
                builder.raw(if index == 0 { "" } else { "," });
                builder.string(&entry.key);
                builder.raw(":");
                json_into(decoder, builder, &entry.value, names);
            }
            builder.raw("}");
        }
    }
}

fn json_scalar<'t>(
    decoder: &mut Decoder<'t>,
    builder: &mut JsonBuilder,
    node: &Node<'t>,
    scalar: &ScalarNode<'t>,
    names: &Names,
) {
    match &scalar.value {
        Scalar::Null => builder.raw("null"),
        Scalar::Boolean(value) => builder.raw(if *value { "true" } else { "false" }),
        Scalar::Integer(value) => builder.raw(&value.to_string()),
        // YAML reads integers beyond 63 bits as floats, which would change their digits.
        Scalar::FloatingPoint(_) if scalar.text.parse::<u64>().is_ok() => builder.raw(&scalar.text),
        Scalar::FloatingPoint(value) if value.is_finite() => {
            builder.value(Template::constant(&scalar.text, value.into_inner().into()));
        }
        Scalar::FloatingPoint(_) => decoder.note(node.at, "JSON has no NaN and no infinity"),
        Scalar::String(_) => {
            if let Some(template) = decoder.compile(scalar, names) {
                builder.value(template);
            }
        }
    }
}

/// Appends `{ $repeat: count, $item: tree }` as an array.
fn repeat<'t>(decoder: &mut Decoder<'t>, builder: &mut JsonBuilder, node: &Node<'t>, names: &Names) {
    let Some(fields) = decoder.fields(node, "a repetition", &["$repeat", "$item"]) else { return };
    let (Some(count), Some(item)) = (fields.get("$repeat"), fields.get("$item")) else {
        decoder.note(node.at, "`$repeat` and `$item` belong together");
        return;
    };
    let template = match &*count.content {
        Content::Scalar(ScalarNode { value: Scalar::Integer(_), .. }) => decoder
            .integer(count, "`$repeat`", 0, REPEAT_MAX)
            .map(|number| Template::constant(&number.to_string(), number.into())),
        _ => decoder.text(count, "`$repeat`").and_then(|_| decoder.template(count, "`$repeat`", names)),
    };
    let item = json_template(decoder, item, names);
    match template {
        Some(template)
            if template.as_constant().is_some()
                && template.as_constant_value().is_some_and(|value| !value.is_number()) =>
        {
            decoder.note(
                count.at,
                format!("`$repeat` needs a whole number, found text `{}`", template.source()),
            );
        }
        Some(template) => builder.repeat(template, item),
        None => {}
    }
}
