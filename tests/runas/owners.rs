//! What owners get and what they do not.

use std::{
    io::{ErrorKind, Read, Seek, Write},
    os::unix::fs::{MetadataExt, symlink},
};

use lttngd_runas::{Below, Opening};

use super::*;

fn owner_of(path: &Path) -> Credentials {
    let status = fs::symlink_metadata(path).unwrap();
    Credentials { uid: status.uid(), gid: status.gid() }
}

#[test]
fn files_and_directories_belong_to_their_owner() {
    let test = concat!(module_path!(), "::files_and_directories_belong_to_their_owner");
    as_root(test, |world| {
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o77));
        for (name, credentials) in [("ann", ANN), ("bob", BOB), ("ann2", ANN)] {
            let owner = world.owner(credentials);
            let root = owner.make_root_directory(world.path(name).join("traces")).wait().unwrap();
            let root = Arc::new(root);
            owner.make_directory(Below::new(&root, "ust/index")).wait().unwrap();
            for (path, opening, mode) in
                [("ust/c_0", Opening::Emptied, 0o660), ("ust/metadata", Opening::New, 0o600)]
            {
                let file = owner.open_file(Below::new(&root, path), opening, mode).wait().unwrap();
                fs::File::from(file).write_all(b"text").unwrap();
                let path = world.path(name).join("traces").join(path);
                assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, mode);
                assert_eq!(fs::read(&path).unwrap(), b"text");
            }
            for path in ["", "traces", "traces/ust", "traces/ust/index", "traces/ust/c_0"] {
                let path = world.path(name).join(path);
                assert_eq!(owner_of(&path), credentials, "{}", path.display());
            }
        }
        // This process keeps its rights.
        fs::write(world.path("own"), "").unwrap();
        assert_eq!(owner_of(&world.path("own")).uid, 0);
    });
}

#[test]
fn every_operation_passes_the_filter() {
    as_root(concat!(module_path!(), "::every_operation_passes_the_filter"), |world| {
        let home = world.home("ann", ANN);
        let owner = world.owner(ANN);
        let root = Arc::new(owner.open_directory(&home).wait().unwrap());
        let below = |path: &str| Below::new(&root, path);
        let file = owner.open_file(below("new"), Opening::New, 0o600).wait().unwrap();
        let mut file = fs::File::from(file);
        file.write_all(b"text").unwrap();
        file.rewind().unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "text");
        symlink("new", home.join("link")).unwrap();
        owner.open_file(below("link"), Opening::Followed, 0).wait().unwrap();
        assert_eq!(fs::read(home.join("new")).unwrap(), b"");
        owner.make_directory(below("tree/a/b")).wait().unwrap();
        owner.rename(below("new"), below("tree/a/new")).wait().unwrap();
        owner.rename(below("tree"), below("other")).wait().unwrap();
        let busy = owner.remove_directory(below("other/a")).wait().unwrap_err();
        assert_eq!(busy.kind(), ErrorKind::DirectoryNotEmpty);
        owner.remove_directory(below("other/a/b")).wait().unwrap();
        owner.remove_tree(below("other")).wait().unwrap();
        owner.remove_file(below("link")).wait().unwrap();
        assert_eq!(fs::read_dir(home).unwrap().count(), 0);
    });
}

#[test]
fn an_owner_may_do_no_more_than_it_may() {
    as_root(concat!(module_path!(), "::an_owner_may_do_no_more_than_it_may"), |world| {
        let theirs = world.home("bob", BOB);
        fs::write(theirs.join("precious"), "precious").unwrap();
        let ann = world.owner(ANN);
        let refused = |outcome: std::io::Result<OwnedFd>| {
            assert_eq!(outcome.unwrap_err().kind(), ErrorKind::PermissionDenied);
        };
        refused(ann.open_directory(&theirs).wait());
        refused(ann.make_root_directory(theirs.join("x")).wait());
        // Nor by a descriptor that this process opened as root.
        let directory = opened(&theirs);
        let below = |path: &str| Below::new(&directory, path);
        refused(ann.make_directory(below("x")).wait());
        refused(ann.open_file(below("x"), Opening::New, 0o660).wait());
        for opening in [Opening::Emptied, Opening::Followed] {
            refused(ann.open_file(below("precious"), opening, 0o660).wait());
        }
        assert!(ann.remove_file(below("precious")).wait().is_err());
        assert!(ann.rename(below("precious"), below("other")).wait().is_err());
        // A thread that has had Bob's rights has not kept them for Ann, nor the other way round.
        let bob = world.owner(BOB);
        for _ in 0..20 {
            bob.open_directory(&theirs).wait().unwrap();
            refused(ann.open_directory(&theirs).wait());
        }
        assert_eq!(fs::read(theirs.join("precious")).unwrap(), b"precious");
    });
}

