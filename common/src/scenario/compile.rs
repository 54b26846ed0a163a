//! From a template's source to compiled code, with everything wrong in it.
//!
//! The reader of scenario files owns one [`Compiler`] and hands it every template with the variables that are in
//! scope. Syntax is the engine's business; names, filters and literal arguments are checked here, because the
//! engine would find them only while the load runs.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, Value};

use super::call::{Cursor, literal_call, native};
use super::context::{BUILTIN_VARIABLES, FIELDS};
use super::data::RowOrder;
use super::function::{self, Bound, FUNCTIONS, Function};
use super::lexis::{Lexeme, Part, Token, Unclosed, lexemes, parts};
use super::number::Adjust;
use super::template::{EngineExpression, EngineTemplate, Expression, Piece, Template, reason};
use crate::suggest::nearest;

/// What one rendering may cost in the engine's unit of work, an instruction or 64 bytes: about 12 MiB of text.
const FUEL: u64 = 200_000;

/// The filters that are suggested for a mistyped one.
const FILTERS: [&str; 28] = [
    "abs",
    "at_least",
    "at_most",
    "b64",
    "b64decode",
    "capitalize",
    "default",
    "first",
    "float",
    "hash",
    "int",
    "join",
    "json",
    "last",
    "length",
    "list",
    "lower",
    "max",
    "min",
    "replace",
    "reverse",
    "round",
    "sort",
    "split",
    "string",
    "tojson",
    "trim",
    "upper",
];

/// Functions that the engine brings along.
const ENGINE_FUNCTIONS: [&str; 4] = ["range", "dict", "namespace", "debug"];

/// Statements that would need other templates, of which there are none.
const REFUSED_STATEMENTS: [&str; 4] = ["include", "import", "from", "extends"];

/// Compiles templates.
pub(super) struct Compiler {
    environment: Arc<Environment<'static>>,
    env_names: BTreeSet<String>,
}

/// The variables that templates may use at some place of a scenario.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    /// Whose variables they are, for notes; empty outside of a class.
    pub(super) class: String,
    /// What the steps of the class and `setup` define.
    pub(super) variables: BTreeSet<String>,
    /// The sources of rows that the scenario has, and who gets which row.
    pub(super) sources: Arc<BTreeMap<String, RowOrder>>,
    /// Whether the steps are those of a group's tasks.
    pub(super) in_group: bool,
    /// Whether the steps are those of `setup` or `teardown`.
    pub(super) once_per_run: bool,
}

/// One mistake in a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// The byte of the source where it begins.
    pub(super) offset: usize,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

impl Compiler {
    pub(super) fn new() -> Self {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_fuel(Some(FUEL));
        if let Ok(syntax) = SyntaxConfig::builder().keep_trailing_newline(true).build() {
            environment.set_syntax(syntax);
        }
        function::register(&mut environment);
        environment.add_filter("at_least", |value: Value, least: f64| adjust(value, Adjust::AtLeast(least)));
        environment.add_filter("at_most", |value: Value, most: f64| adjust(value, Adjust::AtMost(most)));
        Self { environment: Arc::new(environment), env_names: BTreeSet::new() }
    }

    /// The environment variables that the templates so far ask for by a name that is written out.
    #[cfg_attr(not(test), expect(dead_code, reason = "the reader of scenarios will ask for them"))]
    pub(super) fn env_names(&self) -> &BTreeSet<String> {
        &self.env_names
    }

    /// Compiles a template in the scope of `names`; the error is everything wrong with it.
    pub(super) fn compile(&mut self, source: &str, names: &Names) -> Result<Template, Vec<Fault>> {
        let parts = match parts(source) {
            Ok(parts) => parts,
            Err(Unclosed(offset)) => return Err(vec![fault(offset, "`{{` or `{%` without its end")]),
        };
        match parts.as_slice() {
            [] => Ok(Template::constant(source, Value::from(source))),
            [Part::Text(_)] => Ok(Template::constant(source, Value::from(source))),
            [Part::Expression(range)] => {
                let expression = self.expression(source, range.clone(), names)?;
                Ok(Template::expression(source, expression))
            }
            parts if parts.iter().any(|part| matches!(part, Part::Statement(_) | Part::Other(_))) => {
                self.engine_template(source, parts, names)
            }
            parts => self.mixed(source, parts, names),
        }
    }

    fn mixed(&mut self, source: &str, parts: &[Part], names: &Names) -> Result<Template, Vec<Fault>> {
        let mut pieces = Vec::with_capacity(parts.len());
        let mut faults = Vec::new();
        for part in parts {
            match part {
                Part::Text(range) => pieces.push(Piece::Text(source[range.clone()].into())),
                Part::Expression(range) | Part::Statement(range) | Part::Other(range) => {
                    match self.expression(source, range.clone(), names) {
                        Ok(expression) => pieces.push(Piece::Expression(expression)),
                        Err(found) => faults.extend(found),
                    }
                }
            }
        }
        if faults.is_empty() { Ok(Template::mixed(source, pieces)) } else { Err(faults) }
    }

