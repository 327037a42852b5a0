//! The connection as commands and replies.

use std::time::Duration;

use lttngd_runtime::{REQUEST_COST, STEP_LEN, fail_point, read_growing, skip, turn};
use lttngd_wire::agent::{
    Command, LIST_HEAD_LEN, ListHead, REPLY_LEN, Refusal, Reply, decode_loggers,
};

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

    /// LIST: the names of all loggers.
    pub(crate) async fn loggers(&self) -> Result<Result<Vec<String>, AgentError>, Broken> {
        if let Err(refusal) = self.command(&Command::List).await? {
            return Ok(Err(refusal.into()));
        }
        let mut head = [0; LIST_HEAD_LEN];
        self.connection.read_exact(&mut head).await?;
        let ListHead { data_size, count } = ListHead::decode(&head)?;
        let fill = async |bytes: &mut [u8]| {
            turn(self.permit.uid(), bytes.len()).await;
            self.connection.read_exact(bytes).await
        };
        let room = self.permit.listing(data_size);
        let names = async {
            match &room {
                Ok(_) => read_growing(data_size as usize, fill).await,
                Err(_) => skip(data_size as usize, fill).await.map(|()| Vec::new()),
            }
        };
        let names =
            tokio::time::timeout(LIST_DEADLINE, names).await.map_err(|_| Broken::Unended)??;
        self.agenda.answered();
        let _room = match room {
            Ok(room) => room,
            Err(refused) => return Ok(Err(refused.into())),
        };
        if names.len() <= STEP_LEN {
            return Ok(Ok(decode_loggers(count, &names)?));
        }
        // It takes long enough for others to wait for it.
        let decoded = tokio::task::spawn_blocking(move || decode_loggers(count, &names)).await;
        Ok(Ok(decoded.map_err(std::io::Error::other)??))
    }
}
