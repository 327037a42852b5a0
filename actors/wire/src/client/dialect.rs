//! The versions of the protocol.

use std::{fmt, str::FromStr};

/// A version of LTTng as far as its clients' protocol goes. What is between two of them, as a number of a patch, makes no
/// difference.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Dialect {
    /// LTTng 2.13.
    V2_13,
    /// LTTng 2.14: commands have other numbers, channels an allocation policy.
    V2_14,
    /// LTTng 2.15: replies have a shorter header, descriptors a trace format.
    V2_15,
    /// LTTng 2.16: commands have other numbers again, for there are maps.
    V2_16,
}

impl Dialect {
    /// All, the oldest first.
    pub const ALL: [Self; 4] = [Self::V2_13, Self::V2_14, Self::V2_15, Self::V2_16];

    /// As LTTng writes it: `2.13`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::V2_13 => "2.13",
            Self::V2_14 => "2.14",
            Self::V2_15 => "2.15",
            Self::V2_16 => "2.16",
        }
    }

    /// Size of the fixed part of a reply with data, in bytes.
    #[must_use]
    pub const fn reply_header_len(self) -> usize {
        match self {
            Self::V2_13 | Self::V2_14 => 24,
            Self::V2_15 | Self::V2_16 => 20,
        }
    }

    /// Size of what stands before bytecode, in bytes.
    pub(super) const fn bytecode_header_len(self) -> usize {
        match self {
            Self::V2_13 | Self::V2_14 => 48,
            Self::V2_15 | Self::V2_16 => 64,
        }
    }

    /// Whether descriptors and lists of sessions name a trace format.
    pub(super) const fn has_trace_formats(self) -> bool {
        matches!(self, Self::V2_15 | Self::V2_16)
    }

    /// Whether an event rule follows an event, and a list of sessions tells of shared memory.
    pub(super) const fn has_rules_behind_events(self) -> bool {
        !matches!(self, Self::V2_13)
    }

    /// Whether there is an instrumentation site with probes of the kernel, and saving may leave out triggers.
    pub(super) const fn has_maps(self) -> bool {
        matches!(self, Self::V2_16)
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No version of the protocol has this name.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not one of 2.13, 2.14, 2.15 and 2.16")]
pub struct UnknownDialect;

impl FromStr for Dialect {
    type Err = UnknownDialect;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|dialect| dialect.name() == name).ok_or(UnknownDialect)
    }
}

/// Some of the versions.
#[derive(Clone, Copy, Default, Eq, Hash, PartialEq)]
pub struct Dialects(u8);

impl Dialects {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// All of them.
    pub const ALL: Self = Self(0b1111);

    /// This one.
    pub(super) const fn just(dialect: Dialect) -> Self {
        Self(1 << dialect as u8)
    }

    /// Those that are in either.
    pub(super) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// These.
    #[must_use]
    pub fn of(dialects: impl IntoIterator<Item = Dialect>) -> Self {
        dialects.into_iter().fold(Self::NONE, |all, dialect| Self(all.0 | 1 << dialect as u8))
    }

    /// Those that are in both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether it is one of them.
    #[must_use]
    pub fn has(self, dialect: Dialect) -> bool {
        self.0 & 1 << dialect as u8 != 0
    }

    /// Each, the oldest first.
    pub fn iter(self) -> impl Iterator<Item = Dialect> {
        Dialect::ALL.into_iter().filter(move |dialect| self.has(*dialect))
    }

    /// The one, unless there are more or none.
    #[must_use]
    pub fn one(self) -> Option<Dialect> {
        let mut all = self.iter();
        all.next().filter(|_| all.next().is_none())
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self == Self::NONE
    }
}

impl fmt::Display for Dialects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("none");
        }
        for (at, dialect) in self.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{dialect}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Dialects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{self}]")
    }
}
