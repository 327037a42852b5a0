//! Questions whether relay daemons have all that was sent. Each consists of several commands.

use lttngd_model::{NetIndex, RelaySessionId, RelayStreamHandle};
use lttngd_relaystream::{CommandError, Outcome};
use lttngd_wire::relay::{ConsumerCommand, ConsumerReply};
use slab::Slab;

use super::unwritten::Numbers;
use crate::worker::order::Reply;

/// Streams that are open at a relay daemon.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(in crate::worker) struct OpenStreams {
    /// Handles of those with packets, and the number of the last packet of each.
    pub(in crate::worker) data: Vec<(RelayStreamHandle, u64)>,
    /// Handles of those with metadata.
    pub(in crate::worker) metadata: Vec<RelayStreamHandle>,
}

/// What a relay daemon is asked: of each stream that is open whether its packets were written, up to
/// the one of that number in `until` or else the last one, and then of all that have ended.
pub(super) fn questions(
    id: RelaySessionId,
    open: &OpenStreams,
    until: Option<&Numbers>,
) -> Vec<ConsumerCommand> {
    let of_stream = |&(handle, last): &(RelayStreamHandle, u64)| {
        let known = until.and_then(|until| until.get(&handle).copied());
        ConsumerCommand::DataPending { handle, last_net_seq_num: known.unwrap_or(last) }
    };
    let mut commands = vec![ConsumerCommand::BeginDataPending(id)];
    commands.extend(open.data.iter().map(of_stream));
    let of_metadata = |&handle: &_| ConsumerCommand::QuiescentControl { handle };
    commands.extend(open.metadata.iter().map(of_metadata));
    commands.push(ConsumerCommand::EndDataPending(id));
    commands
}

/// Whether the answer to a command is of interest: where `until` names streams, of other streams that are
/// open it is not; the last answer is about those that ended.
pub(super) fn matters(command: &ConsumerCommand, until: Option<&Numbers>) -> bool {
    match (command, until) {
        (ConsumerCommand::DataPending { handle, .. }, Some(until)) => until.contains_key(handle),
        _ => true,
    }
}

/// Whether a relay daemon that answered so may have something that is not written. One that cannot be asked
/// may; one that is lost writes nothing more.
pub(super) fn is_pending(outcome: &Outcome) -> bool {
    match outcome {
        Ok(ConsumerReply::Pending(pending)) => *pending,
        Err(CommandError::Full) => true,
        _ => false,
    }
}

/// What an answer was about: all that a relay daemon has to say of streams that ended is its last one.
pub(super) fn of_ended(command: &ConsumerCommand) -> bool {
    matches!(command, ConsumerCommand::EndDataPending(_))
}

/// Who asks.
#[derive(Debug)]
pub(super) enum Asker {
    /// The session daemon.
    SessionDaemon(Reply<bool>),
    /// Trace chunks that streams of a connection left; how many of them.
    Unwritten(NetIndex, usize),
}

#[derive(Debug)]
struct Question {
    /// Commands without a reply.
    left: usize,
    pending: bool,
    asker: Asker,
}

/// Questions that are not answered.
#[derive(Debug, Default)]
pub(super) struct Questions(Slab<Question>);

impl Questions {
    /// A question in so many commands, one at least.
    pub(super) fn begin(&mut self, commands: usize, asker: Asker) -> usize {
        self.0.insert(Question { left: commands, pending: false, asker })
    }

