//! Each command in each standing of a session.

use lttngd_model::{Bitness, ConsumerKind, NetIndex};
use lttngd_wire::relay::Version;

use super::*;
use crate::{FAILED, state::lifecycle::LostConsumers};

const CREATED: Lifecycle = Lifecycle {
    active: false,
    was_started: false,
    destroyed: false,
    lost: LostConsumers::NONE,
    failed: false,
};
const ACTIVE: Lifecycle = Lifecycle { active: true, was_started: true, ..CREATED };
const STOPPED: Lifecycle = Lifecycle { was_started: true, ..CREATED };
const GONE: Lifecycle = Lifecycle { destroyed: true, ..STOPPED };
const FAULTY: Lifecycle = Lifecycle { failed: true, ..STOPPED };
const LIVE: SessionKind = SessionKind::Live { timer_interval_us: 1 };
const NEW: Version = Version { major: 2, minor: 12 };
const OLD: Version = Version { major: 2, minor: 4 };

fn lost(life: Lifecycle) -> Lifecycle {
    let bits64 = ConsumerKind::Ust(Bitness::Bits64);
    Lifecycle { lost: LostConsumers::default().with(bits64), ..life }
}

/// A session with an output, a channel, and no relay daemon.
fn of(life: Lifecycle) -> Standing {
    Standing {
        life,
        kind: SessionKind::Regular,
        has_output: true,
        has_channel: true,
        has_spliced_channel: false,
        scheme: Some(BufferScheme::PerUid),
        relayd: None,
        rotations: SinceStop::default(),
    }
}

fn snapshots(life: Lifecycle) -> Standing {
    Standing { kind: SessionKind::Snapshot, has_output: false, ..of(life) }
}

fn streaming(life: Lifecycle, version: Version, clear_allowed: bool) -> Standing {
    let net_index = NetIndex(1);
    Standing { relayd: Some(HandedOver { net_index, version, clear_allowed }), ..of(life) }
}

fn rotations(life: Lifecycle, rotations: SinceStop) -> Standing {
    Standing { rotations, ..of(life) }
}

fn check(turn: Turn, cases: &[(Standing, Result<(), ErrorCode>)]) {
    for (standing, expected) in cases {
        assert_eq!(turn.admit(standing), *expected, "{turn:?} {standing:?}");
    }
}

#[test]
fn a_session_is_started_and_stopped_once_at_a_time() {
    let none = |life| Standing { has_channel: false, ..of(life) };
    let left = SinceStop { ongoing: true, rotated: true, cleared: false };
    check(
        Turn::Start,
        &[
            (of(CREATED), Ok(())),
            (of(STOPPED), Ok(())),
            (none(ACTIVE), Err(ErrorCode::TraceAlreadyStarted)),
            (none(lost(STOPPED)), Err(ErrorCode::NoChannel)),
            (rotations(lost(STOPPED), left), Err(ErrorCode::NoUstconsumerd)),
            (rotations(STOPPED, left), Err(ErrorCode::RotationPending)),
            (rotations(STOPPED, SinceStop { rotated: false, ..left }), Ok(())),
            (none(GONE), Err(ErrorCode::SessNotFound)),
            (none(FAULTY), Err(FAILED)),
        ],
    );
    check(
        Turn::Stop,
        &[
            (of(CREATED), Err(ErrorCode::TraceAlreadyStopped)),
            (of(lost(ACTIVE)), Ok(())),
            (of(STOPPED), Err(ErrorCode::TraceAlreadyStopped)),
            (of(GONE), Err(ErrorCode::SessNotFound)),
            (of(FAULTY), Err(FAILED)),
        ],
    );
}

#[test]
fn a_session_is_rotated_whose_trace_chunks_have_a_place() {
    let all = SinceStop { ongoing: true, rotated: true, cleared: true };
    let nowhere = |life| Standing { rotations: all, ..snapshots(life) };
    let relayed = |version| Standing { rotations: all, ..streaming(STOPPED, version, true) };
    check(
        Turn::Rotate,
        &[
            (nowhere(CREATED), Err(ErrorCode::StartSessionOnce)),
            (nowhere(ACTIVE), Err(ErrorCode::RotationNotAvailable)),
            (Standing { kind: LIVE, ..of(ACTIVE) }, Err(ErrorCode::RotationNotAvailable)),
            (relayed(OLD), Err(ErrorCode::RotationNotAvailableRelay)),
            (relayed(NEW), Err(ErrorCode::RotationPending)),
            (
                rotations(lost(STOPPED), SinceStop { ongoing: false, ..all }),
                Err(ErrorCode::RotationMultipleAfterStop),
            ),
            (
                rotations(lost(STOPPED), SinceStop { cleared: true, ..SinceStop::default() }),
                Err(ErrorCode::RotationAfterStopClear),
            ),
            (of(lost(STOPPED)), Err(ErrorCode::NoUstconsumerd)),
            (of(STOPPED), Ok(())),
            (of(ACTIVE), Ok(())),
        ],
    );
    check(
        Turn::SetRotationSchedule,
        &[
            (nowhere(CREATED), Err(ErrorCode::RotationNotAvailable)),
            (Standing { kind: LIVE, ..of(CREATED) }, Err(ErrorCode::RotationNotAvailable)),
            (relayed(OLD), Ok(())),
        ],
    );
}

