//! What is done with the rights that the process has.

use std::{
    fs,
    io::{ErrorKind, Write},
    os::{
        fd::AsFd,
        unix::fs::{PermissionsExt, symlink},
    },
};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use tempfile::TempDir;

use super::*;
use crate::{Below, Opening, Owner, Runas};

struct Place {
    directory: TempDir,
    root: Arc<OwnedFd>,
}

impl Place {
    /// A directory `traces` to work in, beside one that must stay as it is.
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("elsewhere")).unwrap();
        fs::write(directory.path().join("elsewhere/precious"), "precious").unwrap();
        let root = Owner::process().make_root_directory(directory.path().join("traces"));
        let root = Arc::new(root.wait().unwrap());
        Self { directory, root }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.directory.path().join("traces").join(path)
    }

    fn below(&self, path: &str) -> Below {
        Below::new(&self.root, path)
    }

    fn open(&self, path: &str, opening: Opening) -> std::io::Result<fs::File> {
        Owner::process().open_file(self.below(path), opening, 0o660).wait().map(Into::into)
    }

    fn elsewhere_is_whole(&self) {
        let elsewhere = self.directory.path().join("elsewhere");
        assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 1);
        assert_eq!(fs::read(elsewhere.join("precious")).unwrap(), b"precious");
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn directories_have_the_mode_of_traces_whatever_the_umask() {
    let place = tempfile::tempdir().unwrap();
    let owner = Owner::process();
    let root = owner.make_root_directory(place.path().join("a/b")).wait().unwrap();
    let root = Arc::new(root);
    for _ in 0..2 {
        owner.make_directory(Below::new(&root, "ust/uid/0/64-bit/index")).wait().unwrap();
    }
    for path in ["a", "a/b", "a/b/ust", "a/b/ust/uid/0/64-bit/index"] {
        assert_eq!(mode(&place.path().join(path)), 0o770, "{path}");
    }
    assert!(owner.make_root_directory("relative").wait().is_err());
    assert!(owner.open_directory("relative").wait().is_err());
    assert!(owner.open_directory(place.path().join("a/c")).wait().is_err());
}

#[test]
fn nothing_leads_out_of_the_root() {
    let place = Place::new();
    symlink("../elsewhere", place.path("ust")).unwrap();
    symlink("../elsewhere/precious", place.path("link")).unwrap();
    fs::create_dir(place.path("here")).unwrap();
    let owner = Owner::process();
    for path in ["ust", "ust/uid", "../elsewhere", "../elsewhere/x", "/tmp"] {
        assert!(owner.make_directory(place.below(path)).wait().is_err(), "{path}");
        assert!(owner.remove_directory(place.below(path)).wait().is_err(), "{path}");
        assert!(owner.remove_tree(place.below(path)).wait().is_err(), "{path}");
    }
    for path in ["ust/precious", "../elsewhere/precious", "link", "ust/x", "../elsewhere/x"] {
        assert!(place.open(path, Opening::New).is_err(), "{path}");
        assert!(place.open(path, Opening::Emptied).is_err(), "{path}");
        if path != "link" {
            assert!(owner.remove_file(place.below(path)).wait().is_err(), "{path}");
            let moved = owner.rename(place.below("here"), place.below(path));
            assert!(moved.wait().is_err(), "{path}");
            let moved = owner.rename(place.below(path), place.below("there"));
            assert!(moved.wait().is_err(), "{path}");
        }
    }
    place.elsewhere_is_whole();
    // The link itself is the owner's to remove.
    owner.remove_file(place.below("link")).wait().unwrap();
    place.elsewhere_is_whole();
}

#[test]
fn files_are_made_or_emptied() {
    let place = Place::new();
    place.open("file", Opening::New).unwrap().write_all(b"first").unwrap();
    assert_eq!(mode(&place.path("file")), 0o660);
    let again = place.open("file", Opening::New).unwrap_err();
    assert_eq!(again.kind(), ErrorKind::AlreadyExists);
    assert_eq!(fs::read(place.path("file")).unwrap(), b"first");
    place.open("file", Opening::Emptied).unwrap().write_all(b"2").unwrap();
    assert_eq!(fs::read(place.path("file")).unwrap(), b"2");
    place.open("other", Opening::Emptied).unwrap();
    assert_eq!(mode(&place.path("other")), 0o660);
    assert_eq!(place.open("third", Opening::Followed).unwrap_err().kind(), ErrorKind::NotFound);
    symlink("file", place.path("link")).unwrap();
    place.open("link", Opening::Followed).unwrap().write_all(b"3").unwrap();
    assert_eq!(fs::read(place.path("file")).unwrap(), b"3");
}

