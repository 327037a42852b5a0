//! Requests that were heard apart from the actors and are answered in their thread.
//!
//! A command that goes to the actors' thread, and its answer that comes back from there, wake two threads. What it
//! takes to send a few bytes is less than that: so they are sent from where they are made.

use std::io;

use lttngd_runtime::{Held, Peer, Ticket};
use tokio::sync::mpsc;

use crate::{heard::Heard, overdue::Overdue, replies::ReplyRoom, send::tell_not_served};

/// A client whose request is to be answered.
pub(crate) struct ToAnswer {
    pub(crate) peer: Peer,
    pub(crate) heard: Heard,
    pub(crate) uid: u32,
    /// Its place in the budget of descriptors.
    pub(crate) held: Held,
    /// For what it has of its user's shares where it was heard.
    pub(crate) ticket: Ticket,
}

/// Where requests that were heard apart are answered: to [`listen`](Self::listen) in the actors' thread.
pub struct Answering(mpsc::UnboundedReceiver<ToAnswer>);

/// The way there. It is as long as clients are that may be served at a time.
#[derive(Clone)]
pub(crate) struct ToAnswering(mpsc::UnboundedSender<ToAnswer>);

impl Answering {
    pub(crate) fn new() -> (ToAnswering, Self) {
        let (send, receive) = mpsc::unbounded_channel();
        (ToAnswering(send), Self(receive))
    }

    /// Answers clients, each beside the others, until none can come any more.
    ///
    /// # Errors
    /// None.
    pub async fn listen(mut self) -> io::Result<()> {
        let overdue = Overdue::default();
        while let Some(client) = self.0.recv().await {
            tokio::task::spawn_local(client.answered(overdue.clone()));
        }
        Ok(())
    }
}

impl ToAnswering {
    /// Has a client answered there; it comes back when nobody is there any more.
    pub(crate) fn send(&self, client: ToAnswer) -> Option<ToAnswer> {
        self.0.send(client).err().map(|refused| refused.0)
    }
}

impl ToAnswer {
    /// Answers it, in whichever thread. It is served, and the next one alone, when its answer is made: that is some bytes,
    /// which the socket takes.
    pub(crate) async fn answered(self, overdue: Overdue) {
        let Self { peer, heard, uid, held, ticket } = self;
        let answer = heard.done(&peer, ReplyRoom::default(), &overdue).await;
        drop(ticket);
        if let Err(error) = answer.send(&peer).await {
            tell_not_served(&error, uid);
        }
        drop(peer);
        drop(held);
    }
}
