//! Event notifiers: made, told of, counted and taken back.

use lttngd_wire::ust::Abi;
use std::{
    fs::File,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use actix::{Actor, Addr, Context, Handler};
use lttngd_kernel::{
    AddNotifier, CloseNotifiers, CountErrors, KernelEventsNotified, Notifiers, NotifiersConfig,
    Release, RemoveNotifier, Tracer,
};
use lttngd_model::{
    Bytecode, ErrorCode, Filter, FunctionLookup, ProbeAttributes, ProbeLocation, TracerToken,
    UserspaceProbe,
    kernel::{KernelEvents, KernelNotifier},
    trigger::{EmissionSite, EventNotified},
};
use lttngd_peer::{FakeKernel, KernelAct, KernelObject, PATIENCE};
use lttngd_runtime::{Hold, Outlet, Pause};
use lttngd_wire::{
    kernel::{Call, Instrumentation},
    ust::notification::EventNotification,
};
use rustix::io::Errno;
use tokio::sync::mpsc;

use super::world::tracer;

/// Passes on what it is told, with what keeps more from being read.
struct Listener(mpsc::UnboundedSender<(EventNotified, Hold)>);

impl Actor for Listener {
    type Context = Context<Self>;
}

impl Handler<KernelEventsNotified> for Listener {
    type Result = ();

    fn handle(&mut self, notified: KernelEventsNotified, _: &mut Self::Context) {
        let KernelEventsNotified { events, taken } = notified;
        for event in events {
            self.0.send((event, taken.clone())).unwrap();
        }
    }
}

pub(super) struct World {
    pub(super) kernel: FakeKernel,
    tracer: Addr<Tracer>,
    notifiers: Addr<Notifiers>,
    notified: Outlet<KernelEventsNotified>,
    told: mpsc::UnboundedReceiver<(EventNotified, Hold)>,
}

impl World {
    pub(super) fn new(kernel: FakeKernel) -> Self {
        Self::with_pause(kernel, Pause::default())
    }

    fn with_pause(kernel: FakeKernel, pause: Pause) -> Self {
        let tracer = tracer(&kernel);
        let config = NotifiersConfig { tracer: tracer.clone(), error_counters: 4, pause };
        let (sender, told) = mpsc::unbounded_channel();
        let notified = Outlet::to(Listener(sender).start().recipient());
        Self { kernel, tracer, notifiers: Notifiers::new(config).start(), notified, told }
    }

    pub(super) async fn add(&self, notifier: KernelNotifier) -> Result<(), ErrorCode> {
        let (notifier, notified) = (Arc::new(notifier), self.notified.clone());
        self.notifiers.send(AddNotifier { notifier, notified }).await.unwrap()
    }

    async fn remove(&self, token: u64, error_counter_index: u64) {
        let token = TracerToken(token);
        self.notifiers.send(RemoveNotifier { token, error_counter_index }).await.unwrap();
    }

    async fn errors(&self, index: u64) -> Result<u64, ErrorCode> {
        self.notifiers.send(CountErrors { index }).await.unwrap()
    }

    /// The next event that is told, and what keeps more from being read.
    async fn held(&mut self) -> (EventNotified, Hold) {
        let told = tokio::time::timeout(PATIENCE, self.told.recv()).await;
        told.expect("nothing is told").unwrap()
    }

    pub(super) async fn told(&mut self) -> (u64, Vec<u8>) {
        let EventNotified { token, captures } = self.held().await.0;
        (token.0, captures.into_vec())
    }

    fn calls(&self) -> Vec<Call> {
        self.kernel.calls().into_iter().map(|(_, call)| call).collect()
    }

    fn has(&self, is_meant: impl Fn(&KernelObject) -> bool) -> usize {
        self.kernel.open_objects().iter().filter(|object| is_meant(object)).count()
    }

    fn made(&self) -> usize {
        self.has(|object| matches!(object, KernelObject::Notifier(..)))
    }

    fn groups(&self) -> usize {
        self.has(|object| matches!(object, KernelObject::NotifierGroup(_)))
    }
}

fn notifier(token: u64, name: &str, events: KernelEvents) -> KernelNotifier {
    KernelNotifier {
        token: TracerToken(token),
        error_counter_index: token % 4,
        name: name.to_owned(),
        events,
        filter: None,
        captures: Vec::new(),
    }
}

pub(super) fn tracepoint(token: u64, name: &str) -> KernelNotifier {
    notifier(token, name, KernelEvents::Tracepoints)
}

fn capture(seqnum: u64) -> Bytecode {
    Bytecode { reloc_table_offset: 2, seqnum, data: vec![1, 2, 3] }
}

#[cfg(debug_assertions)]
#[actix::test]
async fn what_is_told_stays_where_it_is_as_long_as_a_test_wants_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pipe");
    let pause = Pause::by_pipe(path.clone()).unwrap();
    let mut world = World::with_pause(FakeKernel::default(), pause);
    world.add(tracepoint(1, "sched_switch")).await.unwrap();
    world.kernel.happen("sched_switch", b"a");
    assert_eq!(world.told().await, (1, b"a".to_vec()));
    std::fs::write(&path, b"1").unwrap();
    world.kernel.happen("sched_switch", b"b");
    // Another one is made and counted meanwhile.
    world.add(tracepoint(2, "sched_wakeup")).await.unwrap();
    assert_eq!(world.errors(2).await, Ok(0));
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(world.told.try_recv().is_err());
    std::fs::write(&path, b"\0").unwrap();
    assert_eq!(world.told().await, (1, b"b".to_vec()));
    // What is held does not keep the group from being taken back.
    std::fs::write(&path, b"1").unwrap();
    world.kernel.happen("sched_switch", b"c");
    world.notifiers.send(CloseNotifiers).await.unwrap();
    assert_eq!((world.made(), world.groups()), (0, 0));
}

