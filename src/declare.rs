//! `lttngd apply`, `diff`, `get`, `delete`, `export` and `schema`: declared sessions of the daemon that runs.

mod shown;

use std::{
    ffi::OsString,
    fs::File,
    io::{self, Write},
    os::fd::AsFd,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Command, CommandFactory, Parser};
use lttngd::{
    config::home_in_user_database,
    declared::{Apply, AskError, DeclareReply, DeclareRequest, ask},
    document::{DOCUMENT_MAX_LEN, Document, ReadError, json, read, schema, yaml},
    process::read_to_limit,
};

use crate::look::{NoHome, daemon_sockets};

/// The words that are the first argument.
pub const WORDS: [&str; 6] = ["apply", "diff", "get", "delete", "export", "schema"];

/// Declared sessions: what sessions are to be stands in documents, in YAML or JSON, or in what lttng save writes.
#[derive(Clone, Debug, Eq, Parser, PartialEq)]
#[command(name = "lttngd", disable_help_subcommand = true)]
enum Declare {
    /// Bring sessions to what a document says
    Apply {
        /// Where the document is; - for standard input
        file: PathBuf,
        /// Make a session anew when something cannot be changed in place; its trace ends then
        #[arg(long)]
        replace: bool,
        #[command(flatten)]
        daemon: AskedDaemon,
    },
    /// Say what apply would do: 1 is the exit status when there is something, 2 when that cannot be told
    Diff {
        /// Where the document is; - for standard input
        file: PathBuf,
        #[command(flatten)]
        daemon: AskedDaemon,
    },
    /// Show the documents that were applied, or that of one session
    Get {
        /// Name of the session
        session: Option<String>,
        /// Write JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        daemon: AskedDaemon,
    },
    /// Destroy a declared session, and forget its document; its traces stay
    Delete {
        /// Name of the session
        session: String,
        #[command(flatten)]
        daemon: AskedDaemon,
    },
    /// Write the document of a session, whoever made it
    Export {
        /// Name of the session
        session: String,
        /// Write JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        daemon: AskedDaemon,
    },
    /// Write the JSON schema of documents
    Schema,
}

