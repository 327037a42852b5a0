//! The operators of the language, as in C.

use super::opcode::Opcode;

/// An operator. `+` and `-` are binary or unary by their place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(missing_docs, reason = "the names say it")]
pub(super) enum Operator {
    Or,
    And,
    Eq,
    Ne,
    Lt,
    Gt,
    Le,
    Ge,
    BitOr,
    BitXor,
    BitAnd,
    ShiftLeft,
    ShiftRight,
    Plus,
    Minus,
    Times,
    Divide,
    Modulo,
    Not,
    BitNot,
}

/// What a binary operator does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Action {
    /// Decides by the left operand, or else by the right one.
    Logical(Opcode),
    /// Compares two numbers or two texts.
    Compare(Opcode),
    /// Combines bits of integers.
    Bitwise(Opcode),
    /// Nothing: filters do not compute.
    Arithmetic,
}

impl Operator {
    /// How strongly a binary operator binds, the larger the stronger; `None` for one that is only
    /// unary. All are left-associative. Unlike in C, bits are combined before numbers are compared.
    pub(super) fn precedence(self) -> Option<u8> {
        Some(match self {
            Self::Or => 0,
            Self::And => 1,
            Self::Eq | Self::Ne => 2,
            Self::Lt | Self::Gt | Self::Le | Self::Ge => 3,
            Self::BitOr => 4,
            Self::BitXor => 5,
            Self::BitAnd => 6,
            Self::ShiftLeft | Self::ShiftRight => 7,
            Self::Plus | Self::Minus => 8,
            Self::Times | Self::Divide | Self::Modulo => 9,
            Self::Not | Self::BitNot => return None,
        })
    }

    /// What it does between two operands.
    pub(super) fn action(self) -> Action {
        match self {
            Self::Or => Action::Logical(Opcode::Or),
            Self::And => Action::Logical(Opcode::And),
            Self::Eq => Action::Compare(Opcode::Eq),
            Self::Ne => Action::Compare(Opcode::Ne),
            Self::Lt => Action::Compare(Opcode::Lt),
            Self::Gt => Action::Compare(Opcode::Gt),
            Self::Le => Action::Compare(Opcode::Le),
            Self::Ge => Action::Compare(Opcode::Ge),
            Self::BitOr => Action::Bitwise(Opcode::BitOr),
            Self::BitXor => Action::Bitwise(Opcode::BitXor),
            Self::BitAnd => Action::Bitwise(Opcode::BitAnd),
            Self::ShiftLeft => Action::Bitwise(Opcode::BitLshift),
            Self::ShiftRight => Action::Bitwise(Opcode::BitRshift),
            Self::Plus
            | Self::Minus
            | Self::Times
            | Self::Divide
            | Self::Modulo
            | Self::Not
            | Self::BitNot => Action::Arithmetic,
        }
    }

    /// The operator in front of an operand, if it can stand there.
    pub(super) fn unary(self) -> Option<Unary> {
        match self {
            Self::Plus => Some(Unary::Plus),
            Self::Minus => Some(Unary::Minus),
            Self::Not => Some(Unary::Not),
            Self::BitNot => Some(Unary::BitNot),
            _ => None,
        }
    }
}

/// A unary operator.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(missing_docs, reason = "the names say it")]
pub(super) enum Unary {
    Plus,
    Minus,
    Not,
    BitNot,
}

impl Unary {
    /// Its instruction; `+` has none.
    pub(super) fn opcode(self) -> Option<Opcode> {
        match self {
            Self::Plus => None,
            Self::Minus => Some(Opcode::UnaryMinus),
            Self::Not => Some(Opcode::UnaryNot),
            Self::BitNot => Some(Opcode::UnaryBitNot),
        }
    }
}