    /// A command of a question was answered. After the last one: who asked, and whether any answer was yes.
    pub(super) fn answered(&mut self, number: usize, pending: bool) -> Option<(Asker, bool)> {
        let question = self.0.get_mut(number)?;
        question.pending |= pending;
        question.left -= 1;
        if question.left > 0 {
            return None;
        }
        let Question { pending, asker, .. } = self.0.remove(number);
        Some((asker, pending))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: RelaySessionId = RelaySessionId(70);

    fn open() -> OpenStreams {
        let [first, second, metadata] = [5, 6, 7].map(RelayStreamHandle);
        OpenStreams { data: vec![(first, 3), (second, u64::MAX)], metadata: vec![metadata] }
    }

    fn asker() -> Asker {
        Asker::Unwritten(NetIndex(2), 1)
    }

    fn data_pending(handle: u64, last_net_seq_num: u64) -> ConsumerCommand {
        let handle = RelayStreamHandle(handle);
        ConsumerCommand::DataPending { handle, last_net_seq_num }
    }

    #[test]
    fn each_open_stream_and_all_that_ended_are_asked_for() {
        let expected = [
            ConsumerCommand::BeginDataPending(SESSION),
            data_pending(5, 3),
            data_pending(6, u64::MAX),
            ConsumerCommand::QuiescentControl { handle: RelayStreamHandle(7) },
            ConsumerCommand::EndDataPending(SESSION),
        ];
        assert_eq!(questions(SESSION, &open(), None), expected);
    }

    #[test]
    fn a_relay_daemon_without_open_streams_is_asked_for_those_that_ended() {
        let expected =
            [ConsumerCommand::BeginDataPending(SESSION), ConsumerCommand::EndDataPending(SESSION)];
        assert_eq!(questions(SESSION, &OpenStreams::default(), None), expected);
    }

    #[test]
    fn packets_of_the_next_trace_chunk_are_not_asked_for() {
        let until = Numbers::from([(RelayStreamHandle(5), 1)]);
        let commands = questions(SESSION, &open(), Some(&until));
        assert_eq!(commands[1..3], [data_pending(5, 1), data_pending(6, u64::MAX)]);
    }

    #[test]
    fn other_streams_do_not_hold_up_a_trace_chunk() {
        let until = Numbers::from([(RelayStreamHandle(5), 1)]);
        assert!(matters(&data_pending(5, 1), Some(&until)));
        assert!(!matters(&data_pending(6, 1), Some(&until)));
        assert!(
            matters(&ConsumerCommand::EndDataPending(SESSION), Some(&until)),
            "it may have ended"
        );
    }

    #[test]
    fn all_streams_matter_to_a_session_daemon() {
        assert!(matters(&data_pending(6, 1), None));
    }

    #[test]
    fn a_relay_daemon_that_cannot_be_asked_may_have_something() {
        assert!(is_pending(&Err(CommandError::Full)));
    }

    #[test]
    fn a_relay_daemon_that_is_lost_writes_nothing_more() {
        assert!(!is_pending(&Err(CommandError::Gone)));
    }

    #[test]
    fn a_relay_daemons_word_counts() {
        assert!(is_pending(&Ok(ConsumerReply::Pending(true))));
        assert!(!is_pending(&Ok(ConsumerReply::Pending(false))));
        assert!(!is_pending(&Ok(ConsumerReply::Done)), "the beginning has no answer");
    }

    #[test]
    fn the_last_command_alone_is_about_streams_that_ended() {
        let is_of_ended: Vec<bool> =
            questions(SESSION, &open(), None).iter().map(of_ended).collect();
        assert_eq!(is_of_ended, [false, false, false, false, true]);
    }

    #[test]
    fn a_question_is_answered_after_its_last_command() {
        let mut questions = Questions::default();
        let number = questions.begin(2, asker());
        assert!(questions.answered(number, false).is_none());
        assert!(matches!(questions.answered(number, false), Some((_, false))));
        assert!(questions.answered(number, false).is_none(), "it is over");
    }

    #[test]
    fn one_yes_of_many_answers_is_a_yes() {
        let mut questions = Questions::default();
        let number = questions.begin(3, asker());
        questions.answered(number, false);
        questions.answered(number, true);
        assert!(matches!(questions.answered(number, false), Some((_, true))));
    }

    #[test]
    fn questions_side_by_side_do_not_mix() {
        let mut questions = Questions::default();
        let numbers = [(); 2].map(|()| questions.begin(1, asker()));
        assert!(matches!(questions.answered(numbers[1], true), Some((_, true))));
        assert!(matches!(questions.answered(numbers[0], false), Some((_, false))));
    }
}
