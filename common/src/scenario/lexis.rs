//! The words of the template language: enough of its lexical grammar to find expressions in a text, to point at a
//! name, and to recognise calls with literal arguments.
//!
//! The template engine stays the judge of syntax; this module only reads what the engine accepted, and reads
//! anything without failing.

use std::ops::Range;

/// A token of an expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token<'a> {
    Name(&'a str),
    Integer(i64),
    Float(f64),
    Text(&'a str),
    Symbol(char),
}

/// A token and the byte at which it starts in the text that was searched.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Lexeme<'a> {
    pub(super) token: Token<'a>,
    pub(super) start: usize,
}

/// A part of a template's source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Plain text.
    Text(Range<usize>),
    /// What stands between `{{` and `}}`.
    Expression(Range<usize>),
    /// What stands between `{%` and `%}`.
    Statement(Range<usize>),
    /// A comment, or an expression with whitespace control: only the engine knows what becomes of it.
    Other(Range<usize>),
}

/// `{{` or `{%` without its end, which begins at this byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unclosed(pub(super) usize);

/// Splits a template's source into text and code.
pub(super) fn parts(source: &str) -> Result<Vec<Part>, Unclosed> {
    let mut parts = Vec::new();
    let mut at = 0;
    while let Some(open) = find_open(source, at) {
        if open > at {
            parts.push(Part::Text(at..open));
        }
        let inside = open + 2;
        let kind = source.as_bytes()[open + 1];
        let close = match kind {
            b'{' => find_close(source, inside, "}}"),
            b'%' => find_close(source, inside, "%}"),
            _ => source[inside..].find("#}").map(|length| inside + length),
        };
        let close = close.ok_or(Unclosed(open))?;
        let code = &source[inside..close];
        parts.push(match kind {
            b'{' if code.starts_with(['-', '+']) || code.ends_with('-') => Part::Other(inside..close),
            b'{' => Part::Expression(inside..close),
            b'%' => Part::Statement(inside..close),
            _ => Part::Other(inside..close),
        });
        at = close + 2;
    }
    if at < source.len() {
        parts.push(Part::Text(at..source.len()));
    }
    Ok(parts)
}

/// The tokens of the code at `range` of `source`.
pub(super) fn lexemes(source: &str, range: Range<usize>) -> Vec<Lexeme<'_>> {
    let mut lexemes = Vec::new();
    let mut at = range.start;
    let code = &source[..range.end];
    while let Some(first) = code[at..].chars().next() {
        let (token, length) = token(&code[at..], first);
        if let Some(token) = token {
            lexemes.push(Lexeme { token, start: at });
        }
        at += length;
    }
    lexemes
}

/// The token at the start of `rest`, which begins with `first`, and its length; no token for white space.
fn token(rest: &str, first: char) -> (Option<Token<'_>>, usize) {
    let run = |allowed: fn(char) -> bool| rest.find(|c| !allowed(c)).unwrap_or(rest.len());
    if first.is_whitespace() {
        return (None, first.len_utf8());
    }
    if first.is_alphabetic() || first == '_' {
        let length = run(|c| c.is_alphanumeric() || c == '_');
        return (Some(Token::Name(&rest[..length])), length);
    }
    if first.is_ascii_digit() {
        return number(rest);
    }
    if first == '"' || first == '\'' {
        let length = quoted_length(rest, first);
        let text = rest[1..length].strip_suffix(first).filter(|text| !text.contains('\\'));
        // Decoding escapes is left to the engine: such a text is no literal that the compiler binds.
        return (Some(text.map_or(Token::Symbol(first), Token::Text)), length);
    }
    (Some(Token::Symbol(first)), first.len_utf8())
}

