//! Where a session's traces go.

use std::path::PathBuf;

use lttngd_model::{ErrorCode, Uri};

use crate::NetworkOutput;

/// Where a session's traces go.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Output {
    /// Nowhere.
    None,
    /// To a directory, which is made at the first start.
    Local(PathBuf),
    /// To a relay daemon.
    Network(Box<NetworkOutput>),
}

impl Output {
    /// How it looks in listings.
    #[must_use]
    pub fn path(&self) -> String {
        match self {
            Self::None => String::new(),
            Self::Local(path) => path.to_string_lossy().into_owned(),
            Self::Network(network) => network.path(),
        }
    }

    /// Whether a relay daemon's directory was chosen, which the next session of the same name has as well.
    pub(crate) fn has_chosen_directory(&self) -> bool {
        matches!(self, Self::Network(network) if !network.base_path().is_empty())
    }

    /// The output that SET_CONSUMER_URI makes of this one.
    ///
    /// # Errors
    /// `Invalid` for no place, a path that is not absolute or goes upwards, and what
    /// [`NetworkOutput::with`] refuses.
    pub fn with_uris(&self, uris: &[Uri]) -> Result<Self, ErrorCode> {
        if uris.is_empty() {
            return Err(ErrorCode::Invalid);
        }
        uris.iter().try_fold(self.clone(), |output, uri| match (output, uri) {
            (_, Uri::Path(path)) => Self::from_path(path.clone()),
            (Self::Network(network), Uri::Network(uri)) => {
                Ok(Self::Network(Box::new(network.with(uri)?)))
            }
            (Self::None | Self::Local(_), Uri::Network(uri)) => {
                Ok(Self::Network(Box::new(NetworkOutput::default().with(uri)?)))
            }
        })
    }

    /// A local output.
    ///
    /// # Errors
    /// `Invalid` for a path that is not absolute or goes upwards.
    pub fn from_path(path: PathBuf) -> Result<Self, ErrorCode> {
        if !path.is_absolute() || path.to_string_lossy().contains("../") {
            return Err(ErrorCode::Invalid);
        }
        Ok(Self::Local(path))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use lttngd_model::{AddressFamily, NetworkUri, StreamKind};

    use super::*;

    fn path(text: &str) -> Uri {
        Uri::Path(text.into())
    }

    fn relay(stream: StreamKind, port: u16) -> Uri {
        Uri::Network(NetworkUri {
            family: AddressFamily::V4,
            address: "127.0.0.1".to_owned(),
            port,
            stream,
            subdir: String::new(),
        })
    }

    #[test]
    fn places_that_a_client_may_name() {
        let from_uris = |uris: &[Uri]| Output::None.with_uris(uris);
        assert_eq!(from_uris(&[path("/a/b")]).unwrap().path(), "/a/b");
        assert_eq!(from_uris(&[path("a/b")]), Err(ErrorCode::Invalid));
        assert_eq!(from_uris(&[path("/a/../b")]), Err(ErrorCode::Invalid));
        assert_eq!(from_uris(&[]), Err(ErrorCode::Invalid));
        assert_eq!(Output::None.path(), "");
    }

    #[test]
    fn a_relay_daemon_is_named_once() {
        let (control, data) = (relay(StreamKind::Control, 0), relay(StreamKind::Data, 7));
        let output = Output::None.with_uris(&[data.clone(), control.clone()]).unwrap();
        assert_eq!(output.path(), "tcp4://127.0.0.1:5342/ [data: 7]");
        assert_eq!(output.with_uris(std::slice::from_ref(&control)), Err(ErrorCode::UrlExist));
        let other = relay(StreamKind::Data, 8);
        assert_eq!(output.with_uris(&[other]), Err(ErrorCode::UrlExist));
        assert_eq!(output.with_uris(&[path("/a")]).unwrap().path(), "/a");
        let local = Output::Local("/a".into());
        assert_eq!(local.with_uris(&[control, data]).unwrap(), output);
    }
}
