//! Whether the relay daemons of a session have all that was sent.

use std::collections::HashMap;

use lttngd_model::{NetIndex, SessionId};
use lttngd_relaystream::CommandError;
use lttngd_wire::relay::{ConsumerCommand, ConsumerReply};

use super::{Relay, Worker};
use crate::worker::{metadata::MetadataOutput, order::Reply, stream::Output};

/// What is done with the answer to a question.
type WithAnswer = Box<dyn FnOnce(&mut Worker, bool) + Send>;

/// A question in several commands.
pub(super) struct Question {
    /// Commands without a reply.
    left: usize,
    pending: bool,
    then: WithAnswer,
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
        answer: Reply<bool>,
    ) {
        let relays = self.relays.known.iter().filter(|(_, relay)| relay.may_owe(session));
        let relays: Vec<NetIndex> = relays.map(|(net_index, _)| *net_index).collect();
        let everything = HashMap::new();
        let commands = relays
            .into_iter()
            .flat_map(|net_index| {
                let commands = self.questions_to(net_index, &everything);
                commands.into_iter().map(move |command| (net_index, command))
            })
            .collect();
        self.ask_relays(
            commands,
            |_| true,
            |_, pending| {
                answer.answer(pending);
            },
        );
    }

    /// Asks questions; `then` gets whether one that matters was answered by yes.
    pub(super) fn ask_relays(
        &mut self,
        commands: Vec<(NetIndex, ConsumerCommand)>,
        matters: impl Fn(&ConsumerCommand) -> bool,
        then: impl FnOnce(&mut Self, bool) + Send + 'static,
    ) {
        if commands.is_empty() {
            return then(self, false);
        }
        let question = Question { left: commands.len(), pending: false, then: Box::new(then) };
        let number = self.checks.questions.insert(question);
        for (net_index, command) in commands {
            let is_last = matches!(command, ConsumerCommand::EndDataPending(_));
            let matters = matters(&command);
            self.command(net_index, &command, move |worker, outcome| {
                if is_last && let Ok(ConsumerReply::Pending(pending)) = outcome {
                    worker.note_pending(net_index, pending);
                }
                let pending = match outcome {
                    Ok(ConsumerReply::Pending(pending)) => pending,
                    // It may have something still; a relay daemon that is lost writes nothing more.
                    Err(CommandError::Full) => true,
                    _ => false,
                };
                worker.question_answered(number, matters && pending);
            });
        }
    }

    /// What a relay daemon is asked: of each stream that is open whether its packets were written, up to
    /// the one of that number in `until` or else the last one, and then of all that have ended.
    pub(super) fn questions_to(
        &self,
        net_index: NetIndex,
        until: &HashMap<u64, u64>,
    ) -> Vec<ConsumerCommand> {
        let Some(relay) = self.relays.known.get(&net_index) else { return Vec::new() };
        let id = relay.relay_session_id;
        let mut commands = vec![ConsumerCommand::BeginDataPending(id)];
        let streams = self.streams.iter().filter_map(|(_, stream)| match &stream.output {
            Output::Remote(remote) if remote.net_index == net_index => {
                let handle = remote.stream.handle();
                let known = until.get(&handle).copied();
                let last_net_seq_num = known.unwrap_or(remote.stream.last_net_seq_num());
                Some(ConsumerCommand::DataPending { handle, last_net_seq_num })
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
    fn note_pending(&mut self, net_index: NetIndex, pending: bool) {
        if let Some(relay) = self.relays.known.get_mut(&net_index) {
            relay.has_all = !pending && relay.open_streams == 0;
        }
    }

    fn question_answered(&mut self, number: usize, pending: bool) {
        let Some(question) = self.checks.questions.get_mut(number) else { return };
        question.pending |= pending;
        question.left -= 1;
        if question.left == 0 {
            let Question { pending, then, .. } = self.checks.questions.remove(number);
            then(self, pending);
        }
    }
}
