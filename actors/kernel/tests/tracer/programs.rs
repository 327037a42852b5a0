//! Probes in programs.

use std::{fs::File, os::fd::OwnedFd};

use lttngd_model::{ErrorCode, EventDescription, FunctionLookup, ProbeLocation, UserspaceProbe};
use lttngd_peer::{ConsumerScript, FakeKernel, KernelAct, KernelObject};
use lttngd_wire::kernel::{Call, Instrumentation};
use rustix::io::Errno;

use super::world::World;

fn function(name: &str) -> ProbeLocation {
    let (name, binary_path) = (name.to_owned(), "/proc/self/exe".to_owned());
    ProbeLocation::Function { name, binary_path, lookup: FunctionLookup::Elf }
}

/// A probe in this very program.
fn here(location: &ProbeLocation) -> UserspaceProbe {
    UserspaceProbe::new(location, File::open("/proc/self/exe").unwrap())
}

fn rules(world: &World) -> usize {
    let open = world.kernel.open_objects();
    open.iter().filter(|object| matches!(object, KernelObject::Event(..))).count()
}

#[actix::test]
async fn a_function_of_a_program_is_told_to_the_tracer_by_its_place() {
    let mut world = World::new(FakeKernel::default(), ConsumerScript::default()).await;
    let event = EventDescription::userspace_probe("begins", here(&function("main")));
    world.enable_event("c", &event).await.unwrap();
    let calls: Vec<_> = world.kernel.calls().into_iter().map(|(_, call)| call).collect();
    let made = calls.iter().position(|call| match call {
        Call::CreateEvent(event) => matches!(event.instrumentation, Instrumentation::Uprobe(_)),
        _ => false,
    });
    let made = made.expect("the tracer is told of the program");
    let [Call::AddCallsite(place), Call::Enable] = &calls[made + 1..=made + 2] else {
        panic!("{:?}", &calls[made..]);
    };
    assert_ne!(*place, 0);
    let listed = world.rules.list_events("c").unwrap();
    let listed = listed[0].userspace_probe.as_ref().unwrap();
    assert_eq!(listed.location(), Some(function("main")));
    assert!(listed.binary.is_some(), "a client that lists it gets the program");
    assert_eq!(rules(&world), 1);
    world.end().await;
}

#[actix::test]
async fn a_place_that_is_not_there_is_refused_and_leaves_nothing() {
    let mut world = World::new(FakeKernel::default(), ConsumerScript::default()).await;
    let no_program = OwnedFd::from(File::open("/dev/null").unwrap());
    let sdt = ProbeLocation::Tracepoint {
        provider: "nobody".to_owned(),
        name: "nothing".to_owned(),
        binary_path: "/proc/self/exe".to_owned(),
    };
    for probe in [
        here(&function("no_such_function")),
        here(&sdt),
        UserspaceProbe::new(&function("main"), no_program),
        UserspaceProbe::from(function("main").to_bytes()),
    ] {
        let event = EventDescription::userspace_probe("n", probe);
        assert_eq!(world.enable_event("c", &event).await, Err(ErrorCode::ProbeLocationInval));
    }
    assert_eq!((rules(&world), world.rules.channels.len()), (0, 0));
    assert_eq!(world.kernel.count(|call| matches!(call, Call::AddCallsite(_))), 0);
    world.end().await;
}

#[actix::test]
async fn a_program_in_which_the_kernel_places_nothing_is_refused() {
    let refuse = |_: &KernelObject, call: &Call| match call {
        Call::AddCallsite(_) => KernelAct::Refuse(Errno::PERM),
        _ => KernelAct::Answer,
    };
    let mut world = World::new(FakeKernel::new(refuse), ConsumerScript::default()).await;
    let event = EventDescription::userspace_probe("n", here(&function("main")));
    assert_eq!(world.enable_event("c", &event).await, Err(ErrorCode::KernEnableFail));
    assert_eq!(rules(&world), 0);
    world.end().await;
}
