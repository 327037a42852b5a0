//! Sessions that are saved, loaded by the command line, and loaded by the daemon when it starts; and
//! those that are rotated on schedule.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use super::world::{Arena, Daemon, Event, Program, Stage, Which, alone, both, eventually, listing};

/// Makes a session with one of everything that a saved session of a local output holds.
fn session(stage: &mut Stage) {
    let output = stage.arena.file("trace");
    stage.lttng_ok(&format!("create all --output={}", output.display()));
    stage.lttng_ok(
        "enable-channel -u c --buffers-pid --overwrite --subbuf-size=8k --num-subbuf=8 \
         --switch-timer=1000 --tracefile-size=64k --tracefile-count=3",
    );
    stage.lttng_ok("enable-event -u -c c 'sample:*' --loglevel=INFO");
    stage.lttng_ok("enable-channel -u d --buffers-pid --discard --blocking-timeout=100");
    stage.lttng_ok("enable-event -u -c d sample:number");
    stage.lttng_ok("disable-event -u -c d sample:number");
    stage.lttng_ok("add-context -u -c c -t vpid -t procname -t perf:thread:cpu-cycles");
    stage.lttng_ok("track -u --vpid=1");
    stage.lttng_ok("track -u --vuid=daemon");
    stage.lttng_ok("untrack -u --vgid --all");
    stage.lttng_ok("enable-rotation --timer=30s --size=16M");
}

fn saved(stage: &Stage, name: &str) -> PathBuf {
    stage.arena.file(&format!("saved/{name}.lttng"))
}

#[test]
fn a_saved_session_comes_back() {
    both(|stage| {
        session(stage);
        stage.lttng_ok("list all");
        let place = stage.arena.file("saved");
        let save = format!("save all --output-path={}", place.display());
        stage.lttng_ok(&save);
        stage.lttng(&save);
        stage.lttng_ok(&format!("{save} --force"));
        stage.lttng("save nothing");
        // The stock daemon has no order of channels.
        let mut lines: Vec<_> =
            fs::read_to_string(saved(stage, "all")).unwrap().lines().map(str::to_owned).collect();
        lines.sort_unstable();
        stage.note(&lines.join("\n"));
        stage.lttng_ok("destroy all");
        stage.lttng_ok(&format!("load --input-path={}", place.display()));
        stage.lttng_ok("list all");
        stage.lttng_ok("destroy all");
    });
}

#[test]
fn a_filter_is_compiled_again_by_the_command_line() {
    both(|stage| {
        stage.lttng_ok("create filter");
        stage.lttng_ok("enable-event -u sample:number --filter='number == 1 && text == \"<&>\"'");
        let place = stage.arena.file("saved");
        stage.lttng_ok(&format!("save --all --output-path={}", place.display()));
        stage.note(&fs::read_to_string(saved(stage, "filter")).unwrap());
        stage.lttng_ok("destroy filter");
        stage.lttng_ok(&format!("load --input-path={}", saved(stage, "filter").display()));
        stage.lttng_ok("list filter");
    });
}

/// The file of an active session of the name `name`.
fn file(arena: &Arena, name: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<sessions><session><name>{name}</name>\
         <domains><domain><type>UST</type><buffer_type>PER_UID</buffer_type><channels><channel>\
         <name>c</name><read_timer_interval>0</read_timer_interval><output_type>MMAP</output_type>\
         <events><event><name>sample:number</name><enabled>true</enabled></event>\
         <event><name>sample:x</name></event></events>\
         <contexts><context><type>VPID</type></context></contexts>\
         </channel></channels><process_attr_trackers><vpid_process_attr_tracker>\
         <process_attr_values><vpid><id>7</id></vpid></process_attr_values>\
         </vpid_process_attr_tracker></process_attr_trackers></domain></domains><started>true</started>\
         <output><consumer_output><enabled>true</enabled><destination><path>{}</path></destination>\
         </consumer_output></output></session></sessions>\n",
        arena.file("trace").display()
    )
}

/// What a daemon shows that was started with a session in `place` and, if there is one, `option` that
/// names a path.
fn started(which: Which, place: &str, option: Option<(&str, &str)>) -> String {
    let arena = Arena::new();
    // The stock daemon takes absolute paths only.
    let option = option.map(|(name, path)| format!("{name}{}", arena.home().join(path).display()));
    let options: Vec<&str> = option.iter().map(String::as_str).collect();
    let path = arena.home().join(place);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, file(&arena, "mine")).unwrap();
    let daemon = Daemon::start(&arena, which, &options);
    // The stock daemon answers before it has loaded.
    let active = || arena.lttng_ok("list").contains("mine [active]").then_some(());
    eventually("the session is loaded and started", active);
    let shown = arena.normalised(&listing::in_order(&arena.lttng_ok("list mine")));
    daemon.stop(&arena);
    shown
}

