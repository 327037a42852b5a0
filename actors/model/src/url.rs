//! URLs of places for traces, as clients and saved sessions write them.

use std::path::PathBuf;

use crate::{AddressFamily, ErrorCode};

/// Port of relay daemons for control connections unless another is named.
pub const CONTROL_PORT: u16 = 5342;
/// Port of relay daemons for data connections unless another is named.
pub const DATA_PORT: u16 = 5343;

/// A place for traces as one or two URLs tell it; machines may go by their names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PlaceUrl {
    /// A directory of this machine, absolute.
    Path(PathBuf),
    /// A relay daemon: where its control and data connections are.
    Relayd {
        /// For control connections.
        control: HostUrl,
        /// For data connections.
        data: HostUrl,
    },
}

/// Where one connection of a relay daemon is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HostUrl {
    /// Address family.
    pub family: AddressFamily,
    /// Name or address of the machine.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Directory below the relay's own, no leading slash; may be empty.
    pub subdir: String,
}

/// What the beginning of a URL says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Scheme {
    File,
    /// Both connections.
    Net(AddressFamily),
    /// One connection.
    Tcp(AddressFamily),
}

/// Each with how it begins, in any case of letters.
const SCHEMES: [(&str, Scheme); 7] = [
    ("file://", Scheme::File),
    ("net://", Scheme::Net(AddressFamily::V4)),
    ("net4://", Scheme::Net(AddressFamily::V4)),
    ("net6://", Scheme::Net(AddressFamily::V6)),
    ("tcp://", Scheme::Tcp(AddressFamily::V4)),
    ("tcp4://", Scheme::Tcp(AddressFamily::V4)),
    ("tcp6://", Scheme::Tcp(AddressFamily::V6)),
];

impl PlaceUrl {
    /// Reads a place from the URL of its control connection and that of its data connection, which is
    /// empty when the first one tells all: an absolute path, `file://<path>`,
    /// `net[4|6]://<host>[:<control port>[:<data port>]][/<directory>]`. With both, they are
    /// `tcp[4|6]://<host>[:<port>][/<directory>]`, or the same `net://` twice.
    ///
    /// # Errors
    /// `Invalid` for anything else.
    pub fn parse(control_url: &str, data_url: &str) -> Result<Self, ErrorCode> {
        match (Url::parse(control_url), Url::parse(data_url)) {
            (Some(Url::Path(path)), _) if data_url.is_empty() => Ok(Self::Path(path)),
            (None, Some(Url::Path(path))) if control_url.is_empty() => Ok(Self::Path(path)),
            (Some(Url::Net { host, data_port }), _)
                if data_url.is_empty() || data_url == control_url =>
            {
                let data = HostUrl { port: data_port, subdir: String::new(), ..host.clone() };
                Ok(Self::relayd(host, data))
            }
            (Some(Url::Tcp(control)), Some(Url::Tcp(data))) => Ok(Self::relayd(control, data)),
            _ => Err(ErrorCode::Invalid),
        }
    }

    fn relayd(mut control: HostUrl, mut data: HostUrl) -> Self {
        for (url, default) in [(&mut control, CONTROL_PORT), (&mut data, DATA_PORT)] {
            if url.port == 0 {
                url.port = default;
            }
        }
        Self::Relayd { control, data }
    }
}

/// One URL. Ports are 0 when none is named.
enum Url {
    Path(PathBuf),
    Net { host: HostUrl, data_port: u16 },
    Tcp(HostUrl),
}

impl Url {
    fn parse(text: &str) -> Option<Self> {
        if text.starts_with('/') {
            return Some(Self::Path(text.into()));
        }
        let (scheme, rest) = SCHEMES.iter().find_map(|(begin, scheme)| {
            let head = text.get(..begin.len())?;
            head.eq_ignore_ascii_case(begin).then(|| (*scheme, &text[begin.len()..]))
        })?;
        let family = match scheme {
            Scheme::File => return rest.starts_with('/').then(|| Self::Path(rest.into())),
            Scheme::Net(family) | Scheme::Tcp(family) => family,
        };
        let (place, subdir) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, ports) = match place.strip_prefix('[') {
            Some(bracketed) => bracketed.split_once(']')?,
            None => place.split_at(place.find(':').unwrap_or(place.len())),
        };
        if host.is_empty() || !(ports.is_empty() || ports.starts_with(':')) {
            return None;
        }
        let mut ports = ports.split(':').skip(1);
        let mut next = || ports.next().map_or(Some(0), port);
        let (first, second) = (next()?, if scheme == Scheme::Net(family) { next()? } else { 0 });
        if ports.next().is_some() {
            return None;
        }
        let host =
            HostUrl { family, host: host.to_owned(), port: first, subdir: subdir.to_owned() };
        Some(match scheme {
            Scheme::Net(_) => Self::Net { host, data_port: second },
            Scheme::File | Scheme::Tcp(_) => Self::Tcp(host),
        })
    }
}

