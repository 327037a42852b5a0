//! The actor that has the documents: admits what is asked, has it done, and records what became of it.

use std::time::Duration;

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, ResponseActFuture, WrapFuture};
use lttngd_document::{Document, End};
use lttngd_handle::Handle;
use lttngd_model::{Credentials, ErrorCode};
use lttngd_users::Lease;
use tokio::time::Instant;

use crate::{
    Apply, Asked, DeclareError, DeclareReply, DeclareRequest, DeclaredSession, apply, book::Book,
    look, standing,
};

/// How soon the end of a session is tried again that something else is done with.
const RETRY: Duration = Duration::from_secs(1);

type Reply = Result<DeclareReply, DeclareError>;

/// The declared sessions of a daemon.
pub struct Declared {
    book: Book,
    /// The way to the daemon, for the ends of sessions.
    handle: Handle,
}

impl Declared {
    /// None yet.
    #[must_use]
    pub fn new(handle: Handle) -> Self {
        Self { book: Book::new(handle.requester().uid), handle }
    }

    fn apply(&mut self, asked: Apply, handle: Handle) -> ResponseActFuture<Self, Reply> {
        let (requester, document) = (handle.requester(), asked.document.clone());
        let session = document.session.clone();
        let (ends_at, room) = match self.admit(requester, &asked) {
            Ok(admitted) => admitted,
            Err(error) => return done(Err(error)),
        };
        let performed = async move { apply(&handle, asked).await };
        Box::pin(performed.into_actor(self).map(move |applied, this, context| {
            this.book.over(&session);
            let applied = applied?;
            if let Some(room) = room {
                let ends_at = this.book.keep(requester, document, ends_at, room);
                this.end_later(&session, ends_at, context);
            }
            Ok(DeclareReply::Applied(applied))
        }))
    }

    /// Whether something may be done with the session now: when it is to end, and room for the document if that is to be kept.
    fn admit(
        &mut self,
        requester: Credentials,
        asked: &Apply,
    ) -> Result<(Option<Instant>, Option<Lease>), DeclareError> {
        let Apply { document, dry, .. } = asked;
        let ends_at = ends_at(document)?;
        let room = if *dry { None } else { Some(self.book.room(requester, document)?) };
        self.book.begin(&document.session)?;
        Ok((ends_at, room))
    }

    fn list(&mut self, handle: Handle) -> ResponseActFuture<Self, Reply> {
        let known = self.book.known_to(handle.requester());
        let now = Instant::now();
        let known: Vec<_> = known
            .map(|entry| {
                let left = entry.ends_at.map(|it| it.saturating_duration_since(now).as_secs());
                (entry.document.clone(), entry.owner.uid, left)
            })
            .collect();
        let told = async move {
            let mut listed = Vec::new();
            for (document, uid, ends_in_s) in known {
                let standing = standing(&handle, &document).await;
                listed.push(DeclaredSession { document, uid, standing, ends_in_s });
            }
            Ok(DeclareReply::Listed(listed))
        };
        Box::pin(told.into_actor(self))
    }

    fn delete(&mut self, session: String, handle: Handle) -> ResponseActFuture<Self, Reply> {
        if self.book.find(&session, handle.requester()).is_none() {
            return done(Err(DeclareError::NotDeclared(session)));
        }
        if let Err(error) = self.book.begin(&session) {
            return done(Err(error));
        }
        let name = session.clone();
        let destroyed = async move { handle.destroy_session(&name).await };
        Box::pin(destroyed.into_actor(self).map(move |destroyed, this, _| {
            this.book.over(&session);
            match destroyed {
                Ok(_) | Err(ErrorCode::SessNotFound) => {
                    this.book.forget(&session);
                    Ok(DeclareReply::Deleted)
                }
                Err(code) => Err(DeclareError::Session { session, code }),
            }
        }))
    }

    fn export(&mut self, session: String, handle: Handle) -> ResponseActFuture<Self, Reply> {
        let looked = async move {
            let found = look(&handle, &session).await?;
            let not_found = DeclareError::Session { session, code: ErrorCode::SessNotFound };
            let document = found.ok_or(not_found)?.document;
            Ok(DeclareReply::Exported(Box::new(document)))
        };
        Box::pin(looked.into_actor(self))
    }

    /// Ends the session at its moment, if it has one.
    fn end_later(&self, session: &str, ends_at: Option<Instant>, context: &mut Context<Self>) {
        let Some(ends_at) = ends_at else { return };
        let session = session.to_owned();
        let wait = ends_at.saturating_duration_since(Instant::now());
        context.run_later(wait, move |this, context| this.end(session, context));
    }

    /// Ends it if its moment is still this one: another document may have come since.
    fn end(&mut self, session: String, context: &mut Context<Self>) {
        let Some(owner) = self.book.is_due(&session, Instant::now()) else { return };
        if self.book.begin(&session).is_err() {
            context.run_later(RETRY, move |this, context| this.end(session, context));
            return;
        }
        let (handle, name) = (self.handle.acting_for(owner), session.clone());
        let destroyed = async move { handle.destroy_session(&name).await };
        context.spawn(destroyed.into_actor(self).map(move |destroyed, this, _| {
            this.book.over(&session);
            this.book.forget(&session);
            match destroyed {
                Ok(_) => tracing::info!(session, "a declared session has ended as it was to"),
                Err(ErrorCode::SessNotFound) => {}
                Err(code) => tracing::error!(session, %code, "a declared session does not end"),
            }
        }));
    }
}

/// When the session of a document that is applied now ends.
fn ends_at(document: &Document) -> Result<Option<Instant>, DeclareError> {
    let fault = |what: &str| DeclareError::Fault(format!("end: {what}"));
    let left = match &document.end {
        None => return Ok(None),
        Some(End::AfterS(seconds)) => Duration::from_secs(*seconds),
        Some(End::At(moment)) => {
            let moment: jiff::Timestamp =
                moment.parse().map_err(|error: jiff::Error| fault(&error.to_string()))?;
            let left = moment.duration_since(jiff::Timestamp::now());
            Duration::try_from(left).map_err(|_| fault("this moment has passed"))?
        }
    };
    Instant::now().checked_add(left).map(Some).ok_or_else(|| fault("it is too late"))
}

/// What is known at once.
fn done(reply: Reply) -> ResponseActFuture<Declared, Reply> {
    Box::pin(actix::fut::ready(reply))
}

impl Actor for Declared {
    type Context = Context<Self>;
}

impl Handler<Asked> for Declared {
    type Result = ResponseActFuture<Self, Reply>;

    fn handle(&mut self, asked: Asked, _: &mut Self::Context) -> Self::Result {
        let Asked { request, handle } = asked;
        match request {
            DeclareRequest::Apply(asked) => self.apply(*asked, handle),
            DeclareRequest::List => self.list(handle),
            DeclareRequest::Delete { session } => self.delete(session, handle),
            DeclareRequest::Export { session } => self.export(session, handle),
        }
    }
}
