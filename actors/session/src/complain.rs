//! What the log says of commands that fail: whoever has one fail again and again does not fill it.

/// Says why something that a user's session is to do is not done: of each kind so many lines in a while for each user, and
/// then how many were left out. Takes the session, what is said, and the fields.
macro_rules! complain {
    ($session:expr, $said:literal $(, $($field:tt)+)?) => {
        if let Some(left_out) = lttngd_runtime::complaint($said, $session.config.owner.uid) {
            tracing::error!($($($field)+,)? left_out, $said);
        }
    };
}

pub(crate) use complain;
