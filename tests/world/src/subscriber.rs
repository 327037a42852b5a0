//! A program that is notified of triggers: `tests/apps/subscriber.c`, by the stock library.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, Stdio},
    sync::mpsc::{Receiver, channel},
};

use super::{Arena, PATIENCE, program};

/// A running `subscriber`. Killed when dropped.
pub struct Subscriber {
    child: Child,
    lines: Receiver<String>,
}

impl Subscriber {
    /// Starts it, for a daemon that is there.
    pub fn start(arena: &Arena) -> Subscriber {
        let mut command = arena.command(program::subscriber());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Subscriber { child, lines }
    }

    /// Has it do one command, and gives its result.
    pub fn ask(&mut self, command: &str) -> i32 {
        self.begin(command);
        let (told, result) = self.answer(command);
        assert!(told.is_empty(), "{command}: {told:?}");
        result
    }

    /// As [`Subscriber::ask`]; the command must succeed.
    pub fn tell(&mut self, command: &str) {
        assert_eq!(self.ask(command), 0, "{command}");
    }

    /// The next notifications, one line each, and word that some were dropped.
    pub fn take(&mut self, count: usize) -> Vec<String> {
        let command = format!("take={count}");
        self.begin(&command);
        let (told, result) = self.answer(&command);
        assert_eq!(result, 0, "{command}: {told:?}");
        told
    }

    fn begin(&mut self, command: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{command}").unwrap();
    }

    fn answer(&self, command: &str) -> (Vec<String>, i32) {
        let mut told = Vec::new();
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("no answer to {command} after {told:?}"));
            match line.strip_prefix(command) {
                Some(result) => return (told, result.trim().parse().unwrap()),
                None => told.push(line),
            }
        }
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
