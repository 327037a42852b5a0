//! Applications of LTTng-UST.

use std::{
    cell::{Cell, RefCell},
    io::{self, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    rc::Rc,
    time::Duration,
};

use lttngd_peer::app::{Objects, Trouble, VERSION, announcement, follows, refusal, registration};
use lttngd_runtime::{Peer, PeerError};
use lttngd_wire::ust::{
    Abi,
    command::{Command, REQUEST_LEN, Reply, UstError},
    notify::{Answer, KIND_LEN, Kind},
    registration::SocketKind,
};
use tokio::task::JoinHandle;

use crate::world::Part;

/// How long one stands still that does, at most: more than the daemon waits.
const STILL_MAX: Duration = Duration::from_secs(20);
/// How long it is between the end of one application and the beginning of the next.
const AWAY_MAX: Duration = Duration::from_secs(10);

/// One application after the other.
pub(crate) struct PlayedApp {
    pub(crate) name: String,
    place: PathBuf,
    part: Part,
    /// What the one that is there has, and whether it has done all that it was asked.
    objects: RefCell<Objects>,
    is_honest: Cell<bool>,
    is_there: Cell<bool>,
    begun: Cell<bool>,
    thread: RefCell<Option<JoinHandle<()>>>,
}

impl PlayedApp {
    pub(crate) fn start(number: usize, place: &Path, part: Part) -> Rc<Self> {
        let app = Rc::new(Self {
            name: format!("app {number}"),
            place: place.to_owned(),
            part,
            objects: RefCell::default(),
            is_honest: Cell::new(true),
            is_there: Cell::new(false),
            begun: Cell::new(false),
            thread: RefCell::default(),
        });
        let played = Rc::clone(&app);
        *app.thread.borrow_mut() = Some(tokio::task::spawn_local(async move {
            loop {
                tokio::time::sleep(played.part.chance.time(Duration::ZERO..AWAY_MAX)).await;
                // Whatever fails, it is at its end.
                let _ = played.live().await;
                played.is_there.set(false);
                played.part.story.tell(&played.name, "is gone");
            }
        }));
        app
    }

    /// It exits, and none comes after it.
    pub(crate) fn exit(&self) {
        if let Some(thread) = self.thread.borrow_mut().take() {
            thread.abort();
        }
        self.is_there.set(false);
    }

    /// Whether there is one whose `main` has begun, and which has done all that it was asked.
    pub(crate) fn is_well(&self) -> bool {
        self.is_there.get() && self.begun.get() && self.is_honest.get()
    }

    /// What it records: sessions, their channels, the events of these.
    pub(crate) fn recorded(&self) -> Vec<Vec<Vec<String>>> {
        self.objects.borrow().recorded()
    }

    /// How many objects it has.
    pub(crate) fn objects(&self) -> usize {
        self.objects.borrow().count()
    }

    fn connect(&self, socket: SocketKind) -> io::Result<Peer> {
        let mut stream = UnixStream::connect(&self.place)?;
        let said = lttngd_wire::ust::registration::Registration { socket, ..registration() };
        stream.write_all(&said.encode())?;
        Peer::new(stream.into())
    }

    async fn live(&self) -> Result<(), PeerError> {
        *self.objects.borrow_mut() = Objects::default();
        self.is_honest.set(true);
        self.begun.set(false);
        // Both at once: which belong together the daemon knows by the process, which is the same for all.
        let (command, notify) =
            (self.connect(SocketKind::Command)?, self.connect(SocketKind::Notify)?);
        self.is_there.set(true);
        self.part.story.tell(&self.name, "registers");
        while self.serve(&command, &notify).await? {}
        Ok(())
    }

    /// Does one thing that it is asked. Whether it goes on.
    async fn serve(&self, command: &Peer, notify: &Peer) -> Result<bool, PeerError> {
        let mut bytes = [0; REQUEST_LEN];
        command.read_exact(&mut bytes).await?;
        let (handle, request) = Command::decode(&bytes).unwrap();
        if request.has_early_ack(Abi::V9) {
            command.write_all(&Reply::new(handle, request.number(), 0, 0).encode(Abi::V9)).await?;
        }
        let (len, descriptors) = follows(&request);
        command.read_exact(&mut vec![0; len]).await?;
        if descriptors > 0 {
            drop(command.read_descriptors(descriptors).await?);
        }
        self.part.pause().await;
        if self.part.fails(150) {
            self.part.story.tell(&self.name, "stands still");
            tokio::time::sleep(self.part.chance.time(Duration::ZERO..STILL_MAX)).await;
        }
        if self.part.fails(200) {
            self.part.story.tell(&self.name, format_args!("dies at {request:?}"));
            return Ok(false);
        }
        if self.part.fails(500) {
            let what = format_args!("answers something wrong to {request:?}");
            self.part.story.tell(&self.name, what);
            command.write_all(&[0x5a; 700]).await?;
            // What was asked before that was seen is nothing to it.
            loop {
                command.read_exact(&mut [0]).await?;
            }
        }
        // It lets go of whatever it has.
        if request != Command::Release && self.part.fails(200) {
            self.part.story.tell(&self.name, format_args!("refuses {request:?}"));
            self.is_honest.set(false);
            let error = UstError::Unspecified { errno: 12 };
            command.write_all(&refusal(handle, request.number(), error).encode(Abi::V9)).await?;
            return Ok(true);
        }
        let Some(reply) = self.reply(notify, handle, &request).await? else { return Ok(false) };
        command.write_all(&reply.encode(Abi::V9)).await?;
        let exits = self.part.fails(400);
        if exits {
            self.part.story.tell(&self.name, "exits");
        }
        Ok(!exits)
    }

    /// Does what LTTng-UST does with a command. `None` when it would drop the connection.
    async fn reply(
        &self,
        notify: &Peer,
        handle: u32,
        request: &Command,
    ) -> Result<Option<Reply>, PeerError> {
        let number = request.number();
        let done = self.objects.borrow_mut().apply(handle, request);
        Ok(Some(match done {
            Ok(_) if *request == Command::TracerVersion => {
                Reply::new(handle, number, 0, 0).with_tracer_version(VERSION)
            }
            Ok(value) => {
                if *request == Command::RegisterDone {
                    self.begun.set(true);
                }
                if *request == Command::Enable {
                    self.announce(notify, handle).await?;
                }
                Reply::new(handle, number, 0, value)
            }
            Err(Trouble::Refused(error)) => refusal(handle, number, error),
            Err(Trouble::Fault(fault)) => {
                self.part.story.wrong(&self.name, fault);
                return Ok(None);
            }
        }))
    }

    /// Announces what a session that becomes active has, while the daemon waits for the reply.
    async fn announce(&self, notify: &Peer, session: u32) -> Result<(), PeerError> {
        let announced = self.objects.borrow_mut().announcements(session);
        for (channel, event) in announced {
            if self.part.fails(300) {
                self.part.story.tell(&self.name, "dies while it announces");
                return Err(PeerError::Closed);
            }
            notify.write_all(&announcement(session, channel, event).encode(Abi::V9)).await?;
            let mut bytes = vec![0; KIND_LEN];
            notify.read_exact(&mut bytes).await?;
            let kind = Kind::from_raw(u32::from_ne_bytes(bytes.clone().try_into().unwrap()));
            bytes.resize(Answer::len(kind.unwrap(), Abi::V9), 0);
            notify.read_exact(&mut bytes[KIND_LEN..]).await?;
            self.part.pause().await;
        }
        Ok(())
    }
}
