//! The command line of `lttng-consumerd`, as a session daemon gives it.

use std::{ffi::OsString, path::PathBuf};

use clap::{ArgAction, Parser};

/// The name by which a program is told to take this role.
pub const PROGRAM: &str = "lttng-consumerd";

/// Consumer daemon for LTTng: takes the place of lttng-consumerd 2.13 for user-space applications.
#[derive(Clone, Debug, Eq, Parser, PartialEq)]
#[command(
    name = PROGRAM,
    version = concat!(env!("CARGO_PKG_VERSION"), " (LTTng 2.13 protocol)"),
    args_override_self = true,
    disable_version_flag = true
)]
pub struct Options {
    /// Listen for the session daemon's commands on this Unix socket
    #[arg(short = 'c', long, value_name = "PATH")]
    pub consumerd_cmd_sock: Option<PathBuf>,
    /// Announce readiness and errors on this Unix socket
    #[arg(short = 'e', long, value_name = "PATH")]
    pub consumerd_err_sock: Option<PathBuf>,
    /// Run in the background
    #[arg(short = 'd', long)]
    pub daemonize: bool,
    /// Log nothing
    #[arg(short = 'q', long)]
    pub quiet: bool,
    /// Log everything
    #[arg(short = 'v', long)]
    pub verbose: bool,
    /// Group that may ask a daemon of root for its health
    #[arg(short = 'g', long, value_name = "GROUP", default_value = "tracing")]
    pub group: String,
    /// Consume the buffers of the kernel
    #[arg(short = 'k', long, overrides_with = "ust")]
    pub kernel: bool,
    /// Consume the buffers of applications
    #[arg(short = 'u', long, overrides_with = "kernel")]
    pub ust: bool,
    /// Print the version
    #[arg(short = 'V', long, action = ArgAction::Version)]
    version: Option<bool>,
    /// Arguments without a meaning: a session daemon that sets no level of logging passes an empty one
    #[arg(hide = true)]
    stray: Vec<OsString>,
}

/// Whether the command line `args` means this role.
#[must_use]
pub fn is_meant(args: &[OsString]) -> bool {
    args.first()
        .and_then(|program| std::path::Path::new(program).file_name())
        .is_some_and(|name| name == PROGRAM)
}

impl Options {
    /// Reads a command line. Its paths are left out when the rights of the process come from its file
    /// instead of its caller, who then must not choose them.
    ///
    /// # Errors
    /// What is wrong, or the text that was asked for (help, version).
    pub fn parse_from_args(args: &[OsString], is_setuid: bool) -> Result<Self, clap::Error> {
        let mut options = Self::try_parse_from(args)?;
        if is_setuid {
            options.consumerd_cmd_sock = None;
            options.consumerd_err_sock = None;
            "tracing".clone_into(&mut options.group);
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn parse(args: &[&str]) -> Result<Options, clap::Error> {
        let args: Vec<OsString> = args.iter().map(OsString::from).collect();
        Options::parse_from_args(&args, false)
    }

    #[test]
    fn the_stock_session_daemons_command_line() {
        let options = parse(&[
            "lttng-consumerd",
            "",
            "-u",
            "--consumerd-cmd-sock",
            "/r/command",
            "--consumerd-err-sock",
            "/r/error",
            "--group",
            "tracing",
        ])
        .unwrap();
        assert!(options.ust && !options.kernel && !options.verbose && !options.quiet);
        assert_eq!(options.consumerd_cmd_sock, Some("/r/command".into()));
        assert_eq!(options.consumerd_err_sock, Some("/r/error".into()));
        assert_eq!(options.group, "tracing");
    }

    #[test]
    fn short_options_and_the_last_domain_wins() {
        let options = parse(&["lttng-consumerd", "-kvd", "-u", "-c", "/c", "-e", "/e", "-g", "g"]);
        let options = options.unwrap();
        assert!(options.ust && !options.kernel && options.verbose && options.daemonize);
        assert_eq!(options.group, "g");
        assert!(parse(&["lttng-consumerd", "--unknown"]).is_err());
    }

    #[test]
    fn paths_are_not_chosen_by_the_caller_of_a_privileged_program() {
        let args: Vec<OsString> =
            ["x", "-u", "-c", "/c", "-e", "/e", "-g", "g"].iter().map(OsString::from).collect();
        let options = Options::parse_from_args(&args, true).unwrap();
        assert_eq!(options.consumerd_cmd_sock, None);
        assert_eq!(options.consumerd_err_sock, None);
        assert_eq!(options.group, "tracing");
    }

    #[test]
    fn the_role_goes_by_the_name() {
        let named = |name: &str| is_meant(&[OsString::from(name)]);
        assert!(named("lttng-consumerd") && named("/x/lttng-consumerd"));
        assert!(!named("lttngd") && !named("lttng-consumerd/") || named("lttng-consumerd/"));
        assert!(!is_meant(&[]));
    }
}
