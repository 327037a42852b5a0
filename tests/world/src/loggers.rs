//! Programs that log, with LTTng-UST's agents in them: `tests/apps/loggers.py` and `Loggers.java`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::Arena;
use super::program::{Program, built, sources};

/// Debian's, for which its package has the agent.
const PYTHON: &str = "/usr/bin/python3";
/// Where Debian puts the classes.
const JARS: &str = "/usr/share/java";

impl Program {
    /// Starts the Python program and waits until it has registered, or given up.
    pub fn python(arena: &Arena) -> Program {
        let found = Command::new(PYTHON).args(["-c", "import lttngust.version"]).status();
        assert!(
            found.is_ok_and(|status| status.success()),
            "no agent for Python: apt-get install python3-lttngust (or run `make test`)"
        );
        let mut command = arena.command(PYTHON);
        // Milliseconds until it looks again for a daemon that went.
        command.env("LTTNG_UST_PYTHON_REGISTER_RETRY_DELAY", "50");
        command.arg(sources().join("loggers.py"));
        let mut program = Program::spawn(command);
        program.tell("registered");
        program
    }

    /// Starts the Java program, which logs by `api` (`jul` or `log4j`), and waits until it has registered
    /// or given up. `None` where there is no JDK or no agent for Java: both are large, and nothing else
    /// needs them.
    pub fn java(arena: &Arena, api: &str) -> Option<Program> {
        let loggers = loggers()?;
        let mut command = arena.command("java");
        command.arg("-cp").arg(classes(&loggers)).arg(libraries()?).args(["Loggers", api]);
        let mut program = Program::spawn(command);
        program.tell("registered");
        Some(program)
    }
}

/// The archive of the compiled Java program.
fn loggers() -> Option<PathBuf> {
    static LOGGERS: OnceLock<Option<PathBuf>> = OnceLock::new();

    let compile = || {
        let has_agent = Path::new(JARS).join("lttng-ust-agent-jul.jar").exists();
        let has_jdk = Command::new("javac").arg("-version").output().is_ok();
        if !has_agent || !has_jdk {
            eprintln!("Java agents are not tried: no liblttng-ust-agent-java or no JDK");
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().display();
        let source = sources().join("Loggers.java");
        let jars = classes(&source);
        run("javac", &["-cp", &jars, "-d", &place.to_string(), &source.display().to_string()]);
        let archive = directory.path().join("loggers.jar");
        let file = archive.display().to_string();
        run("jar", &["--create", "--file", &file, "-C", &place.to_string(), "."]);
        // Copied beside it and renamed, so that another test process never sees half a file.
        let result = built().join("loggers.jar");
        let beside = built().join(format!("loggers.jar.{}", std::process::id()));
        fs::copy(&archive, &beside).unwrap();
        fs::rename(&beside, &result).unwrap();
        Some(result)
    };
    LOGGERS.get_or_init(compile).clone()
}

/// Runs a program of the JDK.
fn run(program: &str, arguments: &[&str]) {
    let done = Command::new(program).args(arguments).output().unwrap();
    assert!(done.status.success(), "{program}: {}", String::from_utf8_lossy(&done.stderr));
}

/// A class path with `own` and what agents need.
fn classes(own: &Path) -> String {
    let jars = ["agent-common", "agent-jul", "agent-log4j"]
        .map(|name| format!("{JARS}/lttng-ust-{name}.jar"))
        .join(":");
    format!("{}:{jars}:{JARS}/log4j-1.2.jar", own.display())
}

/// The option that names the directory of the agents' native libraries.
fn libraries() -> Option<String> {
    let places = fs::read_dir("/usr/lib").unwrap().flatten().map(|entry| entry.path().join("jni"));
    let place = places.into_iter().find(|place| place.join("liblttng-ust-jul-jni.so").exists())?;
    Some(format!("-Djava.library.path={}", place.display()))
}
