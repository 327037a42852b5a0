#![allow(clippy::unwrap_used)]

mod faults;
mod streams;

use std::{fs, os::fd::OwnedFd, path::Path};

use lttngd_runas::Owner;
use lttngd_wire::ctf::{INDEX_HEADER_LEN, INDEX_RECORD_LEN, PacketIndex};

use crate::{FileLimits, StreamFile, StreamFileConfig, TraceChunk};

const PACKET_LEN: usize = 4096;

/// The directory of a trace chunk, with those for the streams in `ust`.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir_all(place.path().join("ust/index")).unwrap();
        Self(place)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn directory(&self) -> OwnedFd {
        fs::File::open(self.path()).unwrap().into()
    }

    fn chunk(&self) -> TraceChunk {
        TraceChunk::new(self.directory(), Owner::process()).unwrap()
    }

    fn read(&self, path: &str) -> Vec<u8> {
        fs::read(self.path().join(path)).unwrap()
    }

    /// The first byte of each packet of a data file.
    fn packets(&self, path: &str) -> Vec<u8> {
        let bytes = self.read(path);
        assert_eq!(bytes.len() % PACKET_LEN, 0, "{path} has a part of a packet");
        bytes.chunks(PACKET_LEN).map(|packet| packet[0]).collect()
    }

    /// Offset and number of each packet in an index file.
    fn index(&self, path: &str) -> Vec<(u64, u64)> {
        let bytes = self.read(path);
        let (head, records) = bytes.split_at(INDEX_HEADER_LEN);
        assert_eq!(head, lttngd_wire::ctf::index_header());
        assert_eq!(records.len() % INDEX_RECORD_LEN, 0, "{path} has a part of a record");
        let word =
            |record: &[u8], at: usize| u64::from_be_bytes(record[at..at + 8].try_into().unwrap());
        records.chunks(INDEX_RECORD_LEN).map(|record| (word(record, 0), word(record, 64))).collect()
    }

    /// Every file below, sorted.
    fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut todo = vec![self.path().to_owned()];
        while let Some(directory) = todo.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    todo.push(path);
                } else {
                    let path = path.strip_prefix(self.path()).unwrap();
                    found.push(path.to_str().unwrap().to_owned());
                }
            }
        }
        found.sort();
        found
    }
}

fn config(name: &str) -> StreamFileConfig<'_> {
    StreamFileConfig { directory: "ust", name, limits: FileLimits::default(), indexed: true }
}

fn write(stream: &mut StreamFile, chunk: &TraceChunk, number: u8) -> Result<(), crate::FileError> {
    let bytes = [number; PACKET_LEN];
    let bits = PACKET_LEN as u64 * 8;
    let index = PacketIndex {
        packet_size_bits: bits,
        packet_seq_num: number.into(),
        ..PacketIndex::default()
    };
    stream.write_packet(chunk, &[bytes.as_slice().into()], &index)
}
