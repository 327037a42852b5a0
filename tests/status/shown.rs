//! What is shown: sessions, programs, what is lost, and who does not answer.

use std::{path::Path, thread};

use lttngd_world::{Program, Stage, Which, alone, daemon::stock_consumer, eventually};
use rustix::process::Signal;

use super::{look, named, status};

#[test]
fn sessions_and_programs_are_shown_as_they_are() {
    alone(|stage| {
        let nothing = status(stage);
        assert_eq!(nothing["sessions"], serde_json::json!([]));
        assert_eq!(nothing["daemon"]["pid"], stage.daemon.pid());
        let mut program = stage.program();
        stage.arena.lttng_ok("create quiet");
        stage.arena.lttng_ok("create mine");
        stage.arena.lttng_ok("enable-channel -u -s mine c --subbuf-size=4k --num-subbuf=2");
        stage.arena.lttng_ok("enable-event -u -s mine -c c sample:number");
        stage.arena.lttng_ok("start mine");
        program.tell("number=2000");
        let written = eventually("what was recorded is told", || {
            let told = status(stage);
            let bytes = named(&told["sessions"], "mine")["recorded_bytes"].as_u64().unwrap();
            (bytes > 0).then_some(told)
        });
        let mine = named(&written["sessions"], "mine");
        assert_eq!((&mine["state"], &mine["user_space_channels"]), (&"active".into(), &1.into()));
        assert_eq!(mine["kernel_channels"], serde_json::Value::Null);
        let output = stage.arena.trace_of("mine");
        assert_eq!(mine["output"].as_str().map(Path::new), Some(&*output));
        let quiet = named(&written["sessions"], "quiet");
        assert_eq!((&quiet["state"], &quiet["recorded_bytes"]), (&"inactive".into(), &0.into()));
        let traced = named(&written["applications"], "traced");
        assert_eq!(
            (&traced["pid"], &traced["state"]),
            (&program.pid().into(), &"registered".into())
        );
        let running = |it: &&serde_json::Value| it["state"] == "running" && it["pid"].is_u64();
        assert_eq!(written["consumers"].as_array().unwrap().iter().filter(running).count(), 1);
        let users = written["users"].as_array().unwrap();
        let holds = users.iter().flat_map(|it| it["holds"].as_array().unwrap());
        let of_sessions = holds.filter(|it| it["what"] == "sessions").map(|it| &it["count"]);
        assert_eq!(of_sessions.collect::<Vec<_>>(), [&serde_json::Value::from(2)]);

        let shown = look(&stage.arena, &[]);
        let line = |begin: &str| shown.lines().find(|line| line.starts_with(begin)).unwrap();
        assert!(
            line("mine ").contains(" active ") && line("traced ").ends_with(" registered"),
            "{shown}"
        );
        assert!(!shown.contains("HOLDS"), "{shown}");
        program.finish();
        eventually("a program that is gone is not shown", || {
            (status(stage)["applications"] == serde_json::json!([])).then_some(())
        });
        stage.arena.lttng_ok("destroy -a");
        assert_eq!(status(stage)["sessions"], serde_json::json!([]));
    });
}

/// How many packets the indexes of a trace name, each of which is a head of 16 bytes and entries.
fn indexed_packets(trace: &Path) -> u64 {
    let mut count = 0;
    for entry in std::fs::read_dir(trace).unwrap().flatten() {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            count += indexed_packets(&path);
        } else if path.extension().is_some_and(|it| it == "idx") {
            let index = std::fs::read(&path).unwrap();
            let entry_len = u32::from_be_bytes(index[12..16].try_into().unwrap());
            count += (index.len() as u64 - 16) / u64::from(entry_len);
        }
    }
    count
}

/// Has 2000 events recorded in small packets, and stops. How many packets there are.
fn record_small_packets(stage: &mut Stage) -> u64 {
    let mut program = stage.program();
    stage.arena.lttng_ok("create mine");
    stage.arena.lttng_ok("enable-channel -u -s mine c --subbuf-size=4k --num-subbuf=64");
    stage.arena.lttng_ok("enable-event -u -s mine -c c sample:number");
    stage.arena.lttng_ok("start mine");
    program.tell("number=2000");
    program.finish();
    stage.arena.lttng_ok("stop mine");
    let packets = indexed_packets(&stage.arena.trace_of("mine"));
    assert!(packets > 5, "{packets}");
    packets
}

#[test]
fn as_many_packets_are_shown_as_are_in_the_trace() {
    alone(|stage| {
        let packets = record_small_packets(stage);
        eventually("all of them are told", || {
            let told = status(stage);
            (named(&told["sessions"], "mine")["recorded_packets"] == packets).then_some(())
        });
        let shown = look(&stage.arena, &[]);
        let line = shown.lines().find(|line| line.starts_with("mine ")).unwrap();
        assert!(line.contains(&format!(" {packets} ")), "{shown}");
    });
}

