//! Where in a program a probe in user space stands.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use crate::{PATH_MAX, SYMBOL_NAME_LEN};

/// A program or a library that is open, in which probes are placed. It is the file that was opened, whatever
/// its path names later. Two are equal that are the same descriptor.
#[derive(Clone, Debug)]
pub struct Binary(Arc<OwnedFd>);

impl From<OwnedFd> for Binary {
    fn from(descriptor: OwnedFd) -> Self {
        Self(Arc::new(descriptor))
    }
}

impl AsFd for Binary {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl PartialEq for Binary {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Binary {}

/// A probe in user space: its place, as clients send it, and the program. Where it is written down, the program is
/// not: the file may be another one by then, and the daemon opens none for those who ask it. Whoever reads it opens
/// [`ProbeLocation::binary_path`] with his own rights and puts that in; without it the probe is refused.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(from = "Vec<u8>", into = "Vec<u8>")]
pub struct UserspaceProbe {
    location: Vec<u8>,
    /// The program.
    pub binary: Option<Binary>,
}

impl UserspaceProbe {
    /// A probe in a program.
    #[must_use]
    pub fn new(location: &ProbeLocation, binary: impl Into<OwnedFd>) -> Self {
        let binary = Some(Binary::from(binary.into()));
        Self { location: location.to_bytes(), binary }
    }

    /// Its place as bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.location
    }

    /// Its place; `None` when the bytes do not tell one.
    #[must_use]
    pub fn location(&self) -> Option<ProbeLocation> {
        ProbeLocation::from_bytes(&self.location)
    }
}

impl From<Vec<u8>> for UserspaceProbe {
    fn from(location: Vec<u8>) -> Self {
        Self { location, binary: None }
    }
}

impl From<UserspaceProbe> for Vec<u8> {
    fn from(probe: UserspaceProbe) -> Self {
        probe.location
    }
}

/// How a function is found in a program.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FunctionLookup {
    /// In whatever way there is: by its symbol.
    Default,
    /// By its symbol in the ELF file.
    Elf,
}

/// The place of a probe in user space (`struct lttng_userspace_probe_location`).
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ProbeLocation {
    /// The beginning of a function.
    Function {
        /// Its symbol.
        name: String,
        /// Path of the program or library, for people.
        binary_path: String,
        /// How it is found.
        lookup: FunctionLookup,
    },
    /// Wherever the program has a tracepoint of SystemTap's (SDT).
    Tracepoint {
        /// Its provider.
        provider: String,
        /// Its name.
        name: String,
        /// Path of the program or library, for people.
        binary_path: String,
    },
}

const FUNCTION: u8 = 0;
const TRACEPOINT: u8 = 1;
const LOOKUP_DEFAULT: u8 = 0;
const LOOKUP_ELF: u8 = 1;
const LOOKUP_SDT: u8 = 2;

impl ProbeLocation {
    /// Path of the program or library.
    #[must_use]
    pub fn binary_path(&self) -> &str {
        match self {
            Self::Function { binary_path, .. } | Self::Tracepoint { binary_path, .. } => {
                binary_path
            }
        }
    }

    /// The place that the bytes of a client tell, all of them; `None` when they tell none.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        match *kind {
            FUNCTION => {
                let ([name, binary_path], lookup) = texts(rest, [SYMBOL_NAME_LEN, PATH_MAX])?;
                let lookup = match *lookup {
                    [LOOKUP_DEFAULT] => FunctionLookup::Default,
                    [LOOKUP_ELF] => FunctionLookup::Elf,
                    _ => return None,
                };
                Some(Self::Function { name, binary_path, lookup })
            }
            TRACEPOINT => {
                let limits = [SYMBOL_NAME_LEN, SYMBOL_NAME_LEN, PATH_MAX];
                let ([name, provider, binary_path], lookup) = texts(rest, limits)?;
                (*lookup == [LOOKUP_SDT]).then_some(Self::Tracepoint {
                    provider,
                    name,
                    binary_path,
                })
            }
            _ => None,
        }
    }

    /// The bytes that tell this place.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let (kind, texts, lookup): (_, &[&String], _) = match self {
            Self::Function { name, binary_path, lookup } => {
                let lookup = match lookup {
                    FunctionLookup::Default => LOOKUP_DEFAULT,
                    FunctionLookup::Elf => LOOKUP_ELF,
                };
                (FUNCTION, &[name, binary_path], lookup)
            }
            Self::Tracepoint { provider, name, binary_path } => {
                (TRACEPOINT, &[name, provider, binary_path], LOOKUP_SDT)
            }
        };
        let mut bytes = vec![kind];
        for text in texts {
            bytes.extend(u32::try_from(text.len() + 1).unwrap_or(u32::MAX).to_ne_bytes());
        }
        for text in texts {
            bytes.extend(text.as_bytes());
            bytes.push(0);
        }
        bytes.push(lookup);
        bytes
    }
}

