//! Whether the relay daemons of a session have all that was sent.

use lttngd_model::SessionId;
use lttngd_wire::relay::{ConsumerCommand, ConsumerReply};
use tokio::sync::oneshot;

use super::{Relay, Worker};
use crate::worker::{metadata::MetadataOutput, stream::Output};

/// A question whether they have all data of a session.
#[derive(Debug)]
pub(super) struct Question {
    /// Commands without a reply.
    left: usize,
    pending: bool,
    answer: oneshot::Sender<bool>,
}

impl Relay {
    /// Whether it may still owe something to a session. What is sent to it as data has no replies: also
    /// when all streams have ended here, only the relay daemon knows.
    fn may_owe(&self, session: SessionId) -> bool {
        self.session == session && !self.given_up && !(self.open_streams == 0 && self.has_all)
    }
}

impl Worker {
    /// Asks the relay daemons of a session, of which snapshots have their own; answers `false` when there
    /// is none.
    pub(in crate::worker) fn remote_data_pending(
        &mut self,
        session: SessionId,
        answer: oneshot::Sender<bool>,
    ) {
        let relays = self.relays.known.iter().filter(|(_, relay)| relay.may_owe(session));
        let commands: Vec<(u64, ConsumerCommand)> = relays
            .flat_map(|(&net_index, relay)| {
                self.questions_to(net_index, relay).into_iter().map(move |c| (net_index, c))
            })
            .collect();
        if commands.is_empty() {
            // Who asked may have gone.
            let _ = answer.send(false);
            return;
        }
        let question = Question { left: commands.len(), pending: false, answer };
        let number = self.checks.questions.insert(question);
        for (net_index, command) in commands {
            let is_last = matches!(command, ConsumerCommand::EndDataPending(_));
            self.command(net_index, &command, move |worker, outcome| {
                if is_last && let Ok(ConsumerReply::Pending(pending)) = outcome {
                    worker.note_pending(net_index, pending);
                }
                let pending = matches!(outcome, Ok(ConsumerReply::Pending(true)));
                worker.question_answered(number, pending);
            });
        }
    }

    /// What a relay daemon is asked, stream by stream.
    fn questions_to(&self, net_index: u64, relay: &Relay) -> Vec<ConsumerCommand> {
        let id = relay.relay_session_id;
        let mut commands = vec![ConsumerCommand::BeginDataPending(id)];
        let streams = self.streams.iter().filter_map(|(_, stream)| match &stream.output {
            Output::Remote(remote) if remote.net_index == net_index => {
                Some(remote.stream.data_pending())
            }
            _ => None,
        });
        commands.extend(streams);
        let metadata = self.metadata.values().filter_map(|metadata| match &metadata.output {
            MetadataOutput::Remote(remote) if remote.net_index == net_index => {
                Some(ConsumerCommand::QuiescentControl { handle: remote.stream.handle() })
            }
            _ => None,
        });
        commands.extend(metadata);
        commands.push(ConsumerCommand::EndDataPending(id));
        commands
    }

    /// Remembers of a connection without streams whether more is to come, so that those of many
    /// snapshots are not asked for ever.
    fn note_pending(&mut self, net_index: u64, pending: bool) {
        if let Some(relay) = self.relays.known.get_mut(&net_index) {
            relay.has_all = !pending && relay.open_streams == 0;
        }
    }

    fn question_answered(&mut self, number: usize, pending: bool) {
        let Some(question) = self.checks.questions.get_mut(number) else { return };
        question.pending |= pending;
        question.left -= 1;
        if question.left == 0 {
            let question = self.checks.questions.remove(number);
            // As above.
            let _ = question.answer.send(question.pending);
        }
    }
}
