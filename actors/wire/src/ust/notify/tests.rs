#![allow(clippy::unwrap_used)]

mod answer;
mod field;
mod record;
mod request;

use crate::ust::Abi;
use lttngd_model::{Encoding, Field, FieldType, IntegerType};

use super::*;

/// The integer that tests of other types contain.
fn int(size_bits: u32, signed: bool) -> IntegerType {
    IntegerType {
        size_bits,
        signed,
        reverse_byte_order: false,
        base: 10,
        encoding: Encoding::None,
        alignment_bits: 8,
    }
}

fn named(name: &str, kind: FieldType) -> Field {
    Field { name: name.to_owned(), kind }
}

fn event(fields: Vec<Field>) -> Request {
    Request::Event {
        session_objd: 3,
        channel_objd: 4,
        name: "demo:all".to_owned(),
        loglevel: 13,
        signature: "int, v".to_owned(),
        fields,
        model_emf_uri: Some("http://example.com".to_owned()),
    }
}

/// Reads a request as a daemon does: number, fixed part, variable part.
fn decode(bytes: &[u8]) -> Result<Request, RequestError> {
    let mut reader = Reader::new(bytes);
    let raw = reader.u32("number")?;
    let kind = Kind::from_raw(raw).unwrap();
    let head = Head::decode(kind, reader.bytes(kind.fixed_len(Abi::V9), "fixed")?, Abi::V9)?;
    let len = head.variable_len()?;
    let variable = reader.bytes(len, "variable")?;
    reader.finish("request")?;
    head.decode_variable(variable, Abi::V9)
}

/// Where the field records of [`event`] begin.
const EVENT_RECORDS: usize = 4 + 312 + "int, v\0".len();
