//! Rows of data that users are fed with: where they stand, and how they are read.
//!
//! A scenario names its sources; the master reads their files and sends them along, and both sides read the rows with
//! [`DataSource::read`]. A row of a CSV file is a mapping of its columns to texts; a row of the other formats is
//! whatever JSON it holds.

use std::sync::Arc;

use minijinja::Value;
use minijinja::value::{Enumerator, Object, ObjectRepr};
use thiserror::Error;

/// The most rows of one source.
pub const ROWS_MAX: usize = 10_000_000;

/// A named source of rows.
#[derive(Clone, Debug)]
pub struct DataSource {
    /// Where the rows stand.
    pub origin: Origin,
    /// Who gets which row.
    pub order: RowOrder,
}

/// Where the rows of a source stand.
#[derive(Clone, Debug)]
pub enum Origin {
    /// In a file.
    File {
        /// Its name, relative to the scenario's.
        name: Arc<str>,
        /// How it is written.
        format: DataFormat,
    },
    /// In the scenario itself; at least one.
    Rows(Rows),
}

/// How a file of rows is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataFormat {
    /// RFC 4180 with a header row; the columns are separated by this byte.
    Csv {
        /// Usually a comma.
        delimiter: u8,
    },
    /// One JSON array.
    Json,
    /// One JSON value per line.
    JsonLines,
}

/// Who gets which row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RowOrder {
    /// One after the other, over and over. Every worker begins at another place.
    #[default]
    Circular,
    /// Any row, by the user's own random stream.
    Random,
    /// Every row once in the whole cluster; then there are none.
    Unique,
}

/// The rows of a source, cheap to clone.
#[derive(Clone, Debug)]
pub struct Rows(Arc<[Value]>);

/// Why the rows of a source cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DataError {
    /// The file was not handed over.
    #[error("{0} is missing")]
    Missing(Arc<str>),
    /// The file is not what its format says.
    #[error("{file}:{line}: {reason}")]
    Malformed {
        /// The file.
        file: Arc<str>,
        /// The line, from 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },
    /// The file has no rows.
    #[error("{0} has no rows")]
    Empty(Arc<str>),
    /// The file has too many rows.
    #[error("{file} has more than {max} rows", max = ROWS_MAX)]
    TooMany {
        /// The file.
        file: Arc<str>,
    },
}

impl DataFormat {
    /// The format that a file's name stands for.
    pub(super) fn of_file(name: &str) -> Option<Self> {
        match name.rsplit_once('.')?.1.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv { delimiter: b',' }),
            "tsv" => Some(Self::Csv { delimiter: b'\t' }),
            "json" => Some(Self::Json),
            "jsonl" | "ndjson" => Some(Self::JsonLines),
            _ => None,
        }
    }
}

impl DataSource {
    /// The file that the rows stand in, if they do.
    pub(super) fn file(&self) -> Option<&Arc<str>> {
        match &self.origin {
            Origin::File { name, .. } => Some(name),
            Origin::Rows(_) => None,
        }
    }

    /// Whether every row is used once in the whole cluster.
    pub fn is_unique(&self) -> bool {
        self.order == RowOrder::Unique
    }

    /// Reads the rows; `contents` gives the contents of a file by its name.
    ///
    /// # Errors
    /// The file is missing, or is not what its format says.
    pub fn read<'a>(&self, contents: impl FnOnce(&str) -> Option<&'a [u8]>) -> Result<Rows, DataError> {
        match &self.origin {
            Origin::Rows(rows) => Ok(rows.clone()),
            Origin::File { name, format } => {
                let bytes = contents(name).ok_or_else(|| DataError::Missing(name.clone()))?;
                // Editors on Windows put a byte order mark first.
                let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
                let rows = match format {
                    DataFormat::Csv { delimiter } => csv_rows(name, bytes, *delimiter),
                    DataFormat::Json => json_rows(name, bytes),
                    DataFormat::JsonLines => json_line_rows(name, bytes),
                }?;
                if rows.is_empty() {
                    return Err(DataError::Empty(name.clone()));
                }
                Ok(Rows(rows.into()))
            }
        }
    }
}

impl Rows {
    /// These rows.
    pub(super) fn new(rows: Vec<Value>) -> Self {
        Self(rows.into())
    }

    /// How many there are; at least one.
    pub fn count(&self) -> u64 {
        self.0.len() as u64
    }

    /// The row of this number, from 0, counted on from the first after the last.
    pub fn get(&self, number: u64) -> Value {
        let index = usize::try_from(number % self.count()).unwrap_or(0);
        self.0[index].clone()
    }
}

fn malformed(file: &Arc<str>, line: u64, reason: &dyn ToString) -> DataError {
    DataError::Malformed { file: file.clone(), line, reason: reason.to_string() }
}

