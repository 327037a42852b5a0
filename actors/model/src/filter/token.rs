//! What an expression is made of.

use super::operator::Operator;

/// A token.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token<'a> {
    /// Integer, which comparisons take for a signed one.
    Integer(u64),
    /// Floating point number.
    Float(f64),
    /// Quoted text, without the quotes and without line ends.
    Text(Vec<u8>),
    /// Name, which begins with `$` or does not.
    Name(&'a str),
    /// `.` or `->`.
    Link,
    /// `(`
    OpenGroup,
    /// `)`
    CloseGroup,
    /// `[`
    OpenBracket,
    /// `]`
    CloseBracket,
    /// Operator.
    Operator(Operator),
}
