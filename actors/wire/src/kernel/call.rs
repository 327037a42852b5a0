//! The calls, to bytes and back.

use lttngd_model::{
    Bytecode, ChannelOutput, Context, ContextKind, FILTER_MAX_LEN, PerfContext, ProcessAttribute,
    TracerToken,
};
use zerocopy::IntoBytes;

use super::{
    Argument, EventNotifier, KernelEvent,
    mirror::{
        self, ABI_VERSION_LEN, BYTECODE_HEAD_LEN, BytecodeHead, CounterAggregate, CounterClear,
        CounterConf, NAME_LEN, TIME_LEN, TRACER_VERSION_LEN, Tracker, chars, read, text,
    },
    number as no,
};
use crate::DecodeError;

/// An ioctl.
#[derive(Clone, Debug, PartialEq)]
pub enum Call {
    /// Tracer: a session.
    CreateSession,
    /// Tracer: the version of its modules, see [`decode_tracer_version`](super::decode_tracer_version).
    TracerVersion,
    /// Tracer: a file of its tracepoints, see [`parse_tracepoints`](super::parse_tracepoints).
    ListTracepoints,
    /// Tracer: returns when no probe that had begun runs any more.
    WaitQuiescent,
    /// Tracer: a file of system calls, see [`parse_syscalls`](super::parse_syscalls).
    ListSyscalls,
    /// Tracer: the version of its ABI, see [`decode_abi_version`](super::decode_abi_version).
    AbiVersion,
    /// Session: a metadata channel.
    CreateMetadata(ChannelSettings),
    /// Session: a data channel.
    CreateChannel(ChannelSettings),
    /// Session.
    Start,
    /// Session.
    Stop,
    /// Session: records this process, or every one for -1.
    TrackPid(i32),
    /// Session: does not record this process any more, or none for -1.
    UntrackPid(i32),
    /// Session: the same for another attribute of processes.
    Track(ProcessAttribute, i32),
    /// Session: the same for another attribute of processes.
    Untrack(ProcessAttribute, i32),
    /// Session: writes its metadata anew.
    RegenerateMetadata,
    /// Session: records its state dump again.
    Statedump,
    /// Session: the name that is in its metadata.
    SetName(String),
    /// Session: the time that is in its metadata.
    SetCreationTime(String),
    /// Channel of either kind: the reader's side of a buffer that has none; `ENOENT` when each has one.
    OpenStream,
    /// Channel: an event rule.
    CreateEvent(Box<KernelEvent>),
    /// Channel: a context field.
    AddContext(Context),
    /// Channel, event, notifier.
    Enable,
    /// Channel, event, notifier.
    Disable,
    /// Event, notifier: what it is to fulfil.
    Filter(Bytecode),
    /// Event or notifier of a probe in user space: a place in its file, in bytes from the beginning.
    AddCallsite(u64),
    /// Notifier: a value that is taken of each event, behind those before.
    Capture(Bytecode),
    /// Tracer: a group of event notifiers.
    CreateNotifierGroup,
    /// Notifier group: so many counters of events that could not be told. It has them once.
    CreateErrorCounters(u64),
    /// Notifier group: an event notifier.
    CreateNotifier(Box<EventNotifier>),
    /// Notifier group: where events are told, as records of the form that applications tell them in
    /// ([`EventNotification`](crate::ust::notification::EventNotification)). It has one.
    OpenNotifications,
    /// Error counters: the value of one, see [`decode_error_count`](super::decode_error_count).
    SumErrors(u64),
    /// Error counters: one begins anew.
    ClearErrors(u64),
    /// Stream: closes its packet if that has something in it.
    Flush,
}

/// What a channel is made with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ChannelSettings {
    /// Size of a sub-buffer in bytes.
    pub subbuf_size_bytes: u64,
    /// Count of sub-buffers.
    pub num_subbuf: u64,
    /// Period of the switch timer in microseconds, 0 for none.
    pub switch_timer_interval_us: u32,
    /// Period of the read timer in microseconds, 0 to wake the reader at once.
    pub read_timer_interval_us: u32,
    /// How the reader gets at packets.
    pub output: ChannelOutput,
    /// Whether a full buffer loses its oldest sub-buffer instead of the new event.
    pub overwrite: bool,
}

