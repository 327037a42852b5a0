//! The connection as commands and replies.

use std::time::Duration;

use lttngd_model::NameList;
use lttngd_runtime::{AskError, REQUEST_COST, fail_point, read_by_steps, turn};
use lttngd_wire::agent::{Command, LIST_HEAD_LEN, ListHead, Loggers, REPLY_LEN, Refusal, Reply};

use crate::{
    AgentError, connection::Connection, driver::AgentAgenda, error::Broken, listener::Permit,
};

/// Longest time for the names of a listing to come when their size has.
pub(crate) const LIST_DEADLINE: Duration = Duration::from_secs(10);

/// What the agent answered: a value or its refusal.
pub(crate) type Answer<T> = Result<Result<T, Refusal>, Broken>;

/// The connection.
pub(crate) struct Link<'a> {
    pub(crate) connection: &'a Connection,
    /// Is told of each answer.
    pub(crate) agenda: &'a AgentAgenda,
    pub(crate) permit: &'a Permit,
}

impl Link<'_> {
    /// A command that is answered by a code.
    pub(crate) async fn command(&self, command: &Command) -> Answer<()> {
        self.connection.write_all(&command.encode()).await?;
        fail_point::reached(format_args!("Agent command {}", command.number()));
        fail_point::reached("Agent command");
        let mut bytes = [0; REPLY_LEN];
        self.connection.read_exact(&mut bytes).await?;
        self.agenda.answered();
        turn(self.permit.uid(), REQUEST_COST).await;
        Ok(Reply::decode(bytes).0)
    }

    /// REG_DONE, which is not answered.
    pub(crate) async fn registration_done(&self) -> Result<(), Broken> {
        self.connection.write_all(&Command::RegistrationDone.encode()).await
    }

    /// LIST: the names of all loggers, as far as there is room for them and as long as they are wanted. All of them are
    /// read in any case: what is answered next comes behind.
    pub(crate) async fn loggers(
        &self,
        is_wanted: impl Fn() -> bool,
    ) -> Result<Result<NameList<()>, AgentError>, Broken> {
        if let Err(refusal) = self.command(&Command::List).await? {
            return Ok(Err(refusal.into()));
        }
        let mut head = [0; LIST_HEAD_LEN];
        self.connection.read_exact(&mut head).await?;
        let ListHead { data_size, count } = ListHead::decode(&head)?;
        let uid = self.permit.uid();
        let fill = async |bytes: &mut [u8]| {
            turn(uid, bytes.len()).await;
            self.connection.read_exact(bytes).await
        };
        let mut listed = Ok((self.permit.listing(), Loggers::new(count)));
        let take = async |bytes: &[u8]| -> Result<(), Broken> {
            if !is_wanted() {
                listed = Err(AskError::Gone.into());
            }
            let Ok((room, loggers)) = &mut listed else { return Ok(()) };
            let before = loggers.names().names_len();
            let entries_len = loggers.take(bytes)? * NameList::<()>::ENTRY_LEN;
            let names_len = loggers.names().names_len() - before;
            if let Err(refused) = room.take(names_len + entries_len) {
                // What there is of it is let go, and its room.
                listed = Err(refused.into());
            }
            // There may be as many as their bytes.
            turn(uid, entries_len).await;
            Ok(())
        };
        let read = read_by_steps(data_size as usize, fill, take);
        tokio::time::timeout(LIST_DEADLINE, read).await.map_err(|_| Broken::Unended)??;
        self.agenda.answered();
        match listed {
            Ok((_, loggers)) => Ok(Ok(loggers.finish()?)),
            Err(error) => Ok(Err(error)),
        }
    }
}
