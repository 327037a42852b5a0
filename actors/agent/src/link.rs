//! The connection as commands and replies.

use std::{cell::Cell, time::Instant};

use lttngd_wire::agent::{
    Command, LIST_HEAD_LEN, ListHead, REPLY_LEN, Refusal, Reply, decode_loggers,
};

use crate::{connection::Connection, error::Broken};

/// What the agent answered: a value or its refusal.
pub(crate) type Answer<T> = Result<Result<T, Refusal>, Broken>;

/// The connection.
pub(crate) struct Link<'a> {
    pub(crate) connection: &'a Connection,
    /// When the agent last answered something.
    pub(crate) progress: &'a Cell<Instant>,
}

impl Link<'_> {
    /// A command that is answered by a code.
    pub(crate) async fn command(&self, command: &Command) -> Answer<()> {
        self.connection.write_all(&command.encode()).await?;
        let mut bytes = [0; REPLY_LEN];
        self.connection.read_exact(&mut bytes).await?;
        self.progress.set(Instant::now());
        Ok(Reply::decode(bytes).0)
    }

    /// REG_DONE, which is not answered.
    pub(crate) async fn registration_done(&self) -> Result<(), Broken> {
        self.connection.write_all(&Command::RegistrationDone.encode()).await
    }

    /// LIST: the names of all loggers.
    pub(crate) async fn loggers(&self) -> Answer<Vec<String>> {
        if let Err(refusal) = self.command(&Command::List).await? {
            return Ok(Err(refusal));
        }
        let mut head = [0; LIST_HEAD_LEN];
        self.connection.read_exact(&mut head).await?;
        let ListHead { data_size, count } = ListHead::decode(&head)?;
        let mut names = vec![0; data_size as usize];
        self.connection.read_exact(&mut names).await?;
        self.progress.set(Instant::now());
        Ok(Ok(decode_loggers(count, &names)?))
    }
}
