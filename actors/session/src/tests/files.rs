//! Each thing that a command does with files and directories fails once: the next command works, and what
//! was recorded is in a place that can be seen.

use std::{
    future::Future,
    path::Path,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use lttngd_model::{BufferScheme, ErrorCode};
use lttngd_peer::{AppScript, ConsumerAct, ConsumerScript, FakeApp, eventually_so};
use lttngd_runas::{Fault, Faults, Runas};
use lttngd_wire::consumer::ConsumerError as Code;

use super::world::World;
use crate::{
    Clear, Destroy, GetRotationInfo, Output, RecordSnapshot, Rotate, RotationState, Start, Stop,
};

const FAULTS: [Fault; 3] = [Fault::NoSpace, Fault::Denied, Fault::Late];
/// More than any command does.
const STEPS_MAX: usize = 64;
const ASK_CHANNEL_CREATION: u32 = 7;

/// What a command answered, and what it left.
type Doing<'a> = Pin<Box<dyn Future<Output = Result<(), ErrorCode>> + 'a>>;
type Step = fn(&World) -> Doing<'_>;

fn start(world: &World) -> Doing<'_> {
    Box::pin(world.ask(Start))
}

fn clear(world: &World) -> Doing<'_> {
    Box::pin(world.ask(Clear))
}

fn stop(world: &World) -> Doing<'_> {
    Box::pin(world.ask(Stop))
}

/// A rotation, to its end.
fn rotate(world: &World) -> Doing<'_> {
    Box::pin(async {
        let rotation_id = world.ask(Rotate).await?;
        let state = async || world.ask(GetRotationInfo { rotation_id }).await.unwrap().state;
        eventually_so("the rotation is over", async || state().await != RotationState::Ongoing)
            .await;
        match state().await {
            RotationState::Completed => Ok(()),
            _ => Err(ErrorCode::RotateRenameFailConsumer),
        }
    })
}

fn destroy(world: &World) -> Doing<'_> {
    Box::pin(async { world.ask(Destroy).await.map(drop) })
}

fn record(world: &World) -> Doing<'_> {
    Box::pin(world.ask(RecordSnapshot {
        name: String::new(),
        control_url: format!("file://{}", world.trace().display()),
        data_url: String::new(),
        max_size_bytes: 0,
    }))
}

async fn world(script: ConsumerScript, faults: &Faults, output: bool) -> (World, FakeApp) {
    let world = World::configured(script, BufferScheme::PerUid, None, |config| {
        config.runas = Runas::failing(faults.clone());
        if !output {
            config.output = Output::None;
        }
    })
    .await;
    let app = world.app(AppScript::default()).await;
    (world, app)
}

/// The recorded files, by their paths below the trace; panics for one that is hidden.
fn recorded(trace: &Path) -> Vec<String> {
    fn walk(base: &Path, directory: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            let path = entry.path();
            let below = path.strip_prefix(base).unwrap().to_str().unwrap().to_owned();
            assert!(!below.split('/').any(|part| part.starts_with('.')), "{below} is hidden");
            if entry.file_type().unwrap().is_dir() {
                walk(base, &path, found);
            } else {
                found.push(below);
            }
        }
    }
    let mut found = Vec::new();
    walk(trace, trace, &mut found);
    found.sort_by_key(|path| path.rsplit('/').next().map(ToOwned::to_owned));
    found
}

fn names(recorded: &[String]) -> Vec<&str> {
    recorded.iter().map(|path| path.rsplit('/').next().unwrap()).collect()
}

/// What came of a command of which one thing failed.
struct Outcome {
    world: World,
    answer: Result<(), ErrorCode>,
    fault: Fault,
    step: usize,
}

/// Does `command` after `before`, with each fault at each thing that it does with files in turn.
async fn each_fault(before: &[Step], command: Step, mut check: impl AsyncFnMut(&Outcome)) {
    for fault in FAULTS {
        for step in 0.. {
            assert!(step < STEPS_MAX, "it ends");
            let faults = Faults::default();
            let (world, app) = world(ConsumerScript::default(), &faults, true).await;
            for (number, before) in before.iter().enumerate() {
                before(&world).await.unwrap();
                let _ = world.fake.write_to_chunk(&format!("{number}-before"));
            }
            faults.fail_after(step, fault);
            let answer = command(&world).await;
            let over = faults.withdraw();
            let outcome = Outcome { world, answer, fault, step };
            if over {
                assert_eq!((outcome.answer, step > 0), (Ok(()), true), "{fault:?}");
            }
            check(&outcome).await;
            drop(app);
            outcome.world.end().await;
            if over {
                break;
            }
        }
    }
}

