//! What is in the files when nothing fails.

use std::os::{fd::BorrowedFd, unix::fs::PermissionsExt};

use super::*;
use crate::MetadataFile;

#[test]
fn packets_and_index_stand_side_by_side() {
    let place = Place::new();
    let chunk = place.chunk();
    let mut stream = StreamFile::create(&chunk, &config("c_0")).unwrap();
    assert_eq!(place.packets("ust/c_0"), []);
    assert_eq!(place.index("ust/index/c_0.idx"), []);
    for number in [7, 8, 9] {
        write(&mut stream, &chunk, number).unwrap();
    }
    assert_eq!(place.packets("ust/c_0"), [7, 8, 9]);
    assert_eq!(place.index("ust/index/c_0.idx"), [(0, 7), (4096, 8), (8192, 9)]);
    for path in ["ust/c_0", "ust/index/c_0.idx"] {
        let mode = fs::metadata(place.path().join(path)).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o660, "{path}");
    }
}

#[test]
fn a_snapshot_has_no_index() {
    let place = Place::new();
    let chunk = place.chunk();
    let config = StreamFileConfig { directory: "", indexed: false, ..config("c_0") };
    let mut stream = StreamFile::create(&chunk, &config).unwrap();
    write(&mut stream, &chunk, 1).unwrap();
    assert_eq!(place.files(), ["c_0"]);
    assert_eq!(place.packets("c_0"), [1]);
}

#[test]
fn a_packet_can_be_in_parts() {
    let place = Place::new();
    let chunk = place.chunk();
    let mut stream = StreamFile::create(&chunk, &config("c_0")).unwrap();
    for parts in [[b"ab".as_slice(), b"c"], [b"", b"def"], [b"gh", b""]] {
        let views = parts.map(Into::into);
        stream.write_packet(&chunk, &views, &PacketIndex::default()).unwrap();
    }
    assert_eq!(place.read("ust/c_0"), b"abcdefgh");
    let offsets: Vec<u64> = place.index("ust/index/c_0.idx").iter().map(|entry| entry.0).collect();
    assert_eq!(offsets, [0, 3, 6]);
}

#[test]
fn a_packet_that_somebody_else_writes_has_its_place_and_its_record() {
    let place = Place::new();
    let chunk = place.chunk();
    let mut stream = StreamFile::create(&chunk, &config("c_0")).unwrap();
    let index = PacketIndex { packet_seq_num: 5, ..PacketIndex::default() };
    let len = PACKET_LEN as u64;
    write(&mut stream, &chunk, 4).unwrap();
    let half = |data: BorrowedFd<'_>, offset| {
        rustix::io::pwrite(data, &[9; PACKET_LEN / 2], offset)?;
        Err(std::io::ErrorKind::Other.into())
    };
    stream.write_packet_by(&chunk, len, &index, half).unwrap_err();
    assert_eq!(place.packets("ust/c_0"), [4], "a half is cut off");
    let whole = |data: BorrowedFd<'_>, offset| {
        rustix::io::pwrite(data, &[5; PACKET_LEN], offset)?;
        Ok(())
    };
    stream.write_packet_by(&chunk, len, &index, whole).unwrap();
    assert_eq!(place.packets("ust/c_0"), [4, 5]);
    assert_eq!(place.index("ust/index/c_0.idx"), [(0, 4), (4096, 5)]);
}

#[test]
fn files_are_limited_in_size_and_count() {
    let place = Place::new();
    let chunk = place.chunk();
    let limits = FileLimits { size_max_bytes: 2 * PACKET_LEN as u64, count_max: 2 };
    let mut stream =
        StreamFile::create(&chunk, &StreamFileConfig { limits, ..config("c_0") }).unwrap();
    for number in 0..4 {
        write(&mut stream, &chunk, number).unwrap();
    }
    assert_eq!(place.packets("ust/c_0_0"), [0, 1]);
    assert_eq!(place.packets("ust/c_0_1"), [2, 3]);
    write(&mut stream, &chunk, 4).unwrap();
    assert_eq!(place.packets("ust/c_0_0"), [4]);
    assert_eq!(place.index("ust/index/c_0_0.idx"), [(0, 4)]);
    assert_eq!(place.index("ust/index/c_0_1.idx"), [(0, 2), (4096, 3)]);
}