/// A port; 0 for one that is left out.
fn port(text: &str) -> Option<u16> {
    match text {
        "" => Some(0),
        _ => text.parse().ok().filter(|port| *port != 0),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Host, control port, data port and directory.
    fn relayd(control: &str, data: &str) -> Option<(AddressFamily, String, u16, u16, String)> {
        match PlaceUrl::parse(control, data) {
            Ok(PlaceUrl::Relayd { control, data }) => {
                assert_eq!((control.family, &control.host), (data.family, &data.host));
                Some((control.family, control.host, control.port, data.port, control.subdir))
            }
            Ok(PlaceUrl::Path(_)) => panic!("a path"),
            Err(ErrorCode::Invalid) => None,
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn directories() {
        for (control, data, path) in [
            ("/a/b", "", "/a/b"),
            ("file:///a", "", "/a"),
            ("FILE:///a", "", "/a"),
            ("", "file:///a", "/a"),
            ("/", "", "/"),
        ] {
            assert_eq!(PlaceUrl::parse(control, data), Ok(PlaceUrl::Path(path.into())));
        }
        for (control, data) in
            [("", ""), ("a", ""), ("file://a", ""), ("/a", "/a"), ("/a", "tcp://h"), ("é", "")]
        {
            assert_eq!(PlaceUrl::parse(control, data), Err(ErrorCode::Invalid), "{control}");
        }
    }

    #[test]
    fn relay_daemons() {
        use AddressFamily::{V4, V6};
        for (control, data, family, host, control_port, data_port, subdir) in [
            ("net://h", "", V4, "h", 5342, 5343, ""),
            ("net4://10.0.0.1:1:2/a/b", "", V4, "10.0.0.1", 1, 2, "a/b"),
            ("Net://h:7/", "", V4, "h", 7, 5343, ""),
            ("net://h::8", "", V4, "h", 5342, 8, ""),
            ("net://h:", "", V4, "h", 5342, 5343, ""),
            ("net6://[::1]:1:2/x", "", V6, "::1", 1, 2, "x"),
            ("net6://h", "net6://h", V6, "h", 5342, 5343, ""),
            ("tcp://h/a", "tcp4://h:9", V4, "h", 5342, 9, "a"),
            ("tcp://h", "tcp://h", V4, "h", 5342, 5343, ""),
            ("tcp6://[::1]:3/", "tcp6://[::1]:4/", V6, "::1", 3, 4, ""),
        ] {
            let expected = (family, host.to_owned(), control_port, data_port, subdir.to_owned());
            assert_eq!(relayd(control, data), Some(expected), "{control} {data}");
        }
    }

    #[test]
    fn what_is_no_relay_daemon() {
        for (control, data) in [
            ("net://", ""),
            ("net://:5", ""),
            ("net:///a", ""),
            ("net://h:0", ""),
            ("net://h:65536", ""),
            ("net://h:port", ""),
            ("net://h:1:2:3", ""),
            ("net6://[::1", ""),
            ("net6://[]", ""),
            ("net6://[::1]5", ""),
            ("net6://::1", ""),
            ("udp://h", ""),
            ("net://h", "net://other"),
            ("net://h", "tcp://h"),
            ("tcp://h", ""),
            ("tcp://h:1:2", "tcp://h"),
            ("", "tcp://h"),
            ("tcp://h", "net://h"),
            ("tcp://h", "/a"),
        ] {
            assert_eq!(relayd(control, data), None, "{control} {data}");
        }
    }
}
