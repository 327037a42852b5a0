//! Where in the file of a program something is that can be recorded: by the symbol of a function, or by
//! SystemTap's notes (SDT).
//!
//! The file is whatever a client opened, and may change while it is read: each number in it is checked where it is
//! used, what is read is limited, and nothing is mapped.

use std::{io, os::unix::fs::FileExt};

use thiserror::Error;

mod layout;
mod notes;
mod strings;

use self::layout::{Class, Header, Section, Symbol};

/// Largest table of symbols or of their names that is read, in bytes.
const TABLE_MAX_LEN: u64 = 512 << 20;
/// Most sections of a file that are looked at.
const SECTIONS_MAX: usize = 65_535;
/// Largest count of bytes that are read at a time.
const CHUNK_LEN: usize = 64 << 10;
/// Most places of one probe, as the kernel's own limit.
pub const PLACES_MAX: usize = 32;

/// Why nothing is found in a file.
#[derive(Debug, Error)]
pub enum ElfError {
    /// It cannot be read.
    #[error("the program cannot be read: {0}")]
    Read(#[from] io::Error),
    /// It is not a program, or says of itself what cannot be.
    #[error("the program is not an ELF file of this machine: its {0} is wrong")]
    Wrong(&'static str),
    /// It has no such function or tracepoint.
    #[error("the program has no {0}")]
    Missing(&'static str),
    /// It has it at too many places.
    #[error("the program has the tracepoint at more than {PLACES_MAX} places")]
    TooMany,
    /// Its tracepoint records nothing before a number in the program is raised, which the tracer does not do.
    #[error("the tracepoint of the program is guarded by a semaphore")]
    Guarded,
}

/// What is looked for in a program.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Sought {
    /// The beginning of a function, by its symbol.
    Function(String),
    /// Wherever there is a tracepoint of SystemTap's (SDT).
    Tracepoint {
        /// Its provider.
        provider: String,
        /// Its name.
        name: String,
    },
}

/// The places of a probe in a file, in bytes from its beginning, at most [`PLACES_MAX`]. Reads the file, which may
/// block.
///
/// # Errors
/// When there is none, or the file is none that it can be looked up in.
pub fn places(file: &impl FileExt, sought: &Sought) -> Result<Vec<u64>, ElfError> {
    let program = Program::read(file)?;
    match sought {
        Sought::Function(name) => Ok(vec![program.function(name)?]),
        Sought::Tracepoint { provider, name } => program.tracepoint(provider, name),
    }
}

/// A file, of which the headers were read.
struct Program<'a, F> {
    file: &'a F,
    class: Class,
    sections: Vec<Section>,
    /// Which of them has the names of all.
    names: Option<Section>,
}

impl<'a, F: FileExt> Program<'a, F> {
    fn read(file: &'a F) -> Result<Self, ElfError> {
        let mut bytes = [0; layout::HEADER_MAX_LEN];
        let len = read_some(file, &mut bytes, 0)?;
        let header = Header::decode(&bytes[..len])?;
        let mut program = Self { file, class: header.class, sections: Vec::new(), names: None };
        // The first one tells how many there are where that is too much for the header.
        let first = program.section(&header, 0)?;
        let (count, names) = header.counts(&first);
        if count > SECTIONS_MAX {
            return Err(ElfError::Wrong("count of sections"));
        }
        for index in 0..count {
            let section = program.section(&header, index)?;
            program.sections.push(section);
        }
        program.names = program.sections.get(names).copied();
        Ok(program)
    }

    fn section(&self, header: &Header, index: usize) -> Result<Section, ElfError> {
        let mut bytes = [0; layout::SECTION_MAX_LEN];
        let bytes = &mut bytes[..self.class.section_len()];
        let at = header.section_at(index).ok_or(ElfError::Wrong("table of sections"))?;
        self.file.read_exact_at(bytes, at)?;
        Section::decode(self.class, bytes).ok_or(ElfError::Wrong("table of sections"))
    }

