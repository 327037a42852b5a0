//! Numbers, as the scanner of LTTng 2.13 delimits them and the C library's `sscanf` reads them.

use super::hex_float;
use super::token::Token;

/// Most digits that are read of an integer; what is written behind them is passed over.
const DECIMAL_DIGITS_MAX: usize = 20;
const OCTAL_DIGITS_MAX: usize = 22;
const HEX_DIGITS_MAX: usize = 17;
/// Most bytes that are read of a floating point number.
const FLOAT_MAX_LEN: usize = 4096;

/// The number that begins here: its length in bytes, and its value unless it is written in a way that
/// is delimited but not read. `None` when no number begins here.
pub(super) fn scan(text: &[u8]) -> Option<(usize, Option<Token<'static>>)> {
    // Where both are possible, the floating point number is the longer one.
    if let Some(float) = Float::scan(text) {
        let value = float.value(text);
        return Some((
            float.end + float_suffix_len(rest(text, float.end)),
            value.map(Token::Float),
        ));
    }
    let (len, value) = scan_integer(text)?;
    Some((len + integer_suffix_len(rest(text, len)), value.map(Token::Integer)))
}

fn rest(text: &[u8], from: usize) -> &[u8] {
    text.get(from..).unwrap_or_default()
}

fn count(text: &[u8], is_digit: impl Fn(&u8) -> bool) -> usize {
    text.iter().position(|byte| !is_digit(byte)).unwrap_or(text.len())
}

fn hex_count(text: &[u8]) -> usize {
    count(text, u8::is_ascii_hexdigit)
}

fn decimal_count(text: &[u8]) -> usize {
    count(text, u8::is_ascii_digit)
}

/// An integer without its suffix.
fn scan_integer(text: &[u8]) -> Option<(usize, Option<u64>)> {
    match text {
        [b'0', x @ (b'x' | b'X'), digits @ ..] if hex_count(digits) > 0 => {
            let len = hex_count(digits);
            let value = read_digits(&digits[..len.min(HEX_DIGITS_MAX)], 16);
            // Only the small letter is read.
            Some((2 + len, (*x == b'x').then_some(value)))
        }
        [b'0', digits @ ..] => {
            let len = count(digits, |byte| matches!(byte, b'0'..=b'7'));
            let value = read_digits(&digits[..len.min(OCTAL_DIGITS_MAX)], 8);
            // The first 0 is not a digit, and a number needs one, except when it is all there is.
            let is_read = len > 0 || integer_suffix_len(digits) == 0;
            Some((1 + len, is_read.then_some(value)))
        }
        [b'1'..=b'9', ..] => {
            let len = decimal_count(text);
            Some((len, Some(read_digits(&text[..len.min(DECIMAL_DIGITS_MAX)], 10))))
        }
        _ => None,
    }
}

/// The value of digits; the largest number for one that is too large.
fn read_digits(digits: &[u8], base: u32) -> u64 {
    digits.iter().fold(0_u64, |value, digit| {
        let digit = char::from(*digit).to_digit(base).unwrap_or_default();
        let more = value.checked_mul(base.into()).and_then(|value| value.checked_add(digit.into()));
        more.unwrap_or(u64::MAX)
    })
}

/// `u`, `l` or `ll`, or `u` before or behind `l` or `ll`, in small and large letters.
fn integer_suffix_len(text: &[u8]) -> usize {
    let long_len = |text: &[u8]| match text {
        [b'l', b'l', ..] | [b'L', b'L', ..] => 2,
        [b'l' | b'L', ..] => 1,
        _ => 0,
    };
    let unsigned_len = |text: &[u8]| usize::from(matches!(text, [b'u' | b'U', ..]));
    let first = unsigned_len(text);
    if first > 0 {
        return first + long_len(rest(text, first));
    }
    match long_len(text) {
        0 => 0,
        len => len + unsigned_len(rest(text, len)),
    }
}

fn float_suffix_len(text: &[u8]) -> usize {
    usize::from(matches!(text, [b'f' | b'F' | b'l' | b'L', ..]))
}

/// The places of the parts of a floating point number, without its suffix.
struct Float {
    is_hex: bool,
    /// Where the digits end, the dot among them.
    digits_end: usize,
    /// Where the exponent ends, the same if there is none.
    end: usize,
}

impl Float {
    fn scan(text: &[u8]) -> Option<Self> {
        let is_hex = matches!(text, [b'0', b'x' | b'X', ..]);
        let is_digit = if is_hex { u8::is_ascii_hexdigit } else { u8::is_ascii_digit };
        let start = if is_hex { 2 } else { 0 };
        let whole = count(rest(text, start), is_digit);
        let mut digits_end = start + whole;
        let mut digits = whole;
        let has_dot = text.get(digits_end) == Some(&b'.');
        if has_dot {
            let fraction = count(rest(text, digits_end + 1), is_digit);
            digits += fraction;
            digits_end += 1 + fraction;
        }
        let end = digits_end + exponent_len(rest(text, digits_end), is_hex);
        // What has neither dot nor exponent is an integer.
        let is_float = digits > 0 && (has_dot || end > digits_end);
        is_float.then_some(Self { is_hex, digits_end, end })
    }

    fn value(&self, text: &[u8]) -> Option<f64> {
        // An exponent that is cut counts as far as it goes.
        let exponent_end = self.end.min(FLOAT_MAX_LEN);
        let digits_end = self.digits_end.min(FLOAT_MAX_LEN);
        let exponent_len = exponent_len(rest(&text[..exponent_end], digits_end), self.is_hex);
        let text = std::str::from_utf8(&text[..digits_end + exponent_len]).ok()?;
        if self.is_hex { hex_float::read(text) } else { text.parse().ok() }
    }
}

/// The length of a whole exponent, letter included; 0 if there is none.
fn exponent_len(text: &[u8], is_hex: bool) -> usize {
    let sign_len = match text {
        [b'e' | b'E', rest @ ..] if !is_hex => usize::from(matches!(rest, [b'+' | b'-', ..])),
        [b'p' | b'P', rest @ ..] if is_hex => usize::from(matches!(rest, [b'+' | b'-', ..])),
        _ => return 0,
    };
    match decimal_count(rest(text, 1 + sign_len)) {
        0 => 0,
        len => 1 + sign_len + len,
    }
}
