//! Applications that live in other threads than that which accepts them.

use std::{collections::BTreeSet, os::unix::net::UnixListener, path::PathBuf};

use actix::{Actor, Arbiter};
use lttngd_model::Bitness;
use lttngd_peer::{AppScript, FakeApp, eventually};
use lttngd_runtime::{Descriptors, Outlet, Purpose, Shares};
use lttngd_wire::ust::Abi;
use tokio::task::JoinHandle;

use super::world::Told;
use crate::{AppSettings, REGISTRATIONS_EACH_MAX, RegisterDone, listen};

/// Three threads of applications.
struct Threads {
    directory: tempfile::TempDir,
    told: Told,
    arbiters: Vec<Arbiter>,
    listener: JoinHandle<std::io::Result<()>>,
}

impl Threads {
    fn new(descriptors: Descriptors) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let told = Told::default();
        let teller = told.clone().start();
        let socket = UnixListener::bind(directory.path().join("apps")).unwrap();
        let settings = AppSettings {
            descriptors,
            deadline: None,
            bitnesses: vec![Bitness::Bits64],
            registered: Outlet::to(teller.clone().recipient()),
            unregistered: Outlet::to(teller.recipient()),
            attended: Outlet::closed(),
        };
        let arbiters: Vec<_> = (0..3).map(|_| Arbiter::new()).collect();
        let places = arbiters.iter().map(Arbiter::handle).collect();
        let listening = listen(vec![(socket, Abi::V8..=Abi::V10)], settings, places);
        let listener = tokio::task::spawn_local(listening);
        Self { directory, told, arbiters, listener }
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("apps")
    }

    fn end(self) {
        self.listener.abort();
        for arbiter in self.arbiters {
            arbiter.stop();
            arbiter.join().unwrap();
        }
    }
}

#[actix::test]
async fn applications_come_and_go_as_in_one() {
    let descriptors = Descriptors::unlimited();
    let threads = Threads::new(descriptors.clone());
    let connect = |_| FakeApp::connect(&threads.socket(), AppScript::default()).unwrap();
    let fakes: Vec<_> = (0..5).map(connect).collect();
    eventually("all register", || threads.told.registered() == fakes.len()).await;
    let registered = threads.told.registered.lock().unwrap().clone();
    let ids: BTreeSet<_> = registered.iter().map(|it| it.info.id).collect();
    assert_eq!(ids.len(), fakes.len(), "each has a number of its own");
    for it in &registered {
        it.app.send(RegisterDone).await.unwrap().unwrap();
    }
    assert_eq!(descriptors.taken(Purpose::Registrations), 2 * fakes.len());
    drop((fakes, registered));
    eventually("all are gone", || threads.told.unregistered().len() == ids.len()).await;
    eventually("no descriptor is taken", || descriptors.taken(Purpose::Registrations) == 0).await;
    threads.end();
}

#[actix::test]
async fn those_that_do_not_fit_are_refused_and_what_is_there_stays() {
    let descriptors = Descriptors::new(Shares::new(40, 0));
    let room = descriptors.left(Purpose::Registrations) / 2;
    assert!((2..REGISTRATIONS_EACH_MAX - 5).contains(&room), "{room} fit");
    let threads = Threads::new(descriptors.clone());
    let connect = |_| FakeApp::connect(&threads.socket(), AppScript::default());
    let mut fakes = Vec::new();
    for number in 0..room {
        fakes.push(connect(number).unwrap());
        eventually("it registers", || threads.told.registered() > number).await;
    }
    // Whether it sees the end while it registers or after it is the same.
    let refused: Vec<_> = (0..5).map(connect).collect();
    drop(refused);
    let is_as_before = || descriptors.taken(Purpose::Registrations) == 2 * room;
    eventually("those are let go", is_as_before).await;
    drop(fakes.pop());
    eventually("one is gone", || threads.told.unregistered().len() == 1).await;
    let has_room = || descriptors.taken(Purpose::Registrations) == 2 * (room - 1);
    eventually("its descriptors are free", has_room).await;
    let before = threads.told.registered();
    let _next = connect(0).unwrap();
    eventually("another one fits", || threads.told.registered() > before).await;
    threads.end();
}

#[actix::test]
async fn a_thread_that_is_gone_is_told() {
    let mut threads = Threads::new(Descriptors::unlimited());
    let _app = FakeApp::connect(&threads.socket(), AppScript::default()).unwrap();
    eventually("they take applications", || threads.told.registered() == 1).await;
    threads.arbiters[1].stop();
    let ended = tokio::time::timeout(lttngd_peer::PATIENCE, &mut threads.listener).await;
    let error = ended.expect("it ends").unwrap().unwrap_err();
    assert!(error.to_string().contains("takes no more"), "{error}");
    threads.end();
}
