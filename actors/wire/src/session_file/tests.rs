//! Files that the stock daemon saved, and files that nobody should load.

#![allow(clippy::unwrap_used)]

use lttngd_model::ProcessAttribute;

use super::*;

macro_rules! recorded {
    ($name:literal) => {
        ($name, include_str!(concat!("../../../../tests/recorded/save/", $name, ".lttng")))
    };
}

const RECORDED: [(&str, &str); 8] = [
    recorded!("empty"),
    recorded!("events"),
    recorded!("started"),
    recorded!("noout"),
    recorded!("snap"),
    recorded!("snapnone"),
    recorded!("net"),
    recorded!("escaped"),
];

#[test]
fn what_the_stock_daemon_saved_is_read_and_written_to_the_byte() {
    for (name, text) in RECORDED {
        let sessions = read(text).unwrap();
        assert_eq!(sessions.len(), 1, "{name}");
        assert_eq!(write(&sessions), text, "{name}");
    }
}

#[test]
fn every_part_is_read() {
    let sessions = read(RECORDED[1].1).unwrap();
    let ust = &sessions[0].domains[0];
    assert_eq!((ust.kind, ust.buffer_type), (SavedDomainType::Ust, SavedBufferType::PerPid));
    let channel = ust.channels.iter().find(|channel| channel.name == "chan1").unwrap();
    assert_eq!(channel.overwrite_mode, Some(SavedOverwriteMode::Overwrite));
    assert_eq!(channel.subbuffer_size_bytes, Some(8192));
    let event = |name: &str| {
        channel.events.iter().find(|event| event.name.as_deref() == Some(name)).unwrap()
    };
    assert_eq!(event("tp:*").exclusions, ["tp:a", "tp:b*"]);
    let filter = r#"name == "a<b" && $ctx.procname != "it's" || x > 3"#;
    assert_eq!(event("tp:f").filter.as_deref(), Some(filter));
    assert_eq!(event("tp:two").loglevel, Some(6));
    assert!(!event("tp:one").enabled);
    assert_eq!(channel.contexts[3].perf.as_ref().unwrap().name, "perf_thread_cpu_cycles");
    let started = &read(RECORDED[2].1).unwrap()[0];
    assert_eq!(started.attributes.rotation_schedules.size_threshold.bytes, 16 << 20);
    assert_eq!(started.started, Some(true));
}

#[test]
fn trackers_are_read_and_written() {
    let text = "<sessions><session><name>a</name><domains><domain><type>UST</type>\
        <buffer_type>PER_UID</buffer_type><process_attr_trackers>\
        <vpid_process_attr_tracker><process_attr_values><vpid><id>1</id></vpid><vpid><id>2</id></vpid>\
        </process_attr_values></vpid_process_attr_tracker>\
        <vuid_process_attr_tracker><process_attr_values><vuid><name>root</name></vuid>\
        </process_attr_values></vuid_process_attr_tracker>\
        <vgid_process_attr_tracker><process_attr_values/></vgid_process_attr_tracker>\
        </process_attr_trackers></domain></domains></session></sessions>";
    let sessions = read(text).unwrap();
    let trackers = &sessions[0].domains[0].process_attr_trackers.as_ref().unwrap().0;
    let tracker = |attribute, values| SavedTracker { attribute, values };
    assert_eq!(
        *trackers,
        [
            tracker(
                ProcessAttribute::VirtualProcessId,
                vec![TrackedValue::Id(1), TrackedValue::Id(2)]
            ),
            tracker(ProcessAttribute::VirtualUserId, vec![TrackedValue::Name("root".to_owned())]),
            tracker(ProcessAttribute::VirtualGroupId, Vec::new()),
        ]
    );
    assert_eq!(read(&write(&sessions)).unwrap()[0].domains, sessions[0].domains);
}

#[test]
fn the_tracker_of_older_versions_is_read() {
    let text = |inner: &str| {
        format!(
            "<sessions><session><name>a</name><domains><domain><type>UST</type>\
             <buffer_type>PER_UID</buffer_type>{inner}</domain></domains></session></sessions>"
        )
    };
    let trackers = |inner: &str| {
        let sessions = read(&text(inner)).unwrap();
        sessions[0].domains[0].process_attr_trackers.clone().unwrap().0
    };
    assert_eq!(trackers("<trackers/>"), []);
    let attribute = ProcessAttribute::VirtualProcessId;
    let none = "<trackers><pid_tracker><targets/></pid_tracker></trackers>";
    assert_eq!(trackers(none), [SavedTracker { attribute, values: Vec::new() }]);
    let some = "<trackers><pid_tracker><targets><pid_target><pid>42</pid></pid_target>\
        <pid_target><pid>1337</pid></pid_target></targets></pid_tracker></trackers>";
    let values = vec![TrackedValue::Id(42), TrackedValue::Id(1337)];
    assert_eq!(trackers(some), [SavedTracker { attribute, values }]);
    assert!(read(&text(&format!("{none}<process_attr_trackers/>"))).is_err(), "both");
}

#[test]
fn files_that_the_schema_does_not_take() {
    let session = |inner: &str| format!("<sessions><session>{inner}</session></sessions>");
    let domain = |inner: &str| {
        session(&format!("<name>a</name><domains><domain>{inner}</domain></domains>"))
    };
    for text in [
        String::new(),
        "<sessions/>".to_owned(),
        "no file".to_owned(),
        "<sessions><session>".to_owned(),
        session(""),
        session("<name>a</name><colour>red</colour>"),
        session("<name>a</name><name>b</name>"),
        session("<name>a</name><started>perhaps</started>"),
        session(
            "<name>a</name><output><consumer_output><enabled>true</enabled><destination/></consumer_output></output>",
        ),
        domain("<type>UST</type>"),
        domain("<type>MARS</type><buffer_type>PER_UID</buffer_type>"),
        domain(
            "<type>UST</type><buffer_type>PER_UID</buffer_type></domain><domain><type>UST</type><buffer_type>PER_PID</buffer_type>",
        ),
        domain(
            "<type>UST</type><buffer_type>PER_UID</buffer_type><channels><channel><name>c</name></channel></channels>",
        ),
        domain(
            "<type>UST</type><buffer_type>PER_UID</buffer_type><channels><channel><name>c</name><read_timer_interval>-1</read_timer_interval><output_type>MMAP</output_type></channel></channels>",
        ),
        domain(
            "<type>UST</type><buffer_type>PER_UID</buffer_type><channels><channel><name>c</name><read_timer_interval>0</read_timer_interval><output_type>MMAP</output_type><contexts><context/></contexts></channel></channels>",
        ),
    ] {
        assert!(read(&text).is_err(), "{text}");
    }
}
