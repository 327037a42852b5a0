//! How large the parts of a trigger may be.

use crate::ErrorCode;

/// Longest name of a trigger in bytes, its NUL included.
pub const TRIGGER_NAME_MAX: usize = 4096;
/// Most captures of a condition.
pub const CAPTURES_MAX: usize = 1024;
/// How deep a capture may go into arrays of arrays.
pub const CAPTURE_DEPTH_MAX: usize = 16;
/// Most exclusions of an event rule of a trigger.
pub const RULE_EXCLUSIONS_MAX: usize = 4096;
/// Most actions of a trigger, lists counted.
pub const ACTIONS_MAX: usize = 1024;
/// How deep lists of actions may stand in each other.
pub const ACTION_DEPTH_MAX: usize = 8;

/// Accepts a text that is not empty, has no NUL and fits with one into `max_len` bytes.
pub(super) fn check_name(name: &str, max_len: usize) -> Result<(), ErrorCode> {
    if name.is_empty() { Err(ErrorCode::InvalidTrigger) } else { check_text(name, max_len) }
}

/// The same of a text that may be empty.
pub(super) fn check_text(text: &str, max_len: usize) -> Result<(), ErrorCode> {
    if text.len() >= max_len || text.contains('\0') {
        return Err(ErrorCode::InvalidTrigger);
    }
    Ok(())
}
