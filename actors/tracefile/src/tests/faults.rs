//! What fails leaves what is whole.

use std::os::unix::fs::symlink;

use rustix::{
    fs::{Mode, SealFlags},
    mount::{MountFlags, mount},
    thread::UnshareFlags,
};

use lttngd_ringbuffer::Caching;

use super::*;
use crate::{FileError, MetadataFile, file};

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let place = Place::new();
    let chunk = place.chunk();
    for name in ["", ".", "..", "a/b", "/a", "a\0", &"x".repeat(231)] {
        let error = StreamFile::create(&chunk, &config(name)).unwrap_err();
        assert!(matches!(error, FileError::Name(_)), "{name:?}: {error}");
    }
    for directory in ["..", "/", "/tmp", "ust/../..", "none", "\0"] {
        let config = StreamFileConfig { directory, ..config("c_0") };
        let created = StreamFile::create(&chunk, &config);
        // A slash alone is the chunk's own directory, which has none for indexes.
        assert!(created.is_err(), "{directory:?}");
    }
}

#[test]
fn links_and_what_is_no_file_are_refused() {
    let (place, other) = (Place::new(), Place::new());
    let target = other.path().join("target");
    fs::write(&target, "precious").unwrap();
    let at = |path: &str| place.path().join(path);
    symlink(&target, at("ust/link_0")).unwrap();
    symlink(other.path().join("ust"), at("linked")).unwrap();
    fs::create_dir(at("ust/directory_0")).unwrap();
    let pipe = at("ust/pipe_0");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, Mode::RUSR, 0).unwrap();
    let chunk = place.chunk();
    for name in ["link_0", "directory_0", "pipe_0"] {
        let error = StreamFile::create(&chunk, &config(name)).unwrap_err();
        assert!(matches!(error, FileError::Open { .. }), "{name}: {error}");
    }
    let through = StreamFileConfig { directory: "linked", ..config("c_0") };
    assert!(StreamFile::create(&chunk, &through).is_err());
    // A pipe that somebody reads can be opened.
    let _reader = rustix::fs::open(
        &pipe,
        rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::NONBLOCK,
        Mode::empty(),
    );
    assert!(StreamFile::create(&chunk, &config("pipe_0")).is_err());
    assert_eq!(fs::read_to_string(target).unwrap(), "precious");
    assert_eq!(other.files(), ["target"]);
}

#[test]
fn a_stream_goes_on_where_it_was_when_there_is_no_next_file() {
    let place = Place::new();
    let chunk = place.chunk();
    let limits = FileLimits { size_max_bytes: PACKET_LEN as u64, count_max: 0 };
    let mut stream =
        StreamFile::create(&chunk, &StreamFileConfig { limits, ..config("c_0") }).unwrap();
    write(&mut stream, &chunk, 1).unwrap();
    let away = place.path().join("away");
    fs::rename(place.path().join("ust"), &away).unwrap();
    let error = write(&mut stream, &chunk, 2).unwrap_err();
    assert!(matches!(error, FileError::Open { .. }) && !error.is_out_of_space(), "{error}");
    assert!(StreamFile::create(&chunk, &config("c_1")).is_err());
    fs::rename(&away, place.path().join("ust")).unwrap();
    write(&mut stream, &chunk, 2).unwrap();
    assert_eq!(place.packets("ust/c_0_0"), [1]);
    assert_eq!(place.packets("ust/c_0_1"), [2]);
}

#[test]
fn what_is_written_to_a_directory_that_was_removed_is_lost() {
    let place = Place::new();
    let chunk = place.chunk();
    let mut stream = StreamFile::create(&chunk, &config("c_0")).unwrap();
    write(&mut stream, &chunk, 1).unwrap();
    fs::remove_dir_all(place.path()).unwrap();
    let error = write(&mut stream, &chunk, 2).unwrap_err();
    assert!(matches!(error, FileError::Removed { .. }) && !error.is_out_of_space(), "{error}");
    assert!(StreamFile::create(&chunk, &config("c_0")).is_err());
    assert_eq!(chunk.delete_files().len(), 0);
}

#[test]
fn a_file_that_is_no_directory_is_no_chunk() {
    let file = tempfile::tempfile().unwrap();
    let error = TraceChunk::new(file.into(), Owner::process()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NotADirectory);
}

#[test]
fn what_a_failed_write_left_can_be_cut() {
    // A file that cannot grow takes the part that fits, as a full disk does.
    let flags = rustix::fs::MemfdFlags::ALLOW_SEALING;
    let full = rustix::fs::memfd_create("full", flags).unwrap();
    rustix::fs::ftruncate(&full, 4096).unwrap();
    rustix::fs::fcntl_add_seals(&full, SealFlags::GROW).unwrap();
    let bytes = [1; 5000];
    assert!(file::write_all_at(&full, &[bytes.as_slice().into()], 0, Caching::Keep).is_err());
    file::cut(&full, 10).unwrap();
    assert_eq!(rustix::fs::fstat(&full).unwrap().st_size, 10);
}

