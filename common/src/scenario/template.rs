//! Text with `{{ expressions }}`, compiled once and rendered many times.
//!
//! What a scenario needs most is compiled to native code paths: constants, one variable, one random function with
//! literal arguments. Everything else runs on the template engine's compiled instructions. Nothing is compiled
//! while the load runs.

use std::borrow::Cow;
use std::fmt::{self, Write};
use std::sync::Arc;

use minijinja::value::ValueKind;
use minijinja::{Environment, Value};
use self_cell::self_cell;
use thiserror::Error;

use super::context::RenderContext;
use super::draw::Draw;

/// The most characters of a template that an error quotes.
const QUOTED_CHARS_MAX: usize = 60;

/// A compiled template.
#[derive(Clone, Debug)]
pub struct Template {
    source: Arc<str>,
    code: Code,
}

/// Rendering failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("failed to render `{template}`: {reason}")]
pub struct RenderError {
    /// The template's source, shortened.
    pub template: String,
    /// Why it failed.
    pub reason: String,
}

#[derive(Clone, Debug)]
enum Code {
    /// The same value whatever the context; its text is the template's source.
    Constant(Value),
    /// Exactly one expression.
    Expression(Expression),
    /// Text and expressions.
    Mixed(Arc<[Piece]>),
    /// Statements: the engine renders the whole.
    Engine(Arc<EngineTemplate>),
}

/// A part of a template that mixes text and expressions.
#[derive(Clone, Debug)]
pub(super) enum Piece {
    Text(Box<str>),
    Expression(Expression),
}

/// One compiled expression.
#[derive(Clone, Debug)]
pub(super) enum Expression {
    Variable(Arc<str>),
    Draw { draw: Draw, then: Box<[Adjust]> },
    Engine(Arc<EngineExpression>),
}

/// A filter that a drawn number passes natively.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Adjust {
    /// `at_least(x)`: the larger of the number and x.
    AtLeast(f64),
    /// `at_most(x)`: the smaller of the number and x.
    AtMost(f64),
    /// `round(digits)`: as the engine's filter of that name does it.
    Round(usize),
}

type BoundExpression<'a> = minijinja::Expression<'a, 'static>;
type BoundTemplate<'a> = minijinja::Template<'a, 'a>;

self_cell! {
    /// A compiled expression together with the environment that its instructions run in.
    pub(super) struct EngineExpression {
        owner: Arc<Environment<'static>>,

        #[covariant]
        dependent: BoundExpression,
    }
}

self_cell! {
    /// A compiled template together with the environment that owns it.
    pub(super) struct EngineTemplate {
        owner: Environment<'static>,

        #[covariant]
        dependent: BoundTemplate,
    }
}

impl Template {
    /// A template that always yields `value`, which was written as `source`.
    pub(super) fn constant(source: &str, value: Value) -> Self {
        Self { source: source.into(), code: Code::Constant(value) }
    }

    pub(super) fn expression(source: &str, expression: Expression) -> Self {
        Self { source: source.into(), code: Code::Expression(expression) }
    }

    pub(super) fn mixed(source: &str, pieces: Vec<Piece>) -> Self {
        Self { source: source.into(), code: Code::Mixed(pieces.into()) }
    }

    pub(super) fn engine(source: &str, template: EngineTemplate) -> Self {
        Self { source: source.into(), code: Code::Engine(Arc::new(template)) }
    }

    /// The template as it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The text, if it is the same whatever the context.
    pub fn as_constant(&self) -> Option<&str> {
        match self.code {
            Code::Constant(_) => Some(&self.source),
            _ => None,
        }
    }

    /// The value, if it is the same whatever the context.
    pub(super) fn as_constant_value(&self) -> Option<&Value> {
        match &self.code {
            Code::Constant(value) => Some(value),
            _ => None,
        }
    }

