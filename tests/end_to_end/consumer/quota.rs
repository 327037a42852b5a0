//! An owner whose quota is used up.

use super::super::world::{Consumer, Stage, Still, Which, eventually};
use super::Bystander;
use super::lost::{lost, stop_and_destroy_warn};
use super::output::start;
use super::still::has_packets;

#[test]
fn packets_beyond_an_owners_quota() {
    for which in [Which::Stock, Which::Ours] {
        let consumer = if which == Which::Ours { Consumer::Own } else { Consumer::Stock };
        beyond_a_quota(&Stage::with_consumer(which, consumer, &[]));
    }
}

fn beyond_a_quota(stage: &Stage) {
    let Some(mut disk) = Still::mount(stage) else { return };
    let bystander = Bystander::start(stage);
    let consumer = stage.arena.consumer();
    start(stage, &disk.mount.join("trace"), "--num-subbuf=4");
    let mut program = stage.program();
    program.tell("pin");
    program.tell("number=50");
    eventually("the first packet is written", || {
        has_packets(&disk.behind.join("trace")).then_some(())
    });
    assert_eq!(lost(stage), 0);
    disk.use_up_the_quota();
    program.tell("delay=100");
    program.tell("number=3000");
    program.tell("delay=0");
    if stage.which == Which::Stock {
        // What it does is told, and not to be held up by it.
        let told = lost(stage);
        let said = stage.arena.lttng("stop victim");
        let destroyed = stage.arena.lttng("destroy victim").code;
        let read = format!("babeltrace2 '{}'", disk.behind.join("trace").display());
        let read = stage.arena.shell_within(60, &read);
        let events = read.stdout.lines().count();
        let why = read.stderr;
        eprintln!("stock: {told} lost, {said:?}, destroy {destroyed}, {events} events, {why}");
        return;
    }
    eventually("what is lost is told", || (lost(stage) > 0).then_some(()));
    assert_ne!(stage.arena.lttng("rotate victim").code, 0, "no directory can be made");
    bystander.finish(stage);
    disk.go_on();
    // There is room again.
    program.tell("text=afterwards");
    program.tell("number=50");
    stage.arena.lttng_ok("stop victim");
    let events = stage.arena.events(&disk.behind.join("trace"));
    assert_eq!(events.iter().filter(|event| event.fields.contains("afterwards")).count(), 50);
    stage.arena.lttng_ok("start victim");
    stop_and_destroy_warn(stage);
    assert_eq!(stage.arena.consumer(), consumer, "the consumer daemon lives");
    program.finish();
    disk.end();
}
