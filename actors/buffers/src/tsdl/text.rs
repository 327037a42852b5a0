//! Pieces of text that headers and blocks share.

use std::borrow::Cow;
use std::fmt::{self, Display};

/// Appends a line, indented by tabs.
macro_rules! line {
    ($out:expr, $depth:expr, $($format:tt)*) => {{
        let out: &mut String = $out;
        out.extend(std::iter::repeat_n('\t', $depth));
        // Writing to a String does not fail.
        let _ = std::fmt::Write::write_fmt(out, format_args!($($format)*));
        out.push('\n');
    }};
}
pub(super) use line;

/// A string as TSDL quotes it.
pub(super) struct Quoted<'a>(pub(super) &'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(mut rest) = *self;
        f.write_str("\"")?;
        while let Some(at) = rest.find(['\n', '\\', '"']) {
            let (plain, special) = rest.split_at(at);
            let (special, after) = special.split_at(1);
            f.write_str(plain)?;
            f.write_str("\\")?;
            f.write_str(if special == "\n" { "n" } else { special })?;
            rest = after;
        }
        write!(f, "{rest}\"")
    }
}

/// A name with the characters of application contexts (`$app.provider:name`) that no identifier may
/// have made into `_`.
pub(super) fn sanitized(name: &str) -> Cow<'_, str> {
    const SEPARATORS: [char; 3] = ['.', '$', ':'];
    if name.contains(SEPARATORS) {
        Cow::Owned(name.replace(SEPARATORS, "_"))
    } else {
        Cow::Borrowed(name)
    }
}
