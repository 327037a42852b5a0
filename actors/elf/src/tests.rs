//! Places in programs, and files that are none.
#![allow(clippy::unwrap_used)]

use std::{cell::Cell, fs::File};

use proptest::prelude::*;

use super::*;

/// A file in memory.
struct Bytes(Vec<u8>);

impl FileExt for Bytes {
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        let rest = usize::try_from(at).ok().and_then(|at| self.0.get(at..)).unwrap_or(&[]);
        let len = rest.len().min(buffer.len());
        buffer[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }

    fn write_at(&self, _: &[u8], _: u64) -> io::Result<usize> {
        unreachable!("nobody writes to it")
    }
}

/// A program of three functions with two tracepoints, whose code is at 0x4000 and in the file at 0x1000.
struct Built {
    class: Class,
    symbols: &'static str,
    names: &'static str,
    notes: Vec<u8>,
    symbol_names: Vec<u8>,
}

const CODE_AT: u64 = 0x1000;
const CODE_ADDRESS: u64 = 0x4000;
const CODE_LEN: u64 = 0x100;

impl Built {
    fn new(class: Class) -> Self {
        let mut built = Self {
            class,
            symbols: ".symtab",
            names: ".strtab",
            notes: Vec::new(),
            symbol_names: b"\0first\0second_function\0data\0far\0".to_vec(),
        };
        built.note("other\0", 3, &[1, 2, 3]);
        built.tracepoint("provider", "probe", CODE_ADDRESS + 8, 0);
        built.tracepoint("provider", "guarded", CODE_ADDRESS + 9, 0x9000);
        built.tracepoint("provider", "probe", CODE_ADDRESS + 16, 0);
        built
    }

    fn word(&self, value: u64) -> Vec<u8> {
        match self.class {
            Class::Bits32 => u32::try_from(value).unwrap().to_ne_bytes().to_vec(),
            Class::Bits64 => value.to_ne_bytes().to_vec(),
        }
    }

    fn note(&mut self, owner: &str, kind: u32, text: &[u8]) {
        let len = |len: usize| u32::try_from(len).unwrap().to_ne_bytes();
        self.notes.extend([len(owner.len()), len(text.len()), kind.to_ne_bytes()].concat());
        for part in [owner.as_bytes(), text] {
            self.notes.extend(part);
            self.notes.resize(self.notes.len().next_multiple_of(4), 0);
        }
    }

    fn tracepoint(&mut self, provider: &str, name: &str, address: u64, semaphore: u64) {
        let words = [self.word(address), self.word(0), self.word(semaphore)].concat();
        let text = [&words, provider.as_bytes(), &[0], name.as_bytes(), &[0, 0]].concat();
        self.note("stapsdt\0", 3, &text);
    }

    fn symbol(&self, name: &str, kind: u8, address: u64) -> Vec<u8> {
        let wanted = [name.as_bytes(), &[0]].concat();
        let at = self.symbol_names.windows(wanted.len()).position(|part| part == wanted).unwrap();
        let at = u32::try_from(at).unwrap().to_ne_bytes();
        match self.class {
            Class::Bits32 => [&at, &*self.word(address), &[0; 4], &[kind, 0, 1, 0]].concat(),
            Class::Bits64 => [&at, &[kind, 0, 1, 0][..], &self.word(address), &[0; 8]].concat(),
        }
    }

