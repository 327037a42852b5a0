//! What is wrong is told, and nothing is done.

use std::io::{Read, Write};

use lttngd_world::{alone, eventually};

use super::{apply, lttngd, with_document};

const SOCKET: &str = "lttngd-declare";
const GOOD: &str = "version: 1\nsession: good\nust: {channels: [{name: c, rules: [{}]}]}\n";

#[test]
fn documents_that_are_none() {
    alone(|stage| {
        let laughs = {
            let mut text = "version: 1\nsession: s\na: &a [x, x, x, x, x, x, x, x, x]\n".to_owned();
            for (before, letter) in ('a'..='y').zip('b'..='z') {
                text += &format!(
                    "{letter}: &{letter} [{}]\n",
                    vec![format!("*{before}"); 9].join(", ")
                );
            }
            text
        };
        let long = format!("version: 1\nsession: s\n# {}\n", "x".repeat(10 << 20));
        for (document, why) in [
            ("version: 2\nsession: s\n", "version 2"),
            ("version: 1\nsession: ../../s\n", "session"),
            (
                "version: 1\nsession: s\nust: {channels: [{name: c, rules: [{nmae: x}]}]}\n",
                "ust.channels[0].rules[0]",
            ),
            ("version: 1\nsession: s\nstarted: false\noutput: {path: /a/../../b}\n", "output.path"),
            ("version: 1\nsession: s\nust: &u {channels: [{name: c, rules: *u}]}\n", ""),
            ("<sessions><session/></sessions>", ""),
            ("\u{0}\u{1}", ""),
            (&laughs, ""),
            (&long, ""),
        ] {
            for word in ["apply", "diff"] {
                let said = with_document(stage, &[word, "-"], document);
                let expected = if word == "diff" { 2 } else { 1 };
                assert_eq!(said.code, expected, "{said:?}");
                assert!(said.err.contains(why) && !said.err.is_empty(), "{why}: {said:?}");
                assert!(said.err.len() < 10_000);
            }
        }
        assert_eq!(lttngd(stage, &["apply", "/nowhere"]).code, 1);
        assert_eq!(lttngd(stage, &["export", "nothing"]).code, 1);
        assert!(!stage.lttng_ok("list").contains("1)"), "no session came to be");
        apply(stage, GOOD);
    });
}

#[test]
fn a_session_that_cannot_be_made_is_not_left_half_made() {
    alone(|stage| {
        let wrong = "version: 1\nsession: s\nust: {channels: [{name: c, rules: [{}]}, {name: d, attributes: {subbuf_size_bytes: 5}}]}\n";
        let said = with_document(stage, &["apply", "-"], wrong);
        assert!(said.code == 1 && said.err.contains("enable channel d"), "{said:?}");
        assert!(!stage.lttng_ok("list").contains("1)"), "it is not there");
        apply(stage, GOOD);
    });
}

#[test]
fn those_who_speak_badly_delay_nobody() {
    alone(|stage| {
        apply(stage, GOOD);
        let at_rest = stage.daemon.descriptors_at_rest();
        let said = |bytes: &[u8]| {
            let mut client = stage.arena.connect(SOCKET);
            client.write_all(bytes).unwrap();
            client
        };
        let mut waiting: Vec<_> = (0..3).map(|_| said(&[])).collect();
        waiting.extend((0..3).map(|_| said(&1000u32.to_ne_bytes())));
        apply(stage, GOOD);
        for wrong in [&u32::MAX.to_ne_bytes()[..], &[2, 0, 0, 0, b'{', b'}'], &[1, 0, 0, 0, 0xff]] {
            let mut reply = Vec::new();
            // What was not read of it makes it an error.
            let _ = said(wrong).read_to_end(&mut reply);
        }
        apply(stage, GOOD);
        for mut client in waiting {
            let _ = client.read_to_end(&mut Vec::new());
        }
        eventually("all of them have gone", || {
            (stage.daemon.descriptors() <= at_rest).then_some(())
        });
    });
}
