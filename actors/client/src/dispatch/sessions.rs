//! Sessions: made, listed, destroyed, saved.

use lttngd_model::{ErrorCode, SessionDescriptor};
use lttngd_wire::client::{
    ArchiveLocation, Reply, RotationState, SaveSession, encode_descriptor, encode_destroyed_data,
    encode_destroyed_header,
};

use super::Asking;

impl Asking<'_> {
    pub(super) async fn create_session(
        &self,
        home: Option<String>,
        descriptor: SessionDescriptor,
    ) -> Result<Reply, ErrorCode> {
        let complete = self.handle.create_session(home, descriptor).await?;
        Ok(self.ok().with_data(encode_descriptor(&complete, self.request.dialect)))
    }

    /// Whoever sends the reply has the list, which is the same for all.
    pub(super) fn list_sessions(&self) -> Reply {
        self.attached.borrow_mut().lists_sessions = true;
        self.ok()
    }

    pub(super) async fn destroy_session(&self) -> Result<Reply, ErrorCode> {
        let destroyed = self.handle.destroy_session(self.session).await?;
        let archive = destroyed.archive.map(ArchiveLocation::from);
        let state = match archive {
            Some(_) => RotationState::Completed,
            None => RotationState::NoRotation,
        };
        Ok(self
            .ok()
            .with_header(encode_destroyed_header(state))
            .with_data(encode_destroyed_data(archive.as_ref()))
            .deferred())
    }

    pub(super) async fn save_session(&self, save: SaveSession) -> Result<Reply, ErrorCode> {
        let SaveSession { session_name, configuration_url, overwrite, .. } = save;
        let directory = Some(configuration_url).filter(|url| !url.is_empty()).map(Into::into);
        if session_name.is_empty() {
            self.handle.save_all_sessions(directory, overwrite).await?;
        } else {
            self.handle.save_session(&session_name, directory, overwrite).await?;
        }
        Ok(self.ok())
    }
}
