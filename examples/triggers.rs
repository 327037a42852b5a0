//! A flight recorder that records when something happens: a snapshot of a running program whenever an event with a
//! captured value is matched, and word of it. The session daemon is inside this process: no `lttng`, no client
//! socket.
//!
//! ```text
//! cargo run --example triggers -- DIRECTORY EVENT FIELD LEAST PROGRAM [ARGUMENT...]
//! ```
//!
//! The program is traced with LTTng-UST. Each event named `EVENT` (`*` stands for any text) whose integer field
//! `FIELD` is `LEAST` or more has a snapshot recorded below `DIRECTORY`; the value is written to standard output
//! when that is there.
//!
//! As in the example `record`, the daemon takes the run directory of the user who runs it, and does
//! not start where another daemon serves that directory.

use std::{
    env,
    error::Error,
    ffi::OsString,
    path::{Path, PathBuf, absolute},
    process::{Child, Command, ExitCode},
    time::Duration,
};

use futures::StreamExt;
use lttngd::{
    CapturedValue, Config, Daemon, Handle, decode_captures,
    model::{
        BufferMode, BufferScheme, DescriptorOutput, EventDescription, SessionDescriptor,
        SessionKind, Uri,
        trigger::{
            Action, Capture, Condition, Evaluation, EventRule, RatePolicy, SnapshotAction,
            TracepointRule, Trigger,
        },
    },
    notification::{NotificationEvent, Notifications},
    process, user_space_channel,
};

const SESSION: &str = "recorder";
const CHANNEL: &str = "newest";
/// Longest wait of the program for the daemon to enable its events before `main` begins.
const REGISTER_TIMEOUT_MS: &str = "20000";
/// Notifications that may wait here.
const CAPACITY: usize = 1024;
/// Time between two looks whether the program has ended.
const PERIOD: Duration = Duration::from_millis(50);

fn main() -> Result<ExitCode, Box<dyn Error>> {
    // The daemon starts this program once more for its consumer daemon.
    if let Some(end) = process::assume_role() {
        return Ok(end);
    }
    let config = Config::for_current_user()?.with_program(process::own_program());
    run(config, env::args_os().skip(1))?;
    Ok(ExitCode::SUCCESS)
}

/// Does what the command line asks for, with a daemon that is started with `config`.
pub fn run(
    config: Config,
    arguments: impl Iterator<Item = OsString>,
) -> Result<(), Box<dyn Error>> {
    let arguments: Vec<OsString> = arguments.collect();
    let [directory, event, field, least, program, arguments @ ..] = arguments.as_slice() else {
        return Err("usage: triggers DIRECTORY EVENT FIELD LEAST PROGRAM [ARGUMENT...]".into());
    };
    let directory = absolute(PathBuf::from(directory))?;
    let field = field.to_string_lossy().into_owned();
    let condition = condition(&event.to_string_lossy(), &field, &least.to_string_lossy());

    let daemon = Daemon::start(config.without_clients()?)?;
    let handle = daemon.handle();
    // Any runtime will do, the daemon has its own.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    runtime.block_on(async {
        start(&handle, &directory).await?;
        let notifications = handle.notifications([condition.clone()], CAPACITY).await?;
        handle.register_trigger(trigger(&handle, condition)).await?;
        let mut program = Command::new(program)
            .args(arguments)
            .env("LTTNG_UST_REGISTER_TIMEOUT", REGISTER_TIMEOUT_MS)
            .spawn()
            .map_err(|error| format!("cannot run {}: {error}", program.display()))?;
        let outcome = tell_while_running(notifications, &field, &mut program).await;
        handle.destroy_session(SESSION).await?;
        outcome
    })?;
    daemon.stop();
    Ok(())
}

/// Events of this name whose field has the value or more, and the value itself.
fn condition(event: &str, field: &str, least: &str) -> Condition {
    let rule = TracepointRule::new(event).filtered_by(format!("{field} >= {least}"));
    let captures = vec![Capture::Payload(field.to_owned())];
    Condition::EventRuleMatches { rule: EventRule::UserTracepoint(rule), captures }
}

/// Has a snapshot recorded, and then word given.
fn trigger(handle: &Handle, condition: Condition) -> Trigger {
    let snapshot =
        SnapshotAction { session: SESSION.to_owned(), output: None, rate: RatePolicy::default() };
    let actions = vec![Action::Snapshot(snapshot), Action::notify()];
    Trigger::new(handle.requester().uid, condition, Action::List(actions)).named("seen")
}

/// Starts a session that writes nothing by itself.
async fn start(handle: &Handle, directory: &Path) -> Result<(), Box<dyn Error>> {
    let session = SessionDescriptor {
        kind: SessionKind::Snapshot,
        name: Some(SESSION.to_owned()),
        output: DescriptorOutput::Local(Some(Uri::Path(directory.to_path_buf()))),
    };
    handle.create_session(None, session).await?;
    let scheme = BufferScheme::PerUid;
    let mut channel = user_space_channel(CHANNEL, scheme);
    channel.attributes.mode = BufferMode::Overwrite;
    handle.enable_channel(SESSION, scheme, channel).await?;
    handle.enable_event(SESSION, CHANNEL, EventDescription::tracepoint("*")).await?;
    Ok(handle.start(SESSION).await?)
}

/// Tells of what was matched until the program has ended.
async fn tell_while_running(
    mut notifications: Notifications,
    field: &str,
    program: &mut Child,
) -> Result<(), Box<dyn Error>> {
    let mut status = None;
    loop {
        match tokio::time::timeout(PERIOD, notifications.next()).await {
            Ok(Some(NotificationEvent::Notified(notification))) => {
                if let Evaluation::EventRuleMatches { captures } = notification.evaluation {
                    let value = decode_captures(&captures)?.into_iter().next();
                    println!("recorded at {field} = {}", shown(value));
                }
            }
            Ok(Some(NotificationEvent::Dropped { count })) => println!("{count} more"),
            Ok(Some(_)) => {}
            Ok(None) => return Err("the daemon has ended".into()),
            // What is on its way when the program ends comes within another period.
            Err(_) if status.is_some() => break,
            Err(_) => status = program.try_wait()?,
        }
    }
    match status {
        Some(status) if !status.success() => Err(format!("the program failed: {status}").into()),
        _ => Ok(()),
    }
}

fn shown(value: Option<CapturedValue>) -> String {
    match value {
        Some(CapturedValue::Unsigned(value)) => value.to_string(),
        Some(CapturedValue::Signed(value)) => value.to_string(),
        other => format!("{other:?}"),
    }
}
