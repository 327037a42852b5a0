//! `lttngd status`: asks the daemon that runs what goes on inside, and shows it.

use std::{
    ffi::OsString,
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::{Command, CommandFactory, Parser};
use lttngd::status::{self, AskError};
use lttngd::{Config, GetStatus, Status, Versioned};

/// The word that is the first argument.
pub const WORD: &str = "status";

/// Shows what goes on inside the session daemon that runs: root's, where this user may ask it, else his own.
#[derive(Clone, Debug, Eq, Parser, PartialEq)]
#[command(name = "lttngd status")]
struct Look {
    /// Write JSON, as docs/status.schema.json describes it
    #[arg(long)]
    json: bool,
    /// Show it again every so many seconds, until it is interrupted [default: 2]
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "2", value_parser = seconds)]
    watch: Option<Duration>,
    /// Show what users hold of what there is only so much of, and who was refused
    #[arg(long)]
    users: bool,
    /// Ask at this Unix socket
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
}

/// Why there is nothing to show.
#[derive(Debug, thiserror::Error)]
enum LookError {
    #[error("{}", lines(.0))]
    NobodyAnswers(Vec<AskError>),
    #[error("rights that come from the program's file are not for looking at the daemon of others")]
    Setuid,
    #[error("it cannot be written: {0}")]
    Unwritten(#[from] io::Error),
    #[error(transparent)]
    NoHome(#[from] NoHome),
}

/// There is no place where a daemon of this user would be.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error(
    "there is no home directory in which there would be a daemon's socket; name it with --socket"
)]
pub struct NoHome;

/// Where daemons may be asked, one after the other, as the command line of LTTng looks for them: at the socket that is
/// `named`, else at that of root's daemon and at that of this user's own.
pub fn daemon_sockets(
    named: Option<&Path>,
    socket: fn(Config) -> Option<PathBuf>,
) -> Result<Vec<PathBuf>, NoHome> {
    if let Some(named) = named {
        return Ok(vec![named.to_owned()]);
    }
    let of_root = Config::for_user(true, None).ok().and_then(socket);
    let own = if rustix::process::getuid().is_root() {
        None
    } else {
        socket(Config::for_current_user().map_err(|_| NoHome)?)
    };
    Ok(of_root.into_iter().chain(own).collect())
}

fn lines(errors: &[AskError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// A time of a tenth of a second to an hour.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "a number of seconds is needed".to_owned())?;
    if (0.1..=3600.0).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err("a number from 0.1 to 3600 is needed".to_owned())
    }
}

/// What can be written on its command line.
pub fn command() -> Command {
    Look::command()
}

/// Whether the arguments of the process ask for this.
pub fn is_meant(args: &[OsString]) -> bool {
    args.get(1).is_some_and(|word| word == WORD)
}

/// Does what the arguments ask.
pub fn main(args: &[OsString], is_setuid: bool) -> ExitCode {
    let look = match Look::try_parse_from(&args[1..]) {
        Ok(look) => look,
        Err(text) => {
            // Nothing is left to do when this cannot be written.
            let _ = text.print();
            return if text.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
        }
    };
    let looked = if is_setuid { Err(LookError::Setuid) } else { look.run() };
    match looked {
        Ok(()) => ExitCode::SUCCESS,
        // Who reads has seen enough.
        Err(LookError::Unwritten(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(error) => {
            // Nothing is left to do when this cannot be written.
            let _ = writeln!(io::stderr(), "lttngd status: {error}");
            ExitCode::FAILURE
        }
    }
}

impl Look {
    fn run(self) -> Result<(), LookError> {
        let sockets = daemon_sockets(self.socket.as_deref(), |config| config.status_socket)?;
        let clears = self.watch.is_some() && !self.json && io::stdout().is_terminal();
        loop {
            let status = ask_first(&sockets, GetStatus { users: self.users })?;
            let shown = if self.json { json(status)? } else { status::table(&status) };
            let mut out = io::stdout().lock();
            if clears {
                // To the first line, and what is below it away.
                out.write_all(b"\x1b[H\x1b[J")?;
            }
            out.write_all(shown.as_bytes())?;
            let Some(pause) = self.watch else { return Ok(out.flush()?) };
            if !self.json && !clears {
                out.write_all(b"\n")?;
            }
            out.flush()?;
            drop(out);
            std::thread::sleep(pause);
        }
    }
}

/// The status of the first daemon that can be asked.
fn ask_first(sockets: &[PathBuf], request: GetStatus) -> Result<Status, LookError> {
    let mut errors = Vec::new();
    for socket in sockets {
        match status::ask(Path::new(socket), request) {
            Ok(status) => return Ok(status),
            Err(error @ AskError::NotThere { .. }) => errors.push(error),
            Err(error) => return Err(LookError::NobodyAnswers(vec![error])),
        }
    }
    Err(LookError::NobodyAnswers(errors))
}

fn json(status: Status) -> Result<String, LookError> {
    let written = serde_json::to_string(&Versioned::new(status)).map_err(io::Error::from)?;
    Ok(written + "\n")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn parse(args: &[&str]) -> Result<Look, String> {
        Look::try_parse_from([&["status"], args].concat()).map_err(|error| error.to_string())
    }

    #[test]
    fn it_is_looked_once_or_every_so_many_seconds() {
        assert_eq!(parse(&[]).unwrap().watch, None);
        assert_eq!(parse(&["--watch"]).unwrap().watch, Some(Duration::from_secs(2)));
        assert_eq!(parse(&["--watch", "0.5"]).unwrap().watch, Some(Duration::from_millis(500)));
        for wrong in ["0", "-1", "nan", "1e9", "soon"] {
            assert!(parse(&["--watch", wrong]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_the_first_argument_is_the_word() {
        let args = |all: &[&str]| all.iter().map(OsString::from).collect::<Vec<_>>();
        assert!(is_meant(&args(&["lttngd", "status"])));
        assert!(is_meant(&args(&["lttngd", "status", "--json"])));
        assert!(!is_meant(&args(&["lttngd"])) && !is_meant(&args(&["lttngd", "-b", "status"])));
    }

    #[test]
    fn a_daemon_that_is_not_there_is_named() {
        let error = ask_first(&["/nowhere/socket".into()], GetStatus::default()).unwrap_err();
        assert!(error.to_string().contains("no daemon can be asked at /nowhere/socket"), "{error}");
    }
}
