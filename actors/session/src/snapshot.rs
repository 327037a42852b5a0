//! Snapshots: copies of what the buffers of a session without a continuous output hold.

use std::{collections::BTreeMap, path::PathBuf, rc::Rc, time::Duration};

use actix::Context;
use futures::{
    TryFutureExt,
    future::{join_all, try_join_all},
};
use lttngd_buffers::{ChannelSize, Record, Sizes};
use lttngd_clock::now;
use lttngd_model::{ChunkId, ErrorCode, PlaceUrl, Timestamp, Uri};
use lttngd_relayd::{HandedOver, Held, LookUp};
use lttngd_runtime::{Backoff, Queue, fail_point};

use crate::{
    AddSnapshotOutput, DeleteSnapshotOutput, ListSnapshotOutputs, Output, RecordSnapshot, Session,
    SessionEvent, SnapshotOutput, SnapshotPlace,
    actor::{InTurn, Inner, admitted},
    admission::turn::Turn,
    chunk::{Chunk, SetDirectories},
    complain::complain,
    data_pending::AtConsumers,
    domains::Buffers,
    error::{Refused, SetFailure},
    order::RECORD_SNAPSHOT,
    reply::Beginning,
    state::snapshots::packets_within,
};

/// First and longest pause between two looks whether a relay daemon has written everything.
const PENDING_PAUSES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(100));

impl Session {
    pub(crate) fn add_snapshot_output(
        &mut self,
        request: AddSnapshotOutput,
        context: &mut Context<Self>,
        Beginning { before, asker }: Beginning,
    ) -> InTurn<u32> {
        let inner = Rc::clone(&self.inner);
        let AddSnapshotOutput { name, max_size_bytes, control_url, data_url } = request;
        let place = async move {
            if let Some(before) = before {
                before.await?;
            }
            inner.admit_turn(Turn::AddSnapshotOutput)?;
            inner.state().snapshots.admit_add()?;
            inner.snapshot_place(&control_url, &data_url).await
        };
        let add = async move |inner: Rc<Inner>, place| {
            inner.admit_turn(Turn::SnapshotOutputs)?;
            inner.state_mut().snapshots.add(name, max_size_bytes, place)
        };
        self.in_turn_after(context, place, ("add_snapshot_output", asker), add)
    }

    pub(crate) fn record_snapshot(
        &mut self,
        request: RecordSnapshot,
        context: &mut Context<Self>,
        Beginning { before, asker }: Beginning,
    ) -> InTurn<()> {
        let prepare = |session: &mut Self| {
            let inner = Rc::clone(&session.inner);
            // Before others go past it.
            let admitted = inner.admit_turn(Turn::RecordSnapshot);
            let known = admitted.and_then(|()| inner.known_output(&request));
            session.inner.within(async move {
                let known = known?;
                if let Some(before) = before {
                    before.await?;
                }
                Ok::<_, Refused>(inner.prepare_record(request, known).await?)
            })
        };
        let work = |session: &mut Self, context: &mut Context<Self>, (output, relayd)| {
            session.is_asked_by(asker, context);
            let record = |inner: Rc<Inner>| inner.record(output, relayd);
            session.inner.within(admitted(Rc::clone(&session.inner), record))
        };
        let recorded = Queue::run_after(Self::queue, self, context, RECORD_SNAPSHOT, prepare, work);
        Box::pin(recorded.map_err(ErrorCode::from))
    }
}

impl Inner {
    /// The place that URLs tell.
    async fn snapshot_place(
        &self,
        control_url: &str,
        data_url: &str,
    ) -> Result<SnapshotPlace, ErrorCode> {
        let (control, data) = match PlaceUrl::parse(control_url, data_url)? {
            PlaceUrl::Path(path) => return Output::from_path(path)?.try_into(),
            PlaceUrl::Relayd { control, data } => (control, data),
        };
        let uid = self.config.owner.uid;
        let found = self.config.relayds.send(LookUp { uid, control, data }).await;
        // It fails only when that actor failed, without which no relay daemon is connected any more.
        let found = found.map_err(|_| ErrorCode::RelaydConnectFail)?;
        let (control, data) = found.map_err(|error| self.no_relayd(&error))?;
        Output::None.with_uris(&[Uri::Network(control), Uri::Network(data)])?.try_into()
    }

