//! Parses and validates the bodies of prediction requests.
//!
//! The routes call [`parse_one`] and [`parse_batch`]. A valid body is read in a single pass into fixed
//! arrays, without an intermediate tree; everything wrong with an invalid one is collected on the way.
//! You will never find HTTP here.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::json::{Any, FromAny};
use crate::refusal::{BatchProblems, ElementProblem, Invalid, Names, Problems, Refusal};

/// How many features, V1 to V28, a transaction has.
pub(crate) const FEATURES: usize = 28;

/// One card payment, as far as the model looks at it: `time` is required and checked, but not kept.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Transaction {
    /// Not negative.
    pub(crate) amount: f64,
    /// V1 to V28, all finite.
    pub(crate) features: [f64; FEATURES],
}

/// The transaction that is the whole body.
pub(crate) fn parse_one(body: &[u8]) -> Result<Transaction, Refusal> {
    parse::<Element>(body)?.0.map_err(|problem| match problem {
        ElementProblem::Fields(problems) => Refusal::Transaction(problems),
        ElementProblem::NotAnObject { reason } => Refusal::Shape(format!("the body {reason}")),
    })
}

/// The transactions of a body that is an array or `{"transactions": [...]}`; never an empty list.
pub(crate) fn parse_batch(body: &[u8]) -> Result<Vec<Transaction>, Refusal> {
    let transactions = parse::<Batch>(body)?.0?;
    if transactions.is_empty() {
        return Err(Refusal::Shape("the batch is empty, send at least one transaction".to_owned()));
    }
    Ok(transactions)
}

fn parse<'de, T: FromAny<'de>>(body: &'de [u8]) -> Result<T, Refusal> {
    match serde_json::from_slice::<Any<T>>(body) {
        Ok(Any(value)) => Ok(value),
        Err(_) if body.is_empty() => Err(Refusal::Shape("the body is empty, send JSON".to_owned())),
        Err(error) => Err(Refusal::Shape(malformed(body, &error))),
    }
}

/// The parser's message with the text around the place: a NaN is easier found by its field than by its
/// column.
fn malformed(body: &[u8], error: &serde_json::Error) -> String {
    const CONTEXT_BYTES: usize = 20;
    let lines_before = error.line().saturating_sub(1);
    let line = body.split(|&byte| byte == b'\n').nth(lines_before).unwrap_or_default();
    let at = error.column().min(line.len());
    let context = &line[at.saturating_sub(CONTEXT_BYTES)..line.len().min(at + CONTEXT_BYTES)];
    format!("malformed JSON: {error}, near `{}`", String::from_utf8_lossy(context))
}

/// One element of a batch, or the only one.
struct Element(Result<Transaction, ElementProblem>);

impl<'de> FromAny<'de> for Element {
    fn other(kind: &'static str) -> Element {
        Element(Err(ElementProblem::NotAnObject { reason: format!("is {kind}, not a transaction object") }))
    }

    fn map<A: MapAccess<'de>>(mut map: A) -> Result<Element, A::Error> {
        let mut draft = Draft::default();
        while let Some(key) = map.next_key::<Key>()? {
            match key {
                Key::Slot(slot) => draft.set(slot, map.next_value::<Any<Number>>()?.0),
                Key::Unknown(name) => {
                    map.next_value::<IgnoredAny>()?;
                    draft.problems().unknown.note(&name);
                }
            }
        }
        Ok(Element(draft.finish()))
    }
}

/// The body of `/batch_predict`.
struct Batch(Result<Vec<Transaction>, Refusal>);

impl<'de> FromAny<'de> for Batch {
    fn other(kind: &'static str) -> Batch {
        Batch(Err(Refusal::Shape(format!(
            "the body must be an array of transactions or {{\"transactions\": [...]}}, it is {kind}"
        ))))
    }

