//! Files that the stock daemon saved, and files that nobody should load.

#![allow(clippy::unwrap_used)]

use lttngd_model::{ProbeAttributes, ProcessAttribute};

use super::*;

macro_rules! recorded {
    ($name:literal) => {
        ($name, include_str!(concat!("../../../tests/recorded/save/", $name, ".lttng")))
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
    assert_eq!(started.attributes.rotation_schedules.size_threshold_bytes, 16 << 20);
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

/// A file with one event, whose element has this in it.
fn event(inner: &str) -> String {
    format!(
        "<sessions><session><name>a</name><domains><domain><type>KERNEL</type>\
         <buffer_type>GLOBAL</buffer_type><channels><channel><name>c</name>\
         <read_timer_interval>0</read_timer_interval><output_type>SPLICE</output_type>\
         <events><event>{inner}</event></events></channel></channels></domain></domains></session>\
         </sessions>"
    )
}

#[test]
fn attributes_of_probes_are_read_and_written() {
    let probe = |address, symbol: &str, offset| {
        Some(ProbeAttributes { address, offset, symbol: symbol.to_owned() })
    };
    for (inner, expected) in [
        ("<probe_attributes><address>5</address></probe_attributes>", probe(5, "", 0)),
        (
            "<probe_attributes><symbol_name>s</symbol_name><offset>3</offset></probe_attributes>",
            probe(0, "s", 3),
        ),
        (
            "<function_attributes><symbol_name>f</symbol_name></function_attributes>",
            probe(0, "f", 0),
        ),
        (
            "<userspace_probe_function_attributes><lookup_method>ELF</lookup_method>\
             <binary_path>/b</binary_path><function_name>f</function_name>\
             </userspace_probe_function_attributes>",
            None,
        ),
        (
            "<userspace_probe_tracepoint_attributes><lookup_method>SDT</lookup_method>\
             <binary_path>/b</binary_path><provider_name>p</provider_name><probe_name>n</probe_name>\
             </userspace_probe_tracepoint_attributes>",
            None,
        ),
    ] {
        let sessions = read(&event(&format!("<attributes>{inner}</attributes>"))).unwrap();
        let saved = &sessions[0].domains[0].channels[0].events[0];
        let attributes = saved.attributes.as_ref().unwrap();
        assert_eq!(attributes.probe(), expected, "{inner}");
        // A place in a program and one in the kernel are told by different attributes.
        let location = attributes.location();
        assert_eq!(location.is_some(), expected.is_none(), "{inner}");
        if let Some(location) = location {
            assert_eq!(location.binary_path(), "/b");
            assert_eq!(SavedEventAttributes::from(location), *attributes);
        }
        let written: String = write(&sessions).lines().map(str::trim).collect();
        assert!(written.contains(&format!("<attributes>{inner}</attributes>")), "{written}");
    }
    for inner in [
        "",
        "<probe_attributes/><function_attributes><symbol_name>f</symbol_name></function_attributes>",
    ] {
        assert!(read(&event(&format!("<attributes>{inner}</attributes>"))).is_err(), "{inner}");
    }
}

#[test]
fn of_rotation_schedules_the_last_ones_count() {
    let read = |inner: &str| {
        let text = format!(
            "<sessions><session><name>a</name><attributes><rotation_schedules>{inner}\
             </rotation_schedules></attributes></session></sessions>"
        );
        read(&text).map(|sessions| sessions[0].attributes.rotation_schedules)
    };
    let period = |us: u64| format!("<periodic><time_us>{us}</time_us></periodic>");
    let size = "<size_threshold><bytes>7</bytes></size_threshold>";
    let saved = read(&format!("{}{size}{}", period(1), period(2))).unwrap();
    assert_eq!(saved, SavedRotationSchedules { period_us: 2, size_threshold_bytes: 7 });
    for inner in ["", "<periodic/>", "<size_threshold/>"] {
        assert!(read(inner).is_err(), "{inner}");
    }
}

#[test]
fn files_say_in_which_encoding_they_are() {
    let file = |encoding: &str| {
        format!(
            "<?xml version='1.0' encoding='{encoding}'?><sessions><session><name>é</name></session></sessions>"
        )
    };
    let utf16 = |text: &str, to_bytes: fn(u16) -> [u8; 2]| {
        let text = format!("\u{feff}{text}");
        text.encode_utf16().flat_map(to_bytes).collect::<Vec<u8>>()
    };
    let latin1: Vec<u8> = file("ISO-8859-1").chars().map(|char| char as u8).collect();
    for bytes in [
        file("utf-8").into_bytes(),
        file("UTF-8").replacen(" encoding='UTF-8'", "", 1).into_bytes(),
        format!("\u{feff}{}", file("UTF-8")).into_bytes(),
        latin1.clone(),
        utf16(&file("UTF-16"), u16::to_le_bytes),
        utf16(&file("UTF-16"), u16::to_be_bytes),
    ] {
        assert_eq!(read(&decode(&bytes).unwrap()).unwrap()[0].name, "é");
    }
    let text = String::from_utf8_lossy(&latin1).replace("ISO-8859-1", "UTF-8");
    assert!(decode(&latin1).is_ok() && text.contains(char::REPLACEMENT_CHARACTER));
    for bytes in [
        file("US-ASCII").into_bytes(),
        file("EBCDIC").into_bytes(),
        vec![0xff, 0xfe, 0x3c],
        vec![0xff, 0xfe, 0x00, 0xd8],
        vec![b'<', 0xe9],
    ] {
        assert!(decode(&bytes).is_err(), "{bytes:?}");
    }
}

#[test]
fn elements_may_be_meant_for_a_schema() {
    let text = "<sessions xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' \
        xsi:noNamespaceSchemaLocation='session.xsd'><session xmlns:y='urn:y'><name>a&amp;b<!-- c --></name>\
        <started>false</started></session></sessions>";
    let sessions = read(text).unwrap();
    assert_eq!((sessions[0].name.as_str(), sessions[0].started), ("a&b", Some(false)));
    for wrong in ["xmlns='urn:y'", "version='2'", "xmlns:y='urn:y' y:a='1'", "xmlns:y='urn:y' a"] {
        let text = format!("<sessions {wrong}><session><name>a</name></session></sessions>");
        assert!(read(&text).is_err(), "{wrong}");
    }
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
        domain(
            "<type>UST</type><buffer_type>PER_UID</buffer_type><channels><channel><name>c</name><read_timer_interval>0</read_timer_interval><output_type>MMAP</output_type><blocking_timeout>2147483648000</blocking_timeout></channel></channels>",
        ),
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

#[test]
fn a_file_of_a_newer_version_is_read_without_what_there_is_not_here() {
    let newer = include_str!("../../../tests/recorded/save/newer.lttng");
    let (sessions, left_out) = read_any(newer).unwrap();
    let expected = [
        "CPU_ID",
        "LOG4J2",
        "allocation_policy",
        "preallocation_policy",
        "trace_format",
        "triggers",
        "watchdog_timer_interval",
    ];
    assert_eq!(left_out.into_iter().collect::<Vec<_>>(), expected);
    let [session] = sessions.as_slice() else { panic!("{sessions:?}") };
    let kinds: Vec<_> = session.domains.iter().map(|domain| domain.kind).collect();
    use SavedDomainType as T;
    assert_eq!(kinds, [T::Ust, T::Jul, T::Log4j, T::Python]);
    let channel = &session.domains[0].channels[0];
    assert_eq!((channel.subbuffer_count, channel.blocking_timeout_us), (Some(8), Some(100)));
    assert_eq!(channel.events.len(), 2);
    let contexts: Vec<_> = channel.contexts.iter().map(|it| it.plain.as_deref()).collect();
    assert_eq!(contexts, [Some("VPID")]);
    assert_eq!(read_any(RECORDED[1].1).unwrap().1.len(), 0, "an older one has nothing of it");
}

#[test]
fn an_element_is_left_out_only_where_newer_versions_have_it() {
    let session =
        |inner: &str| format!("<sessions><session><name>s</name>{inner}</session></sessions>");
    let empty = session("<trace_format/>");
    assert_eq!(read_any(&empty).unwrap().1.into_iter().collect::<Vec<_>>(), ["trace_format"]);
    for wrong in ["<triggers/>", "<allocation_policy>PER_CPU</allocation_policy>", "<trace_format>"]
    {
        assert!(read_any(&session(wrong)).is_err(), "{wrong}");
    }
    // A session may be called so.
    let named = "<sessions><session><name>CPU_ID</name></session></sessions>";
    assert_eq!(read_any(named).unwrap().0[0].name, "CPU_ID");
    let domain = "<domains><domain><buffer_type>PER_UID</buffer_type><type>LOG4J2</type><channels><channel/></channels>\
        </domain></domains><started>true</started>";
    let (sessions, left_out) = read_any(&session(domain)).unwrap();
    assert_eq!(left_out.into_iter().collect::<Vec<_>>(), ["LOG4J2"]);
    assert_eq!((sessions[0].domains.len(), sessions[0].started), (0, Some(true)));
}