impl Call {
    /// The ioctl's number.
    #[must_use]
    pub fn number(&self) -> u32 {
        match self {
            Self::CreateSession => no::CREATE_SESSION,
            Self::TracerVersion => no::TRACER_VERSION,
            Self::ListTracepoints => no::LIST_TRACEPOINTS,
            Self::WaitQuiescent => no::WAIT_QUIESCENT,
            Self::ListSyscalls => no::LIST_SYSCALLS,
            Self::AbiVersion => no::ABI_VERSION,
            Self::CreateMetadata(_) => no::CREATE_METADATA,
            Self::CreateChannel(_) => no::CREATE_CHANNEL,
            Self::Start => no::START,
            Self::Stop => no::STOP,
            Self::TrackPid(_) => no::TRACK_PID,
            Self::UntrackPid(_) => no::UNTRACK_PID,
            Self::Track(..) => no::TRACK,
            Self::Untrack(..) => no::UNTRACK,
            Self::RegenerateMetadata => no::REGENERATE_METADATA,
            Self::Statedump => no::STATEDUMP,
            Self::SetName(_) => no::SET_NAME,
            Self::SetCreationTime(_) => no::SET_CREATION_TIME,
            Self::OpenStream => no::OPEN_STREAM,
            Self::CreateEvent(_) => no::CREATE_EVENT,
            Self::AddContext(_) => no::ADD_CONTEXT,
            Self::Enable => no::ENABLE,
            Self::Disable => no::DISABLE,
            Self::Filter(_) => no::FILTER,
            Self::AddCallsite(_) => no::ADD_CALLSITE,
            Self::Capture(_) => no::CAPTURE,
            Self::CreateNotifierGroup => no::CREATE_NOTIFIER_GROUP,
            Self::CreateErrorCounters(_) => no::CREATE_ERROR_COUNTERS,
            Self::CreateNotifier(_) => no::CREATE_NOTIFIER,
            Self::OpenNotifications => no::OPEN_NOTIFICATIONS,
            Self::SumErrors(_) => no::COUNTER_AGGREGATE,
            Self::ClearErrors(_) => no::COUNTER_CLEAR,
            Self::Flush => no::FLUSH,
        }
    }

    /// Whether its result is a descriptor.
    #[must_use]
    pub fn makes_descriptor(&self) -> bool {
        matches!(
            self,
            Self::CreateSession
                | Self::ListTracepoints
                | Self::ListSyscalls
                | Self::CreateMetadata(_)
                | Self::CreateChannel(_)
                | Self::OpenStream
                | Self::CreateEvent(_)
                | Self::CreateNotifierGroup
                | Self::CreateErrorCounters(_)
                | Self::CreateNotifier(_)
                | Self::OpenNotifications
        )
    }

    /// What it is given. Text that is too long for its member is cut. `None` for a context that the
    /// tracer has no number for.
    #[must_use]
    pub fn argument(&self) -> Option<Argument> {
        let structure = |bytes: &[u8]| Some(Argument::Structure(bytes.to_vec()));
        match self {
            Self::TracerVersion => structure(&[0; TRACER_VERSION_LEN]),
            Self::AbiVersion => structure(&[0; ABI_VERSION_LEN]),
            Self::CreateMetadata(settings) | Self::CreateChannel(settings) => {
                structure(settings.mirror().as_bytes())
            }
            Self::TrackPid(pid) | Self::UntrackPid(pid) => Some(Argument::Value(*pid)),
            Self::Track(attribute, id) | Self::Untrack(attribute, id) => {
                structure(Tracker { kind: *attribute as u32, id: *id }.as_bytes())
            }
            Self::SetName(name) => structure(&chars::<NAME_LEN>(name)),
            Self::SetCreationTime(time) => structure(&chars::<TIME_LEN>(time)),
            Self::CreateEvent(event) => structure(event.mirror(TracerToken(0)).as_bytes()),
            Self::AddContext(context) => structure(context_mirror(context)?.as_bytes()),
            Self::Filter(bytecode) | Self::Capture(bytecode) => {
                let head = BytecodeHead {
                    len: u32::try_from(bytecode.data.len()).unwrap_or(u32::MAX),
                    reloc_offset: bytecode.reloc_table_offset,
                    seqnum: bytecode.seqnum,
                };
                structure(&[head.as_bytes(), &bytecode.data].concat())
            }
            Self::CreateNotifier(notifier) => structure(notifier.mirror().as_bytes()),
            Self::CreateErrorCounters(count) => structure(CounterConf::of(*count).as_bytes()),
            Self::SumErrors(index) => structure(CounterAggregate::of(*index).as_bytes()),
            Self::ClearErrors(index) => structure(CounterClear::of(*index).as_bytes()),
            Self::AddCallsite(offset) => structure(&offset.to_ne_bytes()),
            _ => Some(Argument::None),
        }
    }

