//! The domains of a session: what is recorded for it, and by which tracer.

use actix::{Message, Recipient};
use lttngd_model::{
    BufferScheme, ChannelAttributes, ChannelListing, Domain, ErrorCode, Tracer, ust::UstDomain,
};

use crate::state::SessionSet;

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

/// The kernel's domain: all of it is recorded in one place, by whoever speaks with the tracer.
pub(crate) struct KernelDomain {
    /// Channels, event rules and contexts.
    pub(crate) rules: Box<dyn RecordedDomain>,
    /// Its buffers.
    pub(crate) set: SessionSet,
    /// Who speaks with the tracer.
    pub(crate) recorder: Recipient<SetRecording>,
}

/// Has a tracer that records in one place record what its domain wants, or nothing.
///
/// Errors: the code that a start or a stop answers.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<(), ErrorCode>")]
pub struct SetRecording {
    /// Whether it records.
    pub active: bool,
}

impl Domains {
    /// The one of a tracer.
    pub(crate) fn of(&self, tracer: Tracer) -> Option<&dyn RecordedDomain> {
        match tracer {
            Tracer::Kernel => self.kernel.as_ref().map(|kernel| &*kernel.rules),
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

    /// Whether there is anything to record in.
    pub(crate) fn has_channels(&self) -> bool {
        self.all().any(|(_, domain)| !domain.attributes().is_empty())
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
