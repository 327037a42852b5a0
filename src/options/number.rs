//! Integers as C's `strtol` with base 0 reads them.

/// A whole text as a number in C's notation: decimal, `0x` hexadecimal or `0` octal, perhaps with a
/// sign. `None` when it is anything else, or too large.
pub(super) fn parse_c_integer(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) =
        if let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
            (16, hex)
        } else if digits.len() > 1 && digits.starts_with('0') {
            (8, digits)
        } else {
            (10, digits)
        };
    // `from_str_radix` takes a sign of its own, which C would not.
    if !digits.starts_with(|first: char| first.is_digit(radix)) {
        return None;
    }
    let magnitude = i64::from_str_radix(digits, radix).ok()?;
    Some(if negative { -magnitude } else { magnitude })
}

#[cfg(test)]
mod tests {
    use super::parse_c_integer;

    #[test]
    fn notations() {
        let cases = [
            ("5", Some(5)),
            ("0", Some(0)),
            ("-1", Some(-1)),
            ("+7", Some(7)),
            ("0x10", Some(16)),
            ("010", Some(8)),
            ("08", None),
            ("", None),
            ("-", None),
            ("--1", None),
            ("0x-1", None),
            ("5s", None),
            ("99999999999999999999", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_c_integer(text), expected, "{text:?}");
        }
    }
}
