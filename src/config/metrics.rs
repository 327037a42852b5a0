//! Where metrics are scraped.

use std::{
    ffi::OsStr,
    net::SocketAddr,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use thiserror::Error;

/// Where metrics are scraped.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum MetricsAddress {
    /// A Unix socket, made with the rights of the client socket.
    Unix(PathBuf),
    /// A TCP port of an address that only this machine has. Every user of it may connect.
    Tcp(SocketAddr),
}

/// This is no place where metrics may be scraped.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum NoMetricsAddress {
    /// Neither a path nor an address.
    #[error("a path with a / or an ADDRESS:PORT like 127.0.0.1:9464 is needed")]
    Neither,
    /// Others could connect from elsewhere.
    #[error(
        "an address of this machine alone is needed, like 127.0.0.1 or [::1]: what is told is for nobody else"
    )]
    NotLocal,
}

impl MetricsAddress {
    /// Reads a path, in which there is a `/`, or an `ADDRESS:PORT`.
    ///
    /// # Errors
    /// [`NoMetricsAddress`].
    pub fn parse(text: &OsStr) -> Result<Self, NoMetricsAddress> {
        if text.as_bytes().contains(&b'/') {
            return Ok(Self::Unix(text.into()));
        }
        let address = text.to_str().and_then(|text| text.parse::<SocketAddr>().ok());
        let address = address.ok_or(NoMetricsAddress::Neither)?;
        if address.ip().is_loopback() {
            Ok(Self::Tcp(address))
        } else {
            Err(NoMetricsAddress::NotLocal)
        }
    }

    /// The same, where a path that is relative starts from `directory`.
    #[must_use]
    pub fn from(self, directory: &Path) -> Self {
        match self {
            Self::Unix(path) => Self::Unix(directory.join(path)),
            tcp @ Self::Tcp(_) => tcp,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_path_or_an_address_of_this_machine() {
        let parse = |text: &str| MetricsAddress::parse(OsStr::new(text));
        assert_eq!(parse("/run/metrics"), Ok(MetricsAddress::Unix("/run/metrics".into())));
        assert_eq!(parse("./metrics"), Ok(MetricsAddress::Unix("./metrics".into())));
        for text in ["127.0.0.1:9464", "127.3.2.1:1", "[::1]:65535"] {
            assert!(matches!(parse(text), Ok(MetricsAddress::Tcp(_))), "{text}");
        }
        for text in ["0.0.0.0:9464", "192.0.2.1:80", "[::]:80", "[2001:db8::1]:80"] {
            assert_eq!(parse(text), Err(NoMetricsAddress::NotLocal), "{text}");
        }
        for text in ["", "metrics", "9464", "localhost:9464", "127.0.0.1", "127.0.0.1:99999"] {
            assert_eq!(parse(text), Err(NoMetricsAddress::Neither), "{text}");
        }
    }

    #[test]
    fn a_relative_path_starts_from_a_directory() {
        let path = MetricsAddress::Unix("./a".into()).from(Path::new("/b"));
        assert_eq!(path, MetricsAddress::Unix("/b/./a".into()));
    }
}
