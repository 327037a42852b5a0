//! What a worker gives up before it serves: every right but that to take users' rights, and every
//! system call but those that its work needs.

use std::{collections::BTreeMap, io, os::fd::RawFd};

use nix::libc;
use rustix::{
    io::Errno,
    process::{DumpableBehavior, set_dumpable_behavior},
    thread::{
        CapabilitiesSecureBits, CapabilitySet, CapabilitySets, clear_ambient_capability_set,
        remove_capability_from_bounding_set, set_capabilities, set_capabilities_secure_bits,
        set_no_new_privs,
    },
};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

/// Bits in a set of capabilities.
const CAPABILITIES_MAX: u32 = 64;

/// Gives up what is not needed, in this thread and those it starts. The error says what could not be
/// given up.
pub(crate) fn confine() -> Result<(), String> {
    let refused = |what| move |errno: Errno| format!("cannot {what}: {errno}");
    if rustix::process::geteuid().is_root() {
        // Without the right to do so (`CAP_SETPCAP`) they stay, and what comes below is enough.
        leave_way_back_closed().or_else(tolerated).map_err(refused("give capabilities up"))?;
        let kept = CapabilitySet::SETUID | CapabilitySet::SETGID;
        let inheritable = CapabilitySet::empty();
        set_capabilities(None, CapabilitySets { effective: kept, permitted: kept, inheritable })
            .map_err(refused("keep CAP_SETUID and CAP_SETGID alone"))?;
    }
    set_no_new_privs(true).map_err(refused("refuse new privileges"))?;
    // Neither traced nor dumped by whose files it makes.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(refused("hide the memory"))?;
    match filter() {
        Ok(filter) => seccompiler::apply_filter(&filter)
            .map_err(|error| format!("cannot give system calls up: {error}")),
        // An architecture that the filter's compiler does not know: capabilities have to do.
        Err(_) => Ok(()),
    }
}

/// Makes sure that capabilities do not come back by executing a program or changing users.
fn leave_way_back_closed() -> Result<(), Errno> {
    leave_bounding_set(CapabilitySet::empty())?;
    clear_ambient_capability_set()?;
    set_capabilities_secure_bits(
        CapabilitiesSecureBits::NO_ROOT
            | CapabilitiesSecureBits::NO_ROOT_LOCKED
            | CapabilitiesSecureBits::NO_SETUID_FIXUP
            | CapabilitiesSecureBits::NO_SETUID_FIXUP_LOCKED
            | CapabilitiesSecureBits::KEEP_CAPS_LOCKED
            | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE
            | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE_LOCKED,
    )
}

/// Leaves `kept` alone to what is executed.
pub(crate) fn leave_bounding_set(kept: CapabilitySet) -> Result<(), Errno> {
    for number in 0..CAPABILITIES_MAX {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        if kept.contains(capability) {
            continue;
        }
        match remove_capability_from_bounding_set(capability) {
            Ok(()) => {}
            // The first that the kernel does not know.
            Err(Errno::INVAL) => break,
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

pub(crate) fn tolerated(errno: Errno) -> Result<(), Errno> {
    if errno == Errno::PERM { Ok(()) } else { Err(errno) }
}

/// System calls that are allowed with any arguments.
const ALLOWED: [libc::c_long; 40] = [
    // Requests and replies.
    libc::SYS_recvmsg,
    libc::SYS_sendmsg,
    // Rights.
    libc::SYS_geteuid,
    libc::SYS_setgroups,
    libc::SYS_setfsgid,
    libc::SYS_setfsuid,
    // Files and directories.
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_mkdirat,
    libc::SYS_unlinkat,
    libc::SYS_renameat2,
    libc::SYS_fchmod,
    libc::SYS_ftruncate,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_getdents64,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_close,
    // Threads, memory, signals and time, as the C library and Rust's use them.
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_gettid,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_restart_syscall,
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_getrandom,
];

/// The filter. What is not allowed is not there, for which the C library is prepared: it starts
/// threads by `clone` then, whose arguments can be looked at, unlike those of `clone3`.
fn filter() -> Result<BpfProgram, seccompiler::BackendError> {
    let only = |argument, operator, value: libc::c_int| {
        let value = u64::from(value.cast_unsigned());
        let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)?;
        SeccompRule::new(vec![condition])
    };
    let masked = |mask: libc::c_int| SeccompCmpOp::MaskedEq(u64::from(mask.cast_unsigned()));
    let mut rules: BTreeMap<_, _> = ALLOWED.map(|call| (call, Vec::new())).into();
    rules.insert(libc::SYS_clone, vec![only(0, masked(libc::CLONE_THREAD), libc::CLONE_THREAD)?]);
    for call in [libc::SYS_mmap, libc::SYS_mprotect] {
        rules.insert(call, vec![only(2, masked(libc::PROT_EXEC), 0)?]);
    }
    rules.insert(libc::SYS_prctl, vec![only(0, SeccompCmpOp::Eq, libc::PR_SET_NAME)?]);
    let duplicates = [libc::F_DUPFD_CLOEXEC, libc::F_GETFD, libc::F_GETFL];
    let duplicates = duplicates.map(|command| only(1, SeccompCmpOp::Eq, command));
    rules.insert(libc::SYS_fcntl, duplicates.into_iter().collect::<Result<_, _>>()?);
    SeccompFilter::new(
        rules,
        SeccompAction::Errno(libc::ENOSYS.cast_unsigned()),
        SeccompAction::Allow,
        TargetArch::try_from(std::env::consts::ARCH)?,
    )?
    .try_into()
}

/// Closes every descriptor from `first` on.
pub(crate) fn close_others(first: RawFd) -> io::Result<()> {
    // SAFETY: nothing in this process has opened a descriptor yet that is not standard input, output
    // or error.
    let closed = unsafe { libc::close_range(first.cast_unsigned(), libc::c_uint::MAX, 0) };
    match io::Error::last_os_error() {
        _ if closed == 0 => Ok(()),
        // Kernels before 5.9. A daemon has none that it does not close when it executes a program.
        error if error.raw_os_error() == Some(libc::ENOSYS) => Ok(()),
        error => Err(error),
    }
}
