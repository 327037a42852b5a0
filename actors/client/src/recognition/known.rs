//! What is known of clients, and what follows from it for a request. No input or output.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use lttngd_runtime::{Glance, PeerProcess};
use lttngd_wire::client::{Asked, Dialect, Dialects};

use tokio::time::Instant;

use super::library::{Found, Libraries};

/// Most processes that are remembered, the last ones.
pub(super) const PROCESSES_MAX: usize = 512;
/// For how long nobody else gets the process id of one who was seen: the kernel gives all others before.
const THERE: Duration = Duration::from_secs(10);
/// Most files of libraries that are.
const LIBRARIES_MAX: usize = 64;

/// What is known of one process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Evidence {
    /// The versions of its libraries; `None` when these cannot be told.
    library: Option<Dialects>,
    /// The versions that may have sent all that it asked.
    asked: Dialects,
    /// It asked what no client of the version of its library asks.
    contradicted: bool,
}

impl Evidence {
    /// Of a process that is seen for the first time.
    pub(crate) const NONE: Self = Self { library: None, asked: Dialects::ALL, contradicted: false };

    /// With what was found of its libraries.
    pub(crate) fn with_library(self, found: Dialects) -> Self {
        Self { library: Some(found).filter(|found| !found.is_empty()), ..self }
    }

    /// In which version this is meant, by what is known and what the administrator says of clients of which nothing is.
    ///
    /// # Errors
    /// The versions between which it stays open. Nothing is ever done on a guess.
    pub(crate) fn decide(
        &self,
        asked: &Asked,
        unknown: Option<Dialect>,
    ) -> Result<Dialect, Dialects> {
        if let Some(dialect) = self.library.and_then(Dialects::one) {
            let is_in_doubt = self.contradicted || asked.contradicts(dialect);
            return match is_in_doubt && asked.starts_or_ends(dialect) {
                false => Ok(dialect),
                true => Err(asked.dialects()),
            };
        }
        let possible = asked.dialects().and(self.library.unwrap_or(self.asked));
        let unknown = unknown.filter(|dialect| possible.has(*dialect));
        let alike = || possible.iter().next().filter(|_| asked.is_one_command(possible));
        possible.one().or(unknown).or_else(alike).ok_or(possible)
    }

    /// Knowing what it asked, too.
    pub(crate) fn after(self, asked: &Asked) -> Self {
        let contradicts = |dialect| asked.contradicts(dialect);
        let contradicted =
            self.contradicted || self.library.and_then(Dialects::one).is_some_and(contradicts);
        let narrower = self.asked.and(asked.dialects());
        // Beside a library it says nothing more.
        let is_new = self.library.is_none() && !narrower.is_empty();
        let asked = if is_new { narrower } else { self.asked };
        Self { asked, contradicted, ..self }
    }
}

/// What is known of a process, on its way to another place.
pub(crate) type Proof = (PeerProcess, Evidence);

/// What is known of all processes.
#[derive(Debug, Default)]
pub(crate) struct Known {
    processes: HashMap<PeerProcess, Evidence>,
    /// In the order in which they came.
    order: VecDeque<PeerProcess>,
    /// How some of them look.
    seen: HashMap<Glance, PeerProcess>,
    /// Who had a process id last, and when that was seen.
    last: HashMap<u32, (PeerProcess, Instant)>,
    libraries: Arc<Libraries>,
}

impl Known {
    /// What is known of a process.
    pub(crate) fn of(&self, process: PeerProcess) -> Option<Evidence> {
        self.processes.get(&process).copied()
    }

    /// Who looks like this.
    pub(crate) fn seen(&self, glance: Glance) -> Option<PeerProcess> {
        self.seen.get(&glance).copied()
    }

    /// This is how a process looks.
    pub(crate) fn see(&mut self, glance: Glance, process: PeerProcess) {
        if self.seen.len() >= PROCESSES_MAX {
            // Those that are still there are seen again.
            self.seen.clear();
        }
        self.seen.insert(glance, process);
    }

    /// This is known of a process, which is there. Whether it was not before, or long ago.
    pub(crate) fn learn(&mut self, (process, evidence): Proof) -> bool {
        let now = Instant::now();
        let was_there = self.was_there(process.pid(), now);
        self.last.insert(process.pid(), (process, now));
        let before = self.processes.insert(process, evidence);
        if before.is_none() {
            self.order.push_back(process);
            while self.order.len() > PROCESSES_MAX {
                if let Some(oldest) = self.order.pop_front() {
                    self.forget(oldest);
                }
            }
        }
        before != Some(evidence) || !was_there
    }

    fn forget(&mut self, process: PeerProcess) {
        self.processes.remove(&process);
        let pid = process.pid();
        if self.last.get(&pid).is_some_and(|(last, _)| *last == process) {
            self.last.remove(&pid);
        }
    }

    /// Who had a process id last.
    pub(crate) fn last(&self, pid: u32) -> Option<PeerProcess> {
        self.last.get(&pid).map(|(last, _)| *last)
    }

    /// Whether somebody was seen with a process id so short a time ago that nobody else has it now.
    pub(crate) fn was_there(&self, pid: u32, now: Instant) -> bool {
        self.last.get(&pid).is_some_and(|(_, at)| now.duration_since(*at) < THERE)
    }

    /// The files of libraries that were read.
    pub(crate) fn libraries(&self) -> Arc<Libraries> {
        Arc::clone(&self.libraries)
    }

