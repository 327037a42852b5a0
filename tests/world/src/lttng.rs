//! The stock `lttng` command line.

use std::fs::File;
use std::io::{Read, Seek};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use regex::Regex;

use super::Arena;

/// Seconds after which a command is given up; several times the longest wait any of them may need.
const LIMIT_S: u32 = 60;

/// Exit code of timeout(1) when the time was over.
const TIMED_OUT: i32 = 124;

/// What a command answered.
#[derive(Debug)]
pub struct Answer {
    /// Exit code.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// Time from start to end.
    pub took: Duration,
}

impl Answer {
    /// Whether the command had to be killed because its time was over.
    pub fn timed_out(&self) -> bool {
        self.code == TIMED_OUT
    }
}

impl Arena {
    /// Runs `lttng` with `arguments` (in shell syntax) and gives its answer, whatever it is.
    ///
    /// Panics when it does not end.
    pub fn lttng(&self, arguments: &str) -> Answer {
        let answer = self.lttng_within(LIMIT_S, arguments);
        assert!(!answer.timed_out(), "lttng {arguments}: no end after {LIMIT_S} s");
        answer
    }

    /// As [`Arena::lttng`], but gives up after `limit_s` seconds; see [`Answer::timed_out`].
    pub fn lttng_within(&self, limit_s: u32, arguments: &str) -> Answer {
        self.shell_within(limit_s, &self.lttng_line(arguments))
    }

    /// The shell command that [`Arena::lttng`] runs.
    pub fn lttng_line(&self, arguments: &str) -> String {
        // A user in the tracing group would else reach the system's daemon.
        let group = if self.is_root() { "" } else { "--group=lttngd-no-such-group" };
        format!("lttng --no-sessiond {group} {arguments}")
    }

    /// Runs `lttng`, which must succeed, and gives its standard output.
    pub fn lttng_ok(&self, arguments: &str) -> String {
        let answer = self.lttng(arguments);
        assert_eq!(answer.code, 0, "lttng {arguments}: {answer:#?}");
        answer.stdout
    }

    /// Runs one shell command and gives its answer.
    pub fn shell_within(&self, limit_s: u32, command: &str) -> Answer {
        let start = Instant::now();
        let limit = limit_s.to_string();
        let script = format!("exec timeout --kill-after=2 {limit} {command}");
        // Files, not pipes: a daemon that the command leaves behind would keep a pipe open.
        let [stdout, stderr] = [(); 2].map(|()| tempfile::tempfile().unwrap());
        let status = self
            .command("sh")
            .args(["-c", &script])
            .stdout(stdout.try_clone().unwrap())
            .stderr(stderr.try_clone().unwrap())
            .status()
            .unwrap();
        Answer {
            code: status.code().unwrap_or(-1),
            stdout: content(stdout),
            stderr: content(stderr),
            took: start.elapsed(),
        }
    }

    /// `text` without what differs from run to run: the home directory, times and process ids.
    pub fn normalised(&self, text: &str) -> String {
        static CHANGING: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
            [
                (r"\d{8}T\d{6}[+-]\d{4}", "TIME"),
                (r"-\d+-\d{8}-\d{6}", "-PID-DATE"),
                (r"\d{8}-\d{6}", "DATE"),
                (r"PID: \d+", "PID: N"),
                // Words that the command line prints only when it has to wait.
                (r"(?m)^(Waiting for (data availability|clear of session [^\n]*)|Destroying session [^\n]*)\.*\n", ""),
                (r"(<(?:pid|id)>)\d+<", "${1}N<"),
                (r"><", ">\n<"),
                (r"(\b_?v?p?pid = )\d+", "${1}N"),
                (r"(vtid = )\d+", "${1}N"),
                (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID"),
            ]
            .map(|(pattern, replacement)| (Regex::new(pattern).unwrap(), replacement))
            .into()
        });

        let text = text.replace(&self.home().to_string_lossy().into_owned(), "HOME");
        let text = text.replace(&self.file("").to_string_lossy().into_owned(), "ARENA/");
        CHANGING.iter().fold(text, |text, (pattern, replacement)| {
            pattern.replace_all(&text, *replacement).into_owned()
        })
    }
}

fn content(mut file: File) -> String {
    let mut bytes = Vec::new();
    file.rewind().unwrap();
    file.read_to_end(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}
