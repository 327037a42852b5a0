//! Event rules and event notifiers, to structures and back.

use lttngd_model::{ProbeAttributes, TracerToken, trigger::EmissionSite};
use zerocopy::IntoBytes;

use super::mirror::{self, PROBE_LEN, Probe, SYSCALL_FILTER_LEN, SyscallFilter, chars, read, text};
use crate::DecodeError;

/// An event rule as the tracer takes it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KernelEvent {
    /// Name, or a pattern for tracepoints and system calls.
    pub name: String,
    /// What is instrumented.
    pub instrumentation: Instrumentation,
}

/// What an event rule instruments.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Instrumentation {
    /// Tracepoints.
    Tracepoint,
    /// A place in the kernel.
    Kprobe(ProbeAttributes),
    /// A function of the kernel, where tracers have ftrace: none of 2.13 has.
    Function,
    /// Beginning and end of a function of the kernel.
    Kretprobe(ProbeAttributes),
    /// System calls.
    Syscall(EmissionSite),
    /// A place in a program, whose file is open as this descriptor during the call.
    Uprobe(i32),
}

/// An event notifier as the tracer takes it: it tells what matches the rule, instead of recording it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EventNotifier {
    /// Comes back with each event.
    pub token: TracerToken,
    /// Which counter counts the events that could not be told.
    pub error_counter_index: u64,
    /// Which events.
    pub event: KernelEvent,
}

impl KernelEvent {
    pub(super) fn mirror(&self, token: TracerToken) -> mirror::Event {
        let mut union = [0; 288];
        let instrumentation = match &self.instrumentation {
            Instrumentation::Tracepoint => 0,
            Instrumentation::Kprobe(probe) => {
                put(&mut union, probe_mirror(probe).as_bytes());
                1
            }
            Instrumentation::Function => 2,
            Instrumentation::Kretprobe(probe) => {
                put(&mut union, probe_mirror(probe).as_bytes());
                3
            }
            Instrumentation::Syscall(site) => {
                // Of every ABI, by name.
                let filter = SyscallFilter {
                    entryexit: *site as u8,
                    abi: 0,
                    matching: 0,
                    padding: 0,
                    number: 0,
                };
                put(&mut union, filter.as_bytes());
                5
            }
            Instrumentation::Uprobe(descriptor) => {
                put(&mut union, &descriptor.to_ne_bytes());
                6
            }
        };
        let (name, token, padding) = (chars(&self.name), token.0, [0; 8]);
        mirror::Event { name, instrumentation, token, padding, union }
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mirror: &mirror::Event = read(bytes, "event")?;
        let (kind, union) = (mirror.instrumentation, &mirror.union);
        let probe = || -> Result<ProbeAttributes, DecodeError> {
            let probe: &Probe = read(&union[..PROBE_LEN], "probe")?;
            let symbol = text(&probe.symbol_name, "symbol")?;
            Ok(ProbeAttributes { address: probe.address, offset: probe.offset, symbol })
        };
        let instrumentation = match kind {
            0 => Instrumentation::Tracepoint,
            1 => Instrumentation::Kprobe(probe()?),
            2 => Instrumentation::Function,
            3 => Instrumentation::Kretprobe(probe()?),
            5 => {
                let filter: &SyscallFilter = read(&union[..SYSCALL_FILTER_LEN], "system call")?;
                let (what, value) = ("emission site", filter.entryexit);
                let site = EmissionSite::from_raw(value.into());
                let unknown = DecodeError::BadValue { what, value: value.into() };
                Instrumentation::Syscall(site.ok_or(unknown)?)
            }
            6 => Instrumentation::Uprobe(i32::from_ne_bytes(*read::<[u8; 4]>(
                &union[..4],
                "uprobe",
            )?)),
            value => {
                let (what, value) = ("instrumentation", value.into());
                return Err(DecodeError::BadValue { what, value });
            }
        };
        Ok(Self { name: text(&mirror.name, "event name")?, instrumentation })
    }
}

impl EventNotifier {
    pub(super) fn mirror(&self) -> mirror::EventNotifier {
        let (event, error_counter_index) =
            (self.event.mirror(self.token), self.error_counter_index);
        mirror::EventNotifier { event, error_counter_index, padding: [0; 32] }
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mirror: &mirror::EventNotifier = read(bytes, "event notifier")?;
        let (token, error_counter_index) = (mirror.event.token, mirror.error_counter_index);
        let event = KernelEvent::decode(mirror.event.as_bytes())?;
        Ok(Self { token: TracerToken(token), error_counter_index, event })
    }
}

fn probe_mirror(probe: &ProbeAttributes) -> Probe {
    Probe { address: probe.address, offset: probe.offset, symbol_name: chars(&probe.symbol) }
}

fn put(union: &mut [u8], bytes: &[u8]) {
    union[..bytes.len()].copy_from_slice(bytes);
}