#[test]
fn what_cannot_be_thrown_away_is_not_cleared() {
    check(
        Turn::Clear,
        &[
            (streaming(CREATED, OLD, false), Ok(())),
            (streaming(STOPPED, OLD, true), Err(ErrorCode::ClearNotAvailableRelay)),
            (streaming(STOPPED, NEW, false), Err(ErrorCode::ClearNotAvailableRelay)),
            (streaming(STOPPED, NEW, true), Ok(())),
            (of(lost(ACTIVE)), Ok(())),
        ],
    );
    let ongoing = SinceStop { ongoing: true, ..SinceStop::default() };
    check(
        Turn::ClearSomething,
        &[
            (rotations(lost(ACTIVE), ongoing), Err(ErrorCode::NoUstconsumerd)),
            (rotations(ACTIVE, ongoing), Err(ErrorCode::RotationPending)),
            (of(ACTIVE), Ok(())),
        ],
    );
}

#[test]
fn where_a_trace_goes_is_told_before_it_begins() {
    for (turn, code) in [
        (Turn::SetShmPath, ErrorCode::SessionStarted),
        (Turn::SetConsumerUri, ErrorCode::TraceAlreadyStarted),
    ] {
        let (created, late) = ((of(CREATED), Ok(())), Err(code));
        check(turn, &[created, (of(ACTIVE), late), (of(STOPPED), late)]);
    }
}

#[test]
fn metadata_is_regenerated_for_active_sessions_of_shared_buffers_only() {
    let scheme = |scheme, standing| Standing { scheme, ..standing };
    let (uid, pid) = (Some(BufferScheme::PerUid), Some(BufferScheme::PerPid));
    let live = |life| Standing { kind: LIVE, ..of(life) };
    check(
        Turn::RegenerateMetadata,
        &[
            (of(ACTIVE), Ok(())),
            (snapshots(ACTIVE), Ok(())),
            (scheme(None, of(ACTIVE)), Ok(())),
            (scheme(pid, of(STOPPED)), Err(ErrorCode::SessionNotStarted)),
            (scheme(uid, live(STOPPED)), Err(ErrorCode::LiveSession)),
            (scheme(pid, live(ACTIVE)), Err(ErrorCode::LiveSession)),
            (scheme(pid, of(lost(ACTIVE))), Err(ErrorCode::PerPidSession)),
            (streaming(lost(ACTIVE), OLD, true), Err(ErrorCode::NoUstconsumerd)),
            (streaming(ACTIVE, OLD, true), Err(ErrorCode::RelaydVersionFail)),
            (streaming(ACTIVE, NEW, true), Ok(())),
        ],
    );
    check(
        Turn::RegenerateStatedump,
        &[(of(lost(ACTIVE)), Ok(())), (of(STOPPED), Err(ErrorCode::SessionNotStarted))],
    );
}

#[test]
fn snapshots_are_recorded_of_sessions_that_write_nothing_else() {
    let no_snapshot = Err(ErrorCode::NotSnapshotSession);
    let spliced = |standing| Standing { has_spliced_channel: true, ..standing };
    for turn in [Turn::SnapshotOutputs, Turn::AddSnapshotOutput, Turn::RecordSnapshot] {
        check(
            turn,
            &[
                (snapshots(GONE), Err(ErrorCode::SessNotFound)),
                (snapshots(FAULTY), Err(FAILED)),
                (spliced(of(CREATED)), no_snapshot),
                (snapshots(ACTIVE), Ok(())),
            ],
        );
    }
    check(Turn::SnapshotOutputs, &[(spliced(snapshots(CREATED)), Ok(()))]);
    let unsupported = Err(ErrorCode::SnapshotUnsupported);
    check(Turn::AddSnapshotOutput, &[(spliced(snapshots(CREATED)), unsupported)]);
    check(
        Turn::RecordSnapshot,
        &[
            (snapshots(lost(CREATED)), Err(ErrorCode::StartSessionOnce)),
            (snapshots(lost(STOPPED)), Err(ErrorCode::NoUstconsumerd)),
        ],
    );
}
