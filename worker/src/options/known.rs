//! The options of a program, as files and variables name them. Made from its clap command, so that no option is
//! forgotten.

use clap::{Arg, ArgAction, Command, Id};

use super::stranger::Stranger;

/// An option that files and variables may set.
#[derive(Clone, Debug)]
pub struct Known {
    /// Clap's name for it.
    pub id: Id,
    /// Its long name, without dashes.
    pub long: String,
    short: Option<char>,
    aliases: Vec<String>,
    /// What it takes.
    pub kind: Kind,
    /// What `SENTINEL_` and `LOCUST_` stand before to make its variables.
    suffix: String,
}

/// What an option takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing: it is said or not.
    Flag,
    /// One value.
    One,
    /// One value each time it is said.
    Repeated,
    /// Any number of values.
    Many,
}

impl Known {
    /// Its letter.
    pub fn short(&self) -> Option<char> {
        self.short
    }

    /// The variables that set it, the one that comes first in front.
    pub fn variables(&self) -> [String; 2] {
        [format!("SENTINEL_{}", self.suffix), format!("LOCUST_{}", self.suffix)]
    }

    fn of(arg: &Arg) -> Option<Self> {
        let long = arg.get_long()?.to_owned();
        let kind = match arg.get_action() {
            ArgAction::SetTrue => Kind::Flag,
            _ if arg.get_num_args().is_some_and(|range| range.max_values() > 1) => Kind::Many,
            ArgAction::Append => Kind::Repeated,
            ArgAction::Set => Kind::One,
            // Help and version are questions, no settings.
            _ => return None,
        };
        // Locust's names do not all follow from the option's, so clap is told those; the rest follows.
        let declared = arg.get_env().and_then(|name| name.to_str()?.strip_prefix("LOCUST_"));
        let suffix = declared.map_or_else(|| long.to_uppercase().replace('-', "_"), str::to_owned);
        let aliases = arg.get_all_aliases().unwrap_or_default().into_iter().map(str::to_owned).collect();
        Some(Self { id: arg.get_id().clone(), short: arg.get_short(), aliases, kind, suffix, long })
    }
}

/// The options of `command` that files and variables may set.
pub fn of(command: &Command) -> Vec<Known> {
    command.get_arguments().filter_map(Known::of).collect()
}

/// What a key in a file means.
#[derive(Clone, Copy, Debug)]
pub enum Meaning<'a> {
    /// An option of this program.
    Own(&'a Known),
    /// An option that only the other program has.
    Other,
}

/// Finds what `key` means: a long name, with or without dashes, the beginning of just one, or a letter.
pub fn find<'a>(own: &'a [Known], strangers: &[Stranger], key: &str) -> Option<Meaning<'a>> {
    let name = key.strip_prefix("--").or_else(|| key.strip_prefix('-')).unwrap_or(key);
    let mut letters = name.chars();
    let letter = letters.next().filter(|_| letters.next().is_none());
    let exact =
        own.iter().find(|known| known.long == name || known.aliases.iter().any(|alias| alias == name));
    let by_letter = || own.iter().find(|known| letter.is_some() && known.short == letter);
    if let Some(known) = exact.or_else(by_letter) {
        return Some(Meaning::Own(known));
    }
    if strangers.iter().any(|it| it.long == name || (letter.is_some() && it.short == letter)) {
        return Some(Meaning::Other);
    }
    let mut begun = own.iter().filter(|known| !name.is_empty() && known.long.starts_with(name));
    begun.next().filter(|_| begun.next().is_none()).map(Meaning::Own)
}
