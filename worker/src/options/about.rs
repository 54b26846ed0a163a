//! What a program tells of itself: help, completions for shells, a page for `man`.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{ArgAction, Args, Command};
use clap_complete::Shell;
use sentinel_common::verdict::exit_code;

/// Questions about the program itself.
#[derive(Clone, Debug, Default, Args)]
pub struct About {
    /// Print this help
    #[arg(short = 'h', long, action = ArgAction::HelpShort, help_heading = "About")]
    help: Option<bool>,

    /// Print the version
    #[arg(short = 'V', long, action = ArgAction::Version, help_heading = "About")]
    version: Option<bool>,

    /// Print completions for this shell
    #[arg(long, value_name = "SHELL", value_enum, help_heading = "About")]
    completions: Option<Shell>,

    /// Print the manual page, for man
    #[arg(long, help_heading = "About")]
    man_page: bool,
}

impl About {
    /// Answers a question about the program, if one is asked; returns the exit code.
    pub fn answer(&self, mut command: Command) -> Option<ExitCode> {
        let mut text = Vec::new();
        if let Some(shell) = self.completions {
            let name = command.get_name().to_owned();
            clap_complete::generate(shell, &mut command, name, &mut text);
        } else if self.man_page {
            // Nothing goes wrong with a buffer in memory.
            let _ = clap_mangen::Man::new(command).render(&mut text);
        } else {
            return None;
        }
        Some(match io::stdout().lock().write_all(&text) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("failed to print: {error}");
                ExitCode::from(exit_code::FAILURES)
            }
        })
    }
}
