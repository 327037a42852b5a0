//! The places of saved outputs.

use lttngd_model::{DescriptorOutput, ErrorCode, PlaceUrl, Uri};
use lttngd_relayd::{DEFAULT_DEADLINE, look_up};
use lttngd_sessionfile::SavedConsumerOutput;

/// Where an output leads. Daemons save addresses; names that somebody wrote instead are looked up. A
/// path may be a URL too, of a directory or of a relay daemon; an empty one leads nowhere.
///
/// # Errors
/// `Invalid` for a path that is not absolute, the URL of a relay daemon that is none, and a name that is
/// not found.
pub(super) async fn place(output: &SavedConsumerOutput) -> Result<DescriptorOutput, ErrorCode> {
    let destination = &output.destination;
    let place = match (&destination.net_output, destination.path.as_deref().unwrap_or_default()) {
        (Some(net), _) => PlaceUrl::parse(&net.control_uri, &net.data_uri)?,
        (None, "") => return Ok(DescriptorOutput::None),
        (None, path) => PlaceUrl::parse(path, "")?,
    };
    match place {
        PlaceUrl::Path(_) if destination.net_output.is_some() => Err(ErrorCode::Invalid),
        PlaceUrl::Path(path) => Ok(DescriptorOutput::Local(Some(Uri::Path(path)))),
        PlaceUrl::Relayd { control, data } => {
            let found = look_up(control, data, DEFAULT_DEADLINE).await;
            let (control, data) = found.map_err(|error| {
                tracing::error!(%error, "a saved session's relay daemon");
                ErrorCode::Invalid
            })?;
            let uris = Box::new((Uri::Network(control), Uri::Network(data)));
            Ok(DescriptorOutput::Network(Some(uris)))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use lttngd_model::StreamKind;
    use lttngd_sessionfile::{SavedDestination, SavedNetOutput};

    use super::*;

    async fn of(
        path: Option<&str>,
        net: Option<(&str, &str)>,
    ) -> Result<DescriptorOutput, ErrorCode> {
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
        .await
    }

    #[tokio::test]
    async fn directories() {
        let local = DescriptorOutput::Local(Some(Uri::Path("/a".into())));
        assert_eq!(of(Some("/a"), None).await, Ok(local.clone()));
        assert_eq!(of(Some("FILE:///a"), None).await, Ok(local));
        assert_eq!(of(Some("a"), None).await, Err(ErrorCode::Invalid));
        assert_eq!(of(Some(""), None).await, Ok(DescriptorOutput::None));
    }

    #[tokio::test]
    async fn relay_daemons() {
        let data = "tcp4://127.0.0.1:5343/";
        for control in ["tcp4://127.0.0.1:5342/a", "tcp4://localhost/a"] {
            let found = of(None, Some((control, data))).await;
            let Ok(DescriptorOutput::Network(Some(uris))) = found else { panic!("{found:?}") };
            let (Uri::Network(control), Uri::Network(data)) = *uris else { panic!("{uris:?}") };
            assert_eq!((control.stream, control.port), (StreamKind::Control, 5342));
            assert_eq!((control.address.as_str(), control.subdir.as_str()), ("127.0.0.1", "a"));
            assert_eq!((data.stream, data.port), (StreamKind::Data, 5343));
        }
        let found = of(Some("net://localhost/a"), None).await;
        let Ok(DescriptorOutput::Network(Some(uris))) = found else { panic!("{found:?}") };
        let Uri::Network(data_uri) = &uris.1 else { panic!("{uris:?}") };
        assert_eq!((data_uri.address.as_str(), data_uri.port), ("127.0.0.1", 5343));
        for (control, data) in
            [("", data), ("tcp4://127.0.0.1", ""), ("/a", ""), ("tcp4://::1/", data)]
        {
            assert_eq!(of(None, Some((control, data))).await, Err(ErrorCode::Invalid));
        }
    }
}