    fn expression(
        &mut self,
        source: &str,
        range: std::ops::Range<usize>,
        names: &Names,
    ) -> Result<Expression, Vec<Fault>> {
        let code = source[range.clone()].to_owned();
        let compiled = EngineExpression::try_new(self.environment.clone(), |environment| {
            environment.compile_expression_owned(code)
        });
        let compiled = compiled.map_err(|error| vec![syntax_fault(&error, range.start)])?;
        let lexemes = lexemes(source, range);
        let undeclared = compiled.borrow_dependent().undeclared_variables(false);
        let faults = self.inspect(&lexemes, &undeclared, names);
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(native(&lexemes).unwrap_or_else(|| Expression::Engine(Arc::new(compiled))))
    }

    fn engine_template(
        &mut self,
        source: &str,
        parts: &[Part],
        names: &Names,
    ) -> Result<Template, Vec<Fault>> {
        let mut environment = Environment::clone(&self.environment);
        let added = environment.add_template_owned("template", source.to_owned());
        added.map_err(|error| vec![syntax_fault(&error, 0)])?;
        let compiled =
            EngineTemplate::try_new(environment, |environment| environment.get_template("template"));
        let compiled = compiled.map_err(|error| vec![syntax_fault(&error, 0)])?;
        let undeclared = compiled.borrow_dependent().undeclared_variables(false);
        let mut faults = Vec::new();
        for part in parts {
            if let Part::Expression(range) | Part::Statement(range) | Part::Other(range) = part {
                let lexemes = lexemes(source, range.clone());
                if let (Part::Statement(_), Some(statement)) = (part, lexemes.first())
                    && let Token::Name(name) = statement.token
                    && REFUSED_STATEMENTS.contains(&name)
                {
                    faults
                        .push(fault(statement.start, &format!("`{name}` has no other template to use here")));
                }
                // A comment may say what it likes.
                if source.as_bytes()[range.start - 1] != b'#' {
                    faults.extend(self.inspect(&lexemes, &undeclared, names));
                }
            }
        }
        if faults.is_empty() { Ok(Template::engine(source, compiled)) } else { Err(faults) }
    }

