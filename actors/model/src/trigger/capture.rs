//! What of an event is given with a notification.

use serde::{Deserialize, Serialize};

use super::bounds::{CAPTURE_DEPTH_MAX, check_name};
use crate::{AppContext, Bytecode, ErrorCode, FILTER_MAX_LEN, filter};

/// One value of an event (`struct lttng_event_expr`).
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Capture {
    /// A field of the event's payload.
    Payload(String),
    /// A context, `$ctx.` left out.
    Context(String),
    /// A context of the application's own.
    AppContext(AppContext),
    /// An element of an array.
    Element {
        /// Its index.
        index: u32,
        /// The array.
        array: Box<Self>,
    },
}

impl Capture {
    /// The root of the expression, and the indexes behind it from left to right.
    fn parts(&self) -> (&Self, Vec<u32>) {
        let (mut root, mut indexes) = (self, Vec::new());
        while let Self::Element { index, array } = root {
            indexes.push(*index);
            root = array;
        }
        indexes.reverse();
        (root, indexes)
    }

    /// The application's own context that it needs, if it needs one.
    #[must_use]
    pub fn app_context(&self) -> Option<&AppContext> {
        match self.parts().0 {
            Self::AppContext(context) => Some(context),
            Self::Payload(_) | Self::Context(_) | Self::Element { .. } => None,
        }
    }

    pub(super) fn check(&self) -> Result<(), ErrorCode> {
        let mut root = self;
        for _ in 0..=CAPTURE_DEPTH_MAX {
            let names: [&str; 2] = match root {
                Self::Element { array, .. } => {
                    root = array;
                    continue;
                }
                Self::Payload(name) | Self::Context(name) => [name, name],
                Self::AppContext(AppContext { provider, name }) => [provider, name],
            };
            return names.into_iter().try_for_each(|name| check_name(name, FILTER_MAX_LEN));
        }
        Err(ErrorCode::InvalidTrigger)
    }

    /// What tracers run to take the value; `seqnum` is its place among the captures of its condition.
    ///
    /// # Errors
    /// `InvalidCaptureExpression` for one that is too long.
    pub fn compile(&self, seqnum: u64) -> Result<Bytecode, ErrorCode> {
        let (root, indexes) = self.parts();
        let indexes = indexes.into_iter().map(u64::from);
        let compiled = match root {
            Self::Payload(name) => filter::capture(filter::Root::Payload, name, indexes),
            Self::Context(name) => filter::capture(filter::Root::Context, name, indexes),
            Self::AppContext(AppContext { provider, name }) => {
                let name = format!("{provider}:{name}");
                filter::capture(filter::Root::AppContext, &name, indexes)
            }
            Self::Element { .. } => return Err(ErrorCode::InvalidCaptureExpression),
        };
        let compiled = compiled.map_err(|_| ErrorCode::InvalidCaptureExpression)?;
        Ok(Bytecode { seqnum, ..compiled })
    }
}