#[actix::test]
async fn an_event_is_told_with_what_is_taken_of_it() {
    let mut world = World::new(FakeKernel::default());
    let filter = Filter::compile("prev_tid == 5").unwrap();
    let rule = KernelNotifier {
        filter: Some(filter.clone()),
        captures: vec![capture(0), capture(1)],
        ..tracepoint(7, "sched_switch")
    };
    world.add(rule).await.unwrap();
    let calls = world.calls();
    let group = calls.iter().position(|call| *call == Call::CreateNotifierGroup).unwrap();
    let [_, Call::OpenNotifications, Call::CreateErrorCounters(4), Call::CreateNotifier(made), ..] =
        &calls[group..]
    else {
        panic!("{:?}", &calls[group..]);
    };
    assert_eq!((made.token, made.error_counter_index), (TracerToken(7), 3));
    assert_eq!(made.event.instrumentation, Instrumentation::Tracepoint);
    let expected = [
        Call::Filter(filter.bytecode),
        Call::Capture(capture(0)),
        Call::Capture(capture(1)),
        Call::Enable,
    ];
    assert_eq!(calls[group + 4..], expected);
    assert_eq!(world.kernel.happen("sched_switch", b"\x92\x01\x02"), 1);
    assert_eq!(world.kernel.happen("irq_handler_entry", b""), 0);
    assert_eq!(world.told().await, (7, b"\x92\x01\x02".to_vec()));
}

#[actix::test]
async fn system_calls_and_places_in_the_kernel_are_told_of_as_well() {
    let mut world = World::new(FakeKernel::default());
    for (token, site) in
        [EmissionSite::EntryExit, EmissionSite::Entry, EmissionSite::Exit].into_iter().enumerate()
    {
        world.add(notifier(token as u64, "open", KernelEvents::Syscalls(site))).await.unwrap();
        let made = world.calls().into_iter().rev().find_map(|call| match call {
            Call::CreateNotifier(made) => Some(made.event.instrumentation),
            _ => None,
        });
        assert_eq!(made, Some(Instrumentation::Syscall(site)));
    }
    let place = ProbeAttributes { address: 0, offset: 8, symbol: "do_sys".to_owned() };
    world.add(notifier(3, "probed", KernelEvents::Kprobe(place))).await.unwrap();
    assert_eq!(world.kernel.happen("open", b""), 3);
    assert_eq!(world.kernel.happen("probed", b""), 1);
    for token in 0..4 {
        assert_eq!(world.told().await, (token, Vec::new()));
    }
}

