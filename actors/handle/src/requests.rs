//! The requests to a named session, one method each.

use std::path::PathBuf;

use lttngd_model::{
    BufferScheme, ChannelListing, Context, Domain, ErrorCode, EventDescription, EventListing,
    ProcessAttribute, TrackerValue, TrackingPolicy, Uri,
};
use lttngd_registry::SaveAllSessions;
use lttngd_session::{
    AddContext, AddSnapshotOutput, AddTrackerValue, Clear, CommandQueue, DataPending,
    DeleteSnapshotOutput, DescribeSession, DisableChannel, DisableEvent, EnableChannel,
    EnableEvent, GetInclusionSet, GetQueueReport, GetRotationInfo, GetTrackingPolicy, ListChannels,
    ListDomains, ListEvents, ListRotationSchedules, ListSnapshotOutputs, ListStreams,
    RecordSnapshot, RegenerateMetadata, RegenerateStatedump, RemoveTrackerValue, Rotate,
    RotationInfo, RotationSchedule, RotationSchedules, Save, SessionDescription, SessionRequest,
    SetConsumerUri, SetRotationSchedule, SetShmPath, SetTrackingPolicy, SnapshotOutput, Start,
    Stop, StreamSet,
};

use crate::Handle;

impl Handle {
    /// ENABLE_CHANNEL: makes a channel of the user-space domain, or enables it again.
    ///
    /// # Errors
    /// As [`EnableChannel`].
    pub async fn enable_channel(
        &self,
        session: &str,
        scheme: BufferScheme,
        channel: ChannelListing,
    ) -> Result<(), ErrorCode> {
        let request = EnableChannel { domain: Domain::Ust, buffer_type: scheme as u32, channel };
        self.ask(request.in_session(session)).await
    }

    /// DISABLE_CHANNEL of the user-space domain; an empty name means the default channel.
    ///
    /// # Errors
    /// As [`DisableChannel`].
    pub async fn disable_channel(&self, session: &str, channel: &str) -> Result<(), ErrorCode> {
        let request = DisableChannel { domain: Domain::Ust, channel: channel.to_owned() };
        self.ask(request.in_session(session)).await
    }

    /// ENABLE_EVENT of the user-space domain; an empty channel name means the default channel,
    /// which is made, per-UID, when it is missing.
    ///
    /// # Errors
    /// As [`EnableEvent`].
    pub async fn enable_event(
        &self,
        session: &str,
        channel: &str,
        event: EventDescription,
    ) -> Result<(), ErrorCode> {
        let buffer_type = BufferScheme::PerUid as u32;
        let request =
            EnableEvent { domain: Domain::Ust, buffer_type, channel: channel.to_owned(), event };
        self.ask(request.in_session(session)).await
    }

    /// DISABLE_EVENT of the user-space domain; an empty event name means every event.
    ///
    /// # Errors
    /// As [`DisableEvent`].
    pub async fn disable_event(
        &self,
        session: &str,
        channel: &str,
        event: EventDescription,
    ) -> Result<(), ErrorCode> {
        let request = DisableEvent { domain: Domain::Ust, channel: channel.to_owned(), event };
        self.ask(request.in_session(session)).await
    }

    /// ADD_CONTEXT of the user-space domain; an empty channel name means every channel.
    ///
    /// # Errors
    /// As [`AddContext`].
    pub async fn add_context(
        &self,
        session: &str,
        channel: &str,
        context: Context,
    ) -> Result<(), ErrorCode> {
        let request = AddContext {
            domain: Domain::Ust,
            channel: channel.to_owned(),
            raw_type: context.kind() as u32,
            context: Some(context),
        };
        self.ask(request.in_session(session)).await
    }

    /// LIST_CHANNELS of the user-space domain, with what each lost so far.
    ///
    /// # Errors
    /// As [`ListChannels`].
    pub async fn list_channels(&self, session: &str) -> Result<Vec<ChannelListing>, ErrorCode> {
        self.ask(ListChannels { domain: Domain::Ust }.in_session(session)).await
    }

    /// LIST_EVENTS of a channel of the user-space domain.
    ///
    /// # Errors
    /// As [`ListEvents`].
    pub async fn list_events(
        &self,
        session: &str,
        channel: &str,
    ) -> Result<Vec<EventListing>, ErrorCode> {
        let request = ListEvents { domain: Domain::Ust, channel: channel.to_owned() };
        self.ask(request.in_session(session)).await
    }

    /// LIST_DOMAINS.
    ///
    /// # Errors
    /// As [`ListDomains`].
    pub async fn list_domains(
        &self,
        session: &str,
    ) -> Result<Vec<(Domain, BufferScheme)>, ErrorCode> {
        self.ask(ListDomains.in_session(session)).await
    }

    /// START_TRACE.
    ///
    /// # Errors
    /// As [`Start`].
    pub async fn start(&self, session: &str) -> Result<(), ErrorCode> {
        self.ask(Start.in_session(session)).await
    }

