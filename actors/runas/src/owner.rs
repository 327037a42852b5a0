//! The way in: owners of files, and what can be done with their rights.

use std::{
    ffi::CString,
    fs::File,
    io::{self, Write},
    os::fd::OwnedFd,
    path::PathBuf,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use lttngd_elf::Sought;
use lttngd_model::Credentials;
use lttngd_runtime::outside::blocking;
use rustix::{fs::MemfdFlags, io::Errno};
use tokio::sync::oneshot;

use crate::{
    Below, Faults, Opening,
    link::Link,
    operation::{Done, Operation},
    protocol::Identity,
    queue::{Outcome, Refused, Waiting},
    report::{RunasReport, RunasState},
};

/// Longest wait for a worker to do one thing.
pub const DEADLINE: Duration = Duration::from_secs(30);
/// The user and the group that own nothing (`nobody`, `nogroup`).
const NOBODY: u32 = 65_534;
/// Longest wait for a worker to end.
const END_DEADLINE: Duration = Duration::from_secs(2);

/// Acts with the rights of users: with those of the process itself, or as root through a worker,
/// which is started when it is needed. Copies are the same.
#[derive(Clone, Debug)]
pub struct Runas(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    program: Option<PathBuf>,
    deadline: Duration,
    urgent: bool,
    faults: Option<Faults>,
    link: Mutex<Option<Arc<Link>>>,
}

impl Runas {
    /// With `program`, which is a worker when executed by the name [`PROGRAM`](crate::PROGRAM). Without
    /// one, and without being root, a process acts for its own user alone.
    #[must_use]
    pub fn new(program: Option<PathBuf>) -> Self {
        Self::with(program, DEADLINE, false)
    }

    /// The same, for threads that come before others
    /// ([`come_first`](lttngd_runtime::come_first)): so does what they wait for.
    #[must_use]
    pub fn urgent(program: Option<PathBuf>) -> Self {
        Self::with(program, DEADLINE, true)
    }

    /// The same, with a wait that is not [`DEADLINE`].
    #[must_use]
    pub fn with_deadline(program: Option<PathBuf>, deadline: Duration) -> Self {
        Self::with(program, deadline, false)
    }

    /// Without a program, for tests: what is done fails as `faults` wants it.
    #[must_use]
    pub fn failing(faults: Faults) -> Self {
        let (faults, link) = (Some(faults), Mutex::default());
        let (program, deadline, urgent) = (None, DEADLINE, false);
        Self(Arc::new(Shared { program, deadline, urgent, faults, link }))
    }

    fn with(program: Option<PathBuf>, deadline: Duration, urgent: bool) -> Self {
        let (faults, link) = (None, Mutex::default());
        Self(Arc::new(Shared { program, deadline, urgent, faults, link }))
    }

    /// The process itself.
    fn process(&self) -> Owner {
        Owner { other: None, faults: self.0.faults.clone() }
    }

    /// The owner of these credentials. The user database is read, which may block, unless it is the
    /// user of the process.
    ///
    /// # Errors
    /// `EPERM` when the process is neither root nor that user; `Unsupported` when there is no program
    /// for a worker.
    pub fn look_up(&self, credentials: Credentials) -> io::Result<Owner> {
        let own = rustix::process::geteuid();
        // A process of the user itself keeps the group that it has.
        if own.as_raw() == credentials.uid {
            return Ok(self.process());
        }
        if !own.is_root() {
            return Err(Errno::PERM.into());
        }
        if self.0.program.is_none() {
            let text = format!(
                "files of user {} are made by a process of the program `lttngd`: see Config::with_program",
                credentials.uid
            );
            return Err(io::Error::new(io::ErrorKind::Unsupported, text));
        }
        let identity = Arc::new(Identity { credentials, groups: groups_of(credentials) });
        Ok(Owner { other: Some(Other { identity, runas: self.clone() }), faults: None })
    }

    /// [`Runas::look_up`] for those who must not block.
    ///
    /// # Errors
    /// As there.
    pub async fn owner(&self, credentials: Credentials) -> io::Result<Owner> {
        if rustix::process::geteuid().as_raw() == credentials.uid {
            return Ok(self.process());
        }
        let this = self.clone();
        let owner = blocking(move || this.look_up(credentials));
        owner.await.map_err(io::Error::other)?
    }

    /// Looks where in a program something is that can be recorded. What the file has in it is somebody's: root's
    /// process has it read by the worker, as nobody, who has no rights to lose.
    pub fn find_places(&self, program: Arc<OwnedFd>, sought: Sought) -> Act<Vec<u64>> {
        let operation = Operation::FindPlaces(program, sought);
        let state = if self.0.program.is_some() && rustix::process::geteuid().is_root() {
            let credentials = Credentials { uid: NOBODY, gid: NOBODY };
            let identity = Arc::new(Identity { credentials, groups: Vec::new() });
            self.ask(&identity, operation)
        } else {
            State::Own(operation)
        };
        Act { state, finish: Done::places }
    }

    /// Ends the worker, if there is one. Blocks until it is gone, for 2 s at most.
    pub fn end(&self) {
        let link = self.link().take();
        if let Some(link) = link {
            link.end(END_DEADLINE);
        }
    }

    /// How the worker does. Nothing is waited for: one that is just being made is a worker that starts.
    #[must_use]
    pub fn report(&self) -> RunasReport {
        match self.0.link.try_lock() {
            Ok(link) => link.as_ref().map(|it| it.report(self.0.deadline)).unwrap_or_default(),
            Err(_) => RunasReport { state: RunasState::Starting, ..RunasReport::default() },
        }
    }

    fn link(&self) -> std::sync::MutexGuard<'_, Option<Arc<Link>>> {
        // It is whole between any two statements, so a panic elsewhere does not matter.
        self.0.link.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self, identity: &Arc<Identity>, operation: Operation) -> State {
        let (reply, outcome) = oneshot::channel();
        let identity = Arc::clone(identity);
        let deadline = Instant::now() + self.0.deadline;
        match self.submit(Waiting { identity, operation, deadline, reply }) {
            Ok(()) => State::Asked(outcome),
            Err(error) => State::Refused(error),
        }
    }

    fn submit(&self, mut request: Waiting) -> io::Result<()> {
        let mut current = self.link();
        if let Some(link) = &*current {
            match link.submit(request) {
                Ok(()) => return Ok(()),
                Err(Refused::Full) => return Err(Errno::AGAIN.into()),
                Err(Refused::Closed(back, _)) => request = *back,
            }
        }
        let program = self.0.program.clone().ok_or(Errno::PERM)?;
        match current.insert(Link::start(program, self.0.urgent)?).submit(request) {
            Ok(()) => Ok(()),
            Err(Refused::Full) => Err(Errno::AGAIN.into()),
            // It may be known by now that it does not start.
            Err(Refused::Closed(_, error)) => Err(error),
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Ok(Some(link)) = self.link.get_mut() {
            link.hang_up();
        }
    }
}

/// Whose rights decide what may be done, and who owns what is made.
#[derive(Clone, Debug)]
pub struct Owner {
    /// `None` for the process itself.
    other: Option<Other>,
    /// What is to fail, in tests.
    faults: Option<Faults>,
}

#[derive(Clone, Debug)]
struct Other {
    identity: Arc<Identity>,
    runas: Runas,
}

impl Owner {
    /// The process itself.
    #[must_use]
    pub fn process() -> Self {
        Self { other: None, faults: None }
    }

    /// Makes the directory of an absolute path with all its parents, where they are missing, mode
    /// 0770, and opens it. Links in the path lead where they lead the owner; root's process itself
    /// follows those of root alone.
    pub fn make_root_directory(&self, path: impl Into<PathBuf>) -> Act<OwnedFd> {
        self.open(Operation::MakeRoot(path.into()))
    }

    /// Opens the directory of an absolute path, as [`Owner::make_root_directory`] does.
    pub fn open_directory(&self, path: impl Into<PathBuf>) -> Act<OwnedFd> {
        self.open(Operation::OpenDirectory(path.into()))
    }

    /// Makes a directory with all its parents, where they are missing, mode 0770, and opens it.
    pub fn make_directory(&self, place: Below) -> Act<OwnedFd> {
        self.open(Operation::MakeDirectory(place))
    }

    /// Opens a file. One that is made has the mode, whatever the umask.
    pub fn open_file(&self, place: Below, opening: Opening, mode: u32) -> Act<OwnedFd> {
        self.open(Operation::OpenFile(place, opening, mode))
    }

    /// Opens a file like [`Owner::open_file`], and writes this into it. What cannot be written whole is removed.
    pub fn write_file(&self, place: Below, opening: Opening, mode: u32, text: &[u8]) -> Act<()> {
        match in_memory(text) {
            Ok(text) => {
                self.act(Operation::WriteFile(place, opening, mode, Arc::new(text)), |_| Ok(()))
            }
            Err(error) => Act { state: State::Refused(error), finish: |_| Ok(()) },
        }
    }

    /// Removes a file.
    pub fn remove_file(&self, place: Below) -> Act<()> {
        self.act(Operation::RemoveFile(place), |_| Ok(()))
    }

    /// Removes an empty directory.
    pub fn remove_directory(&self, place: Below) -> Act<()> {
        self.act(Operation::RemoveDirectory(place), |_| Ok(()))
    }

    /// Removes a directory with all that is in it; links in it are removed and not followed.
    pub fn remove_tree(&self, place: Below) -> Act<()> {
        self.act(Operation::RemoveTree(place), |_| Ok(()))
    }

    /// Moves a file or directory.
    pub fn rename(&self, from: Below, to: Below) -> Act<()> {
        self.act(Operation::Rename(from, to), |_| Ok(()))
    }

    fn open(&self, operation: Operation) -> Act<OwnedFd> {
        self.act(operation, Done::opened)
    }

    fn act<T>(&self, operation: Operation, finish: fn(Done) -> io::Result<T>) -> Act<T> {
        let state = match (&self.other, self.faults.as_ref().and_then(Faults::next)) {
            (_, Some((error, done))) => {
                // Whatever comes of it, the answer is lost.
                let _ = done.then(|| operation.perform());
                State::Refused(error)
            }
            (None, None) => State::Own(operation),
            (Some(other), None) => other.runas.ask(&other.identity, operation),
        };
        Act { state, finish }
    }
}

/// Something that is done with an owner's rights: a future, or waited for by threads that may block.
/// A worker begins at once, so several are done side by side; the process itself when waited for.
///
/// Errors are those of the system calls. Of a worker besides: `ETIMEDOUT` after [`DEADLINE`],
/// `EAGAIN` when too many wait, and a broken pipe when it ended.
#[derive(Debug)]
#[must_use = "nothing may be done before it is waited for"]
pub struct Act<T> {
    state: State,
    finish: fn(Done) -> io::Result<T>,
}

#[derive(Debug)]
enum State {
    Own(Operation),
    Asked(oneshot::Receiver<Outcome>),
    Refused(io::Error),
}

impl<T> Act<T> {
    /// Waits, blocking the thread.
    ///
    /// # Errors
    /// See [`Act`].
    pub fn wait(self) -> io::Result<T> {
        let outcome = match self.state {
            State::Own(operation) => operation.perform_as_process(),
            State::Asked(outcome) => told(futures::executor::block_on(outcome)),
            State::Refused(error) => Err(error),
        };
        outcome.and_then(self.finish)
    }
}

impl<T: 'static> IntoFuture for Act<T> {
    type Output = io::Result<T>;
    type IntoFuture = Pin<Box<dyn Future<Output = io::Result<T>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { state, finish } = self;
        Box::pin(async move {
            let outcome = match state {
                State::Own(operation) => {
                    let done = blocking(move || operation.perform_as_process());
                    done.await.map_err(io::Error::other).flatten()
                }
                State::Asked(outcome) => told(outcome.await),
                State::Refused(error) => Err(error),
            };
            outcome.and_then(finish)
        })
    }
}

/// A file that is nowhere but in memory, with this in it.
fn in_memory(text: &[u8]) -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::memfd_create("lttngd-written", flags)?);
    file.write_all(text)?;
    Ok(file.into())
}

/// A request is told of in any case, unless the thread that tells panicked.
fn told(outcome: Result<Outcome, oneshot::error::RecvError>) -> Outcome {
    outcome.unwrap_or_else(|_| Err(Errno::PIPE.into()))
}

/// The groups of a user: its own, and those that the user database has. A user whom the database
/// does not know has no others.
fn groups_of(Credentials { uid, gid }: Credentials) -> Vec<u32> {
    let known = || {
        let user = nix::unistd::User::from_uid(uid.into()).ok()??;
        let name = CString::new(user.name).ok()?;
        nix::unistd::getgrouplist(&name, gid.into()).ok()
    };
    match known() {
        Some(groups) => groups.into_iter().map(nix::unistd::Gid::as_raw).collect(),
        None => vec![gid],
    }
}