    fn build(&self) -> Bytes {
        let symbols = [
            vec![0; self.class.symbol_len()],
            self.symbol("data", 1, CODE_ADDRESS),
            self.symbol("first", 2, CODE_ADDRESS),
            // Its name is the end of another's.
            self.symbol("function", 0x12, CODE_ADDRESS + 0x20),
            self.symbol("second_function", 0x12, CODE_ADDRESS + 0x10),
            self.symbol("far", 2, CODE_ADDRESS + CODE_LEN),
        ];
        let text = |text: &[u8]| text.to_vec();
        let parts: [(&str, u64, u64, Vec<u8>); 5] = [
            (".text", 6, CODE_ADDRESS, vec![0x90; usize::try_from(CODE_LEN).unwrap()]),
            (self.symbols, 0, 0, symbols.concat()),
            (self.names, 0, 0, self.symbol_names.clone()),
            (".note.stapsdt", 0, 0, self.notes.clone()),
            (".shstrtab", 0, 0, Vec::new()),
        ];
        let mut names = text(b"\0");
        let mut headers = vec![0; self.class.section_len()];
        let mut file = vec![0; usize::try_from(CODE_AT).unwrap()];
        for (name, flags, address, mut bytes) in parts {
            let name_at = u32::try_from(names.len()).unwrap();
            names.extend([name.as_bytes(), &[0]].concat());
            if name == ".shstrtab" {
                bytes.clone_from(&names);
            }
            let (at, len) = (file.len() as u64, bytes.len() as u64);
            let entry = if name == self.symbols { self.class.symbol_len() as u64 } else { 0 };
            headers.extend([name_at.to_ne_bytes(), 1_u32.to_ne_bytes()].concat());
            for word in [flags, address, at, len] {
                headers.extend(self.word(word));
            }
            headers.extend([0; 8]);
            headers.extend([self.word(4), self.word(entry)].concat());
            file.extend(bytes);
        }
        let (headers_at, header_at, counts_at) = match self.class {
            Class::Bits32 => (file.len(), 32, 46),
            Class::Bits64 => (file.len(), 40, 58),
        };
        let class = if self.class == Class::Bits32 { 1 } else { 2 };
        file[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', class, layout::NATIVE_ORDER]);
        let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
        put(header_at, &self.word(headers_at as u64));
        let section_len = u16::try_from(self.class.section_len()).unwrap();
        put(counts_at, &[section_len, 6, 5].map(u16::to_ne_bytes).concat());
        file.extend(headers);
        Bytes(file)
    }
}

fn function(name: &str) -> Sought {
    Sought::Function(name.to_owned())
}

fn tracepoint(provider: &str, name: &str) -> Sought {
    Sought::Tracepoint { provider: provider.to_owned(), name: name.to_owned() }
}

fn refused(file: &impl FileExt, sought: &Sought) -> String {
    places(file, sought).unwrap_err().to_string()
}

#[test]
fn functions_and_tracepoints_are_found_where_they_are() {
    for class in [Class::Bits32, Class::Bits64] {
        let program = Built::new(class).build();
        for (name, place) in [("first", 0), ("second_function", 0x10), ("function", 0x20)] {
            assert_eq!(places(&program, &function(name)).unwrap(), [CODE_AT + place], "{name}");
        }
        let found = places(&program, &tracepoint("provider", "probe")).unwrap();
        assert_eq!(found, [CODE_AT + 8, CODE_AT + 16]);
        // What is no function, is not there, or is not where code is.
        for name in ["data", "nothing", "far", "firs", "irst"] {
            assert!(places(&program, &function(name)).is_err(), "{name}");
        }
        for (provider, name) in
            [("provider", "nothing"), ("nobody", "probe"), ("provide", "rprobe")]
        {
            assert!(places(&program, &tracepoint(provider, name)).is_err(), "{provider}:{name}");
        }
        let guarded = refused(&program, &tracepoint("provider", "guarded"));
        assert!(guarded.contains("semaphore"), "{guarded}");
    }
}

#[test]
fn a_stripped_program_has_the_symbols_that_others_use() {
    let stripped = Built { symbols: ".dynsym", names: ".dynstr", ..Built::new(Class::Bits64) };
    assert_eq!(places(&stripped.build(), &function("first")).unwrap(), [CODE_AT]);
    let without = Built { symbols: ".nothing", ..Built::new(Class::Bits64) };
    assert_eq!(refused(&without.build(), &function("first")), "the program has no symbols");
}

#[test]
fn a_name_is_found_wherever_the_parts_that_are_read_end() {
    let mut built = Built::new(Class::Bits64);
    let name = "function_of_a_longer_name";
    for before in (CHUNK_LEN - 30..CHUNK_LEN + 2).chain([3 * CHUNK_LEN - 40]) {
        built.symbol_names = vec![b'x'; before];
        built.symbol_names.extend(b"\0first\0second_function\0data\0far\0");
        built.symbol_names.extend([name.as_bytes(), &[0]].concat());
        let table = Section::decode(Class::Bits64, &{
            let len = built.symbol_names.len() as u64;
            [&[0; 24][..], &0_u64.to_ne_bytes(), &len.to_ne_bytes(), &[0; 24]].concat()
        });
        let names = Bytes(built.symbol_names.clone());
        let found = strings::offsets_of(&names, &table.unwrap(), name).unwrap();
        let at = u32::try_from(built.symbol_names.len() - name.len() - 1).unwrap();
        assert_eq!(found, [at], "{before} before");
    }
}

#[test]
fn this_program_has_its_beginning_in_what_is_executed() {
    let program = File::open("/proc/self/exe").unwrap();
    let place = places(&program, &function("main")).unwrap()[0];
    let executable = std::fs::read_link("/proc/self/exe").unwrap();
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let is_there =
        maps.lines().filter(|line| line.ends_with(executable.to_str().unwrap())).any(|line| {
            let parts: Vec<_> = line.split_ascii_whitespace().collect();
            let hex = |text: &str| u64::from_str_radix(text, 16).unwrap();
            let (begin, end) = parts[0].split_once('-').unwrap();
            let offset = hex(parts[2]);
            parts[1].contains('x') && (offset..offset + hex(end) - hex(begin)).contains(&place)
        });
    assert!(is_there, "{place:#x} in\n{maps}");
}

#[test]
fn too_many_places_of_a_tracepoint_are_refused() {
    let mut built = Built::new(Class::Bits64);
    for _ in 0..PLACES_MAX - 2 {
        built.tracepoint("provider", "probe", CODE_ADDRESS, 0);
    }
    assert_eq!(places(&built.build(), &tracepoint("provider", "probe")).unwrap().len(), PLACES_MAX);
    built.tracepoint("provider", "probe", CODE_ADDRESS, 0);
    assert!(refused(&built.build(), &tracepoint("provider", "probe")).contains("32 places"));
}

#[test]
fn files_that_are_no_programs_are_refused() {
    for bytes in [&b""[..], b"#!/bin/sh\n", b"\x7fELF", b"\x7fELF\x02\x01\x01", &[0; 4096]] {
        assert!(places(&Bytes(bytes.to_vec()), &function("main")).is_err(), "{bytes:?}");
    }
    let refused = refused(&File::open("/").unwrap(), &function("main"));
    assert!(refused.contains("directory"), "{refused}");
}

/// Counts what is read.
struct Counted {
    file: Bytes,
    read: Cell<usize>,
}

impl FileExt for Counted {
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        let read = self.file.read_at(buffer, at)?;
        self.read.set(self.read.get() + read);
        Ok(read)
    }

    fn write_at(&self, _: &[u8], _: u64) -> io::Result<usize> {
        unreachable!("nobody writes to it")
    }
}

proptest! {
    /// Whatever is in it: it ends, and does not panic.
    #[test]
    fn a_file_that_lies_costs_no_more_than_it_is_long(
        bits64 in any::<bool>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in any::<prop::sample::Index>(),
    ) {
        let class = if bits64 { Class::Bits64 } else { Class::Bits32 };
        let mut file = Built::new(class).build();
        // The headers are where numbers matter most.
        let (len, headers) = (file.0.len(), 6 * class.section_len());
        for (index, byte) in changes {
            let at = index.index(64 + headers);
            let at = if at < 64 { at } else { len - headers + at - 64 };
            file.0[at] = byte;
        }
        file.0.truncate(len - cut.index(len / 4));
        let counted = Counted { file, read: Cell::new(0) };
        for sought in [function("first"), tracepoint("provider", "probe")] {
            let _ = places(&counted, &sought);
        }
        // Each section is looked at for each of its names, and is in the file.
        prop_assert!(counted.read.get() < 64 * len, "{} of {len}", counted.read.get());
    }
}
