//! Texts: what is read, and what is said of what is not.

use std::fmt::Write;

use crate::{
    ContextField, DOCUMENT_MAX_LEN, EventRule, Level, LogLevel, Mode, ReadError, json, read,
    schema, yaml,
};

const BEGIN: &str = "version: 1\nsession: s\nstarted: false\n";

fn complaint(text: &str) -> String {
    read(text).expect_err(text).to_string()
}

#[test]
fn what_is_wrong_is_said_with_its_path() {
    let with = |text: &str| complaint(&format!("{BEGIN}{text}"));
    for (text, path) in [
        ("colour: red", "colour"),
        ("ust: {channels: [{name: c, rules: [{nmae: x}]}]}", "ust.channels[0].rules[0]"),
        ("ust: {channels: [{name: c, attributes: {num_subbuf: many}}]}", "num_subbuf"),
        ("mode: sideways", "mode"),
        ("ust: {channels: [{name: c, contexts: [colour]}]}", "ust.channels[0].contexts[0]"),
        ("ust: {channels: [{name: ../c}]}", "ust.channels[0].name"),
        ("ust: {channels: [{name: c}, {name: c}]}", "ust.channels[1].name"),
        ("ust: {channels: [{name: c, rules: [{}, {name: '**'}]}]}", "ust.channels[0].rules[1]"),
        ("ust: {channels: [{name: c, rules: [{filter: 'x =='}]}]}", "rules[0].filter"),
        ("ust: {channels: [{name: c, rules: [{loglevel: {range: LOUD}}]}]}", "rules[0].loglevel"),
        ("ust: {channels: [{name: lttng_jul_channel}]}", "ust.channels[0].name"),
        ("jul: {rules: [{exclusions: [x]}]}", "jul.rules[0].exclusions"),
        ("ust: {trackers: {pid: [1]}}", "ust.trackers.pid"),
        ("output: {path: /a/../b}", "output.path"),
        ("output: {path: a}", "output.path"),
        ("output: {url: 'net://'}", "output"),
        ("output: {url: 'net://h/../x'}", "output"),
        ("shared_memory_path: ../x", "shared_memory_path"),
        ("mode: {live: {timer_interval_us: 0}}", "mode.live.timer_interval_us"),
        ("end: {at: tomorrow}", "end.at"),
        ("rotation: {period_us: 0}", "rotation.period_us"),
        ("snapshot_outputs: []", "snapshot_outputs"),
        ("kernel: {channels: [{name: k, rules: [{kind: probe}]}]}", "rules[0].probe"),
        ("started: true", "started"),
    ] {
        let said = with(text);
        assert!(said.contains(path), "{text}: {said}");
    }
    for name in ["..", ".", "a/b", "../../etc", "", "a\nb"] {
        let text = format!(r#"{{"version": 1, "session": {name:?}, "started": false}}"#);
        assert!(complaint(&text).starts_with("session: "), "{name:?}");
    }
    assert!(complaint("version: 1").contains("session"));
    assert!(complaint("").contains("version") || !complaint("").is_empty());
}

#[test]
fn another_version_is_named_whatever_else_it_has() {
    for text in [
        "version: 2\nnews: [1]\n",
        "news: [1]\nversion: 2\n",
        r#"{"session": 5, "news": null, "version": 2}"#,
    ] {
        let error = read(text).unwrap_err();
        assert!(matches!(error, ReadError::Version(2)), "{error}");
        assert!(error.to_string().contains("version 2"), "{error}");
    }
}

#[test]
fn what_would_blow_up_does_not() {
    let long = format!("{BEGIN}# {}\n", "x".repeat(10 << 20));
    assert!(matches!(read(&long), Err(ReadError::TooLong { len }) if len > 10 << 20));
    let mut laughs = format!("{BEGIN}a: &a [lol, lol, lol, lol, lol, lol, lol, lol]\n");
    for (at, letter) in ('b'..='z').enumerate() {
        let before = char::from(b'a' + u8::try_from(at).unwrap());
        let many = vec![format!("*{before}"); 9].join(", ");
        writeln!(laughs, "{letter}: &{letter} [{many}]").unwrap();
    }
    let cycle = format!("{BEGIN}ust: &u {{channels: [{{name: c, rules: *u}}]}}\n");
    let deep = format!("{BEGIN}ust: {}{}", "[".repeat(100_000), "]".repeat(100_000));
    let deep_json = format!(r#"{{"version": 1, "ust": {}"#, "[".repeat(100_000));
    for text in [laughs, cycle, deep, deep_json, "\u{0}".to_owned(), "%YAML 9".to_owned()] {
        assert!(complaint(&text).len() < 10_000);
    }
    const { assert!(DOCUMENT_MAX_LEN < 10 << 20) };
}

#[test]
fn anchors_say_again_what_was_said() {
    let text = format!(
        "{BEGIN}ust:\n  channels:\n    - {{name: c, rules: &r [{{name: a}}]}}\n    - {{name: d, rules: *r}}\n"
    );
    let ust = read(&text).unwrap().remove(0).ust.unwrap();
    assert_eq!(ust.channels[0].rules, ust.channels[1].rules);
}

#[test]
fn a_saved_session_is_a_document() {
    let saved = r#"<?xml version="1.0" encoding="UTF-8"?>
<sessions>
 <session><name>mine</name><domains>
  <domain><type>UST</type><buffer_type>PER_UID</buffer_type><channels>
   <channel><name>c</name><enabled>true</enabled><overwrite_mode>DISCARD</overwrite_mode>
    <subbuffer_size>65536</subbuffer_size><subbuffer_count>4</subbuffer_count>
    <switch_timer_interval>0</switch_timer_interval><read_timer_interval>0</read_timer_interval>
    <output_type>MMAP</output_type>
    <events><event><name>a:*</name><enabled>true</enabled><type>TRACEPOINT</type>
     <loglevel_type>RANGE</loglevel_type><loglevel>4</loglevel><filter>x == 1</filter></event></events>
    <contexts><context><type>CALLSTACK_USER</type></context></contexts>
   </channel></channels></domain>
  <domain><type>JUL</type><buffer_type>PER_UID</buffer_type><channels>
   <channel><name>lttng_jul_channel</name><read_timer_interval>0</read_timer_interval>
    <output_type>MMAP</output_type>
    <events><event><name>org.app</name><enabled>true</enabled><type>TRACEPOINT</type>
     <loglevel_type>ALL</loglevel_type>
     <filter>(x == 1) &amp;&amp; (logger_name == "org.app")</filter></event></events>
   </channel></channels></domain>
 </domains><started>false</started>
 <attributes><snapshot_mode>true</snapshot_mode></attributes></session>
 <session><name>other</name><started>false</started></session>
</sessions>"#;
    let documents = read(saved).unwrap();
    assert_eq!(documents.len(), 2);
    let [mine, other] = &documents[..] else { panic!("{documents:?}") };
    assert_eq!((mine.session.as_str(), mine.mode, mine.started), ("mine", Mode::Snapshot, false));
    let channel = &mine.ust.as_ref().unwrap().channels[0];
    assert_eq!(channel.attributes.subbuf_size_bytes, Some(65536));
    assert_eq!(channel.contexts, [ContextField::CallstackUser]);
    let rule = EventRule {
        name: "a:*".to_owned(),
        loglevel: Some(LogLevel::Range(Level::Number(4))),
        filter: Some("x == 1".to_owned()),
        ..EventRule::default()
    };
    assert_eq!(channel.rules, [rule]);
    let logged = &mine.jul.as_ref().unwrap().rules[0];
    assert_eq!(logged.filter.as_deref(), Some("x == 1"), "without what clients add");
    for document in [mine, other] {
        assert_eq!(&read(&yaml(document)).unwrap()[0], document);
        assert_eq!(&read(&json(document)).unwrap()[0], document);
    }
}

#[test]
fn the_schema_is_the_one_that_is_published() {
    let published = include_str!("../../../../docs/document.schema.json");
    assert_eq!(schema(), published, "write `lttngd schema` there");
}
