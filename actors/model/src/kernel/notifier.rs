//! Event notifiers: which events of the kernel are told when they happen, instead of being recorded, and what of
//! them is told.

use crate::{
    Bytecode, Filter, ProbeAttributes, TracerToken, UserspaceProbe, trigger::EmissionSite,
};

/// An event notifier of the kernel's tracer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KernelNotifier {
    /// Comes back with each event that matches. Never used again.
    pub token: TracerToken,
    /// Which counter counts the events that the tracer could not tell, from 0.
    pub error_counter_index: u64,
    /// Name of the event, or a pattern for tracepoints and system calls.
    pub name: String,
    /// Which events.
    pub events: KernelEvents,
    /// What they are to fulfil.
    pub filter: Option<Filter>,
    /// What is taken of an event, compiled, in the order in which the values are told.
    pub captures: Vec<Bytecode>,
}

/// Which events of the kernel are told.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum KernelEvents {
    /// Those of tracepoints.
    Tracepoints,
    /// System calls.
    Syscalls(EmissionSite),
    /// Passing a place in the kernel.
    Kprobe(ProbeAttributes),
    /// Passing a place in a program.
    Uprobe(UserspaceProbe),
}
