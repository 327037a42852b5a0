//! Which commands of a session go past one that came before them and is held up.

use lttngd_runtime::{Ahead, Progress};

/// The end of a session.
pub(crate) const DESTROY: &str = "destroy";
/// The record of a snapshot, whose output is known once it is being prepared.
pub(crate) const RECORD_SNAPSHOT: &str = "record_snapshot";
/// The question whether data is pending.
pub(crate) const DATA_PENDING: &str = "data_pending";
/// A rotation.
pub(crate) const ROTATE: &str = "rotate";

/// Whether a command goes past one that waits before it. One that is ready and whose turn has come is not passed:
/// it begins.
pub(crate) fn goes_past(command: &'static str, ahead: Ahead) -> bool {
    match (command, ahead.name, ahead.progress) {
        // Whoever gives the session up waits for no peer that says nothing, nor for what waits for it.
        (DESTROY, ..) => true,
        // What the snapshot copies is in the buffers still.
        ("clear", RECORD_SNAPSHOT, _) => false,
        // It has only its connection to wait for, which is its own.
        (_, RECORD_SNAPSHOT, Progress::Preparing) => true,
        // What is prepared for changes nothing of what these do.
        ("stop" | DATA_PENDING | ROTATE, _, progress) => progress != Progress::Ready,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_depends_on_nothing_before_it_goes_past() {
        use Progress as P;
        let names = [
            "start",
            "stop",
            DATA_PENDING,
            ROTATE,
            DESTROY,
            "clear",
            "enable_event",
            RECORD_SNAPSHOT,
        ];
        let past = |ahead| {
            let mut names = names.to_vec();
            names.retain(|command| goes_past(command, ahead));
            names
        };
        let few = vec!["stop", DATA_PENDING, ROTATE, DESTROY];
        let mut all_but_clear = names.to_vec();
        all_but_clear.retain(|command| *command != "clear");
        for (name, progress, expected) in [
            ("enable_channel", P::Unprepared, few.clone()),
            ("enable_channel", P::Preparing, few.clone()),
            ("enable_channel", P::Ready, vec![DESTROY]),
            ("start", P::Ready, vec![DESTROY]),
            (RECORD_SNAPSHOT, P::Unprepared, few),
            (RECORD_SNAPSHOT, P::Preparing, all_but_clear),
            (RECORD_SNAPSHOT, P::Ready, vec![DESTROY]),
        ] {
            assert_eq!(past(Ahead { name, progress }), expected, "{name} {progress:?}");
        }
    }
}
