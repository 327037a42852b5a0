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
        const SPECIAL: [char; 3] = ['"', '\\', '\n'];
        let Self(text) = self;
        // One character at a time is looked for much faster than any of three, and most strings
        // have none.
        if !SPECIAL.iter().any(|special| text.contains(*special)) {
            return write!(f, "\"{text}\"");
        }
        f.write_str("\"")?;
        for part in text.split_inclusive(SPECIAL) {
            let plain = part.strip_suffix(SPECIAL).unwrap_or(part);
            f.write_str(plain)?;
            match &part[plain.len()..] {
                "" => {}
                "\n" => f.write_str("\\n")?,
                special => write!(f, "\\{special}")?,
            }
        }
        f.write_str("\"")
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
