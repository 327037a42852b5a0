//! The relay daemon to which a session streams. No input or output.

use lttngd_model::{
    AddressFamily, CONTROL_PORT, DATA_PORT, ErrorCode, NetworkUri, StreamKind, Timestamp,
};
use lttngd_relayd::{RelaydError, RelaydTarget};
use serde::{Deserialize, Serialize};

/// Address of the relay daemon unless another is named.
const ADDRESS: &str = "127.0.0.1";

/// The relay daemon to which a session streams. A client may name its two places one after the
/// other.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct NetworkOutput {
    control: Option<NetworkUri>,
    data: Option<NetworkUri>,
}

impl NetworkOutput {
    /// The relay daemon of this machine.
    #[must_use]
    pub fn on_this_machine() -> Self {
        let uri = |stream, port| {
            Some(NetworkUri {
                family: AddressFamily::V4,
                address: ADDRESS.to_owned(),
                port,
                stream,
                subdir: String::new(),
            })
        };
        Self {
            control: uri(StreamKind::Control, CONTROL_PORT),
            data: uri(StreamKind::Data, DATA_PORT),
        }
    }

    /// This one with a further place.
    ///
    /// # Errors
    /// `UrlExist` when that connection has its place; `Invalid` for the same port as the other's, or
    /// a directory that goes upwards.
    pub fn with(mut self, uri: &NetworkUri) -> Result<Self, ErrorCode> {
        let (place, other, default) = match uri.stream {
            StreamKind::Control => (&mut self.control, &self.data, CONTROL_PORT),
            StreamKind::Data => (&mut self.data, &self.control, DATA_PORT),
        };
        if place.is_some() {
            return Err(ErrorCode::UrlExist);
        }
        let port = if uri.port == 0 { default } else { uri.port };
        if other.as_ref().is_some_and(|other| uri.port != 0 && other.port == port) {
            return Err(ErrorCode::Invalid);
        }
        if uri.stream == StreamKind::Control && uri.subdir.contains("../") {
            return Err(ErrorCode::Invalid);
        }
        *place = Some(NetworkUri { port, ..uri.clone() });
        Ok(self)
    }

    /// How it looks in listings.
    #[must_use]
    pub fn path(&self) -> String {
        let control = self.control.as_ref().map(url).unwrap_or_default();
        format!("{control} [data: {}]", port(self.data.as_ref()))
    }

    /// Both places, the one for control connections first; `None` while one is not named.
    #[must_use]
    pub fn uris(&self) -> Option<(&NetworkUri, &NetworkUri)> {
        self.control.as_ref().zip(self.data.as_ref())
    }

    /// Both places as URLs, the one for control connections first.
    ///
    /// # Errors
    /// `UrlCtrlMiss` and `UrlDataMiss` while one is not named.
    pub(crate) fn urls(&self) -> Result<(String, String), ErrorCode> {
        let control = self.control.as_ref().ok_or(ErrorCode::UrlCtrlMiss)?;
        let data = self.data.as_ref().ok_or(ErrorCode::UrlDataMiss)?;
        Ok((url(control), url(data)))
    }

    /// Where to connect; `None` while a place is not named.
    pub(crate) fn target(&self) -> Option<Result<RelaydTarget, RelaydError>> {
        self.uris().map(|(control, data)| RelaydTarget::new(control, data))
    }

    /// Directory below the relay daemon's own for this machine; empty for one that it names itself.
    pub(crate) fn base_path(&self) -> &str {
        self.control.as_ref().map_or("", |control| &control.subdir)
    }

    /// The address, and the ports for control and data connections.
    pub(crate) fn host_and_ports(&self) -> (String, u16, u16) {
        let host = self.control.as_ref().map(|control| control.address.clone());
        (host.unwrap_or_default(), port(self.control.as_ref()), port(self.data.as_ref()))
    }

    /// The session's directory at relay daemons that take whole paths, with a slash at both ends.
    pub(crate) fn directory(
        &self,
        hostname: &str,
        session: &str,
        auto_named: bool,
        created_at: Timestamp,
    ) -> String {
        match (self.base_path(), auto_named) {
            ("", true) => format!("/{hostname}/{session}/"),
            ("", false) => format!("/{hostname}/{session}-{}/", created_at.datetime()),
            (base_path, _) => format!("/{hostname}/{base_path}/"),
        }
    }
}

fn port(uri: Option<&NetworkUri>) -> u16 {
    uri.map_or(0, |uri| uri.port)
}

/// A place as a URL (`uri_to_str_url`).
fn url(uri: &NetworkUri) -> String {
    let NetworkUri { family, address, port, subdir, .. } = uri;
    match family {
        AddressFamily::V4 => format!("tcp4://{address}:{port}/{subdir}"),
        AddressFamily::V6 => format!("tcp6://[{address}]:{port}/{subdir}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn uri(stream: StreamKind, port: u16, subdir: &str) -> NetworkUri {
        NetworkUri {
            family: AddressFamily::V6,
            address: "::1".to_owned(),
            port,
            stream,
            subdir: subdir.to_owned(),
        }
    }

    #[test]
    fn how_it_looks() {
        let local = NetworkOutput::on_this_machine();
        assert_eq!(local.path(), "tcp4://127.0.0.1:5342/ [data: 5343]");
        let control = uri(StreamKind::Control, 9, "a/b");
        let half = NetworkOutput::default().with(&control).unwrap();
        assert_eq!(half.path(), "tcp6://[::1]:9/a/b [data: 0]");
        assert!(half.target().is_none());
        assert_eq!(half.urls(), Err(ErrorCode::UrlDataMiss));
        assert_eq!(NetworkOutput::default().urls(), Err(ErrorCode::UrlCtrlMiss));
        let whole = half.with(&uri(StreamKind::Data, 0, "")).unwrap();
        let urls = ("tcp6://[::1]:9/a/b".to_owned(), "tcp6://[::1]:5343/".to_owned());
        assert_eq!(whole.urls(), Ok(urls));
        assert_eq!(whole.host_and_ports(), ("::1".to_owned(), 9, 5343));
        assert_eq!(whole.target().unwrap().unwrap().data.to_string(), "[::1]:5343");
    }

    #[test]
    fn places_that_are_refused() {
        let control = uri(StreamKind::Control, 9, "");
        let half = NetworkOutput::default().with(&control).unwrap();
        assert_eq!(half.clone().with(&control), Err(ErrorCode::UrlExist));
        assert_eq!(half.with(&uri(StreamKind::Data, 9, "")), Err(ErrorCode::Invalid));
        let up = uri(StreamKind::Control, 9, "a/../b");
        assert_eq!(NetworkOutput::default().with(&up), Err(ErrorCode::Invalid));
    }

    #[test]
    fn directories_at_old_relays() {
        let at = Timestamp { epoch_s: 0 };
        let plain = NetworkOutput::on_this_machine();
        let named = plain.directory("h", "s", false, at);
        assert_eq!(named, format!("/h/s-{}/", at.datetime()));
        assert_eq!(plain.directory("h", "auto-1", true, at), "/h/auto-1/");
        let based = NetworkOutput::default().with(&uri(StreamKind::Control, 1, "a/b")).unwrap();
        assert_eq!(based.directory("h", "s", false, at), "/h/a/b/");
    }
}
