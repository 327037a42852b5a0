//! One layer of settings, as the command line, a configuration file or the environment gives it.

use std::ffi::OsString;
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};

use clap::builder::{NonEmptyStringValueParser, OsStringValueParser, TypedValueParser};
use clap::{ArgAction, CommandFactory, FromArgMatches, Parser, parser::ValueSource};
use lttngd::config::ACTOR_THREADS_MAX;
use lttngd::{AgentPort, ClientVersion, Config, MetricsAddress};

use super::number::parse_c_integer;

/// Highest level of `--verbose`.
pub(super) const VERBOSE_MAX: u8 = 3;
/// Highest port and buffer size, as in `lttng-sessiond`.
const NUMBER_MAX: u16 = 65534;
/// What a process whose rights come from its file lets its caller choose, beside flags.
const HARMLESS_VALUES: [&str; 3] = [
    "event-notifier-error-buffer-size-kernel",
    "event-notifier-error-buffer-size-userspace",
    READINESS_FD,
];
/// The option that tells a process that it is the background part of another.
pub const READINESS_FD: &str = "readiness-fd";

/// Words that ask for something else than a daemon.
const AFTER_HELP: &str = "\
Instead of options:
  status              Show what goes on inside the daemon that runs
  apply FILE          Bring sessions to what a document says; diff FILE says what it would do
  get [SESSION]       Show documents that were applied; delete SESSION destroys the session too
  export SESSION      Write the document of a session; schema that of documents
  man [WORD]          Write the manual page
  completions SHELL   Write what completes command lines in a shell";

