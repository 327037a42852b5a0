#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::time::Duration;

use lttngd::{AgentPort, ClientVersion, MetricsAddress};

use super::*;

/// A user's process with a home, and what a case changes.
#[derive(Default)]
struct Case {
    variables: HashMap<&'static str, &'static str>,
    files: HashMap<&'static str, &'static str>,
    root: bool,
    setuid: bool,
    homeless: bool,
}

impl Surroundings for Case {
    fn variable(&self, name: &str) -> Option<OsString> {
        self.variables.get(name).map(OsString::from)
    }

    fn read_file(&self, path: &Path) -> io::Result<String> {
        let content = self.files.get(path.to_str().unwrap());
        content.map(ToString::to_string).ok_or(io::ErrorKind::NotFound.into())
    }

    fn is_root(&self) -> bool {
        self.root
    }

    fn is_setuid(&self) -> bool {
        self.setuid
    }

    fn home_in_user_database(&self) -> Option<PathBuf> {
        (!self.homeless).then(|| "/home/db".into())
    }

    fn working_dir(&self) -> PathBuf {
        "/start/dir".into()
    }
}

impl Case {
    fn variables(mut self, variables: &[(&'static str, &'static str)]) -> Self {
        self.variables.extend(variables.iter().copied());
        self
    }

    fn file(mut self, path: &'static str, content: &'static str) -> Self {
        self.files.insert(path, content);
        self
    }

    fn parse(&self, args: &[&str]) -> Result<Invocation, OptionsError> {
        let args: Vec<OsString> =
            std::iter::once(&"lttngd").chain(args).map(OsString::from).collect();
        parse(&args, self)
    }

    fn start(&self, args: &[&str]) -> Options {
        match self.parse(args) {
            Ok(Invocation::Start(options)) => *options,
            other => panic!("{args:?}: {other:?}"),
        }
    }
}

const USER_FILE: &str = "/home/db/.lttng/lttng.conf";

#[test]
fn a_users_daemon_lives_below_the_home() {
    let homes: [(&[(&str, &str)], &str); 5] = [
        (&[], "/home/db"),
        (&[("HOME", "/home/env")], "/home/env"),
        (&[("HOME", "/home/env"), ("LTTNG_HOME", "/lttng")], "/lttng"),
        (&[("HOME", "/home/env"), ("LTTNG_HOME", "")], "/home/env"),
        (&[("HOME", "relative")], "/start/dir/relative"),
    ];
    for (variables, home) in homes {
        let config = Case::default().variables(variables).start(&[]).config;
        let run_dir = Path::new(home).join(".lttng");
        assert_eq!(config.home.as_deref(), Some(Path::new(home)));
        assert_eq!(config.run_dir, run_dir);
        assert_eq!(config.client_socket, Some(run_dir.join("client-lttng-sessiond")));
        assert_eq!(config.apps_socket, run_dir.join("lttng-ust-sock-8"));
        assert_eq!(config.pid_file, run_dir.join("lttng-sessiond.pid"));
        assert_eq!(config.lock_file, run_dir.join("lttng-sessiond.lck"));
        assert_eq!(config.consumerd64.cmd_sock, run_dir.join("ustconsumerd64/command"));
        assert_eq!(config.kconsumerd.err_sock, run_dir.join("kconsumerd/error"));
        assert_eq!(config.kconsumerd.binary, config.consumerd64.binary, "both are this program");
        let uid = rustix::process::getuid().as_raw();
        assert_eq!(config.wait_shm_name, format!("/lttng-ust-wait-8-{uid}"));
        assert!(!config.is_root);
    }
}

#[test]
fn roots_daemon_is_the_systems() {
    let case = Case { root: true, homeless: true, ..Case::default() };
    let config = case.start(&[]).config;
    assert!(config.is_root);
    assert_eq!(config.home, None);
    assert_eq!(config.run_dir, Path::new("/var/run/lttng"));
    assert_eq!(config.wait_shm_name, "/lttng-ust-wait-8");
    assert_eq!(config.tracing_group, "tracing");
}

#[test]
fn a_user_without_a_home_has_no_daemon() {
    let case = Case { homeless: true, ..Case::default() };
    assert!(matches!(case.parse(&[]), Err(OptionsError::HomeUnknown(_))));
}

