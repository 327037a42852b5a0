//! Channels: running once they were fetched or set up, or dropped before.

use lttngd_model::ChannelKey;
use lttngd_wire::consumer::ConsumerError as Code;

use super::{
    Command, Inner,
    state::{Destroyed, Fetched},
};
use crate::{
    refusal::Refusal,
    reply::ChannelObject,
    request::{DestroyChannel, GetChannel, SetupMetadata},
    worker::Order,
    workers::WorkerGone,
};

impl Command for GetChannel {
    type Done = Box<ChannelObject>;
    const NAME: &'static str = "GET_CHANNEL";

    async fn perform(self, session: &Inner) -> Result<Box<ChannelObject>, Refusal> {
        let key = self.key;
        let fetched = session.state.borrow_mut().fetch(key)?;
        let Fetched { worker, channel, object, monitor } = fetched;
        let added = worker.ask(|answer| Order::AddChannel(channel, answer)).await;
        // Dropping what applications would have got ends the channel in its data thread.
        session.is_running(key, added)?;
        session.context.tell(|owner| owner.channel_runs(key, monitor));
        Ok(object)
    }
}

impl Command for SetupMetadata {
    type Done = ();
    const NAME: &'static str = "SETUP_METADATA";

    async fn perform(self, session: &Inner) -> Result<(), Refusal> {
        let key = self.key;
        let (worker, metadata) = session.state.borrow_mut().set_up(key)?;
        let added = worker.ask(|answer| Order::AddMetadata(metadata, answer)).await;
        session.is_running(key, added)
    }
}

impl Command for DestroyChannel {
    type Done = ();
    const NAME: &'static str = "DESTROY_CHANNEL";

    async fn perform(self, session: &Inner) -> Result<(), Refusal> {
        let destroyed = session.state.borrow_mut().destroy(self.key);
        match destroyed {
            Destroyed::Gone => session.context.tell(|owner| owner.channel_gone(self.key)),
            Destroyed::Runs(worker) => {
                worker.ask(|answer| Order::DestroyChannel(self.key, answer)).await??;
            }
            Destroyed::Stays => {}
        }
        Ok(())
    }
}

impl Inner {
    /// A data thread has a channel now, or the channel is gone.
    pub(super) fn is_running(
        &self,
        key: ChannelKey,
        added: Result<Result<(), Code>, WorkerGone>,
    ) -> Result<(), Refusal> {
        let outcome = added.map_err(Refusal::from).and_then(|added| Ok(added?));
        if outcome.is_err() {
            self.state.borrow_mut().forget_channel(key);
            self.context.tell(|owner| owner.channel_gone(key));
        }
        outcome
    }
}
