//! The role of the process that loads a clock plugin for a daemon: measures the plugin's clock when
//! asked. The daemon's half is [`lttngd_clock`]. A consumer daemon loads it as well.

mod api;
mod consumer;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::ffi::{CStr, OsStr, OsString, c_char};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use lttngd_clock::{READER_OPTION, REQUEST, Report, measure_offset};
use lttngd_metadata::tsdl::Clock;
use nix::libc;
use rustix::io::retry_on_intr;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

pub use self::consumer::consumers_clock;

/// The variable of the environment that names a plugin.
pub const VARIABLE: &str = "LTTNG_UST_CLOCK_PLUGIN";
/// What LTTng-UST calls in a plugin once it is loaded.
const INIT: &[u8] = b"lttng_ust_clock_plugin_init";
/// Room for the UUID that a plugin writes, more than the 37 bytes it may (`LTTNG_UST_UUID_STR_LEN`).
const UUID_ROOM: usize = 64;
/// The bits of a socket's type that are not flags.
const SOCK_TYPE_MASK: u64 = 0xf;
const FIRST_FREE_FD: i32 = 3;
const PROCESS_NAME: &CStr = c"lttng-ust-clock";

/// The plugin to load, if the command line `args` means this role.
pub fn library(args: &[OsString]) -> Option<&OsStr> {
    match args {
        [_, option, library] if option == READER_OPTION => Some(library),
        _ => None,
    }
}

/// Loads the plugin `library` and answers on standard input, which is a socket of packets, until its
/// other end is gone.
///
/// # Errors
///
/// When standard input is no such socket.
pub fn serve(library: &OsStr) -> io::Result<()> {
    let socket = take_standard_input()?;
    // It only makes the process easier to tell from others.
    let _ = rustix::thread::set_name(PROCESS_NAME);
    if let Err(error) = forbid_unix_streams() {
        // There is no log. The plugin is used all the same: without it times would be wrong.
        let _ = writeln!(
            io::stderr(),
            "the process of the clock plugin may register as an application: {error}"
        );
    }
    let unused = load(library).err();
    let mut request = REQUEST;
    loop {
        let (length, _) = retry_on_intr(|| recv(&socket, &mut request[..], RecvFlags::empty()))?;
        if length == 0 {
            return Ok(());
        }
        let report = match &unused {
            Some(reason) => Report::Unused(reason.clone()),
            None => measure(),
        };
        retry_on_intr(|| send(&socket, &report.encode(), SendFlags::NOSIGNAL))?;
    }
}

/// Moves the socket to where neither the plugin nor what it executes takes it for its own.
fn take_standard_input() -> io::Result<OwnedFd> {
    let socket = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), FIRST_FREE_FD)?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    Ok(socket)
}

/// Makes `socket` fail for the kind of socket over which LTTng-UST registers applications, in the
/// calling thread and those that it starts. A plugin is linked with LTTng-UST, whose constructor would
/// register this process with every session daemon that there is; it has no switch against that.
fn forbid_unix_streams() -> Result<(), String> {
    let equals = |argument, operator, value: libc::c_int| {
        SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value as u64)
    };
    let program = || -> Result<BpfProgram, seccompiler::BackendError> {
        let unix_stream = SeccompRule::new(vec![
            equals(0, SeccompCmpOp::Eq, libc::AF_UNIX)?,
            equals(1, SeccompCmpOp::MaskedEq(SOCK_TYPE_MASK), libc::SOCK_STREAM)?,
        ])?;
        SeccompFilter::new(
            [(libc::SYS_socket, vec![unix_stream])].into(),
            SeccompAction::Allow,
            SeccompAction::Errno(libc::EACCES as u32),
            TargetArch::try_from(std::env::consts::ARCH)?,
        )?
        .try_into()
    };
    let program = program().map_err(|error| error.to_string())?;
    seccompiler::apply_filter(&program).map_err(|error| error.to_string())
}

/// Loads the plugin and lets it set the clock. The error says why it has not.
fn load(library: &OsStr) -> Result<(), String> {
    // SAFETY: it runs the plugin's constructors. This process exists to run the plugin.
    let plugin = unsafe { Library::open(Some(library), RTLD_NOW | RTLD_LOCAL) }
        .map_err(|error| format!("it cannot be loaded: {}", linkers_words(&error)))?;
    // SAFETY: a symbol of this name is such a function by LTTng-UST's contract with plugins.
    let init = unsafe { plugin.get::<unsafe extern "C" fn()>(INIT) }
        .map(|init| *init)
        .map_err(|error| format!("it has no init function: {}", linkers_words(&error)));
    // Its functions are called for as long as the process lives.
    std::mem::forget(plugin);
    // SAFETY: the plugin is loaded, and this is called once.
    unsafe { init?() };
    match api::clock() {
        Some(_) => Ok(()),
        None => Err("it does not enable an override of the trace clock".to_owned()),
    }
}

/// What the dynamic linker said.
fn linkers_words(error: &libloading::Error) -> String {
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}

/// Describes and measures the plugin's clock.
fn measure() -> Report {
    let Some(functions) = api::clock() else {
        return Report::Unused("it does not override the clock".to_owned());
    };
    // SAFETY: the functions are the plugin's, which stays loaded, and strings it returns are
    // constants by LTTng-UST's contract.
    let (name, description, freq_hz) =
        unsafe { (text((functions.name)()), text((functions.description)()), (functions.freq)()) };
    let (Some(name), Some(description)) = (name, description) else {
        return Report::Unusable("it gives no name or no description".to_owned());
    };
    // SAFETY: the function is the plugin's, which stays loaded.
    let offset = measure_offset(freq_hz, || unsafe { (functions.read64)() });
    Report::Clock(Clock { name, uuid: uuid(functions.uuid), description, freq_hz, offset })
}

/// The clock's identity, unless the plugin has none to tell.
fn uuid(function: api::Uuid) -> Option<String> {
    let mut room = [0; UUID_ROOM];
    // SAFETY: the function writes at most LTTNG_UST_UUID_STR_LEN bytes by contract, and there is
    // room for more.
    let result = unsafe { function(room.as_mut_ptr().cast::<c_char>()) };
    let written = CStr::from_bytes_until_nul(&room).ok()?;
    (result == 0).then(|| written.to_string_lossy().into_owned())
}

/// # Safety
///
/// A pointer other than null leads to a string that ends with a zero byte and stays.
unsafe fn text(string: *const c_char) -> Option<String> {
    if string.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    let string = unsafe { CStr::from_ptr(string) };
    Some(string.to_string_lossy().into_owned())
}
