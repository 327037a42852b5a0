//! What there is: of a session, and of what can be traced.

use lttngd_model::{Binary, Domain, ErrorCode, EventListing};
use lttngd_session::{ListChannels, ListDomains, ListEvents, SessionRequest};
use lttngd_wire::client::{
    DomainListing, FDS_MAX, Reply, encode_channels, encode_domains, encode_event_fields,
    encode_events,
};

use super::Asking;

/// With more entries a listing is encoded in another thread, and let go there: all clients would wait for it.
const AT_ONCE_MAX: usize = 4096;
/// About what an entry of what can be traced takes in a reply, in bytes.
const ENTRY_LEN: usize = 64;

impl Asking<'_> {
    pub(super) async fn list_channels(&self) -> Result<Reply, ErrorCode> {
        let Some(domain) = self.domain.filter(|domain| *domain != Domain::None) else {
            self.handle.check(self.session, None).await?;
            return Ok(self.ok().with_list(0, Vec::new()));
        };
        let channels = self.handle.ask(ListChannels { domain }.in_session(self.session)).await?;
        Ok(self.ok().with_list(channels.len(), encode_channels(&channels, self.request.dialect)))
    }

    pub(super) async fn list_events(&self, channel: String) -> Result<Reply, ErrorCode> {
        let domain = self.checked(self.some(ErrorCode::Und)).await?;
        let message = ListEvents { domain, channel };
        let events = self.handle.ask(message.in_session(self.session)).await?;
        self.attached.borrow_mut().sent = binaries(&events)?;
        Ok(self.ok().with_list(events.len(), encode_events(&events)?))
    }

    pub(super) async fn list_domains(&self) -> Result<Reply, ErrorCode> {
        let listing = |(domain, scheme)| DomainListing { domain, scheme };
        self.told(ListDomains, |domains| {
            encode_domains(&domains.into_iter().map(listing).collect::<Vec<_>>())
        })
        .await
    }

    pub(super) async fn list_tracepoints(&self) -> Result<Reply, ErrorCode> {
        self.listed(self.handle.list_tracepoints(self.domain).await?, encode_events).await
    }

    pub(super) async fn list_tracepoint_fields(&self) -> Result<Reply, ErrorCode> {
        self.listed(self.handle.list_tracepoint_fields(self.domain).await?, encode_event_fields)
            .await
    }

    pub(super) async fn list_syscalls(&self) -> Result<Reply, ErrorCode> {
        self.listed(self.handle.list_syscalls().await?, encode_events).await
    }

    /// What can be traced, which may be much.
    async fn listed<T: Send + 'static>(
        &self,
        entries: Vec<T>,
        encode: impl FnOnce(&[T]) -> Result<Vec<u8>, ErrorCode> + Send + 'static,
    ) -> Result<Reply, ErrorCode> {
        let count = entries.len();
        // Nothing is encoded for which there is no room; what it has become is counted when it is known.
        self.attached.borrow_mut().room.hold(count * ENTRY_LEN)?;
        let encoded = if count <= AT_ONCE_MAX {
            encode(&entries)?
        } else {
            let encode = tokio::task::spawn_blocking(move || encode(&entries));
            // It fails only when that panicked.
            encode.await.map_err(|_| ErrorCode::Fatal)??
        };
        Ok(self.ok().with_list(count, encoded))
    }
}

/// The programs of listed rules, one for each that is placed in one. A message can have [`FDS_MAX`].
fn binaries(events: &[EventListing]) -> Result<Vec<Binary>, ErrorCode> {
    let probes = events.iter().filter_map(|event| event.userspace_probe.as_ref());
    let binaries: Option<Vec<_>> = probes.map(|probe| probe.binary.clone()).collect();
    binaries.filter(|binaries| binaries.len() <= FDS_MAX).ok_or(ErrorCode::KernListFail)
}
