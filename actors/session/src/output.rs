//! Where a session's traces go.

use std::path::PathBuf;

use lttngd_model::{ErrorCode, Uri};

/// Where a session's traces go.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Output {
    /// Nowhere.
    None,
    /// To a directory, which is made at the first start.
    Local(PathBuf),
}

impl Output {
    /// How it looks in listings.
    #[must_use]
    pub fn path(&self) -> String {
        match self {
            Self::None => String::new(),
            Self::Local(path) => path.to_string_lossy().into_owned(),
        }
    }

    /// The output that SET_CONSUMER_URI asks for.
    ///
    /// # Errors
    /// `Invalid` for no place, more than one, or a path that is not absolute or goes upwards;
    /// `NotSupported` for a relay daemon.
    pub fn from_uris(uris: &[Uri]) -> Result<Self, ErrorCode> {
        match uris {
            [Uri::Path(path)] => Self::from_path(path.clone()),
            [] | [Uri::Path(_), ..] => Err(ErrorCode::Invalid),
            [Uri::Network(_), ..] => Err(ErrorCode::NotSupported),
        }
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

    #[test]
    fn places_that_a_client_may_name() {
        let path = |text: &str| Uri::Path(text.into());
        let relay = Uri::Network(NetworkUri {
            family: AddressFamily::V4,
            address: "127.0.0.1".to_owned(),
            port: 0,
            stream: StreamKind::Control,
            subdir: String::new(),
        });
        assert_eq!(Output::from_uris(&[path("/a/b")]).unwrap().path(), "/a/b");
        assert_eq!(Output::from_uris(&[path("a/b")]), Err(ErrorCode::Invalid));
        assert_eq!(Output::from_uris(&[path("/a/../b")]), Err(ErrorCode::Invalid));
        assert_eq!(Output::from_uris(&[]), Err(ErrorCode::Invalid));
        assert_eq!(Output::from_uris(&[relay]), Err(ErrorCode::NotSupported));
        assert_eq!(Output::None.path(), "");
    }
}
