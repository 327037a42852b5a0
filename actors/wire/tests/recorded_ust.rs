//! Messages between the stock session daemon 2.13 and an application with LTTng-UST 2.13:
//! everything decodes, and encodes to the same bytes.

#![allow(clippy::unwrap_used)]

mod recording;

use lttngd_model::{
    AppContext, Bytecode, Encoding, EventFieldKind, Field, FieldType, FloatType, IntegerType,
    LogLevelRule, PerfContext,
};
use lttngd_wire::ust::Abi;
use lttngd_wire::ust::command::{
    COUNTER_CONFIGURATION_LEN, Command, CounterConfiguration, EVENT_NOTIFIER_LEN,
    EXCLUSION_NAME_LEN, EventNotifier, FIELD_ENTRY_LEN, FieldEntry, REPLY_LEN, REQUEST_LEN, Reply,
    UstContext, UstError, app_context, decode_exclusions, exclusions,
};
use lttngd_wire::ust::notify::{Answer, Head, HeaderType, KIND_LEN, Kind, Request, to_nestable};
use lttngd_wire::ust::registration::{REGISTRATION_LEN, Registration, SocketKind};
use recording::{message, messages, padded};

const DIRECTORY: &str = "ust";

fn command(name: &str) -> Command {
    let bytes = padded(message(DIRECTORY, "request", name), REQUEST_LEN);
    Command::decode(&bytes).unwrap().1
}

fn reply(name: &str) -> Reply {
    Reply::decode(&padded(message(DIRECTORY, "reply", name), REPLY_LEN), Abi::V9).unwrap()
}

/// Reads a request as a daemon does: number, fixed part, variable part.
fn decode_notify(bytes: &[u8]) -> Request {
    let (number, rest) = bytes.split_at(KIND_LEN);
    let kind = Kind::from_raw(u32::from_ne_bytes(number.try_into().unwrap())).unwrap();
    let (fixed, variable) = rest.split_at(kind.fixed_len(Abi::V9));
    let head = Head::decode(kind, fixed, Abi::V9).unwrap();
    assert_eq!(head.variable_len(), Ok(variable.len()));
    head.decode_variable(variable, Abi::V9).unwrap()
}

fn notify(name: &str) -> Request {
    decode_notify(&message(DIRECTORY, "notify", name))
}

#[test]
fn registrations() {
    for (name, socket) in [("command", SocketKind::Command), ("notify", SocketKind::Notify)] {
        let bytes = padded(message(DIRECTORY, "registration", name), REGISTRATION_LEN);
        let registration = Registration::decode(&bytes).unwrap();
        assert_eq!((registration.major, registration.minor), (9, 0));
        assert_eq!((registration.bits_per_long, registration.socket), (64, socket));
        assert_eq!(registration.name, "demo");
        assert_eq!(registration.encode(), bytes);
    }
}

#[test]
fn every_request_encodes_to_the_same_bytes() {
    let requests = messages(DIRECTORY, "request");
    assert!(requests.len() >= 29, "{}", requests.len());
    for (name, bytes) in requests {
        let bytes = padded(bytes, REQUEST_LEN);
        let (handle, command) = Command::decode(&bytes).unwrap();
        assert!(command.encode(handle) == bytes, "{name}: {command:?}");
        // The variant has the name that the stock header gives its number.
        let debug = format!("{command:?}").to_lowercase();
        let expected = name.split('-').next().unwrap().replace('_', "");
        assert!(debug.starts_with(&expected), "{name}: {debug}");
    }
}

#[test]
fn every_reply_encodes_to_the_same_bytes() {
    for (name, bytes) in messages(DIRECTORY, "reply") {
        let bytes = padded(bytes, REPLY_LEN);
        assert!(Reply::decode(&bytes, Abi::V9).unwrap().encode(Abi::V9) == bytes, "{name}");
    }
    assert_eq!(reply("tracer_version").tracer_version(), (2, 13, 5));
    assert_eq!(reply("tracepoint_list_get").tracepoint(), ("demo:empty".to_owned(), 4));
    let session = reply("session");
    assert!(session.check(0, Command::Session.number()).unwrap() > 0);
    let error = |name, number| {
        let reply = reply(name);
        reply.check(reply.handle, number).unwrap_err()
    };
    assert_eq!(error("tracepoint_list_get-error1025", 0x90), UstError::NoEntry);
    let perf = error("context-5-error1024", 0x70);
    assert!(matches!(perf, UstError::Unspecified { errno: 1.. }), "{perf:?}");
}

