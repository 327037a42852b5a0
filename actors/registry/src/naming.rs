//! Names of sessions and where their traces go by default. No input or output.

use std::path::Path;

use lttngd_model::{
    DescriptorOutput, ErrorCode, NAME_MAX, SessionDescriptor, SessionKind, Timestamp, Uri,
};
use lttngd_session::{NetworkOutput, Output};

/// Directory of traces below a home directory.
const TRACES_DIRECTORY: &str = "lttng-traces";

/// A new session's name and output.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) auto_named: bool,
    pub(crate) output: Output,
}

/// Names a new session. `is_taken` knows the names of all sessions of all users.
///
/// # Errors
/// In this order: `Invalid` for a home that is not absolute and a live session with a directory,
/// `ExistSess`, `SessionInvalidChar`, `SetUrl` without a home where one is needed, `Invalid` for
/// an output that is not absolute or goes upwards.
pub(crate) fn name(
    descriptor: &SessionDescriptor,
    home: Option<&str>,
    now: Timestamp,
    is_taken: impl Fn(&str) -> bool,
) -> Result<Named, ErrorCode> {
    if home.is_some_and(|home| !home.starts_with('/')) {
        return Err(ErrorCode::Invalid);
    }
    // The stock loader names the relay daemon of a live session after making it.
    if let (SessionKind::Live { .. }, DescriptorOutput::Local(_)) =
        (descriptor.kind, &descriptor.output)
    {
        return Err(ErrorCode::Invalid);
    }
    let (name, auto_named) = match &descriptor.name {
        Some(name) => (check(name, &is_taken)?.to_owned(), false),
        None => (automatic(now, &is_taken), true),
    };
    let output = match &descriptor.output {
        DescriptorOutput::None => Output::None,
        DescriptorOutput::Network(None) => {
            Output::Network(Box::new(NetworkOutput::on_this_machine()))
        }
        DescriptorOutput::Network(Some(places)) => {
            let (control, data) = &**places;
            match Output::None.with_uris(&[control.clone(), data.clone()])? {
                Output::Network(network) if network.uris().is_some() => Output::Network(network),
                _ => return Err(ErrorCode::Invalid),
            }
        }
        DescriptorOutput::Local(Some(Uri::Path(path))) => Output::from_path(path.clone())?,
        DescriptorOutput::Local(Some(Uri::Network(_))) => return Err(ErrorCode::Invalid),
        DescriptorOutput::Local(None) => {
            let home = home.ok_or(ErrorCode::SetUrl)?;
            let directory = match auto_named {
                true => name.clone(),
                false => format!("{name}-{}", now.datetime()),
            };
            Output::Local(Path::new(home).join(TRACES_DIRECTORY).join(directory))
        }
    };
    Ok(Named { name, auto_named, output })
}

fn check(name: &str, is_taken: impl Fn(&str) -> bool) -> Result<&str, ErrorCode> {
    if is_taken(name) {
        return Err(ErrorCode::ExistSess);
    }
    if name.is_empty() || name.len() >= NAME_MAX || name.contains('/') {
        return Err(ErrorCode::SessionInvalidChar);
    }
    Ok(name)
}

fn automatic(now: Timestamp, is_taken: impl Fn(&str) -> bool) -> String {
    let datetime = now.datetime();
    let mut name = format!("auto-{datetime}");
    let mut number = 0_u64;
    while is_taken(&name) {
        number += 1;
        name = format!("auto{number}-{datetime}");
    }
    name
}

