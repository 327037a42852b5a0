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
