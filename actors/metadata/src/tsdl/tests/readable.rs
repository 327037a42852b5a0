//! What is accepted is what babeltrace2 reads: both are asked.

use std::process::Command;

use lttngd_model::{EnumerationEntry, Field, FieldType, IntegerType};

use super::super::field::FieldWriter;
use super::super::samples::*;
use super::super::{HeaderType, Preamble, preamble, readable, stream_block};

/// The enumerations of these tests, by id.
fn enumerations() -> Vec<Vec<EnumerationEntry>> {
    vec![
        vec![range("_a", 0, 0), range("_b", 1, 5)],
        vec![],
        vec![range("_a", 0, 5), range("_b", 5, 6)],
        vec![range("_a", 5, 1)],
        vec![range("_a", -1, 5)],
        vec![counted_up("_a"), counted_up("_b"), range("_c", 7, 7), counted_up("_d")],
        vec![range("_a", 1, 1), range("_a", 3, 3), range("_b", 2, 2)],
        vec![unsigned_range("_a", u64::MAX, u64::MAX), unsigned_range("", 0, 0)],
        vec![unsigned_range("_a", 0, u64::MAX)],
        vec![range("_a", i64::MIN, -1), range("_b\"\\\n", 0, i64::MAX)],
        vec![range("_a", 1, 1), counted_up("_b"), range("_c", 2, 2)],
    ]
}

/// The metadata text with an event for each of these lists of fields, whatever they are.
fn text(events: &[&[Field]]) -> String {
    let known = enumerations();
    let entries = |_: &str, id: u64| known.get(id as usize).map(Vec::as_slice);
    let mut text = preamble(&description(), Preamble::First);
    text += &stream_block(0, HeaderType::Large, &[], &entries).unwrap();
    for (id, fields) in events.iter().enumerate() {
        text += &format!("event {{ name = \"p:e{id}\"; id = {id}; stream_id = 0; loglevel = 13; ");
        text += "fields := struct {\n";
        FieldWriter { out: &mut text, entries: &entries }.fields(fields, 1).unwrap();
        text += "}; };\n";
    }
    text
}

fn is_accepted(fields: &[Field]) -> bool {
    let known = enumerations();
    let entries = |_: &str, id: u64| known.get(id as usize).map(Vec::as_slice);
    readable::check(fields, &entries).is_ok()
}

/// Whether babeltrace2 reads a trace of this metadata.
fn is_read(text: &str) -> bool {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("metadata"), text).unwrap();
    let output = Command::new("babeltrace2").arg(directory.path()).output();
    output.expect("babeltrace2 (Debian package babeltrace2)").status.success()
}

fn with(change: impl FnOnce(&mut IntegerType)) -> Field {
    let mut integer = integer_type(32, false);
    change(&mut integer);
    field("i", FieldType::Integer(integer))
}

fn tag(id: u64) -> Field {
    enumeration("t", "e", id, integer_type(32, false))
}

fn sequence_of(length_name: &str) -> Field {
    let element = Box::new(FieldType::Integer(integer_type(8, false)));
    let length_name = length_name.to_owned();
    field("s", FieldType::Sequence { length_name, alignment_bytes: 0, element })
}

fn legacy_sequence(name: &str, signed: bool) -> Field {
    let (length, element) = (integer_type(32, signed), integer_type(8, false));
    field(name, FieldType::LegacySequence { length, element })
}

fn padded(name: &str, alignment_bytes: u32) -> Field {
    let element = Box::new(FieldType::Integer(integer_type(8, false)));
    field(name, FieldType::Array { length: 3, alignment_bytes, element, legacy: false })
}

fn numbers() -> Vec<(String, Vec<Field>)> {
    let mut rows = Vec::new();
    for size in [0, 1, 2, 5, 7, 8, 31, 33, 63, 64, 65, 128, 4096, u32::MAX] {
        rows.push((format!("size {size}"), vec![with(|it| it.size_bits = size)]));
        let container = integer_type(size, false);
        rows.push((format!("container {size}"), vec![enumeration("e", "e", 0, container)]));
        rows.push((format!("element {size}"), vec![array("a", 2, container)]));
    }
    for align in [0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 64, 1 << 15, u16::MAX] {
        rows.push((format!("alignment {align}"), vec![with(|it| it.alignment_bits = align)]));
        let mut real = float("f", 8, 24);
        if let FieldType::Float(float) = &mut real.kind {
            float.alignment_bits = align;
        }
        rows.push((format!("alignment of a float {align}"), vec![real]));
    }
    for base in [0, 1, 2, 3, 7, 8, 9, 10, 11, 15, 16, 17, 36, u32::MAX] {
        rows.push((format!("base {base}"), vec![with(|it| it.base = base)]));
    }
    let floats = [(8, 24), (11, 53), (15, 64), (15, 113), (5, 11), (0, 24), (8, 23), (24, 8)];
    for (exp, mant) in floats {
        rows.push((format!("float {exp} {mant}"), vec![float("f", exp, mant)]));
    }
    rows
}