fn number(rest: &str) -> (Option<Token<'_>>, usize) {
    let mut length = 0;
    let mut previous = ' ';
    for c in rest.chars() {
        let exponent_sign = matches!(c, '+' | '-') && matches!(previous, 'e' | 'E');
        if !(c.is_ascii_alphanumeric() || c == '.' || c == '_' || exponent_sign) {
            break;
        }
        length += 1;
        previous = c;
    }
    let digits = rest[..length].replace('_', "");
    let token = digits.parse().map(Token::Integer).or_else(|_| digits.parse().map(Token::Float));
    // Hexadecimal and the like: no literal that the compiler binds, but still one word.
    (Some(token.unwrap_or(Token::Symbol('0'))), length)
}

/// The length of a quoted text with its quotes; up to the end if it has no end.
fn quoted_length(rest: &str, quote: char) -> usize {
    let mut is_escaped = true; // The opening quote does not close.
    for (at, c) in rest.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

fn find_open(source: &str, from: usize) -> Option<usize> {
    let bytes = source.as_bytes();
    (from..bytes.len().saturating_sub(1))
        .find(|&at| bytes[at] == b'{' && matches!(bytes[at + 1], b'{' | b'%' | b'#'))
}

/// Where `close` stands outside of quoted texts and of brackets that opened after `from`.
fn find_close(source: &str, from: usize, close: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = from;
    while let Some(first) = source[at..].chars().next() {
        if depth == 0 && source[at..].starts_with(close) {
            return Some(at);
        }
        at += match first {
            '"' | '\'' => quoted_length(&source[at..], first),
            _ => {
                match first {
                    '{' | '[' | '(' => depth += 1,
                    '}' | ']' | ')' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                first.len_utf8()
            }
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_end_outside_of_texts_and_brackets() {
        let check = |source: &str, expected: &[&str]| {
            let parts = parts(source).map_err(|Unclosed(at)| at);
            let shown: Vec<String> = match &parts {
                Ok(parts) => parts.iter().map(|part| show(source, part)).collect(),
                Err(at) => vec![format!("unclosed at {at}")],
            };
            assert_eq!(shown, expected, "{source}");
        };
        check("", &[]);
        check("a", &["text a"]);
        check("{{ a }}", &["expression  a "]);
        check("x{{a}}{{b}}y", &["text x", "expression a", "expression b", "text y"]);
        check("{{ {'a': {'b': 1}} }}", &["expression  {'a': {'b': 1}} "]);
        check("{{ '}}' }}", &["expression  '}}' "]);
        check("{{ '\\'}}' }}é", &["expression  '\\'}}' ", "text é"]);
        check("{% if a %}b{% endif %}", &["statement  if a ", "text b", "statement  endif "]);
        check("{# c #}{{- a }}", &["other  c ", "other - a "]);
        check("ab{{ c", &["unclosed at 2"]);
        check("{ } }} %}", &["text { } }} %}"]);
    }

    fn show(source: &str, part: &Part) -> String {
        match part {
            Part::Text(range) => format!("text {}", &source[range.clone()]),
            Part::Expression(range) => format!("expression {}", &source[range.clone()]),
            Part::Statement(range) => format!("statement {}", &source[range.clone()]),
            Part::Other(range) => format!("other {}", &source[range.clone()]),
        }
    }

    #[test]
    fn tokens_carry_their_values() {
        let source = "é_1(-2, 3.5e-1, 'a\"b', 'a\\'b') | x.y";
        let tokens: Vec<Token<'_>> =
            lexemes(source, 0..source.len()).into_iter().map(|lexeme| lexeme.token).collect();
        let expected = [
            Token::Name("é_1"),
            Token::Symbol('('),
            Token::Symbol('-'),
            Token::Integer(2),
            Token::Symbol(','),
            Token::Float(0.35),
            Token::Symbol(','),
            Token::Text("a\"b"),
            Token::Symbol(','),
            Token::Symbol('\''),
            Token::Symbol(')'),
            Token::Symbol('|'),
            Token::Name("x"),
            Token::Symbol('.'),
            Token::Name("y"),
        ];
        assert_eq!(tokens, expected);
    }
}