    /// The first section of a name.
    fn named(&self, name: &str) -> Result<Option<Section>, ElfError> {
        let Some(names) = self.names else { return Ok(None) };
        let wanted = [name.as_bytes(), &[0]].concat();
        let mut bytes = vec![0; wanted.len()];
        for section in &self.sections {
            let at = u64::from(section.name);
            let end = at.checked_add(wanted.len() as u64);
            if end.is_none_or(|end| end > names.len) {
                continue;
            }
            let at = names.at.checked_add(at).ok_or(ElfError::Wrong("name of a section"))?;
            let len = read_some(self.file, &mut bytes, at)?;
            if bytes[..len] == wanted {
                return Ok(Some(*section));
            }
        }
        Ok(None)
    }

    /// Where the function of a symbol begins. A stripped program still has the symbols that others use.
    fn function(&self, name: &str) -> Result<u64, ElfError> {
        let tables = [(".symtab", ".strtab"), (".dynsym", ".dynstr")];
        for (symbols, names) in tables {
            let Some(symbols) = self.named(symbols)? else { continue };
            let names = self.named(names)?.ok_or(ElfError::Missing("names of symbols"))?;
            if symbols.len.max(names.len) > TABLE_MAX_LEN {
                return Err(ElfError::Wrong("table of symbols"));
            }
            let names = strings::offsets_of(self.file, &names, name)?;
            return self.symbol(&symbols, &names)?.ok_or(ElfError::Missing("such function"));
        }
        Err(ElfError::Missing("symbols"))
    }

    /// The place of the first function whose name is at one of these offsets, which are in their order.
    fn symbol(&self, table: &Section, names: &[u32]) -> Result<Option<u64>, ElfError> {
        let entry = self.class.symbol_len();
        if table.entry_len != entry as u64 {
            return Err(ElfError::Wrong("table of symbols"));
        }
        let mut chunk = vec![0; CHUNK_LEN / entry * entry];
        let mut read = 0;
        while read < table.len {
            let len = chunk.len().min(usize::try_from(table.len - read).unwrap_or(usize::MAX));
            let at = table.at.checked_add(read).ok_or(ElfError::Wrong("table of symbols"))?;
            self.file.read_exact_at(&mut chunk[..len], at)?;
            for bytes in chunk[..len].chunks_exact(entry) {
                let symbol = Symbol::decode(self.class, bytes);
                if let Some(symbol) = symbol.filter(|it| it.is_named(names)) {
                    return self.place(symbol.address).map(Some);
                }
            }
            read += len as u64;
        }
        Ok(None)
    }

    /// Where SystemTap's tracepoints of a name are.
    fn tracepoint(&self, provider: &str, name: &str) -> Result<Vec<u64>, ElfError> {
        let section = self.named(".note.stapsdt")?;
        let section = section.ok_or(ElfError::Missing("tracepoints of SystemTap's"))?;
        let len = usize::try_from(section.len).ok().filter(|len| *len <= notes::NOTES_MAX_LEN);
        let mut bytes = vec![0; len.ok_or(ElfError::Wrong("notes"))?];
        self.file.read_exact_at(&mut bytes, section.at)?;
        let mut places = Vec::new();
        for note in notes::of(self.class, &bytes) {
            let note = note?;
            if note.provider != provider.as_bytes() || note.name != name.as_bytes() {
                continue;
            }
            if note.semaphore != 0 {
                return Err(ElfError::Guarded);
            }
            if places.len() == PLACES_MAX {
                return Err(ElfError::TooMany);
            }
            places.push(self.place(note.address)?);
        }
        if places.is_empty() { Err(ElfError::Missing("such tracepoint")) } else { Ok(places) }
    }

    /// The place in the file of what is executed at an address.
    fn place(&self, address: u64) -> Result<u64, ElfError> {
        let place = self.sections.iter().find_map(|section| section.place(address));
        place.ok_or(ElfError::Missing("code at the place of that"))
    }
}

/// Reads until a buffer is full or the file ends; how much was read.
fn read_some(file: &impl FileExt, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    let mut read = 0;
    while read < buffer.len() {
        let Some(at) = at.checked_add(read as u64) else { break };
        match file.read_at(&mut buffer[read..], at) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

#[cfg(test)]
mod tests;