fn csv_rows(file: &Arc<str>, bytes: &[u8], delimiter: u8) -> Result<Vec<Value>, DataError> {
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter).trim(csv::Trim::Headers).from_reader(bytes);
    let columns = reader.headers().map_err(|error| csv_error(file, &error))?.clone();
    if let Some(column) = columns
        .iter()
        .enumerate()
        .find(|(index, name)| columns.iter().take(*index).any(|other| other == *name))
    {
        return Err(malformed(file, 1, &format!("column `{}` is there twice", column.1)));
    }
    let columns: Arc<[Arc<str>]> = columns.iter().map(Arc::from).collect();
    let mut rows = Vec::new();
    for record in reader.into_records() {
        let record = record.map_err(|error| csv_error(file, &error))?;
        if rows.len() == ROWS_MAX {
            return Err(DataError::TooMany { file: file.clone() });
        }
        rows.push(Value::from_object(CsvRow { columns: columns.clone(), record }));
    }
    Ok(rows)
}

fn csv_error(file: &Arc<str>, error: &csv::Error) -> DataError {
    let line = error.position().map_or(1, csv::Position::line);
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            malformed(file, line, &format!("expected {expected_len} columns as in the header, found {len}"))
        }
        csv::ErrorKind::Utf8 { .. } => malformed(file, line, &"not UTF-8"),
        _ => malformed(file, line, error),
    }
}

fn json_rows(file: &Arc<str>, bytes: &[u8]) -> Result<Vec<Value>, DataError> {
    let rows: Vec<Value> =
        serde_json::from_slice(bytes).map_err(|error| malformed(file, error.line() as u64, &error))?;
    match rows.len() > ROWS_MAX {
        true => Err(DataError::TooMany { file: file.clone() }),
        false => Ok(rows),
    }
}

fn json_line_rows(file: &Arc<str>, bytes: &[u8]) -> Result<Vec<Value>, DataError> {
    let mut rows = Vec::new();
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        if rows.len() == ROWS_MAX {
            return Err(DataError::TooMany { file: file.clone() });
        }
        rows.push(serde_json::from_slice(line).map_err(|error| malformed(file, index as u64 + 1, &error))?);
    }
    Ok(rows)
}

/// A row of a CSV file. It keeps the record as it was read, which takes far less memory than a map.
#[derive(Debug)]
struct CsvRow {
    columns: Arc<[Arc<str>]>,
    record: csv::StringRecord,
}

impl Object for CsvRow {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let key = key.as_str()?;
        let index = self.columns.iter().position(|column| &**column == key)?;
        self.record.get(index).map(Value::from)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.columns.iter().map(|column| Value::from(column.clone())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a file and shows its rows as JSON, or what is wrong with it.
    fn check(name: &str, text: &str, expected: &str) {
        let format = DataFormat::of_file(name).unwrap();
        let source =
            DataSource { origin: Origin::File { name: name.into(), format }, order: RowOrder::Circular };
        let shown = match source.read(|_| Some(text.as_bytes())) {
            Ok(rows) => serde_json::to_string(&rows.0).unwrap(),
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expected, "{name}: {text}");
    }

    #[test]
    fn rows_of_csv_files_are_mappings_of_texts() {
        check(
            "a.csv",
            "name,age\nann,7\n\"o, b\",\"1\"\"2\"\n",
            r#"[{"name":"ann","age":"7"},{"name":"o, b","age":"1\"2"}]"#,
        );
        check("a.csv", "\u{feff}name\r\nann\r\n", r#"[{"name":"ann"}]"#);
        check("a.tsv", "a\tb\n1,5\t2\n", r#"[{"a":"1,5","b":"2"}]"#);
    }

    #[test]
    fn rows_of_json_files_are_what_they_are() {
        check("a.json", r#"[1, {"b": [true]}]"#, r#"[1,{"b":[true]}]"#);
        check("a.jsonl", "{\"b\": 1}\n\n\"x\"\n", r#"[{"b":1},"x"]"#);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        check("a.csv", "a,b\n1,2\n3\n", "a.csv:3: expected 2 columns as in the header, found 1");
        check("a.csv", "a,a\n1,2\n", "a.csv:1: column `a` is there twice");
        check("a.csv", "a,b\n", "a.csv has no rows");
        check("a.json", "[\n1,\n", "a.json:3: EOF while parsing a value at line 3 column 0");
        check("a.json", "{}", "a.json:1: invalid type: map, expected a sequence at line 1 column 0");
        check("a.jsonl", "1\n{\n", "a.jsonl:2: EOF while parsing an object at line 1 column 1");
    }

    #[test]
    fn inline_rows_are_what_the_scenario_says() {
        let text = "data: { d: { rows: [{ name: ann, age: 7 }, [1, true], null, 2.5] } }\n\
                    users: { A: { tasks: [{ name: t, steps: [{ get: / }] }] } }";
        let scenario = crate::scenario::Scenario::load("f", text).unwrap();
        let rows = scenario.data["d"].read(|_| None).unwrap();
        let expected = serde_json::json!([{ "name": "ann", "age": 7 }, [1, true], null, 2.5]);
        assert_eq!(serde_json::to_value(&rows.0).unwrap(), expected);
    }

    #[test]
    fn numbers_beyond_the_last_row_begin_again() {
        let rows = Rows::new(vec![Value::from(10), Value::from(11), Value::from(12)]);
        let found: Vec<i64> = (0..7).map(|number| i64::try_from(rows.get(number)).unwrap()).collect();
        assert_eq!(found, [10, 11, 12, 10, 11, 12, 10]);
    }
}
