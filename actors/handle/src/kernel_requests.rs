//! The requests to a named session about the kernel's domain, one method each.

use lttngd_model::{
    BufferScheme, ChannelListing, Context, Domain, ErrorCode, EventDescription, EventListing,
    ProcessAttribute, TrackerValue, TrackingPolicy,
};
use lttngd_session::{
    AddContext, AddTrackerValue, DisableChannel, DisableEvent, EnableChannel, EnableEvent,
    GetInclusionSet, GetTrackingPolicy, ListChannels, ListEvents, RemoveTrackerValue,
    SessionRequest, SetTrackingPolicy,
};

use crate::Handle;

const DOMAIN: Domain = Domain::Kernel;
const BUFFER_TYPE: u32 = BufferScheme::Global as u32;

impl Handle {
    /// ENABLE_CHANNEL of the kernel's domain, before the session was started.
    ///
    /// # Errors
    /// As [`EnableChannel`].
    pub async fn enable_kernel_channel(
        &self,
        session: &str,
        channel: ChannelListing,
    ) -> Result<(), ErrorCode> {
        let (domain, buffer_type) = (DOMAIN, BUFFER_TYPE);
        self.ask(EnableChannel { domain, buffer_type, channel }.in_session(session)).await
    }

    /// DISABLE_CHANNEL of the kernel's domain.
    ///
    /// # Errors
    /// As [`DisableChannel`].
    pub async fn disable_kernel_channel(
        &self,
        session: &str,
        channel: &str,
    ) -> Result<(), ErrorCode> {
        let (domain, channel) = (DOMAIN, channel.to_owned());
        self.ask(DisableChannel { domain, channel }.in_session(session)).await
    }

    /// ENABLE_EVENT of the kernel's domain: tracepoints, system calls, probes; an empty channel name means the
    /// default channel, which is made when it is missing.
    ///
    /// # Errors
    /// As [`EnableEvent`].
    pub async fn enable_kernel_event(
        &self,
        session: &str,
        channel: &str,
        event: EventDescription,
    ) -> Result<(), ErrorCode> {
        let (domain, buffer_type, channel) = (DOMAIN, BUFFER_TYPE, channel.to_owned());
        self.ask(EnableEvent { domain, buffer_type, channel, event }.in_session(session)).await
    }

    /// DISABLE_EVENT of the kernel's domain; an empty event name means every event.
    ///
    /// # Errors
    /// As [`DisableEvent`].
    pub async fn disable_kernel_event(
        &self,
        session: &str,
        channel: &str,
        event: EventDescription,
    ) -> Result<(), ErrorCode> {
        let (domain, channel) = (DOMAIN, channel.to_owned());
        self.ask(DisableEvent { domain, channel, event }.in_session(session)).await
    }

    /// ADD_CONTEXT of the kernel's domain; an empty channel name means every channel.
    ///
    /// # Errors
    /// As [`AddContext`].
    pub async fn add_kernel_context(
        &self,
        session: &str,
        channel: &str,
        context: Context,
    ) -> Result<(), ErrorCode> {
        let (domain, channel, raw_type) = (DOMAIN, channel.to_owned(), context.kind() as u32);
        let context = Some(context);
        self.ask(AddContext { domain, channel, raw_type, context }.in_session(session)).await
    }

    /// LIST_CHANNELS of the kernel's domain, with what each lost so far.
    ///
    /// # Errors
    /// As [`ListChannels`].
    pub async fn list_kernel_channels(
        &self,
        session: &str,
    ) -> Result<Vec<ChannelListing>, ErrorCode> {
        self.ask(ListChannels { domain: DOMAIN }.in_session(session)).await
    }

    /// LIST_EVENTS of a channel of the kernel's domain.
    ///
    /// # Errors
    /// As [`ListEvents`].
    pub async fn list_kernel_events(
        &self,
        session: &str,
        channel: &str,
    ) -> Result<Vec<EventListing>, ErrorCode> {
        let (domain, channel) = (DOMAIN, channel.to_owned());
        self.ask(ListEvents { domain, channel }.in_session(session)).await
    }

    /// TRACKER_GET_POLICY of the kernel's domain: which processes a tracker lets through.
    ///
    /// # Errors
    /// As [`GetTrackingPolicy`].
    pub async fn kernel_tracking_policy(
        &self,
        session: &str,
        attribute: ProcessAttribute,
    ) -> Result<TrackingPolicy, ErrorCode> {
        self.ask(GetTrackingPolicy { domain: DOMAIN, attribute }.in_session(session)).await
    }

    /// TRACKER_SET_POLICY of the kernel's domain.
    ///
    /// # Errors
    /// As [`SetTrackingPolicy`].
    pub async fn set_kernel_tracking_policy(
        &self,
        session: &str,
        attribute: ProcessAttribute,
        policy: TrackingPolicy,
    ) -> Result<(), ErrorCode> {
        self.ask(SetTrackingPolicy { domain: DOMAIN, attribute, policy }.in_session(session)).await
    }

    /// TRACKER_ADD_VALUE of the kernel's domain, to a tracker whose policy is
    /// [`TrackingPolicy::IncludeSet`].
    ///
    /// # Errors
    /// As [`AddTrackerValue`].
    pub async fn add_kernel_tracker_value(
        &self,
        session: &str,
        attribute: ProcessAttribute,
        value: TrackerValue,
    ) -> Result<(), ErrorCode> {
        self.ask(AddTrackerValue { domain: DOMAIN, attribute, value }.in_session(session)).await
    }

    /// TRACKER_REMOVE_VALUE of the kernel's domain.
    ///
    /// # Errors
    /// As [`RemoveTrackerValue`].
    pub async fn remove_kernel_tracker_value(
        &self,
        session: &str,
        attribute: ProcessAttribute,
        value: TrackerValue,
    ) -> Result<(), ErrorCode> {
        self.ask(RemoveTrackerValue { domain: DOMAIN, attribute, value }.in_session(session)).await
    }

    /// TRACKER_GET_INCLUSION_SET of the kernel's domain.
    ///
    /// # Errors
    /// As [`GetInclusionSet`].
    pub async fn kernel_inclusion_set(
        &self,
        session: &str,
        attribute: ProcessAttribute,
    ) -> Result<Vec<TrackerValue>, ErrorCode> {
        self.ask(GetInclusionSet { domain: DOMAIN, attribute }.in_session(session)).await
    }
}
