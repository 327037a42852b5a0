//! Scripts run against a daemon, with a transcript that can be compared.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use super::{Answer, Arena, Consumer, Daemon, Event, Program, Which, eventually, listing, trace};

/// What the shell's `timeout` makes of a program killed by SIGPIPE.
const KILLED_BY_SIGNAL: i32 = -1;

/// What `lttng` says when the connection is reset.
const LOST_ANSWER: &str = "Fatal error of the session daemon";

/// An arena with a daemon, on which a script acts; it notes what can be seen.
pub struct Stage {
    /// The daemon that is tried. Dropped before the world, where its log is.
    pub daemon: Daemon,
    /// The private world.
    pub arena: Arena,
    /// Which one it is.
    pub which: Which,
    transcript: String,
    usual: OnceLock<Duration>,
}

/// The longest that something unconcerned may take: less than the daemon waits for any peer.
const AT_ONCE: Duration = Duration::from_millis(4500);
/// How many times as long as with nothing in its way something unconcerned may take where that is longer,
/// on a busy machine.
const TIMES: u32 = 4;

impl Stage {
    /// Checks that something that no disturbance concerns `took` no longer than `AT_ONCE`, or than
    /// some times what it took at first, when nothing was in its way.
    pub fn is_unconcerned(&self, took: Duration) {
        let longest = AT_ONCE.max(*self.usual.get_or_init(|| took) * TIMES);
        assert!(took < longest, "something unconcerned took {took:?}, longer than {longest:?}");
    }

    /// A fresh world with a daemon.
    pub fn new(which: Which) -> Stage {
        Stage::with_options(which, &[])
    }

    /// A fresh world with a daemon that was given `options`.
    pub fn with_options(which: Which, options: &[&str]) -> Stage {
        let arena = Arena::new();
        let daemon = Daemon::start(&arena, which, options);
        Stage { arena, daemon, which, transcript: String::new(), usual: OnceLock::new() }
    }

    /// A fresh world with a daemon that starts this consumer daemon.
    pub fn with_consumer(which: Which, consumer: Consumer, options: &[&str]) -> Stage {
        let arena = Arena::new();
        let consumer = consumer.option(&arena);
        let options: Vec<&str> =
            [consumer.as_str()].into_iter().chain(options.iter().copied()).collect();
        let daemon = Daemon::start(&arena, which, &options);
        Stage { arena, daemon, which, transcript: String::new(), usual: OnceLock::new() }
    }

    /// A fresh world with a daemon of which no process may have more than `count` descriptors open.
    pub fn within(which: Which, count: u64) -> Stage {
        let arena = Arena::new();
        let daemon = Daemon::start_after(&arena, which, &format!("ulimit -n {count}"));
        Stage { arena, daemon, which, transcript: String::new(), usual: OnceLock::new() }
    }

    /// Runs `lttng` and notes the command, its exit code and its words.
    pub fn lttng(&mut self, arguments: &str) -> Answer {
        // The stock daemon may answer and close before it has read all of a request; the client then
        // dies of SIGPIPE or sees a reset instead of the answer, more often than not for some requests.
        // Nothing was done, so ask again.
        let answer = eventually("the stock daemon's answer arrives", || {
            let answer = self.arena.lttng(arguments);
            let lost = answer.code == KILLED_BY_SIGNAL || answer.stderr.contains(LOST_ANSWER);
            (!self.which.is_stock_program() || !lost).then_some(answer)
        });
        self.note(&format!("$ lttng {arguments}"));
        let words = listing::in_order(&answer.stdout);
        self.note(&format!("exit {}\n{words}{}", answer.code, answer.stderr));
        answer
    }

    /// As [`Stage::lttng`]; the command must succeed. Gives its standard output.
    pub fn lttng_ok(&mut self, arguments: &str) -> String {
        let answer = self.lttng(arguments);
        assert_eq!(answer.code, 0, "{:?}: lttng {arguments}: {answer:#?}", self.which);
        answer.stdout
    }

    /// Starts a traced program and waits until it is registered.
    pub fn program(&self) -> Program {
        Program::ready(&self.arena)
    }

    /// Reads the events of `session` in its default directory and notes them.
    pub fn events(&mut self, session: &str) -> Vec<Event> {
        let directory = self.arena.trace_of(session);
        self.events_below(&directory)
    }

    /// Reads the events below `directory` and notes them.
    pub fn events_below(&mut self, directory: &Path) -> Vec<Event> {
        let events = self.arena.events(directory);
        for event in &events {
            let Event { name, log_level, context, fields } = event;
            self.note(&format!("event {name} {log_level} {context} {fields}"));
        }
        events
    }

    /// Notes the names of the files below the default trace directory.
    pub fn layout(&mut self) -> Vec<String> {
        let files = trace::files(&self.arena.traces());
        self.note(&files.join("\n"));
        files
    }

    /// Adds lines to the transcript, without what differs from run to run.
    pub fn note(&mut self, text: &str) {
        self.transcript += &self.arena.normalised(text);
        self.transcript += "\n";
    }

    /// What was noted so far.
    pub fn transcript(&self) -> &str {
        &self.transcript
    }

    /// Stops the daemon, checks that it leaves nothing behind and gives the transcript.
    pub fn end(self) -> String {
        self.daemon.stop(&self.arena);
        self.transcript
    }
}

/// Runs a script against the stock daemon and ours, each in a world of its own.
///
/// Panics with the difference when the transcripts differ, or when one daemon does not stop cleanly.
pub fn both(script: impl Fn(&mut Stage) + Sync) {
    let script = &script;
    let run = |which| {
        let mut stage = Stage::new(which);
        script(&mut stage);
        stage.end()
    };
    let (stock, ours) = std::thread::scope(|scope| {
        let stock = scope.spawn(move || run(Which::Stock));
        let ours = run(Which::Ours);
        (stock.join().expect("the script against the stock daemon"), ours)
    });
    assert!(!stock.is_empty(), "a script must note something");
    if stock != ours {
        panic!("the daemons differ (- stock, + ours):\n{}", difference(&stock, &ours));
    }
}

/// Runs a script against ours. Clients that tests make up themselves are taken for those of 2.13, as they are: they have
/// no library to be known by.
pub fn alone(script: impl FnOnce(&mut Stage)) {
    let mut stage = Stage::with_options(Which::Ours, &["--unknown-client-version=2.13"]);
    script(&mut stage);
    stage.end();
}

fn difference(stock: &str, ours: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("stock"), stock).unwrap();
    fs::write(directory.path().join("ours"), ours).unwrap();
    let output = Command::new("diff")
        .args(["-U", "4", "stock", "ours"])
        .current_dir(directory.path())
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}