fn others() -> Vec<(&'static str, Vec<Field>)> {
    let length = || unsigned("l", 32);
    let choice = |name| string(name);
    vec![
        ("nothing", vec![]),
        ("one name twice", vec![string("a"), string("a")]),
        ("one name three times", vec![string("a"), unsigned("a", 8), string("a")]),
        ("no name", vec![string("")]),
        ("no name twice", vec![string(""), string("")]),
        ("the name of a keyword", vec![string("int"), string("align")]),
        ("a number for a name", vec![string("1")]),
        ("the name of a padding", vec![string("a_padding"), padded("a", 8)]),
        ("a padding of 1", vec![padded("a", 1), padded("b", 64)]),
        ("the name of a length", vec![legacy_sequence("a", false), string("_a_length")]),
        ("a legacy sequence", vec![legacy_sequence("a", false)]),
        ("a legacy sequence with a signed length", vec![legacy_sequence("a", true)]),
        ("a length", vec![length(), sequence_of("l")]),
        ("no length", vec![sequence_of("l")]),
        ("a length behind", vec![sequence_of("l"), length()]),
        ("a sequence of itself", vec![sequence_of("s")]),
        ("a signed length", vec![signed("l", 32), sequence_of("l")]),
        ("a text as length", vec![string("l"), sequence_of("l")]),
        ("a float as length", vec![float("l", 8, 24), sequence_of("l")]),
        ("an enumeration as length", vec![tag(0), sequence_of("t")]),
        ("a length of one bit", vec![unsigned("l", 1), sequence_of("l")]),
        ("a variant", vec![tag(0), variant("v", "t", vec![choice("a"), choice("b")])]),
        ("no tag", vec![variant("v", "t", vec![choice("a")])]),
        ("a tag behind", vec![variant("v", "t", vec![choice("a")]), tag(0)]),
        ("an integer as tag", vec![unsigned("t", 8), variant("v", "t", vec![choice("a")])]),
        ("a choice is missing", vec![tag(0), variant("v", "t", vec![choice("b")])]),
        ("a choice too many", vec![tag(0), variant("v", "t", vec![choice("a"), choice("z")])]),
        ("a choice twice", vec![tag(0), variant("v", "t", vec![choice("a"), choice("a")])]),
        ("a padded choice", vec![tag(0), variant("v", "t", vec![padded("a", 8)])]),
        ("a choice of two", vec![tag(0), variant("v", "t", vec![legacy_sequence("a", false)])]),
        ("no choices", vec![tag(0), variant("v", "t", vec![])]),
        ("overlapping labels", vec![tag(2), variant("v", "t", vec![choice("a")])]),
        ("overlapping choices", vec![tag(2), variant("v", "t", vec![choice("a"), choice("b")])]),
        ("a label twice", vec![tag(6), variant("v", "t", vec![choice("a"), choice("b")])]),
        ("labels counted up", vec![tag(5), variant("v", "t", vec![choice("a"), choice("d")])]),
        ("counted up into another", vec![tag(10), variant("v", "t", vec![choice("a")])]),
        (
            "a sequence in a variant",
            vec![tag(0), length(), variant("v", "t", vec![unsigned("a", 8), sequence_of_b("l")])],
        ),
        (
            "a variant in a variant",
            vec![
                tag(0),
                variant("v", "t", vec![variant("a", "t", vec![choice("a")]), choice("b")]),
            ],
        ),
        (
            "a length within another field",
            vec![tag(0), variant("v", "t", vec![unsigned("a", 8)]), sequence_of("a")],
        ),
    ]
}

fn sequence_of_b(length_name: &str) -> Field {
    Field { name: "b".to_owned(), ..sequence_of(length_name) }
}

