//! Opening the tracer, and what of it is left.

use lttngd_kernel::{EnsureReady, ListKernelTracepoints, ListSyscalls, Release};
use lttngd_model::{ErrorCode, EventKind};
use lttngd_peer::{FakeKernel, KernelAct, KernelObject};
use lttngd_wire::kernel::Call;

use super::world::tracer;

#[actix::test]
async fn the_tracer_is_opened_once_and_its_modules_go_with_the_daemon() {
    let kernel = FakeKernel::default();
    let tracer = tracer(&kernel);
    assert_eq!(kernel.loaded(), [""; 0], "nobody needs it yet");
    let (first, second) = tokio::join!(tracer.send(EnsureReady), tracer.send(EnsureReady));
    let (first, second) = (first.unwrap().unwrap(), second.unwrap().unwrap());
    assert!(first.can_be_monitored());
    assert_eq!(kernel.count(|call| *call == Call::TracerVersion), 1);
    assert!(kernel.loaded().contains(&"lttng-probe-sched".to_owned()));
    drop((first, second));
    tracer.send(Release).await.unwrap();
    assert_eq!((kernel.open_objects(), kernel.loaded()), (vec![], vec![]));
    let released = tracer.send(EnsureReady).await.unwrap().unwrap_err();
    assert_eq!(released.code(), ErrorCode::KernNa);
}

#[actix::test]
async fn what_the_tracer_knows_is_listed() {
    let tracer = tracer(&FakeKernel::default());
    let tracepoints = tracer.send(ListKernelTracepoints).await.unwrap().unwrap();
    let names: Vec<_> = tracepoints.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["sched_switch", "irq_handler_entry"]);
    assert!(tracepoints.iter().all(|it| it.kind == EventKind::Tracepoint && it.enabled == -1));
    let syscalls = tracer.send(ListSyscalls).await.unwrap().unwrap();
    let flags: Vec<_> = syscalls.iter().map(|it| (it.name.as_str(), it.flags)).collect();
    assert_eq!(flags, [("read", 3), ("waitpid", 1)]);
    assert!(syscalls.iter().all(|event| event.kind == EventKind::Syscall));
}

#[actix::test]
async fn a_tracer_that_comes_later_is_found_by_the_next_who_asks() {
    let kernel = FakeKernel::without_tracer();
    let tracer = tracer(&kernel);
    let missing = tracer.send(EnsureReady).await.unwrap().unwrap_err();
    assert_eq!(missing.code(), ErrorCode::KernNa);
    assert!(missing.to_string().contains("lttng-ring-buffer-client-discard"), "{missing}");
    assert_eq!(tracer.send(ListSyscalls).await.unwrap(), Err(ErrorCode::KernNa));
    kernel.install_modules();
    tracer.send(EnsureReady).await.unwrap().unwrap();
}

#[actix::test]
async fn of_a_tracer_of_another_version_nothing_is_left() {
    for (version, abi) in [((3, 0, 0), (2, 6)), ((2, 13, 9), (3, 0))] {
        let kernel = FakeKernel::default().of_version(version, abi);
        let refused = tracer(&kernel).send(EnsureReady).await.unwrap().unwrap_err();
        assert_eq!(refused.code(), ErrorCode::KernVersion, "{version:?} {abi:?}");
        assert_eq!((kernel.open_objects(), kernel.loaded()), (vec![], vec![]));
    }
}

#[actix::test]
async fn an_old_tracer_does_not_tell_how_far_buffers_are_filled() {
    let kernel = FakeKernel::default().of_version((2, 8, 0), (2, 2));
    let device = tracer(&kernel).send(EnsureReady).await.unwrap().unwrap();
    assert!(!device.can_be_monitored());
}

#[actix::test]
async fn a_list_that_the_tracer_refuses_is_an_error_of_its_own() {
    let refuse = |_: &KernelObject, call: &Call| match call {
        Call::ListTracepoints => KernelAct::Refuse(rustix::io::Errno::NOMEM),
        _ => KernelAct::Answer,
    };
    let tracer = tracer(&FakeKernel::new(refuse));
    assert_eq!(tracer.send(ListKernelTracepoints).await.unwrap(), Err(ErrorCode::KernListFail));
}