#[test]
fn event_rules() {
    let event = |name: &str| match command(name) {
        Command::Event { name, loglevel, token: 0 } => (name, loglevel),
        other => panic!("{other:?}"),
    };
    assert_eq!(event("event-1"), ("demo:*".to_owned(), LogLevelRule::Range(14)));
    assert_eq!(event("event-2"), ("demo:empty".to_owned(), LogLevelRule::Single(4)));
    assert_eq!(event("event-0"), ("demo:em*".to_owned(), LogLevelRule::All));
    let bytes = padded(message(DIRECTORY, "exclusions", ""), EXCLUSION_NAME_LEN);
    let names = decode_exclusions(&bytes).unwrap();
    assert_eq!(names, ["demo:all_x"]);
    assert_eq!(exclusions(&names), bytes);
    assert_eq!(command("exclusion"), Command::Exclusion { count: 1 });
}

#[test]
fn bytecode() {
    // `i_dec > 2`: code, then the relocation table.
    let data = message(DIRECTORY, "bytecode", "filter");
    assert_eq!(data, b"\x3B\xFF\xFF\x41\x02\0\0\0\0\0\0\0\x0E\x01\0\0i_dec\0");
    let filter = Bytecode { reloc_table_offset: 14, seqnum: 0, data };
    assert_eq!(command("filter"), Command::filter(&filter));
    let data = message(DIRECTORY, "bytecode", "capture0");
    let capture = Bytecode { reloc_table_offset: 5, seqnum: 0, data };
    assert_eq!(command("capture"), Command::capture(&capture));
}

#[test]
fn contexts() {
    assert_eq!(command("context-1"), Command::Context(UstContext::Plain { number: 1 }));
    let app = UstContext::App { provider_name_len: 7, ctx_name_len: 6 };
    assert_eq!(command("context-7"), Command::Context(app));
    let names = AppContext { provider: "myprov".to_owned(), name: "myctx".to_owned() };
    assert_eq!(app_context(&names, Abi::V9), message(DIRECTORY, "app_context", ""));
    let name = "perf_thread_cpu_cycles".to_owned();
    let perf = PerfContext { perf_type: 0, config: 0, name };
    assert_eq!(command("context-5"), Command::Context(UstContext::Perf(perf)));
}

#[test]
fn event_notifiers() {
    let bytes = padded(message(DIRECTORY, "event_notifier", ""), EVENT_NOTIFIER_LEN);
    let notifier = EventNotifier::decode(&bytes).unwrap();
    assert_eq!((notifier.name.as_str(), notifier.token), ("demo:all*", 1));
    assert_eq!(notifier.encode(Abi::V9), bytes);
    let bytes = padded(message(DIRECTORY, "counter_configuration", ""), COUNTER_CONFIGURATION_LEN);
    let configuration = CounterConfiguration::decode(&bytes).unwrap();
    assert_eq!(configuration, CounterConfiguration::error_counters(4096));
    assert_eq!(configuration.encode(Abi::V9), bytes);
    assert_eq!(command("counter_cpu"), Command::CounterCpu { len: 17408, cpu_nr: 0 });
}

#[test]
fn field_entries() {
    for (name, bytes) in messages(DIRECTORY, "field_entry") {
        let bytes = padded(bytes, FIELD_ENTRY_LEN);
        let entry = FieldEntry::decode(&bytes, Abi::V9).unwrap();
        assert_eq!(entry.encode(Abi::V9), bytes, "{name}");
        let kind = match name.as_str() {
            "none" | "type0" => EventFieldKind::Other,
            "type1" | "type1-nowrite" => EventFieldKind::Integer,
            "type2" => EventFieldKind::Enum,
            "type3" => EventFieldKind::Float,
            "type4" => EventFieldKind::String,
            other => panic!("{other}"),
        };
        assert_eq!(entry.kind, kind);
        assert_eq!(entry.nowrite, matches!(name.as_str(), "none" | "type1-nowrite"), "{name}");
        assert_eq!(entry.field_name.is_empty(), name == "none");
    }
}

#[test]
fn every_notify_request_encodes_to_the_same_bytes() {
    let requests = messages(DIRECTORY, "notify");
    assert!(requests.len() >= 7, "{}", requests.len());
    for (name, bytes) in requests {
        let mut again = decode_notify(&bytes).encode(Abi::V9);
        if name == "channel-context" {
            // Application contexts come with the number of ABI 8 variants and are read as the newer
            // type.
            let differing: Vec<usize> =
                (0..bytes.len()).filter(|at| bytes[*at] != again[*at]).collect();
            let [at] = differing[..] else { panic!("{differing:?}") };
            assert_eq!(((at - 48) % 920, bytes[at], again[at]), (256, 6, 12));
            again[at] = 6;
        }
        assert!(again == bytes, "{name}");
    }
    for (name, bytes) in messages(DIRECTORY, "answer") {
        let answer = Answer::decode(&bytes, Abi::V9).unwrap();
        assert_eq!(answer.encode(Abi::V9), bytes, "{name}");
        if let Answer::Channel { ret_code, header_type, .. } = answer {
            assert_eq!((ret_code, header_type), (0, HeaderType::Large));
        }
    }
}