#[test]
fn a_link_does_not_lead_out_of_the_tree() {
    as_root(concat!(module_path!(), "::a_link_does_not_lead_out_of_the_tree"), |world| {
        let home = world.home("ann", ANN);
        fs::create_dir(world.path("elsewhere")).unwrap();
        fs::set_permissions(world.path("elsewhere"), fs::Permissions::from_mode(0o777)).unwrap();
        symlink(world.path("elsewhere"), home.join("ust")).unwrap();
        symlink(world.path("elsewhere/file"), home.join("file")).unwrap();
        let owner = world.owner(ANN);
        let root = opened(&home);
        for path in ["ust", "ust/x", "../elsewhere/x"] {
            assert!(owner.make_directory(Below::new(&root, path)).wait().is_err(), "{path}");
        }
        for path in ["ust/x", "file", "../elsewhere/x"] {
            let asked = owner.open_file(Below::new(&root, path), Opening::Emptied, 0o660);
            assert!(asked.wait().is_err(), "{path}");
        }
        assert_eq!(fs::read_dir(world.path("elsewhere")).unwrap().count(), 0);
    });
}

/// The groups that the group database has for a user, besides its first.
fn further_groups(user: &str) -> Vec<u32> {
    let groups = fs::read_to_string("/etc/group").unwrap();
    let of_user = |line: &str| {
        let mut fields = line.split(':').skip(2);
        let gid = fields.next()?.parse().ok()?;
        fields.next()?.split(',').any(|member| member == user).then_some(gid)
    };
    groups.lines().filter_map(of_user).collect()
}

#[test]
fn an_owner_has_its_groups_and_no_others() {
    as_root(concat!(module_path!(), "::an_owner_has_its_groups_and_no_others"), |world| {
        let users = fs::read_to_string("/etc/passwd").unwrap();
        // A directory for each group there is, which its members may enter.
        let groups = fs::read_to_string("/etc/group").unwrap();
        let groups: Vec<u32> =
            groups.lines().map(|line| line.split(':').nth(2).unwrap().parse().unwrap()).collect();
        for gid in &groups {
            let path = world.home(&gid.to_string(), Credentials { uid: 0, gid: *gid });
            fs::set_permissions(path, fs::Permissions::from_mode(0o050)).unwrap();
        }
        let mut checked = 0;
        for user in users.lines() {
            let fields: Vec<_> = user.split(':').collect();
            let credentials =
                Credentials { uid: fields[2].parse().unwrap(), gid: fields[3].parse().unwrap() };
            if credentials.uid == 0 {
                continue;
            }
            let mut expected = further_groups(fields[0]);
            expected.push(credentials.gid);
            let owner = world.owner(credentials);
            for gid in &groups {
                let may = owner.open_directory(world.path(&gid.to_string())).wait().is_ok();
                assert_eq!(may, expected.contains(gid), "{user} in {gid}");
            }
            checked += 1;
        }
        assert!(checked > 0);
    });
}

#[test]
fn no_descriptor_is_left() {
    as_root(concat!(module_path!(), "::no_descriptor_is_left"), |world| {
        let worker = world.worker();
        let home = world.home("ann", ANN);
        let owner = world.owner(ANN);
        let root = opened(&home);
        let counts = || (lttngd_peer::open_descriptors(), worker.descriptors().len());
        // The worker closes what it opened for the last request after it has answered.
        let mut line = lttngd_peer::BaseLine::begin(counts());
        let mut before = None;
        eventually("both are at rest", || {
            before = line.look(counts());
            before.is_some()
        });
        for _ in 0..100 {
            let acts = [
                owner.open_file(Below::new(&root, "file"), Opening::Emptied, 0o660),
                owner.open_file(Below::new(&root, "file"), Opening::New, 0o660),
                owner.make_directory(Below::new(&root, "a/b/c")),
                owner.make_directory(Below::new(&root, "file/b/c")),
                owner.make_root_directory(&home),
            ];
            // Some outcomes nobody waits for.
            let [first, second, third, ..] = acts;
            let outcomes = [first, second, third].map(|act| act.wait().is_ok());
            assert_eq!(outcomes[0..1], [true]);
            owner.rename(Below::new(&root, "a/b"), Below::new(&root, "d")).wait().unwrap();
            owner.remove_tree(Below::new(&root, "d")).wait().unwrap();
        }
        eventually("as many descriptors as before", || {
            let (ours, of_worker) = counts();
            before.is_some_and(|before| ours <= before.0 && of_worker <= before.1)
        });
    });
}
