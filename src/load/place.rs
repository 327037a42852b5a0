//! The places of saved outputs.

use std::net::IpAddr;

use lttngd_model::{AddressFamily, DescriptorOutput, ErrorCode, NetworkUri, StreamKind, Uri};
use lttngd_wire::session_file::SavedConsumerOutput;

/// Where an output leads.
///
/// # Errors
/// `UrlCtrlMiss` and `UrlDataMiss` for the URL of a relay daemon that is none.
pub(super) fn place(output: &SavedConsumerOutput) -> Result<DescriptorOutput, ErrorCode> {
    if let Some(net) = &output.destination.net_output {
        let control = network_uri(&net.control_uri, StreamKind::Control);
        let data = network_uri(&net.data_uri, StreamKind::Data);
        let control = control.ok_or(ErrorCode::UrlCtrlMiss)?;
        let data = data.ok_or(ErrorCode::UrlDataMiss)?;
        let uris = Box::new((Uri::Network(control), Uri::Network(data)));
        return Ok(DescriptorOutput::Network(Some(uris)));
    }
    let path = output.destination.path.as_deref().unwrap_or_default();
    let path = path.strip_prefix("file://").unwrap_or(path);
    if path.is_empty() {
        return Ok(DescriptorOutput::None);
    }
    Ok(DescriptorOutput::Local(Some(Uri::Path(path.into()))))
}

/// A URL as daemons save it, `tcp4://<address>:<port>/<directory>` or `tcp6://[<address>]:...`;
/// `None` for anything else. Names of machines are none: clients look them up.
fn network_uri(url: &str, stream: StreamKind) -> Option<NetworkUri> {
    let (scheme, rest) = url.split_once("://")?;
    let (place, subdir) = rest.split_once('/').unwrap_or((rest, ""));
    let (family, address, port) = match scheme {
        "tcp" | "tcp4" => {
            let (address, port) = place.split_once(':').unwrap_or((place, "0"));
            (AddressFamily::V4, address, port)
        }
        "tcp6" => {
            let (address, port) = place.strip_prefix('[')?.split_once(']')?;
            let port = if port.is_empty() { "0" } else { port.strip_prefix(':')? };
            (AddressFamily::V6, address, port)
        }
        _ => return None,
    };
    let parsed: IpAddr = address.parse().ok()?;
    if parsed.is_ipv4() != (family == AddressFamily::V4) {
        return None;
    }
    Some(NetworkUri {
        family,
        address: address.to_owned(),
        port: port.parse().ok()?,
        stream,
        subdir: subdir.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use lttngd_wire::session_file::{SavedDestination, SavedNetOutput};

    use super::*;

    fn parts(url: &str) -> Option<(AddressFamily, String, u16, String)> {
        let uri = network_uri(url, StreamKind::Control)?;
        Some((uri.family, uri.address, uri.port, uri.subdir))
    }

    #[test]
    fn urls_as_they_are_saved() {
        use AddressFamily::{V4, V6};
        for (url, family, address, port, subdir) in [
            ("tcp4://127.0.0.1:5342/", V4, "127.0.0.1", 5342, ""),
            ("tcp4://10.0.0.1:1/a/b", V4, "10.0.0.1", 1, "a/b"),
            ("tcp://10.0.0.1", V4, "10.0.0.1", 0, ""),
            ("tcp6://[::1]:5343/x", V6, "::1", 5343, "x"),
            ("tcp6://[::1]", V6, "::1", 0, ""),
        ] {
            let expected = (family, address.to_owned(), port, subdir.to_owned());
            assert_eq!(parts(url), Some(expected), "{url}");
        }
        for url in [
            "",
            "/traces",
            "tcp4://",
            "tcp4://[::1]:1/",
            "tcp4://::1/",
            "tcp6://127.0.0.1:1/",
            "tcp6://[127.0.0.1]:1/",
            "tcp6://[::1]5343/",
            "tcp4://127.0.0.1:65536/",
            "tcp4://127.0.0.1:/",
            "net://127.0.0.1:1:2/",
            "udp://127.0.0.1:1/",
        ] {
            assert_eq!(parts(url), None, "{url}");
        }
    }

    #[test]
    fn places_of_each_kind() {
        let of = |path: Option<&str>, net: Option<(&str, &str)>| {
            place(&SavedConsumerOutput {
                enabled: true,
                destination: SavedDestination {
                    path: path.map(str::to_owned),
                    net_output: net.map(|(control_uri, data_uri)| SavedNetOutput {
                        control_uri: control_uri.to_owned(),
                        data_uri: data_uri.to_owned(),
                    }),
                },
            })
        };
        let local = DescriptorOutput::Local(Some(Uri::Path("/a".into())));
        assert_eq!(of(Some("/a"), None), Ok(local.clone()));
        assert_eq!(of(Some("file:///a"), None), Ok(local));
        assert_eq!(of(Some(""), None), Ok(DescriptorOutput::None));
        let (control, data) = ("tcp4://127.0.0.1:5342/", "tcp4://127.0.0.1:5343/");
        let Ok(DescriptorOutput::Network(Some(uris))) = of(None, Some((control, data))) else {
            panic!("a relay daemon");
        };
        let Uri::Network(data_uri) = uris.1 else { panic!("a network URI") };
        assert_eq!((data_uri.stream, data_uri.port), (StreamKind::Data, 5343));
        assert_eq!(of(None, Some(("", data))), Err(ErrorCode::UrlCtrlMiss));
        assert_eq!(of(None, Some((control, ""))), Err(ErrorCode::UrlDataMiss));
    }
}