#[actix::test]
async fn a_record_may_come_in_pieces() {
    let mut world = World::new(FakeKernel::default());
    world.add(tracepoint(1, "a")).await.unwrap();
    let record = |token, captures: &[u8]| {
        EventNotification { token: TracerToken(token), captures }.encode(Abi::V9)
    };
    let (first, second) = (record(1, b"\x91\x05"), record(2, b""));
    world.kernel.write_notifications(&[&first[..], &second[..20]].concat());
    assert_eq!(world.told().await, (1, b"\x91\x05".to_vec()));
    world.kernel.write_notifications(&second[20..]);
    assert_eq!(world.told().await, (2, Vec::new()));
    world.kernel.write_notifications(&first[..first.len() - 1]);
    world.kernel.write_notifications(&first[first.len() - 1..]);
    assert_eq!(world.told().await, (1, b"\x91\x05".to_vec()));
}

#[actix::test]
async fn what_does_not_fit_while_nobody_has_room_is_counted_and_the_rest_told() {
    let mut world = World::new(FakeKernel::default());
    assert_eq!(world.errors(1).await, Ok(0), "nobody counts yet");
    world.add(tracepoint(1, "a")).await.unwrap();
    world.add(tracepoint(2, "b")).await.unwrap();
    world.kernel.happen("a", b"");
    let (_, hold) = world.held().await;
    let mut told = 0;
    while world.kernel.happen("a", &[0xc0; 500]) == 1 {
        told += 1;
    }
    world.kernel.happen("a", &[0xc0; 500]);
    assert_eq!((world.errors(1).await, world.errors(2).await), (Ok(2), Ok(0)));
    drop(hold);
    for _ in 0..told {
        assert_eq!(world.told().await.0, 1);
    }
    assert_eq!(world.errors(4).await, Err(ErrorCode::Unk), "there is no such counter");
    world.remove(1, 1).await;
    assert_eq!(world.errors(1).await, Ok(0), "the next one begins anew");
    assert_eq!(world.kernel.happen("a", b""), 0);
    assert_eq!(world.kernel.happen("b", b""), 1);
    assert_eq!(world.told().await.0, 2);
}

fn in_this_program(function: &str) -> KernelEvents {
    let (name, binary_path) = (function.to_owned(), "/proc/self/exe".to_owned());
    let place = ProbeLocation::Function { name, binary_path, lookup: FunctionLookup::Elf };
    KernelEvents::Uprobe(UserspaceProbe::new(&place, File::open("/proc/self/exe").unwrap()))
}

#[actix::test]
async fn a_place_in_a_program_is_told_of_and_nothing_is_instrumented_when_nobody_wants_to_know() {
    let mut world = World::new(FakeKernel::default());
    let missing = world.add(notifier(0, "n", in_this_program("no_such_function"))).await;
    assert_eq!(missing, Err(ErrorCode::KernEnableFail));
    assert_eq!(world.kernel.count(|call| matches!(call, Call::CreateNotifier(_))), 0);
    world.add(notifier(1, "begun", in_this_program("main"))).await.unwrap();
    let calls = world.calls();
    let [.., Call::CreateNotifier(made), Call::AddCallsite(place), Call::Enable] = &calls[..]
    else {
        panic!("{calls:?}");
    };
    assert!(matches!(made.event.instrumentation, Instrumentation::Uprobe(_)));
    assert_ne!(*place, 0);
    world.add(tracepoint(2, "a")).await.unwrap();
    world.kernel.happen("begun", b"");
    assert_eq!(world.told().await.0, 1);
    world.remove(1, 1).await;
    assert_eq!((world.made(), world.groups()), (1, 1));
    world.remove(2, 2).await;
    assert_eq!((world.made(), world.groups()), (0, 0));
    // The next one has another group.
    world.add(tracepoint(3, "a")).await.unwrap();
    assert_eq!(world.kernel.happen("a", b""), 1);
    assert_eq!(world.told().await.0, 3);
    world.remove(3, 3).await;
    assert_eq!(world.groups(), 1, "nothing is instrumented: it is kept for the next one");
}

