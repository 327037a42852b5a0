//! Probes in programs.

use std::{fs::File, os::fd::OwnedFd};

use lttngd_model::{
    Domain, ErrorCode, EventDescription, FunctionLookup, ProbeLocation, UserspaceProbe,
};
use lttngd_peer::{ConsumerScript, FakeConsumer, FakeKernel};
use lttngd_session::{EnableEvent, InSession, SessionRequest};

use super::world::World;

#[actix::test]
async fn a_probe_that_was_written_down_is_refused_until_its_program_is_opened_again() {
    let kernel = FakeConsumer::new(ConsumerScript::default());
    let of_kernel = Some((&kernel, FakeKernel::default()));
    let world = World::with_kernel(ConsumerScript::default(), None, of_kernel).await;
    let handle = &world.handle;
    handle.create_session(None, world.descriptor("s")).await.unwrap();
    let place = ProbeLocation::Function {
        name: "main".to_owned(),
        binary_path: "/proc/self/exe".to_owned(),
        lookup: FunctionLookup::Elf,
    };
    let probe = UserspaceProbe::new(&place, File::open(place.binary_path()).unwrap());
    let event = EventDescription::userspace_probe("begins", probe);
    let (domain, channel) = (Domain::Kernel, "c".to_owned());
    let request = EnableEvent { domain, buffer_type: 2, channel, event }.in_session("s");
    let written = serde_json::to_string(&request).unwrap();
    let mut read: InSession<EnableEvent> = serde_json::from_str(&written).unwrap();
    assert_eq!(handle.ask(read.clone()).await, Err(ErrorCode::ProbeLocationInval));
    assert_eq!(handle.list_kernel_channels("s").await.unwrap(), [], "it leaves nothing");
    let probe = read.request.event.userspace_probe.as_mut().unwrap();
    let path = probe.location().unwrap().binary_path().to_owned();
    probe.binary = Some(OwnedFd::from(File::open(path).unwrap()).into());
    handle.ask(read).await.unwrap();
    let listed = handle.list_kernel_events("s", "c").await.unwrap();
    assert_eq!(listed[0].userspace_probe.as_ref().unwrap().location(), Some(place));
    handle.destroy_session("s").await.unwrap();
    world.end().await;
    assert_eq!(kernel.faults(), [""; 0]);
}
