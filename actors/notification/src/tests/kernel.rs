//! Triggers on events of the kernel, with a kernel that answers as one with a tracer does.

use std::{fs::File, os::fd::AsFd};

use lttngd_kernel::CloseNotifiers;
use lttngd_model::{
    Credentials, ErrorCode, FunctionLookup, ProbeLocation, UserspaceProbe,
    trigger::{
        Action, Capture, Condition, EmissionSite, ErrorCounter, ErrorQuery, ErrorQueryTarget,
        Evaluation, EventRule, KernelProbe, RatePolicy, Trigger,
    },
};
use lttngd_peer::{FakeKernel, KernelAct, KernelObject};
use lttngd_wire::{
    kernel::{Call, Instrumentation},
    notification::{HEADER_LEN, Header, MessageKind, decode_notification},
};
use rustix::io::Errno;

use super::world::World;
use crate::{ListTriggers, QueryErrors, RegisterTrigger, UnregisterTrigger};

/// This process' user, who is the one at the other end of sockets.
fn me() -> Credentials {
    Credentials {
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
    }
}

fn tracepoint(pattern: &str) -> Condition {
    let rule = EventRule::KernelTracepoint { pattern: pattern.to_owned(), filter: None };
    Condition::event_rule_matches(rule)
}

fn notifying(condition: Condition) -> Trigger {
    Trigger::new(me().uid, condition, Action::notify())
}

/// A trigger on an event of programs.
fn of_program() -> Trigger {
    notifying(super::event("p:a"))
}

async fn register(world: &World, trigger: Trigger) -> Result<Trigger, ErrorCode> {
    let request = RegisterTrigger { requester: me(), trigger, anonymous: false };
    world.triggers.send(request).await.unwrap()
}

async fn unregister(world: &World, trigger: Trigger) -> Result<(), ErrorCode> {
    world.triggers.send(UnregisterTrigger { requester: me(), trigger }).await.unwrap()
}

async fn names(world: &World) -> Vec<String> {
    let listed = world.triggers.send(ListTriggers { requester: me() }).await.unwrap().unwrap();
    listed.into_iter().filter_map(|trigger| trigger.name).collect()
}

async fn discarded(world: &World, trigger: &Trigger) -> Result<Vec<ErrorCounter>, ErrorCode> {
    let (trigger, target) = (trigger.clone(), ErrorQueryTarget::Condition);
    let request = QueryErrors { requester: me(), query: ErrorQuery { trigger, target } };
    world.triggers.send(request).await.unwrap()
}

#[actix::test]
async fn an_event_of_the_kernel_is_told_with_what_was_captured() {
    let kernel = FakeKernel::default();
    let world = World::with_kernel(&kernel);
    let rule = EventRule::Syscall {
        emission_site: EmissionSite::Entry,
        pattern: "open**at".to_owned(),
        filter: Some("flags == 2".to_owned()),
    };
    let captures = vec![Capture::Payload("flags".to_owned()), Capture::Context("pid".to_owned())];
    let condition = Condition::EventRuleMatches { rule: rule.clone().normalized(), captures };
    let trigger = register(&world, notifying(condition.clone())).await.unwrap();
    let subscriber = world.subscriber(&[condition]).await;
    assert_eq!(kernel.happen("open*at", b"\x92\x02\x07"), 1);
    let (kind, payload) = subscriber.hear().await.unwrap();
    assert_eq!(kind, MessageKind::Notification);
    let notification = decode_notification(&payload).unwrap();
    let captures = b"\x92\x02\x07".to_vec();
    assert_eq!(notification.evaluation, Evaluation::EventRuleMatches { captures });
    assert_eq!(notification.trigger, trigger);
    let count = |is_meant: fn(&Call) -> bool| kernel.count(is_meant);
    assert_eq!(count(|call| matches!(call, Call::Filter(_))), 1);
    assert_eq!(count(|call| matches!(call, Call::Capture(_))), 2);
    assert_eq!(world.apps.tokens(), [], "applications have nothing to do with it");
    unregister(&world, trigger).await.unwrap();
    assert_eq!(kernel.happen("open*at", b"\x92\x02\x07"), 0);
}