/// All is where the archives are in the end, whatever failed once on the way.
async fn rotations(before: &[Step]) {
    each_fault(before, rotate, async |Outcome { world, answer, fault, step }| {
        let hint = format!("{fault:?} at {step}: {answer:?}");
        assert!(world.fake.write_to_chunk("6-meanwhile"), "{hint}");
        recorded(&world.trace());
        assert_eq!(rotate(world).await, Ok(()), "{hint}");
        assert!(world.fake.write_to_chunk("7-after"), "{hint}");
        assert_eq!(destroy(world).await, Ok(()), "{hint}");
        let recorded = recorded(&world.trace());
        let names = names(&recorded);
        let count = before.len() + 2;
        assert_eq!(names.len(), count, "{hint}: {recorded:?}");
        assert!(names.ends_with(&["6-meanwhile", "7-after"]), "{hint}: {recorded:?}");
        let archived = recorded.iter().all(|path| path.starts_with("archives/"));
        assert!(archived, "{hint}: {recorded:?}");
    })
    .await;
}

#[actix::test]
async fn the_first_rotation() {
    rotations(&[start]).await;
}

#[actix::test]
async fn a_later_rotation() {
    rotations(&[start, rotate]).await;
}

async fn clears(before: &[Step]) {
    each_fault(before, clear, async |Outcome { world, answer, fault, step }| {
        let hint = format!("{fault:?} at {step}: {answer:?}");
        let kept = |name: &str| names(&recorded(&world.trace())).contains(&name);
        let last = format!("{}-before", before.len() - 1);
        assert!(answer.is_err() || !kept(&last), "{hint}");
        assert!(world.fake.write_to_chunk("6-meanwhile"), "{hint}");
        assert!(kept("6-meanwhile"), "{hint}");
        assert_eq!(clear(world).await, Ok(()), "{hint}");
        assert!(!kept(&last) && !kept("6-meanwhile"), "{hint}");
        assert!(world.fake.write_to_chunk("7-after"), "{hint}");
        assert_eq!(rotate(world).await, Ok(()), "{hint}");
        assert!(world.fake.write_to_chunk("8-end"), "{hint}");
        assert_eq!(destroy(world).await, Ok(()), "{hint}");
        assert!(kept("7-after") && kept("8-end"), "{hint}: {:?}", recorded(&world.trace()));
    })
    .await;
}

#[actix::test]
async fn a_clear() {
    clears(&[start]).await;
}

#[actix::test]
async fn a_clear_after_a_rotation() {
    clears(&[start, rotate]).await;
}

#[actix::test]
async fn a_clear_of_a_stopped_session() {
    each_fault(&[start, stop], clear, async |Outcome { world, answer, fault, step }| {
        let hint = format!("{fault:?} at {step}: {answer:?}");
        assert_eq!(clear(world).await, Ok(()), "{hint}");
        assert_eq!(recorded(&world.trace()), [""; 0], "{hint}");
        assert_eq!(start(world).await, Ok(()), "{hint}");
        assert!(world.fake.write_to_chunk("1-after"), "{hint}");
        assert_eq!(destroy(world).await, Ok(()), "{hint}");
        assert_eq!(recorded(&world.trace()), ["ust/1-after"], "{hint}");
    })
    .await;
}

async fn starts(before: &[Step]) {
    each_fault(before, start, async |Outcome { world, answer, fault, step }| {
        let hint = format!("{fault:?} at {step}: {answer:?}");
        if answer.is_ok() {
            // An application for which something failed is served by the next start.
            assert_eq!(stop(world).await, Ok(()), "{hint}");
        }
        assert_eq!(start(world).await, Ok(()), "{hint}");
        assert!(world.fake.count(ASK_CHANNEL_CREATION) >= 2, "{hint}");
        assert!(world.fake.write_to_chunk("6-after"), "{hint}");
        assert_eq!(rotate(world).await, Ok(()), "{hint}");
        assert!(world.fake.write_to_chunk("7-end"), "{hint}");
        assert_eq!(destroy(world).await, Ok(()), "{hint}");
        let recorded = recorded(&world.trace());
        assert!(names(&recorded).ends_with(&["6-after", "7-end"]), "{hint}: {recorded:?}");
        assert!(recorded.iter().all(|path| path.starts_with("archives/")), "{hint}: {recorded:?}");
    })
    .await;
}

