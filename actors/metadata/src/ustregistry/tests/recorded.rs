//! The same registrations that the stock daemon turned into the recorded texts
//! (`tests/recorded/metadata`, LTTng-tools 2.13.9 with LTTng-UST 2.13.5 on x86-64).

use lttngd_model::{Field, IntegerType, Timestamp};

use super::event;
use crate::tsdl::samples::*;
use crate::tsdl::{Clock, HeaderType, Scheme, TraceDescription};
use crate::ustregistry::{Enumeration, EventRegistration, UstRegistry};

const PER_UID: &str = include_str!("../../../../../tests/recorded/metadata/per-uid.txt");
const PER_PID: &str = include_str!("../../../../../tests/recorded/metadata/per-pid.txt");

fn clock() -> Clock {
    Clock::monotonic(
        Some("a9ddec16-078b-467b-9d25-6de3794a5339".to_owned()),
        1_795_402_056_848_279_090,
    )
}

/// The recorded text with its one date, which was written in UTC, as this process writes it.
fn recorded(text: &str, date: &str, at: Timestamp) -> String {
    assert!(text.contains(date));
    text.replace(date, &at.iso8601_basic())
}

/// Compares line by line, so that a failure shows where.
fn assert_same_text(ours: &[u8], stock: &str) {
    let ours = std::str::from_utf8(ours).unwrap();
    for (at, (ours, stock)) in ours.lines().zip(stock.lines()).enumerate() {
        assert_eq!(ours, stock, "line {}", at + 1);
    }
    assert_eq!(ours, stock);
}

fn hex(bits: u32) -> IntegerType {
    IntegerType { base: 16, ..integer_type(bits, false) }
}

fn network(kind: IntegerType) -> IntegerType {
    IntegerType { reverse_byte_order: true, ..kind }
}

fn integer(name: &str, kind: IntegerType) -> Field {
    field(name, lttngd_model::FieldType::Integer(kind))
}

fn integers(one_bits: u32) -> EventRegistration {
    EventRegistration {
        loglevel: 4,
        model_emf_uri: Some("http://example.com/integers?a=1".to_owned()),
        ..event(
            "rec:integers",
            vec![
                unsigned("one", one_bits),
                signed("wide", 64),
                integer("hex", hex(32)),
                integer("net", network(integer_type(32, false))),
                integer("net_hex", network(hex(16))),
            ],
        )
    }
}

fn texts() -> EventRegistration {
    let fields = vec![
        string("str"),
        float("f", 8, 24),
        float("d", 11, 53),
        array("a_txt", 5, text_type()),
        unsigned("_q_txt_length", 16),
        sequence("q_txt", text_type()),
    ];
    event("rec:texts", fields)
}

fn compounds(color: u64, level: u64) -> EventRegistration {
    let plain = integer_type(16, false);
    let fields = vec![
        array("a_dec", 4, plain),
        array("a_hex", 4, hex(16)),
        array("a_net", 4, network(plain)),
        unsigned("_q_dec_length", 32),
        sequence("q_dec", plain),
        unsigned("_q_hex_length", 8),
        sequence("q_hex", hex(16)),
        unsigned("_q_net_length", 64),
        sequence("q_net", network(hex(16))),
        enumeration("e_int", "rec_color", color, integer_type(32, true)),
        enumeration("e_byte", "rec_level", level, integer_type(8, false)),
    ];
    event("rec:compounds", fields)
}

/// What the context fields of one application are: eight contexts, the last one an application's own.
fn context(registry: &mut UstRegistry) -> Vec<Field> {
    const CHOICES: [&str; 11] = [
        "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float",
        "double", "string",
    ];
    let labels = ["none"].into_iter().chain(CHOICES).zip(0..);
    let entries = labels.map(|(label, value)| range(&format!("_{label}"), value, value)).collect();
    let id = registry.register_enumeration(Enumeration::new("dynamic_type_enum", entries)).unwrap();
    let mut choices = vec![empty_struct("none")];
    for (name, bits) in CHOICES.into_iter().zip([8, 16, 32, 64, 8, 16, 32, 64]) {
        choices.push(integer(name, integer_type(bits, name.starts_with('i'))));
    }
    choices.extend([float("float", 8, 24), float("double", 11, 53), string("string")]);
    let (name, tag) = ("$app.myprov:myctx", "$app.myprov:myctx_tag");
    vec![
        signed("vpid", 32),
        signed("vtid", 32),
        array("procname", 17, text_type()),
        unsigned("ip", 64),
        unsigned("pthread_id", 64),
        unsigned("vuid", 32),
        unsigned("mnt_ns", 64),
        enumeration(tag, "dynamic_type_enum", id, integer_type(8, true)),
        variant(name, tag, choices),
    ]
}