#[test]
fn packets_of_a_consumer_daemon_that_does_not_count_them_are_not_shown_as_none() {
    let option = format!("--consumerd64-path={}", stock_consumer().display());
    let mut stage = Stage::with_options(Which::Ours, &[&option]);
    record_small_packets(&mut stage);
    let told = eventually("its bytes are told", || {
        let told = status(&stage);
        let bytes = named(&told["sessions"], "mine")["recorded_bytes"].as_u64().unwrap();
        (bytes > 0).then_some(told)
    });
    let mine = named(&told["sessions"], "mine");
    assert_eq!(mine.get("recorded_packets"), None, "{mine}");
    stage.end();
}

#[test]
fn a_stopped_program_and_the_command_that_waits_for_it_are_shown_at_once() {
    alone(|stage| {
        let program = stage.program();
        stage.arena.lttng_ok("create one");
        stage.arena.lttng_ok("enable-event -u -s one sample:number");
        stage.arena.lttng_ok("start one");
        status(stage);
        stage.arena.signal(program.pid(), Signal::STOP);
        let arena = &stage.arena;
        thread::scope(|scope| {
            let waits = scope.spawn(|| arena.lttng("stop one"));
            let mut was_shown = false;
            while !waits.is_finished() {
                let told = status(stage);
                let commands = &named(&told["sessions"], "one")["commands"];
                was_shown |= commands["running"] == "stop";
            }
            assert!(was_shown, "it waits for its deadline");
        });
        let told = status(stage);
        let traced = named(&told["applications"], "traced");
        assert!(traced["state"] == "set_aside" && traced["set_aside_ms"].is_u64(), "{traced}");
        assert!(traced["requests"].as_u64() > Some(0), "{traced}");
        assert!(traced["owes_ms"].as_u64() >= traced["set_aside_ms"].as_u64(), "{traced}");
        assert!(look(&stage.arena, &[]).contains("it does not answer"));
        assert_eq!(named(&told["sessions"], "one")["commands"], serde_json::Value::Null);
        stage.arena.signal(program.pid(), Signal::CONT);
        eventually("it is shown to answer again", || {
            let told = status(stage);
            (named(&told["applications"], "traced")["state"] == "registered").then_some(())
        });
    });
}

#[test]
fn a_flood_is_shown_and_warned_of_while_the_session_goes_on() {
    alone(|stage| {
        let mut program = stage.program();
        stage.arena.lttng_ok("create flooded");
        stage.arena.lttng_ok("create calm");
        stage.arena.lttng_ok(
            "enable-channel -u -s flooded small --discard --subbuf-size=4k --num-subbuf=2",
        );
        stage.arena.lttng_ok("enable-event -u -s flooded -c small sample:number");
        stage.arena.lttng_ok("enable-event -u -s calm sample:text");
        stage.arena.lttng_ok("start flooded");
        stage.arena.lttng_ok("start calm");
        // However fast its consumer daemon is, it is not while it stands still.
        let told = status(stage);
        let consumer =
            told["consumers"].as_array().unwrap().iter().find_map(|it| it["pid"].as_i64());
        let consumer = i32::try_from(consumer.unwrap()).unwrap();
        stage.arena.signal(consumer, Signal::STOP);
        program.tell("number=5000");
        // Nothing more is recorded, so that no packet tells it.
        stage.arena.signal(consumer, Signal::CONT);
        program.finish();
        let lost = |told: &serde_json::Value| {
            named(&told["sessions"], "flooded")["losses"]["discarded_events"].as_u64()
        };
        let told = eventually("the loss is shown", || {
            Some(status(stage)).filter(|told| lost(told).is_some_and(|events| events > 0))
        });
        let channels = &named(&told["sessions"], "flooded")["losses"]["channels"];
        assert_eq!(
            (&channels[0]["channel"], &channels[0]["lost_packets"]),
            (&"small".into(), &0.into())
        );
        let log = stage.daemon.log();
        let warned: Vec<_> =
            log.lines().filter(|line| line.contains("events are discarded")).collect();
        assert_eq!(warned.len(), 1, "{log}");
        assert!(warned[0].contains("WARN") && warned[0].contains("flooded"), "{}", warned[0]);
        assert!(warned[0].contains("channel=\"small\""), "{}", warned[0]);

        stage.arena.lttng_ok("stop flooded");
        let listed = stage.arena.lttng_ok("list flooded");
        let counted = listed.lines().find_map(|it| it.trim().strip_prefix("Discarded events: "));
        let counted: u64 = counted.unwrap().parse().unwrap();
        eventually("what was lost to the end is shown", || {
            (lost(&status(stage)) == Some(counted)).then_some(())
        });
        assert_eq!(stage.daemon.log().matches("events are discarded").count(), 1, "it was told");
        let calm = status(stage);
        let losses = &named(&calm["sessions"], "calm")["losses"];
        assert!(losses.is_null() || losses["discarded_events"] == 0, "{losses}");
    });
}

#[test]
fn one_who_looks_again_and_again_is_shown_each_time() {
    alone(|stage| {
        let mut command = stage.arena.command(Which::Ours.program());
        command.args(["status", "--json", "--watch", "0.1"]);
        let mut watching = Program::spawn(command);
        for _ in 0..3 {
            super::check(&watching.next_line());
        }
        watching.kill();
    });
}
