//! Poor surroundings: what the daemon is started in lacks something, or is hostile. What can be
//! recorded is, and what cannot is told.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use rustix::process::Signal;

use super::world::{Arena, Consumer, Daemon, Program, Which, eventually};

/// Where a daemon is started.
struct Surroundings<'a> {
    /// Makes the world, in the shell: for root alone, whose world is private.
    world: &'a str,
    /// What the shell does that becomes the daemon.
    before: &'a str,
    /// Whether the stock daemon records all there too.
    stock: bool,
}

/// Nothing special.
const PLAIN: Surroundings<'static> = Surroundings { world: "", before: "", stock: true };

/// A command for the shell in the home directory of the arena, which must succeed.
fn shell(arena: &Arena, script: &str) {
    let script = format!("cd \"$HOME\"\n{script}");
    let status = arena.command("sh").args(["-ec", &script]).stdout(Stdio::null()).status().unwrap();
    assert!(status.success(), "{script}: {status}");
}

/// Makes the world and starts a daemon in it; `None` where only root can.
fn start(which: Which, surroundings: &Surroundings<'_>) -> Option<(Daemon, Arena)> {
    let arena = Arena::new();
    if !surroundings.world.is_empty() {
        if !arena.is_root() {
            return None;
        }
        shell(&arena, surroundings.world);
    }
    let daemon = Daemon::start_after(&arena, which, surroundings.before);
    Some((daemon, arena))
}

/// Records 20 events, rotates, and records 5 more. Gives the count of those that can be read.
fn usual(arena: &Arena) -> usize {
    let output = arena.file("o");
    arena.lttng_ok(&format!("create s -o '{}'", output.display()));
    arena.lttng_ok("enable-event -u 'sample:*'");
    arena.lttng_ok("start");
    Program::start(arena, &["number=20"]).finish();
    arena.lttng_ok("rotate");
    Program::start(arena, &["number=5"]).finish();
    arena.lttng_ok("stop");
    arena.lttng_ok("destroy");
    arena.events(&output).len()
}

/// The usual recording is whole in these surroundings, and the daemon ends when it is told. Gives what
/// our daemon has logged.
fn all_is_recorded(surroundings: &Surroundings<'_>) -> Option<String> {
    let run = |which| {
        let (daemon, arena) = start(which, surroundings)?;
        assert_eq!(usual(&arena), 25, "{which:?}");
        let log = daemon.log();
        daemon.stop(&arena);
        Some(log)
    };
    if surroundings.stock {
        run(Which::Stock)?;
    }
    run(Which::Ours)
}

