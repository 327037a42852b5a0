#![allow(clippy::unwrap_used)]

mod readable;

use lttngd_model::{Bitness, Encoding, EnumerationEntry, Field, FieldType, IntegerType, Timestamp};
use lttngd_wire::ust::registration::Alignments;

use super::field::FieldWriter;
use super::samples::*;
use super::{
    Clock, FIELD_NESTING_MAX, FieldError, HeaderType, Preamble, Scheme, TraceDescription,
    event_block, preamble, stream_block,
};
use crate::ustregistry::EventRegistration;

fn written_with(entries: &[EnumerationEntry], fields: Vec<Field>) -> Result<String, FieldError> {
    let known = |name: &str, id| (name == "p_e" && id == 3).then_some(entries);
    let mut text = String::new();
    FieldWriter { out: &mut text, entries: &known }.fields(&fields, 2)?;
    Ok(text.lines().map(|line| line.strip_prefix("\t\t").unwrap().to_owned() + "\n").collect())
}

fn written(fields: Vec<Field>) -> Result<String, FieldError> {
    written_with(&[], fields)
}

#[test]
fn integers_say_all_their_attributes() {
    let kind = IntegerType {
        size_bits: 24,
        signed: true,
        reverse_byte_order: true,
        base: 8,
        encoding: Encoding::Ascii,
        alignment_bits: 4,
    };
    let text = written(vec![field("i", FieldType::Integer(kind))]).unwrap();
    let order = if cfg!(target_endian = "big") { "le" } else { "be" };
    assert_eq!(
        text,
        format!(
            "integer {{ size = 24; align = 4; signed = 1; encoding = ASCII; base = 8; byte_order = {order}; }} _i;\n"
        )
    );
}

#[test]
fn strings_name_only_an_encoding_that_is_not_the_default() {
    for (encoding, text) in [
        (Encoding::None, "string _s;\n"),
        (Encoding::Utf8, "string _s;\n"),
        (Encoding::Ascii, "string { encoding = ASCII; } _s;\n"),
    ] {
        assert_eq!(written(vec![field("s", FieldType::String(encoding))]).unwrap(), text);
    }
}

#[test]
fn alignment_of_containers_is_padding_before_them() {
    let byte = "integer { size = 8; align = 8; signed = 1; encoding = UTF8; base = 10; }";
    let element = || Box::new(FieldType::Integer(text_type()));
    let array =
        FieldType::Array { length: 3, alignment_bytes: 4, element: element(), legacy: false };
    let sequence =
        FieldType::Sequence { length_name: "n".to_owned(), alignment_bytes: 8, element: element() };
    let empty = FieldType::Struct { nr_fields: 0, alignment_bytes: 2, legacy: false };
    let choice = FieldType::Variant {
        tag: "t".to_owned(),
        alignment_bytes: 1,
        choices: vec![string("s")],
        legacy: false,
    };
    for (kind, text) in [
        (array, format!("struct {{ }} align(32) _f_padding;\n{byte} _f[3];\n")),
        (sequence, format!("struct {{ }} align(64) _f_padding;\n{byte} _f[ _n ];\n")),
        (empty, "struct {} align(16) _f;\n".to_owned()),
        (
            choice,
            "struct { } align(8) _f_padding;\nvariant <_t> {\n\tstring _s;\n} _f;\n".to_owned(),
        ),
    ] {
        assert_eq!(written(vec![field("f", kind)]).unwrap(), text);
    }
}

#[test]
fn a_legacy_sequence_brings_its_length() {
    let kind = FieldType::LegacySequence { length: integer_type(16, false), element: text_type() };
    assert_eq!(
        written(vec![field("q", kind)]).unwrap(),
        "integer { size = 16; align = 8; signed = 0; encoding = none; base = 10; } __q_length;\n\
         integer { size = 8; align = 8; signed = 1; encoding = UTF8; base = 10; } _q[ __q_length ];\n"
    );
}

