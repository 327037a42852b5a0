//! The domains of a session: what is recorded for it, and by which tracer.

use std::{sync::Arc, time::Duration};

use actix::{Addr, Handler, Message};
use lttngd_buffers::{BufferSet, BuffersError};
use lttngd_kernel::KernelSession;
use lttngd_model::{
    BufferScheme, ChannelAttributes, ChannelListing, ConsumerKind, Domain, Tracer,
    kernel::KernelDomain as KernelRules, ust::UstDomain,
};
use lttngd_runtime::ask;

use crate::state::losses::Losses;

/// What a session records, by tracer. Each comes to be with the first command that names it.
#[derive(Default)]
pub(crate) struct Domains {
    /// What the kernel records.
    pub(crate) kernel: Option<KernelDomain>,
    /// What applications record, and what agents hand over to them.
    pub(crate) ust: Option<UstDomain>,
}

/// What a session looks at of a domain, whichever tracer records it.
pub(crate) trait RecordedDomain: Send {
    /// How it is listed: the agents' domains come with that of user space.
    fn list(&self) -> Vec<(Domain, BufferScheme)>;

    /// Its channels, by the indexes that its buffers count by.
    fn list_channels(&self) -> Vec<(u32, ChannelListing)>;

    /// What the buffers of its channels are made with.
    fn attributes(&self) -> Vec<ChannelAttributes>;
}

/// The kernel's domain: all of it is recorded in one place.
pub(crate) struct KernelDomain {
    /// Channels, event rules and contexts.
    pub(crate) rules: KernelRules,
    /// Who has them in the tracer, and their buffers.
    pub(crate) actor: Addr<KernelSession>,
    /// Whether the tracer tells how far buffers are filled; known once the session is there.
    pub(crate) can_be_monitored: bool,
    /// What its channels had lost when what had them failed.
    pub(crate) past_losses: Losses,
}

/// Who has buffers of a session, and speaks with a consumer daemon about them.
#[derive(Clone)]
pub(crate) struct Buffers {
    pub(crate) of: BuffersOf,
    /// Their directory below their tracer's.
    pub(crate) path: String,
    /// The consumer daemon that has them.
    pub(crate) kind: ConsumerKind,
}

/// Whose buffers.
#[derive(Clone)]
pub(crate) enum BuffersOf {
    /// Those that applications share.
    Apps(Arc<Addr<BufferSet>>),
    /// The kernel's.
    Kernel(Addr<KernelSession>),
}

impl Buffers {
    /// Asks something that all who have buffers are asked.
    pub(crate) async fn ask<M, T>(&self, message: M, deadline: Duration) -> Result<T, BuffersError>
    where
        M: Message<Result = Result<T, BuffersError>> + Send + 'static,
        T: Send + 'static,
        BufferSet: Handler<M>,
        KernelSession: Handler<M>,
    {
        match &self.of {
            BuffersOf::Apps(set) => ask(set, message, deadline).await?,
            BuffersOf::Kernel(session) => ask(session, message, deadline).await?,
        }
    }
}

impl Domains {
    /// The one of a tracer.
    pub(crate) fn of(&self, tracer: Tracer) -> Option<&dyn RecordedDomain> {
        match tracer {
            Tracer::Kernel => {
                self.kernel.as_ref().map(|kernel| &kernel.rules as &dyn RecordedDomain)
            }
            Tracer::Ust => self.ust.as_ref().map(|ust| ust as &dyn RecordedDomain),
        }
    }

    /// Those that there are, as they are listed: the kernel's first.
    pub(crate) fn all(&self) -> impl Iterator<Item = (Tracer, &dyn RecordedDomain)> {
        let tracers = [Tracer::Kernel, Tracer::Ust];
        tracers.into_iter().filter_map(|tracer| Some((tracer, self.of(tracer)?)))
    }

    /// Whose they are.
    pub(crate) fn tracers(&self) -> impl Iterator<Item = Tracer> {
        self.all().map(|(tracer, _)| tracer)
    }

    /// Those that have something to record in. A domain of which every command was refused has nothing.
    pub(crate) fn recorded(&self) -> impl Iterator<Item = Tracer> {
        let has_channels = |domain: &dyn RecordedDomain| !domain.attributes().is_empty();
        self.all().filter_map(move |(tracer, domain)| has_channels(domain).then_some(tracer))
    }

    /// Whether there is anything to record in.
    pub(crate) fn has_channels(&self) -> bool {
        self.recorded().next().is_some()
    }
}

impl RecordedDomain for UstDomain {
    fn list(&self) -> Vec<(Domain, BufferScheme)> {
        self.list_domains().into_iter().map(|domain| (domain, self.scheme)).collect()
    }

    fn list_channels(&self) -> Vec<(u32, ChannelListing)> {
        let indexes = self.channels.iter().map(|channel| channel.index);
        indexes.zip(UstDomain::list_channels(self)).collect()
    }

    fn attributes(&self) -> Vec<ChannelAttributes> {
        self.channels.iter().map(|channel| channel.attributes).collect()
    }
}

impl RecordedDomain for KernelRules {
    fn list(&self) -> Vec<(Domain, BufferScheme)> {
        vec![(Domain::Kernel, BufferScheme::Global)]
    }

    fn list_channels(&self) -> Vec<(u32, ChannelListing)> {
        Self::list_channels(self)
    }

    fn attributes(&self) -> Vec<ChannelAttributes> {
        self.channels.iter().map(|channel| channel.attributes).collect()
    }
}