/// Texts with their NULs, whose lengths stand before the first of them, and what is behind them. None is empty or
/// longer than its limit.
fn texts<const N: usize>(bytes: &[u8], limits: [usize; N]) -> Option<([String; N], &[u8])> {
    let (lens, mut rest) = bytes.split_at_checked(N * size_of::<u32>())?;
    let mut texts = [const { String::new() }; N];
    for ((text, len), limit) in texts.iter_mut().zip(lens.as_chunks().0).zip(limits) {
        let len = usize::try_from(u32::from_ne_bytes(*len)).ok().filter(|len| *len <= limit)?;
        let (with_nul, behind) = rest.split_at_checked(len)?;
        let (nul, chars) = with_nul.split_last()?;
        if *nul != 0 || chars.is_empty() || chars.contains(&0) {
            return None;
        }
        std::str::from_utf8(chars).ok()?.clone_into(text);
        rest = behind;
    }
    Some((texts, rest))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn places() -> [ProbeLocation; 3] {
        let function = |lookup| ProbeLocation::Function {
            name: "main".to_owned(),
            binary_path: "/bin/program".to_owned(),
            lookup,
        };
        let tracepoint = ProbeLocation::Tracepoint {
            provider: "provider".to_owned(),
            name: "probe".to_owned(),
            binary_path: "/lib/library".to_owned(),
        };
        [function(FunctionLookup::Default), function(FunctionLookup::Elf), tracepoint]
    }

    #[test]
    fn places_are_what_clients_send() {
        for place in places() {
            let bytes = place.to_bytes();
            assert_eq!(ProbeLocation::from_bytes(&bytes), Some(place));
            for len in 0..bytes.len() {
                assert_eq!(ProbeLocation::from_bytes(&bytes[..len]), None, "{len} bytes");
            }
            assert_eq!(ProbeLocation::from_bytes(&[&*bytes, &[0]].concat()), None, "one more");
        }
        let [_, elf, _] = places();
        let sent = b"\0\x05\0\0\0\x0d\0\0\0main\0/bin/program\0\x01";
        assert_eq!(elf.to_bytes(), sent);
    }

    #[test]
    fn bytes_that_tell_no_place_are_refused() {
        let [_, elf, tracepoint] = places();
        let changed = |place: &ProbeLocation, at: usize, byte: u8| {
            let mut bytes = place.to_bytes();
            bytes[at] = byte;
            ProbeLocation::from_bytes(&bytes)
        };
        let last = elf.to_bytes().len() - 1;
        for (at, byte) in
            [(0, 2), (1, 0), (1, 1), (1, 6), (4, 1), (9, 0), (9, 0xff), (13, 1), (last, 2)]
        {
            assert_eq!(changed(&elf, at, byte), None, "byte {at}");
        }
        assert_eq!(changed(&tracepoint, tracepoint.to_bytes().len() - 1, 1), None);
        let long = ProbeLocation::Function {
            name: "f".repeat(SYMBOL_NAME_LEN),
            binary_path: "/p".to_owned(),
            lookup: FunctionLookup::Elf,
        };
        assert_eq!(ProbeLocation::from_bytes(&long.to_bytes()), None);
    }

    #[test]
    fn as_text_a_probe_is_its_place_alone() {
        let [_, elf, _] = places();
        let file = std::fs::File::open("/dev/null").unwrap();
        let probe = UserspaceProbe::new(&elf, file);
        assert_eq!(probe.location(), Some(elf));
        assert!(probe.binary.is_some());
        let bytes = Vec::from(probe.clone());
        assert_eq!(bytes, probe.bytes());
        let again = UserspaceProbe::from(bytes);
        assert_eq!((again.bytes(), &again.binary), (probe.bytes(), &None));
    }
}
