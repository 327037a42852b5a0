//! Field trees: there and back, and what is refused.

use crate::ust::Abi;
use lttngd_model::FloatType;
use proptest::prelude::*;

use super::*;

fn fields_of(bytes: &[u8]) -> Result<Vec<Field>, RequestError> {
    match decode(bytes)? {
        Request::Event { fields, .. } => Ok(fields),
        other => panic!("{other:?}"),
    }
}

fn enumeration(legacy: bool) -> FieldType {
    let name = "demo_color".to_owned();
    FieldType::Enumeration { name, id: 5, container: int(32, true), legacy }
}

fn array(element: FieldType, legacy: bool) -> FieldType {
    FieldType::Array { length: 5, alignment_bytes: 0, element: Box::new(element), legacy }
}

fn variant(choices: Vec<Field>) -> FieldType {
    FieldType::Variant { tag: "tag".to_owned(), alignment_bytes: 0, choices, legacy: false }
}

fn empty_struct(nr_fields: u32) -> FieldType {
    FieldType::Struct { nr_fields, alignment_bytes: 0, legacy: false }
}

fn nested_variants(depth: usize) -> FieldType {
    (0..depth).fold(empty_struct(0), |inner, _| variant(vec![named("inner", inner)]))
}

/// Every type once, those of both ABIs.
pub(super) fn every_type() -> Vec<Field> {
    let float =
        FloatType { exp_dig: 11, mant_dig: 53, reverse_byte_order: true, alignment_bits: 64 };
    vec![
        named("integer", FieldType::Integer(int(64, false))),
        named("float", FieldType::Float(float)),
        named("string", FieldType::String(Encoding::Ascii)),
        named("enum", enumeration(false)),
        named("enum8", enumeration(true)),
        named("array", array(FieldType::Integer(int(8, true)), false)),
        named("array8", array(FieldType::Integer(int(8, true)), true)),
        named(
            "sequence",
            FieldType::Sequence {
                length_name: "_sequence_length".to_owned(),
                alignment_bytes: 4,
                element: Box::new(FieldType::Integer(int(16, false))),
            },
        ),
        named(
            "sequence8",
            FieldType::LegacySequence { length: int(64, false), element: int(16, true) },
        ),
        named("struct", empty_struct(0)),
        named("struct8", FieldType::Struct { nr_fields: 0, alignment_bytes: 0, legacy: true }),
        named(
            "variant",
            variant(vec![
                named("none", empty_struct(0)),
                named("text", FieldType::String(Encoding::Utf8)),
                named("inner", variant(vec![named("color", enumeration(false))])),
            ]),
        ),
        named("last", FieldType::Integer(int(8, false))),
    ]
}

#[test]
fn every_type_comes_back() {
    let request = event(every_type());
    assert_eq!(decode(&request.encode(Abi::V9)), Ok(request));
}

#[test]
fn variants_of_both_numbers_are_one_type() {
    let newer = variant(vec![named("none", empty_struct(0))]);
    let FieldType::Variant { tag, alignment_bytes, choices, .. } = newer.clone() else { panic!() };
    let older = FieldType::Variant { tag, alignment_bytes, choices, legacy: true };
    let newer_bytes = event(vec![named("v", newer.clone())]).encode(Abi::V9);
    let older_bytes = event(vec![named("v", older)]).encode(Abi::V9);
    assert_eq!((newer_bytes[EVENT_RECORDS + 256], older_bytes[EVENT_RECORDS + 256]), (12, 6));
    assert_eq!(fields_of(&older_bytes).unwrap(), [named("v", newer)]);
}

#[test]
fn faults_of_fields_fail_the_request_alone() {
    let float = FloatType { exp_dig: 8, mant_dig: 0, reverse_byte_order: false, alignment_bits: 8 };
    let text = || FieldType::String(Encoding::Utf8);
    let string_array = array(text(), false);
    let string_array8 = array(text(), true);
    let sequence = FieldType::Sequence {
        length_name: "len".to_owned(),
        alignment_bytes: 0,
        element: Box::new(text()),
    };
    for (kind, error) in [
        (FieldType::Float(float), FieldError::NoMantissa),
        (empty_struct(2), FieldError::NonEmptyStruct(2)),
        (string_array, FieldError::NotAnInteger(4)),
        (string_array8, FieldError::NotAnInteger(4)),
        (sequence, FieldError::NotAnInteger(4)),
        (nested_variants(FIELD_DEPTH_MAX + 1), FieldError::TooDeep),
        (nested_variants(1000), FieldError::TooDeep),
    ] {
        let refused = fields_of(&event(vec![named("f", kind)]).encode(Abi::V9));
        assert_eq!(refused, Err(RequestError::Refused(error)));
        assert_eq!(error.errno(), EINVAL);
    }
    let deepest = event(vec![named("f", nested_variants(FIELD_DEPTH_MAX))]);
    assert_eq!(decode(&deepest.encode(Abi::V9)), Ok(deepest));
}

#[test]
fn unknown_numbers_fail_the_request_alone() {
    let integer = FieldType::Integer(int(8, false));
    let bytes = event(vec![named("f", integer)]).encode(Abi::V9);
    let with = |offset: usize, value: i32| {
        let mut bytes = bytes.clone();
        let at = EVENT_RECORDS + offset;
        bytes[at..at + 4].copy_from_slice(&value.to_ne_bytes());
        fields_of(&bytes)
    };
    for atype in [13, -1, i32::MAX] {
        assert_eq!(with(256, atype), Err(FieldError::UnknownType(atype).into()));
    }
    assert_eq!(with(276, 3), Err(FieldError::UnknownEncoding(3).into()));
}