#[test]
fn what_is_refused_is_what_babeltrace2_does_not_read() {
    let others = others().into_iter().map(|(what, fields)| (what.to_owned(), fields));
    let enumerations = (0..enumerations().len() as u64).flat_map(|id| {
        [true, false].map(|signed| {
            let field = enumeration("e", "e", id, integer_type(64, signed));
            (format!("enumeration {id}, signed {signed}"), vec![field])
        })
    });
    let rows: Vec<_> = numbers().into_iter().chain(others).chain(enumerations).collect();
    let differ: Vec<_> = rows
        .iter()
        .filter_map(|(what, fields)| {
            let (accepted, read) = (is_accepted(fields), is_read(&text(&[fields])));
            (accepted != read).then(|| format!("{what}: accepted {accepted}, read {read}"))
        })
        .collect();
    assert!(differ.is_empty(), "{differ:#?}");
}

/// The other byte order within a byte is read, until there is an event; so are alignments of structures
/// that no writer can have.
#[test]
fn what_could_not_be_read_in_events_is_refused_as_well() {
    assert!(!is_accepted(&[with(|it| (it.reverse_byte_order, it.size_bits) = (true, 5))]));
    assert!(!is_accepted(&[with(|it| (it.reverse_byte_order, it.alignment_bits) = (true, 1))]));
    assert!(is_accepted(&[with(|it| it.reverse_byte_order = true)]));
    for alignment_bytes in [3, 12, u32::MAX] {
        assert!(!is_accepted(&[padded("a", alignment_bytes)]));
    }
}

/// Numbers that are the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, count: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % count as u64) as usize
    }

    fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }

    fn name(&mut self) -> &'static str {
        self.pick(&["a", "b", "c", "d", "l", "t", "a_padding", "_a_length", ""])
    }

    fn integer(&mut self) -> IntegerType {
        let mut integer = integer_type(self.pick(&[1, 5, 8, 16, 32, 64, 64, 65, 0]), false);
        integer.signed = self.below(3) == 0;
        integer.base = self.pick(&[2, 8, 10, 10, 10, 16, 7]);
        integer.alignment_bits = self.pick(&[1, 8, 8, 8, 16, 64, 3]);
        integer.reverse_byte_order = self.below(5) == 0;
        integer
    }

    /// Often a tag and its variant.
    fn fields(&mut self) -> Vec<Field> {
        let mut fields: Vec<Field> = (0..self.below(4)).map(|_| self.field(0)).collect();
        if self.below(3) == 0 {
            let tag =
                enumeration("t", "e", self.below(enumerations().len()) as u64, self.integer());
            let choices = (0..self.below(3)).map(|_| self.field(1)).collect();
            fields.insert(0, tag);
            fields.push(variant("v", "t", choices));
        }
        fields
    }

    fn field(&mut self, depth: usize) -> Field {
        let name = self.name();
        let alignment_bytes = self.pick(&[0, 0, 1, 8, 3]);
        let element = Box::new(FieldType::Integer(self.integer()));
        match self.below(if depth > 2 { 6 } else { 8 }) {
            0 => field(name, FieldType::Integer(self.integer())),
            1 => string(name),
            2 => enumeration(name, "e", self.below(enumerations().len()) as u64, self.integer()),
            3 => {
                field(name, FieldType::Array { length: 2, alignment_bytes, element, legacy: false })
            }
            4 => legacy_sequence(name, self.below(4) == 0),
            5 => field(name, FieldType::Struct { nr_fields: 0, alignment_bytes, legacy: false }),
            6 => {
                let length_name = self.name().to_owned();
                field(name, FieldType::Sequence { length_name, alignment_bytes, element })
            }
            _ => {
                let choices = (0..self.below(3)).map(|_| self.field(depth + 1)).collect();
                let tag = self.name().to_owned();
                field(name, FieldType::Variant { tag, alignment_bytes, choices, legacy: false })
            }
        }
    }
}

#[test]
fn babeltrace2_reads_whatever_is_accepted() {
    const LISTS: usize = 8_000;
    const TOGETHER: usize = 400;

    let mut dice = Dice(0x5eed);
    let lists = (0..LISTS).map(|_| dice.fields());
    let accepted: Vec<Vec<Field>> = lists.filter(|fields| is_accepted(fields)).collect();
    let is_variant = |field: &Field| matches!(field.kind, FieldType::Variant { .. });
    let with_variants = accepted.iter().filter(|fields| fields.iter().any(is_variant)).count();
    assert!(accepted.len() > 1000 && with_variants > 20, "{} {with_variants}", accepted.len());
    for together in accepted.chunks(TOGETHER) {
        let together: Vec<&[Field]> = together.iter().map(Vec::as_slice).collect();
        if is_read(&text(&together)) {
            continue;
        }
        let unread: Vec<_> =
            together.into_iter().filter(|fields| !is_read(&text(&[fields]))).collect();
        panic!("accepted and not read: {unread:#?}");
    }
}
