//! Tracing domains and buffering schemes.

use serde::{Deserialize, Serialize};

/// A tracing domain (`enum lttng_domain_type`).
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[repr(u32)]
pub enum Domain {
    /// No domain.
    None = 0,
    /// Linux kernel.
    Kernel = 1,
    /// Applications with LTTng-UST.
    Ust = 2,
    /// `java.util.logging`.
    Jul = 3,
    /// Apache log4j.
    Log4j = 4,
    /// Python logging.
    Python = 5,
}

impl Domain {
    /// The domain of a wire value, `None` when no domain has it.
    #[must_use]
    pub fn from_raw(raw: u32) -> Option<Self> {
        Some(match raw {
            0 => Self::None,
            1 => Self::Kernel,
            2 => Self::Ust,
            3 => Self::Jul,
            4 => Self::Log4j,
            5 => Self::Python,
            _ => return None,
        })
    }

    /// Whether this is one of the logging agents' domains (JUL, log4j, Python).
    #[must_use]
    pub fn is_agent(self) -> bool {
        matches!(self, Self::Jul | Self::Log4j | Self::Python)
    }
}

/// How ring buffers are shared among applications (`enum lttng_buffer_type`).
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[repr(u32)]
pub enum BufferScheme {
    /// Each application has its own.
    PerPid = 0,
    /// All applications of one user and word size share.
    PerUid = 1,
    /// The kernel's.
    Global = 2,
}

impl BufferScheme {
    /// The scheme of a wire value, `None` when no scheme has it.
    #[must_use]
    pub fn from_raw(raw: u32) -> Option<Self> {
        Some(match raw {
            0 => Self::PerPid,
            1 => Self::PerUid,
            2 => Self::Global,
            _ => return None,
        })
    }
}

/// The size of an application's `long`, which decides its consumer daemon and its buffer layout.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[repr(u32)]
pub enum Bitness {
    /// 32-bit application.
    Bits32 = 32,
    /// 64-bit application.
    Bits64 = 64,
}

impl Bitness {
    /// From the count of bits in a `long`; `None` for anything but 32 and 64.
    #[must_use]
    pub fn from_bits_per_long(bits: u32) -> Option<Self> {
        match bits {
            32 => Some(Self::Bits32),
            64 => Some(Self::Bits64),
            _ => None,
        }
    }

    /// The count of bits in a `long`.
    #[must_use]
    pub fn bits_per_long(self) -> u32 {
        self as u32
    }
}