#[test]
fn the_command_line_wins_over_files_and_files_over_the_environment() {
    let environment = [("LTTNG_CONSUMERD64_BIN", "/env"), ("LTTNG_CONSUMERD32_BIN", "bin32")];
    let system = "[sessiond]\nconsumerd64-path = /system\n";
    let user = "[sessiond]\nconsumerd64-path = /user\n[other]\nconsumerd64-path = /other\n";
    let named = "[sessiond]\nconsumerd64-path: named\n";
    let mut case = Case::default().variables(&environment);
    let binary = |case: &Case, args: &[&str]| case.start(args).config.consumerd64.binary.unwrap();

    assert_eq!(binary(&case, &[]), Path::new("/env"));
    assert_eq!(
        case.start(&[]).config.consumerd32.binary.as_deref(),
        Some(Path::new("/start/dir/bin32"))
    );
    case = case.file(SYSTEM_CONFIG_FILE, system);
    assert_eq!(binary(&case, &[]), Path::new("/system"));
    case = case.file(USER_FILE, user);
    assert_eq!(binary(&case, &[]), Path::new("/user"));
    case = case.file("/start/dir/my.conf", named);
    assert_eq!(binary(&case, &["-f", "my.conf"]), Path::new("/start/dir/named"));
    assert_eq!(
        binary(&case, &["--consumerd64-path=../cmd", "--config", "/start/dir/my.conf"]),
        Path::new("/start/dir/../cmd")
    );
}

type PathField = fn(&Config) -> Option<&PathBuf>;
type Check = fn(&Config) -> bool;

#[test]
fn every_option_reaches_the_configuration() {
    let paths: [(&str, PathField); 15] = [
        ("client-sock", |c| c.client_socket.as_ref()),
        ("apps-sock", |c| Some(&c.apps_socket)),
        ("kconsumerd-cmd-sock", |c| Some(&c.kconsumerd.cmd_sock)),
        ("kconsumerd-err-sock", |c| Some(&c.kconsumerd.err_sock)),
        ("ustconsumerd32-cmd-sock", |c| Some(&c.consumerd32.cmd_sock)),
        ("ustconsumerd32-err-sock", |c| Some(&c.consumerd32.err_sock)),
        ("ustconsumerd64-cmd-sock", |c| Some(&c.consumerd64.cmd_sock)),
        ("ustconsumerd64-err-sock", |c| Some(&c.consumerd64.err_sock)),
        ("consumerd32-path", |c| c.consumerd32.binary.as_ref()),
        ("consumerd32-libdir", |c| c.consumerd32.libdir.as_ref()),
        ("consumerd64-path", |c| c.consumerd64.binary.as_ref()),
        ("consumerd64-path", |c| c.kconsumerd.binary.as_ref()),
        ("consumerd64-libdir", |c| c.consumerd64.libdir.as_ref()),
        ("pidfile", |c| Some(&c.pid_file)),
        ("load", |c| c.load_path.as_ref()),
    ];
    for (name, field) in paths {
        let config = Case::default().start(&[&format!("--{name}"), "some/path"]).config;
        assert_eq!(field(&config).unwrap(), Path::new("/start/dir/some/path"), "{name}");
        let empty = Case::default().parse(&[&format!("--{name}="), "-v"]);
        assert!(matches!(empty, Err(OptionsError::CommandLine(_))), "{name}: {empty:?}");
        let refused = Case { setuid: true, root: true, ..Case::default() };
        let refused = refused.start(&[&format!("--{name}=/some/path")]);
        assert_ne!(field(&refused.config).unwrap_or(&PathBuf::new()), Path::new("/some/path"));
        assert!(refused.notices[0].contains(&format!("'--{name}'")), "{:?}", refused.notices);
    }
    let values: [(&[&str], Check); 13] = [
        (&["--group", "g"], |c| c.tracing_group == "g"),
        (&["--agent-tcp-port=0x10"], |c| c.agent_port == AgentPort::Only(16)),
        (&["--kmod-probes=a,b"], |c| c.kmod_probes.as_deref() == Some("a,b")),
        (&["--extra-kmod-probes", "c"], |c| c.extra_kmod_probes.as_deref() == Some("c")),
        (&["--event-notifier-error-buffer-size-kernel=7"], |c| {
            c.event_notifier_error_buffer_size_kernel == 7
        }),
        (&["--event-notifier-error-buffer-size-userspace=65534"], |c| {
            c.event_notifier_error_buffer_size_userspace == 65534
        }),
        (&["--metrics=[::1]:9464"], |c| {
            c.metrics == "[::1]:9464".parse().ok().map(MetricsAddress::Tcp)
        }),
        (&["--metrics", "some/path"], |c| {
            c.metrics == Some(MetricsAddress::Unix("/start/dir/some/path".into()))
        }),
        (&["--unknown-client-version=2.14"], |c| {
            c.unknown_client_version == Some(ClientVersion::V2_14)
        }),
        (&["--actor-threads=4"], |c| c.actor_threads == 4),
        (&["--quiet"], |c| c.quiet),
        (&["--no-kernel"], |c| c.no_kernel),
        (&["--verbose-consumer"], |c| c.verbose_consumer && c.verbose == 0),
    ];
    for (args, holds) in values {
        assert!(!holds(&Case::default().start(&[]).config), "{args:?}");
        assert!(holds(&Case::default().start(args).config), "{args:?}");
    }
}