macro_rules! all_is_recorded {
    ($($(#[$comment:meta])* $name:ident { $($field:ident: $value:expr),* $(,)? })*) => {
        $(
            $(#[$comment])*
            #[test]
            fn $name() {
                all_is_recorded(&Surroundings { $($field: $value,)* ..PLAIN });
            }
        )*
    };
}

all_is_recorded! {
    without_sys { world: "mount -t tmpfs tmpfs /sys" }
    only_the_daemon_is_without_sys {
        world: ":",
        before: "set -- unshare --mount sh -c 'mount -t tmpfs tmpfs /sys; exec \"$0\"' \"$0\"; exec \"$@\"",
    }
    more_processors_may_come {
        world: "echo 0-6 >possible; mount --bind possible /sys/devices/system/cpu/possible",
    }
    /// Nothing tells there of which version a client is. The stock daemon passes over what it does not know.
    without_proc {
        world: "mkdir -p .lttng; printf '[sessiond]\\nunknown-client-version=2.13\\n' >.lttng/lttng.conf
            mount -t tmpfs tmpfs /proc",
    }
    processes_are_hidden { world: "mount -t proc -o hidepid=2 proc /proc" }
    without_a_user_database {
        world: "for file in passwd group nsswitch.conf; do mount --bind /dev/null /etc/$file; done",
    }
    without_a_home { before: "unset HOME LTTNG_HOME", world: ":" }
    umask_keeps_all_from_others { before: "umask 077" }
    umask_keeps_nothing_from_anybody { before: "umask 0" }
    /// The stock daemon's sockets get the numbers of standard output and error there, and it loses at
    /// times what was recorded.
    without_standard_descriptors { before: "exec <&- >&- 2>&-", stock: false }
    ends_of_children_are_ignored { before: "trap '' CHLD" }
    without_new_privileges { before: "set -- setpriv --no-new-privs \"$0\" \"$@\"; exec \"$@\"" }
    working_directory_is_gone { before: "mkdir gone; cd gone; rmdir ../gone" }
    one_processor { before: "set -- taskset -c 0 \"$0\" \"$@\"; exec \"$@\"" }
    without_a_network { before: "set -- unshare --net \"$0\" \"$@\"; exec \"$@\"", world: ":" }
    huge_environment {
        before: "for i in 1 2 3 4 5 6 7 8; do export HUGE$i=$(head -c 100000 /dev/zero | tr '\\0' x); done",
    }
    signals_are_blocked {
        before: "set -- env --block-signal=TERM,INT,CHLD,PIPE,XFSZ,BUS,SEGV \"$0\" \"$@\"; exec \"$@\"",
        stock: false,
    }
    time_zone_without_end { before: "export TZ=:/dev/zero", stock: false }
    time_zone_of_a_fifo { before: "mkfifo zone; export TZ=:$PWD/zone", stock: false }
    /// With what is in the way of all that the daemon can do without.
    nothing_dispensable_can_be_made {
        world: "d=$(readlink -f /var/run)/lttng; mkdir -p $d/sessiond-health $d/ustconsumerd32.not \\
            $d/agent.port $d/lttng-sessiond.pid .lttng/sessions/auto; \\
            ln -s /nowhere/at/all $d/ustconsumerd32; echo nonsense >.lttng/sessions/auto/x.lttng",
        stock: false,
    }
    /// The page on which applications wait was made by one of them before.
    shared_memory_is_read_only {
        world: "head -c 4096 /dev/zero >/dev/shm/lttng-ust-wait-8; chmod 666 /dev/shm/*; mount -o remount,ro /dev/shm",
        stock: false,
    }
}

/// Anybody may put it there before root's daemon starts.
#[test]
fn what_somebody_put_in_the_place_of_the_wait_page_does_not_end_the_daemon() {
    const PAGE: &str = "/dev/shm/lttng-ust-wait-8";
    for (put, kind) in
        [("mkdir", "a directory"), ("mkfifo", "a fifo"), ("ln -s /etc/passwd", "a symbolic link")]
    {
        let world = format!("{put} {PAGE}; chown -h 1234 {PAGE}");
        // With the stock daemon nobody is recorded: applications cannot open the page.
        let surroundings = Surroundings { world: &world, stock: false, ..PLAIN };
        let Some(log) = all_is_recorded(&surroundings) else { return };
        assert!(log.contains(&format!("{kind} of user 1234")), "{log}");
        assert!(log.contains("moved-aside-0"), "{log}");
        assert_eq!(log.lines().count(), 1, "{log}");
    }
}

/// A user's daemon cannot move what is another user's. The stock daemon listens, and may end with an error.
#[test]
fn another_users_wait_page_does_not_end_a_users_daemon() {
    let arena = Arena::new();
    if !arena.is_root() {
        return;
    }
    shell(&arena, "echo >/dev/shm/lttng-ust-wait-8-1234; chmod 600 /dev/shm/*; chmod 777 . ..");
    let before =
        "set -- setpriv --reuid=1234 --regid=1234 --clear-groups \"$0\" \"$@\"; exec \"$@\"";
    let mut daemon = Daemon::spawn_after(&arena, Which::Ours, before);
    let socket = arena.home().join(".lttng/client-lttng-sessiond");
    eventually("the daemon listens", || {
        assert!(daemon.is_running(), "{}", daemon.log());
        socket.exists().then_some(())
    });
    arena.signal(daemon.pid(), Signal::TERM);
    assert_eq!(daemon.wait().code(), Some(0), "{}", daemon.log());
    assert!(daemon.log().contains("a file of user 0, mode 0600"), "{}", daemon.log());
}

/// Whoever may enter the directory of the consumer daemon may not command it.
#[test]
fn consumers_sockets_are_the_daemons_alone_whatever_the_umask() {
    let (daemon, arena) = start(Which::Ours, &Surroundings { before: "umask 0", ..PLAIN }).unwrap();
    arena.lttng_ok("create s");
    arena.lttng_ok("enable-event -u -a");
    arena.lttng_ok("start");
    let directory = arena.run_directory().join("ustconsumerd64");
    for name in ["command", "error"] {
        let mode = fs::metadata(directory.join(name)).unwrap().permissions().mode();
        // The stock consumer daemon makes the first by the umask.
        let is_ours = name == "error" || Consumer::chosen(Which::Ours) != Some(Consumer::Stock);
        assert!(!is_ours || mode & 0o7777 == 0o600, "{name} {mode:o}");
    }
    arena.lttng_ok("destroy");
    daemon.stop(&arena);
}

/// Files may not be as large as buffers are.
#[test]
fn buffers_that_cannot_be_made_are_told_at_start() {
    let before = "set -- prlimit --fsize=65536 \"$0\" \"$@\"; exec \"$@\"";
    let (mut daemon, arena) = start(Which::Ours, &Surroundings { before, ..PLAIN }).unwrap();
    arena.lttng_ok("create s -o /nowhere");
    arena.lttng_ok("enable-event -u 'sample:*'");
    let refused = arena.lttng("start");
    assert_eq!(refused.code, 58, "{refused:?}");
    assert!(refused.stderr.contains("UST create channel failed"), "{refused:?}");
    assert!(daemon.log().contains("larger than files may be"), "{}", daemon.log());
    arena.lttng_ok("destroy");

    // Smaller ones are recorded, and the daemons live on when a file of the trace is full.
    let output = arena.file("o");
    arena.lttng_ok(&format!("create s -o '{}'", output.display()));
    arena.lttng_ok("enable-channel -u c --subbuf-size=4k --num-subbuf=4");
    arena.lttng_ok("enable-event -u 'sample:*' -c c");
    arena.lttng_ok("start");
    Program::start(&arena, &["number=20"]).finish();
    arena.lttng_ok("rotate");
    Program::start(&arena, &["delay=100", "number=5000"]).finish();
    arena.lttng_ok("stop");
    arena.lttng_ok("destroy");
    assert!(arena.events(&output.join("archives")).len() >= 20);
    assert!(daemon.is_running());
    daemon.stop(&arena);
}

/// For none of the applications that run can buffers be made, for a reason that only they show.
#[test]
fn applications_that_cannot_be_followed_are_told_at_start() {
    for applications in [0, 2] {
        let (daemon, arena) = start(Which::Ours, &PLAIN).unwrap();
        let programs: Vec<_> = (0..applications).map(|_| Program::ready(&arena)).collect();
        arena.lttng_ok("create s --shm-path=/dev/null/no/directory");
        arena.lttng_ok("enable-event -u 'sample:*'");
        let started = arena.lttng("start");
        assert_eq!(started.code == 0, applications == 0, "{started:?}");
        let is_active = arena.lttng_ok("list").contains("[active]");
        assert_eq!(is_active, applications == 0);
        drop(programs);
        arena.lttng_ok("destroy");
        daemon.stop(&arena);
    }
}

/// Whoever owns a directory on the way to root's trace cannot lead root elsewhere.
#[test]
fn roots_traces_are_not_led_elsewhere_by_anothers_link() {
    let (daemon, arena) = start(Which::Ours, &PLAIN).unwrap();
    if !arena.is_root() {
        return;
    }
    shell(&arena, "mkdir theirs precious; chown 1234 theirs");
    arena.lttng_ok(&format!("create s -o '{}'", arena.home().join("theirs/o").display()));
    arena.lttng_ok("enable-event -u 'sample:*'");
    arena.lttng_ok("start");
    Program::start(&arena, &["number=20"]).finish();
    shell(&arena, "mv theirs away; ln -s precious theirs; chown -h 1234 theirs");
    assert_ne!(arena.lttng("rotate").code, 0);
    let led: Vec<_> = fs::read_dir(arena.home().join("precious")).unwrap().collect();
    assert!(led.is_empty(), "{led:?}");
    assert!(daemon.log().contains("link of user 1234"), "{}", daemon.log());
    shell(&arena, "rm theirs; mv away theirs");
    arena.lttng("stop");
    arena.lttng_ok("destroy");
    assert_eq!(arena.events(&arena.home().join("theirs/o")).len(), 20);
    daemon.stop(&arena);
}
