//! Applications that lie, are silent or die: they delay nobody but themselves and leave nothing behind.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::world::raw::{REGISTRATION_BYTES, Registration, expect_closed};
use super::world::{Program, Stage, alone};

/// The longest that something unconcerned may take: less than the daemon waits for an application.
pub(super) const AT_ONCE: Duration = Duration::from_millis(4500);

/// How long the daemon may wait for an application that says nothing, with a margin.
const APP_PATIENCE: Duration = Duration::from_secs(15);

/// Socket types of a registration.
const COMMAND: u32 = 0;
const NOTIFY: u32 = 1;

/// Checks that another client and another application are served at once.
fn others_are_served(stage: &Stage) {
    let start = Instant::now();
    stage.arena.lttng_ok("create bystander");
    stage.arena.lttng_ok("enable-event -u sample:number");
    stage.arena.lttng_ok("start");
    let mut program = Program::start(&stage.arena, &["number=3"]);
    assert!(program.wait().success());
    assert!(stage.arena.lttng_ok("list").contains("bystander"));
    stage.is_unconcerned(start.elapsed());
    stage.arena.lttng_ok("stop");
    let directory = stage.arena.trace_of("bystander");
    let recorded = stage.arena.events(&directory);
    assert_eq!(recorded.iter().filter(|event| event.name == "sample:number").count(), 3);
    stage.arena.lttng_ok("destroy bystander");
    std::fs::remove_dir_all(directory).unwrap();
}

/// Has `disturb` done, and checks that others are served meanwhile and that no descriptor stays open after it.
fn disturbed<T>(disturb: impl FnOnce(&Stage) -> T) {
    alone(|stage| {
        others_are_served(stage);
        let before = stage.daemon.descriptors_at_rest();
        let disturbance = disturb(stage);
        others_are_served(stage);
        drop(disturbance);
        others_are_served(stage);
        stage.daemon.settles_to_descriptors(before);
    });
}

/// Sends a registration that must be refused at once.
fn refused(stage: &Stage, registration: Registration) {
    expect_closed(&mut registration.send(&stage.arena), AT_ONCE);
}

#[test]
fn wrong_magic_version_and_type() {
    disturbed(|stage| {
        refused(stage, Registration::new(COMMAND).with(0, 0x1234_5678));
        refused(stage, Registration::new(COMMAND).with(0, 0xC57C_57C5_u32.swap_bytes()));
        refused(stage, Registration::new(COMMAND).with(4, 7));
        // The socket of those is another one.
        refused(stage, Registration::new(COMMAND).with(4, 11));
        refused(stage, Registration::new(COMMAND).with(4, 12));
        refused(stage, Registration::new(COMMAND).with(28, 16));
        refused(stage, Registration::new(COMMAND).with(28, u32::MAX));
        refused(stage, Registration::new(2));
        refused(stage, Registration::new(u32::MAX));
    });
}

#[test]
fn silence_after_connect() {
    disturbed(|stage| [(); 10].map(|()| stage.arena.connect("lttng-ust-sock-8")));
}

#[test]
fn half_a_registration() {
    disturbed(|stage| {
        [1, 4, 60, REGISTRATION_BYTES - 1]
            .map(|count| Registration::new(COMMAND).send_part(&stage.arena, count))
    });
}

#[test]
fn only_one_of_the_two_sockets() {
    disturbed(|stage| Registration::new(COMMAND).send(&stage.arena));
    disturbed(|stage| Registration::new(NOTIFY).send(&stage.arena));
}

#[test]
fn silence_after_registration() {
    disturbed(|stage| {
        let sockets = [COMMAND, NOTIFY].map(|kind| Registration::new(kind).send(&stage.arena));
        others_are_served(stage);
        sockets
    });
}

#[test]
fn silent_registration_is_given_up() {
    alone(|stage| {
        let before = stage.daemon.descriptors_at_rest();
        let mut sockets = [COMMAND, NOTIFY].map(|kind| Registration::new(kind).send(&stage.arena));
        sockets.iter_mut().for_each(|socket| expect_closed(socket, APP_PATIENCE));
        stage.daemon.settles_to_descriptors(before);
        assert!(stage.arena.lttng_ok("list -u").contains("None"));
    });
}

#[test]
fn death_in_the_middle_of_registration() {
    disturbed(|stage| {
        for count in 0..50 {
            drop(Registration::new(COMMAND).send(&stage.arena));
            drop(Registration::new(NOTIFY).send_part(&stage.arena, count));
            let _both = [COMMAND, NOTIFY].map(|kind| Registration::new(kind).send(&stage.arena));
        }
    });
}

#[test]
fn more_than_two_sockets() {
    disturbed(|stage| {
        [COMMAND, COMMAND, NOTIFY, NOTIFY, NOTIFY]
            .map(|kind| Registration::new(kind).send(&stage.arena))
    });
}

#[test]
fn garbage_on_either_socket() {
    fn garbage(socket: &mut UnixStream) {
        // The daemon may close at the first wrong byte.
        for byte in [0xff, 0, 0x5a] {
            let _ = socket.write_all(&[byte; 5000]);
        }
    }

    disturbed(|stage| {
        let mut sockets = [COMMAND, NOTIFY].map(|kind| Registration::new(kind).send(&stage.arena));
        garbage(&mut sockets[1]);
        sockets
    });
    disturbed(|stage| {
        let mut sockets = [COMMAND, NOTIFY].map(|kind| Registration::new(kind).send(&stage.arena));
        garbage(&mut sockets[0]);
        sockets
    });
}

#[test]
fn stopped_application() {
    alone(|stage| {
        let mut victim = stage.program();
        let arena = &stage.arena;
        let quick = || {
            let start = Instant::now();
            arena.lttng_ok("create quick --no-output");
            assert!(arena.lttng_ok("list").contains("quick"));
            arena.lttng_ok("destroy quick");
            start.elapsed()
        };
        others_are_served(stage);
        arena.lttng_ok("create slow --no-output");
        arena.signal(victim.pid(), Signal::STOP);
        std::thread::scope(|scope| {
            let concerned = scope.spawn(|| {
                arena.lttng("enable-event -u -s slow sample:number");
                arena.lttng("start slow");
            });
            // Many rounds, so that some fall into the time in which the other client waits.
            while !concerned.is_finished() {
                stage.is_unconcerned(quick());
            }
        });
        arena.signal(victim.pid(), Signal::CONT);
        arena.lttng_ok("destroy slow");
        victim.kill();
        others_are_served(stage);
    });
}

#[test]
fn many_applications_come_and_go() {
    alone(|stage| {
        stage.lttng_ok("create crowd");
        stage.lttng_ok("enable-event -u sample:number");
        stage.lttng_ok("start");
        let before = stage.daemon.descriptors_at_rest();
        let mut programs: Vec<_> =
            (0..60).map(|_| Program::start(&stage.arena, &["number=20"])).collect();
        programs.iter_mut().for_each(|program| assert!(program.wait().success()));
        stage.lttng_ok("stop");
        assert_eq!(stage.events("crowd").len(), 60 * 20);
        stage.lttng_ok("destroy");
        // The buffers of the user were made meanwhile and are gone again with the session.
        stage.daemon.settles_to_descriptors(before);
    });
}
