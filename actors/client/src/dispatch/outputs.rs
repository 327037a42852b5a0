//! Where what is recorded goes: outputs, snapshots, rotations.

use lttngd_model::{ErrorCode, Uri};
use lttngd_session::{
    AddSnapshotOutput, DeleteSnapshotOutput, GetRotationInfo, ListSnapshotOutputs, RecordSnapshot,
    SetConsumerUri,
};
use lttngd_wire::client::{
    ArchiveLocation, Reply, RotationInfo, RotationState, SnapshotOutput, encode_rotation_info,
    encode_rotation_schedules, encode_snapshot_output_id, encode_snapshot_outputs,
};

use super::Asking;

impl Asking<'_> {
    pub(super) async fn set_consumer_uri(&self, uris: Vec<Uri>) -> Result<Reply, ErrorCode> {
        self.done(SetConsumerUri { domain: self.domain, uris }).await
    }

    pub(super) async fn register_consumer(&self) -> Result<Reply, ErrorCode> {
        self.handle.register_consumer(self.session, self.domain).await.map(|()| self.ok())
    }

    pub(super) async fn add_snapshot_output(
        &self,
        output: SnapshotOutput,
    ) -> Result<Reply, ErrorCode> {
        let message = AddSnapshotOutput {
            name: output.name,
            max_size_bytes: output.max_size_bytes,
            control_url: output.control_url,
            data_url: output.data_url,
        };
        self.told(message, encode_snapshot_output_id).await
    }

    pub(super) async fn delete_snapshot_output(
        &self,
        output: SnapshotOutput,
    ) -> Result<Reply, ErrorCode> {
        self.done(DeleteSnapshotOutput { id: output.id, name: output.name }).await
    }

    pub(super) async fn list_snapshot_outputs(&self) -> Result<Reply, ErrorCode> {
        self.told(ListSnapshotOutputs, |outputs: Vec<_>| {
            encode_snapshot_outputs(&outputs.into_iter().map(snapshot_output).collect::<Vec<_>>())
        })
        .await
    }

    pub(super) async fn record_snapshot(&self, output: SnapshotOutput) -> Result<Reply, ErrorCode> {
        let message = RecordSnapshot {
            name: output.name,
            control_url: output.control_url,
            data_url: output.data_url,
            max_size_bytes: output.max_size_bytes,
        };
        self.done(message).await
    }

    pub(super) async fn rotation_info(&self, rotation_id: u64) -> Result<Reply, ErrorCode> {
        let encode = |info| encode_rotation_info(&rotation_info(info));
        self.told(GetRotationInfo { rotation_id }, encode).await
    }

    pub(super) async fn list_rotation_schedules(&self) -> Result<Reply, ErrorCode> {
        let schedules = self.handle.list_rotation_schedules(self.session).await?;
        Ok(self.ok().with_data(encode_rotation_schedules(&schedules)))
    }
}

fn rotation_info(info: lttngd_session::RotationInfo) -> RotationInfo {
    use lttngd_session::RotationState as State;
    RotationInfo {
        state: match info.state {
            State::Ongoing => RotationState::Ongoing,
            State::Completed => RotationState::Completed,
            State::Expired => RotationState::Expired,
            State::Error => RotationState::Error,
        },
        location: info.archive.map(ArchiveLocation::from),
    }
}

fn snapshot_output(output: lttngd_session::SnapshotOutput) -> SnapshotOutput {
    let (control_url, data_url) = output.place.urls();
    SnapshotOutput {
        id: output.id,
        max_size_bytes: output.max_size_bytes,
        name: output.name,
        control_url,
        data_url,
    }
}