#[test]
fn enumerations_escape_labels_and_write_ranges_by_the_sign_of_each_bound() {
    let mixed = EnumerationEntry {
        end: unsigned_range("", 0, u64::MAX).end,
        ..range("MIXED", i64::MIN, 0)
    };
    let entries = [
        range(r#"q"b\"#, 1, 1),
        range("two\nlines", -2, -1),
        unsigned_range("U", u64::MAX, u64::MAX),
        mixed,
        // The same bits, but not the same value.
        EnumerationEntry { end: unsigned_range("", 7, 7).end, ..range("SIGNS", 7, 7) },
        counted_up("AUTO"),
    ];
    let container = IntegerType { reverse_byte_order: true, ..integer_type(64, true) };
    let kind = |legacy| FieldType::Enumeration { name: "p_e".to_owned(), id: 3, container, legacy };
    for legacy in [false, true] {
        assert_eq!(
            written_with(&entries, vec![field("$a.b:c", kind(legacy))]).unwrap(),
            "enum : integer { size = 64; align = 8; signed = 1; encoding = none; base = 10; } {\n\
             \t\"q\\\"b\\\\\" = 1,\n\
             \t\"two\\nlines\" = -2 ... -1,\n\
             \t\"U\" = 18446744073709551615,\n\
             \t\"MIXED\" = -9223372036854775808 ... 18446744073709551615,\n\
             \t\"SIGNS\" = 7 ... 7,\n\
             \t\"AUTO\",\n\
             } __a_b_c;\n"
        );
    }
}

#[test]
fn variants_nest_and_have_their_names_cleaned() {
    let inner = variant("in", "$app.p:t", vec![empty_struct("none"), string("s")]);
    let kind = variant("$app.p:c", "$app.p:c_tag", vec![inner]);
    assert_eq!(
        written(vec![kind]).unwrap(),
        "variant <__app_p_c_tag> {\n\
         \tvariant <__app_p_t> {\n\
         \t\tstruct {} _none;\n\
         \t\tstring _s;\n\
         \t} _in;\n\
         } __app_p_c;\n"
    );
}

#[test]
fn nesting_has_a_limit() {
    let nested = |levels| (0..levels).fold(string("s"), |inner, _| variant("v", "t", vec![inner]));
    written(vec![nested(FIELD_NESTING_MAX)]).unwrap();
    assert_eq!(
        written(vec![nested(FIELD_NESTING_MAX + 1)]),
        Err(FieldError::Nesting("s".to_owned()))
    );
}

#[test]
fn what_cannot_be_described_is_refused() {
    let name = |name: &str| FieldError::Name(name.to_owned());
    let owned = |name: &str| name.to_owned();
    let array_of = |element| FieldType::Array {
        length: 1,
        alignment_bytes: 0,
        element: Box::new(element),
        legacy: false,
    };
    let sequence_of = |length_name: &str, element| FieldType::Sequence {
        length_name: length_name.to_owned(),
        alignment_bytes: 0,
        element: Box::new(element),
    };
    let byte = || FieldType::Integer(text_type());
    let text = || FieldType::String(Encoding::Utf8);
    for (case, error) in [
        (float("f", 8, 0), FieldError::Mantissa(owned("f"))),
        (field("a", array_of(text())), FieldError::Element(owned("a"))),
        (field("q", sequence_of("n", text())), FieldError::Element(owned("q"))),
        (
            field("s", FieldType::Struct { nr_fields: 1, alignment_bytes: 0, legacy: false }),
            FieldError::Members(owned("s")),
        ),
        (
            enumeration("e", "p_e", 4, integer_type(8, false)),
            FieldError::UnknownEnumeration { field: owned("e"), name: owned("p_e"), id: 4 },
        ),
        (unsigned("a;} b", 8), name("a;} b")),
        (unsigned("a.b", 8), name("a.b")),
        (float("a b", 8, 24), name("a b")),
        (string("a\"b"), name("a\"b")),
        (field("a-b", array_of(byte())), name("a-b")),
        (field("a\nb", sequence_of("n", byte())), name("a\nb")),
        (field("q", sequence_of("n ]", byte())), name("n ]")),
        (empty_struct("é"), name("é")),
        (variant("a>", "t", vec![]), name("a>")),
        (variant("a", "t>", vec![]), name("t>")),
        (enumeration("a{", "p_e", 3, integer_type(8, false)), name("a{")),
    ] {
        assert_eq!(written(vec![string("before"), case]), Err(error));
    }
}

#[test]
fn event_strings_are_escaped() {
    let event = EventRegistration {
        name: "p:\"e\\\n".to_owned(),
        loglevel: 5,
        fields: vec![],
        model_emf_uri: Some("http://\"x\"".to_owned()),
    };
    assert_eq!(
        event_block(70_000, 2, &event, &|_, _| None).unwrap(),
        "event {\n\tname = \"p:\\\"e\\\\\\n\";\n\tid = 70000;\n\tstream_id = 2;\n\tloglevel = 5;\n\
         \tmodel.emf.uri = \"http://\\\"x\\\"\";\n\tfields := struct {\n\t};\n};\n\n"
    );
}

#[test]
fn a_stream_has_context_only_where_there_are_fields() {
    assert_eq!(
        stream_block(1, HeaderType::Compact, &[], &|_, _| None).unwrap(),
        "stream {\n\tid = 1;\n\tevent.header := struct event_header_compact;\n\
         \tpacket.context := struct packet_context;\n};\n\n"
    );
    assert_eq!(
        stream_block(0, HeaderType::Large, &[string("s")], &|_, _| None).unwrap(),
        "stream {\n\tid = 0;\n\tevent.header := struct event_header_large;\n\
         \tpacket.context := struct packet_context;\n\tevent.context := struct {\n\
         \t\tstring _s;\n\t};\n};\n\n"
    );
}

#[test]
fn every_alignment_and_size_has_its_place() {
    let trace = TraceDescription {
        alignments: Alignments {
            uint8_bits: 1,
            uint16_bits: 16,
            uint32_bits: 32,
            uint64_bits: 64,
            long_bits: 128,
        },
        bitness: Bitness::Bits32,
        ..description()
    };
    let text = preamble(&trace, Preamble::First);
    for line in [
        "typealias integer { size = 8; align = 1; signed = false; } := uint8_t;",
        "typealias integer { size = 16; align = 16; signed = false; } := uint16_t;",
        "typealias integer { size = 32; align = 32; signed = false; } := uint32_t;",
        "typealias integer { size = 64; align = 64; signed = false; } := uint64_t;",
        "typealias integer { size = 32; align = 128; signed = false; } := unsigned long;",
        "\tarchitecture_bit_width = 32;",
        "\tsize = 27; align = 1; signed = false;",
        "\tsize = 32; align = 32; signed = false;",
        "\tsize = 64; align = 64; signed = false;",
    ] {
        assert_eq!(text.lines().filter(|known| *known == line).count(), 1, "{line}");
    }
    // The compact header is aligned as a 32-bit integer, the large one as a 16-bit one.
    let headers = &text[text.find("struct event_header_compact").unwrap()..];
    let aligns: Vec<&str> = headers.lines().filter(|line| line.starts_with("} align")).collect();
    assert_eq!(aligns, ["} align(32);", "} align(16);"]);
}

#[test]
fn the_environment_names_application_session_and_machine() {
    let trace = TraceDescription {
        scheme: Scheme::Pid {
            pid: 42,
            procname: "my\"app".to_owned(),
            registered_at: Timestamp { epoch_s: 2_000_000_000 },
        },
        session_name: "a\\b\n\"c".to_owned(),
        hostname: "h\"".to_owned(),
        clock: Clock::monotonic(None, -12),
        ..description()
    };
    let created = trace.session_created_at.iso8601_basic();
    let registered = Timestamp { epoch_s: 2_000_000_000 }.iso8601_basic();
    let text = preamble(&trace, Preamble::First);
    let env = &text[text.find("env {").unwrap()..text.find("clock {").unwrap()];
    assert_eq!(
        env,
        format!(
            "env {{\n\tdomain = \"ust\";\n\ttracer_name = \"lttng-ust\";\n\ttracer_major = 2;\n\
             \ttracer_minor = 13;\n\ttracer_buffering_scheme = \"pid\";\n\
             \ttracer_buffering_id = 42;\n\tarchitecture_bit_width = 64;\n\
             \ttrace_name = \"a\\\\b\\n\\\"c\";\n\ttrace_creation_datetime = \"{created}\";\n\
             \thostname = \"h\\\"\";\n\ttracer_patchlevel = 5;\n\tvpid = 42;\n\
             \tprocname = \"my\\\"app\";\n\tvpid_datetime = \"{registered}\";\n}};\n\n"
        )
    );
    // Without a boot id the clock has no identity.
    assert!(text.contains("\tname = \"monotonic\";\n\tdescription"));
    assert!(text.contains("\toffset = -12;\n"));
}