#[actix::test]
async fn rate_policies_and_actions_are_those_of_any_trigger() {
    let kernel = FakeKernel::default();
    let world = World::with_kernel(&kernel);
    let action = Action::List(vec![
        Action::Start { session: "nowhere".to_owned(), rate: RatePolicy::OnceAfterN(2) },
        Action::Notify(RatePolicy::EveryN(3)),
    ]);
    let trigger = Trigger { action, ..notifying(tracepoint("sched_switch")) };
    let trigger = register(&world, trigger).await.unwrap();
    let subscriber = world.subscriber(&[tracepoint("sched_switch")]).await;
    (0..6).for_each(|_| assert_eq!(kernel.happen("sched_switch", b""), 1));
    for _ in 0..2 {
        assert_eq!(subscriber.hear().await.unwrap().0, MessageKind::Notification);
    }
    let target = ErrorQueryTarget::Action(lttngd_model::trigger::ActionPath(vec![0]));
    let query = ErrorQuery { trigger, target };
    let failures = world.triggers.send(QueryErrors { requester: me(), query }).await.unwrap();
    assert_eq!(failures, Ok(vec![ErrorCounter::execution_failures(1)]));
}

#[actix::test]
async fn what_the_kernel_refuses_is_refused_and_takes_neither_name_nor_counter() {
    let refuse = |_: &KernelObject, call: &Call| match call {
        Call::CreateNotifier(notifier) if notifier.event.name == "refused" => {
            KernelAct::Refuse(Errno::INVAL)
        }
        _ => KernelAct::Answer,
    };
    let kernel = FakeKernel::new(refuse);
    let world = World::with_kernel(&kernel);
    let location = KernelProbe::Symbol { symbol: "no_such_symbol".to_owned(), offset: 0 };
    let rule = EventRule::Kprobe { name: "refused".to_owned(), location };
    let refused = notifying(Condition::event_rule_matches(rule)).named("t");
    for _ in 0..3 {
        assert_eq!(register(&world, refused.clone()).await, Err(ErrorCode::KernEnableFail));
        assert_eq!(names(&world).await, [""; 0]);
    }
    assert_eq!(unregister(&world, refused).await, Err(ErrorCode::TriggerNotFound));
    let named = notifying(tracepoint("a")).named("t");
    register(&world, named.clone()).await.unwrap();
    let second = register(&world, notifying(tracepoint("b"))).await.unwrap();
    let third = register(&world, notifying(tracepoint("c"))).await;
    assert_eq!(third, Err(ErrorCode::EventNotifierErrorAccountingFull));
    assert_eq!(register(&world, named).await, Err(ErrorCode::TriggerExists));
    unregister(&world, second).await.unwrap();
    register(&world, notifying(tracepoint("c"))).await.unwrap();
    // User space has counters of its own.
    register(&world, of_program()).await.unwrap();
}

#[actix::test]
async fn what_the_kernel_could_not_tell_is_counted_by_trigger() {
    let kernel = FakeKernel::default();
    let world = World::with_kernel(&kernel);
    let flooded = register(&world, notifying(tracepoint("a"))).await.unwrap();
    let other = register(&world, notifying(tracepoint("b"))).await.unwrap();
    let mut lost = 0;
    // Nobody reads before this task waits.
    while lost < 3 {
        lost += u64::from(kernel.happen("a", &[0xc0; 500]) == 0);
    }
    let counted = |count| Ok(vec![ErrorCounter::discarded_tracer_messages(count)]);
    assert_eq!(discarded(&world, &flooded).await, counted(3));
    assert_eq!(discarded(&world, &other).await, counted(0));
    let anew = async |trigger: Trigger| {
        unregister(&world, trigger.clone()).await.unwrap();
        register(&world, trigger).await.unwrap()
    };
    let flooded = anew(flooded).await;
    assert_eq!(discarded(&world, &flooded).await, counted(0));
}

