//! Traced programs: `tests/apps`, built once and run inside an arena.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, OnceLock};

use super::{Arena, PATIENCE, eventually};

/// A running program that does what it is told on its standard input: `traced`, unless another is named
/// (see `tests/apps` for their commands). Killed when dropped.
pub struct Program {
    child: Child,
    answers: Receiver<String>,
}

impl Program {
    /// Starts `traced` with these commands; it goes on from its standard input when the last is `-`.
    pub fn start(arena: &Arena, commands: &[&str]) -> Program {
        Program::start_with(arena, commands, &[])
    }

    /// As [`Program::start`], with more environment variables.
    pub fn start_with(arena: &Arena, commands: &[&str], environment: &[(&str, &str)]) -> Program {
        // Set by env(1): a preloaded library must not reach the programs before it.
        let mut command = arena.command("env");
        command.args(environment.iter().map(|(name, value)| format!("{name}={value}")));
        command.arg(traced()).args(commands);
        Program::spawn(command)
    }

    /// Starts any program that answers each line of its input with a line.
    pub fn spawn(mut command: Command) -> Program {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, answers) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Program { child, answers }
    }

    /// Starts `traced` and waits until its `main` runs: a daemon that was there has registered it.
    pub fn ready(arena: &Arena) -> Program {
        let mut program = Program::start(arena, &["-"]);
        program.tell("pid");
        program
    }

    /// The next line that it writes.
    pub fn next_line(&mut self) -> String {
        self.answers.recv_timeout(PATIENCE).unwrap()
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// Has it do one command, which must succeed, and waits until it is done. Gives the result.
    pub fn tell(&mut self, command: &str) -> i32 {
        self.begin(command);
        self.done(command)
    }

    /// Has it begin a command, and does not wait. One command at a time.
    pub fn begin(&mut self, command: &str) {
        let input = self.child.stdin.as_mut().unwrap();
        writeln!(input, "{command}").unwrap();
    }

    /// Waits until the command that it has begun is done, which must succeed. Gives the result.
    pub fn done(&mut self, command: &str) -> i32 {
        let answer = self
            .answers
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|_| panic!("the traced program does not answer {command}"));
        let result: i32 = answer.rsplit(' ').next().unwrap().parse().unwrap();
        assert!(result >= 0, "{command}: error {result}");
        result
    }

    /// Ends its input and waits for its end, which must be a success.
    pub fn finish(mut self) {
        drop(self.child.stdin.take());
        let status = self.wait();
        assert!(status.success(), "traced program: {status}");
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        eventually("the traced program ends", || self.child.try_wait().unwrap())
    }

    /// Kills it.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The built `traced` program.
pub fn traced() -> &'static Path {
    static TRACED: OnceLock<PathBuf> = OnceLock::new();

    TRACED.get_or_init(|| {
        let sources = sources();
        let files = ["traced.c", "hostile.c"].map(|file| sources.join(file));
        compile(&sources, "traced", &files, &["-llttng-ust", "-ldl", "-pthread"])
    })
}

/// The same program with 32 bits. `None`, and it says why, where that cannot be built: it takes a compiler for them
/// (Debian's `gcc-multilib`) and their LTTng-UST (`liblttng-ust1:i386`).
pub fn traced_32() -> Option<&'static Path> {
    static TRACED: OnceLock<Option<PathBuf>> = OnceLock::new();

    let traced = TRACED.get_or_init(|| {
        const LIBRARIES: &str = "/usr/lib/i386-linux-gnu";
        let library = Path::new(LIBRARIES).join("liblttng-ust.so.1");
        if !library.exists() || !compiles_32() {
            eprintln!(
                "32-bit programs are left out: they take gcc-multilib and liblttng-ust1:i386"
            );
            return None;
        }
        let sources = sources();
        let files = ["traced.c", "hostile.c"].map(|file| sources.join(file));
        // The headers are the same for either, and are there for one alone.
        let headers = "-idirafter/usr/include/x86_64-linux-gnu";
        let libraries = ["-l:liblttng-ust.so.1", "-l:liblttng-ust-common.so.1", "-ldl", "-pthread"];
        let flags = ["-m32", headers, "-L", LIBRARIES].into_iter().chain(libraries);
        Some(compile(&sources, "traced-32", &files, &flags.collect::<Vec<_>>()))
    });
    traced.as_deref()
}