#[test]
fn records_that_end_too_early_fail_the_request_alone() {
    let kinds = [
        enumeration(false),
        array(FieldType::Integer(int(8, true)), false),
        variant(vec![named("none", empty_struct(0))]),
    ];
    for kind in kinds {
        let whole = event(vec![named("f", kind)]).encode(Abi::V9);
        // One record instead of two.
        let mut bytes = whole.clone();
        bytes.drain(EVENT_RECORDS + FIELD_RECORD_LEN..EVENT_RECORDS + 2 * FIELD_RECORD_LEN);
        bytes[4 + 272..4 + 276].copy_from_slice(&(FIELD_RECORD_LEN as u32).to_ne_bytes());
        let refused = fields_of(&bytes);
        assert_eq!(refused, Err(RequestError::Refused(FieldError::Incomplete)));
        assert_eq!(FieldError::Incomplete.errno(), EOVERFLOW);
    }
}

#[test]
fn a_choice_count_reserves_nothing() {
    let mut bytes = event(vec![named("f", variant(vec![]))]).encode(Abi::V9);
    let at = EVENT_RECORDS + 260;
    bytes[at..at + 4].copy_from_slice(&u32::MAX.to_ne_bytes());
    assert_eq!(fields_of(&bytes), Err(FieldError::Incomplete.into()));
}

#[test]
fn context_fields_of_abi_8_take_the_newer_form() {
    let newer = |kind| named("ctx", kind);
    let inner = vec![newer(enumeration(true))];
    let older = vec![
        newer(FieldType::Integer(int(32, true))),
        newer(enumeration(true)),
        newer(array(FieldType::Integer(int(8, true)), true)),
        newer(FieldType::Struct { nr_fields: 0, alignment_bytes: 0, legacy: true }),
        newer(variant(inner)),
    ];
    let expected = vec![
        newer(FieldType::Integer(int(32, true))),
        newer(enumeration(false)),
        newer(array(FieldType::Integer(int(8, true)), false)),
        newer(empty_struct(0)),
        newer(variant(vec![newer(enumeration(false))])),
    ];
    assert_eq!(to_nestable(older), Ok(expected.clone()));
    assert_eq!(to_nestable(expected.clone()), Ok(expected));
    let sequence = FieldType::LegacySequence { length: int(64, false), element: int(8, true) };
    let context = vec![newer(variant(vec![newer(sequence)]))];
    assert_eq!(to_nestable(context), Err(FieldError::SequenceContext));
}

fn integers() -> impl Strategy<Value = IntegerType> {
    let encoding = prop::sample::select(vec![Encoding::None, Encoding::Utf8, Encoding::Ascii]);
    (any::<u32>(), any::<(bool, bool)>(), any::<u32>(), encoding, any::<u16>()).prop_map(
        |(size_bits, (signed, reverse_byte_order), base, encoding, alignment_bits)| IntegerType {
            size_bits,
            signed,
            reverse_byte_order,
            base,
            encoding,
            alignment_bits,
        },
    )
}

pub(super) fn trees() -> impl Strategy<Value = Vec<Field>> {
    let leaf = prop_oneof![
        integers().prop_map(FieldType::Integer),
        (integers(), any::<u64>(), any::<bool>(), "[a-z_]{0,40}").prop_map(
            |(container, id, legacy, name)| FieldType::Enumeration { name, id, container, legacy }
        ),
        (integers(), any::<(u32, u32, bool)>()).prop_map(|(element, (length, align, legacy))| {
            let element = Box::new(FieldType::Integer(element));
            let alignment_bytes = if legacy { 0 } else { align };
            FieldType::Array { length, alignment_bytes, element, legacy }
        }),
        (integers(), integers())
            .prop_map(|(length, element)| FieldType::LegacySequence { length, element }),
    ];
    let kind = leaf.prop_recursive(4, 40, 5, |inner| {
        let choice = ("[ -~]{0,255}", inner).prop_map(|(name, kind)| Field { name, kind });
        (prop::collection::vec(choice, 0..5), "[a-z]{0,255}", any::<u32>()).prop_map(
            |(choices, tag, alignment_bytes)| FieldType::Variant {
                tag,
                alignment_bytes,
                choices,
                legacy: false,
            },
        )
    });
    let field = ("[ -~]{0,255}", kind).prop_map(|(name, kind)| Field { name, kind });
    prop::collection::vec(field, 0..5)
}

proptest! {
    #[test]
    fn trees_come_back(fields in trees()) {
        let request = event(fields);
        prop_assert_eq!(decode(&request.encode(Abi::V9)), Ok(request));
    }

    #[test]
    fn no_records_break_the_decoder(
        writes in prop::collection::vec((0_usize..13, 0_usize..FIELD_RECORD_LEN, any::<u8>()), 0..20),
        kinds in prop::collection::vec(0_i32..14, 13),
    ) {
        let mut bytes = event(every_type()).encode(Abi::V9);
        let at = |record: usize, offset: usize| {
            EVENT_RECORDS + record * FIELD_RECORD_LEN + offset
        };
        for (record, offset, byte) in writes {
            bytes[at(record, offset)] = byte;
        }
        for (record, kind) in kinds.into_iter().enumerate() {
            bytes[at(record, 256)..at(record, 260)].copy_from_slice(&kind.to_ne_bytes());
        }
        prop_assert!(!matches!(decode(&bytes), Err(RequestError::Broken(_))));
    }
}
