//! Records a program by messages and events alone: each step is a value that could as well come from
//! another process, and is written down, as is its reply; what happens comes as a stream of events, and
//! nothing is asked twice.
//!
//! ```text
//! cargo run --example messages -- DIRECTORY PROGRAM [ARGUMENT...]
//! ```
//!
//! `DIRECTORY/messages.jsonl` has the requests, replies and events in the order in which they were made, one
//! a line. The trace goes to `DIRECTORY/trace/archives`.
//!
//! As in the example `record`, the daemon takes the run directory of the user who runs it, and does
//! not start where another daemon serves that directory.

use std::{
    env,
    error::Error,
    ffi::{OsStr, OsString},
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf, absolute},
    process::{Command, ExitCode},
};

use futures::StreamExt;
use lttngd::{
    AnyReply, AnyRequest, Config, CreateSession, Daemon, DestroySession, Event, Handle,
    Subscription, Versioned,
    model::{
        BufferScheme, DescriptorOutput, Domain, ErrorCode, EventDescription, SessionDescriptor,
        SessionKind, Uri,
    },
    process,
    session::{
        EnableChannel, EnableEvent, Rotate, SessionEvent, SessionRequest, Start, Stop, TraceArchive,
    },
    user_space_channel,
};
use serde::{Deserialize, Serialize};

const SESSION: &str = "messages";
const CHANNEL: &str = "events";
const SCHEME: BufferScheme = BufferScheme::PerUid;
/// How many events may wait until they are written down. More are counted.
const CAPACITY: usize = 1024;
/// Longest wait of the program for the daemon to enable its events before `main` begins.
const REGISTER_TIMEOUT_MS: &str = "20000";

/// A line of what is written down.
#[derive(Debug, Deserialize, Serialize)]
pub enum Line {
    /// What the daemon was asked.
    Request(AnyRequest),
    /// What it answered.
    Reply(Result<AnyReply, ErrorCode>),
    /// What happened.
    Event(Event),
}

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
    mut arguments: impl Iterator<Item = OsString>,
) -> Result<(), Box<dyn Error>> {
    let (Some(directory), Some(program)) = (arguments.next(), arguments.next()) else {
        return Err("usage: messages DIRECTORY PROGRAM [ARGUMENT...]".into());
    };
    let directory = absolute(PathBuf::from(directory))?;
    fs::create_dir_all(&directory)?;
    let arguments: Vec<OsString> = arguments.collect();

    let daemon = Daemon::start(config.without_clients()?)?;
    let log = File::create(directory.join("messages.jsonl"))?;
    // No runtime is needed: a future of a handle and a stream of events wait for the daemon's threads.
    let archive = futures::executor::block_on(async {
        let handle = daemon.handle();
        let events = handle.subscribe(CAPACITY).await?;
        let recording = Recording { handle, events, log };
        recording.record(&directory.join("trace"), || run_program(&program, &arguments)).await
    })?;
    daemon.stop();
    if let TraceArchive::Local(path) = archive {
        println!("read it with: babeltrace2 {}", path.display());
    }
    Ok(())
}

struct Recording {
    handle: Handle,
    events: Subscription,
    log: File,
}

impl Recording {
    /// The life of one session, around a `program`; where its trace is.
    async fn record(
        mut self,
        trace: &Path,
        program: impl FnOnce() -> Result<(), Box<dyn Error>>,
    ) -> Result<TraceArchive, Box<dyn Error>> {
        for request in self.to_begin(trace) {
            self.ask(request).await?;
        }
        self.wait_for(|event| matches!(event, SessionEvent::Started).then_some(())).await?;
        let outcome = program();
        // Also when the program failed: what it recorded until then may say why.
        self.ask(Stop.in_session(SESSION)).await?;
        // When the rotation is over, all that was recorded is in the archive.
        self.ask(Rotate.in_session(SESSION)).await?;
        let archive = self
            .wait_for(|event| match event {
                SessionEvent::RotationCompleted { archive, .. } => Some(Ok(archive)),
                SessionEvent::RotationFailed { error, .. } => Some(Err(error)),
                _ => None,
            })
            .await??;
        let requester = self.handle.requester();
        self.ask(DestroySession { requester, name: SESSION.to_owned() }).await?;
        self.wait_for(|event| matches!(event, SessionEvent::Destroyed).then_some(())).await?;
        outcome.map(|()| archive)
    }

    /// What makes a session that records every tracepoint.
    fn to_begin(&self, trace: &Path) -> [AnyRequest; 4] {
        let (domain, buffer_type) = (Domain::Ust, SCHEME as u32);
        let descriptor = SessionDescriptor {
            kind: SessionKind::Regular,
            name: Some(SESSION.to_owned()),
            output: DescriptorOutput::Local(Some(Uri::Path(trace.to_path_buf()))),
        };
        let channel = user_space_channel(CHANNEL, SCHEME);
        let event = EventDescription::tracepoint("*");
        [
            CreateSession { requester: self.handle.requester(), home: None, descriptor }.into(),
            EnableChannel { domain, buffer_type, channel }.in_session(SESSION).into(),
            EnableEvent { domain, buffer_type, channel: CHANNEL.to_owned(), event }
                .in_session(SESSION)
                .into(),
            Start.in_session(SESSION).into(),
        ]
    }

    async fn ask(&mut self, request: impl Into<AnyRequest>) -> Result<(), Box<dyn Error>> {
        let request = request.into();
        self.write_down(Line::Request(request.clone()))?;
        let reply = self.handle.ask(request).await;
        let refusal = reply.as_ref().err().copied();
        self.write_down(Line::Reply(reply))?;
        refusal.map_or(Ok(()), |code| Err(code.into()))
    }

    /// Waits for something that happens to the session.
    async fn wait_for<T>(
        &mut self,
        meant: impl Fn(SessionEvent) -> Option<T>,
    ) -> Result<T, Box<dyn Error>> {
        while let Some(event) = self.events.next().await {
            self.write_down(Line::Event(event.clone()))?;
            if let Event::Session { session, event } = event
                && session == SESSION
                && let Some(found) = meant(event)
            {
                return Ok(found);
            }
        }
        Err("the daemon has ended".into())
    }

    fn write_down(&mut self, line: Line) -> Result<(), Box<dyn Error>> {
        let mut text = serde_json::to_vec(&Versioned::new(line))?;
        text.push(b'\n');
        Ok(self.log.write_all(&text)?)
    }
}

/// Runs the program to its end. The daemon has threads of its own and needs none of ours meanwhile.
fn run_program(program: &OsStr, arguments: &[OsString]) -> Result<(), Box<dyn Error>> {
    let status = Command::new(program)
        .args(arguments)
        .env("LTTNG_UST_REGISTER_TIMEOUT", REGISTER_TIMEOUT_MS)
        .status()
        .map_err(|error| format!("cannot run {}: {error}", program.display()))?;
    if !status.success() {
        return Err(format!("{} ended with {status}", program.display()).into());
    }
    Ok(())
}