#[test]
fn short_options_cluster_repeat_and_may_be_abbreviated_when_long() {
    let case = Case::default();
    for (args, level) in
        [(&["-v"][..], 1), (&["-vv"], 2), (&["-vvvvv"], 3), (&["-v", "--verbose", "--verbose"], 3)]
    {
        assert_eq!(case.start(args).config.verbose, level, "{args:?}");
    }
    let options = case.start(&["-dSq", "-gfirst", "-g", "second", "--no-k", "-c/c", "-a", "/a"]);
    assert_eq!(options.detach, Some(Detach::Daemonize));
    assert!(options.sig_parent && options.config.quiet && options.config.no_kernel);
    assert_eq!(options.config.tracing_group, "second");
    assert_eq!(options.config.client_socket.as_deref(), Some(Path::new("/c")));
    assert_eq!(options.config.apps_socket, Path::new("/a"));
    assert_eq!(case.start(&["-b", "-d"]).detach, Some(Detach::Background));
    assert_eq!(case.start(&[]).detach, None);
    assert_eq!(case.start(&["-d", "--readiness-fd=7"]).readiness_fd, Some(7));
}

#[test]
fn wrong_command_lines_are_errors() {
    let wrong: [&[&str]; 14] = [
        &["--unknown"],
        &["-x"],
        &["--client-sock"],
        &["-g", ""],
        &["--kmod-probes="],
        &["--agent-tcp-port=0"],
        &["--agent-tcp-port=65535"],
        &["--agent-tcp-port=port"],
        &["--metrics=0.0.0.0:9464"],
        &["--metrics=9464"],
        &["--actor-threads=0"],
        &["--actor-threads=65"],
        &["--event-notifier-error-buffer-size-kernel=65535"],
        &["--quiet=yes"],
    ];
    for args in wrong {
        let result = Case::default().parse(args);
        assert!(matches!(result, Err(OptionsError::CommandLine(_))), "{args:?}: {result:?}");
    }
    let missing = Case::default().parse(&["-f", "missing.conf"]);
    assert!(matches!(missing, Err(OptionsError::ConfigFile { .. })), "{missing:?}");
}

#[test]
fn help_and_version_are_printed() {
    for (argument, expected) in
        [("-V", "LTTng 2.13"), ("--version", "lttngd "), ("-h", "--daemonize"), ("--help", "-S")]
    {
        match Case::default().parse(&[argument]) {
            Ok(Invocation::Print(text)) => assert!(text.contains(expected), "{text}"),
            other => panic!("{argument}: {other:?}"),
        }
    }
}

#[test]
fn flags_in_files_need_a_value_that_means_yes() {
    let flags = [
        ("yes", Some(1), 0),
        ("TRUE", Some(1), 0),
        ("on", Some(1), 0),
        ("2", Some(2), 0),
        ("4294967295", Some(3), 0),
        ("0", Some(0), 0),
        ("no", Some(0), 0),
        ("False", Some(0), 0),
        ("perhaps", None, 2),
    ];
    for (value, level, notices) in flags {
        let content: &'static str = Box::leak(
            format!("[sessiond]\nverbose={value}\nbackground = {value}\n").into_boxed_str(),
        );
        let options = Case::default().file(USER_FILE, content).start(&[]);
        assert_eq!(options.config.verbose, level.unwrap_or(0), "{value}");
        assert_eq!(options.detach.is_some(), level.is_some_and(|l| l > 0), "{value}");
        assert_eq!(options.notices.len(), notices, "{value}: {:?}", options.notices);
    }
}

#[test]
fn a_file_sets_the_level_and_the_command_line_adds_to_it() {
    let case = Case::default()
        .file(SYSTEM_CONFIG_FILE, "[sessiond]\nverbose=3\n")
        .file(USER_FILE, "[sessiond]\nverbose=1\n");
    assert_eq!(case.start(&[]).config.verbose, 1);
    assert_eq!(case.start(&["-v"]).config.verbose, 2);
}

