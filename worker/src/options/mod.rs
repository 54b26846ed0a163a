//! Where options come from: the command line, the environment, files. Both programs read theirs with [`read`].
//!
//! ```text
//! command line > SENTINEL_* > LOCUST_* > --config FILE > ./pyproject.toml > ./sentinel.conf > ./locust.conf
//!              > ~/.sentinel.conf > ~/.locust.conf
//!
//! surroundings ──> conf, toml_tables ──> settings ──┐
//! clap's command ──> known ─────────────────────────┴──> words before those of the command line ──> clap
//! ```
//!
//! What files and variables say becomes words of the command line, unless something that comes first sets the same
//! option. So clap checks all values alike, and an option needs nothing but its line in the clap command to be
//! understood from everywhere.

mod about;
mod conf;
pub mod known;
mod setting;
pub mod stranger;
mod surroundings;
mod toml_tables;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, Error, Id, Parser};
use sentinel_common::suggest::nearest;
use sentinel_common::verdict::exit_code;

pub use self::about::About;
pub use self::surroundings::Surroundings;

use self::known::{Kind, Known, Meaning};
use self::setting::{Mistake, Setting, Value, boolean};
use self::stranger::Stranger;

/// Ends the values of an option that takes any number of them, where words follow that are none.
const END_OF_VALUES: &str = "\u{1f}";

/// What was said, wherever it was said.
#[derive(Debug)]
pub struct Said<A> {
    /// The options.
    pub args: A,
    /// What people should know: options that were ignored.
    pub notes: Vec<String>,
}

/// Reads the options of a program from its command line, whose first word is the program's name, and from `around`.
/// `strangers` are those of the other program.
///
/// # Errors
/// A mistake, with its place; also if help or the version is asked for. Clap's error knows how to print itself, and the
/// exit code.
pub fn read<A: Parser>(
    words: &[OsString],
    around: &Surroundings,
    strangers: &[Stranger],
) -> Result<Said<A>, Error> {
    let reader = Reader::new(A::command(), strangers);
    let typed = reader.command.clone().try_get_matches_from(words);
    let typed = typed.map_err(|error| reader.told_apart(error))?;
    let mut sayings = Sayings::default();
    for id in ids_said(&typed) {
        sayings.settled.push(id);
    }
    reader.note_strangers(&typed, &mut sayings.notes);
    for layer in reader.layers(around, &typed).map_err(|mistake| reader.refuse(&mistake))? {
        reader.hear(layer, &mut sayings).map_err(|mistake| reader.refuse(&mistake))?;
    }
    let program = words.iter().take(1).cloned();
    let rest = words.iter().skip(1).cloned();
    let all: Vec<OsString> = program.chain(sayings.words).chain(rest).collect();
    let args = A::from_arg_matches(&reader.command.clone().try_get_matches_from(all)?)?;
    Ok(Said { args, notes: sayings.notes })
}

/// Prints what [`read`] answers instead of options, and returns the exit code.
pub fn answer(answer: &Error) -> ExitCode {
    // There is nobody to tell that the output is closed.
    let _ = answer.print();
    ExitCode::from(u8::try_from(answer.exit_code()).unwrap_or(exit_code::USAGE))
}

/// What has been heard so far.
#[derive(Default)]
struct Sayings {
    /// The options that are settled: nothing that comes later changes them.
    settled: Vec<Id>,
    /// The words that say what files and variables said.
    words: Vec<OsString>,
    notes: Vec<String>,
}

/// A program's options and how to find them.
struct Reader<'a> {
    command: Command,
    known: Vec<Known>,
    strangers: &'a [Stranger],
}

impl<'a> Reader<'a> {
    fn new(command: Command, strangers: &'a [Stranger]) -> Self {
        let known = known::of(&command);
        let own: Vec<String> = command.get_arguments().filter_map(Arg::get_long).map(str::to_owned).collect();
        let letters: Vec<char> = command.get_arguments().filter_map(Arg::get_short).collect();
        let strangers_only = strangers.iter().filter(|it| own.iter().all(|long| long != it.long));
        let hidden = strangers_only.map(|it| {
            let short = it.short.filter(|letter| !letters.contains(letter));
            let arg = Arg::new(it.long).long(it.long).short(short).hide(true);
            match it.kind {
                Kind::Flag => arg.action(ArgAction::SetTrue),
                Kind::One => arg.action(ArgAction::Set).allow_hyphen_values(true),
                Kind::Repeated => arg.action(ArgAction::Append).allow_hyphen_values(true),
                Kind::Many => arg.action(ArgAction::Set).num_args(0..),
            }
        });
        let command = command.infer_long_args(true).mut_args(as_argparse).args(hidden);
        Self { command, known, strangers }
    }