    /// STOP_TRACE. Afterwards [`Handle::data_pending`] tells when the trace can be read.
    ///
    /// # Errors
    /// As [`Stop`].
    pub async fn stop(&self, session: &str) -> Result<(), ErrorCode> {
        self.ask(Stop.in_session(session)).await
    }

    /// DATA_PENDING.
    ///
    /// # Errors
    /// As [`DataPending`].
    pub async fn data_pending(&self, session: &str) -> Result<bool, ErrorCode> {
        self.ask(DataPending.in_session(session)).await
    }

    /// What waits in the session's queue of commands, what runs and for how long. LTTng has no such
    /// command: it is there for programs that embed the daemon.
    ///
    /// # Errors
    /// As [`GetQueueReport`].
    pub async fn queue_report(&self, session: &str) -> Result<CommandQueue, ErrorCode> {
        self.ask(GetQueueReport.in_session(session)).await
    }

    /// All that a session is, as `lttng save` writes it. LTTng has no such command: it is there for whoever compares a
    /// session with what it is to be.
    ///
    /// # Errors
    /// As [`DescribeSession`].
    pub async fn describe_session(&self, session: &str) -> Result<SessionDescription, ErrorCode> {
        self.ask(DescribeSession.in_session(session)).await
    }

    /// SET_CONSUMER_URI: where the traces of a session that was not started yet go.
    ///
    /// # Errors
    /// As [`SetConsumerUri`].
    pub async fn set_consumer_uri(&self, session: &str, uris: Vec<Uri>) -> Result<(), ErrorCode> {
        self.ask(SetConsumerUri { domain: None, uris }.in_session(session)).await
    }

    /// SAVE_SESSION: writes a session to a file with the requester's rights. `directory` is absolute;
    /// `None` means `.lttng/sessions` in the home that the user database has for the requester.
    ///
    /// # Errors
    /// As [`Save`].
    pub async fn save_session(
        &self,
        session: &str,
        directory: Option<PathBuf>,
        overwrite: bool,
    ) -> Result<(), ErrorCode> {
        let requester = self.requester();
        self.ask(Save { requester, directory, overwrite }.in_session(session)).await
    }

    /// SAVE_SESSION of every session that the requester may access, but for files that the requester
    /// may not write.
    ///
    /// # Errors
    /// As [`Save`]; the first one ends it.
    pub async fn save_all_sessions(
        &self,
        directory: Option<PathBuf>,
        overwrite: bool,
    ) -> Result<(), ErrorCode> {
        self.ask(SaveAllSessions { directory, overwrite }).await
    }

    /// ROTATE_SESSION: archives what was recorded so far. Returns the rotation's id, for
    /// [`Handle::rotation_info`].
    ///
    /// # Errors
    /// As [`Rotate`].
    pub async fn rotate(&self, session: &str) -> Result<u64, ErrorCode> {
        self.ask(Rotate.in_session(session)).await
    }

    /// ROTATION_GET_INFO: where a rotation stands, and where its trace archive is.
    ///
    /// # Errors
    /// As [`GetRotationInfo`].
    pub async fn rotation_info(
        &self,
        session: &str,
        rotation_id: u64,
    ) -> Result<RotationInfo, ErrorCode> {
        self.ask(GetRotationInfo { rotation_id }.in_session(session)).await
    }

    /// CLEAR_SESSION: throws away what was recorded so far.
    ///
    /// # Errors
    /// As [`Clear`].
    pub async fn clear(&self, session: &str) -> Result<(), ErrorCode> {
        self.ask(Clear.in_session(session)).await
    }

    /// SNAPSHOT_ADD_OUTPUT: a place for the snapshots of a snapshot session. Returns its id.
    ///
    /// # Errors
    /// As [`AddSnapshotOutput`].
    pub async fn add_snapshot_output(
        &self,
        session: &str,
        output: AddSnapshotOutput,
    ) -> Result<u32, ErrorCode> {
        self.ask(output.in_session(session)).await
    }

    /// SNAPSHOT_DEL_OUTPUT.
    ///
    /// # Errors
    /// As [`DeleteSnapshotOutput`].
    pub async fn delete_snapshot_output(
        &self,
        session: &str,
        output: DeleteSnapshotOutput,
    ) -> Result<(), ErrorCode> {
        self.ask(output.in_session(session)).await
    }

    /// GET_CHANNEL_DATA_STREAM_INFO_SETS of the user-space domain: the memory that the streams of a channel have.
    ///
    /// # Errors
    /// As [`ListStreams`].
    pub async fn list_streams(
        &self,
        session: &str,
        channel: &str,
    ) -> Result<Vec<StreamSet>, ErrorCode> {
        let (domain, channel) = (Domain::Ust, channel.to_owned());
        self.ask(ListStreams { domain, channel }.in_session(session)).await
    }