impl Named {
    /// The descriptor with what was decided filled in.
    pub(crate) fn complete(&self, descriptor: &SessionDescriptor) -> SessionDescriptor {
        SessionDescriptor {
            kind: descriptor.kind,
            name: Some(self.name.clone()),
            output: match &self.output {
                Output::None => DescriptorOutput::None,
                Output::Local(path) => DescriptorOutput::Local(Some(Uri::Path(path.clone()))),
                Output::Network(network) => {
                    DescriptorOutput::Network(network.uris().map(|(control, data)| {
                        Box::new((Uri::Network(control.clone()), Uri::Network(data.clone())))
                    }))
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use lttngd_model::{AddressFamily, NetworkUri, StreamKind};

    use super::*;

    const NOW: Timestamp = Timestamp { epoch_s: 1_795_392_042 };

    fn descriptor(name: Option<&str>, output: DescriptorOutput) -> SessionDescriptor {
        SessionDescriptor { kind: SessionKind::Regular, name: name.map(str::to_owned), output }
    }

    fn named(name_given: Option<&str>, home: Option<&str>) -> Result<Named, ErrorCode> {
        let descriptor = descriptor(name_given, DescriptorOutput::Local(None));
        name(&descriptor, home, NOW, |taken| taken == "taken")
    }

    #[test]
    fn the_default_output_carries_the_date_once() {
        let date = NOW.datetime();
        let given = named(Some("s"), Some("/home/u")).unwrap();
        assert_eq!(given.output.path(), format!("/home/u/lttng-traces/s-{date}"));
        let auto = named(None, Some("/home/u")).unwrap();
        assert_eq!(auto.name, format!("auto-{date}"));
        assert_eq!(auto.output.path(), format!("/home/u/lttng-traces/auto-{date}"));
        let taken = |name: &str| name.starts_with("auto-") || name.starts_with("auto1-");
        assert_eq!(automatic(NOW, taken), format!("auto2-{date}"));
    }

    #[test]
    fn names_and_homes_that_are_refused() {
        let cases = [
            (Some("taken"), Some("/h"), ErrorCode::ExistSess),
            (Some("a/b"), Some("/h"), ErrorCode::SessionInvalidChar),
            (Some(""), Some("/h"), ErrorCode::SessionInvalidChar),
            (Some("s"), Some("h"), ErrorCode::Invalid),
            (Some("s"), None, ErrorCode::SetUrl),
        ];
        for (name, home, expected) in cases {
            assert_eq!(named(name, home), Err(expected), "{name:?} {home:?}");
        }
        let long = "n".repeat(NAME_MAX);
        assert_eq!(named(Some(&long), Some("/h")), Err(ErrorCode::SessionInvalidChar));
        assert!(named(Some(&long[1..]), Some("/h")).is_ok());
    }

    #[test]
    fn outputs_that_are_named() {
        let local = |path: &str| {
            let output = DescriptorOutput::Local(Some(Uri::Path(path.into())));
            name(&descriptor(Some("s"), output), None, NOW, |_| false)
        };
        let named = local("/traces/s").unwrap();
        let complete = named.complete(&descriptor(None, DescriptorOutput::None));
        assert_eq!(complete.name.as_deref(), Some("s"));
        assert_eq!(complete.output, DescriptorOutput::Local(Some(Uri::Path("/traces/s".into()))));
        assert_eq!(local("traces").unwrap_err(), ErrorCode::Invalid);
        assert_eq!(local("/a/../b").unwrap_err(), ErrorCode::Invalid);
        let relay = Uri::Network(NetworkUri {
            family: AddressFamily::V4,
            address: "127.0.0.1".to_owned(),
            port: 0,
            stream: StreamKind::Control,
            subdir: String::new(),
        });
        let streamed = |control: &Uri, data: &Uri| {
            let places = Box::new((control.clone(), data.clone()));
            let output = DescriptorOutput::Network(Some(places));
            name(&descriptor(Some("s"), output), None, NOW, |_| false)
        };
        assert_eq!(streamed(&relay, &relay).unwrap_err(), ErrorCode::UrlExist);
        assert_eq!(streamed(&relay, &Uri::Path("/a".into())).unwrap_err(), ErrorCode::Invalid);
        let mut data = relay.clone();
        if let Uri::Network(data) = &mut data {
            data.stream = StreamKind::Data;
        }
        let named = streamed(&relay, &data).unwrap();
        assert_eq!(named.output.path(), "tcp4://127.0.0.1:5342/ [data: 5343]");
        let snapshot = SessionDescriptor {
            kind: SessionKind::Snapshot,
            ..descriptor(Some("s"), DescriptorOutput::Network(None))
        };
        let named = name(&snapshot, None, NOW, |_| false).unwrap();
        assert_eq!(named.output, Output::Network(Box::new(NetworkOutput::on_this_machine())));
    }

    #[test]
    fn live_sessions_are_streamed() {
        let live = |output| {
            let kind = SessionKind::Live { timer_interval_us: 1 };
            let descriptor = SessionDescriptor { kind, ..descriptor(Some("s"), output) };
            name(&descriptor, Some("/h"), NOW, |_| false).map(|named| named.complete(&descriptor))
        };
        assert_eq!(live(DescriptorOutput::None).unwrap().output, DescriptorOutput::None);
        assert_eq!(live(DescriptorOutput::Local(None)), Err(ErrorCode::Invalid));
        let complete = live(DescriptorOutput::Network(None)).unwrap();
        let DescriptorOutput::Network(Some(places)) = complete.output else {
            panic!("{complete:?}")
        };
        let ports = |uri: &Uri| match uri {
            Uri::Network(uri) => uri.port,
            Uri::Path(_) => 0,
        };
        assert_eq!((ports(&places.0), ports(&places.1)), (5342, 5343));
    }
}