    /// The call of a number and an argument.
    ///
    /// # Errors
    /// A number that is none of them, a structure of another size, or a member without meaning.
    pub fn decode(number: u32, argument: &Argument) -> Result<Self, DecodeError> {
        let bytes = argument.bytes();
        Ok(match (number, argument) {
            (no::TRACK_PID, Argument::Value(pid)) => Self::TrackPid(*pid),
            (no::UNTRACK_PID, Argument::Value(pid)) => Self::UntrackPid(*pid),
            (_, Argument::None) => return Self::decode_bare(number),
            (no::TRACER_VERSION, _) => Self::TracerVersion,
            (no::ABI_VERSION, _) => Self::AbiVersion,
            (no::CREATE_METADATA, _) => Self::CreateMetadata(ChannelSettings::decode(bytes)?),
            (no::CREATE_CHANNEL, _) => Self::CreateChannel(ChannelSettings::decode(bytes)?),
            (no::TRACK, _) => tracker(bytes).map(|(attribute, id)| Self::Track(attribute, id))?,
            (no::UNTRACK, _) => {
                tracker(bytes).map(|(attribute, id)| Self::Untrack(attribute, id))?
            }
            (no::SET_NAME, _) => Self::SetName(text(bytes, "session name")?),
            (no::SET_CREATION_TIME, _) => Self::SetCreationTime(text(bytes, "creation time")?),
            (no::CREATE_EVENT, _) => Self::CreateEvent(Box::new(KernelEvent::decode(bytes)?)),
            (no::ADD_CONTEXT, _) => Self::AddContext(context(bytes)?),
            (no::FILTER, _) => Self::Filter(bytecode(bytes)?),
            (no::CAPTURE, _) => Self::Capture(bytecode(bytes)?),
            (no::CREATE_NOTIFIER, _) => Self::CreateNotifier(EventNotifier::decode(bytes)?.into()),
            (no::CREATE_ERROR_COUNTERS, _) => {
                Self::CreateErrorCounters(read::<CounterConf>(bytes, "counters")?.count())
            }
            (no::COUNTER_AGGREGATE, _) => {
                Self::SumErrors(read::<CounterAggregate>(bytes, "counter")?.index.first())
            }
            (no::COUNTER_CLEAR, _) => {
                Self::ClearErrors(read::<CounterClear>(bytes, "counter")?.index.first())
            }
            (no::ADD_CALLSITE, _) => {
                Self::AddCallsite(u64::from_ne_bytes(*read::<[u8; 8]>(bytes, "callsite")?))
            }
            _ => return Err(DecodeError::BadValue { what: "ioctl", value: number.into() }),
        })
    }

