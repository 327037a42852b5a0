//! Filters of event rules: the expression that a user writes, and its compiled form, which applications
//! and the kernel tracer run on each event.
//!
//! Clients compile before they ask. [`Filter::compile`] does it for sessions that the daemon itself
//! loads and for programs that embed it, and gives the very bytes that `liblttng-ctl` 2.13 gives: it
//! takes and refuses the same expressions, oddities included, so that a rule is the same rule whoever
//! compiled it.
//!
//! ```text
//! text --lexer--> tokens --parser--> operands and operators in order --program--> bytecode
//! ```
//!
//! It goes through the text once and has no recursion: what it needs grows with the nesting of the
//! expression, up to [`SYMBOLS_MAX`](parser::SYMBOLS_MAX), and with the bytecode, up to [`CODE_MAX_LEN`].

mod error;
mod hex_float;
mod lexer;
mod number;
mod opcode;
mod operator;
mod parser;
mod program;
#[cfg(test)]
mod tests;
mod token;

pub use error::{FilterError, FilterFault};

use serde::{Deserialize, Serialize};

use crate::{AppContext, FILTER_MAX_LEN};
use program::Program;
pub(crate) use program::{Root, capture};

/// Longest bytecode with its relocation table in bytes: `liblttng-ctl` counts the header of 48 bytes,
/// with which it travels, towards the limit.
pub const CODE_MAX_LEN: usize = FILTER_MAX_LEN - 48;

/// Compiled form of a filter. What a client compiled, the daemon passes on without a look.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Bytecode {
    /// Offset of the relocation table in `data`, in bytes.
    pub reloc_table_offset: u32,
    /// Order among captures; 0 for filters.
    pub seqnum: u64,
    /// Instructions, then the relocation table.
    pub data: Vec<u8>,
}

impl Bytecode {
    /// The application contexts that it compares, `$app.provider:name`, in the order of the relocation
    /// table. Those behind an index are no entries of it.
    #[must_use]
    pub fn app_contexts(&self) -> Vec<AppContext> {
        const PREFIX: &str = "$app.";
        /// Size of an entry's offset of the instruction that needs the name, in bytes.
        const OFFSET_LEN: usize = 2;
        let mut contexts = Vec::new();
        let start = usize::try_from(self.reloc_table_offset).unwrap_or(usize::MAX);
        let mut rest = self.data.get(start..).unwrap_or_default();
        while let Some(entry) = rest.get(OFFSET_LEN..) {
            let len = entry.iter().position(|byte| *byte == 0).unwrap_or(entry.len());
            let named = std::str::from_utf8(&entry[..len]).ok();
            let parts = named.and_then(|name| name.strip_prefix(PREFIX)?.split_once(':'));
            if let Some((provider, name)) = parts
                && !provider.is_empty()
            {
                let (provider, name) = (provider.to_owned(), name.to_owned());
                contexts.push(AppContext { provider, name });
            }
            rest = entry.get(len + 1..).unwrap_or_default();
        }
        contexts
    }
}

/// A filter: its text, which listings show, and its compiled form, which applications get.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Filter {
    /// The text that the user wrote.
    pub expression: String,
    /// The compiled form.
    pub bytecode: Bytecode,
}

impl Filter {
    /// Compiles an expression in the language of lttng-enable-event(1).
    ///
    /// # Errors
    /// What is wrong with it and where; [`FilterError::code`] is what LTTng answers to that.
    pub fn compile(expression: impl Into<String>) -> Result<Self, FilterError> {
        let expression = expression.into();
        if expression.is_empty() {
            return Err(FilterFault::Empty.at(0));
        }
        // Its NUL takes a byte.
        if expression.len() >= FILTER_MAX_LEN {
            return Err(FilterFault::ExpressionTooLong.at(FILTER_MAX_LEN));
        }
        let mut program = Program::default();
        parser::parse(&expression, &mut program)?;
        let bytecode = program.finish().map_err(|fault| fault.at(expression.len()))?;
        Ok(Self { expression, bytecode })
    }
}