    /// Everything that may set options besides the command line, what comes first in front.
    fn layers(&self, around: &Surroundings, typed: &ArgMatches) -> Result<Vec<Layer<'_>>, Mistake> {
        let mut layers = Vec::new();
        for index in 0..2 {
            let mut layer = Layer::default();
            for known in &self.known {
                let [ours, locusts] = known.variables();
                let name = if index == 0 { ours } else { locusts };
                let Some(value) = around.variables.get(&name) else { continue };
                let text = value.to_str().ok_or_else(|| Mistake::new(&name, "its value is not UTF-8"))?;
                layer.insert(known.id.clone(), (known, variable(name, text, known.kind)));
            }
            layers.push(layer);
        }
        let config = config_file(typed, &self.known, &layers);
        for settings in around.files(config.as_deref())? {
            layers.push(self.layer(settings)?);
        }
        Ok(layers)
    }

    /// What a file sets of this program. Of two lines on one option the last one counts, as with Locust.
    fn layer(&self, settings: Vec<Setting>) -> Result<Layer<'_>, Mistake> {
        let mut layer = Layer::default();
        for setting in settings {
            match known::find(&self.known, self.strangers, &setting.key) {
                Some(Meaning::Own(known)) if self.is_for_the_other(known, &setting.value) => {}
                Some(Meaning::Own(known)) => {
                    let earlier = layer.remove(&known.id).filter(|_| known.kind == Kind::Repeated);
                    let setting = match earlier {
                        Some((_, earlier)) => earlier.and(setting),
                        None => setting,
                    };
                    layer.insert(known.id.clone(), (known, setting));
                }
                Some(Meaning::Other) => {}
                None => return Err(self.unknown(&setting)),
            }
        }
        Ok(layer)
    }

    /// Whether an option that both programs have under one name is meant for the other here: `master` is a flag of one
    /// and an address for the other.
    fn is_for_the_other(&self, known: &Known, value: &Value) -> bool {
        let Some(stranger) = self.strangers.iter().find(|it| it.long == known.long) else { return false };
        let is_boolean = matches!(value, Value::Text(text) if boolean(text).is_some());
        match (known.kind, stranger.kind) {
            (Kind::Flag, Kind::Flag) => false,
            (Kind::Flag, _) => !is_boolean,
            (_, Kind::Flag) => is_boolean,
            _ => false,
        }
    }

    fn unknown(&self, setting: &Setting) -> Mistake {
        let key = setting.key.trim_start_matches('-');
        let longs = self.known.iter().map(|known| known.long.as_str());
        let hint = match nearest(&key.replace('_', "-"), longs) {
            Some(nearest) => format!("; did you mean `{nearest}`?"),
            None => "; --help lists the options".to_owned(),
        };
        Mistake::new(&setting.place, format!("there is no option `{key}`{hint}"))
    }

    /// Adds what a layer sets and nothing before it has.
    fn hear(&self, layer: Layer, sayings: &mut Sayings) -> Result<(), Mistake> {
        let mut said = Vec::new();
        for (id, (known, setting)) in layer {
            if sayings.settled.contains(&id) {
                continue;
            }
            let Some(words) = words(known, &setting, &mut sayings.notes)? else { continue };
            if !words.is_empty() {
                if self.conflicts(&id, &sayings.settled) {
                    continue;
                }
                self.check(&setting.place, &words)?;
            }
            sayings.words.extend(words);
            said.push(id);
        }
        // Two options of one layer that exclude each other are a mistake, which clap tells.
        sayings.settled.extend(said);
        Ok(())
    }

    /// Whether an option excludes one that comes first, so that it has to give way.
    fn conflicts(&self, id: &Id, settled: &[Id]) -> bool {
        let arg = |id: &Id| self.command.get_arguments().find(|arg| arg.get_id() == id);
        let excludes = |one: &Id, other: &Id| {
            arg(one).is_some_and(|one| {
                self.command.get_arg_conflicts_with(one).iter().any(|arg| arg.get_id() == other)
            })
        };
        settled.iter().any(|other| excludes(id, other) || excludes(other, id))
    }

    /// Has clap check a value by itself, so that a mistake can be told with its place.
    fn check(&self, place: &str, words: &[OsString]) -> Result<(), Mistake> {
        let line = [OsString::from(self.command.get_name())].into_iter().chain(words.iter().cloned());
        let Err(error) = self.command.clone().try_get_matches_from(line) else { return Ok(()) };
        // How options go together is looked at when all are there.
        if matches!(error.kind(), ErrorKind::MissingRequiredArgument | ErrorKind::ArgumentConflict) {
            return Ok(());
        }
        let text = error.render().to_string();
        let text = text.strip_prefix("error: ").unwrap_or(&text);
        let first = text.split("\n\n").next().unwrap_or(text);
        Err(Mistake::new(place, first))
    }

    /// Says so if what clap does not know is the beginning of several options; clap names one of them.
    fn told_apart(&self, error: Error) -> Error {
        let unknown = match (error.kind(), error.get(ContextKind::InvalidArg)) {
            (ErrorKind::UnknownArgument, Some(ContextValue::String(word))) => word.as_str(),
            _ => return error,
        };
        let visible = self.command.get_arguments().filter(|arg| !arg.is_hide_set());
        let longs = visible.filter_map(Arg::get_long).map(|long| format!("--{long}"));
        let meant: Vec<String> =
            longs.filter(|long| unknown.len() > 2 && long.starts_with(unknown)).collect();
        if meant.len() < 2 {
            return error;
        }
        let text = format!("ambiguous option: {unknown} could match {}", meant.join(", "));
        self.command.clone().error(ErrorKind::UnknownArgument, text)
    }

    fn refuse(&self, mistake: &Mistake) -> Error {
        self.command.clone().error(ErrorKind::InvalidValue, mistake)
    }

    fn note_strangers(&self, typed: &ArgMatches, notes: &mut Vec<String>) {
        let program = self.command.get_name();
        for id in ids_said(typed) {
            if self.strangers.iter().any(|it| id == it.long) && self.known.iter().all(|known| known.id != id)
            {
                notes
                    .push(format!("--{id} has no effect on {program}: it is an option of the other program"));
            }
        }
    }
}