    fn seq<A: SeqAccess<'de>>(seq: A) -> Result<Batch, A::Error> {
        List::seq(seq).map(|list| Batch(list.0))
    }

    fn map<A: MapAccess<'de>>(mut map: A) -> Result<Batch, A::Error> {
        let mut list = None;
        let mut unknown = Names::default();
        while let Some(key) = map.next_key::<String>()? {
            if key != "transactions" {
                map.next_value::<IgnoredAny>()?;
                unknown.note(&key);
            } else if list.is_none() {
                list = Some(map.next_value::<Any<List>>()?.0);
            } else {
                return Err(A::Error::custom("\"transactions\" appears more than once"));
            }
        }
        Ok(Batch(match list {
            Some(list) if unknown.is_empty() => list.0,
            Some(_) => Err(Refusal::Shape(format!("unknown fields beside \"transactions\": {unknown}"))),
            None if unknown.is_empty() => Err(Refusal::Shape("\"transactions\" is missing".to_owned())),
            None => Err(Refusal::Shape(format!("\"transactions\" is missing, unknown: {unknown}"))),
        }))
    }
}

/// The array within a batch.
struct List(Result<Vec<Transaction>, Refusal>);

impl<'de> FromAny<'de> for List {
    fn other(kind: &'static str) -> List {
        List(Err(Refusal::Shape(format!("\"transactions\" must be an array of transactions, it is {kind}"))))
    }

    fn seq<A: SeqAccess<'de>>(mut seq: A) -> Result<List, A::Error> {
        let mut transactions = Vec::new();
        let mut refused = BatchProblems::default();
        let mut index = 0;
        while let Some(Any(element)) = seq.next_element::<Any<Element>>()? {
            match element.0 {
                Ok(transaction) => transactions.push(transaction),
                Err(problem) => refused.note(index, problem),
            }
            index += 1;
        }
        Ok(List(if refused.is_empty() { Ok(transactions) } else { Err(Refusal::Batch(refused)) }))
    }
}

/// A transaction of which some fields have been read. Problems are allocated when the first one is found.
#[derive(Default)]
struct Draft {
    values: [f64; SLOTS],
    /// Bit n: the field of slot n has been read.
    seen: u32,
    /// Bit n: the field of slot n has been read more than once.
    repeated: u32,
    problems: Option<Box<Problems>>,
}

impl Draft {
    fn set(&mut self, slot: usize, number: Number) {
        let bit = 1 << slot;
        if self.seen & bit != 0 {
            // Noted as a bit rather than as text: a field may be repeated a hundred thousand times.
            self.repeated |= bit;
            return;
        }
        self.seen |= bit;
        match number.0 {
            Ok(value) if slot == AMOUNT && value < 0.0 => {
                self.invalid(slot, format!("must not be negative, it is {value}"));
            }
            Ok(value) => self.values[slot] = value,
            Err(kind) => self.invalid(slot, format!("must be a number, it is {kind}")),
        }
    }

    fn finish(mut self) -> Result<Transaction, ElementProblem> {
        if self.seen != ALL_SLOTS || self.repeated != 0 {
            self.note_missing_and_repeated();
        }
        if let Some(mut problems) = self.problems {
            problems.invalid.sort_by_key(|invalid| slot_of(invalid.field));
            return Err(ElementProblem::Fields(problems));
        }
        let mut features = [0.0; FEATURES];
        features.copy_from_slice(&self.values[SLOTS - FEATURES..]);
        Ok(Transaction { amount: self.values[AMOUNT], features })
    }

    fn note_missing_and_repeated(&mut self) {
        for (slot, &field) in FIELD_NAMES.iter().enumerate() {
            if self.seen & (1 << slot) == 0 {
                self.problems().missing.push(field);
            }
            if self.repeated & (1 << slot) != 0 {
                self.invalid(slot, "appears more than once".to_owned());
            }
        }
    }

    fn invalid(&mut self, slot: usize, reason: String) {
        self.problems().invalid.push(Invalid { field: FIELD_NAMES[slot], reason });
    }

    fn problems(&mut self) -> &mut Problems {
        self.problems.get_or_insert_default()
    }
}

const SLOTS: usize = FEATURES + 2;
const ALL_SLOTS: u32 = (1 << SLOTS) - 1;
const AMOUNT: usize = 1;

/// The field of each slot.
#[rustfmt::skip]
const FIELD_NAMES: [&str; SLOTS] = [
    "time", "amount",
    "V1", "V2", "V3", "V4", "V5", "V6", "V7", "V8", "V9", "V10", "V11", "V12", "V13", "V14",
    "V15", "V16", "V17", "V18", "V19", "V20", "V21", "V22", "V23", "V24", "V25", "V26", "V27", "V28",
];

