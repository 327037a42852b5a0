//! What the worker is: its rights, its descriptors, its end.

use std::path::Path;

use lttngd_elf::Sought;
use lttngd_runas::{DEADLINE, PROGRAM};
use rustix::process::{Pid, Signal, getpgid};

use super::*;

/// `CAP_SETGID` and `CAP_SETUID`.
const KEPT: &str = "00000000000000c0";
const NONE: &str = "0000000000000000";

/// A line of `/proc/PID/status`, or of a thread's.
fn status(file: &Path, name: &str) -> String {
    let text = fs::read_to_string(file).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap().trim().to_owned()
}

#[test]
fn it_can_become_a_user_and_nothing_else() {
    as_root(concat!(module_path!(), "::it_can_become_a_user_and_nothing_else"), |world| {
        let worker = world.worker();
        // Threads that have served users are no different, nor those that come later.
        for owner in [ANN, BOB] {
            world.owner(owner).open_directory("/").wait().unwrap();
        }
        let threads = fs::read_dir(worker.file("task")).unwrap().flatten();
        let mut checked = 0;
        for thread in threads {
            let file = thread.path().join("status");
            for (set, expected) in [
                ("CapPrm", KEPT),
                ("CapEff", KEPT),
                ("CapInh", NONE),
                ("CapBnd", NONE),
                ("CapAmb", NONE),
            ] {
                assert_eq!(status(&file, set), expected, "{set}");
            }
            assert_eq!(status(&file, "NoNewPrivs"), "1");
            assert_eq!(status(&file, "Seccomp"), "2", "a filter");
            checked += 1;
        }
        assert!(checked > 1, "there are threads for requests");
    });
}

/// Of whom data threads wait that come before others, at the price of their rights no more than others.
#[test]
fn an_urgent_one_comes_first() {
    as_root(concat!(module_path!(), "::an_urgent_one_comes_first"), |_| {
        if std::thread::spawn(lttngd_runtime::come_first).join().unwrap().is_err() {
            eprintln!("no real-time priority is to be had: nothing is checked");
            return;
        }
        let program = PathBuf::from(env!("CARGO_BIN_EXE_lttngd"));
        let world = World { runas: Runas::urgent(Some(program)), ..World::new(DEADLINE) };
        let worker = world.worker();
        world.owner(BOB).open_directory("/").wait().unwrap();
        for thread in fs::read_dir(worker.file("task")).unwrap().flatten() {
            let stat = fs::read_to_string(thread.path().join("stat")).unwrap();
            let policy = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(38).unwrap();
            assert_eq!(policy, libc::SCHED_RR.to_string());
            assert_eq!(status(&thread.path().join("status"), "CapEff"), KEPT);
        }
    });
}

#[test]
fn it_has_one_socket_and_no_environment() {
    as_root(concat!(module_path!(), "::it_has_one_socket_and_no_environment"), |world| {
        // Inherited by mistake, with neither close-on-exec nor a name.
        let stray = fs::File::open("/").unwrap();
        rustix::io::fcntl_setfd(&stray, rustix::io::FdFlags::empty()).unwrap();
        let worker = world.worker();
        let mut descriptors = worker.descriptors();
        // That of the request which started it closes after the reply.
        eventually("no request is under way", || {
            descriptors = worker.descriptors();
            descriptors.len() <= 4
        });
        let null = Path::new("/dev/null");
        assert_eq!(descriptors.iter().filter(|target| *target == null).count(), 3);
        descriptors.retain(|target| target != null);
        let [socket] = &descriptors[..] else { panic!("{descriptors:?}") };
        assert!(socket.to_str().unwrap().starts_with("socket:"), "{socket:?}");
        assert_eq!(fs::read(worker.file("environ")).unwrap(), b"");
        assert_eq!(fs::read(worker.file("cmdline")).unwrap(), format!("{PROGRAM}\0").as_bytes());
        assert_eq!(fs::read_to_string(worker.file("comm")).unwrap(), format!("{PROGRAM}\n"));
        let pid = Pid::from_raw(worker.0);
        assert_eq!(getpgid(pid).unwrap(), pid.unwrap(), "a process group of its own");
    });
}

#[test]
fn it_outlives_signals_for_a_service_and_ends_with_its_daemon() {
    let test =
        concat!(module_path!(), "::it_outlives_signals_for_a_service_and_ends_with_its_daemon");
    as_root(test, |world| {
        let worker = world.worker();
        for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
            worker.signal(signal);
        }
        assert_eq!(world.worker(), worker);
        world.runas.end();
        assert!(!worker.is_there());
        let next = world.worker();
        assert_ne!(next, worker);
        // The last that can ask is gone, or the whole daemon.
        let other = World::new(DEADLINE);
        let runas = std::mem::replace(&mut { other }.runas, Runas::new(None));
        drop(runas);
        world.runas.end();
        eventually("all workers are gone", || children().is_empty());
    });
}

#[test]
fn a_program_that_is_no_worker_is_an_error() {
    let test = concat!(module_path!(), "::a_program_that_is_no_worker_is_an_error");
    as_root(test, |world| {
        for program in ["/nowhere/lttngd", "/bin/true", "/dev/null"] {
            let runas = Runas::new(Some(program.into()));
            for _ in 0..2 {
                let asked = runas.look_up(ANN).unwrap().open_directory(world.place.path());
                let error = asked.wait().unwrap_err().to_string();
                assert!(error.contains(program), "{program}: {error}");
            }
        }
        let refused = Runas::new(None).look_up(ANN).unwrap_err().to_string();
        assert!(refused.contains("Config::with_program"), "{refused}");
        eventually("nothing is left", || children().is_empty());
    });
}

/// What the file of a program has in it is somebody's: whoever reads it has no rights to lose.
#[test]
fn a_program_is_read_by_it_for_probes() {
    as_root(concat!(module_path!(), "::a_program_is_read_by_it_for_probes"), |world| {
        let find = |path: &Path, sought| {
            let program = Arc::new(OwnedFd::from(fs::File::open(path).unwrap()));
            world.runas.find_places(program, sought).wait()
        };
        let main = || Sought::Function("main".to_owned());
        let exe = Path::new("/proc/self/exe");
        let here = lttngd_elf::places(&fs::File::open(exe).unwrap(), &main()).unwrap();
        assert_eq!(find(exe, main()).unwrap(), here);
        assert_eq!(children().len(), 1, "the worker was started for it");
        let wrong = find(Path::new("/etc/passwd"), main()).unwrap_err();
        assert!(wrong.to_string().contains("not an ELF file"), "{wrong}");
        assert!(find(Path::new("/"), main()).is_err());
        // Only root opens it, and the worker has what was opened.
        let hidden = world.path("hidden");
        fs::copy(exe, &hidden).unwrap();
        fs::set_permissions(&hidden, fs::Permissions::from_mode(0o700)).unwrap();
        assert_eq!(find(&hidden, main()).unwrap(), here);
    });
}
