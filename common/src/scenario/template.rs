//! Text with `{{ expressions }}`, compiled once and rendered many times.
//!
//! What a scenario needs most is compiled to native code paths: constants, one variable, one function with literal
//! arguments. Everything else runs on the template engine's compiled instructions. Nothing is compiled
//! while the load runs.

use std::borrow::Cow;
use std::fmt::{self, Write};
use std::sync::Arc;

use minijinja::{Environment, Value};
use self_cell::self_cell;
use thiserror::Error;

use super::context::{Lease, RenderContext};
use super::draw::NumberDraw;
use super::function::Bound;
use super::number::{Adjust, Number};

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
    Number { draw: NumberDraw, then: Box<[Adjust]> },
    Call(Bound),
    Engine(Arc<EngineExpression>),
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

    /// Whether it is exactly one expression.
    pub(super) fn is_expression(&self) -> bool {
        matches!(self.code, Code::Expression(_))
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
        match self.code {
            Code::Constant(_) => Ok(Cow::Borrowed(&self.source)),
            _ => self.render_with(&mut context.lease()).map(Cow::Owned),
        }
    }

    /// The value: of the expression's own type if the template is exactly one expression, else the text.
    ///
    /// # Errors
    /// If an expression fails.
    pub fn evaluate(&self, context: &RenderContext) -> Result<Value, RenderError> {
        self.evaluate_with(&mut context.lease())
    }

    /// [`Self::evaluate`] as a part of a larger rendering.
    pub(super) fn evaluate_with(&self, lease: &mut Lease<'_>) -> Result<Value, RenderError> {
        match &self.code {
            Code::Constant(value) => Ok(value.clone()),
            Code::Expression(expression) => expression.evaluate(lease).map_err(|reason| self.failed(reason)),
            Code::Mixed(_) | Code::Engine(_) => self.render_with(lease).map(Value::from),
        }
    }

    /// The drawn number, if the template is nothing else.
    pub(super) fn draw_with(&self, lease: &mut Lease<'_>) -> Option<Number> {
        match &self.code {
            Code::Expression(Expression::Number { draw, then }) => Some(number(draw, then, lease)),
            _ => None,
        }
    }

    fn render_with(&self, lease: &mut Lease<'_>) -> Result<String, RenderError> {
        match &self.code {
            Code::Constant(_) => Ok((*self.source).to_owned()),
            Code::Expression(expression) => match expression.evaluate(lease) {
                Ok(value) => Ok(value.to_string()),
                Err(reason) => Err(self.failed(reason)),
            },
            Code::Mixed(pieces) => {
                let mut text = String::with_capacity(self.source.len() * 2);
                match pieces.iter().try_for_each(|piece| piece.render_into(&mut text, lease)) {
                    Ok(()) => Ok(text),
                    Err(reason) => Err(self.failed(reason)),
                }
            }
            Code::Engine(template) => match template.borrow_dependent().render(lease.root()) {
                Ok(text) => Ok(text),
                Err(error) => Err(self.failed(reason(&error))),
            },
        }
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

impl Piece {
    fn render_into(&self, out: &mut String, lease: &mut Lease<'_>) -> Result<(), String> {
        match self {
            Self::Text(text) => out.push_str(text),
            Self::Expression(expression) => {
                let value = expression.evaluate(lease)?;
                // Writing to a string cannot fail.
                let _ = write!(out, "{value}");
            }
        }
        Ok(())
    }
}

impl Expression {
    /// The value, which is never undefined; the error says why there is none.
    fn evaluate(&self, lease: &mut Lease<'_>) -> Result<Value, String> {
        match self {
            Self::Variable(name) => {
                lease.variable(name).ok_or_else(|| format!("`{name}` has not been set yet"))
            }
            Self::Number { draw, then } => Ok(number(draw, then, lease).into()),
            Self::Call(bound) => bound.call(lease),
            Self::Engine(expression) => match expression.borrow_dependent().eval(lease.root()) {
                Ok(value) if value.is_undefined() => Err("it is undefined".to_owned()),
                Ok(value) => Ok(value),
                Err(error) => Err(reason(&error)),
            },
        }
    }
}

fn number(draw: &NumberDraw, then: &[Adjust], lease: &mut Lease<'_>) -> Number {
    let drawn = draw.draw(&mut lease.state().rng);
    then.iter().fold(drawn, |number, adjust| adjust.apply(number))
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
