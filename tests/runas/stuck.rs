//! File systems that hang, and workers that die. A directory hangs when a listener of its openings
//! (fanotify) does not say whether they are allowed.

use std::io::ErrorKind;

use lttngd_runas::IN_FLIGHT_EACH_MAX;
use nix::sys::fanotify::{
    EventFFlags, Fanotify, FanotifyEvent, FanotifyResponse, InitFlags, MarkFlags, MaskFlags,
    Response,
};
use rustix::process::Signal;

use super::*;

/// A directory that nobody can open before it is let go.
struct Hanging {
    listener: Fanotify,
    events: Vec<FanotifyEvent>,
    path: PathBuf,
}

impl Hanging {
    /// Of a user. `None` where the kernel cannot do that.
    fn new(world: &World, owner: Credentials) -> Option<Self> {
        let path = world.home("hanging", owner);
        let (kind, flags) = (InitFlags::FAN_CLASS_CONTENT, EventFFlags::O_RDONLY);
        let listener = Fanotify::init(kind | InitFlags::FAN_CLOEXEC, flags);
        let events = MaskFlags::FAN_OPEN_PERM | MaskFlags::FAN_ONDIR;
        let marked = listener.and_then(|listener| {
            let here = opened(Path::new("/"));
            listener.mark(MarkFlags::FAN_MARK_ADD, events, here, Some(&path)).map(|()| listener)
        });
        match marked {
            Ok(listener) => Some(Self { listener, events: Vec::new(), path }),
            Err(error) => {
                eprintln!("the kernel lets no directory hang ({error}): nothing is checked");
                None
            }
        }
    }

    /// Waits until so many openings hang, or more.
    fn wait_for(&mut self, count: usize) {
        while self.events.len() < count {
            self.events.extend(self.listener.read_events().unwrap());
        }
    }

    /// Lets those go that hang. Returns how many did.
    fn let_go(&mut self) -> usize {
        let events = std::mem::take(&mut self.events);
        for event in &events {
            let response = FanotifyResponse::new(event.fd().unwrap(), Response::FAN_ALLOW);
            // Who opened it may be gone.
            let _ = self.listener.write_response(response);
        }
        events.len()
    }
}

#[test]
fn a_file_system_that_hangs_delays_no_other_owner() {
    let test = concat!(module_path!(), "::a_file_system_that_hangs_delays_no_other_owner");
    as_root(test, |world| {
        let Some(mut hanging) = Hanging::new(world, ANN) else { return };
        let (ann, bob) = (world.owner(ANN), world.owner(BOB));
        let stuck: Vec<_> =
            (0..3 * IN_FLIGHT_EACH_MAX).map(|_| ann.open_directory(&hanging.path)).collect();
        hanging.wait_for(IN_FLIGHT_EACH_MAX);
        for number in 0..50 {
            bob.make_root_directory(world.path(&format!("bob{number}"))).wait().unwrap();
        }
        assert_eq!(hanging.let_go(), IN_FLIGHT_EACH_MAX);
        // The others of Ann come then.
        let mut left = 2 * IN_FLIGHT_EACH_MAX;
        while left > 0 {
            hanging.wait_for(1);
            left -= hanging.let_go();
        }
        for act in stuck {
            act.wait().unwrap();
        }
    });
}

#[test]
fn nobody_waits_longer_than_the_deadline() {
    as_root(concat!(module_path!(), "::nobody_waits_longer_than_the_deadline"), |_| {
        let world = World::new(Duration::from_millis(300));
        let Some(mut hanging) = Hanging::new(&world, ANN) else { return };
        let worker = world.worker();
        let ann = world.owner(ANN);
        let acts: Vec<_> =
            (0..=IN_FLIGHT_EACH_MAX).map(|_| ann.open_directory(&hanging.path)).collect();
        for act in acts {
            assert_eq!(act.wait().unwrap_err().kind(), ErrorKind::TimedOut);
        }
        // All that she may have is stuck still; others go on.
        hanging.wait_for(IN_FLIGHT_EACH_MAX);
        let late = ann.open_directory("/").wait().unwrap_err();
        assert_eq!(late.kind(), ErrorKind::TimedOut);
        world.owner(BOB).open_directory("/").wait().unwrap();
        hanging.let_go();
        eventually("she goes on, too", || ann.open_directory("/").wait().is_ok());
        assert_eq!(world.worker(), worker);
        // It ends, even when it hangs.
        let act = ann.open_directory(&hanging.path);
        hanging.wait_for(1);
        world.runas.end();
        assert_eq!(act.wait().unwrap_err().kind(), ErrorKind::BrokenPipe);
        assert!(!worker.is_there());
    });
}

#[test]
fn a_worker_that_dies_is_started_again() {
    as_root(concat!(module_path!(), "::a_worker_that_dies_is_started_again"), |world| {
        let Some(mut hanging) = Hanging::new(world, ANN) else { return };
        let worker = world.worker();
        let act = world.owner(ANN).open_directory(&hanging.path);
        hanging.wait_for(1);
        worker.signal(Signal::KILL);
        assert_eq!(act.wait().unwrap_err().kind(), ErrorKind::BrokenPipe);
        let next = world.worker();
        assert_ne!(next, worker);
        assert!(!worker.is_there());
        hanging.let_go();
        assert_eq!(world.worker(), next);
    });
}

#[test]
fn a_worker_that_is_stopped_is_replaced() {
    as_root(concat!(module_path!(), "::a_worker_that_is_stopped_is_replaced"), |world| {
        let worker = world.worker();
        worker.stop();
        let begun = Instant::now();
        let act = world.owner(ANN).open_directory(world.place.path());
        assert_eq!(act.wait().unwrap_err().kind(), ErrorKind::BrokenPipe);
        assert!(begun.elapsed() < lttngd_runas::DEADLINE / 2, "{:?}", begun.elapsed());
        world.owner(BOB).open_directory(world.place.path()).wait().unwrap();
        assert_ne!(world.worker(), worker);
        assert!(!worker.is_there());
    });
}