    /// SNAPSHOT_LIST_OUTPUT.
    ///
    /// # Errors
    /// As [`ListSnapshotOutputs`].
    pub async fn list_snapshot_outputs(
        &self,
        session: &str,
    ) -> Result<Vec<SnapshotOutput>, ErrorCode> {
        self.ask(ListSnapshotOutputs.in_session(session)).await
    }

    /// SNAPSHOT_RECORD. When it returns, the snapshot can be read.
    ///
    /// # Errors
    /// As [`RecordSnapshot`].
    pub async fn record_snapshot(
        &self,
        session: &str,
        snapshot: RecordSnapshot,
    ) -> Result<(), ErrorCode> {
        self.ask(snapshot.in_session(session)).await
    }

    /// ROTATION_SET_SCHEDULE: rotates the session of its own accord.
    ///
    /// # Errors
    /// As [`SetRotationSchedule`].
    pub async fn add_rotation_schedule(
        &self,
        session: &str,
        schedule: RotationSchedule,
    ) -> Result<(), ErrorCode> {
        self.ask(SetRotationSchedule { add: true, schedule }.in_session(session)).await
    }

    /// ROTATION_SET_SCHEDULE: takes a schedule away.
    ///
    /// # Errors
    /// As [`SetRotationSchedule`].
    pub async fn remove_rotation_schedule(
        &self,
        session: &str,
        schedule: RotationSchedule,
    ) -> Result<(), ErrorCode> {
        self.ask(SetRotationSchedule { add: false, schedule }.in_session(session)).await
    }

    /// SESSION_LIST_ROTATION_SCHEDULES.
    ///
    /// # Errors
    /// As [`ListRotationSchedules`].
    pub async fn list_rotation_schedules(
        &self,
        session: &str,
    ) -> Result<RotationSchedules, ErrorCode> {
        self.ask(ListRotationSchedules.in_session(session)).await
    }

    /// TRACKER_GET_POLICY of the user-space domain: which processes a tracker lets through.
    ///
    /// # Errors
    /// As [`GetTrackingPolicy`].
    pub async fn tracking_policy(
        &self,
        session: &str,
        attribute: ProcessAttribute,
    ) -> Result<TrackingPolicy, ErrorCode> {
        self.ask(GetTrackingPolicy { domain: Domain::Ust, attribute }.in_session(session)).await
    }

    /// TRACKER_SET_POLICY of the user-space domain.
    ///
    /// # Errors
    /// As [`SetTrackingPolicy`].
    pub async fn set_tracking_policy(
        &self,
        session: &str,
        attribute: ProcessAttribute,
        policy: TrackingPolicy,
    ) -> Result<(), ErrorCode> {
        self.ask(SetTrackingPolicy { domain: Domain::Ust, attribute, policy }.in_session(session))
            .await
    }

    /// TRACKER_ADD_VALUE of the user-space domain, to a tracker whose policy is
    /// [`TrackingPolicy::IncludeSet`].
    ///
    /// # Errors
    /// As [`AddTrackerValue`].
    pub async fn add_tracker_value(
        &self,
        session: &str,
        attribute: ProcessAttribute,
        value: TrackerValue,
    ) -> Result<(), ErrorCode> {
        self.ask(AddTrackerValue { domain: Domain::Ust, attribute, value }.in_session(session))
            .await
    }

    /// TRACKER_REMOVE_VALUE of the user-space domain.
    ///
    /// # Errors
    /// As [`RemoveTrackerValue`].
    pub async fn remove_tracker_value(
        &self,
        session: &str,
        attribute: ProcessAttribute,
        value: TrackerValue,
    ) -> Result<(), ErrorCode> {
        self.ask(RemoveTrackerValue { domain: Domain::Ust, attribute, value }.in_session(session))
            .await
    }

    /// TRACKER_GET_INCLUSION_SET of the user-space domain.
    ///
    /// # Errors
    /// As [`GetInclusionSet`].
    pub async fn inclusion_set(
        &self,
        session: &str,
        attribute: ProcessAttribute,
    ) -> Result<Vec<TrackerValue>, ErrorCode> {
        self.ask(GetInclusionSet { domain: Domain::Ust, attribute }.in_session(session)).await
    }

    /// SET_SESSION_SHM_PATH: where the buffers of a session that was not started yet will be files.
    ///
    /// # Errors
    /// As [`SetShmPath`].
    pub async fn set_shm_path(&self, session: &str, path: PathBuf) -> Result<(), ErrorCode> {
        self.ask(SetShmPath { path }.in_session(session)).await
    }

    /// REGENERATE_METADATA.
    ///
    /// # Errors
    /// As [`RegenerateMetadata`].
    pub async fn regenerate_metadata(&self, session: &str) -> Result<(), ErrorCode> {
        self.ask(RegenerateMetadata.in_session(session)).await
    }

    /// REGENERATE_STATEDUMP.
    ///
    /// # Errors
    /// As [`RegenerateStatedump`].
    pub async fn regenerate_statedump(&self, session: &str) -> Result<(), ErrorCode> {
        self.ask(RegenerateStatedump.in_session(session)).await
    }
}
