//! Floating point numbers in hexadecimal, `0x1.8p3`, which the standard library does not read.

/// Bits of the significand of an `f64`, the hidden one included.
const SIGNIFICAND_BITS: i64 = 53;
/// Exponent of the last bit of the smallest numbers.
const EXPONENT_MIN: i64 = -1074;
/// Exponents beyond which every number is infinite or zero; far enough from the ends of `i64`.
const EXPONENT_LIMIT: i64 = 1 << 40;

/// The number nearest to `text`, as the C library's `strtod` reads it: of two that are equally near
/// the one whose last bit is 0. `None` for a text that is not `0x`, digits with at most one dot among
/// them, and perhaps `p` with a decimal exponent.
pub(super) fn read(text: &str) -> Option<f64> {
    let text = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))?;
    let (digits, exponent) = match text.split_once(['p', 'P']) {
        Some((digits, exponent)) => (digits, read_exponent(exponent)?),
        None => (text, 0),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let mut significand = 0_u64;
    let mut exponent = exponent - 4 * i64::try_from(fraction.len()).ok()?;
    let mut is_inexact = false;
    for digit in whole.chars().chain(fraction.chars()) {
        let digit = u64::from(digit.to_digit(16)?);
        // Only whether there is something behind the first sixty bits matters.
        if significand >> 60 == 0 {
            significand = significand << 4 | digit;
        } else {
            exponent += 4;
            is_inexact |= digit != 0;
        }
    }
    Some(nearest(significand, exponent, is_inexact))
}

/// A decimal number with an optional sign, brought within [`EXPONENT_LIMIT`].
fn read_exponent(text: &str) -> Option<i64> {
    let (is_negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let value = digits.chars().try_fold(0, |value: i64, digit| {
        Some((value * 10 + i64::from(digit.to_digit(10)?)).min(EXPONENT_LIMIT))
    })?;
    Some(if is_negative { -value } else { value })
}

/// The number nearest to `significand * 2^exponent`, or to a little more if `is_inexact`.
fn nearest(significand: u64, exponent: i64, is_inexact: bool) -> f64 {
    if significand == 0 {
        return 0.0;
    }
    let bits = 64 - i64::from(significand.leading_zeros());
    // Exponent of the last bit that can be kept.
    let last = (exponent + bits - SIGNIFICAND_BITS).max(EXPONENT_MIN);
    let dropped = last - exponent;
    let (mut kept, rest, half) = match dropped {
        // Nothing is dropped: the number is exact, for a significand of so few bits has all digits.
        ..=0 => return scale(significand, exponent),
        1..=63 => (significand >> dropped, significand & ((1 << dropped) - 1), 1 << (dropped - 1)),
        // Less than half of the smallest number but for 64 bits of which all are dropped.
        64 => (0, significand, 1 << 63),
        _ => return 0.0,
    };
    if rest > half || (rest == half && (is_inexact || kept & 1 == 1)) {
        kept += 1;
    }
    scale(kept, last)
}

/// `significand * 2^exponent`, which is exact or too large for a number.
fn scale(significand: u64, exponent: i64) -> f64 {
    const STEP_MAX: i64 = 1000;
    const BIAS: i64 = 1023;
    const FRACTION_BITS: u32 = 52;

    // Each step is a power of two and keeps the value exact.
    let mut value = significand as f64;
    let mut left = exponent.clamp(EXPONENT_MIN, 2048);
    while left != 0 {
        let step = left.clamp(-STEP_MAX, STEP_MAX);
        value *= f64::from_bits(((BIAS + step) as u64) << FRACTION_BITS);
        left -= step;
    }
    value
}