#[actix::test]
async fn what_the_tracer_refuses_is_told_and_nothing_of_it_stays() {
    use ErrorCode as E;
    let symbol = ProbeAttributes { address: 0, offset: 0, symbol: "s".to_owned() };
    let kprobe = KernelNotifier {
        captures: vec![capture(0)],
        ..notifier(1, "n", KernelEvents::Kprobe(symbol))
    };
    let filtered = KernelNotifier {
        filter: Some(Filter::compile("a == 1").unwrap()),
        captures: vec![capture(0)],
        ..tracepoint(1, "n")
    };
    type Which = fn(&Call) -> bool;
    let made: Which = |call| matches!(call, Call::CreateNotifier(_));
    let filter: Which = |call| matches!(call, Call::Filter(_));
    let nothing: Which = |_| false;
    for (rule, refused, errno, code) in [
        (&filtered, made, Errno::EXIST, E::KernEventExist),
        (&filtered, made, Errno::NOSYS, E::KernEventEnosys),
        (&filtered, made, Errno::INVAL, E::KernEnableFail),
        (&filtered, filter, Errno::INVAL, E::FilterInval),
        (&filtered, filter, Errno::NOMEM, E::FilterNomem),
        (&filtered, |call| matches!(call, Call::Capture(_)), Errno::NOMEM, E::KernEnableFail),
        (&filtered, |call| *call == Call::Enable, Errno::EXIST, E::KernEventExist),
        (&filtered, |call| *call == Call::Enable, Errno::NOMEM, E::KernEnableFail),
        (&kprobe, nothing, Errno::INVAL, E::KernEnableFail),
        (
            &filtered,
            |call| *call == Call::CreateNotifierGroup,
            Errno::NOMEM,
            E::EventNotifierRegistration,
        ),
        (
            &filtered,
            |call| *call == Call::OpenNotifications,
            Errno::NOENT,
            E::EventNotifierGroupNotificationFd,
        ),
        (
            &filtered,
            |call| matches!(call, Call::CreateErrorCounters(_)),
            Errno::NOMEM,
            E::EventNotifierErrorAccounting,
        ),
    ] {
        let refuse = move |_: &KernelObject, call: &Call| match refused(call) {
            true => KernelAct::Refuse(errno),
            false => KernelAct::Answer,
        };
        let world = World::new(FakeKernel::new(refuse));
        assert_eq!(world.add(rule.clone()).await, Err(code), "{errno:?}");
        assert_eq!(world.made(), 0);
    }
}

#[actix::test]
async fn without_a_tracer_or_with_an_old_one_there_is_nothing_to_tell() {
    let world = World::new(FakeKernel::without_tracer());
    assert_eq!(world.add(tracepoint(1, "a")).await, Err(ErrorCode::KernNa));
    assert_eq!(world.errors(1).await, Ok(0));
    world.kernel.install_modules();
    assert_eq!(world.add(tracepoint(1, "a")).await, Ok(()));
    let world = World::new(FakeKernel::default().of_version((2, 12, 0), (2, 5)));
    assert_eq!(world.add(tracepoint(1, "a")).await, Err(ErrorCode::NotSupported));
    assert_eq!(world.kernel.count(|call| *call == Call::CreateNotifierGroup), 0);
}

#[actix::test]
async fn a_group_that_tells_no_more_is_followed_by_another_with_all_that_is_wanted() {
    let mut world = World::new(FakeKernel::default());
    world.add(tracepoint(1, "a")).await.unwrap();
    world.add(tracepoint(2, "b")).await.unwrap();
    world.remove(2, 2).await;
    world.kernel.lose_notifications();
    // Whether it is lost is seen when the next one is added.
    loop {
        world.add(tracepoint(3, "c")).await.unwrap();
        if world.kernel.count(|call| *call == Call::CreateNotifierGroup) == 2 {
            break;
        }
        world.remove(3, 3).await;
    }
    for (name, token) in [("a", 1), ("c", 3)] {
        assert_eq!(world.kernel.happen(name, b""), 1);
        assert_eq!(world.told().await.0, token);
    }
    assert_eq!((world.kernel.happen("b", b""), world.groups()), (0, 1));
}

