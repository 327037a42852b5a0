//! Instructions (`enum bytecode_op`, `src/common/bytecode/bytecode.h` of lttng-tools). Tracers know
//! more of them, which they make of these when they link a filter to an event.

/// First byte of an instruction. Operands follow without padding, in the byte order of the machine.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
#[allow(missing_docs, reason = "the names are LTTng's own")]
pub(super) enum Opcode {
    Return = 1,
    BitRshift = 7,
    BitLshift = 8,
    BitAnd = 9,
    BitOr = 10,
    BitXor = 11,
    Eq = 12,
    Ne = 13,
    Gt = 14,
    Lt = 15,
    Ge = 16,
    Le = 17,
    UnaryMinus = 49,
    UnaryNot = 50,
    /// u16: offset of the instruction to go on with when the left operand decides.
    And = 57,
    /// As `And`.
    Or = 58,
    /// u16: all ones; the relocation table has the name.
    LoadFieldRef = 59,
    /// Text with its NUL.
    LoadString = 64,
    /// i64.
    LoadS64 = 65,
    /// f64.
    LoadDouble = 66,
    CastToS64 = 67,
    CastDoubleToS64 = 68,
    /// As `LoadFieldRef`.
    GetContextRef = 70,
    /// As `LoadString`, for a text with stars elsewhere than at its end.
    LoadStarGlobString = 76,
    GetContextRoot = 79,
    GetAppContextRoot = 80,
    GetPayloadRoot = 81,
    /// u16: offset of the name in the relocation table.
    GetSymbol = 82,
    /// u64.
    GetIndexU64 = 85,
    LoadField = 86,
    UnaryBitNot = 98,
}
