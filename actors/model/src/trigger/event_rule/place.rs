//! How a place in a program is written down: without its program, which has to be opened again.

use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::Error};

use crate::{FunctionLookup, ProbeLocation, UserspaceProbe};

#[derive(Deserialize, Serialize)]
enum Place {
    Function { function: String, binary: String, by_elf: bool },
    Sdt { probe: String, provider: String, binary: String },
}

impl From<ProbeLocation> for Place {
    fn from(location: ProbeLocation) -> Self {
        match location {
            ProbeLocation::Function { name, binary_path, lookup } => Self::Function {
                function: name,
                binary: binary_path,
                by_elf: lookup == FunctionLookup::Elf,
            },
            ProbeLocation::Tracepoint { provider, name, binary_path } => {
                Self::Sdt { probe: name, provider, binary: binary_path }
            }
        }
    }
}

impl From<Place> for ProbeLocation {
    fn from(place: Place) -> Self {
        match place {
            Place::Function { function, binary, by_elf } => {
                let lookup = if by_elf { FunctionLookup::Elf } else { FunctionLookup::Default };
                Self::Function { name: function, binary_path: binary, lookup }
            }
            Place::Sdt { probe, provider, binary } => {
                Self::Tracepoint { provider, name: probe, binary_path: binary }
            }
        }
    }
}

pub(super) fn serialize<S: Serializer>(
    probe: &UserspaceProbe,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let location = probe.location();
    let location = location.ok_or_else(|| S::Error::custom("the probe is at no place"))?;
    Place::from(location).serialize(serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<UserspaceProbe, D::Error> {
    let location = ProbeLocation::from(Place::deserialize(deserializer)?);
    Ok(UserspaceProbe::from(location.to_bytes()))
}
