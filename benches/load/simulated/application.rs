//! One simulated application: LTTng-UST's side of its command and notify socket.

use lttngd_wire::ust::Abi;
use std::cell::Cell;
use std::rc::Rc;

use lttngd_peer::app::{Objects, Trouble, VERSION, announcement, follows, refusal};
use lttngd_runtime::{Peer, PeerError};
use lttngd_wire::ust::command::{Command, REQUEST_LEN, Reply, UstError};
use lttngd_wire::ust::notify::{Answer, Request};
use tokio::time::Instant;

/// The tracepoint that every application has. It is never hit.
pub const TRACEPOINT: &str = "sample:number";

/// How far a registration has come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Registered {
    /// The daemon has it, and has not said that `main` may begin.
    Waits,
    /// `main` has begun after so many microseconds.
    After(f64),
    /// The daemon has closed the connection, or done what no application takes.
    Gone,
}

/// An application whose connections are made and registered.
pub struct Application {
    command: Peer,
    notify: Peer,
    objects: Objects,
    since: Instant,
    registered: Rc<Cell<Registered>>,
}

impl Application {
    /// One that began to register at `since`, and what tells how far it has come.
    pub fn new(command: Peer, notify: Peer, since: Instant) -> (Application, Rc<Cell<Registered>>) {
        let registered = Rc::new(Cell::new(Registered::Waits));
        let seen = Rc::clone(&registered);
        (Application { command, notify, objects: Objects::default(), since, registered }, seen)
    }

    /// Serves the daemon until it closes a socket.
    pub async fn serve(mut self) {
        while self.serve_one().await.is_ok() {}
        self.registered.set(Registered::Gone);
    }

    async fn serve_one(&mut self) -> Result<(), PeerError> {
        let mut bytes = [0; REQUEST_LEN];
        self.command.read_exact(&mut bytes).await?;
        let (handle, command) = Command::decode(&bytes).map_err(|_| PeerError::Closed)?;
        if command.has_early_ack(Abi::V9) {
            self.reply(&Reply::new(handle, command.number(), 0, 0)).await?;
        }
        let (len, descriptors) = follows(&command);
        let mut payload = vec![0; len];
        self.command.read_exact(&mut payload).await?;
        if descriptors > 0 {
            // An application maps them; here they are closed.
            drop(self.command.read_descriptors(descriptors).await?);
        }
        let reply = match self.objects.apply(handle, &command) {
            Ok(value) => Reply::new(handle, command.number(), 0, value),
            Err(Trouble::Refused(error)) => refusal(handle, command.number(), error),
            // The lists of tracepoints are short.
            Err(Trouble::Fault(_)) if command == Command::TracepointListGet => {
                refusal(handle, command.number(), UstError::NoEntry)
            }
            Err(Trouble::Fault(_)) => return Err(PeerError::Closed),
        };
        match command {
            Command::TracerVersion => {
                return self.reply(&reply.with_tracer_version(VERSION)).await;
            }
            Command::Enable => self.announce(handle).await?,
            Command::RegisterDone => {
                let after = self.since.elapsed().as_secs_f64() * crate::measure::SECOND_US;
                self.registered.set(Registered::After(after));
            }
            _ => {}
        }
        self.reply(&reply).await
    }

    /// Asks for the ids of what a session that becomes active has, if `session` is one.
    async fn announce(&mut self, session: u32) -> Result<(), PeerError> {
        for (channel, event) in self.objects.announcements(session) {
            if event.as_ref().is_some_and(|name| name != TRACEPOINT) {
                continue;
            }
            let request: Request = announcement(session, channel, event);
            self.notify.write_all(&request.encode(Abi::V9)).await?;
            self.notify.read_exact(&mut vec![0; Answer::len(request.kind(), Abi::V9)]).await?;
        }
        Ok(())
    }

    async fn reply(&self, reply: &Reply) -> Result<(), PeerError> {
        self.command.write_all(&reply.encode(Abi::V9)).await
    }
}
