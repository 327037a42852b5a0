//! A kernel with a tracer, which answers ioctls as lttng-modules 2.13 do and records nothing.
//!
//! Each descriptor that it gives is the end of a pipe, whose other end tells whether somebody still has it: an
//! object of the tracer's lives as long as its descriptor, and a session as long as one of what it has.

mod object;

use std::{
    io::{self, Write},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use lttngd_kernel::{Kernel, Loaded};
use lttngd_wire::kernel::{Argument, Call};
use rustix::{
    event::{PollFd, PollFlags, Timespec},
    fs::{MemfdFlags, SeekFrom},
    io::Errno,
    pipe::PipeFlags,
};

pub use object::KernelObject;

use object::Objects;

/// What the kernel does with a call.
#[derive(Clone, Copy, Debug)]
pub enum KernelAct {
    /// What a kernel does.
    Answer,
    /// Refuses it.
    Refuse(Errno),
}

/// For how long a descriptor that was closed may be open yet in a child that another test is forking.
const FORK: Duration = Duration::from_secs(2);
/// Where the value of a counter stands in an answer.
const COUNTER_VALUE_AT: usize = 36;

type Script = Box<dyn FnMut(&KernelObject, &Call) -> KernelAct + Send>;

/// A kernel.
#[derive(Clone)]
pub struct FakeKernel(Arc<Mutex<State>>);

struct State {
    /// Whether it has the tracer's modules.
    has_modules: bool,
    loaded: Vec<String>,
    /// Version of the modules, and of the ABI.
    versions: ((u32, u32, u32), (u32, u32)),
    tracepoints: Vec<String>,
    calls: Vec<(KernelObject, Call)>,
    objects: Objects,
    script: Script,
}

impl Default for FakeKernel {
    fn default() -> Self {
        Self::new(|_, _| KernelAct::Answer)
    }
}

impl FakeKernel {
    /// One with two processors, that has a tracer, which does with each call what `script` says.
    #[must_use]
    pub fn new(script: impl FnMut(&KernelObject, &Call) -> KernelAct + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(State {
            has_modules: true,
            loaded: Vec::new(),
            versions: ((2, 13, 9), (2, 6)),
            tracepoints: vec!["sched_switch".to_owned(), "irq_handler_entry".to_owned()],
            calls: Vec::new(),
            objects: Objects::new(2),
            script: Box::new(script),
        })))
    }

    /// One without the tracer's modules.
    #[must_use]
    pub fn without_tracer() -> Self {
        let kernel = Self::default();
        kernel.state().has_modules = false;
        kernel
    }

    /// The same, whose modules are there from now on.
    pub fn install_modules(&self) {
        self.state().has_modules = true;
    }

    /// The same, whose tracer is of this version, with this ABI.
    #[must_use]
    pub fn of_version(self, version: (u32, u32, u32), abi: (u32, u32)) -> Self {
        self.state().versions = (version, abi);
        self
    }

    /// The calls so far, and of what each was asked.
    #[must_use]
    pub fn calls(&self) -> Vec<(KernelObject, Call)> {
        self.state().calls.clone()
    }

    /// What became so far of what sessions there were: `Start` and `Stop`, as whether they record.
    #[must_use]
    pub fn recordings(&self) -> Vec<bool> {
        let calls = self.calls().into_iter();
        calls
            .filter_map(|(_, call)| match call {
                Call::Start => Some(true),
                Call::Stop => Some(false),
                _ => None,
            })
            .collect()
    }

    /// How many calls there were of which `is_meant` says that they are.
    #[must_use]
    pub fn count(&self, is_meant: impl Fn(&Call) -> bool) -> usize {
        self.calls().iter().filter(|(_, call)| is_meant(call)).count()
    }

    /// What somebody still has a descriptor of.
    #[must_use]
    pub fn open_objects(&self) -> Vec<KernelObject> {
        self.state().objects.open()
    }

    /// The modules that are loaded.
    #[must_use]
    pub fn loaded(&self) -> Vec<String> {
        self.state().loaded.clone()
    }

    /// The tracer is lost: what there is of it answers so from now on, and its modules are gone until they are
    /// installed again.
    pub fn lose_tracer(&self, answer: Errno) {
        let mut state = self.state();
        (state.has_modules, state.loaded) = (false, Vec::new());
        state.objects.lose_all(answer);
    }

    /// The same, but that its modules stay, and it can be opened anew at once.
    pub fn fail_tracer(&self, answer: Errno) {
        self.state().objects.lose_all(answer);
    }

    /// Another processor comes: every channel has a buffer that nobody reads.
    pub fn add_processor(&self) {
        self.state().objects.add_processor();
    }

    /// An event happens that notifiers of this name match. How many tell of it; the others count it.
    pub fn happen(&self, event: &str, captures: &[u8]) -> usize {
        self.state().objects.happen(event, captures)
    }

    /// Tells the readers of the first group of notifiers whatever this is.
    pub fn write_notifications(&self, bytes: &[u8]) {
        let state = self.state();
        let pipe = state.objects.notifications(0).expect("notifications are read");
        assert_eq!(rustix::io::write(pipe, bytes), Ok(bytes.len()));
    }

    /// What is told of events comes to an end.
    pub fn lose_notifications(&self) {
        self.state().objects.lose_notifications();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl Kernel for FakeKernel {
    fn load(&self, modules: &[String]) -> io::Result<Loaded> {
        let mut state = self.state();
        if !state.has_modules {
            return Ok(Loaded { new: Vec::new(), missing: modules.to_vec() });
        }
        let new: Vec<_> =
            modules.iter().filter(|name| !state.loaded.contains(name)).cloned().collect();
        state.loaded.extend(new.clone());
        Ok(Loaded { new: new.into_iter().rev().collect(), missing: Vec::new() })
    }

    fn unload(&self, modules: &Loaded) -> io::Result<()> {
        let begun = Instant::now();
        while !self.state().objects.open().is_empty() {
            if begun.elapsed() > FORK {
                return Err(Errno::AGAIN.into());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let mut state = self.state();
        state.loaded.retain(|name| !modules.new.contains(name));
        Ok(())
    }

    fn open(&self) -> io::Result<OwnedFd> {
        let mut state = self.state();
        if state.loaded.is_empty() {
            return Err(Errno::NOENT.into());
        }
        Ok(state.objects.make(KernelObject::Tracer))
    }

    fn ioctl(
        &self,
        descriptor: BorrowedFd<'_>,
        number: u32,
        argument: &mut Argument,
    ) -> io::Result<Option<OwnedFd>> {
        let mut state = self.state();
        let object = state.objects.of(descriptor).ok_or(Errno::NOTTY)?;
        let call = Call::decode(number, argument).map_err(|_| Errno::NOTTY)?;
        state.calls.push((object, call.clone()));
        if let Some(errno) = state.objects.lost(descriptor) {
            return Err(errno.into());
        }
        match (state.script)(&object, &call) {
            KernelAct::Answer => state.answer(object, call, argument),
            KernelAct::Refuse(errno) => Err(errno.into()),
        }
    }
}

impl State {
    fn answer(
        &mut self,
        object: KernelObject,
        call: Call,
        argument: &mut Argument,
    ) -> io::Result<Option<OwnedFd>> {
        match call {
            Call::TracerVersion => {
                let (major, minor, patch) = self.versions.0;
                *argument = numbers(&[major, minor, patch]);
                Ok(None)
            }
            Call::AbiVersion => {
                *argument = numbers(&[self.versions.1.0, self.versions.1.1]);
                Ok(None)
            }
            Call::ListTracepoints => {
                let lines = self.tracepoints.iter();
                let lines = lines.map(|name| format!("event {{ name = {name}; }};\n"));
                text(&lines.collect::<String>()).map(Some)
            }
            Call::ListSyscalls => text(
                "syscall { index = 0; name = read; bitness = 64; };\n\
                 syscall { index = 314; name = read; bitness = 32; };\n\
                 syscall { index = 315; name = waitpid; bitness = 32; };\n",
            )
            .map(Some),
            Call::WaitQuiescent => Ok(None),
            Call::SumErrors(index) => {
                let value = self.objects.errors(object, index)?;
                let Argument::Structure(answer) = argument else { return Err(Errno::FAULT.into()) };
                answer[COUNTER_VALUE_AT..][..size_of::<i64>()]
                    .copy_from_slice(&value.to_ne_bytes());
                Ok(None)
            }
            call => Ok(self.objects.answer(object, call)?),
        }
    }
}

fn numbers(numbers: &[u32]) -> Argument {
    Argument::Structure(numbers.iter().flat_map(|number| number.to_ne_bytes()).collect())
}

/// A file that holds a text.
fn text(text: &str) -> io::Result<OwnedFd> {
    let file = rustix::fs::memfd_create("list", MemfdFlags::CLOEXEC)?;
    let mut file = std::fs::File::from(file);
    file.write_all(text.as_bytes())?;
    rustix::fs::seek(&file, SeekFrom::Start(0))?;
    Ok(file.into())
}

/// A descriptor to give, and what tells whether somebody has it.
fn pipe() -> (OwnedFd, OwnedFd) {
    let flags = PipeFlags::CLOEXEC | PipeFlags::NONBLOCK;
    rustix::pipe::pipe_with(flags).unwrap()
}

/// Whether nobody has the other end of a pipe.
fn is_closed(end: &OwnedFd) -> bool {
    let mut polled = [PollFd::new(end, PollFlags::empty())];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    rustix::event::poll(&mut polled, Some(&now)).unwrap();
    polled[0].revents().contains(PollFlags::ERR)
}

/// What is the same of a descriptor and its copies.
fn identity(descriptor: impl AsFd) -> u64 {
    rustix::fs::fstat(descriptor).unwrap().st_ino
}
