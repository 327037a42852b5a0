//! Directories made with their owner's rights.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::Path,
};

use crate::{as_owner, make_directory_below, make_root_directory};

#[test]
fn directories_have_the_mode_of_traces_whatever_the_umask() {
    let place = tempfile::tempdir().unwrap();
    let root = make_root_directory(&place.path().join("a/b")).unwrap();
    make_directory_below(&root, Path::new("ust/uid/0/64-bit/index")).unwrap();
    make_directory_below(&root, Path::new("ust/uid/0/64-bit/index")).unwrap();
    for path in ["a", "a/b", "a/b/ust", "a/b/ust/uid/0/64-bit/index"] {
        let mode = fs::metadata(place.path().join(path)).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o770, "{path}");
    }
    assert!(make_root_directory(Path::new("relative")).is_err());
}

#[test]
fn nothing_leads_out_of_the_root() {
    let place = tempfile::tempdir().unwrap();
    let root = make_root_directory(&place.path().join("traces")).unwrap();
    fs::create_dir(place.path().join("elsewhere")).unwrap();
    symlink(place.path().join("elsewhere"), place.path().join("traces/ust")).unwrap();
    for path in ["ust/uid", "../elsewhere/x", "/tmp"] {
        assert!(make_directory_below(&root, Path::new(path)).is_err(), "{path}");
    }
    assert_eq!(fs::read_dir(place.path().join("elsewhere")).unwrap().count(), 0);
}

#[tokio::test]
async fn the_owner_makes_what_it_may_and_nothing_else() {
    let place = tempfile::tempdir().unwrap();
    let (root, theirs) = (place.path().to_owned(), place.path().join("theirs"));
    if !rustix::process::geteuid().is_root() {
        let outcome = as_owner(rustix::process::geteuid().as_raw() + 1, 0, || Ok(())).await;
        assert_eq!(outcome.unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        return;
    }
    fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).unwrap();
    let path = theirs.clone();
    let refused = as_owner(65534, 65534, move || make_root_directory(&path)).await;
    assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    fs::set_permissions(&root, fs::Permissions::from_mode(0o777)).unwrap();
    let path = theirs.clone();
    as_owner(65534, 65534, move || make_root_directory(&path)).await.unwrap();
    let made = fs::metadata(&theirs).unwrap();
    assert_eq!((made.uid(), made.gid()), (65534, 65534));
    assert!(rustix::process::geteuid().is_root(), "this thread keeps its rights");
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

#[tokio::test]
async fn the_owner_has_its_groups_and_no_others() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let mut checked = 0;
    for user in users.lines() {
        let fields: Vec<_> = user.split(':').collect();
        let (uid, gid) = (fields[2].parse().unwrap(), fields[3].parse().unwrap());
        if uid == 0 {
            continue;
        }
        let mut expected = further_groups(fields[0]);
        expected.push(gid);
        let groups = as_owner(uid, gid, || Ok(rustix::process::getgroups()?)).await.unwrap();
        let mut groups: Vec<_> = groups.into_iter().map(rustix::process::Gid::as_raw).collect();
        for list in [&mut groups, &mut expected] {
            list.sort_unstable();
            list.dedup();
        }
        assert_eq!(groups, expected, "{user}");
        checked += 1;
    }
    assert!(checked > 0);
    // Whoever the database does not know has the one group.
    let stranger = as_owner(4_000_000_001, 4_000_000_002, || Ok(rustix::process::getgroups()?));
    let groups = stranger.await.unwrap();
    assert_eq!(groups, [rustix::process::Gid::from_raw(4_000_000_002)]);
}