/// Which daemon is asked: root's, where this user may ask it, else his own.
#[derive(Args, Clone, Debug, Eq, PartialEq)]
struct AskedDaemon {
    /// Ask at this Unix socket
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
enum DeclareFailure {
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    NobodyAnswers(Vec<AskError>),
    #[error("cannot read {}: {source}", path.display())]
    Unread { path: PathBuf, source: io::Error },
    #[error("{}: {source}", path.display())]
    NoDocument { path: PathBuf, source: ReadError },
    #[error("the daemon's answer is to something else")]
    Astray,
    #[error("rights that come from the program's file are not for commanding the daemon of others")]
    Setuid,
    #[error("it cannot be written: {0}")]
    Unwritten(#[from] io::Error),
    #[error(transparent)]
    NoHome(#[from] NoHome),
    #[error("session {0} is not a declared one")]
    NotDeclared(String),
}

/// What can be written on its command lines: a command for each word.
pub fn commands() -> impl Iterator<Item = Command> {
    let all = Declare::command();
    all.get_subcommands().cloned().collect::<Vec<_>>().into_iter()
}

/// Whether the arguments of the process ask for this.
pub fn is_meant(args: &[OsString]) -> bool {
    args.get(1).is_some_and(|word| WORDS.iter().any(|it| word == it))
}

/// Does what the arguments ask.
pub fn main(args: &[OsString], is_setuid: bool) -> ExitCode {
    let declare = match Declare::try_parse_from(args) {
        Ok(declare) => declare,
        Err(text) => {
            // Nothing is left to do when this cannot be written.
            let _ = text.print();
            return if text.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    let trouble = if matches!(declare, Declare::Diff { .. }) { 2 } else { 1 };
    let done = if is_setuid { Err(DeclareFailure::Setuid) } else { declare.run() };
    match done {
        Ok(code) => code,
        // Who reads has seen enough.
        Err(DeclareFailure::Unwritten(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(error) => {
            // Nothing is left to do when this cannot be written.
            let _ = writeln!(io::stderr(), "lttngd: {error}");
            ExitCode::from(trouble)
        }
    }
}

impl Declare {
    fn run(self) -> Result<ExitCode, DeclareFailure> {
        let mut out = io::stdout().lock();
        match self {
            Self::Apply { file, replace, daemon } => {
                for document in documents(&file)? {
                    let session = document.session.clone();
                    let applied = daemon.apply(document, replace, false)?;
                    out.write_all(shown::applied(&session, &applied).as_bytes())?;
                }
            }
            Self::Diff { file, daemon } => {
                let mut differs = false;
                for document in documents(&file)? {
                    let session = document.session.clone();
                    let applied = daemon.apply(document, false, true)?;
                    differs |= !(applied.commands.is_empty() && applied.obstacles.is_empty());
                    out.write_all(shown::differs(&session, &applied).as_bytes())?;
                }
                return Ok(ExitCode::from(u8::from(differs)));
            }
            Self::Get { session, json, daemon } => {
                let DeclareReply::Listed(mut listed) = daemon.ask(&DeclareRequest::List)? else {
                    return Err(DeclareFailure::Astray);
                };
                let text = match session {
                    Some(session) => {
                        listed.retain(|it| it.document.session == session);
                        let found = listed.pop().ok_or(DeclareFailure::NotDeclared(session))?;
                        written(&found.document, json)
                    }
                    None if json => shown::listed_json(&listed)?,
                    None => shown::listed(&listed),
                };
                out.write_all(text.as_bytes())?;
            }
            Self::Delete { session, daemon } => {
                daemon.ask(&DeclareRequest::Delete { session })?;
            }
            Self::Export { session, json, daemon } => {
                let told = daemon.ask(&DeclareRequest::Export { session })?;
                let DeclareReply::Exported(document) = told else {
                    return Err(DeclareFailure::Astray);
                };
                out.write_all(written(&document, json).as_bytes())?;
            }
            Self::Schema => out.write_all(schema().as_bytes())?,
        }
        out.flush()?;
        Ok(ExitCode::SUCCESS)
    }
}

fn written(document: &Document, in_json: bool) -> String {
    if in_json { json(document) } else { yaml(document) }
}

/// The documents of a file.
fn documents(path: &Path) -> Result<Vec<Document>, DeclareFailure> {
    let unread = |source| DeclareFailure::Unread { path: path.to_owned(), source };
    let limit = DOCUMENT_MAX_LEN as u64;
    let bytes = if path == Path::new("-") {
        io::stdin().as_fd().try_clone_to_owned().map(File::from)
    } else {
        File::open(path)
    };
    let bytes = bytes.and_then(|file| read_to_limit(file, limit));
    let text = String::from_utf8(bytes.map_err(unread)?);
    let text = text.map_err(|error| unread(io::Error::new(io::ErrorKind::InvalidData, error)))?;
    read(&text).map_err(|source| DeclareFailure::NoDocument { path: path.to_owned(), source })
}

impl AskedDaemon {
    fn apply(
        &self,
        document: Document,
        replace: bool,
        dry: bool,
    ) -> Result<lttngd::declared::Applied, DeclareFailure> {
        let apply = Apply { document, home: home(), replace, dry };
        match self.ask(&DeclareRequest::Apply(Box::new(apply)))? {
            DeclareReply::Applied(applied) => Ok(applied),
            _ => Err(DeclareFailure::Astray),
        }
    }

    /// Asks the first daemon that can be asked.
    fn ask(&self, request: &DeclareRequest) -> Result<DeclareReply, DeclareFailure> {
        let mut errors = Vec::new();
        for socket in daemon_sockets(self.socket.as_deref(), |config| config.declare_socket)? {
            match ask(&socket, request) {
                Ok(reply) => return Ok(reply),
                Err(error @ AskError::NotThere { .. }) => errors.push(error),
                Err(error) => return Err(DeclareFailure::NobodyAnswers(vec![error])),
            }
        }
        Err(DeclareFailure::NobodyAnswers(errors))
    }
}

/// Where this user's traces go unless something else is said: as LTTng's command line finds it.
fn home() -> Option<String> {
    let named = ["LTTNG_HOME", "HOME"].into_iter().filter_map(std::env::var_os);
    let named = named.into_iter().find(|value| !value.is_empty());
    let home = named.map(PathBuf::from).or_else(home_in_user_database)?;
    home.into_os_string().into_string().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn only_the_first_argument_is_the_word() {
        let args = |all: &[&str]| all.iter().map(OsString::from).collect::<Vec<_>>();
        for word in WORDS {
            assert!(is_meant(&args(&["lttngd", word])));
            assert!(!is_meant(&args(&["lttngd", "-b", word])));
        }
        let words: Vec<_> = commands().map(|it| it.get_name().to_owned()).collect();
        assert_eq!(words, WORDS);
    }

    #[test]
    fn a_file_without_end_is_not_read_to_its_end() {
        let error = documents(Path::new("/dev/zero")).unwrap_err().to_string();
        assert!(error.contains("/dev/zero"), "{error}");
    }
}
