//! Where in a program a probe is placed, as the tracer is told.

use std::{io, os::fd::AsFd, sync::Arc};

use lttngd_elf::Sought;
use lttngd_model::{Binary, ErrorCode, ProbeLocation, UserspaceProbe};
use lttngd_runas::Runas;

/// A probe can be placed nowhere.
#[derive(Debug)]
pub(crate) struct Nowhere {
    /// What clients are told of a rule that records.
    pub(crate) code: ErrorCode,
    /// Why, for people.
    pub(crate) reason: String,
}

/// The program of a probe, and where in it that stands.
pub(crate) fn program(probe: Option<&UserspaceProbe>) -> Result<(&Binary, ProbeLocation), Nowhere> {
    let told = probe.and_then(|probe| probe.binary.as_ref().zip(probe.location()));
    told.ok_or_else(|| Nowhere {
        code: ErrorCode::ProbeLocationInval,
        reason: "the program of the probe is not open, or the place in it is not told: what was written down has the path of the program alone, which is to be opened again"
            .to_owned(),
    })
}

/// The places of a probe in the file of a program, which `runas` has read. Waits for that.
pub(crate) fn places(
    runas: &Runas,
    binary: &Binary,
    location: &ProbeLocation,
) -> Result<Vec<u64>, Nowhere> {
    // What clients are told is the same by the stock daemon, whatever is wrong.
    let nowhere = |error: io::Error| Nowhere {
        code: ErrorCode::ProbeLocationInval,
        reason: format!("{}: {error}", location.binary_path()),
    };
    let sought = match location.clone() {
        ProbeLocation::Function { name, .. } => Sought::Function(name),
        ProbeLocation::Tracepoint { provider, name, .. } => Sought::Tracepoint { provider, name },
    };
    let file = binary.as_fd().try_clone_to_owned().map_err(nowhere)?;
    runas.find_places(Arc::new(file), sought).wait().map_err(nowhere)
}
