//! Lines whose parts stand below each other.

use lttngd_model::Escaped;

/// Longest text that makes its column wider, in characters.
const WIDTH_MAX: usize = 40;

/// A heading and lines below it.
#[derive(Debug)]
pub(crate) struct Columns<const N: usize> {
    heads: [&'static str; N],
    lines: Vec<[String; N]>,
}

impl<const N: usize> Columns<N> {
    pub(crate) fn new(heads: [&'static str; N]) -> Self {
        Self { heads, lines: Vec::new() }
    }

    /// One line more. What peers chose of it is shown on one line, as its characters and nothing else.
    pub(crate) fn line(&mut self, parts: [String; N]) {
        self.lines.push(parts.map(|part| Escaped(part).to_string()));
    }

    /// All of it, or nothing where there is no line.
    pub(crate) fn shown(&self) -> String {
        if self.lines.is_empty() {
            return String::new();
        }
        let heads = self.heads.map(str::to_owned);
        let mut widths = [0; N];
        for line in std::iter::once(&heads).chain(&self.lines) {
            for (width, part) in widths.iter_mut().zip(line) {
                *width = (*width).max(part.chars().count().min(WIDTH_MAX));
            }
        }
        let line = |parts: &[String; N]| {
            let padded = parts.iter().zip(widths).map(|(part, width)| format!("{part:width$}"));
            let line = padded.collect::<Vec<_>>().join("  ");
            format!("{}\n", line.trim_end())
        };
        std::iter::once(&heads).chain(&self.lines).map(line).collect()
    }
}