#[actix::test]
async fn without_a_tracer_rules_of_the_kernel_are_refused_and_those_of_programs_are_not() {
    let world = World::new();
    assert_eq!(register(&world, notifying(tracepoint("a"))).await, Err(ErrorCode::NotSupported));
    let kernel = FakeKernel::without_tracer();
    let world = World::with_kernel(&kernel);
    assert_eq!(register(&world, notifying(tracepoint("a"))).await, Err(ErrorCode::KernNa));
    let world = World::with_kernel(&FakeKernel::default().of_version((2, 12, 0), (2, 5)));
    assert_eq!(register(&world, notifying(tracepoint("a"))).await, Err(ErrorCode::NotSupported));
    assert_eq!(names(&world).await, [""; 0]);
    register(&world, of_program()).await.unwrap();
}

/// A trigger on a function of this very program.
fn placed(function: &str) -> Trigger {
    let (name, binary_path) = (function.to_owned(), "/proc/self/exe".to_owned());
    let place = ProbeLocation::Function { name, binary_path, lookup: FunctionLookup::Elf };
    let location = UserspaceProbe::new(&place, File::open("/proc/self/exe").unwrap());
    let rule = EventRule::Uprobe { name: "begun".to_owned(), location };
    notifying(Condition::event_rule_matches(rule))
}

#[actix::test]
async fn a_subscriber_is_given_the_program_that_a_trigger_is_placed_in() {
    let kernel = FakeKernel::default();
    let world = World::with_kernel(&kernel);
    assert_eq!(register(&world, placed("no_such_function")).await, Err(ErrorCode::KernEnableFail));
    let trigger = register(&world, placed("main")).await.unwrap();
    let is_placed = |call: &Call| match call {
        Call::CreateNotifier(made) => {
            matches!(made.event.instrumentation, Instrumentation::Uprobe(_))
        }
        _ => false,
    };
    assert_eq!(kernel.count(is_placed), 1);
    // Which file is meant is told by its path, when a trigger is looked for.
    let again = Trigger { name: trigger.name.clone(), ..placed("main") };
    assert_eq!(discarded(&world, &again).await.unwrap().len(), 1);
    let subscriber = world.subscriber(std::slice::from_ref(&trigger.condition)).await;
    for _ in 0..2 {
        assert_eq!(kernel.happen("begun", b""), 1);
    }
    for _ in 0..2 {
        let mut head = [0; HEADER_LEN];
        subscriber.0.read_exact(&mut head).await.unwrap();
        let head = Header::of_daemon(&head).unwrap();
        assert_eq!((head.kind, head.fd_count), (MessageKind::Notification, 1));
        let mut payload = vec![0; head.len];
        subscriber.0.read_exact(&mut payload).await.unwrap();
        assert_eq!(decode_notification(&payload).unwrap().trigger.name, trigger.name);
        let given = subscriber.0.read_descriptors(1).await.unwrap();
        let own = File::open("/proc/self/exe").unwrap();
        let inode = |file: &dyn AsFd| rustix::fs::fstat(file.as_fd()).unwrap().st_ino;
        assert_eq!(inode(&given[0]), inode(&own));
    }
    unregister(&world, again).await.unwrap();
    let open = kernel.open_objects();
    assert!(
        !open.iter().any(|object| matches!(object, KernelObject::NotifierGroup(_))),
        "{open:?}"
    );
}

#[actix::test]
async fn a_kernel_that_tells_no_more_keeps_nobody_from_the_rest() {
    let kernel = FakeKernel::default();
    let world = World::with_kernel(&kernel);
    let first = register(&world, notifying(tracepoint("a"))).await.unwrap();
    kernel.lose_notifications();
    register(&world, of_program()).await.unwrap();
    assert_eq!(discarded(&world, &first).await.unwrap().len(), 1);
    unregister(&world, first).await.unwrap();
    assert_eq!(names(&world).await.len(), 1);
    let kernel = world.kernel.as_ref().unwrap();
    kernel.send(CloseNotifiers).await.unwrap();
    assert_eq!(register(&world, notifying(tracepoint("a"))).await, Err(ErrorCode::KernNa));
}
