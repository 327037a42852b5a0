//! What can be wrong with an expression.

use thiserror::Error;

use crate::ErrorCode;

/// Why an expression is no filter.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("{fault}, at byte {position} of the filter")]
pub struct FilterError {
    /// Offset in the expression in bytes.
    pub position: usize,
    /// What is wrong there.
    pub fault: FilterFault,
}

impl FilterError {
    /// What `liblttng-ctl` answers: `Invalid` for an empty expression, `FilterInval` for any other.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self.fault {
            FilterFault::Empty => ErrorCode::Invalid,
            _ => ErrorCode::FilterInval,
        }
    }
}

impl From<FilterError> for ErrorCode {
    fn from(error: FilterError) -> Self {
        error.code()
    }
}

/// What is wrong with an expression.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum FilterFault {
    /// There is none.
    #[error("no expression")]
    Empty,
    /// It has [`FILTER_MAX_LEN`](crate::FILTER_MAX_LEN) bytes with its NUL, or more.
    #[error("expression too long")]
    ExpressionTooLong,
    /// Its bytecode would be longer than [`CODE_MAX_LEN`](super::CODE_MAX_LEN).
    #[error("bytecode too long")]
    BytecodeTooLong,
    /// Parentheses, brackets or unary operators stand too deep in each other.
    #[error("nested too deep")]
    TooDeep,
    /// No token of the language begins so.
    #[error("unknown character")]
    UnknownCharacter,
    /// A quoted text has no end.
    #[error("text without closing quote")]
    UnterminatedText,
    /// The scanner of LTTng 2.13 takes these six letters for an escape sequence, which it refuses.
    #[error("text with ESCSEQ in it")]
    EscseqInText,
    /// A text in single quotes has nothing in it.
    #[error("nothing between single quotes")]
    EmptyCharacter,
    /// A number is written in a way that LTTng 2.13 does not read: `0X1`, `0u`.
    #[error("unreadable number")]
    UnreadableNumber,
    /// A number, text, name, parenthesis or unary operator must stand here.
    #[error("operand expected")]
    OperandExpected,
    /// A binary operator, a closing parenthesis or bracket, or the end must stand here.
    #[error("operator expected")]
    OperatorExpected,
    /// A closing parenthesis or bracket without the opening one.
    #[error("closed without being opened")]
    NotOpened,
    /// The expression ends within a parenthesis or bracket.
    #[error("opened and not closed")]
    NotClosed,
    /// A name must follow `.` and `->`, and `$ctx` and `$app` need one behind them.
    #[error("name expected")]
    NameExpected,
    /// Names that begin with `$` are `$ctx` and `$app`.
    #[error("unknown name with `$`")]
    UnknownGlobal,
    /// The first index behind a name must be a number.
    #[error("index is not a number")]
    IndexNotConstant,
    /// Arithmetic is part of the grammar but not of filters.
    #[error("arithmetic operator not supported")]
    NotSupported,
    /// Only comparisons take texts.
    #[error("operator cannot have a text for an operand")]
    TextOperand,
    /// Bits of floating point numbers cannot be combined.
    #[error("operator cannot have a floating point number for an operand")]
    FloatOperand,
    /// A text is compared with a number.
    #[error("text compared with a number")]
    TextAgainstNumber,
    /// Two patterns with stars elsewhere than at their ends are compared.
    #[error("two patterns compared with each other")]
    TwoPatterns,
    /// A pattern with stars elsewhere than at its end is compared by `<`, `>`, `<=` or `>=`.
    #[error("pattern compared otherwise than by == and !=")]
    PatternOrder,
    /// In a text a backslash stands before another character than `*` and the backslash.
    #[error("unknown escape sequence in a text")]
    UnknownEscape,
    /// The whole expression is a text or a floating point number.
    #[error("value of the expression is neither true nor false")]
    NotABoolean,
}

impl FilterFault {
    pub(super) fn at(self, position: usize) -> FilterError {
        FilterError { position, fault: self }
    }
}