    pub(crate) async fn delete_snapshot_output(
        self: Rc<Self>,
        request: DeleteSnapshotOutput,
    ) -> Result<(), ErrorCode> {
        self.admit_turn(Turn::SnapshotOutputs)?;
        self.state_mut().snapshots.delete(request.id, &request.name)
    }

    pub(crate) fn list_snapshot_outputs(
        &self,
        _: ListSnapshotOutputs,
    ) -> Result<Vec<SnapshotOutput>, ErrorCode> {
        self.admit_turn(Turn::SnapshotOutputs)?;
        Ok(self.state().snapshots.outputs().to_vec())
    }

    /// The output of a snapshot, unless the request itself names a place, which is to be looked up.
    fn known_output(&self, request: &RecordSnapshot) -> Result<Option<SnapshotOutput>, ErrorCode> {
        let names_a_place = !request.control_url.is_empty();
        if names_a_place {
            Ok(None)
        } else {
            self.state().snapshots.resolve(request, None).map(Some)
        }
    }

    /// Finds out where a snapshot goes. One that goes to a relay daemon has connections of its own, which
    /// are made before it is recorded: most commands go past it meanwhile.
    async fn prepare_record(
        self: Rc<Self>,
        request: RecordSnapshot,
        known: Option<SnapshotOutput>,
    ) -> Result<(SnapshotOutput, Option<(Held, HandedOver)>), ErrorCode> {
        let output = match known {
            Some(output) => output,
            None => {
                let place = self.snapshot_place(&request.control_url, &request.data_url).await?;
                self.state().snapshots.resolve(&request, Some(place))?
            }
        };
        let relayd = match &output.place {
            SnapshotPlace::Relayd(network) => {
                let held = Held::new(self.open_relayd(network, true).await?);
                let connected = self.connect(held.connection()).await;
                Some((held, connected.map_err(|error| self.no_connection(&error))?))
            }
            SnapshotPlace::Directory(_) => None,
        };
        Ok((output, relayd))
    }

    /// Records one snapshot to one output, and lets go of the connections that were made for it.
    async fn record(
        self: Rc<Self>,
        output: SnapshotOutput,
        connected: Option<(Held, HandedOver)>,
    ) -> Result<(), ErrorCode> {
        let (held, relayd): (Option<Held>, _) = Option::unzip(connected);
        let copied = self.copy(&output, relayd).await;
        let (this, work) = (Rc::clone(&self), self.archiving.begin());
        // What the relay daemon has to write is nobody's who gives commands to the session: when who asked for it has
        // gone, they do not wait for it.
        let finished = async move {
            let _until_then = work;
            let recorded = match copied {
                Ok(chunk) => this.finish_record(chunk, &output, relayd).await,
                Err(code) => Err(code),
            };
            if let Some(held) = held {
                this.give_up(held.connection()).await;
            }
            recorded
        };
        self.while_asked(finished).await.unwrap_or(Ok(()))
    }

    /// Copies what the buffers hold: the trace chunk that it goes to, and whether all of it could be copied.
    async fn copy(
        &self,
        output: &SnapshotOutput,
        relayd: Option<HandedOver>,
    ) -> Result<(ChunkId, Result<(), ErrorCode>), ErrorCode> {
        self.admit_turn(Turn::RecordSnapshot)?;
        let sets = self.state().recorded_buffers();
        let packets_per_stream = match output.max_size_bytes {
            0 => 0,
            limit => packets_within(&self.sizes(&sets).await?, limit)?,
        };
        let begun_at = now();
        let name = self.state().snapshots.directory_name(&output.name, begun_at)?;
        let id = self.state_mut().rotations.next_chunk();
        let directories = self.state().directories(sets.iter().cloned());
        let chunk = match (&output.place, relayd) {
            (SnapshotPlace::Relayd(_), Some(_)) => Chunk::at_relayd(id, begun_at),
            (SnapshotPlace::Directory(directory), _) => {
                self.snapshot_chunk(id, begun_at, directory.join(&name), &directories).await?
            }
            (SnapshotPlace::Relayd(_), None) => return Err(ErrorCode::RelaydConnectFail),
        };
        let prefixes = directories.keys().map(|tracer| match (&output.place, relayd) {
            (SnapshotPlace::Relayd(network), Some(relayd)) => {
                (*tracer, self.directory_at(relayd, network, &name, *tracer))
            }
            _ => (*tracer, String::new()),
        });
        let prefixes: BTreeMap<_, _> = prefixes.collect();
        let relayd = relayd.map(|relayd| relayd.net_index);
        if let Err(code) = self.publish_chunk(&chunk, name, relayd).await {
            if let Some(root) = self.root_of(&chunk) {
                root.unmake(&chunk, &directories).await;
            }
            return Err(code);
        }
        let records = sets.iter().map(|set| {
            let prefix = prefixes.get(&set.kind.tracer()).cloned().unwrap_or_default();
            (set, Record { chunk: id, packets_per_stream, relayd, prefix })
        });
        let recorded = self.record_sets(records).await;
        fail_point::reached("Session snapshot_recorded");
        Ok((id, recorded))
    }