#[test]
fn per_uid_text_is_that_of_the_stock_daemon() {
    let created_at = Timestamp { epoch_s: 1_795_403_729 };
    let mut registry = UstRegistry::new(TraceDescription {
        uuid: *uuid::uuid!("6c298a6c-911b-47b7-a361-d0a70d88e288").as_bytes(),
        session_name: r#"rec "one" \ two"#.to_owned(),
        session_created_at: created_at,
        hostname: "vm".to_owned(),
        clock: clock(),
        ..description()
    });
    let (two, one) = (registry.add_channel(), registry.add_channel());
    assert_eq!((two, one), (0, 1));

    // The first application was there before the session: events come before streams.
    assert_eq!(registry.register_event(one, integers(8)), Ok(0));
    assert_eq!(registry.register_event(one, texts()), Ok(1));
    let color = vec![
        range("RED", 0, 0),
        range("GRE\"EN\\X", 1, 1),
        range("BLUES", 10, 20),
        range("NEG", -3, -3),
        counted_up("AUTO1"),
        range("AROUND", -25, -5),
    ];
    let level =
        vec![unsigned_range("LOW", 0, 0), counted_up("NEXT"), unsigned_range("HIGH", 200, 255)];
    let color = registry.register_enumeration(Enumeration::new("rec_color", color)).unwrap();
    let level = registry.register_enumeration(Enumeration::new("rec_level", level)).unwrap();
    assert_eq!(registry.register_event(one, compounds(color, level)), Ok(2));
    assert_eq!(registry.register_event(one, event("rec:empty", vec![])), Ok(3));
    assert_eq!(registry.register_event(two, event("rec:empty", vec![])), Ok(0));
    let fields = context(&mut registry);
    assert_eq!(registry.register_channel(one, fields.clone()), Ok(HeaderType::Large));
    assert_eq!(registry.register_channel(two, vec![]), Ok(HeaderType::Large));

    // The second one differs in one field of one event.
    assert_eq!(context(&mut registry), fields);
    assert_eq!(registry.register_channel(one, fields), Ok(HeaderType::Large));
    assert_eq!(registry.register_event(one, integers(16)), Ok(4));
    assert_eq!(registry.register_event(one, compounds(color, level)), Ok(2));

    let stock = recorded(PER_UID, "20261123T031529+0000", created_at);
    assert_same_text(&registry.metadata(), &streams_first(&stock, &[one, two]));
}

/// The text of the stock daemon, with the events that came before their streams behind these.
fn streams_first(text: &str, order: &[u32]) -> String {
    let mut blocks = vec![String::new()];
    for line in text.split_inclusive('\n') {
        if line == "stream {\n" || line == "event {\n" {
            blocks.push(String::new());
        }
        blocks.last_mut().unwrap().push_str(line);
    }
    let after_streams = blocks.iter().rposition(|block| block.starts_with("stream")).unwrap() + 1;
    let late = blocks.split_off(after_streams);
    let mut sorted = blocks.remove(0);
    for stream in order {
        let of_stream = |block: &&String| {
            let key = if block.starts_with("stream") { "\tid" } else { "\tstream_id" };
            block.contains(&format!("{key} = {stream};"))
        };
        let (described, events): (Vec<_>, Vec<_>) =
            blocks.iter().filter(of_stream).partition(|block| block.starts_with("stream"));
        sorted.extend(described.into_iter().chain(events).map(String::as_str));
    }
    sorted.extend(late);
    sorted
}

#[test]
fn per_pid_text_is_that_of_the_stock_daemon() {
    let at = Timestamp { epoch_s: 1_795_403_731 };
    let mut registry = UstRegistry::new(TraceDescription {
        uuid: *uuid::uuid!("3beaa189-ea8e-48f2-98bf-7343333fe49f").as_bytes(),
        scheme: Scheme::Pid { pid: 8096, procname: "app".to_owned(), registered_at: at },
        session_name: "auto-20261123-031531".to_owned(),
        auto_named: true,
        session_created_at: at,
        hostname: "vm".to_owned(),
        clock: clock(),
        ..description()
    });
    let channel = registry.add_channel();
    assert_eq!(registry.register_channel(channel, vec![]), Ok(HeaderType::Large));
    assert_eq!(registry.register_event(channel, texts()), Ok(0));
    assert_same_text(&registry.metadata(), &recorded(PER_PID, "20261123T031531+0000", at));
}
