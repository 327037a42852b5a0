//! What is declared is recorded.

use lttngd_world::{Program, alone, eventually};
use serde_json::Value;

use super::{apply, file, lttngd, lttngd_ok, nothing_is_left, with_document};

const ONE_RULE: &str = "\
version: 1
session: web
ust:
  channels:
    - name: c
      rules:
        - name: 'sample:*'
          filter: number >= 0
";

#[test]
fn a_document_becomes_a_session_that_records() {
    alone(|stage| {
        let mut program = Program::ready(&stage.arena);
        let document = file(stage, "web.yaml", ONE_RULE);
        assert_eq!(lttngd(stage, &["diff", &document]).code, 1, "there is something to do");
        let done = lttngd_ok(stage, &["apply", &document]);
        assert!(done.contains("web: create the session\n"), "{done}");
        assert!(done.ends_with("web: start the session\n"), "{done}");
        nothing_is_left(stage, ONE_RULE);
        let listed = stage.lttng_ok("list web");
        for word in ["[active]", "- c: [enabled]", "sample:*", "number >= 0"] {
            assert!(listed.contains(word), "{word}: {listed}");
        }
        program.tell("number=20");
        stage.lttng_ok("stop web");
        assert_eq!(stage.events("web").len(), 20);
        // Somebody stopped it: it is seen, and set right.
        let table = lttngd_ok(stage, &["get"]);
        assert!(table.contains("differs"), "{table}");
        assert_eq!(lttngd_ok(stage, &["apply", &document]), "web: start the session\n");
        assert!(lttngd_ok(stage, &["get"]).contains("as declared"));
        let written = lttngd_ok(stage, &["get", "web", "--json"]);
        let told: Value = serde_json::from_str(&written).unwrap();
        assert_eq!(told["ust"]["channels"][0]["rules"][0]["filter"], "number >= 0");
        lttngd_ok(stage, &["delete", "web"]);
        assert!(!stage.lttng_ok("list").contains("web"), "it is gone");
        assert_eq!(stage.events("web").len(), 20, "its trace stays");
        assert_eq!(lttngd(stage, &["get", "web"]).code, 1);
        assert_eq!(lttngd(stage, &["delete", "web"]).code, 1);
        program.finish();
    });
}

/// A session with one of everything of user space, made by the stock command line.
const OF_EVERYTHING: [&str; 14] = [
    "create all",
    "enable-channel -u c --overwrite --subbuf-size=8k --num-subbuf=8 --switch-timer=1000 --tracefile-size=64k --tracefile-count=3",
    "enable-event -u -c c 'sample:*' --loglevel=INFO --exclude=sample:bulk,sample:fields",
    "enable-event -u -c c sample:number --filter='number == 1 && text == \"<&>\"'",
    "enable-channel -u d --discard --blocking-timeout=100",
    "enable-event -u -c d sample:number",
    "disable-event -u -c d sample:number",
    "enable-event -j org.app --loglevel=JUL_WARNING --filter='int_loglevel > 5'",
    "enable-event -p -a",
    "add-context -u -c c -t vpid -t procname -t '$app.provider:name'",
    "track -u --vpid=1,7",
    "track -u --vuid=daemon",
    "untrack -u --vgid --all",
    "enable-rotation --timer=30s --size=16M",
];

#[test]
fn what_the_stock_command_line_made_is_exported_and_made_again() {
    alone(|stage| {
        for command in OF_EVERYTHING {
            stage.lttng_ok(command);
        }
        let place = stage.arena.file("saved");
        let save = format!("save all --force --output-path={}", place.display());
        stage.lttng_ok(&save);
        let saved = || std::fs::read_to_string(place.join("all.lttng")).unwrap();
        let (listed, before) = (stage.lttng_ok("list all"), saved());
        let exported = lttngd_ok(stage, &["export", "all"]);
        nothing_is_left(stage, &exported);
        nothing_is_left(stage, &before);
        nothing_is_left(stage, &lttngd_ok(stage, &["export", "all", "--json"]));
        stage.lttng_ok("destroy all");
        apply(stage, &exported);
        assert_eq!(stage.lttng_ok("list all"), listed);
        stage.lttng_ok(&save);
        assert_eq!(saved(), before);
        lttngd_ok(stage, &["delete", "all"]);
        // A file of lttng save is taken too.
        apply(stage, &before);
        stage.lttng_ok(&save);
        assert_eq!(saved(), before);
    });
}

#[test]
fn a_session_ends_when_the_document_says_so() {
    alone(|stage| {
        let ends = |after_s: u32| format!("{ONE_RULE}end: {{after_s: {after_s}}}\n");
        apply(stage, &ends(3600));
        assert!(lttngd_ok(stage, &["get"]).contains("in 3"), "it is told when");
        apply(stage, &ends(1));
        eventually("it ends", || (!stage.arena.lttng_ok("list").contains("web")).then_some(()));
        eventually("it is forgotten", || {
            lttngd_ok(stage, &["get"]).contains("No session").then_some(())
        });
        let passed = format!("{ONE_RULE}end: {{at: 2001-01-01T00:00:00Z}}\n");
        let said = with_document(stage, &["apply", "-"], &passed);
        assert!(said.code == 1 && said.err.contains("passed"), "{said:?}");
    });
}
