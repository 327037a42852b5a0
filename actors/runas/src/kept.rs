//! What a process of root keeps that makes files and has a worker, and nothing else.

use std::collections::BTreeMap;

use nix::libc;
use rustix::{
    io::Errno,
    thread::{
        CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set,
        set_capabilities, set_no_new_privs,
    },
};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};

use crate::confine::{leave_bounding_set, tolerated};

/// Rights over files and their owners, to start a worker that becomes a user, and to come before others.
const KEPT: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::DAC_READ_SEARCH)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETPCAP)
    .union(CapabilitySet::SYS_NICE)
    .union(CapabilitySet::SYS_RESOURCE);

/// System calls that change the system, or reach into other processes.
const REFUSED: [libc::c_long; 36] = [
    // Other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    // The kernel.
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_bpf,
    libc::SYS_syslog,
    libc::SYS_reboot,
    libc::SYS_acct,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    // What is mounted, and what a process sees of the system.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_open_by_handle_at,
    // Time, names and keys.
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
];

/// Gives up, in this thread and in what it starts, every right of root but those over files and their owners, those
/// that a worker takes, and that to come before others.
///
/// # Errors
/// What could not be given up, in words.
pub fn keep_file_rights() -> Result<(), String> {
    let refused = |what| move |errno: Errno| format!("cannot {what}: {errno}");
    // Without the right to do so (`CAP_SETPCAP`) they stay, and what comes below is enough.
    leave_bounding_set(KEPT)
        .and_then(|()| clear_ambient_capability_set())
        .or_else(tolerated)
        .map_err(refused("give capabilities up"))?;
    let had = capabilities(None).map_err(refused("tell capabilities"))?.permitted;
    let (kept, inheritable) = (had.intersection(KEPT), CapabilitySet::empty());
    set_capabilities(None, CapabilitySets { effective: kept, permitted: kept, inheritable })
        .map_err(refused("keep capabilities for files alone"))?;
    set_no_new_privs(true).map_err(refused("refuse new privileges"))?;
    match filter() {
        Ok(filter) => seccompiler::apply_filter(&filter)
            .map_err(|error| format!("cannot give system calls up: {error}")),
        // An architecture that the filter's compiler does not know: capabilities have to do.
        Err(_) => Ok(()),
    }
}

fn filter() -> Result<BpfProgram, seccompiler::BackendError> {
    let rules: BTreeMap<_, _> = REFUSED.map(|call| (call, Vec::new())).into();
    SeccompFilter::new(
        rules,
        SeccompAction::Allow,
        SeccompAction::Errno(libc::EPERM.cast_unsigned()),
        TargetArch::try_from(std::env::consts::ARCH)?,
    )?
    .try_into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::{fs, process::Command, thread};

    use super::*;

    /// The capabilities in a line of a thread's status.
    fn capabilities_in(status: &str, name: &str) -> CapabilitySet {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        CapabilitySet::from_bits_retain(u64::from_str_radix(line.unwrap().trim(), 16).unwrap())
    }

    /// In a thread of its own, which is the only one that changes.
    #[test]
    fn what_concerns_files_is_kept_and_nothing_else() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("there is nothing to give up without root");
            return;
        }
        let body = || {
            let had = capabilities(None).unwrap().permitted;
            keep_file_rights().unwrap();
            let own = fs::read_to_string("/proc/thread-self/status").unwrap();
            let started = Command::new("cat").arg("/proc/self/status").output().unwrap();
            let started = String::from_utf8(started.stdout).unwrap();
            for (whose, status) in [("its own", &own), ("what it starts", &started)] {
                for set in ["CapPrm", "CapEff"] {
                    let has = capabilities_in(status, set);
                    assert_eq!(has, had.intersection(KEPT), "{set} of {whose}");
                }
                assert!(status.contains("NoNewPrivs:\t1"), "{whose}: {status}");
                assert!(status.contains("Seccomp:\t2"), "{whose}: {status}");
            }
            if had.contains(CapabilitySet::SETPCAP) {
                assert!(KEPT.contains(capabilities_in(&own, "CapBnd")));
            }
            // One that asks for no right at all.
            // SAFETY: the call has no arguments that are pointers.
            let pidfd = unsafe { libc::syscall(libc::SYS_pidfd_getfd, -1, -1, 0) };
            assert_eq!(
                (pidfd, Errno::from_io_error(&std::io::Error::last_os_error())),
                (-1, Some(Errno::PERM))
            );
        };
        thread::spawn(body).join().unwrap();
    }
}