    /// The rendered text; borrowed and free of cost for a constant.
    ///
    /// # Errors
    /// If an expression fails.
    pub fn render(&self, context: &RenderContext) -> Result<Cow<'_, str>, RenderError> {
        match &self.code {
            Code::Constant(_) => Ok(Cow::Borrowed(&self.source)),
            Code::Expression(expression) => {
                let value = expression.evaluate(context).map_err(|reason| self.failed(reason))?;
                Ok(Cow::Owned(value.to_string()))
            }
            Code::Mixed(pieces) => {
                let mut text = String::with_capacity(self.source.len() * 2);
                self.render_pieces(pieces, &mut text, context)?;
                Ok(Cow::Owned(text))
            }
            Code::Engine(template) => match template.borrow_dependent().render(context.root()) {
                Ok(text) => Ok(Cow::Owned(text)),
                Err(error) => Err(self.failed(reason(&error))),
            },
        }
    }

    /// The value: of the expression's own type if the template is exactly one expression, else the text.
    ///
    /// # Errors
    /// If an expression fails.
    pub fn evaluate(&self, context: &RenderContext) -> Result<Value, RenderError> {
        match &self.code {
            Code::Constant(value) => Ok(value.clone()),
            Code::Expression(expression) => {
                expression.evaluate(context).map_err(|reason| self.failed(reason))
            }
            Code::Mixed(_) | Code::Engine(_) => {
                self.render(context).map(|text| Value::from(text.into_owned()))
            }
        }
    }

    fn render_pieces(
        &self,
        pieces: &[Piece],
        out: &mut String,
        context: &RenderContext,
    ) -> Result<(), RenderError> {
        for piece in pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Expression(expression) => {
                    let value = expression.evaluate(context).map_err(|reason| self.failed(reason))?;
                    // Writing to a string cannot fail.
                    let _ = write!(out, "{value}");
                }
            }
        }
        Ok(())
    }

    /// The error that this template could not be rendered.
    pub(super) fn failed(&self, reason: String) -> RenderError {
        let mut template: String = self.source.chars().take(QUOTED_CHARS_MAX).collect();
        if template.len() < self.source.len() {
            template.push('…');
        }
        RenderError { template, reason }
    }
}

impl Expression {
    /// The value, which is never undefined; the error says why there is none.
    fn evaluate(&self, context: &RenderContext) -> Result<Value, String> {
        match self {
            Self::Variable(name) => match context.root().get_attr(name) {
                Ok(value) if !value.is_undefined() => Ok(value),
                _ => Err(format!("`{name}` has not been set yet")),
            },
            Self::Draw { draw, then } => {
                let drawn = context.with_rng(|rng| draw.draw(rng));
                then.iter().try_fold(drawn, |value, adjust| adjust.apply(&value))
            }
            Self::Engine(expression) => match expression.borrow_dependent().eval(context.root()) {
                Ok(value) if value.is_undefined() => Err("it is undefined".to_owned()),
                Ok(value) => Ok(value),
                Err(error) => Err(reason(&error)),
            },
        }
    }
}

impl Adjust {
    /// The adjusted number; integers stay integers as long as no fraction is asked for.
    pub(super) fn apply(self, value: &Value) -> Result<Value, String> {
        let number = match f64::try_from(value.clone()) {
            Ok(number) if value.kind() == ValueKind::Number => number,
            _ => return Err(format!("expected a number, got {}", value.kind())),
        };
        Ok(match self {
            Self::AtLeast(least) if number < least => plain(least, value),
            Self::AtMost(most) if number > most => plain(most, value),
            // The engine's filter rounds the decimal text too: 2.675 is a little less than it looks.
            Self::Round(digits) if !value.is_integer() => {
                Value::from(format!("{number:.digits$}").parse::<f64>().unwrap_or(number))
            }
            Self::Round(_) | Self::AtLeast(_) | Self::AtMost(_) => value.clone(),
        })
    }
}

/// `bound` as a number of the type of `like`, if it can be.
fn plain(bound: f64, like: &Value) -> Value {
    if like.is_integer() && bound.fract() == 0.0 && bound.abs() < 9e15 {
        return Value::from(bound as i64);
    }
    Value::from(bound)
}

/// Why the engine failed, without the position, which the template's source stands for.
pub(super) fn reason(error: &minijinja::Error) -> String {
    match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    }
}

impl fmt::Debug for EngineExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EngineExpression")
    }
}

impl fmt::Debug for EngineTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EngineTemplate")
    }
}