/// Session daemon for LTTng: takes the place of lttng-sessiond 2.13.
#[derive(Clone, Debug, Default, Eq, Parser, PartialEq)]
#[command(
    name = "lttngd",
    version = concat!(env!("CARGO_PKG_VERSION"), " (LTTng 2.13 protocol)"),
    after_help = AFTER_HELP,
    infer_long_args = true,
    args_override_self = true
)]
pub(super) struct Settings {
    /// Listen for clients on this Unix socket
    #[arg(short = 'c', long, value_name = "PATH")]
    client_sock: Option<PathBuf>,
    /// Listen for applications on this Unix socket
    #[arg(short = 'a', long, value_name = "PATH")]
    apps_sock: Option<PathBuf>,
    /// Command socket of the kernel consumer daemon
    #[arg(long, value_name = "PATH")]
    kconsumerd_cmd_sock: Option<PathBuf>,
    /// Error socket of the kernel consumer daemon
    #[arg(long, value_name = "PATH")]
    kconsumerd_err_sock: Option<PathBuf>,
    /// Command socket of the 32-bit consumer daemon
    #[arg(long, value_name = "PATH")]
    ustconsumerd32_cmd_sock: Option<PathBuf>,
    /// Error socket of the 32-bit consumer daemon
    #[arg(long, value_name = "PATH")]
    ustconsumerd32_err_sock: Option<PathBuf>,
    /// Command socket of the 64-bit consumer daemon
    #[arg(long, value_name = "PATH")]
    ustconsumerd64_cmd_sock: Option<PathBuf>,
    /// Error socket of the 64-bit consumer daemon
    #[arg(long, value_name = "PATH")]
    ustconsumerd64_err_sock: Option<PathBuf>,
    /// Program of the 32-bit consumer daemon
    #[arg(long, value_name = "PATH")]
    pub(super) consumerd32_path: Option<PathBuf>,
    /// Library directory of the 32-bit consumer daemon
    #[arg(long, value_name = "PATH")]
    pub(super) consumerd32_libdir: Option<PathBuf>,
    /// Program of the 64-bit consumer daemon
    #[arg(long, value_name = "PATH")]
    pub(super) consumerd64_path: Option<PathBuf>,
    /// Library directory of the 64-bit consumer daemon
    #[arg(long, value_name = "PATH")]
    pub(super) consumerd64_libdir: Option<PathBuf>,
    /// Run in the background, with standard input, output and error at /dev/null
    #[arg(short = 'd', long)]
    pub(super) daemonize: bool,
    /// Run in the background, keeping standard input, output and error
    #[arg(short = 'b', long)]
    pub(super) background: bool,
    /// Send SIGUSR1 to the parent process when ready
    #[arg(short = 'S', long)]
    pub(super) sig_parent: bool,
    /// Leave the listening sockets with the service manager, so that nobody is refused while it restarts the daemon
    #[arg(long)]
    pub(super) keep_sockets: bool,
    /// Leave sessions and triggers in the run directory for the next daemon that is started so, which goes on with them
    #[arg(long)]
    keep_sessions: bool,
    /// Group whose members may command a daemon that runs as root [default: tracing]
    #[arg(short = 'g', long, value_name = "GROUP", value_parser = NonEmptyStringValueParser::new())]
    group: Option<String>,
    /// Log more; up to three times
    #[arg(short = 'v', long, action = ArgAction::Count)]
    pub(super) verbose: u8,
    /// Make consumer daemons log more
    #[arg(long)]
    verbose_consumer: bool,
    /// Log nothing
    #[arg(short = 'q', long)]
    quiet: bool,
    /// Do without the kernel domain
    #[arg(long)]
    no_kernel: bool,
    /// Write the process id to this file
    #[arg(short = 'p', long = "pidfile", value_name = "PATH")]
    pid_file: Option<PathBuf>,
    /// TCP port of agents [default: first free of 5345 to 5354]
    #[arg(long, value_name = "PORT", value_parser = parse_number)]
    agent_tcp_port: Option<u16>,
    /// Read this configuration file, after those of the system and of the user
    #[arg(short = 'f', long, value_name = "PATH")]
    pub(super) config: Option<PathBuf>,
    /// Load sessions from this file or directory
    #[arg(short = 'l', long, value_name = "PATH")]
    load: Option<PathBuf>,
    /// Kernel probe modules to load, comma separated, instead of the built-in list
    #[arg(long, value_name = "PROBES", value_parser = NonEmptyStringValueParser::new())]
    pub(super) kmod_probes: Option<String>,
    /// Kernel probe modules to load besides, comma separated
    #[arg(long, value_name = "PROBES", value_parser = NonEmptyStringValueParser::new())]
    pub(super) extra_kmod_probes: Option<String>,
    /// Error counters of kernel event notifiers [default: 4096]
    #[arg(long, value_name = "COUNT", value_parser = parse_number)]
    event_notifier_error_buffer_size_kernel: Option<u16>,
    /// Error counters of user space event notifiers [default: 4096]
    #[arg(long, value_name = "COUNT", value_parser = parse_number)]
    event_notifier_error_buffer_size_userspace: Option<u16>,
    /// Have so many threads for actors; with more than one, applications have the others for themselves [default: 1]
    #[arg(long, value_name = "COUNT", value_parser = parse_threads)]
    actor_threads: Option<u16>,
    /// Let metrics be scraped (OpenMetrics) at this Unix socket or port of this machine, as 127.0.0.1:9464
    #[arg(long, value_name = "PATH|ADDRESS:PORT", value_parser = OsStringValueParser::new().try_map(|text| MetricsAddress::parse(&text)))]
    metrics: Option<MetricsAddress>,
    /// Take clients for this version of LTTng, 2.13 to 2.16, of which nothing else tells it [default: refuse them]
    #[arg(long, value_name = "VERSION")]
    unknown_client_version: Option<ClientVersion>,
    /// Descriptor on which the background process tells the waiting one that it is ready
    #[arg(long = READINESS_FD, hide = true)]
    pub(super) readiness_fd: Option<RawFd>,
    /// Arguments without a meaning
    #[arg(hide = true)]
    stray: Vec<OsString>,
}

/// What can be written on the daemon's command line.
pub fn command() -> clap::Command {
    Settings::command()
}

/// A port or a count, 1 to 65534, in C's notation.
fn parse_number(text: &str) -> Result<u16, String> {
    parse_c_integer(text)
        .and_then(|number| u16::try_from(number).ok())
        .filter(|number| (1..=NUMBER_MAX).contains(number))
        .ok_or_else(|| format!("a number from 1 to {NUMBER_MAX} is needed"))
}

/// A count of threads, in C's notation.
fn parse_threads(text: &str) -> Result<u16, String> {
    parse_c_integer(text)
        .and_then(|number| u16::try_from(number).ok())
        .filter(|number| (1..=ACTOR_THREADS_MAX).contains(number))
        .ok_or_else(|| format!("a number from 1 to {ACTOR_THREADS_MAX} is needed"))
}

