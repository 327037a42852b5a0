//! One document after the other.

use lttngd_world::{Program, alone};

use super::{apply, lttngd_ok, with_document};

/// A document of a session `s` with these channels.
fn of(rest: &str) -> String {
    format!("version: 1\nsession: s\n{rest}\n")
}

#[test]
fn what_is_the_same_records_on() {
    alone(|stage| {
        let mut program = Program::ready(&stage.arena);
        let first = of("ust: {channels: [{name: c, rules: [{name: 'sample:number'}]}]}");
        let second = of(
            "ust: {channels: [{name: c, rules: [{name: 'sample:number'}, {name: 'sample:fields'}]}]}",
        );
        apply(stage, &first);
        program.tell("number=5");
        program.tell("fields=5");
        let done = apply(stage, &second);
        assert_eq!(done, "s: enable event sample:fields in channel c (ust)\n");
        program.tell("number=5");
        program.tell("fields=5");
        let done = apply(stage, &first);
        assert_eq!(done, "s: disable event sample:fields in channel c (ust)\n");
        program.tell("number=5");
        program.tell("fields=5");
        lttngd_ok(stage, &["delete", "s"]);
        let events = stage.events("s");
        let count = |name: &str| events.iter().filter(|it| it.name == name).count();
        assert_eq!((count("sample:number"), count("sample:fields")), (15, 5));
        program.finish();
    });
}

#[test]
fn what_cannot_be_changed_is_named_and_replaced_when_asked() {
    alone(|stage| {
        let first = of("ust: {channels: [{name: c, rules: [{}]}]}");
        apply(stage, &first);
        let second = of(
            "ust: {channels: [{name: c, attributes: {num_subbuf: 8}, contexts: [vpid], rules: [{}]}, {name: d}]}",
        );
        let listed = stage.lttng_ok("list s");
        let said = with_document(stage, &["apply", "-"], &second);
        assert_eq!(said.code, 1, "{said:?}");
        for what in
            ["channel c (ust) has other attributes", "lacks context vpid", "channel d (ust)"]
        {
            assert!(said.err.contains(what), "{what}: {said:?}");
        }
        assert_eq!(stage.lttng_ok("list s"), listed, "nothing was done");
        let differs = with_document(stage, &["diff", "-"], &second);
        assert!(differs.code == 1 && differs.out.contains("not in place"), "{differs:?}");
        let said = with_document(stage, &["apply", "--replace", "-"], &second);
        assert_eq!(said.code, 0, "{said:?}");
        assert!(said.out.starts_with("s: destroy the session\ns: create"), "{said:?}");
        super::nothing_is_left(stage, &second);
        let told = lttngd_ok(stage, &["export", "s", "--json"]);
        let told: serde_json::Value = serde_json::from_str(&told).unwrap();
        assert_eq!(told["ust"]["channels"][0]["attributes"]["num_subbuf"], 8);
    });
}

#[test]
fn every_kind_of_session() {
    alone(|stage| {
        let rules = "ust: {channels: [{name: c, rules: [{name: 'sample:*'}]}]}";
        let place = stage.arena.file("snapshots");
        let snapshots = format!(
            "version: 1\nsession: snap\nmode: snapshot\n\
             snapshot_outputs: [{{name: o, max_size_bytes: 1048576, output: {{path: {}}}}}]\n{rules}\n",
            place.display()
        );
        let mut program = Program::ready(&stage.arena);
        apply(stage, &snapshots);
        program.tell("number=3");
        stage.lttng_ok("snapshot record --session=snap");
        assert!(stage.lttng_ok("snapshot list-output --session=snap").contains("o: "));
        assert_eq!(stage.events_below(&place).len(), 3);
        let none = of(&format!("output: none\n{rules}"));
        apply(stage, &none);
        let path = stage.arena.file("own");
        let elsewhere = of(&format!("output: {{path: {}}}\n{rules}", path.display()));
        let said = with_document(stage, &["apply", "-"], &elsewhere);
        assert!(said.code == 1 && said.err.contains("go elsewhere"), "{said:?}");
        assert_eq!(with_document(stage, &["apply", "--replace", "-"], &elsewhere).code, 0);
        super::nothing_is_left(stage, &elsewhere);
        program.tell("number=4");
        lttngd_ok(stage, &["delete", "s"]);
        assert_eq!(stage.events_below(&path).len(), 4);
        program.finish();
    });
}

#[test]
fn trackers_and_rotations_follow() {
    alone(|stage| {
        let with = |trackers: &str, rotation: &str| {
            of(&format!(
                "rotation: {{{rotation}}}\nust: {{trackers: {{{trackers}}}, channels: [{{name: c, rules: [{{}}]}}]}}"
            ))
        };
        for (trackers, rotation) in [
            ("", ""),
            ("vpid: [1, 2]", "period_us: 60000000"),
            ("vpid: [2, 3], vuid: []", "period_us: 30000000, size_bytes: 16777216"),
            ("vpid: [], vuid: [0], vgid: [daemon]", "size_bytes: 33554432"),
            ("vuid: [0]", ""),
        ] {
            apply(stage, &with(trackers, rotation));
        }
        let told = lttngd_ok(stage, &["export", "s", "--json"]);
        let told: serde_json::Value = serde_json::from_str(&told).unwrap();
        assert_eq!(told["ust"]["trackers"], serde_json::json!({ "vuid": [0] }));
    });
}
