//! Text of peers in a text of ours.

use std::fmt::{self, Display, Write};

/// Longest text that is shown, in bytes: more than any path.
const SHOWN_MAX_LEN: usize = 8192;

/// Shows a text on one line, as its characters and nothing else: those that would end the line, move the
/// cursor, hide, or change the direction of others are shown by their numbers, as Rust does it. A peer
/// that chooses a text cannot make it look like another line, or like another text. What is too long is
/// cut.
#[derive(Clone, Copy, Debug)]
pub struct Escaped<T>(pub T);

impl<T: Display> Display for Escaped<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut escape = Escape { out, left: Some(SHOWN_MAX_LEN) };
        write!(escape, "{}", self.0)
    }
}

struct Escape<'a, 'b> {
    out: &'a mut fmt::Formatter<'b>,
    /// Bytes that may still be shown; `None` when that was too few.
    left: Option<usize>,
}

impl Write for Escape<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            let Some(left) = self.left else { return Ok(()) };
            self.left = left.checked_sub(character.len_utf8());
            if self.left.is_none() {
                return self.out.write_str("[...]");
            }
            match character {
                // They are what they look like.
                '"' | '\'' | '\\' => self.out.write_char(character)?,
                _ => write!(self.out, "{}", character.escape_debug())?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_peer_sends_stays_on_its_line() {
        for (text, shown) in [
            ("plain text, \"quoted\", a\\b, gr\u{fc}n", "plain text, \"quoted\", a\\b, gr\u{fc}n"),
            ("a\nb\rc\td\0e", "a\\nb\\rc\\td\\0e"),
            ("\x1b[31mred\x07\x7f\u{9b}1A", "\\u{1b}[31mred\\u{7}\\u{7f}\\u{9b}1A"),
            ("a\u{2028}b\u{2029}c\u{85}d", "a\\u{2028}b\\u{2029}c\\u{85}d"),
            ("\u{202e}evil\u{2066}\u{200f}", "\\u{202e}evil\\u{2066}\\u{200f}"),
            ("\u{200b}\u{feff}", "\\u{200b}\\u{feff}"),
        ] {
            assert_eq!(Escaped(text).to_string(), shown, "{text:?}");
        }
    }

    #[test]
    fn what_is_too_long_is_cut() {
        let shown = Escaped("x".repeat(SHOWN_MAX_LEN)).to_string();
        assert_eq!(shown.len(), SHOWN_MAX_LEN);
        let shown = Escaped("\n".repeat(10 * SHOWN_MAX_LEN)).to_string();
        assert_eq!(shown, "\\n".repeat(SHOWN_MAX_LEN) + "[...]");
    }
}