/// Reads arguments, the first of which names the program. With `setuid` the values which the caller
/// of a privileged program must not choose are left out, each with a notice.
pub(super) fn from_args(
    args: &[OsString],
    setuid: bool,
    notices: &mut Vec<String>,
) -> Result<Settings, clap::Error> {
    let command = Settings::command();
    let matches = command.clone().try_get_matches_from(args)?;
    let settings = Settings::from_arg_matches(&matches)?;
    notices.extend(settings.stray.iter().map(|argument| {
        format!(
            "the argument \"{}\" is ignored: it belongs to no option",
            argument.to_string_lossy()
        )
    }));
    if !setuid {
        return Ok(settings);
    }
    for argument in command.get_arguments() {
        let Some(name) = argument.get_long() else { continue };
        let given =
            matches.value_source(argument.get_id().as_str()) == Some(ValueSource::CommandLine);
        if given && argument.get_action().takes_values() && !HARMLESS_VALUES.contains(&name) {
            notices.push(format!(
                "Getting '--{name}' argument from setuid/setgid binary refused for security reasons."
            ));
        }
    }
    Ok(settings.harmless())
}

/// Whether the option `name` exists in files, and if so whether it takes a value.
pub(super) fn takes_value(name: &str) -> Option<bool> {
    let command = Settings::command();
    let argument = command.get_arguments().find(|argument| argument.get_long() == Some(name))?;
    (name != READINESS_FD).then(|| argument.get_action().takes_values())
}

impl Settings {
    /// Only what the caller of a privileged program may choose.
    fn harmless(self) -> Self {
        Self {
            daemonize: self.daemonize,
            background: self.background,
            sig_parent: self.sig_parent,
            keep_sockets: self.keep_sockets,
            keep_sessions: self.keep_sessions,
            verbose: self.verbose,
            verbose_consumer: self.verbose_consumer,
            quiet: self.quiet,
            no_kernel: self.no_kernel,
            actor_threads: self.actor_threads,
            event_notifier_error_buffer_size_kernel: self.event_notifier_error_buffer_size_kernel,
            event_notifier_error_buffer_size_userspace: self
                .event_notifier_error_buffer_size_userspace,
            readiness_fd: self.readiness_fd,
            ..Self::default()
        }
    }

    /// This layer's settings, and `below`'s where this one has none. Flags add up, and so does the
    /// level of `--verbose`.
    pub(super) fn over(self, below: Self) -> Self {
        Self {
            client_sock: self.client_sock.or(below.client_sock),
            apps_sock: self.apps_sock.or(below.apps_sock),
            kconsumerd_cmd_sock: self.kconsumerd_cmd_sock.or(below.kconsumerd_cmd_sock),
            kconsumerd_err_sock: self.kconsumerd_err_sock.or(below.kconsumerd_err_sock),
            ustconsumerd32_cmd_sock: self.ustconsumerd32_cmd_sock.or(below.ustconsumerd32_cmd_sock),
            ustconsumerd32_err_sock: self.ustconsumerd32_err_sock.or(below.ustconsumerd32_err_sock),
            ustconsumerd64_cmd_sock: self.ustconsumerd64_cmd_sock.or(below.ustconsumerd64_cmd_sock),
            ustconsumerd64_err_sock: self.ustconsumerd64_err_sock.or(below.ustconsumerd64_err_sock),
            consumerd32_path: self.consumerd32_path.or(below.consumerd32_path),
            consumerd32_libdir: self.consumerd32_libdir.or(below.consumerd32_libdir),
            consumerd64_path: self.consumerd64_path.or(below.consumerd64_path),
            consumerd64_libdir: self.consumerd64_libdir.or(below.consumerd64_libdir),
            daemonize: self.daemonize || below.daemonize,
            background: self.background || below.background,
            sig_parent: self.sig_parent || below.sig_parent,
            keep_sockets: self.keep_sockets || below.keep_sockets,
            keep_sessions: self.keep_sessions || below.keep_sessions,
            group: self.group.or(below.group),
            verbose: self.verbose.saturating_add(below.verbose).min(VERBOSE_MAX),
            verbose_consumer: self.verbose_consumer || below.verbose_consumer,
            quiet: self.quiet || below.quiet,
            no_kernel: self.no_kernel || below.no_kernel,
            pid_file: self.pid_file.or(below.pid_file),
            agent_tcp_port: self.agent_tcp_port.or(below.agent_tcp_port),
            config: self.config.or(below.config),
            load: self.load.or(below.load),
            kmod_probes: self.kmod_probes.or(below.kmod_probes),
            extra_kmod_probes: self.extra_kmod_probes.or(below.extra_kmod_probes),
            event_notifier_error_buffer_size_kernel: self
                .event_notifier_error_buffer_size_kernel
                .or(below.event_notifier_error_buffer_size_kernel),
            event_notifier_error_buffer_size_userspace: self
                .event_notifier_error_buffer_size_userspace
                .or(below.event_notifier_error_buffer_size_userspace),
            actor_threads: self.actor_threads.or(below.actor_threads),
            metrics: self.metrics.or(below.metrics),
            unknown_client_version: self.unknown_client_version.or(below.unknown_client_version),
            readiness_fd: self.readiness_fd.or(below.readiness_fd),
            stray: self.stray,
        }
    }