#[test]
fn nobody_waits_for_a_pipe() {
    let place = Place::new();
    mknodat(CWD, place.path("pipe"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let reader = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::NONBLOCK;
    for opening in [Opening::New, Opening::Emptied, Opening::Followed] {
        place.open("pipe", opening).unwrap_err();
        let reader = rustix::fs::open(place.path("pipe"), reader, Mode::empty()).unwrap();
        place.open("pipe", opening).unwrap_err();
        drop(reader);
    }
    Owner::process().make_directory(place.below("pipe")).wait().unwrap_err();
}

#[test]
fn trees_are_removed_and_links_in_them_not_followed() {
    let place = Place::new();
    fs::create_dir_all(place.path("tree/a/b/c")).unwrap();
    fs::write(place.path("tree/a/b/file"), "").unwrap();
    symlink(place.directory.path().join("elsewhere"), place.path("tree/a/link")).unwrap();
    let owner = Owner::process();
    assert!(owner.remove_directory(place.below("tree")).wait().is_err(), "it is not empty");
    owner.remove_tree(place.below("tree")).wait().unwrap();
    assert!(!place.path("tree").exists());
    place.elsewhere_is_whole();
    // Descriptors are not used up by a tree that is too deep.
    let deep: PathBuf = std::iter::repeat_n("d", 100).collect();
    fs::create_dir_all(place.path("tree").join(deep)).unwrap();
    assert!(owner.remove_tree(place.below("tree")).wait().is_err());
}

#[test]
fn what_is_moved_arrives() {
    let place = Place::new();
    fs::create_dir_all(place.path("a/b")).unwrap();
    fs::create_dir_all(place.path("c")).unwrap();
    let c = directory(&place.path("c"));
    Owner::process().rename(place.below("a/b"), Below::new(&c, "d")).wait().unwrap();
    assert!(place.path("c/d").is_dir() && !place.path("a/b").exists());
}

#[test]
fn descriptors_do_not_outlive_a_program() {
    let place = Place::new();
    let opened = [
        OwnedFd::from(place.open("file", Opening::New).unwrap()),
        OwnedFd::from(place.open("file", Opening::Emptied).unwrap()),
        OwnedFd::from(place.open("file", Opening::Followed).unwrap()),
        Owner::process().make_directory(place.below("d")).wait().unwrap(),
        Owner::process().open_directory(place.path("d")).wait().unwrap(),
        place.root.as_fd().try_clone_to_owned().unwrap(),
    ];
    for descriptor in opened {
        let flags = rustix::io::fcntl_getfd(&descriptor).unwrap();
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
    }
}

#[tokio::test]
async fn a_process_acts_for_its_own_user_without_a_worker() {
    let place = tempfile::tempdir().unwrap();
    let runas = Runas::new(None);
    let owner = runas.owner(own()).await.unwrap();
    owner.make_root_directory(place.path().join("x")).await.unwrap();
    assert!(place.path().join("x").is_dir());
    let other = Credentials { uid: own().uid + 1, gid: 1 };
    let refused = runas.owner(other).await.unwrap_err();
    if own().uid == 0 {
        assert!(refused.to_string().contains("Config::with_program"), "{refused}");
    } else {
        assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
    }
}

#[test]
fn a_file_is_written_whole_or_is_not_there() {
    let place = Place::new();
    let owner = Owner::process();
    // More than is written at a time.
    let text: Vec<u8> = (0..200_000_u32).flat_map(u32::to_ne_bytes).collect();
    let write = |opening, text: &[u8]| owner.write_file(place.below("s"), opening, 0o640, text);
    assert_eq!(write(Opening::Followed, b"early").wait().unwrap_err().kind(), ErrorKind::NotFound);
    write(Opening::New, &text).wait().unwrap();
    assert_eq!(fs::read(place.path("s")).unwrap(), text);
    assert_eq!(mode(&place.path("s")), 0o640);
    assert_eq!(write(Opening::New, b"again").wait().unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(fs::read(place.path("s")).unwrap(), text);
    write(Opening::Followed, b"shorter").wait().unwrap();
    assert_eq!(fs::read(place.path("s")).unwrap(), b"shorter");
    // A directory has no text in it.
    let unreadable = Arc::clone(&place.root);
    let cut = Operation::WriteFile(place.below("cut"), Opening::New, 0o640, unreadable);
    assert_eq!(cut.perform().unwrap_err().kind(), ErrorKind::IsADirectory);
    assert!(!place.path("cut").exists());
    place.elsewhere_is_whole();
}
