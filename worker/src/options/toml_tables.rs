//! What `pyproject.toml`, and any other TOML file, says: its tables `[tool.locust]` and `[tool.sentinel]`.

use std::borrow::Cow;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::setting::{Mistake, Setting, Value};

/// What the tables of a file say.
#[derive(Debug, Default, PartialEq)]
pub struct Tables {
    /// `[tool.sentinel]`, which comes first.
    pub sentinel: Vec<Setting>,
    /// `[tool.locust]`.
    pub locust: Vec<Setting>,
}

/// Reads the `text` of a file that people call `name`. Other tables are the business of other tools.
///
/// # Errors
/// The file is no TOML, or an option is set to what no option can be.
pub fn parse(name: &str, text: &str) -> Result<Tables, Mistake> {
    let file = File { name, text };
    let document = DeTable::parse(text).map_err(|error| {
        Mistake::new(&file.place(error.span().unwrap_or_default()), format!("bad TOML: {}", error.message()))
    })?;
    let Some(tool) = document.get_ref().get("tool").and_then(|tool| tool.get_ref().as_table()) else {
        return Ok(Tables::default());
    };
    Ok(Tables { sentinel: file.table(tool, "sentinel")?, locust: file.table(tool, "locust")? })
}

/// A file, to tell places in it.
struct File<'a> {
    name: &'a str,
    text: &'a str,
}

impl File<'_> {
    fn table(&self, tool: &DeTable<'_>, name: &str) -> Result<Vec<Setting>, Mistake> {
        let Some(table) = tool.get(name) else { return Ok(Vec::new()) };
        let entries = table.get_ref().as_table().ok_or_else(|| {
            Mistake::new(&self.place(table.span()), format!("tool.{name} must be a table of options"))
        })?;
        let mut settings = Vec::new();
        for (key, value) in entries {
            let place = self.place(key.span());
            let value = read(value).ok_or_else(|| {
                Mistake::new(
                    &place,
                    format!("{} must be a text, a number, a boolean or a list", key.as_ref()),
                )
            })?;
            settings.push(Setting { place, key: key.get_ref().to_string(), value });
        }
        Ok(settings)
    }

    fn place(&self, span: Range<usize>) -> String {
        let before = self.text.as_bytes().get(..span.start).unwrap_or_default();
        format!("{}:{}", self.name, before.iter().filter(|byte| **byte == b'\n').count() + 1)
    }
}

/// A value as text; `None` for a table.
fn read(value: &Spanned<DeValue<'_>>) -> Option<Value> {
    match value.get_ref() {
        DeValue::Array(items) => {
            items.iter().map(|item| scalar(item.get_ref())).collect::<Option<_>>().map(Value::List)
        }
        value => scalar(value).map(Value::Text),
    }
}

fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(Cow::clone(text).into_owned()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Float(number) => Some(number.to_string()),
        DeValue::Boolean(truth) => Some(truth.to_string()),
        DeValue::Datetime(time) => Some(time.to_string()),
        DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_tools_are_read_with_their_places() {
        let text = "[project]\nname = 'x'\n[tool.locust]\nspawn-rate = 0.5\nheadless = true\n\
                    tags = ['a', 1]\n[tool.sentinel]\nseed = 7\n[tool.other]\nspan = {}\n";
        let tables = parse("pyproject.toml", text).unwrap();
        let flat = |settings: &[Setting]| {
            let mut lines: Vec<_> = settings
                .iter()
                .map(|setting| format!("{} {} {:?}", setting.place, setting.key, setting.value))
                .collect();
            lines.sort();
            lines
        };
        assert_eq!(
            flat(&tables.locust),
            [
                "pyproject.toml:4 spawn-rate Text(\"0.5\")",
                "pyproject.toml:5 headless Text(\"true\")",
                "pyproject.toml:6 tags List([\"a\", \"1\"])",
            ]
        );
        assert_eq!(flat(&tables.sentinel), ["pyproject.toml:8 seed Text(\"7\")"]);
        assert_eq!(parse("pyproject.toml", "[project]\nx = 1").unwrap(), Tables::default());
    }

    #[test]
    fn mistakes_are_told_with_their_places() {
        let check = |text: &str, expected: &str| {
            let error = parse("pyproject.toml", text).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        };
        check("x = 1\ny = [", "pyproject.toml:2: bad TOML: ");
        check("[tool]\nlocust = 3", "pyproject.toml:2: tool.locust must be a table");
        check("[tool.locust]\nusers = 1\n[tool.locust.x]\ny = 1", "pyproject.toml:3: x must be ");
    }
}
