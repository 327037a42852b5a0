//! Tracing domains and buffering schemes.

use std::fmt;

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

    /// What records what is recorded in this domain. What agents hand over is recorded in user space.
    #[must_use]
    pub fn tracer(self) -> Option<Tracer> {
        match self {
            Self::Kernel => Some(Tracer::Kernel),
            Self::Ust | Self::Jul | Self::Log4j | Self::Python => Some(Tracer::Ust),
            Self::None => None,
        }
    }

    /// Whether this is one of the logging agents' domains (JUL, log4j, Python).
    #[must_use]
    pub fn is_agent(self) -> bool {
        matches!(self, Self::Jul | Self::Log4j | Self::Python)
    }
}

/// What records: buffers, their consumer daemons and their directories in a trace belong to one.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Tracer {
    /// LTTng-UST, in applications.
    Ust,
    /// The kernel.
    Kernel,
}

impl Tracer {
    /// Its directory in a trace.
    #[must_use]
    pub fn directory(self) -> &'static str {
        match self {
            Self::Ust => "ust",
            Self::Kernel => "kernel",
        }
    }
}

/// Which consumer daemon.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub enum ConsumerKind {
    /// The one of applications of this word size.
    Ust(Bitness),
    /// The kernel's.
    Kernel,
}

impl ConsumerKind {
    /// Whose buffers it consumes.
    #[must_use]
    pub fn tracer(self) -> Tracer {
        match self {
            Self::Ust(_) => Tracer::Ust,
            Self::Kernel => Tracer::Kernel,
        }
    }

    /// The word size of its applications.
    #[must_use]
    pub fn bitness(self) -> Option<Bitness> {
        match self {
            Self::Ust(bitness) => Some(bitness),
            Self::Kernel => None,
        }
    }
}

impl fmt::Display for ConsumerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ust(bitness) => write!(f, "{}-bit", bitness.bits_per_long()),
            Self::Kernel => f.write_str("kernel"),
        }
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