fn integer(size_bits: u32, signed: bool, base: u32, encoding: Encoding) -> IntegerType {
    let reverse_byte_order = false;
    IntegerType { size_bits, signed, reverse_byte_order, base, encoding, alignment_bits: 8 }
}

fn decimal(size_bits: u32, signed: bool) -> IntegerType {
    integer(size_bits, signed, 10, Encoding::None)
}

fn float(exp_dig: u32, mant_dig: u32) -> FieldType {
    let reverse_byte_order = false;
    FieldType::Float(FloatType { exp_dig, mant_dig, reverse_byte_order, alignment_bits: 8 })
}

#[test]
fn the_fields_of_an_event() {
    let Request::Event { name, loglevel, signature, fields, model_emf_uri, .. } =
        notify("event-demo_all_types")
    else {
        panic!()
    };
    assert_eq!((name.as_str(), loglevel, model_emf_uri), ("demo:all_types", 13, None));
    assert_eq!(signature, "int, v, const char *, s, int *, seq, unsigned, n");
    let array = |length, element| FieldType::Array {
        length,
        alignment_bytes: 0,
        element: Box::new(FieldType::Integer(element)),
        legacy: false,
    };
    let sequence = |length_name: &str, element| FieldType::Sequence {
        length_name: length_name.to_owned(),
        alignment_bytes: 0,
        element: Box::new(FieldType::Integer(element)),
    };
    let color = |id| FieldType::Enumeration {
        name: "demo_color".to_owned(),
        id,
        container: decimal(32, true),
        legacy: false,
    };
    let text = integer(8, true, 10, Encoding::Utf8);
    let network = IntegerType { reverse_byte_order: true, ..decimal(32, false) };
    let length = || FieldType::Integer(decimal(32, false));
    let expected = [
        ("i_dec", FieldType::Integer(decimal(32, true))),
        ("i_hex", FieldType::Integer(integer(8, false, 16, Encoding::None))),
        ("i_net", FieldType::Integer(network)),
        ("a_txt", array(5, text)),
        ("a_i64", array(1, decimal(64, true))),
        ("_q_int_length", length()),
        ("q_int", sequence("_q_int_length", decimal(32, true))),
        ("_q_txt_length", length()),
        ("q_txt", sequence("_q_txt_length", text)),
        ("str", FieldType::String(Encoding::Utf8)),
        ("f32", float(8, 24)),
        ("f64", float(11, 53)),
        ("e_col", color(0)),
    ]
    .map(|(name, kind)| Field { name: name.to_owned(), kind });
    assert_eq!(fields, expected);
    let Request::Event { fields, model_emf_uri, .. } = notify("event-demo_empty") else { panic!() };
    assert_eq!(fields, []);
    assert_eq!(model_emf_uri.unwrap(), "http://example.com/demo/empty");
}

#[test]
fn the_entries_of_an_enumeration() {
    let Request::Enumeration { name, entries, .. } = notify("enum-demo_color") else { panic!() };
    assert_eq!(name, "demo_color");
    let entries: Vec<_> = entries
        .iter()
        .map(|e| (e.label.as_str(), e.start.value as i64, e.end.value as i64, e.auto))
        .collect();
    let expected = [("red", 0, 0, false), ("warm", 1, 4, false), ("negative", -3, -3, false)];
    assert_eq!(entries[..3], expected);
    assert_eq!((entries[3].0, entries[3].3), ("next", true));
}

#[test]
fn the_context_of_a_channel() {
    let Request::Channel { context, .. } = notify("channel-context") else { panic!() };
    let names: Vec<&str> = context.iter().map(|field| field.name.as_str()).collect();
    let app = "$app.myprov:myctx";
    assert_eq!(names, ["vpid", "procname", "$app.myprov:myctx_tag", app, "vtid"]);
    let FieldType::Variant { tag, choices, legacy: false, .. } = &context[3].kind else { panic!() };
    assert_eq!((tag.as_str(), choices.len()), ("$app.myprov:myctx_tag", 12));
    assert_eq!(choices[0].name, "none");
    assert!(matches!(choices[0].kind, FieldType::Struct { nr_fields: 0, .. }));
    assert_eq!(to_nestable(context.clone()), Ok(context));
    let Request::Channel { context, .. } = notify("channel") else { panic!() };
    assert_eq!(context, []);
}