/// Waits until so many groups were made.
pub(super) async fn groups_made(world: &World, count: usize) {
    let made = async {
        while world.kernel.count(|call| *call == Call::CreateNotifierGroup) < count {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // The notifiers are made after it.
        world.errors(0).await.unwrap();
    };
    tokio::time::timeout(PATIENCE, made).await.expect("no other group is made");
}

#[actix::test]
async fn a_group_that_tells_no_more_is_followed_by_another_without_anybodys_asking() {
    let mut world = World::new(FakeKernel::default());
    world.add(tracepoint(1, "a")).await.unwrap();
    for lost in 1..=2 {
        world.kernel.lose_notifications();
        groups_made(&world, lost + 1).await;
        assert_eq!((world.kernel.happen("a", b""), world.groups()), (1, 1));
        assert_eq!(world.told().await.0, 1);
    }
}

/// Where there are points at which a test can have it fail.
#[cfg(debug_assertions)]
#[actix::test]
async fn events_are_told_on_when_their_reader_panicked() {
    let mut world = World::new(FakeKernel::default());
    world.add(tracepoint(1, "a")).await.unwrap();
    lttngd_runtime::fail_point::fail_here("Notifiers read");
    assert_eq!(world.kernel.happen("a", b""), 1);
    groups_made(&world, 2).await;
    assert_eq!((world.kernel.happen("a", b""), world.groups()), (1, 1));
    assert_eq!(world.told().await.0, 1);
}

#[actix::test]
async fn a_group_that_cannot_be_made_again_is_tried_again() {
    let refusals = Arc::new(AtomicUsize::new(0));
    let refused = Arc::clone(&refusals);
    let refuse = move |_: &KernelObject, call: &Call| match call {
        // The first group is made, the second is not.
        Call::CreateNotifierGroup if refused.fetch_add(1, Ordering::Relaxed) == 1 => {
            KernelAct::Refuse(Errno::NOMEM)
        }
        _ => KernelAct::Answer,
    };
    let mut world = World::new(FakeKernel::new(refuse));
    world.add(tracepoint(1, "a")).await.unwrap();
    world.kernel.lose_notifications();
    groups_made(&world, 2).await;
    assert_eq!(world.kernel.happen("a", b""), 1);
    assert_eq!(world.told().await.0, 1);
    assert_eq!(refusals.load(Ordering::Relaxed), 3);
}

/// The tracer would write into memory that it has freed.
#[actix::test]
async fn a_group_never_goes_while_one_of_system_calls_tells() {
    let world = World::new(FakeKernel::default());
    let ended = |group| {
        let calls = world.kernel.calls();
        let ended = calls.iter().filter(|(_, call)| *call == Call::Disable);
        let of = ended
            .filter(|(object, _)| matches!(object, KernelObject::Notifier(of, _) if *of == group));
        of.map(|(object, _)| *object).collect::<Vec<_>>()
    };
    let all = KernelEvents::Syscalls(EmissionSite::EntryExit);
    world.add(tracepoint(1, "a")).await.unwrap();
    world.add(notifier(2, "*", all.clone())).await.unwrap();
    world.add(notifier(3, "open", all)).await.unwrap();
    world.remove(3, 3).await;
    assert_eq!(ended(0), [KernelObject::Notifier(0, 2)]);
    // It is lost.
    world.kernel.lose_notifications();
    groups_made(&world, 2).await;
    assert_eq!(ended(0), [KernelObject::Notifier(0, 2), KernelObject::Notifier(0, 1)]);
    // The daemon ends.
    world.notifiers.send(CloseNotifiers).await.unwrap();
    assert_eq!(ended(1), [KernelObject::Notifier(1, 1)]);
    assert_eq!(world.groups(), 0);
}

#[actix::test]
async fn nothing_of_it_keeps_the_tracer_when_the_daemon_ends() {
    let world = World::new(FakeKernel::default());
    world.add(tracepoint(1, "a")).await.unwrap();
    world.notifiers.send(CloseNotifiers).await.unwrap();
    world.tracer.send(Release).await.unwrap();
    assert_eq!((world.kernel.open_objects(), world.kernel.loaded()), (vec![], vec![]));
    assert_eq!(world.add(tracepoint(2, "a")).await, Err(ErrorCode::KernNa));
    world.remove(1, 1).await;
}
