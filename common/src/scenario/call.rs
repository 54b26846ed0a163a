//! Recognises the expressions that run natively: one variable, or one function with literal arguments; a random number
//! may be bounded and rounded.

use minijinja::Value;

use super::draw::Draw;
use super::function::{Arguments, Bound, Function};
use super::lexis::{Lexeme, Token};
use super::number::Adjust;
use super::template::Expression;

/// The most digits that are rounded to natively: more than a double has.
const DIGITS_MAX: i64 = 17;

/// Reads tokens from left to right.
pub(super) struct Cursor<'a> {
    rest: &'a [Lexeme<'a>],
}

impl<'a> Cursor<'a> {
    pub(super) fn new(rest: &'a [Lexeme<'a>]) -> Self {
        Self { rest }
    }

    fn next(&mut self) -> Option<&'a Token<'a>> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(&first.token)
    }

    fn eat(&mut self, symbol: char) -> Option<()> {
        let found = self.rest.first().is_some_and(|lexeme| lexeme.token == Token::Symbol(symbol));
        found.then(|| self.rest = &self.rest[1..])
    }
}

/// The native form of an expression that the engine accepted, if it has one.
pub(super) fn native(lexemes: &[Lexeme<'_>]) -> Option<Expression> {
    if let [Lexeme { token: Token::Name(name), .. }] = lexemes {
        let is_literal = matches!(*name, "true" | "True" | "false" | "False" | "none" | "None");
        return (!is_literal).then(|| Expression::Variable((*name).into()));
    }
    let mut cursor = Cursor::new(lexemes);
    let (name, arguments) = literal_call(&mut cursor)?;
    let bound = Function::named(name)?.bind(arguments).ok()?;
    let mut then = Vec::new();
    while cursor.eat('|').is_some() {
        then.push(adjust(&mut cursor)?);
    }
    match bound {
        _ if !cursor.rest.is_empty() => None,
        Bound::Draw(Draw::Number(draw)) => Some(Expression::Number { draw, then: then.into() }),
        bound => then.is_empty().then_some(Expression::Call(bound)),
    }
}

/// A call whose arguments are all literals: its name and arguments.
pub(super) fn literal_call<'a>(cursor: &mut Cursor<'a>) -> Option<(&'a str, Arguments)> {
    let Token::Name(name) = cursor.next()? else { return None };
    let mut arguments = Arguments::default();
    cursor.eat('(')?;
    while cursor.eat(')').is_none() {
        match cursor.rest {
            [Lexeme { token: Token::Name(key), .. }, Lexeme { token: Token::Symbol('='), .. }, ..] => {
                cursor.rest = &cursor.rest[2..];
                arguments.named.push(((*key).to_owned(), literal(cursor)?));
            }
            _ => arguments.positional.push(literal(cursor)?),
        }
        comma_before(cursor, ')')?;
    }
    Some((name, arguments))
}

fn literal(cursor: &mut Cursor<'_>) -> Option<Value> {
    let sign = if cursor.eat('-').is_some() { -1 } else { 1 };
    match (cursor.next()?, sign) {
        (Token::Integer(number), sign) => Some(Value::from(number * sign)),
        (Token::Float(number), sign) => Some(Value::from(number * sign as f64)),
        (Token::Text(text), 1) => Some(Value::from(*text)),
        (Token::Name("true" | "True"), 1) => Some(Value::from(true)),
        (Token::Name("false" | "False"), 1) => Some(Value::from(false)),
        (Token::Name("none" | "None"), 1) => Some(Value::from(())),
        (Token::Symbol('['), 1) => {
            let mut items = Vec::new();
            while cursor.eat(']').is_none() {
                items.push(literal(cursor)?);
                comma_before(cursor, ']')?;
            }
            Some(Value::from(items))
        }
        (Token::Symbol('{'), 1) => {
            let mut pairs = Vec::new();
            while cursor.eat('}').is_none() {
                let key = literal(cursor)?;
                cursor.eat(':')?;
                pairs.push((key, literal(cursor)?));
                comma_before(cursor, '}')?;
            }
            Some(Value::from_pairs(pairs))
        }
        _ => None,
    }
}

/// Steps over a comma; none is needed before `close`, which stays.
fn comma_before(cursor: &mut Cursor<'_>, close: char) -> Option<()> {
    let at_end = cursor.rest.first().is_some_and(|lexeme| lexeme.token == Token::Symbol(close));
    if at_end { Some(()) } else { cursor.eat(',') }
}

fn adjust(cursor: &mut Cursor<'_>) -> Option<Adjust> {
    let (name, arguments) = match cursor.rest {
        [Lexeme { token: Token::Name("round"), .. }] => {
            cursor.next()?;
            ("round", Arguments { positional: vec![Value::from(0)], named: Vec::new() })
        }
        _ => literal_call(cursor)?,
    };
    let ([argument], []) = (arguments.positional.as_slice(), arguments.named.as_slice()) else { return None };
    let number = f64::try_from(argument.clone()).ok().filter(|_| argument.is_number())?;
    match name {
        "at_least" => Some(Adjust::AtLeast(number)),
        "at_most" => Some(Adjust::AtMost(number)),
        "round" => {
            let digits = argument.as_i64().filter(|digits| (0..=DIGITS_MAX).contains(digits))?;
            usize::try_from(digits).ok().map(Adjust::Round)
        }
        _ => None,
    }
}