    /// Has a snapshot that was copied written, and closes its trace chunk.
    async fn finish_record(
        &self,
        (id, mut recorded): (ChunkId, Result<(), ErrorCode>),
        output: &SnapshotOutput,
        relayd: Option<HandedOver>,
    ) -> Result<(), ErrorCode> {
        if recorded.is_ok() && relayd.is_some() {
            recorded = self.written_by_relayd().await;
        }
        let relayd = relayd.map(|relayd| relayd.net_index);
        let closed = self.close_chunk(id, None, relayd).await;
        recorded.and(closed)?;
        self.state_mut().snapshots.taken();
        self.tell(SessionEvent::SnapshotRecorded { output: output.name.clone() });
        Ok(())
    }

    /// The chunk of a snapshot in a directory of its own.
    async fn snapshot_chunk(
        &self,
        id: ChunkId,
        begun_at: Timestamp,
        path: PathBuf,
        directories: &SetDirectories,
    ) -> Result<Chunk, ErrorCode> {
        let root = self.root_at(path);
        root.make(id, begun_at, false, directories).await.map_err(|error| {
            complain!(self, "the snapshot's directory cannot be made", path = ?root.path, %error);
            ErrorCode::CreateDirFail
        })
    }

    /// Waits until the relay daemon has written what it was sent: the consumer only knows that it
    /// sent it.
    async fn written_by_relayd(&self) -> Result<(), ErrorCode> {
        let written = async {
            let mut pause = Backoff::new(PENDING_PAUSES.0, PENDING_PAUSES.1);
            loop {
                match self.pending_at_consumers().await? {
                    AtConsumers::Nothing => return Ok(()),
                    AtConsumers::Failed => return Err(ErrorCode::Unk),
                    AtConsumers::Pending => tokio::time::sleep(pause.step()).await,
                }
            }
        };
        tokio::time::timeout(self.config.consumer_deadline, written).await.unwrap_or_else(|_| {
            complain!(self, "the relay daemon does not write the snapshot");
            Err(ErrorCode::SnapshotFail)
        })
    }

    /// Has every set recorded, whatever becomes of the others: a trace chunk that closed meanwhile would
    /// take it from those that are not done.
    async fn record_sets(
        &self,
        records: impl Iterator<Item = (&Buffers, Record)>,
    ) -> Result<(), ErrorCode> {
        let recorded = records.map(async |(set, record)| {
            set.ask(record, self.config.consumer_deadline)
                .await
                .map_err(|error| SetFailure { tracer: set.kind.tracer(), error })
        });
        let recorded: Result<(), SetFailure> = join_all(recorded).await.into_iter().collect();
        recorded.map_err(|error| {
            complain!(self, "the snapshot is not recorded whole", %error);
            error.code(ErrorCode::SnapshotFail)
        })
    }

    async fn sizes(&self, sets: &[Buffers]) -> Result<Vec<ChannelSize>, ErrorCode> {
        let sizes = sets.iter().map(async |set| {
            let sizes = set.ask(Sizes, self.config.consumer_deadline).await;
            sizes.map_err(|error| SetFailure { tracer: set.kind.tracer(), error })
        });
        let sizes = try_join_all(sizes).await;
        Ok(sizes.map_err(|error| error.code(ErrorCode::SnapshotFail))?.concat())
    }
}