/// The slot of each field, by arithmetic: this runs thirty times per transaction.
fn slot_of(field: &str) -> Option<usize> {
    let number = match field.as_bytes() {
        b"time" => return Some(0),
        b"amount" => return Some(AMOUNT),
        [b'V', units @ b'1'..=b'9'] => usize::from(units - b'0'),
        [b'V', tens @ b'1'..=b'2', units @ b'0'..=b'9'] => {
            usize::from(tens - b'0') * 10 + usize::from(units - b'0')
        }
        _ => return None,
    };
    (number <= FEATURES).then_some(AMOUNT + number)
}

/// A number, or else what the value is instead.
#[derive(Clone, Copy)]
struct Number(Result<f64, &'static str>);

impl FromAny<'_> for Number {
    fn other(kind: &'static str) -> Number {
        Number(Err(kind))
    }

    fn number(number: f64) -> Number {
        Number(Ok(number))
    }
}

/// The key of one field of a transaction.
enum Key {
    Slot(usize),
    Unknown(String),
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Key, D::Error> {
        struct KeyVisitor;

        impl Visitor<'_> for KeyVisitor {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a field name")
            }

            fn visit_str<E>(self, name: &str) -> Result<Key, E> {
                Ok(slot_of(name).map_or_else(|| Key::Unknown(name.to_owned()), Key::Slot))
            }
        }

        deserializer.deserialize_str(KeyVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A valid transaction in which V1 is 1, V2 is 2 and so on, with `extra` put in front of its fields.
    fn body(extra: &str) -> String {
        let features: Vec<String> = (1..=FEATURES).map(|n| format!("\"V{n}\":{n}")).collect();
        format!("{{{extra}\"time\":0,\"amount\":9.5,{}}}", features.join(","))
    }

    fn refusal_of_one(text: &str) -> String {
        match parse_one(text.as_bytes()) {
            Ok(transaction) => panic!("{text} was accepted as {transaction:?}"),
            Err(refusal) => error_text(&refusal),
        }
    }

    fn refusal_of_batch(text: &str) -> String {
        match parse_batch(text.as_bytes()) {
            Ok(transactions) => panic!("{text} was accepted as {transactions:?}"),
            Err(refusal) => error_text(&refusal),
        }
    }

    fn error_text(refusal: &Refusal) -> String {
        let json: serde_json::Value = serde_json::from_slice(&refusal.to_json()).unwrap();
        json["error"].as_str().unwrap().to_owned()
    }

    #[test]
    fn every_field_lands_in_its_own_slot() {
        for (slot, name) in FIELD_NAMES.into_iter().enumerate() {
            assert_eq!(slot_of(name), Some(slot), "{name}");
        }
        for stranger in ["", "V", "V0", "V01", "V29", "V30", "V1 ", "V123", "v1", "Time", "Amount", "Class"] {
            assert_eq!(slot_of(stranger), None, "{stranger:?}");
        }
        let transaction = parse_one(body("").as_bytes()).unwrap();
        assert_eq!(transaction.amount, 9.5);
        assert_eq!(transaction.features, std::array::from_fn(|n| (n + 1) as f64));
    }

    #[test]
    fn numbers_may_be_written_in_every_json_way() {
        let check = |text: &str, expected: f64| {
            let body = body("").replace("\"V3\":3", &format!("\"V3\" : {text} "));
            assert_eq!(parse_one(body.as_bytes()).unwrap().features[2], expected, "{text}");
        };
        check("-7", -7.0);
        check("2.5e-3", 0.0025);
        check("-0.0", 0.0);
        check("18446744073709551616", 18_446_744_073_709_551_616.0);
    }

    #[test]
    fn everything_wrong_with_a_transaction_is_named_at_once() {
        let check = |text: &str, expected: &str| assert_eq!(refusal_of_one(text), expected, "{text}");
        let without = |field: &str| body("").replace(field, "\"time\":0").replacen("\"time\":0,", "", 1);
        check(&without("\"V3\":3"), "invalid transaction: missing V3");
        check(&body("\"Class\":1,\"v1\":[{}],"), "invalid transaction: unknown Class, v1");
        check(
            &body("").replace("9.5", "-3.5"),
            "invalid transaction: amount must not be negative, it is -3.5",
        );
        check(&body("\"V2\":0,"), "invalid transaction: V2 appears more than once");
        check(
            &body("").replace("\"V28\":28", "\"V29\":29").replace(":9.5", ":\"NaN\"").replace(":11", ":null"),
            "invalid transaction: missing V28; unknown V29; amount must be a number, it is a string; \
             V11 must be a number, it is null",
        );
        check(
            "{}",
            "invalid transaction: missing time, amount, V1, V2, V3, V4, V5, V6, V7, V8, V9, V10, V11, V12, V13, \
             V14, V15, V16, V17, V18, V19, V20, V21, V22, V23, V24, V25, V26, V27, V28",
        );
    }

    #[test]
    fn a_value_that_is_no_number_is_named_by_what_it_is() {
        let check = |value: &str, kind: &str| {
            let text = body("").replace("\"V5\":5", &format!("\"V5\":{value}"));
            let expected = format!("invalid transaction: V5 must be a number, it is {kind}");
            assert_eq!(refusal_of_one(&text), expected);
        };
        check("true", "a boolean");
        check("null", "null");
        check("\"5\"", "a string");
        check("[5, [6]]", "an array");
        check("{\"V5\": {\"a\": 5}}", "an object");
    }

    #[test]
    fn malformed_json_is_refused_with_the_place() {
        let check = |text: &str, expected: &str| assert_eq!(refusal_of_one(text), expected, "{text}");
        check("", "the body is empty, send JSON");
        check("[]", "the body is an array, not a transaction object");
        check("\"V1\"", "the body is a string, not a transaction object");
        check(
            "{\"time\": 1,\n \"V1\": NaN}",
            "malformed JSON: expected value at line 2 column 8, near ` \"V1\": NaN}`",
        );
        check(
            "{\"V1\": 1e999}",
            "malformed JSON: number out of range at line 1 column 12, near `{\"V1\": 1e999}`",
        );
        for broken in ["{", "{\"time\":1", "nonsense", "{\"time\":-Infinity}", "{'time':1}", "\u{1}"] {
            assert!(refusal_of_one(broken).starts_with("malformed JSON: "), "{broken}");
        }
        let trailing = refusal_of_one(&format!("{} {{}}", body("")));
        assert!(trailing.starts_with("malformed JSON: trailing characters"), "{trailing}");
        let not_utf8 = parse_one(b"{\"V1\xff\":1}").map_err(|refusal| error_text(&refusal)).unwrap_err();
        assert!(not_utf8.starts_with("malformed JSON: invalid unicode"), "{not_utf8}");
    }

    #[test]
    fn a_batch_is_an_array_with_or_without_a_name() {
        let check = |text: &str, expected: usize| {
            assert_eq!(parse_batch(text.as_bytes()).unwrap().len(), expected, "{text}");
        };
        let one = body("");
        check(&format!("[{one}]"), 1);
        check(&format!("[{one},{one},{one}]"), 3);
        check(&format!("{{\"transactions\": [{one},{one}]}}"), 2);
    }

    #[test]
    fn a_batch_names_each_invalid_transaction_by_its_index() {
        let check = |text: &str, expected: &str| assert_eq!(refusal_of_batch(text), expected, "{text}");
        let one = body("");
        let bad = body("\"Class\":0,").replace("\"V3\":3,", "");
        check(
            &format!("[{one},{bad},{one},7]"),
            "invalid transactions: index 1: missing V3; unknown Class. index 3: is a number, \
             not a transaction object",
        );
        check(
            &format!("{{\"transactions\":[{bad}]}}"),
            "invalid transactions: index 0: missing V3; unknown Class",
        );
    }

    #[test]
    fn a_batch_of_another_shape_is_refused() {
        let check = |text: &str, expected: &str| assert_eq!(refusal_of_batch(text), expected, "{text}");
        check("[]", "the batch is empty, send at least one transaction");
        check("{\"transactions\":[]}", "the batch is empty, send at least one transaction");
        check("7", "the body must be an array of transactions or {\"transactions\": [...]}, it is a number");
        check("{\"transactions\":{}}", "\"transactions\" must be an array of transactions, it is an object");
        check("{}", "\"transactions\" is missing");
        check("{\"time\":1,\"V1\":2}", "\"transactions\" is missing, unknown: time, V1");
        check("{\"transactions\":[],\"a\":1}", "unknown fields beside \"transactions\": a");
        assert!(
            refusal_of_batch("{\"transactions\":[],\"transactions\":[]}").contains("appears more than once")
        );
    }
}
