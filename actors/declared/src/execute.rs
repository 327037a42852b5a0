//! Bringing a session to a document: looks, plans, and asks for one command after the other.

use lttngd_document::{Command, Document, Observed, Plan, observed, plan, replacing};
use lttngd_handle::{AnyReply, AnyRequest, Handle};
use lttngd_model::ErrorCode;
use lttngd_session::{DescribeSession, SessionDescription, SessionRequest};
use lttngd_sessionfile::read;

use crate::{
    Applied, Apply, DeclareError, Standing,
    request::{request, with_addresses},
};

/// What carries out typed requests: a daemon, or what acts as one.
pub trait Engine {
    /// Asks it.
    ///
    /// # Errors
    /// Those that the request documents.
    fn ask(&self, request: AnyRequest) -> impl Future<Output = Result<AnyReply, ErrorCode>>;
}

impl Engine for Handle {
    async fn ask(&self, request: AnyRequest) -> Result<AnyReply, ErrorCode> {
        Handle::ask(self, request).await
    }
}

/// What is there of a session; `None` when there is none of this name.
///
/// # Errors
/// When it does not tell, or has something that no document says.
pub async fn look(engine: &impl Engine, session: &str) -> Result<Option<Observed>, DeclareError> {
    let error = |code| DeclareError::Session { session: session.to_owned(), code };
    let described = match engine.ask(DescribeSession.in_session(session).into()).await {
        Ok(AnyReply::DescribeSession(described)) => described,
        Ok(_) => return Err(error(ErrorCode::Fatal)),
        Err(ErrorCode::SessNotFound) => return Ok(None),
        Err(code) => return Err(error(code)),
    };
    let SessionDescription { saved, was_started } = described;
    let saved = read(&saved).map_err(|error| DeclareError::NotSaid(error.to_string()))?;
    let Some(saved) = saved.first() else { return Err(error(ErrorCode::Fatal)) };
    let document = observed(saved).map_err(|error| DeclareError::NotSaid(error.to_string()))?;
    Ok(Some(Observed { document, was_started }))
}

/// What is there of a document.
pub async fn standing(engine: &impl Engine, document: &Document) -> Standing {
    let Ok(document) = with_addresses(document.clone()).await else { return Standing::Unknown };
    match look(engine, &document.session).await {
        Ok(None) => Standing::Missing,
        Ok(found) if plan(&document, found.as_ref()) == Plan::default() => Standing::AsDeclared,
        Ok(_) => Standing::Differs,
        Err(_) => Standing::Unknown,
    }
}

/// Brings a session to a document, or says what would be done. A session that cannot be made as the document says is not
/// there afterwards.
///
/// # Errors
/// [`DeclareError`]; what was done until then of a session that was there stays.
pub async fn apply(engine: &impl Engine, apply: Apply) -> Result<Applied, DeclareError> {
    let Apply { document, home, replace, dry } = apply;
    document.check().map_err(|fault| DeclareError::Fault(fault.to_string()))?;
    let document = with_addresses(document).await.map_err(DeclareError::Fault)?;
    let found = look(engine, &document.session).await?;
    let mut todo = plan(&document, found.as_ref());
    let told = |all: &[Command]| all.iter().map(ToString::to_string).collect::<Vec<_>>();
    let obstacles: Vec<_> = todo.obstacles.iter().map(ToString::to_string).collect();
    let is_replaced = replace && !obstacles.is_empty();
    if is_replaced {
        todo = replacing(&document);
    }
    let applied = Applied { commands: told(&todo.commands), obstacles, is_replaced };
    if dry {
        return Ok(applied);
    }
    if !todo.obstacles.is_empty() {
        return Err(DeclareError::Obstacles(applied.obstacles));
    }
    if let Some(name) = todo.commands.iter().find_map(probe_in_program) {
        let what = format!("{name}: a probe in a program is set by lttng enable-event alone");
        return Err(DeclareError::Fault(what));
    }
    for (at, command) in todo.commands.iter().enumerate() {
        let asked = match request(command, &document, home.as_deref()) {
            Ok(request) => engine.ask(request).await.map(drop),
            Err(code) => Err(code),
        };
        if let Err(code) = asked {
            let mut done = told(&todo.commands[..at]);
            let is_made = todo.commands[..at].contains(&Command::Create);
            if is_made && let Ok(request) = request(&Command::Destroy, &document, None) {
                // Why it could not be made says more than what happens now.
                let _ = engine.ask(request).await;
                done.clear();
            }
            return Err(DeclareError::Command { what: command.to_string(), code, done });
        }
    }
    Ok(applied)
}

/// The rule that a command sets in a program, which would have to be open.
fn probe_in_program(command: &Command) -> Option<&str> {
    match command {
        Command::EnableEvent { rule, .. } if rule.userspace_probe.is_some() => Some(&rule.name),
        _ => None,
    }
}