#[test]
fn files_of_limited_size_can_be_any_number() {
    let place = Place::new();
    let chunk = place.chunk();
    let limits = FileLimits { size_max_bytes: 5000, count_max: 0 };
    let mut stream =
        StreamFile::create(&chunk, &StreamFileConfig { limits, ..config("c_0") }).unwrap();
    for number in 0..12 {
        write(&mut stream, &chunk, number).unwrap();
    }
    assert_eq!(place.packets("ust/c_0_11"), [11]);
    assert_eq!(chunk.delete_files().len(), 0);
    assert_eq!(place.files(), [""; 0]);
}

#[test]
fn a_stream_moves_to_another_chunk() {
    let (old, new) = (Place::new(), Place::new());
    let (old_chunk, new_chunk) = (old.chunk(), new.chunk());
    let limits = FileLimits { size_max_bytes: PACKET_LEN as u64, count_max: 0 };
    let config = StreamFileConfig { limits, ..config("c_0") };
    let mut stream = StreamFile::create(&old_chunk, &config).unwrap();
    write(&mut stream, &old_chunk, 1).unwrap();
    let next = StreamFile::open(&new_chunk, &config).unwrap();
    write(&mut stream, &old_chunk, 2).unwrap();
    stream = next.finish().unwrap();
    write(&mut stream, &new_chunk, 3).unwrap();
    assert_eq!(old.packets("ust/c_0_1"), [2]);
    assert_eq!(new.files(), ["ust/c_0_0", "ust/index/c_0_0.idx"]);
    assert_eq!(new.index("ust/index/c_0_0.idx"), [(0, 3)]);
}

#[test]
fn what_is_there_is_emptied_and_keeps_its_mode() {
    let place = Place::new();
    let path = place.path().join("ust/c_0");
    fs::write(&path, [0; 99]).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let chunk = place.chunk();
    let mut stream = StreamFile::create(&chunk, &config("c_0")).unwrap();
    write(&mut stream, &chunk, 5).unwrap();
    assert_eq!(place.packets("ust/c_0"), [5]);
    assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o7777, 0o600);
}

#[test]
fn clearing_deletes_what_was_opened_and_nothing_else() {
    let place = Place::new();
    let chunk = place.chunk();
    let limits = FileLimits { size_max_bytes: PACKET_LEN as u64, count_max: 3 };
    let mut limited =
        StreamFile::create(&chunk, &StreamFileConfig { limits, ..config("l_0") }).unwrap();
    for number in 0..5 {
        write(&mut limited, &chunk, number).unwrap();
    }
    StreamFile::create(&chunk, &config("c_1")).unwrap();
    MetadataFile::create(&chunk, "ust", [0; 16]).unwrap();
    fs::write(place.path().join("ust/l_0_7"), "mine").unwrap();
    fs::remove_file(place.path().join("ust/c_1")).unwrap();
    assert_eq!(place.files().len(), 3 + 3 + 1 + 1 + 1);
    assert_eq!(chunk.delete_files().len(), 0);
    assert_eq!(place.files(), ["ust/l_0_7"]);
    assert!(place.path().join("ust/index").is_dir());
}

#[test]
fn metadata_grows_begins_anew_and_moves() {
    let (old, new) = (Place::new(), Place::new());
    let (old_chunk, new_chunk) = (old.chunk(), new.chunk());
    let mut metadata = MetadataFile::create(&old_chunk, "ust", [3; 16]).unwrap();
    let text = |place: &Place| -> Vec<u8> {
        let text_of = |packet: &[u8]| {
            assert_eq!(packet[4..20], [3; 16]);
            let bits = u32::from_ne_bytes(packet[24..28].try_into().unwrap());
            packet[37..bits as usize / 8].to_vec()
        };
        place.read("ust/metadata").chunks(4096).flat_map(text_of).collect()
    };
    metadata.append(b"/* CTF 1.8 */").unwrap();
    metadata.append(&[b'x'; 5000]).unwrap();
    assert_eq!(old.read("ust/metadata").len(), 3 * 4096);
    assert_eq!(text(&old), [b"/* CTF 1.8 */".as_slice(), &[b'x'; 5000]].concat());
    metadata.reset().unwrap();
    assert_eq!(old.read("ust/metadata"), []);
    metadata.append(b"again").unwrap();
    assert_eq!(text(&old), b"again");
    metadata.rotate_into(&new_chunk).unwrap();
    assert_eq!(new.read("ust/metadata"), []);
    metadata.append(b"whole").unwrap();
    assert_eq!((text(&old), text(&new)), (b"again".to_vec(), b"whole".to_vec()));
}