    /// Lays these settings over `config`. Relative paths start from `working_dir`.
    pub(super) fn apply_to(self, mut config: Config, working_dir: &Path) -> Config {
        let set = |target: &mut PathBuf, path: Option<PathBuf>| {
            if let Some(path) = path {
                *target = working_dir.join(path);
            }
        };
        let set_some = |target: &mut Option<PathBuf>, path: Option<PathBuf>| {
            if let Some(path) = path {
                *target = Some(working_dir.join(path));
            }
        };
        set_some(&mut config.client_socket, self.client_sock);
        set(&mut config.apps_socket, self.apps_sock);
        set(&mut config.kconsumerd.cmd_sock, self.kconsumerd_cmd_sock);
        set(&mut config.kconsumerd.err_sock, self.kconsumerd_err_sock);
        set(&mut config.consumerd32.cmd_sock, self.ustconsumerd32_cmd_sock);
        set(&mut config.consumerd32.err_sock, self.ustconsumerd32_err_sock);
        set(&mut config.consumerd64.cmd_sock, self.ustconsumerd64_cmd_sock);
        set(&mut config.consumerd64.err_sock, self.ustconsumerd64_err_sock);
        set_some(&mut config.consumerd32.binary, self.consumerd32_path);
        set_some(&mut config.consumerd32.libdir, self.consumerd32_libdir);
        // The kernel's consumer daemon is the same program, of whoever names it.
        set_some(&mut config.kconsumerd.binary, self.consumerd64_path.clone());
        set_some(&mut config.consumerd64.binary, self.consumerd64_path);
        set_some(&mut config.consumerd64.libdir, self.consumerd64_libdir);
        set(&mut config.pid_file, self.pid_file);
        set_some(&mut config.load_path, self.load);
        config.metrics = self.metrics.map(|it| it.from(working_dir)).or(config.metrics);
        config.unknown_client_version =
            self.unknown_client_version.or(config.unknown_client_version);
        config.tracing_group = self.group.unwrap_or(config.tracing_group);
        config.verbose = self.verbose.min(VERBOSE_MAX);
        config.verbose_consumer = self.verbose_consumer;
        config.quiet = self.quiet;
        config.no_kernel = self.no_kernel;
        config.keep_sessions = self.keep_sessions;
        config.actor_threads = self.actor_threads.unwrap_or(config.actor_threads);
        config.agent_port = self.agent_tcp_port.map_or(config.agent_port, AgentPort::Only);
        config.kmod_probes = self.kmod_probes;
        config.extra_kmod_probes = self.extra_kmod_probes;
        config.event_notifier_error_buffer_size_kernel = self
            .event_notifier_error_buffer_size_kernel
            .unwrap_or(config.event_notifier_error_buffer_size_kernel);
        config.event_notifier_error_buffer_size_userspace = self
            .event_notifier_error_buffer_size_userspace
            .unwrap_or(config.event_notifier_error_buffer_size_userspace);
        config
    }
}
