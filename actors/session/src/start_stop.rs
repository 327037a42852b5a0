//! Starting and stopping.

use std::{future::ready, rc::Rc, time::Duration};

use lttngd_buffers::{ClearQuiescent, Flush, OpenPackets, PushMetadata};
use lttngd_model::{BufferMode, ChannelAttributes, ErrorCode, Tracer};

use crate::{
    SessionEvent, Start, Stop, actor::Inner, admission::turn::Turn, asked::Footing,
    complain::complain, error::SetFailure,
};

/// How long applications may take to stop recording when the daemon ends.
const STOP_AT_END: Duration = Duration::from_secs(2);

impl Inner {
    pub(crate) async fn start(self: Rc<Self>, _: Start) -> Result<(), ErrorCode> {
        self.admit_turn(Turn::Start)?;
        self.admit_buffers()?;
        self.connect_relayd().await?;
        self.ensure_consumers().await?;
        self.enter_chunk().await?;
        // What a stop before had left to do is not to be done to a session that is active.
        self.leave_off();
        self.on_all_sets(ClearQuiescent).await.map_err(|error| self.failed_start(&error))?;
        let opens_packets = opens_packets(self.life().was_started, self.state().chunk.is_some());
        self.change_life(|life| {
            life.active = true;
            life.was_started = true;
        });
        self.state_mut().rotations.started();
        self.tell_viewers();
        self.arm_rotation_timer();
        // Before applications record: what comes then is within the time of every stream. Buffers that are
        // made by now begin when they are.
        let opened = if opens_packets { self.open_packets().await } else { Ok(()) };
        let opened = opened.map_err(|error| self.failed_start(&error));
        let failed = match opened {
            Ok(()) => self.begin_tracing().await,
            Err(code) => Some(code),
        };
        if let Some(code) = failed {
            // Nobody is recorded, and nobody would be: the session is as it says, not started. What
            // else goes wrong now is in the log, and says less.
            let _ = self.stop_tracing().await;
            return Err(code);
        }
        self.tell(SessionEvent::Started);
        Ok(())
    }

    /// Has everybody record. When who asked for the start has gone, it is waited for what decides whether it succeeds, and
    /// not for applications: they follow beside the commands.
    async fn begin_tracing(self: &Rc<Self>) -> Option<ErrorCode> {
        let (this, (footing, stands)) = (Rc::clone(self), Footing::told());
        let begun = async move { this.synchronise_all(&footing).await };
        self.newest_while_asked(stands, begun).await.flatten()
    }

    /// Makes the time of all streams begin by now.
    pub(crate) async fn open_packets(&self) -> Result<(), SetFailure> {
        self.on_all_sets(OpenPackets).await
    }

    /// Refuses buffers that cannot be made for any application, as shared memory larger than files may be.
    fn admit_buffers(&self) -> Result<(), ErrorCode> {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Fsize).current;
        let state = self.state();
        // Those of the kernel are in no files.
        let attributes = state.domains.of(Tracer::Ust).map(|domain| domain.attributes());
        let attributes = attributes.unwrap_or_default();
        let largest = attributes.iter().map(buffer_len).max().unwrap_or(0);
        if limit.is_some_and(|limit| largest > limit) {
            complain!(
                self,
                "the session does not start: its buffers are larger than files may be (ulimit -f, RLIMIT_FSIZE)",
                limit,
                largest
            );
            return Err(ErrorCode::UstChanFail);
        }
        Ok(())
    }

    fn failed_start(&self, error: &SetFailure) -> ErrorCode {
        complain!(self, "the session does not start", %error);
        error.code(match error.tracer {
            Tracer::Ust => ErrorCode::UstStartFail,
            Tracer::Kernel => ErrorCode::KernStartFail,
        })
    }

    pub(crate) async fn stop(self: Rc<Self>, _: Stop) -> Result<(), ErrorCode> {
        self.admit_turn(Turn::Stop)?;
        let stopped = self.stop_tracing().await;
        self.tell(SessionEvent::Stopped);
        stopped
    }

    /// Does what waits for applications and agents; when the daemon ends, for so long at most.
    pub(crate) async fn patiently<T>(&self, at_end: Duration, work: impl Future<Output = T>) {
        if self.state().is_at_end {
            // Who has not answered by then is in the log.
            let _ = tokio::time::timeout(at_end, work).await;
        } else {
            work.await;
        }
    }

    /// Stops every application and closes every packet. When who asked for it has gone, that goes on beside the commands: what
    /// needs it waits for it ([`stopped`](Self::stopped)).
    pub(crate) async fn stop_tracing(self: &Rc<Self>) -> Result<(), ErrorCode> {
        self.change_life(|life| life.active = false);
        self.disarm_rotation_timer();
        let (this, stopping) = (Rc::clone(self), self.stopping.begin());
        let stopped = async move {
            let _until_then = stopping;
            this.have_all_stopped().await
        };
        // Nobody is there to be told what becomes of one that goes on.
        self.newest_while_asked(ready(()), stopped).await.unwrap_or(Ok(()))
    }

    /// Over when no stop goes on that nobody waits for.
    pub(crate) async fn stopped(&self) {
        self.stopping.none_left().await;
    }

    /// Of a session that lost its consumer daemon there is nothing to close, which whoever stops it is told: not all that it
    /// recorded is in the trace.
    async fn have_all_stopped(&self) -> Result<(), ErrorCode> {
        self.patiently(STOP_AT_END, self.await_no_apps()).await;
        let whole = self.life().admit_with_consumer();
        if self.state().is_lost() {
            return whole;
        }
        // What does not stop records on: applications that do not answer stop when they do, the kernel does not.
        let mut kernel = Ok(());
        let asked = Footing::default();
        let stopped = async {
            let apps = self.synchronise_apps(&asked);
            (kernel, _) = tokio::join!(self.synchronise_kernel(), apps);
        };
        self.patiently(STOP_AT_END, stopped).await;
        // Metadata last: the stock consumer answers a push late, and everybody waits behind it.
        let flushed = self.on_all_sets(Flush).await;
        let pushed = self.on_all_sets(PushMetadata).await;
        whole?;
        kernel?;
        flushed.and(pushed).map_err(|error| {
            complain!(self, "the session does not stop cleanly", %error);
            error.code(match error.tracer {
                Tracer::Ust => ErrorCode::UstStopFail,
                Tracer::Kernel => ErrorCode::KernStopFail,
            })
        })
    }
}

/// Whether a start opens packets. Streams that were stopped have closed theirs, and without a trace chunk the time
/// before the start is nobody's; those that are new in a trace chunk have begun one there.
fn opens_packets(was_started: bool, in_chunk: bool) -> bool {
    was_started || !in_chunk
}

/// Bytes of the sub-buffers of a stream; in overwrite mode the reader has one more.
fn buffer_len(attributes: &ChannelAttributes) -> u64 {
    let count =
        attributes.num_subbuf.saturating_add((attributes.mode == BufferMode::Overwrite).into());
    attributes.subbuf_size_bytes.saturating_mul(count)
}

#[cfg(test)]
mod tests {
    use super::opens_packets;

    #[test]
    fn a_start_after_a_stop_opens_packets_as_one_of_a_flight_recorder_does() {
        assert!(opens_packets(true, true));
        assert!(opens_packets(true, false));
        assert!(opens_packets(false, false));
    }

    #[test]
    fn a_first_start_in_a_trace_chunk_waits_for_no_packets() {
        assert!(!opens_packets(false, true));
    }
}
