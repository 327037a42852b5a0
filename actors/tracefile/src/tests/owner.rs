//! Files of somebody else, which only root can make.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

use lttngd_model::Credentials;

use super::*;

const OTHER: Credentials = Credentials { uid: 54321, gid: 54322 };

#[test]
fn only_root_makes_files_for_others() {
    let own = Credentials {
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
    };
    assert!(Owner::look_up(own).is_ok());
    let is_root = rustix::process::geteuid().is_root();
    assert_eq!(Owner::look_up(OTHER).is_ok(), is_root);
}

#[test]
fn files_belong_to_their_owner_and_the_thread_to_itself() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let place = Place::new();
    for path in ["", "ust", "ust/index"] {
        chown(place.path().join(path), Some(OTHER.uid), Some(OTHER.gid)).unwrap();
    }
    let groups = rustix::process::getgroups().unwrap();
    let owner = Owner::look_up(OTHER).unwrap();
    let chunk = TraceChunk::new(place.directory(), owner).unwrap();
    let mut stream = StreamFile::create(&chunk, &config("c_0")).unwrap();
    write(&mut stream, &chunk, 1).unwrap();
    for path in ["ust/c_0", "ust/index/c_0.idx"] {
        let status = fs::metadata(place.path().join(path)).unwrap();
        assert_eq!((status.uid(), status.gid()), (OTHER.uid, OTHER.gid), "{path}");
        assert_eq!(status.mode() & 0o7777, 0o660, "{path}");
    }
    // The thread has its own rights again.
    assert_eq!(rustix::process::getgroups().unwrap(), groups);
    let own = place.path().join("own");
    fs::write(&own, "").unwrap();
    assert_eq!(fs::metadata(own).unwrap().uid(), 0);
}

#[test]
fn an_owner_may_do_no_more_than_it_may() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let place = Place::new();
    // Of root: others may look, and not make anything.
    for path in ["", "ust", "ust/index"] {
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(place.path().join(path), mode).unwrap();
    }
    fs::write(place.path().join("ust/c_1"), "precious").unwrap();
    let chunk = TraceChunk::new(place.directory(), Owner::look_up(OTHER).unwrap()).unwrap();
    for name in ["c_0", "c_1"] {
        let error = StreamFile::create(&chunk, &config(name)).unwrap_err();
        let kind = error.source_error().unwrap().kind();
        assert_eq!(kind, std::io::ErrorKind::PermissionDenied, "{error}");
    }
    assert_eq!(chunk.delete_files().len(), 1, "the file of root stays");
    assert_eq!(place.read("ust/c_1"), b"precious");
    // The work of others with their own rights is not in the way.
    StreamFile::create(&place.chunk(), &config("c_0")).unwrap();
}
