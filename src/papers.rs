//! What the program writes of itself for those who install it: its manual pages (`lttngd man`), and what completes
//! its command lines in a shell (`lttngd completions`). Both are made of the very options that it takes.

mod page;
#[cfg(test)]
mod tests;

use std::{
    ffi::OsString,
    io::{self, Write},
    process::ExitCode,
};

use clap::{Command, CommandFactory, Parser, ValueEnum};
use clap_complete::Shell;

use crate::{declare, look, options};

/// The words that are the first argument.
const WORDS: [&str; 2] = ["man", "completions"];

/// Session daemon for LTTng, which writes of itself.
#[derive(Clone, Copy, Debug, Eq, Parser, PartialEq)]
#[command(name = "lttngd", disable_help_subcommand = true)]
enum Paper {
    /// Write the manual page, for man(1)
    Man {
        /// That of this word instead
        word: Option<Word>,
    },
    /// Write what completes command lines in a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// Words that have a manual page of their own.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Word {
    Status,
    Apply,
    Diff,
    Get,
    Delete,
    Export,
    Schema,
}

/// Whether the arguments of the process ask for this.
pub fn is_meant(args: &[OsString]) -> bool {
    args.get(1).is_some_and(|word| WORDS.iter().any(|it| word == it))
}

/// Writes what the arguments ask for.
pub fn main(args: &[OsString]) -> ExitCode {
    let paper = match Paper::try_parse_from(args) {
        Ok(paper) => paper,
        Err(text) => {
            // Nothing is left to do when this cannot be written.
            let _ = text.print();
            return if text.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
        }
    };
    let written = paper.text().and_then(|text| io::stdout().write_all(&text));
    match written {
        Ok(()) => ExitCode::SUCCESS,
        // Who reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to do when this cannot be written.
            let _ = writeln!(io::stderr(), "lttngd: it cannot be written: {error}");
            ExitCode::FAILURE
        }
    }
}

impl Paper {
    fn text(self) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        match self {
            Self::Man { word: None } => page::of_daemon(options::command(), &mut text)?,
            Self::Man { word: Some(Word::Status) } => page::of_status(look::command(), &mut text)?,
            Self::Man { word: Some(word) } => {
                let word = word.to_possible_value().ok_or(io::ErrorKind::InvalidInput)?;
                let command = declare::commands().find(|it| it.get_name() == word.get_name());
                page::of_declared(command.ok_or(io::ErrorKind::InvalidInput)?, &mut text)?;
            }
            Self::Completions { shell } => {
                clap_complete::generate(shell, &mut whole(), "lttngd", &mut text);
            }
        }
        Ok(text)
    }
}

/// All that can be written on a command line: options of the daemon, and words with theirs. What is hidden is for the
/// program alone.
fn whole() -> Command {
    let (daemon, words) = (options::command(), Paper::command());
    let shown = daemon.get_arguments().filter(|it| !it.is_hide_set()).cloned();
    let words = words.get_subcommands().cloned();
    let look = look::command().name(look::WORD);
    Command::new("lttngd")
        .version(env!("CARGO_PKG_VERSION"))
        .args(shown)
        .disable_help_subcommand(true)
        .subcommand(look)
        .subcommands(declare::commands())
        .subcommands(words)
}
