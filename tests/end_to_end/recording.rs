//! What is recorded, read back with babeltrace2.

use rustix::process::Signal;

use super::world::{Event, Program, both, listing, program, trace};

/// The names of `events`, in order.
fn names(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.name.as_str()).collect()
}

/// How many of `events` have this name.
fn count(events: &[Event], name: &str) -> usize {
    events.iter().filter(|event| event.name == name).count()
}

#[test]
fn application_before_the_session() {
    both(|stage| {
        let mut program = stage.program();
        stage.lttng_ok("create early");
        stage.lttng_ok("enable-event -u sample:number");
        program.tell("number=3");
        stage.lttng_ok("start");
        program.tell("number=10");
        program.tell("fields=1");
        stage.lttng_ok("stop");
        program.tell("number=3");
        assert_eq!(names(&stage.events("early")), ["sample:number"; 10]);
        stage.lttng_ok("destroy early");
        program.finish();
    });
}

#[test]
fn application_during_the_session() {
    both(|stage| {
        stage.lttng_ok("create during");
        stage.lttng_ok("enable-event -u sample:number");
        stage.lttng_ok("start");
        // Registered and enabled before its main: not one event may be missing.
        for _ in 0..3 {
            let mut program = Program::start(&stage.arena, &["number=100"]);
            assert!(program.wait().success());
        }
        stage.lttng_ok("stop");
        assert_eq!(count(&stage.events("during"), "sample:number"), 300);
        stage.lttng_ok("destroy during");
    });
}

#[test]
fn application_before_the_daemon() {
    both(|stage| {
        // The daemon of the stage stops; the application waits for the next one.
        let arena = &stage.arena;
        arena.signal(stage.daemon.pid(), Signal::TERM);
        assert!(stage.daemon.wait().success());
        let mut program = Program::ready(arena);
        stage.daemon = super::world::Daemon::start(arena, stage.which, &[]);
        super::world::eventually("the application registers with the new daemon", || {
            arena.lttng_ok("list -u").contains("sample:number").then_some(())
        });
        stage.lttng_ok("create late");
        stage.lttng_ok("enable-event -u sample:number");
        stage.lttng_ok("start");
        program.tell("number=5");
        stage.lttng_ok("stop");
        assert_eq!(stage.events("late").len(), 5);
        stage.lttng_ok("destroy");
        program.finish();
    });
}