/// Does `work` with a file system of `size_bytes` at the place's `ust/full`, which only this thread
/// sees and only root can have.
fn with_full_disk(place: &Place, size_bytes: usize, work: impl FnOnce() + Send) {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let target = place.path().join("ust/full");
    fs::create_dir(&target).unwrap();
    let mounted = || {
        // SAFETY: only the mounts and the working directory of this thread become its own.
        unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNS | UnshareFlags::FS) }.unwrap();
        let private = rustix::mount::MountPropagationFlags::PRIVATE
            | rustix::mount::MountPropagationFlags::REC;
        rustix::mount::mount_change("/", private).unwrap();
        let options = std::ffi::CString::new(format!("size={size_bytes}")).unwrap();
        mount("none", &target, "tmpfs", MountFlags::empty(), options.as_c_str()).unwrap();
        work();
    };
    std::thread::scope(|scope| scope.spawn(mounted).join().unwrap());
}

#[test]
fn a_packet_that_finds_no_room_is_cut_off_again() {
    let place = Place::new();
    with_full_disk(&place, 16 * 4096, || {
        let full = |name: &str| place.path().join("ust/full").join(name);
        fs::create_dir(full("index")).unwrap();
        let chunk = place.chunk();
        let config = StreamFileConfig { directory: "ust/full", ..config("c_0") };
        let mut stream = StreamFile::create(&chunk, &config).unwrap();
        write(&mut stream, &chunk, 1).unwrap();
        let index = PacketIndex::default();
        let large = vec![2; 20 * 4096];
        let error = stream.write_packet(&chunk, &[large.as_slice().into()], &index).unwrap_err();
        assert!(error.is_out_of_space(), "{error}");
        assert_eq!(place.packets("ust/full/c_0"), [1]);
        assert_eq!(place.index("ust/full/index/c_0.idx"), [(0, 1)]);
        // There is room for the data, and none for metadata.
        let mut metadata = MetadataFile::create(&chunk, "ust/full", [0; 16]).unwrap();
        metadata.append(b"begin").unwrap();
        let error = metadata.append(&[b' '; 20 * 4096]).unwrap_err();
        assert!(error.is_out_of_space(), "{error}");
        assert_eq!(place.read("ust/full/metadata").len(), 4096);
        // Where room is found again the stream goes on.
        write(&mut stream, &chunk, 3).unwrap();
        let filler = vec![0; 16 * 4096];
        let _ = fs::write(full("filler"), filler);
        assert!(write(&mut stream, &chunk, 4).unwrap_err().is_out_of_space());
        fs::remove_file(full("filler")).unwrap();
        write(&mut stream, &chunk, 5).unwrap();
        assert_eq!(place.packets("ust/full/c_0"), [1, 3, 5]);
        assert_eq!(place.index("ust/full/index/c_0.idx"), [(0, 1), (4096, 3), (8192, 5)]);
    });
}

#[test]
fn metadata_that_finds_no_room_at_all_leaves_no_file_that_readers_choke_on() {
    let place = Place::new();
    with_full_disk(&place, 16 * 4096, || {
        let full = |name: &str| place.path().join("ust/full").join(name);
        let _ = fs::write(full("filler"), vec![0; 16 * 4096]);
        let chunk = place.chunk();
        let mut metadata = MetadataFile::create(&chunk, "ust/full", [0; 16]).unwrap();
        assert!(metadata.append(b"text").unwrap_err().is_out_of_space());
        assert!(metadata.is_empty());
        metadata.remove(&chunk).unwrap();
        assert!(!full("metadata").exists());
        fs::remove_file(full("filler")).unwrap();
        let mut metadata = MetadataFile::create(&chunk, "ust/full", [0; 16]).unwrap();
        metadata.append(b"text").unwrap();
        assert!(!metadata.is_empty());
    });
}

#[test]
fn a_packet_without_its_index_is_cut_off_again() {
    let place = Place::new();
    with_full_disk(&place, 4096, || {
        // The index is on the full disk, the data is not: a page takes the header and 56 records.
        let target = place.path().join("ust/index");
        let full = place.path().join("ust/full");
        rustix::mount::mount_bind(&full, &target).unwrap();
        let chunk = place.chunk();
        let mut stream = StreamFile::create(&chunk, &config("c_0")).unwrap();
        for number in 0..56 {
            write(&mut stream, &chunk, number).unwrap();
        }
        let error = write(&mut stream, &chunk, 56).unwrap_err();
        assert!(error.is_out_of_space(), "{error}");
        assert_eq!(place.packets("ust/c_0").len(), 56);
        assert_eq!(place.index("ust/index/c_0.idx").len(), 56);
    });
}
