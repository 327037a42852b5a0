//! As much of a session daemon as one application needs to write into given buffers.

use std::fs;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex};
use std::thread;

use lttngd_clock::sample_clock;
use lttngd_metadata::tsdl::{HeaderType as TsdlHeader, Scheme, TraceDescription};
use lttngd_metadata::ustregistry::{Enumeration, EventRegistration, UstRegistry};
use lttngd_model::{Bitness, LogLevelRule, Timestamp};
use lttngd_peer::send_descriptors;
use lttngd_ringbuffer::{Channel, StreamObject};
use lttngd_wire::ust::Abi;
use lttngd_wire::ust::command::{Command, REPLY_LEN, ROOT_HANDLE, Reply};
use lttngd_wire::ust::notify::{Answer, Head, HeaderType, KIND_LEN, Kind, Request, to_nestable};
use lttngd_wire::ust::registration::{Alignments, REGISTRATION_LEN, Registration, SocketKind};

use lttngd_world::{Arena, PATIENCE};

const APPS_SOCKET: &str = "lttng-ust-sock-8";

/// A session with one channel.
pub struct SessionDaemon {
    listener: UnixListener,
    registry: Arc<Mutex<UstRegistry>>,
}

/// An application that records; it has the channel until this is dropped, or it ends.
pub struct Application {
    command: UnixStream,
}

impl SessionDaemon {
    /// Listens where applications of the arena look.
    pub fn new(arena: &Arena, trace_uuid: [u8; 16]) -> Self {
        let run_directory = arena.run_directory();
        fs::create_dir_all(&run_directory).unwrap();
        let path = run_directory.join(APPS_SOCKET);
        let listener = UnixListener::bind(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        let mut registry = UstRegistry::new(description(trace_uuid));
        assert_eq!(registry.add_channel(), 0);
        Self { listener, registry: Arc::new(Mutex::new(registry)) }
    }

    /// The metadata so far.
    pub fn metadata(&self) -> Vec<u8> {
        self.registry.lock().unwrap().metadata()
    }

    /// Takes the next application that registers, gives it the channel and lets it begin.
    pub fn attach(&self, channel: &Channel, streams: &[StreamObject]) -> Application {
        let (first, second) = (self.accept(), self.accept());
        let (command, notify) = match (first, second) {
            ((SocketKind::Command, command), (SocketKind::Notify, notify)) => (command, notify),
            ((SocketKind::Notify, notify), (SocketKind::Command, command)) => (command, notify),
            sockets => panic!("not one socket of each kind: {sockets:?}"),
        };
        let registry = self.registry.clone();
        thread::spawn(move || serve(notify, &registry));
        let mut application = Application { command };
        application.prepare(channel, streams);
        application
    }

    fn accept(&self) -> (SocketKind, UnixStream) {
        let (mut socket, _) = self.listener.accept().unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let registration = Registration::decode(&read(&mut socket, REGISTRATION_LEN).unwrap());
        (registration.unwrap().socket, socket)
    }
}

impl Application {
    fn prepare(&mut self, channel: &Channel, streams: &[StreamObject]) {
        let session = self.call(ROOT_HANDLE, &Command::Session, |_| {});
        let image = channel.image();
        let handle = self.call(
            session,
            &Command::Channel { len: image.len() as u64, owner_id: 0 },
            |socket| {
                (&mut &*socket).write_all(image).unwrap();
                send_descriptors(socket, &[channel.wakeup().unwrap()]).unwrap();
            },
        );
        for stream in streams {
            let StreamObject { memory_map_size_bytes: len, stream_nr, .. } = *stream;
            let fds: [BorrowedFd<'_>; 2] = [stream.memory.as_fd(), stream.wakeup.as_fd()];
            self.call(handle, &Command::Stream { len, stream_nr }, |socket| {
                send_descriptors(socket, &fds).unwrap();
            });
        }
        let event =
            Command::Event { name: "sample:*".to_owned(), loglevel: LogLevelRule::All, token: 0 };
        let event = self.call(handle, &event, |_| {});
        for object in [event, session] {
            self.call(object, &Command::Enable, |_| {});
        }
        self.call(ROOT_HANDLE, &Command::RegisterDone, |_| {});
    }

    /// One command, and what follows its request.
    fn call(&mut self, handle: u32, command: &Command, rest: impl FnOnce(&UnixStream)) -> u32 {
        self.command.write_all(&command.encode(handle)).unwrap();
        rest(&self.command);
        let reply = Reply::decode(&read(&mut self.command, REPLY_LEN).unwrap(), Abi::V9).unwrap();
        reply.check(handle, command.number()).unwrap_or_else(|error| panic!("{command:?}: {error}"))
    }
}

fn read(socket: &mut UnixStream, len: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; len];
    socket.read_exact(&mut bytes).map(|()| bytes)
}

/// Gives ids until the application is gone.
fn serve(mut socket: UnixStream, registry: &Mutex<UstRegistry>) {
    socket.set_read_timeout(None).unwrap();
    while let Ok(number) = read(&mut socket, KIND_LEN) {
        let kind = Kind::from_raw(u32::from_ne_bytes(number.try_into().unwrap())).unwrap();
        let Ok(fixed) = read(&mut socket, kind.fixed_len(Abi::V9)) else { return };
        let head = Head::decode(kind, &fixed, Abi::V9).unwrap();
        let Ok(variable) = read(&mut socket, head.variable_len().unwrap()) else { return };
        let request = head.decode_variable(&variable, Abi::V9).unwrap();
        let answer = answer(&mut registry.lock().unwrap(), request);
        if socket.write_all(&answer.encode(Abi::V9)).is_err() {
            return;
        }
    }
}

fn answer(registry: &mut UstRegistry, request: Request) -> Answer {
    match request {
        Request::Event { name, loglevel, fields, model_emf_uri, .. } => {
            let event = EventRegistration { name, loglevel, fields, model_emf_uri };
            let event_id = registry.register_event(0, event).unwrap();
            Answer::Event { ret_code: 0, event_id }
        }
        Request::Channel { context, .. } => {
            let context = to_nestable(context).unwrap();
            let header_type = match registry.register_channel(0, context).unwrap() {
                TsdlHeader::Compact => HeaderType::Compact,
                TsdlHeader::Large => HeaderType::Large,
            };
            Answer::Channel { ret_code: 0, chan_id: 0, header_type }
        }
        Request::Enumeration { name, entries, .. } => {
            let enum_id = registry.register_enumeration(Enumeration::new(name, entries)).unwrap();
            Answer::Enumeration { ret_code: 0, enum_id }
        }
    }
}

/// A trace of 64-bit applications of a machine on which LTTng-UST aligns nothing.
fn description(uuid: [u8; 16]) -> TraceDescription {
    TraceDescription {
        uuid,
        alignments: Alignments::PACKED,
        bitness: Bitness::Bits64,
        tracer_version: (2, 13, 0),
        scheme: Scheme::Uid(0),
        session_name: "buffers".to_owned(),
        auto_named: false,
        session_created_at: Timestamp { epoch_s: 0 },
        hostname: "host".to_owned(),
        clock: sample_clock(),
    }
}