#[test]
fn every_kind_of_field_and_log_level() {
    both(|stage| {
        let mut program = stage.program();
        stage.lttng_ok("create kinds");
        stage.lttng_ok("enable-event -u --all");
        stage.lttng_ok("start");
        program.tell("text=a \"quoted\" text");
        program.tell("number=2");
        program.tell("fields=12");
        program.tell("levels=2");
        stage.lttng_ok("stop");
        let events = stage.events("kinds");
        assert_eq!(events.len(), 2 + 12 + 2 * 4);
        assert!(events[1].fields.contains(r#"text = "a \"quoted\" text""#), "{:?}", events[1]);
        assert!(events[5].fields.contains(r#"colour = ( "SHADES" : container = 5 )"#));
        assert_eq!(events[14].log_level, "TRACE_ALERT (1)");
        let metadata = stage.arena.metadata(&stage.arena.trace_of("kinds"));
        assert!(metadata.contains(r#"tracer_name = "lttng-ust";"#));
        stage.note(&metadata);
        let layout = stage.layout();
        assert!(layout.iter().any(|file| file.ends_with("-bit/metadata")), "{layout:?}");
        stage.lttng_ok("destroy");
        program.finish();
    });
}

#[test]
fn buffers_per_process() {
    both(|stage| {
        let mut programs = [stage.program(), stage.program()];
        stage.lttng_ok("create perpid");
        stage.lttng_ok("enable-channel -u --buffers-pid processes");
        stage.lttng_ok("enable-event -u -c processes sample:number");
        stage.lttng_ok("add-context -u -c processes -t vpid -t procname");
        stage.lttng_ok("start");
        programs.iter_mut().for_each(|program| assert_eq!(program.tell("number=4"), 0));
        let mut third = Program::start(&stage.arena, &["number=4"]);
        assert!(third.wait().success());
        stage.lttng_ok("list perpid");
        stage.lttng_ok("stop");
        assert_eq!(stage.events("perpid").len(), 12);
        stage.note(&stage.arena.metadata(&stage.arena.trace_of("perpid")));
        let layout = stage.layout();
        let metadata = layout.iter().filter(|file| file.ends_with("/metadata")).count();
        assert_eq!(metadata, 3, "{layout:?}");
        stage.lttng_ok("destroy");
        programs.into_iter().for_each(Program::finish);
    });
}

#[test]
fn contexts() {
    both(|stage| {
        let mut program = stage.program();
        stage.lttng_ok("create context");
        stage.lttng_ok("enable-event -u sample:number");
        stage.lttng_ok("add-context -u -t vpid -t procname -t ip -t vuid -t vgid");
        stage.lttng_ok("start");
        program.tell("number=1");
        stage.lttng_ok("stop");
        // The instruction pointer differs from run to run.
        let events = stage.arena.events(&stage.arena.trace_of("context"));
        assert_eq!(events.len(), 1);
        let context = &events[0].context;
        assert!(context.contains(&format!("vpid = {}", program.pid())), "{context}");
        assert!(context.contains(r#"procname = "traced""#), "{context}");
        assert!(context.contains("vuid = ") && context.contains("ip = "), "{context}");
        stage.note(&stage.arena.metadata(&stage.arena.trace_of("context")));
        stage.lttng_ok("destroy");
        program.finish();
    });
}

#[test]
fn fork_exec_daemonise_and_sudden_exit() {
    both(|stage| {
        stage.lttng_ok("create lives");
        stage.lttng_ok("enable-event -u sample:number");
        stage.lttng_ok("add-context -u -t vpid");
        stage.lttng_ok("start");
        let follow = [("LD_PRELOAD", "liblttng-ust-fork.so")];
        let traced = program::traced().display();
        let exec = format!("exec={traced}");
        let mut forking = Program::start_with(&stage.arena, &["number=1", "fork=7"], &follow);
        assert!(forking.wait().success());
        let mut replaced = Program::start(&stage.arena, &["number=1", &exec, "number=8"]);
        assert!(replaced.wait().success());
        let mut sudden = Program::start(&stage.arena, &["number=9", "exit"]);
        assert!(sudden.wait().success());
        let done = stage.arena.file("daemonised");
        let shell = format!(
            "LD_PRELOAD=liblttng-ust-fork.so {traced} daemonise number=10 exec=/bin/touch {}",
            done.display()
        );
        let answer = stage.arena.shell_within(30, &format!("sh -c '{shell}'"));
        assert_eq!(answer.code, 0, "{answer:?}");
        super::world::eventually("the daemonised program is done", || done.exists().then_some(()));
        stage.lttng_ok("stop");
        let events = stage.events("lives");
        assert_eq!(events.len(), 1 + 7 + 1 + 8 + 9 + 10);
        stage.lttng_ok("destroy");
    });
}

#[test]
fn events_lost_are_counted() {
    both(|stage| {
        let mut program = stage.program();
        stage.lttng_ok("create small");
        stage.lttng_ok("enable-channel -u --subbuf-size=8k --num-subbuf=2 tight");
        stage.lttng_ok("enable-event -u -c tight sample:bulk,sample:number");
        stage.lttng_ok("start");
        // However fast the consumer daemon is: it does not come to read them.
        let consumer = stage.arena.consumer();
        stage.arena.signal(consumer, Signal::STOP);
        program.tell("bulk=3000");
        stage.arena.signal(consumer, Signal::CONT);
        let stopped = stage.arena.lttng("stop");
        let listed = listing::in_order(&stage.arena.lttng_ok("list small"));
        let lost: u64 = listed
            .lines()
            .find_map(|line| line.trim().strip_prefix("Discarded events: "))
            .and_then(|count| count.parse().ok())
            .unwrap();
        assert!(lost > 0, "{listed}");
        let recorded = stage.arena.events(&stage.arena.trace_of("small")).len() as u64;
        assert_eq!(recorded + lost, 3000);
        stage.note(&stage.arena.normalised(&listed).replace(&lost.to_string(), "LOST"));
        assert!(stopped.stdout.contains(&format!("{lost} events were discarded")), "{stopped:?}");
        stage.lttng_ok("destroy small");
        program.finish();
    });
}

#[test]
fn output_directory_of_choice() {
    both(|stage| {
        let mut program = stage.program();
        let directory = stage.arena.file("chosen/place");
        stage.lttng_ok(&format!("create chosen --output={}", directory.display()));
        stage.lttng_ok("enable-event -u sample:number");
        assert!(!directory.exists(), "made at the first start");
        stage.lttng_ok("start");
        program.tell("number=2");
        stage.lttng_ok("stop");
        assert_eq!(stage.events_below(&directory).len(), 2);
        stage.note(&trace::files(&directory).join("\n"));
        stage.lttng_ok("destroy");
        program.finish();
    });
}