#[actix::test]
async fn the_first_start() {
    starts(&[]).await;
}

#[actix::test]
async fn a_start_after_a_rotation() {
    starts(&[start, stop, rotate]).await;
}

#[actix::test]
async fn a_start_after_a_clear() {
    starts(&[start, stop, clear]).await;
}

async fn ends(before: &[Step]) {
    each_fault(before, destroy, async |Outcome { world, answer, fault, step }| {
        let recorded = recorded(&world.trace());
        let hint = format!("{fault:?} at {step}: {answer:?}: {recorded:?}");
        assert_eq!(recorded.len(), before.len(), "{hint}");
        assert_eq!(stop(world).await, Err(ErrorCode::SessNotFound), "{hint}");
    })
    .await;
}

#[actix::test]
async fn a_destroy_after_a_rotation() {
    ends(&[start, rotate]).await;
}

#[actix::test]
async fn a_snapshot() {
    for fault in FAULTS {
        for step in 0.. {
            assert!(step < STEPS_MAX, "it ends");
            let faults = Faults::default();
            let (world, app) = world(ConsumerScript::default(), &faults, false).await;
            start(&world).await.unwrap();
            faults.fail_after(step, fault);
            let answer = record(&world).await;
            let over = faults.withdraw();
            assert_eq!((answer.is_ok(), step > 0 || !over), (over, true), "{fault:?} at {step}");
            assert_eq!(record(&world).await, Ok(()), "{fault:?} at {step}");
            destroy(&world).await.unwrap();
            let snapshots = std::fs::read_dir(world.trace()).unwrap().flatten();
            let whole = |entry: &std::fs::DirEntry| entry.path().join("ust/uid").is_dir();
            assert_eq!(
                snapshots.filter(whole).count(),
                1 + usize::from(over),
                "{fault:?} at {step}"
            );
            drop(app);
            world.end().await;
            if over {
                break;
            }
        }
    }
}

/// A step of the consumer daemon's is refused once: the same is true.
#[actix::test]
async fn a_consumer_that_refuses_once() {
    let refusals = [
        (21, Code::ROTATION_FAIL),
        (23, Code::CREATE_TRACE_CHUNK_FAILED),
        (24, Code::CLOSE_TRACE_CHUNK_FAILED),
    ];
    for (number, code) in refusals {
        for (is_clear, nth) in [(false, 0), (false, 1), (true, 0), (true, 1)] {
            let (mut left, armed) = (nth, Arc::new(AtomicBool::new(false)));
            let script = {
                let armed = Arc::clone(&armed);
                ConsumerScript::new(move |message| {
                    if message.number() != number || !armed.load(Ordering::SeqCst) {
                        return ConsumerAct::Answer;
                    }
                    left -= 1;
                    if left == -1 { ConsumerAct::Refuse(code) } else { ConsumerAct::Answer }
                })
            };
            let (world, app) = world(script, &Faults::default(), true).await;
            start(&world).await.unwrap();
            let hint = format!("{number}, {nth}");
            assert!(world.fake.write_to_chunk("0-before"), "{hint}");
            armed.store(true, Ordering::SeqCst);
            let answer = if is_clear { clear(&world).await } else { rotate(&world).await };
            armed.store(false, Ordering::SeqCst);
            let hint = format!("{hint}: {answer:?}");
            assert!(world.fake.write_to_chunk("1-meanwhile"), "{hint}");
            let kept = recorded(&world.trace());
            assert!(names(&kept).contains(&"1-meanwhile"), "{hint}: {kept:?}");
            assert_eq!(rotate(&world).await, Ok(()), "{hint}");
            assert!(world.fake.write_to_chunk("2-after"), "{hint}");
            assert_eq!(destroy(&world).await, Ok(()), "{hint}");
            let kept = recorded(&world.trace());
            assert!(is_clear || names(&kept).contains(&"0-before"), "{hint}: {kept:?}");
            assert!(names(&kept).ends_with(&["1-meanwhile", "2-after"]), "{hint}: {kept:?}");
            drop(app);
            world.end().await;
        }
    }
}