    /// These were read.
    pub(crate) fn learn_libraries(&mut self, found: &Found) {
        if found.read.is_empty() {
            return;
        }
        let libraries = Arc::make_mut(&mut self.libraries);
        if libraries.len() + found.read.len() > LIBRARIES_MAX {
            libraries.clear();
        }
        libraries.extend(found.read.iter().copied());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use lttngd_wire::client::{Command, Request};

    use super::*;
    use crate::recognition::library::FileId;

    /// What a client of this version asks.
    fn asked(dialect: Dialect, session: &str, command: &Command) -> Asked {
        let (request, payload) = Request::new_in(dialect, command);
        let bytes = request.in_session(session).encode(&payload);
        Asked::decode(&bytes[..lttngd_wire::client::REQUEST_LEN]).unwrap()
    }

    use Dialect::{V2_13, V2_14, V2_15, V2_16};

    fn with_library(dialects: &[Dialect]) -> Evidence {
        Evidence::NONE.with_library(Dialects::of(dialects.iter().copied()))
    }

    /// The requests that mean the end, a start, a stop or the loss of what was recorded in one version and something
    /// else in another.
    const ALIKE: [(Dialect, Command); 5] = [
        (V2_13, Command::DestroySession),
        (V2_14, Command::StartTrace),
        (V2_16, Command::StopTrace),
        (V2_14, Command::ClearSession),
        (V2_16, Command::ClearSession),
    ];

    #[test]
    fn a_library_tells_what_is_meant() {
        for dialect in Dialect::ALL {
            for (_, command) in &ALIKE {
                let decided = with_library(&[dialect]).decide(&asked(dialect, "s", command), None);
                assert_eq!(decided, Ok(dialect), "{command:?}");
            }
        }
    }

    #[test]
    fn nothing_ends_starts_or_stops_on_a_guess() {
        for (dialect, command) in &ALIKE {
            let asked = asked(*dialect, "s", command);
            let open = Evidence::NONE.decide(&asked, None).unwrap_err();
            assert!(open.has(*dialect) && open.one().is_none(), "{command:?}: {open}");
            let two = with_library(&[V2_13, V2_14, V2_16]).decide(&asked, None);
            assert!(two.is_err(), "{command:?}: {two:?}");
        }
    }

    #[test]
    fn what_a_process_asked_before_tells_what_it_means() {
        let destroy = asked(V2_13, "s", &Command::DestroySession);
        let lists = Evidence::NONE.after(&asked(V2_13, "", &Command::ListSessions));
        assert_eq!(lists.decide(&destroy, None), Ok(V2_13));
        let newer = Evidence::NONE.after(&asked(V2_16, "", &Command::ListSessions));
        assert_eq!(newer.decide(&destroy, None), Err(Dialects::of([V2_14, V2_15, V2_16])));
        let newest = newer.after(&asked(V2_16, "", &Command::ListTriggers));
        assert_eq!(newest.decide(&destroy, None), Ok(V2_16), "a list of domains");
        let both = lists.after(&asked(V2_16, "", &Command::ListTriggers));
        assert_eq!(
            both.decide(&asked(V2_16, "", &Command::ListTriggers), None),
            Err(Dialects::NONE)
        );
    }

    #[test]
    fn an_administrator_may_say_what_unknown_clients_are() {
        let destroy = asked(V2_13, "s", &Command::DestroySession);
        assert_eq!(Evidence::NONE.decide(&destroy, Some(V2_14)), Ok(V2_14));
        assert_eq!(with_library(&[V2_13]).decide(&destroy, Some(V2_14)), Ok(V2_13));
        let lists = asked(V2_13, "", &Command::ListSessions);
        assert_eq!(Evidence::NONE.decide(&lists, Some(V2_14)), Ok(V2_13), "it is of no other");
    }

    #[test]
    fn who_speaks_otherwise_than_its_library_changes_nothing() {
        let library = with_library(&[V2_13]);
        let lists = asked(V2_16, "", &Command::ListSessions);
        assert_eq!(library.decide(&lists, None), Ok(V2_13), "it is answered that there is none");
        let after = library.after(&lists);
        let domains = asked(V2_16, "s", &Command::ListDomains);
        assert!(after.decide(&domains, None).is_err(), "it would be the end of the session");
        let honest = library.after(&asked(V2_13, "", &Command::ListSessions));
        assert_eq!(honest.decide(&domains, None), Ok(V2_13));
        // A program that names no session is answered so, and that is all.
        let careless = library.after(&asked(V2_13, "", &Command::StartTrace));
        assert_eq!(careless.decide(&domains, None), Ok(V2_13));
    }

    #[test]
    fn what_is_alike_in_all_needs_no_version() {
        let disable = Command::DisableChannel { channel: "c".to_owned() };
        for dialect in Dialect::ALL {
            assert!(Evidence::NONE.decide(&asked(dialect, "s", &disable), None).is_ok());
        }
        // These have data in a form of each version's own.
        for command in [Command::ListSyscalls, Command::ListSessions] {
            assert!(Evidence::NONE.decide(&asked(V2_15, "", &command), None).is_err());
        }
    }

    #[test]
    fn no_more_than_so_many_are_remembered() {
        let (socket, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        let process = PeerProcess::of(&socket, std::process::id()).unwrap();
        let mut known = Known::default();
        assert_eq!(known.of(process), None);
        assert!(known.learn((process, Evidence::NONE)));
        assert!(!known.learn((process, Evidence::NONE)), "it is no news");
        let library = with_library(&[V2_13]);
        assert!(known.learn((process, library)));
        assert_eq!(known.of(process), Some(library));
        assert_eq!(known.order.len(), 1);
        let file = |len| Found { read: vec![(FileId::of_len(len), V2_13)], ..Found::default() };
        for len in 0..1000 {
            known.learn_libraries(&file(len));
            assert!((1..=LIBRARIES_MAX).contains(&known.libraries().len()));
        }
    }
}
