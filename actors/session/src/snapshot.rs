//! Snapshots: copies of what the buffers of a session without a continuous output hold.

use std::rc::Rc;

use futures::future::try_join_all;
use lttngd_buffers::{BuffersError, ChannelSize, Record, Sizes};
use lttngd_model::ErrorCode;
use lttngd_runtime::ask;

use crate::{
    AddSnapshotOutput, DeleteSnapshotOutput, ListSnapshotOutputs, Output, RecordSnapshot,
    SnapshotOutput,
    actor::{Inner, SessionSet},
    chunk::ChunkRoot,
    error::buffers_code,
    snapshot_outputs::packets_within,
    start_stop::now,
};

impl Inner {
    /// Refuses a session whose events are written as they come.
    fn admit_snapshots(&self) -> Result<(), ErrorCode> {
        self.life.get().admit()?;
        if *self.output.borrow() == Output::None {
            Ok(())
        } else {
            Err(ErrorCode::NotSnapshotSession)
        }
    }

    pub(crate) async fn add_snapshot_output(
        self: Rc<Self>,
        request: AddSnapshotOutput,
    ) -> Result<u32, ErrorCode> {
        let _turn = self.turn().await?;
        self.admit_snapshots()?;
        self.snapshots.borrow_mut().add(request.name, request.max_size_bytes, &request.url)
    }

    pub(crate) async fn delete_snapshot_output(
        self: Rc<Self>,
        request: DeleteSnapshotOutput,
    ) -> Result<(), ErrorCode> {
        let _turn = self.turn().await?;
        self.admit_snapshots()?;
        self.snapshots.borrow_mut().delete(request.id, &request.name)
    }

    pub(crate) async fn list_snapshot_outputs(
        self: Rc<Self>,
        _: ListSnapshotOutputs,
    ) -> Result<Vec<SnapshotOutput>, ErrorCode> {
        self.admit_snapshots()?;
        Ok(self.snapshots.borrow().outputs().to_vec())
    }

    pub(crate) async fn record_snapshot(
        self: Rc<Self>,
        request: RecordSnapshot,
    ) -> Result<(), ErrorCode> {
        let _turn = self.turn().await?;
        self.admit_snapshots()?;
        let life = self.life.get();
        if !life.was_started {
            return Err(ErrorCode::StartSessionOnce);
        }
        life.admit_with_consumer()?;
        let outputs = self.snapshots.borrow().meant(&request)?;
        for output in outputs {
            self.record_to(&output).await?;
        }
        Ok(())
    }

    /// Records one snapshot to one output.
    async fn record_to(&self, output: &SnapshotOutput) -> Result<(), ErrorCode> {
        let sets: Vec<_> = self.sets.borrow().values().cloned().collect();
        let packets_per_stream = match output.max_size_bytes {
            0 => 0,
            limit => packets_within(&self.sizes(&sets).await?, limit)?,
        };
        let begun_at = now();
        let name = self.snapshots.borrow().directory_name(&output.name, begun_at);
        let root = ChunkRoot { path: output.directory.join(&name), owner: self.config.owner };
        let id = self.rotations.borrow_mut().next_chunk();
        let paths = sets.iter().map(|set| set.path.clone()).collect();
        let chunk = root.make(id, begun_at, false, paths).await.map_err(|error| {
            tracing::error!(session = %self.config.name, path = %root.path.display(), %error, "the snapshot's directory cannot be made");
            ErrorCode::CreateDirFail
        })?;
        self.publish_chunk(&chunk, name).await?;
        let recorded = self.record_sets(&sets, packets_per_stream).await;
        let closed = self.close_chunk(id, None).await;
        recorded.and(closed)?;
        self.snapshots.borrow_mut().taken();
        Ok(())
    }

    async fn record_sets(
        &self,
        sets: &[SessionSet],
        packets_per_stream: u64,
    ) -> Result<(), ErrorCode> {
        let record = Record { packets_per_stream };
        let recorded = sets.iter().map(async |set| {
            ask(&set.actor, record, self.config.consumer_deadline)
                .await
                .map_err(BuffersError::from)?
        });
        try_join_all(recorded).await.map(drop).map_err(|error| {
            tracing::error!(session = %self.config.name, %error, "the snapshot is not recorded");
            buffers_code(&error, ErrorCode::SnapshotFail)
        })
    }

    async fn sizes(&self, sets: &[SessionSet]) -> Result<Vec<ChannelSize>, ErrorCode> {
        let sizes = sets.iter().map(async |set| {
            ask(&set.actor, Sizes, self.config.consumer_deadline)
                .await
                .map_err(BuffersError::from)?
        });
        let sizes = try_join_all(sizes).await;
        Ok(sizes.map_err(|error| buffers_code(&error, ErrorCode::SnapshotFail))?.concat())
    }
}