    fn decode_bare(number: u32) -> Result<Self, DecodeError> {
        Ok(match number {
            no::CREATE_SESSION => Self::CreateSession,
            no::LIST_TRACEPOINTS => Self::ListTracepoints,
            no::WAIT_QUIESCENT => Self::WaitQuiescent,
            no::LIST_SYSCALLS => Self::ListSyscalls,
            no::START => Self::Start,
            no::STOP => Self::Stop,
            no::REGENERATE_METADATA => Self::RegenerateMetadata,
            no::STATEDUMP => Self::Statedump,
            no::OPEN_STREAM => Self::OpenStream,
            no::ENABLE => Self::Enable,
            no::DISABLE => Self::Disable,
            no::FLUSH => Self::Flush,
            no::CREATE_NOTIFIER_GROUP => Self::CreateNotifierGroup,
            no::OPEN_NOTIFICATIONS => Self::OpenNotifications,
            _ => return Err(DecodeError::BadValue { what: "ioctl", value: number.into() }),
        })
    }
}

impl ChannelSettings {
    fn mirror(self) -> mirror::Channel {
        mirror::Channel {
            subbuf_size: self.subbuf_size_bytes,
            num_subbuf: self.num_subbuf,
            switch_timer_interval: self.switch_timer_interval_us,
            read_timer_interval: self.read_timer_interval_us,
            output: self.output as u32,
            overwrite: self.overwrite.into(),
            padding: [0; 288],
        }
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mirror: &mirror::Channel = read(bytes, "channel")?;
        let (output, overwrite) = (mirror.output, mirror.overwrite);
        Ok(Self {
            subbuf_size_bytes: mirror.subbuf_size,
            num_subbuf: mirror.num_subbuf,
            switch_timer_interval_us: mirror.switch_timer_interval,
            read_timer_interval_us: mirror.read_timer_interval,
            output: match output {
                0 => ChannelOutput::Splice,
                1 => ChannelOutput::Mmap,
                value => return Err(DecodeError::BadValue { what: "output", value: value.into() }),
            },
            overwrite: overwrite != 0,
        })
    }
}

fn context_mirror(context: &Context) -> Option<mirror::Context> {
    let kind = context.kind().kernel_context()?;
    let none = PerfContext { perf_type: 0, config: 0, name: String::new() };
    let perf = match context {
        Context::Perf(_, perf) => perf,
        Context::Plain(_) | Context::App(_) => &none,
    };
    Some(mirror::Context {
        kind,
        padding: [0; 16],
        perf_type: perf.perf_type,
        perf_config: perf.config,
        perf_name: chars(&perf.name),
        union_rest: [0; 20],
    })
}

fn context(bytes: &[u8]) -> Result<Context, DecodeError> {
    let mirror: &mirror::Context = read(bytes, "context")?;
    let number = mirror.kind;
    let kind = ContextKind::from_kernel(number)
        .ok_or(DecodeError::BadValue { what: "context", value: number.into() })?;
    if kind != ContextKind::PerfCpuCounter {
        return Ok(Context::Plain(kind));
    }
    let name = text(&mirror.perf_name, "performance counter")?;
    let perf = PerfContext { perf_type: mirror.perf_type, config: mirror.perf_config, name };
    Ok(Context::Perf(kind, perf))
}

fn tracker(bytes: &[u8]) -> Result<(ProcessAttribute, i32), DecodeError> {
    let mirror: &Tracker = read(bytes, "tracker")?;
    let (kind, id) = (mirror.kind, mirror.id);
    let attribute = i32::try_from(kind).ok().and_then(ProcessAttribute::from_raw);
    let unknown = DecodeError::BadValue { what: "tracker", value: kind.into() };
    attribute.map(|attribute| (attribute, id)).ok_or(unknown)
}

fn bytecode(bytes: &[u8]) -> Result<Bytecode, DecodeError> {
    let (head, data) = bytes.split_at_checked(BYTECODE_HEAD_LEN).ok_or(DecodeError::Truncated {
        what: "bytecode",
        needed: BYTECODE_HEAD_LEN,
        left: bytes.len(),
    })?;
    let head: &BytecodeHead = read(head, "bytecode")?;
    let len = head.len as usize;
    if len != data.len() || len > FILTER_MAX_LEN {
        return Err(DecodeError::BadValue { what: "bytecode len", value: head.len.into() });
    }
    Ok(Bytecode { reloc_table_offset: head.reloc_offset, seqnum: head.seqnum, data: data.to_vec() })
}