/// What one place sets, by option.
type Layer<'a> = BTreeMap<Id, (&'a Known, Setting)>;

/// Makes clap understand an option as Python's argparse does: said twice, the last one counts.
fn as_argparse(arg: Arg) -> Arg {
    // Clap would read Locust's variables itself, without knowing what comes first.
    let arg = arg.env(None::<&'static str>);
    if arg.is_positional() {
        return arg;
    }
    let many = arg.get_num_args().is_some_and(|range| range.max_values() > 1);
    let arg = if many { arg.value_terminator(END_OF_VALUES) } else { arg };
    match arg.get_action() {
        ArgAction::Append if !many => arg,
        _ => {
            let id = arg.get_id().clone();
            arg.overrides_with(id)
        }
    }
}

/// The options that were really said, and not only have a default.
fn ids_said(matches: &ArgMatches) -> Vec<Id> {
    let said = |id: &&Id| matches.value_source(id.as_str()) == Some(ValueSource::CommandLine);
    matches.ids().filter(said).cloned().collect()
}

/// The file that `--config` names, or one of its variables.
fn config_file(typed: &ArgMatches, known: &[Known], layers: &[Layer]) -> Option<PathBuf> {
    let id = &known.iter().find(|known| known.long == "config")?.id;
    if let Some(path) = typed.get_one::<PathBuf>(id.as_str()) {
        return Some(path.clone());
    }
    layers.iter().filter_map(|layer| layer.get(id)).find_map(|(_, setting)| match &setting.value {
        Value::Text(path) if !path.is_empty() => Some(PathBuf::from(path)),
        _ => None,
    })
}

/// What a variable says. A list may stand in brackets where an option takes several values.
fn variable(name: String, text: &str, kind: Kind) -> Setting {
    let list = if matches!(kind, Kind::Many | Kind::Repeated) { Value::list_in_brackets(text) } else { None };
    let value = list.map_or_else(|| Value::Text(text.to_owned()), Value::List);
    Setting { key: name.clone(), place: name, value }
}

/// The words that say the same on the command line; `None` if nothing is said.
fn words(
    known: &Known,
    setting: &Setting,
    notes: &mut Vec<String>,
) -> Result<Option<Vec<OsString>>, Mistake> {
    let Setting { place, value, .. } = setting;
    let option = format!("--{}", known.long);
    let assign = |value: &str| OsString::from(format!("{option}={value}"));
    Ok(Some(match (known.kind, value) {
        (Kind::Flag, Value::Text(text)) => match boolean(text) {
            Some(true) => vec![option.into()],
            Some(false) => Vec::new(),
            None => return Err(not_boolean(place, &known.long, text)),
        },
        (Kind::One | Kind::Repeated, Value::Text(text)) if text.is_empty() => {
            notes.push(format!("{place}: the value of {} is empty, so it is ignored", known.long));
            return Ok(None);
        }
        // As with Locust, where an empty list of tags is none.
        (Kind::Many, Value::Text(text)) if text.is_empty() => return Ok(None),
        (Kind::One | Kind::Repeated, Value::Text(text)) => vec![assign(text)],
        (Kind::Repeated, Value::List(list)) => list.iter().map(|value| assign(value)).collect(),
        (Kind::Many, Value::Text(text)) => vec![option.into(), text.into(), END_OF_VALUES.into()],
        (Kind::Many, Value::List(list)) => {
            let values = list.iter().map(OsString::from);
            [option.into()].into_iter().chain(values).chain([END_OF_VALUES.into()]).collect()
        }
        (Kind::Flag | Kind::One, Value::List(_)) => {
            let text = format!("{} takes one value, and this is a list", known.long);
            return Err(Mistake::new(place, text));
        }
    }))
}

fn not_boolean(place: &str, long: &str, text: &str) -> Mistake {
    let words = "true, false, yes, no, on, off, 1 or 0";
    Mistake::new(place, format!("{long} takes {words}, and this is '{text}'"))
}