#[test]
fn wrong_entries_of_a_file_leave_the_others_alone() {
    let content = "; comment\n[sessiond]\nhelp=1\nversion=yes\nconfig=/x\nunknown=1\n\
                   agent-tcp-port=none\nclient-sock=\nreadiness-fd=0\nverb=1\n\
                   # comment\npidfile = \"a b\"\n";
    let options = Case::default().file(USER_FILE, content).start(&[]);
    assert_eq!(options.config.pid_file, Path::new("/start/dir/\"a b\""));
    assert_eq!(options.readiness_fd, None);
    for named in ["unknown", "agent-tcp-port", "client-sock", "readiness-fd", "verb"] {
        assert!(options.notices.iter().any(|notice| notice.contains(named)), "{named}");
    }
    assert_eq!(options.notices.len(), 5, "{:?}", options.notices);

    let broken = Case::default().file(USER_FILE, "[sessiond\nverbose=1\n").start(&[]);
    assert_eq!(broken.notices.len(), 1, "{:?}", broken.notices);
}

#[test]
fn timeouts_come_from_the_environment() {
    let default = Some(Duration::from_secs(5));
    let apps = [
        ("7", Some(Duration::from_secs(7)), 0),
        ("0", None, 0),
        ("-1", None, 0),
        ("-2", default, 1),
        ("soon", default, 1),
        ("", default, 0),
    ];
    for (value, expected, notices) in apps {
        let options = Case::default().variables(&[("LTTNG_APP_SOCKET_TIMEOUT", value)]).start(&[]);
        assert_eq!(options.config.app_socket_timeout, expected, "{value:?}");
        assert_eq!(options.notices.len(), notices, "{value:?}");
    }
    let network = |value| {
        let case = Case::default().variables(&[("LTTNG_NETWORK_SOCKET_TIMEOUT", value)]);
        case.start(&[]).config.network_socket_timeout
    };
    assert_eq!(network("1500"), Some(Duration::from_millis(1500)));
    assert_eq!(network("0"), None);
    assert_eq!(network("-1"), None);
}

#[test]
fn what_has_no_effect_is_said() {
    let options = Case::default()
        .variables(&[("LTTNG_KMOD_PROBES", "x")])
        .start(&["--event-notifier-error-buffer-size-kernel=5", "stray"]);
    assert!(options.notices.iter().any(|notice| notice.contains("stray")));
    assert_eq!(options.notices.len(), 1, "{:?}", options.notices);
    assert_eq!(options.config.kmod_probes.as_deref(), Some("x"), "it has one");
}

#[test]
fn a_privileged_program_takes_no_path_from_its_caller() {
    let case = Case { setuid: true, root: true, ..Case::default() }
        .variables(&[
            ("HOME", "/evil"),
            ("LTTNG_CONSUMERD64_BIN", "/evil"),
            ("LTTNG_KMOD_PROBES", "evil"),
        ])
        .file("/evil/.lttng/lttng.conf", "[sessiond]\nverbose=1\n")
        .file(SYSTEM_CONFIG_FILE, "[sessiond]\ngroup=evil\n");
    let options = case.start(&["-d", "-f", "/missing", "-v"]);
    assert_eq!(options.config.home.as_deref(), Some(Path::new("/home/db")));
    assert_ne!(options.config.consumerd64.binary.as_deref(), Some(Path::new("/evil")));
    assert_eq!(options.config.kmod_probes, None, "modules are nobody else's choice");
    assert_eq!(options.config.tracing_group, "tracing");
    assert_eq!(options.config.verbose, 1);
    assert_eq!(options.detach, Some(Detach::Daemonize));
    assert_eq!(options.notices.len(), 2, "{:?}", options.notices);
}

#[test]
fn the_clock_plugin_comes_from_the_environment() {
    let library = |value, setuid| {
        let case =
            Case { setuid, ..Case::default() }.variables(&[("LTTNG_UST_CLOCK_PLUGIN", value)]);
        case.start(&[]).config.clock_plugin.map(|plugin| plugin.library)
    };
    assert_eq!(library("/a/clock.so", false), Some("/a/clock.so".into()));
    assert_eq!(library("./clock.so", false), Some("/start/dir/./clock.so".into()));
    // The dynamic linker looks for it.
    assert_eq!(library("clock.so", false), Some("clock.so".into()));
    assert_eq!(library("", false), None);
    assert_eq!(library("/a/clock.so", true), None);
}