#[test]
fn the_daemon_loads_sessions_when_it_starts() {
    for (place, options) in [
        ("some.file", Some(("--load=", "some.file"))),
        ("dir/mine.lttng", Some(("-l", "dir"))),
        (".lttng/sessions/auto/mine.lttng", None),
    ] {
        let [stock, ours] = [Which::Stock, Which::Ours].map(|which| started(which, place, options));
        assert_eq!(ours, stock, "{place}");
    }
}

#[test]
fn a_daemon_that_cannot_load_ends() {
    for which in [Which::Stock, Which::Ours] {
        for text in [None, Some("<sessions>"), Some("<sessions><session/></sessions>")] {
            let arena = Arena::new();
            if let Some(text) = text {
                fs::write(arena.home().join("broken"), text).unwrap();
            }
            let option = format!("--load={}", arena.home().join("broken").display());
            let mut daemon = Daemon::spawn(&arena, which, &[&option]);
            assert_eq!(daemon.wait().code(), Some(1), "{which:?} {text:?}");
        }
    }
}

/// The events of a session with a filter that a daemon saved, and that another one loaded when it
/// started.
fn filtered_after_restart(which: Which) -> Vec<Event> {
    let arena = Arena::new();
    let trace = arena.file("trace");
    let daemon = Daemon::start(&arena, which, &[]);
    arena.lttng_ok(&format!("create filtered --output={}", trace.display()));
    let filter = "(number >= 3 && number < 6) || $ctx.vpid == 1 || text == \"n*ver<&>\"";
    arena.lttng_ok(&format!("enable-event -u sample:number --filter='{filter}'"));
    arena.lttng_ok("start");
    arena.lttng_ok(&format!("save --output-path={}", arena.autoload().display()));
    arena.lttng_ok("destroy");
    daemon.stop(&arena);

    let daemon = Daemon::start(&arena, which, &[]);
    let active = || arena.lttng_ok("list").contains("filtered [active]").then_some(());
    eventually("the session is loaded and started", active);
    assert!(arena.lttng_ok("list filtered").contains(&format!("[filter: '{filter}']")));
    let mut program = Program::ready(&arena);
    program.tell("number=10");
    program.finish();
    arena.lttng_ok("destroy filtered");
    daemon.stop(&arena);
    arena.events(&trace)
}

#[test]
fn a_filter_is_compiled_when_the_daemon_loads_it() {
    let [stock, ours] = [Which::Stock, Which::Ours].map(filtered_after_restart);
    assert_eq!(ours.len(), 3);
    assert_eq!(ours, stock);
}

#[test]
fn a_filter_that_is_none_keeps_its_session_from_being_loaded() {
    for which in [Which::Stock, Which::Ours] {
        for filter in ["", "number +", "number + 1", "\"text\""] {
            let arena = Arena::new();
            let event = format!("</name><filter>{filter}</filter><enabled>");
            let file =
                file(&arena, "mine").replacen("</name><enabled>true", &format!("{event}true"), 1);
            assert!(file.contains("<filter>"));
            fs::write(arena.home().join("broken"), file).unwrap();
            let option = format!("--load={}", arena.home().join("broken").display());
            let mut daemon = Daemon::spawn(&arena, which, &[&option]);
            assert_eq!(daemon.wait().code(), Some(1), "{which:?} {filter}");
        }
    }
}

/// Waits until at least `count` trace chunks are archived.
fn archives(stage: &Stage, count: usize) {
    eventually(&format!("{count} trace chunks are archived"), || {
        let archived = fs::read_dir(stage.arena.file("trace/archives")).ok()?.count();
        (archived >= count).then_some(())
    });
}

#[test]
fn a_session_is_rotated_on_schedule() {
    for schedule in ["--timer=200ms", "--size=64k"] {
        alone(|stage| {
            let output = stage.arena.file("trace");
            stage.lttng_ok(&format!("create s --output={}", output.display()));
            stage.lttng_ok(
                "enable-channel -u c --monitor-timer=50000 --switch-timer=20000 --subbuf-size=4k",
            );
            stage.lttng_ok("enable-event -u -c c sample:number");
            stage.lttng_ok(&format!("enable-rotation {schedule}"));
            assert_eq!(stage.lttng(&format!("enable-rotation {schedule}")).code, 1);
            let mut program = stage.program();
            stage.lttng_ok("start");
            for _ in 0..40 {
                program.tell("number=100");
                std::thread::sleep(Duration::from_millis(20));
            }
            archives(stage, 1);
            stage.lttng_ok("stop");
            // What was written by the stop may have begun a last rotation.
            stage.lttng_ok("destroy");
            assert_eq!(stage.events_below(&output).len(), 4000, "{schedule}");
            program.finish();
        });
    }
}
