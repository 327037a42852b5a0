//! Streams at relay daemons: made known, asked about, closed.

use std::time::Instant;

use lttngd_model::{ChannelKey, NetIndex, SessionId};
use lttngd_wire::relay::ConsumerCommand;

use super::{
    additions::{AfterAddition, StreamName, add_stream},
    connections::{Awaited, Relays},
    effect::Effect,
    pending::{self, Asker, OpenStreams},
    unwritten::Numbers,
};
use crate::worker::{
    new::OutputConfig,
    order::{Answer, Reply},
    remote::RemoteStream,
    timers::Due,
};

/// A stream that is to be made known.
#[derive(Debug)]
pub(in crate::worker) struct NewRemoteStream<'a> {
    pub(in crate::worker) key: ChannelKey,
    pub(in crate::worker) slot: usize,
    pub(in crate::worker) writing: &'a OutputConfig,
    pub(in crate::worker) name: StreamName<'a>,
}

impl Relays {
    /// Makes the streams of a channel known to a relay daemon. Packets of all streams but those of snapshots
    /// are indexed.
    pub(in crate::worker) fn add_streams(
        &mut self,
        net_index: NetIndex,
        streams: Vec<NewRemoteStream<'_>>,
        then: AfterAddition,
    ) {
        let indexed = !matches!(then, AfterAddition::Snapshot(_));
        let addition = match self.additions.begin(streams.len(), then) {
            Ok(addition) => addition,
            Err(then) => return self.added(then, false),
        };
        let minor = self.minor(net_index);
        for NewRemoteStream { key, slot, writing, name } in streams {
            let command = add_stream(minor, writing, name);
            let awaited = Awaited::StreamAdded { addition, key, slot, indexed };
            self.command(net_index, &command, awaited);
        }
    }

    /// Makes a metadata stream known to a relay daemon, and with it all streams of the trace to
    /// viewers.
    pub(in crate::worker) fn add_metadata(
        &mut self,
        net_index: NetIndex,
        key: ChannelKey,
        writing: &OutputConfig,
        name: StreamName<'_>,
        answer: Answer,
    ) {
        let command = add_stream(self.minor(net_index), writing, name);
        self.command(net_index, &command, Awaited::MetadataAdded(key));
        let awaited = Awaited::MetadataAnnounced(key, answer);
        self.command(net_index, &ConsumerCommand::StreamsSent, awaited);
    }

    /// Makes all streams of a session that a relay daemon knows known to viewers.
    pub(in crate::worker) fn announce_streams(&mut self, net_index: NetIndex, answer: Answer) {
        let awaited = Awaited::StreamsAnnounced(answer);
        self.command(net_index, &ConsumerCommand::StreamsSent, awaited);
    }

    /// Makes a stream for the metadata of a snapshot known to a relay daemon.
    pub(in crate::worker) fn add_recorded_text(
        &mut self,
        net_index: NetIndex,
        key: ChannelKey,
        writing: &OutputConfig,
        name: StreamName<'_>,
        answer: Answer,
    ) {
        let command = add_stream(self.minor(net_index), writing, name);
        self.command(net_index, &command, Awaited::TextAdded(key, answer));
    }

    /// A stream that a relay daemon took is of use.
    pub(in crate::worker) fn stream_opened(&mut self, net_index: NetIndex) {
        if let Some(relay) = self.touch(net_index) {
            relay.state.stream_opened();
        }
    }

    /// Remembers that a snapshot is sent there.
    pub(in crate::worker) fn note_snapshot(&mut self, net_index: NetIndex) {
        if let Some(relay) = self.known.get_mut(&net_index) {
            relay.state.snapshot_sent();
        }
    }

    /// Closes a stream at its relay daemon.
    pub(in crate::worker) fn close(&mut self, remote: &RemoteStream) {
        self.command(remote.net_index, &remote.stream.close(), Awaited::StreamClosed);
        if let Some(relay) = self.touch(remote.net_index) {
            relay.state.stream_closed();
        }
    }

    /// Relay daemons that may not have written all of a session; snapshots have their own.
    pub(in crate::worker) fn that_may_owe(&self, session: SessionId) -> Vec<NetIndex> {
        let relays = self.known.iter();
        let owing = relays.filter(|(_, it)| it.session == session && it.state.may_owe());
        owing.map(|(net_index, _)| *net_index).collect()
    }

    /// Asks relay daemons whether they have written all; answers `false` when there is none.
    pub(in crate::worker) fn ask_pending(
        &mut self,
        relays: &[(NetIndex, OpenStreams)],
        reply: Reply<bool>,
    ) {
        let mut commands = Vec::new();
        for (net_index, open) in relays {
            if let Some(relay) = self.known.get(net_index) {
                let questions = pending::questions(relay.relay_session_id, open, None);
                commands.extend(questions.into_iter().map(|command| (*net_index, command)));
            }
        }
        if commands.is_empty() {
            return reply.answer(false);
        }
        self.ask(commands, None, Asker::SessionDaemon(reply));
    }

    /// Asks a relay daemon, at which these streams are open, whether it has written what is to be in trace
    /// chunks that streams left.
    pub(in crate::worker) fn ask_unwritten(&mut self, net_index: NetIndex, open: &OpenStreams) {
        let Some(relay) = self.known.get_mut(&net_index) else { return };
        let Some(question) = relay.unwritten.asks() else { return };
        let until = Some(&question.until);
        let commands = pending::questions(relay.relay_session_id, open, until);
        let commands = commands.into_iter().map(|command| (net_index, command)).collect();
        self.ask(commands, until, Asker::Unwritten(net_index, question.count));
    }

    fn ask(
        &mut self,
        commands: Vec<(NetIndex, ConsumerCommand)>,
        until: Option<&Numbers>,
        asker: Asker,
    ) {
        let question = self.questions.begin(commands.len(), asker);
        for (net_index, command) in commands {
            let of_ended = pending::of_ended(&command);
            let matters = pending::matters(&command, until);
            self.command(net_index, &command, Awaited::Pending { question, matters, of_ended });
        }
    }

    pub(super) fn unwritten_came(&mut self, net_index: NetIndex, count: usize, pending: bool) {
        let Some(relay) = self.known.get_mut(&net_index) else { return };
        self.effects.push_back(match relay.unwritten.answered(count, pending) {
            Some(wait) => Effect::Schedule(Instant::now() + wait, Due::Leaving(net_index)),
            None => Effect::AskUnwritten(net_index),
        });
    }

    /// It is time to ask again.
    pub(in crate::worker) fn waited_for_unwritten(&mut self, net_index: NetIndex) {
        if let Some(relay) = self.known.get_mut(&net_index) {
            relay.unwritten.waited();
            self.effects.push_back(Effect::AskUnwritten(net_index));
        }
    }
}
