//! The structures, with their sizes and offsets.

use std::mem::offset_of;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::{DecodeError, Reader};

/// Bytes of a name, its NUL included (`LTTNG_KERNEL_ABI_SYM_NAME_LEN`,
/// `LTTNG_KERNEL_ABI_SESSION_NAME_LEN`).
pub(super) const NAME_LEN: usize = 256;
/// Bytes of a session's creation time, its NUL included
/// (`LTTNG_KERNEL_ABI_SESSION_CREATION_TIME_ISO8601_LEN`).
pub(super) const TIME_LEN: usize = 26;

macro_rules! mirrors {
    ($($(#[$doc:meta])* $name:ident $len:ident = $size:literal {
        $($member:ident: $type:ty = $offset:literal,)*
    })*) => {$(
        $(#[$doc])*
        #[derive(FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
        #[repr(C, packed)]
        pub(super) struct $name {
            $(pub(super) $member: $type,)*
        }

        pub(super) const $len: usize = $size;
        const _: () = assert!(size_of::<$name>() == $size);
        $(const _: () = assert!(offset_of!($name, $member) == $offset);)*
    )*};
}

mirrors! {
    /// `struct lttng_kernel_abi_tracer_version`.
    TracerVersion TRACER_VERSION_LEN = 12 {
        major: u32 = 0,
        minor: u32 = 4,
        patchlevel: u32 = 8,
    }
    /// `struct lttng_kernel_abi_tracer_abi_version`.
    AbiVersion ABI_VERSION_LEN = 8 {
        major: u32 = 0,
        minor: u32 = 4,
    }
    /// `struct lttng_kernel_abi_channel`.
    Channel CHANNEL_LEN = 320 {
        subbuf_size: u64 = 0,
        num_subbuf: u64 = 8,
        switch_timer_interval: u32 = 16,
        read_timer_interval: u32 = 20,
        output: u32 = 24,
        overwrite: i32 = 28,
        padding: [u8; 288] = 32,
    }
    /// `struct lttng_kernel_abi_event`.
    Event EVENT_LEN = 564 {
        name: [u8; NAME_LEN] = 0,
        instrumentation: u32 = 256,
        token: u64 = 260,
        padding: [u8; 8] = 268,
        union: [u8; 288] = 276,
    }
    /// `struct lttng_kernel_abi_kprobe`, and `_kretprobe` but for the byte behind it, which is 0.
    Probe PROBE_LEN = 272 {
        address: u64 = 0,
        offset: u64 = 8,
        symbol_name: [u8; NAME_LEN] = 16,
    }
    /// `struct lttng_kernel_abi_syscall_filter`.
    SyscallFilter SYSCALL_FILTER_LEN = 8 {
        entryexit: u8 = 0,
        abi: u8 = 1,
        matching: u8 = 2,
        padding: u8 = 3,
        number: u32 = 4,
    }
    /// `struct lttng_kernel_abi_context`, whose union has a performance counter alone.
    Context CONTEXT_LEN = 308 {
        kind: u32 = 0,
        padding: [u8; 16] = 4,
        perf_type: u32 = 20,
        perf_config: u64 = 24,
        perf_name: [u8; NAME_LEN] = 32,
        union_rest: [u8; 20] = 288,
    }
    /// `struct lttng_kernel_abi_tracker_args`.
    Tracker TRACKER_LEN = 8 {
        kind: u32 = 0,
        id: i32 = 4,
    }
    /// `struct lttng_kernel_abi_filter_bytecode`; the bytes follow.
    BytecodeHead BYTECODE_HEAD_LEN = 16 {
        len: u32 = 0,
        reloc_offset: u32 = 4,
        seqnum: u64 = 8,
    }
    /// `struct lttng_kernel_abi_event_notifier`.
    EventNotifier EVENT_NOTIFIER_LEN = 604 {
        event: Event = 0,
        error_counter_index: u64 = 564,
        padding: [u8; 32] = 572,
    }
    /// `struct lttng_kernel_abi_counter_dimension`.
    CounterDimension COUNTER_DIMENSION_LEN = 26 {
        size: u64 = 0,
        underflow_index: u64 = 8,
        overflow_index: u64 = 16,
        has_underflow: u8 = 24,
        has_overflow: u8 = 25,
    }
    /// `struct lttng_kernel_abi_counter_conf`.
    CounterConf COUNTER_CONF_LEN = 192 {
        arithmetic: u32 = 0,
        bitness: u32 = 4,
        number_dimensions: u32 = 8,
        global_sum_step: i64 = 12,
        dimension: CounterDimension = 20,
        other_dimensions: [u8; 3 * COUNTER_DIMENSION_LEN] = 46,
        coalesce_hits: u8 = 124,
        padding: [u8; 67] = 125,
    }
    /// `struct lttng_kernel_abi_counter_index`.
    CounterIndex COUNTER_INDEX_LEN = 36 {
        number_dimensions: u32 = 0,
        indexes: [u64; 4] = 4,
    }
    /// `struct lttng_kernel_abi_counter_aggregate`; the value is the tracer's answer.
    CounterAggregate COUNTER_AGGREGATE_LEN = 78 {
        index: CounterIndex = 0,
        value: i64 = 36,
        underflow: u8 = 44,
        overflow: u8 = 45,
        padding: [u8; 32] = 46,
    }
    /// `struct lttng_kernel_abi_counter_clear`.
    CounterClear COUNTER_CLEAR_LEN = 68 {
        index: CounterIndex = 0,
        padding: [u8; 32] = 36,
    }
}

const _: () = assert!(COUNTER_INDEX_LEN < COUNTER_CLEAR_LEN);

/// `LTTNG_KERNEL_ABI_COUNTER_ARITHMETIC_MODULAR`.
const MODULAR: u32 = 0;
/// `LTTNG_KERNEL_ABI_COUNTER_BITNESS_32` and `_64`: that of the machine's words.
const BITNESS: u32 = if size_of::<usize>() == 8 { 1 } else { 0 };

impl CounterConf {
    /// So many counters.
    pub(super) fn of(count: u64) -> Self {
        let dimension = CounterDimension {
            size: count,
            underflow_index: 0,
            overflow_index: 0,
            has_underflow: 0,
            has_overflow: 0,
        };
        Self {
            arithmetic: MODULAR,
            bitness: BITNESS,
            number_dimensions: 1,
            global_sum_step: 0,
            dimension,
            other_dimensions: [0; 3 * COUNTER_DIMENSION_LEN],
            coalesce_hits: 0,
            padding: [0; 67],
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.dimension.size
    }
}

impl CounterIndex {
    fn of(index: u64) -> Self {
        Self { number_dimensions: 1, indexes: [index, 0, 0, 0] }
    }

    pub(super) fn first(&self) -> u64 {
        let [first, ..] = self.indexes;
        first
    }
}

impl CounterAggregate {
    pub(super) fn of(index: u64) -> Self {
        let index = CounterIndex::of(index);
        Self { index, value: 0, underflow: 0, overflow: 0, padding: [0; 32] }
    }
}

impl CounterClear {
    pub(super) fn of(index: u64) -> Self {
        Self { index: CounterIndex::of(index), padding: [0; 32] }
    }
}

const _: () = assert!(PROBE_LEN < 288 && SYSCALL_FILTER_LEN < 288);

/// The version of the tracer's modules, out of the answer to [`Call::TracerVersion`](super::Call):
/// major, minor and patch level.
///
/// # Errors
/// Another size.
pub fn decode_tracer_version(bytes: &[u8]) -> Result<(u32, u32, u32), DecodeError> {
    let mut reader = Reader::new(bytes);
    let version = (reader.u32("major")?, reader.u32("minor")?, reader.u32("patchlevel")?);
    reader.finish("tracer version").map(|()| version)
}

/// The version of its ABI, out of the answer to [`Call::AbiVersion`](super::Call): major and minor.
///
/// # Errors
/// Another size.
pub fn decode_abi_version(bytes: &[u8]) -> Result<(u32, u32), DecodeError> {
    let mut reader = Reader::new(bytes);
    let version = (reader.u32("major")?, reader.u32("minor")?);
    reader.finish("ABI version").map(|()| version)
}

/// How many events could not be told, out of the answer to [`Call::SumErrors`](super::Call).
///
/// # Errors
/// Another size, or a count below 0.
pub fn decode_error_count(bytes: &[u8]) -> Result<u64, DecodeError> {
    let value = read::<CounterAggregate>(bytes, "error counter")?.value;
    u64::try_from(value).map_err(|_| DecodeError::BadValue { what: "error counter", value })
}

/// A `char` array with at least one NUL.
pub(super) fn chars<const N: usize>(text: &str) -> [u8; N] {
    let mut array = [0; N];
    for (to, from) in array.iter_mut().take(N - 1).zip(text.as_bytes()) {
        *to = *from;
    }
    array
}

pub(super) fn text(bytes: &[u8], what: &'static str) -> Result<String, DecodeError> {
    let end = bytes.iter().position(|byte| *byte == 0).ok_or(DecodeError::BadString { what })?;
    let text = std::str::from_utf8(&bytes[..end]);
    text.map(str::to_owned).map_err(|_| DecodeError::BadString { what })
}

pub(super) fn read<'a, T>(bytes: &'a [u8], what: &'static str) -> Result<&'a T, DecodeError>
where
    T: FromBytes + Immutable + KnownLayout + Unaligned,
{
    let wrong = DecodeError::Truncated { what, needed: size_of::<T>(), left: bytes.len() };
    T::ref_from_bytes(bytes).map_err(|_| wrong)
}