    /// Every unknown name and every impossible call in a piece of code that the engine accepted.
    fn inspect(&mut self, lexemes: &[Lexeme<'_>], undeclared: &HashSet<String>, names: &Names) -> Vec<Fault> {
        let token = |index: usize| lexemes.get(index).map(|lexeme| &lexeme.token);
        let mut faults = Vec::new();
        for (index, lexeme) in lexemes.iter().enumerate() {
            let Token::Name(name) = lexeme.token else { continue };
            let before = |count: usize| index.checked_sub(count).and_then(token);
            let is_called = token(index + 1) == Some(&Token::Symbol('('));
            let is_assigned = token(index + 1) == Some(&Token::Symbol('='))
                && token(index + 2) != Some(&Token::Symbol('='));
            let call = &lexemes[index..];
            let fault = match (before(1), before(2)) {
                (Some(Token::Symbol('.')), Some(Token::Name(object)))
                    if undeclared.contains(*object) && before(3) != Some(&Token::Symbol('.')) =>
                {
                    unknown_field(object, name)
                }
                (Some(Token::Symbol('.')), _) => None,
                (Some(Token::Symbol('|')), _) => {
                    self.unknown_filter(name).or_else(|| impossible_filter(name, call))
                }
                (Some(Token::Name("is")), _) if name != "not" => self.unknown_test(name),
                (Some(Token::Name("not")), Some(Token::Name("is"))) => self.unknown_test(name),
                _ if is_assigned => None,
                _ if undeclared.contains(name) => unknown_name(name, is_called, names)
                    .or_else(|| is_called.then(|| self.impossible_call(name, call))?),
                _ => None,
            };
            faults.extend(fault.map(|(message, help)| Fault { offset: lexeme.start, message, help }));
        }
        faults
    }

    /// What is wrong with the arguments of a function, if they are literals. Notes the environment variables that are
    /// asked for.
    fn impossible_call(&mut self, name: &str, call: &[Lexeme<'_>]) -> Option<(String, Option<String>)> {
        let function = Function::named(name)?;
        let Some((_, arguments)) = literal_call(&mut Cursor::new(call)) else {
            // The default may be anything, but the name is there to be read.
            if let ("env", Some(Lexeme { token: Token::Text(variable), .. })) = (name, call.get(2)) {
                self.env_names.insert((*variable).to_owned());
            }
            return None;
        };
        match function.bind(arguments) {
            Ok(Bound::Env(env)) => {
                self.env_names.insert(env.name().to_owned());
                None
            }
            Ok(_) => None,
            Err(message) => Some((message, None)),
        }
    }

    fn unknown_filter(&self, name: &str) -> Option<(String, Option<String>)> {
        let error = self.environment.empty_state().apply_filter(name, &[]).err()?;
        (error.kind() == ErrorKind::UnknownFilter)
            .then(|| (format!("unknown filter `{name}`"), did_you_mean(name, FILTERS.iter().copied())))
    }

    fn unknown_test(&self, name: &str) -> Option<(String, Option<String>)> {
        let error = self.environment.empty_state().perform_test(name, &[]).err()?;
        (error.kind() == ErrorKind::UnknownTest).then(|| (format!("unknown test `{name}`"), None))
    }
}

/// What is wrong with a name that the code itself does not define, if anything.
fn unknown_name(name: &str, is_called: bool, names: &Names) -> Option<(String, Option<String>)> {
    let is_variable = BUILTIN_VARIABLES.contains(&name) || names.variables.contains(name);
    let is_function = Function::named(name).is_some() || ENGINE_FUNCTIONS.contains(&name);
    match (is_called, is_variable, is_function) {
        (_, true, _) | (true, _, true) => None,
        (false, _, true) => {
            Some((format!("`{name}` is a function"), Some(format!("call it: `{name}(...)`"))))
        }
        (true, _, false) => {
            let known = FUNCTIONS.iter().map(|function| function.name).chain(ENGINE_FUNCTIONS);
            Some((format!("unknown function `{name}`"), did_you_mean(name, known)))
        }
        (false, false, false) => {
            let known = names.variables.iter().map(String::as_str).chain(BUILTIN_VARIABLES);
            let help = did_you_mean(name, known).or_else(|| match names.class.as_str() {
                "" => None,
                class => Some(format!("no step of `{class}` defines it")),
            });
            Some((format!("undefined variable `{name}`"), help))
        }
    }
}

/// What is wrong with a field of a variable that is always there, if anything.
fn unknown_field(object: &str, name: &str) -> Option<(String, Option<String>)> {
    let (_, fields) = FIELDS.iter().find(|(known, _)| *known == object)?;
    let help = || {
        did_you_mean(name, fields.iter().copied()).unwrap_or_else(|| format!("it has {}", fields.join(", ")))
    };
    (!fields.contains(&name)).then(|| (format!("`{object}` has no `{name}`"), Some(help())))
}

/// What is wrong with the arguments of one of our filters, if they are literals. Any text stands for what is filtered.
fn impossible_filter(name: &str, call: &[Lexeme<'_>]) -> Option<(String, Option<String>)> {
    let function = Function::filter(name)?;
    let (_, mut arguments) = literal_call(&mut Cursor::new(call))?;
    arguments.positional.insert(0, Value::from(""));
    function.bind(arguments).err().map(|message| (message, None))
}

/// The help for a mistyped word, if a valid one is near.
pub(super) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(word, known).map(|nearest| format!("did you mean `{nearest}`?"))
}

fn syntax_fault(error: &Error, start: usize) -> Fault {
    let offset = start + error.range().map_or(0, |range| range.start);
    fault(offset, &format!("template {}", reason(error)))
}

fn fault(offset: usize, message: &str) -> Fault {
    Fault { offset, message: message.to_owned(), help: None }
}

fn adjust(value: Value, adjust: Adjust) -> Result<Value, Error> {
    adjust.apply_to_value(value).map_err(|reason| Error::new(ErrorKind::InvalidOperation, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_variables_that_templates_name_are_known() {
        let check = |template: &str, expected: &[&str]| {
            let names =
                Names { class: "A".to_owned(), variables: ["n".to_owned()].into(), ..Names::default() };
            let mut compiler = Compiler::new();
            assert!(compiler.compile(template, &names).is_ok(), "{template}");
            assert_eq!(compiler.env_names().iter().collect::<Vec<_>>(), expected, "{template}");
        };
        check("{{ env('A') }} {{ env(\"B\", 'x') }} {{ env('A') }}", &["A", "B"]);
        check("{{ env(default='x', name='A') }}", &["A"]);
        check("{{ env('A', n + 1) ~ env('B', default=env('C')) }}", &["A", "B", "C"]);
        check("{% if env('A', '') %}{{ env('B') | b64 }}{% endif %}", &["A", "B"]);
        check("{# env('A') #}{{ \"env('B')\" }}{{ n.env('C') }}", &[]);
        check("{{ env(n ~ 'A') }}", &[]);
    }
}
