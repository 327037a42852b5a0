//! This machine's kernel.

use std::{
    ffi::CString,
    fs, io,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
    path::Path,
    process::{Command, Stdio},
};

use lttngd_wire::kernel::Argument;
use rustix::{
    fs::{Mode, OFlags},
    io::{FdFlags, fcntl_setfd},
};

use crate::Kernel;

/// Where the tracer is.
const TRACER: &str = "/proc/lttng";
/// What loads modules, in the first of these places that has it.
const MODPROBE: [&str; 3] = ["/sbin/modprobe", "/usr/sbin/modprobe", "/usr/bin/modprobe"];
/// What there is of a module that is loaded, or built in and has something to show.
const MODULES: &str = "/sys/module";
/// Which modules are loaded, the newest first.
const LOADED: &str = "/proc/modules";

/// What became of modules that were to be loaded.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Loaded {
    /// Those that were not there before, the newest first, with others that they need.
    pub new: Vec<String>,
    /// Those that are not there.
    pub missing: Vec<String>,
}

/// This machine's kernel.
#[derive(Clone, Copy, Debug, Default)]
pub struct Machine;

impl Kernel for Machine {
    fn load(&self, modules: &[String]) -> io::Result<Loaded> {
        let is_missing = |name: &&String| !Path::new(MODULES).join(kernels(name)).exists();
        let missing: Vec<&String> = modules.iter().filter(is_missing).collect();
        if missing.is_empty() {
            return Ok(Loaded::default());
        }
        let before = loaded()?;
        if let Some(modprobe) = MODPROBE.iter().find(|place| Path::new(place).exists()) {
            // One that fails does not keep it from the others; which did is seen afterwards.
            Command::new(modprobe)
                .args(["--all", "--quiet", "--"])
                .args(&missing)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()?;
        }
        let mut new = loaded()?;
        new.retain(|name| !before.contains(name));
        let missing = modules.iter().filter(is_missing).cloned().collect();
        Ok(Loaded { new, missing })
    }

    fn unload(&self, modules: &Loaded) -> io::Result<()> {
        let mut left = modules.new.clone();
        loop {
            let mut refused = None;
            let before = left.len();
            left.retain(|name| match unload(name) {
                Ok(()) => false,
                // Somebody else may have unloaded it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => false,
                Err(error) => {
                    refused = Some(error);
                    true
                }
            });
            match refused {
                None => return Ok(()),
                // Those that needed it may be gone now.
                Some(_) if left.len() < before => {}
                Some(error) => return Err(error),
            }
        }
    }

    fn open(&self) -> io::Result<OwnedFd> {
        Ok(rustix::fs::open(TRACER, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?)
    }

    fn ioctl(
        &self,
        descriptor: BorrowedFd<'_>,
        number: u32,
        argument: &mut Argument,
    ) -> io::Result<Option<OwnedFd>> {
        let to = descriptor.as_raw_fd();
        let number = libc::Ioctl::from(number);
        let result = match argument {
            // SAFETY: the descriptor is open, and the calls without an argument look at none.
            Argument::None => unsafe { libc::ioctl(to, number, 0) },
            // SAFETY: the same; the kernel takes the value as it is.
            Argument::Value(value) => unsafe {
                libc::ioctl(to, number, libc::c_long::from(*value))
            },
            // SAFETY: the structure is as long as the number or, for bytecode and callsites, its own head says,
            // and can be written.
            Argument::Structure(bytes) => unsafe { libc::ioctl(to, number, bytes.as_mut_ptr()) },
        };
        match result {
            0 => Ok(None),
            made if made > 0 => {
                // SAFETY: a result above 0 is a new descriptor that nobody else has.
                let made = unsafe { OwnedFd::from_raw_fd(made) };
                fcntl_setfd(&made, FdFlags::CLOEXEC)?;
                Ok(Some(made))
            }
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// The kernel's own name of a module.
fn kernels(name: &str) -> String {
    name.replace('-', "_")
}

/// The names of the modules that are loaded, the newest first.
fn loaded() -> io::Result<Vec<String>> {
    let text = match fs::read_to_string(LOADED) {
        // A kernel without modules.
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        read => read?,
    };
    Ok(text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect())
}

fn unload(name: &str) -> io::Result<()> {
    let name = CString::new(name).map_err(io::Error::other)?;
    Ok(rustix::system::delete_module(&name, libc::O_NONBLOCK)?)
}