/// Whether there is a C library for 32 bits, which comes with a compiler for them.
fn compiles_32() -> bool {
    let mut command = Command::new("cc");
    command.args(["-m32", "-fsyntax-only", "-x", "c", "-"]);
    let child = command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn();
    let Ok(mut child) = child else { return false };
    let input = child
        .stdin
        .take()
        .unwrap()
        .write_all(b"#include <stdio.h>\nint main(void) { return 0; }\n");
    input.is_ok() && child.wait().is_ok_and(|status| status.success())
}

/// The built `filters` program.
pub fn filters() -> &'static Path {
    static FILTERS: OnceLock<PathBuf> = OnceLock::new();

    FILTERS.get_or_init(|| {
        let sources = sources();
        compile(&sources, "filters", &[sources.join("filters.c")], &["-llttng-ctl"])
    })
}

/// The built `subscriber` program.
pub fn subscriber() -> &'static Path {
    static SUBSCRIBER: OnceLock<PathBuf> = OnceLock::new();

    SUBSCRIBER.get_or_init(|| {
        let sources = sources();
        compile(&sources, "subscriber", &[sources.join("subscriber.c")], &["-llttng-ctl"])
    })
}

/// The built `still` program.
pub fn still() -> &'static Path {
    static STILL: OnceLock<PathBuf> = OnceLock::new();

    STILL.get_or_init(|| {
        let sources = sources();
        compile(&sources, "still", &[sources.join("still.c")], &["-pthread"])
    })
}

/// The built library that shows programs another time of day.
pub fn wall() -> &'static Path {
    static WALL: OnceLock<PathBuf> = OnceLock::new();

    WALL.get_or_init(|| {
        let sources = sources();
        compile(&sources, "wall.so", &[sources.join("wall.c")], &["-shared", "-fPIC"])
    })
}

/// The built consumer daemon that is none.
pub fn no_consumer() -> &'static Path {
    static CONSUMER: OnceLock<PathBuf> = OnceLock::new();

    CONSUMER.get_or_init(|| {
        let sources = sources();
        compile(&sources, "no_consumer", &[sources.join("no_consumer.c")], &[])
    })
}

/// A shared library with a tracepoint provider of this name, built when first asked for.
pub fn provider(name: &str) -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let directory = built();
    for kind in ["h", "c"] {
        let template = fs::read_to_string(sources().join(format!("provider.{kind}.in"))).unwrap();
        let text = template.replace("@PROVIDER@", name);
        fs::write(directory.join(format!("{name}.{kind}")), text).unwrap();
    }
    let source = directory.join(format!("{name}.c"));
    let flags = ["-shared", "-fPIC", "-llttng-ust", "-ldl"];
    compile(&directory, &format!("{name}.so"), &[source], &flags)
}

/// Compiles `files` into `output` in the directory of built programs.
pub fn compile(include: &Path, output: &str, files: &[PathBuf], flags: &[&str]) -> PathBuf {
    let result = built().join(output);
    let unfinished = built().join(format!("{output}.{}", std::process::id()));
    let compiled = Command::new("cc")
        .args(["-g", "-O1", "-Wall", "-Wextra", "-Werror", "-I"])
        .arg(include)
        .arg("-o")
        .arg(&unfinished)
        .args(files)
        .args(flags)
        .output()
        .unwrap();
    assert!(
        compiled.status.success(),
        "cc {output}: install the Debian packages liblttng-ust-dev and liblttng-ctl-dev\n{}",
        String::from_utf8_lossy(&compiled.stderr)
    );
    // Renamed, so that another test process never sees half a file.
    fs::rename(&unfinished, &result).unwrap();
    result
}

/// The directory of the programs' sources.
pub fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("apps")
}

/// The directory of built programs.
pub fn built() -> PathBuf {
    let directory = super::built::kept().join("apps");
    fs::create_dir_all(&directory).unwrap();
    directory
}
