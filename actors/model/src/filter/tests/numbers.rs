//! Numbers and how they are written.

use proptest::prelude::*;

use super::super::{Filter, hex_float};
use super::super::{lexer::Lexer, token::Token};

/// The only token of a text.
fn token(text: &str) -> Option<Token<'_>> {
    let mut lexer = Lexer::new(text);
    let token = lexer.next().ok()??;
    lexer.next().ok()?.is_none().then_some(token)
}

#[test]
fn integers_of_each_base() {
    for (text, value) in [
        ("0", 0),
        ("00", 0),
        ("017", 15),
        ("10", 10),
        ("0x1F", 31),
        ("7u", 7),
        ("7LLU", 7),
        ("7ull", 7),
        ("0xffl", 255),
        ("18446744073709551615", u64::MAX),
        ("18446744073709551616", u64::MAX),
        // Only twenty digits are read.
        ("100000000000000000009", 10_000_000_000_000_000_000),
        ("0x1ffffffffffffffff", u64::MAX),
        ("0x00000000000000000001", 0),
        ("01777777777777777777777", u64::MAX),
        ("02000000000000000000000", u64::MAX),
    ] {
        assert_eq!(token(text), Some(Token::Integer(value)), "{text}");
    }
    for text in ["08", "0x", "1lul", "1e", "0X1", "0u"] {
        assert_eq!(token(text), None, "{text}");
    }
}

#[test]
fn floating_point_numbers() {
    for (text, value) in [
        ("1.5", 1.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("5.f", 5.0),
        ("1e3", 1000.0),
        ("1E-3L", 0.001),
        ("09.5", 9.5),
        ("1e400", f64::INFINITY),
        ("0x1p4", 16.0),
        ("0X1.8P+1", 3.0),
        ("0x.8", 0.5),
        ("0x1.f", 1.9375),
    ] {
        assert_eq!(token(text), Some(Token::Float(value)), "{text}");
    }
}

#[test]
fn hexadecimal_numbers_are_rounded_to_the_nearest() {
    let smallest = f64::from_bits(1);
    for (text, value) in [
        ("0x1.00000000000008p0", 1.0),
        ("0x1.00000000000018p0", 1.0 + 2.0 * f64::EPSILON),
        ("0x1.000000000000080000000000000001p0", 1.0 + f64::EPSILON),
        ("0x1.fffffffffffff8p0", 2.0),
        ("0x1.fffffffffffff7fffffffffffffffp0", 2.0 - f64::EPSILON),
        ("0x1p-1074", smallest),
        ("0x1p-1075", 0.0),
        ("0x1.0000000000000000001p-1075", smallest),
        ("0x1.8p-1074", 2.0 * smallest),
        ("0x8000000000000001p-1138", smallest),
        ("0x8000000000000000p-1138", 0.0),
        ("0x1.fffffffffffffp1023", f64::MAX),
        ("0x1.fffffffffffff8p1023", f64::INFINITY),
        ("0x0p99999999999999999999", 0.0),
        ("0x1p99999999999999999999", f64::INFINITY),
        ("0x1p-99999999999999999999", 0.0),
    ] {
        assert_eq!(hex_float::read(text), Some(value), "{text}");
    }
}

/// A finite number written in hexadecimal, exactly.
fn write(value: f64) -> String {
    let bits = value.to_bits();
    let fraction = bits & ((1 << 52) - 1);
    match (bits >> 52) & 0x7ff {
        0 => format!("0x0.{fraction:013x}p-1022"),
        exponent => format!("0x1.{fraction:013x}p{}", i64::try_from(exponent).unwrap() - 1023),
    }
}

proptest! {
    #[test]
    fn every_number_is_read_as_it_is_written(bits in 0_u64..0x7ff0_0000_0000_0000) {
        let value = f64::from_bits(bits);
        prop_assert_eq!(hex_float::read(&write(value)).map(f64::to_bits), Some(bits));
    }

    #[test]
    fn integers_come_back(value: u64) {
        for text in [value.to_string(), format!("{value:#x}"), format!("0{value:o}")] {
            prop_assert_eq!(token(&text), Some(Token::Integer(value)));
        }
        let comparison = format!("a == {value}");
        prop_assert!(Filter::compile(comparison).is_ok());
    }
}
