//! Simulated applications in a world: more than one process may have descriptors for.

use std::time::{Duration, Instant};

use lttngd_world::{Arena, Program};
use rustix::process::Signal;

/// The socket of the run directory on which applications register.
pub const SOCKET: &str = "lttng-ust-sock-8";
/// Applications of one process at most: each process that connects one copies the descriptors of all.
const EACH_MAX: u32 = 1000;
/// Seconds until all are registered or refused; less than what a program is waited for.
const LIMIT_S: u32 = 25;
/// How many register together where they may take longer than that.
const BATCH: u32 = 200;

/// Simulated applications, which end with it.
pub struct Crowd<'a> {
    arena: &'a Arena,
    processes: Vec<(Program, u32)>,
    /// Those processes that the last registration concerned.
    newest: Vec<usize>,
}

impl Crowd<'_> {
    /// No applications.
    pub fn new(arena: &Arena) -> Crowd<'_> {
        Crowd { arena, processes: Vec::new(), newest: Vec::new() }
    }

    /// That many, all of them registered.
    pub fn of(arena: &Arena, count: u32) -> Crowd<'_> {
        let mut crowd = Crowd::new(arena);
        assert_eq!(crowd.register(count), count, "so many applications are registered");
        crowd
    }

    /// Adds that many, side by side in several processes. How many of them are registered in the end.
    pub fn register(&mut self, count: u32) -> u32 {
        let mut rest = count;
        let mut begun = Vec::new();
        for at in 0.. {
            if rest == 0 {
                break;
            }
            if at == self.processes.len() {
                self.processes.push((self.process(), 0));
            }
            let (process, has) = &mut self.processes[at];
            let more = rest.min(EACH_MAX - *has);
            if more > 0 {
                *has += more;
                rest -= more;
                let line = format!("register {more} {LIMIT_S}");
                process.begin(&line);
                begun.push((at, line));
            }
        }
        let done = begun.iter().map(|(at, line)| self.processes[*at].0.done(line).cast_unsigned());
        let registered = done.sum();
        self.newest = begun.into_iter().map(|(at, _)| at).collect();
        registered
    }

    /// As [`Crowd::register`], in batches for as long as `limit_s` seconds.
    pub fn register_within(&mut self, count: u32, limit_s: u32) -> u32 {
        let end = Instant::now() + Duration::from_secs(limit_s.into());
        let mut registered = 0;
        while registered < count && Instant::now() < end {
            let batch = BATCH.min(count - registered);
            let done = self.register(batch);
            registered += done;
            if done < batch {
                break;
            }
        }
        registered
    }

    /// Sends a signal to all its processes.
    pub fn signal(&self, signal: Signal) {
        self.processes.iter().for_each(|(process, _)| self.arena.signal(process.pid(), signal));
    }

    /// The median time until `main` of those of the last registration; of several processes the longest.
    pub fn waited_us(&mut self) -> f64 {
        let waited = self.newest.iter().map(|at| self.processes[*at].0.tell("waited"));
        waited.max().map_or(f64::NAN, f64::from)
    }

    /// How many are still registered.
    pub fn alive(&mut self) -> u32 {
        self.processes.iter_mut().map(|(process, _)| process.tell("alive").cast_unsigned()).sum()
    }

    /// The last that many end.
    pub fn leave(&mut self, count: u32) {
        let mut rest = count;
        for (process, has) in self.processes.iter_mut().rev() {
            let less = rest.min(*has);
            process.tell(&format!("leave {less}"));
            *has -= less;
            rest -= less;
        }
    }

    fn process(&self) -> Program {
        let socket = self.arena.run_directory().join(SOCKET);
        let mut command = self.arena.command(std::env::current_exe().unwrap());
        command.arg("--simulated-applications").arg(socket);
        Program::spawn(command)
    }
}
