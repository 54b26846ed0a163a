//! Text as Python prints it in source code, because Locust's keys of errors are made from that.

use std::fmt::Write as _;

/// What Python's `repr` makes of a string: in single quotes, unless it contains some and no double ones.
///
/// Characters that cannot be printed are escaped, by the rule that Python and Rust share: all control, format,
/// unassigned and private characters, and all separators but the space. Which characters are assigned depends on the
/// version of Unicode, so for those that are younger than somebody's Python the two may differ. Surrogates, which a
/// Python string may hold, cannot be in a `str`.
pub fn python_repr(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut repr = String::with_capacity(text.len() + 2);
    repr.push(quote);
    for character in text.chars() {
        push(&mut repr, character, quote);
    }
    repr.push(quote);
    repr
}

fn push(repr: &mut String, character: char, quote: char) {
    match character {
        '\n' => repr.push_str("\\n"),
        '\r' => repr.push_str("\\r"),
        '\t' => repr.push_str("\\t"),
        '\\' => repr.push_str("\\\\"),
        _ if character == quote => repr.extend(['\\', quote]),
        ' '..='~' => repr.push(character),
        _ if is_printable(character) => repr.push(character),
        _ => push_code(repr, u32::from(character)),
    }
}

fn push_code(repr: &mut String, code: u32) {
    let written = match code {
        0..=0xff => write!(repr, "\\x{code:02x}"),
        0x100..=0xffff => write!(repr, "\\u{code:04x}"),
        _ => write!(repr, "\\U{code:08x}"),
    };
    debug_assert!(written.is_ok(), "writing to a string does not fail");
}

/// Whether the standard library prints a character beyond ASCII as it is. Combining characters are not printed at the
/// beginning of a text, only after another, so one goes before.
fn is_printable(character: char) -> bool {
    let mut after_another = String::from('a');
    after_another.push(character);
    after_another.escape_debug().eq(after_another.chars())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(python_repr(text), expected);
    }

    #[test]
    fn quotes_are_chosen_as_in_python() {
        check("", "''");
        check("plain", "'plain'");
        check("it's", r#""it's""#);
        check(r#"say "no""#, r#"'say "no"'"#);
        check(r#"it's "no""#, r#"'it\'s "no"'"#);
    }

    #[test]
    fn escapes_are_those_of_python() {
        check("a\\b\n\r\t", r"'a\\b\n\r\t'");
        check("\0\u{1b}\u{7f}\u{80}\u{a0}\u{ad}", r"'\x00\x1b\x7f\x80\xa0\xad'");
        check("\u{2028}\u{200b}\u{3000}\u{feff}\u{e000}", r"'\u2028\u200b\u3000\ufeff\ue000'");
        check("\u{10ffff}\u{e0001}", r"'\U0010ffff\U000e0001'");
    }

    #[test]
    fn printable_text_of_any_language_stays() {
        for text in ["grün", "日本語", "e\u{301}", "\u{301}", "😀", "½", "\u{fe0f}"] {
            check(text, &format!("'{text}'"));
        }
    }
}
