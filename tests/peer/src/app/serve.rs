//! The application's thread: takes requests, asks on the notify socket, replies.

use lttngd_wire::ust::Abi;
use std::{
    io::{Read, Write},
    net::Shutdown,
    os::unix::net::UnixStream,
};

use lttngd_wire::ust::{
    command::{
        COUNTER_CONFIGURATION_LEN, Command, EVENT_NOTIFIER_LEN, EXCLUSION_NAME_LEN, REQUEST_LEN,
        Reply, UstContext, UstError,
    },
    notify::Request,
};

use super::{
    AppAct, AppRequest, AppScript, Record,
    announced::integer_field,
    ask,
    objects::{Object, Objects, Trouble},
};
use crate::receive_descriptors;

/// LTTng-UST's version.
pub const VERSION: (u32, u32, u32) = (2, 13, 5);

struct App<'a> {
    command: UnixStream,
    notify: UnixStream,
    script: AppScript,
    objects: Objects,
    record: &'a Record,
}

/// Serves until either end closes.
pub(super) fn serve(
    (command, notify): (UnixStream, UnixStream),
    script: AppScript,
    record: &Record,
) {
    let objects = Objects::default();
    let mut app = App { command, notify, script, objects, record };
    let mut index = 0;
    while app.serve_one(index).is_some() {
        index += 1;
    }
    for socket in [&app.command, &app.notify] {
        let _ = socket.shutdown(Shutdown::Both);
    }
}

/// Count of bytes, and then of descriptors, that follow a request.
#[must_use]
pub fn follows(command: &Command) -> (usize, usize) {
    match command {
        Command::Channel { len, .. } => (usize::try_from(*len).unwrap(), 1),
        Command::Stream { .. } => (0, 2),
        Command::EventNotifierGroupCreate
        | Command::CounterGlobal { .. }
        | Command::CounterCpu { .. } => (0, 1),
        Command::Filter(head) | Command::Capture(head) => (head.data_size as usize, 0),
        Command::Exclusion { count } => (*count as usize * EXCLUSION_NAME_LEN, 0),
        Command::Context(UstContext::App { provider_name_len, ctx_name_len }) => {
            ((provider_name_len + ctx_name_len) as usize, 0)
        }
        Command::EventNotifierCreate => (EVENT_NOTIFIER_LEN, 0),
        Command::Counter => (COUNTER_CONFIGURATION_LEN, 0),
        _ => (0, 0),
    }
}

impl App<'_> {
    /// `None` at the end.
    fn serve_one(&mut self, index: usize) -> Option<()> {
        let mut bytes = [0; REQUEST_LEN];
        self.command.read_exact(&mut bytes).ok()?;
        let (handle, command) = match Command::decode(&bytes) {
            Ok(request) => request,
            Err(error) => return self.fault(error.to_string()),
        };
        if command.has_early_ack(Abi::V9) {
            self.reply(&Reply::new(handle, command.number(), 0, 0))?;
        }
        let (len, descriptors) = follows(&command);
        let mut payload = vec![0; len];
        self.command.read_exact(&mut payload).ok()?;
        let received = match descriptors {
            0 => Vec::new(),
            _ => receive_descriptors(&self.command).ok()?,
        };
        let descriptors = received.len();
        let request = AppRequest { index, handle, command, payload, descriptors };
        self.record.keep(&request.command, received);
        self.record.requests.lock().unwrap().push(request.clone());
        let number = request.command.number();
        match (self.script.act)(&request) {
            AppAct::Answer => {}
            AppAct::Late(gate) => gate.pass(),
            AppAct::Refuse(error) => return self.reply(&refusal(handle, number, error)),
            AppAct::WrongHandle => return self.reply(&Reply::new(handle + 1, number, 0, 0)),
            AppAct::Bytes(bytes) => return self.command.write_all(&bytes).ok(),
            AppAct::Cut(len) => {
                let (reply, _) = self.answer(&request)?;
                self.command.write_all(&reply.encode(Abi::V9)[..len]).ok()?;
                return None;
            }
        }
        let (reply, behind) = self.answer(&request)?;
        self.reply(&reply)?;
        self.command.write_all(&behind).ok()
    }

    fn reply(&mut self, reply: &Reply) -> Option<()> {
        self.command.write_all(&reply.encode(Abi::V9)).ok()
    }

    fn fault<T>(&self, text: String) -> Option<T> {
        self.record.faults.lock().unwrap().push(text);
        None
    }

    /// What LTTng-UST answers, and what follows that.
    fn answer(&mut self, request: &AppRequest) -> Option<(Reply, Vec<u8>)> {
        let AppRequest { handle, command, .. } = request;
        let (handle, number) = (*handle, command.number());
        let ok = |value| Reply::new(handle, number, 0, value);
        let end = || (refusal(handle, number, UstError::NoEntry), Vec::new());
        match (command, self.objects.get(handle)) {
            (Command::TracepointListGet, Ok(Object::List { next })) => {
                *next += 1;
                let Some((name, loglevel)) = self.script.tracepoints.get(*next - 1) else {
                    return Some(end());
                };
                return Some((ok(0).with_tracepoint(name, *loglevel), Vec::new()));
            }
            (Command::TracepointFieldListGet, Ok(Object::FieldList { next })) => {
                *next += 1;
                let Some(field) = self.script.fields.get(*next - 1) else { return Some(end()) };
                return Some((ok(0), field.encode(Abi::V9)));
            }
            _ => {}
        }
        let done = self.objects.apply(handle, command);
        *self.record.objects.lock().unwrap() = self.objects.count();
        match done {
            Ok(_) if *command == Command::TracerVersion => {
                Some((ok(0).with_tracer_version(VERSION), Vec::new()))
            }
            Ok(value) => {
                if *command == Command::Enable {
                    self.announce(handle);
                }
                Some((ok(value), Vec::new()))
            }
            Err(Trouble::Refused(error)) => Some((refusal(handle, number, error), Vec::new())),
            Err(Trouble::Fault(text)) => self.fault(text),
        }
    }

    /// Registers what a session that becomes active has, while the daemon waits for the reply.
    fn announce(&mut self, handle: u32) {
        if !matches!(self.objects.get(handle), Ok(Object::Session { .. })) {
            return;
        }
        for (channel, event) in self.objects.announcements(handle) {
            let request = announcement(handle, channel, event);
            let answer = ask(&self.notify, &request);
            self.record.asked.lock().unwrap().push((request, answer));
        }
    }
}

/// What an application asks for the event of this name, or for the channel itself.
#[must_use]
pub fn announcement(session_objd: u32, channel_objd: u32, event: Option<String>) -> Request {
    match event {
        Some(name) => Request::Event {
            session_objd,
            channel_objd,
            name,
            loglevel: 13,
            signature: "int, value".to_owned(),
            fields: vec![integer_field("value")],
            model_emf_uri: None,
        },
        None => Request::Channel { session_objd, channel_objd, context: Vec::new() },
    }
}

/// The reply to a command that is not done.
#[must_use]
pub fn refusal(handle: u32, number: u32, error: UstError) -> Reply {
    let errno = match error {
        UstError::Unspecified { errno } => errno,
        UstError::NoEntry => 2,
        UstError::Permission => 1,
        _ => 22,
    };
    let code = error.ret_code().unwrap();
    Reply::new(handle, number, code, errno.wrapping_neg() as u32)
}
