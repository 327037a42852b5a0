//! Events that could not be told.

use lttngd_world::eventually;

use super::*;

#[test]
fn what_does_not_fit_is_counted_by_the_application_and_everything_else_told() {
    const EVENTS: u64 = 20_000;
    let (arena, listener) = listening();
    listener
        .set([notifier(3, tracepoints("sample:number")), notifier(4, tracepoints("sample:bulk"))]);
    let mut program = Program::ready(&arena);
    listener.hold();
    program.tell(&format!("number={EVENTS}"));
    let lost = listener.errors(3);
    assert!(lost > 0, "the pipe took all of them");
    listener.let_go();
    let mut told = 0;
    eventually("the others are told", || {
        told += listener.rest().len() as u64;
        (told + lost >= EVENTS).then_some(())
    });
    assert_eq!(told + lost, EVENTS);
    assert_eq!((listener.errors(3), listener.errors(4)), (lost, 0));
    program.finish();
    assert_eq!(listener.errors(3), lost, "they outlive who counted");
}

#[test]
fn captures_that_are_too_large_are_told_as_missing() {
    let (arena, listener) = listening();
    let fields = ["block", "number", "block"];
    listener.set([capturing(1, tracepoints("sample:bulk"), &fields)]);
    let mut program = Program::ready(&arena);
    program.tell("bulk=1");
    let block = [&[0xdc, 0x0f, 0xa0][..], &[0; 4000]].concat();
    assert_eq!(listener.next().2, [&[0x93], block.as_slice(), &[0, 0xc0]].concat());
    program.finish();
}
