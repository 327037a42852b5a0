//! A process that is many applications, as far as a session daemon can see: each has two connections of
//! a process of its own, and speaks LTTng-UST's protocol on them. It traces nothing.
//!
//! Driven by lines on its standard input, each of which it answers by one:
//!
//! ```text
//! register COUNT SECONDS   that many more; how many of them are registered when all are or have
//!                          been refused, or after so many seconds
//! waited                   the median of the microseconds until `main` of those
//! leave COUNT              the last that many end; how many they were
//! alive                    how many there are
//! ```

mod application;

use std::cell::Cell;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use lttngd_peer::app::{connect_in_a_child, registration};
use lttngd_runtime::Peer;
use lttngd_wire::ust::registration::Registration;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::unix::pipe::Receiver;
use tokio::task::JoinHandle;
use tokio::time::Instant;

pub use application::TRACEPOINT;
use application::{Application, Registered};

use crate::measure::median_us;

/// How long a daemon that takes no more connections for the moment is left alone.
const PAUSE: Duration = Duration::from_millis(2);

/// The applications of this process.
#[derive(Default)]
struct Applications {
    all: Vec<(JoinHandle<()>, Rc<Cell<Registered>>)>,
    /// Those from here on are of the last registration.
    newest: usize,
}

/// What the process does: applications at the daemon whose socket is `path`.
pub fn simulate(path: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let input = io::stdin().as_fd().try_clone_to_owned().unwrap();
        let mut lines = BufReader::new(Receiver::from_owned_fd(input).unwrap()).lines();
        let mut applications = Applications::default();
        while let Some(line) = lines.next_line().await.unwrap() {
            let words: Vec<_> = line.split_whitespace().collect();
            let number = |word: &str| word.parse::<u32>().unwrap();
            let result = match words.as_slice() {
                ["register", count, seconds] => {
                    let limit = Duration::from_secs(number(seconds).into());
                    applications.register(path, number(count), limit).await
                }
                ["waited"] => applications.waited_us(),
                ["leave", count] => applications.leave(number(count) as usize).await,
                ["alive"] => applications.alive(0),
                _ => panic!("not a command: {line}"),
            };
            println!("{line}: {result}");
            io::stdout().flush().unwrap();
        }
    });
}

impl Applications {
    async fn register(&mut self, path: &Path, count: u32, limit: Duration) -> usize {
        let address = SocketAddrUnix::new(path).unwrap();
        let end = Instant::now() + limit;
        self.newest = self.all.len();
        for _ in 0..count {
            let Some((since, sockets)) = connected(&address, end).await else { break };
            let [command, notify] = sockets.map(|socket| Peer::new(socket).unwrap());
            let (application, registered) = Application::new(command, notify, since);
            self.all.push((tokio::task::spawn_local(application.serve()), registered));
            // Those that are here already are served meanwhile.
            tokio::task::yield_now().await;
        }
        let waits =
            |(_, registered): &(_, Rc<Cell<Registered>>)| registered.get() == Registered::Waits;
        while Instant::now() < end && self.all[self.newest..].iter().any(waits) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.alive(self.newest)
    }

    /// How many of those from `first` on are registered.
    fn alive(&self, first: usize) -> usize {
        let states = self.all[first..].iter().map(|(_, registered)| registered.get());
        states.filter(|state| matches!(state, Registered::After(_))).count()
    }

    fn waited_us(&self) -> usize {
        let states = self.all[self.newest..].iter().map(|(_, registered)| registered.get());
        let times = states.filter_map(|state| match state {
            Registered::After(time_us) => Some(time_us),
            _ => None,
        });
        median_us(&times.collect::<Vec<_>>()) as usize
    }

    async fn leave(&mut self, count: usize) -> usize {
        let left = self.all.split_off(self.all.len().saturating_sub(count));
        for (task, _) in &left {
            task.abort();
        }
        let count = left.len();
        for (task, _) in left {
            // Whether it was aborted or had ended already, its sockets are closed.
            let _ = task.await;
        }
        self.newest = self.newest.min(self.all.len());
        count
    }
}

/// Both sockets of a new application, as soon as the daemon takes them, and when that was.
async fn connected(address: &SocketAddrUnix, end: Instant) -> Option<(Instant, [OwnedFd; 2])> {
    while Instant::now() < end {
        let since = Instant::now();
        let sockets = [(); 2].map(|()| {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).unwrap()
        });
        let registration = Registration { name: "simulated".to_owned(), ..registration() };
        if connect_in_a_child(address, &sockets, &registration) {
            return Some((since, sockets));
        }
        tokio::time::sleep(PAUSE).await;
    }
    None
}
