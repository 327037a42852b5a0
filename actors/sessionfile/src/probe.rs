//! Where kernel and user space probes stand.

use lttngd_model::{FunctionLookup, ProbeAttributes, ProbeLocation};
use serde::Deserialize;

/// The attributes of an event: one of the four.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct SavedEventAttributes {
    /// A kernel probe.
    #[serde(default)]
    pub probe_attributes: Option<SavedProbe>,
    /// A kernel function.
    #[serde(default)]
    pub function_attributes: Option<SavedFunction>,
    /// A probe at a function in user space.
    #[serde(default)]
    pub userspace_probe_function_attributes: Option<SavedFunctionProbe>,
    /// A probe at a tracepoint in user space.
    #[serde(default)]
    pub userspace_probe_tracepoint_attributes: Option<SavedTracepointProbe>,
}

/// A kernel probe: at an address, or at an offset from a symbol.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct SavedProbe {
    /// Address, 0 where a symbol is meant.
    #[serde(default)]
    pub address: u64,
    /// Symbol.
    #[serde(default)]
    pub symbol_name: String,
    /// Offset from the symbol in bytes.
    #[serde(default)]
    pub offset: u64,
}

/// A kernel function.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct SavedFunction {
    /// Its symbol.
    pub symbol_name: String,
}

/// How the place of a user space probe is found.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
pub enum SavedLookupMethod {
    /// In whatever way there is for functions.
    #[serde(rename = "DEFAULT")]
    Default,
    /// By a symbol of the ELF file.
    #[serde(rename = "ELF")]
    Elf,
    /// By an SDT note of the ELF file.
    #[serde(rename = "SDT")]
    Sdt,
}

impl SavedLookupMethod {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Default => "DEFAULT",
            Self::Elf => "ELF",
            Self::Sdt => "SDT",
        }
    }
}

/// A probe at a function in user space.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct SavedFunctionProbe {
    /// How it is found.
    pub lookup_method: SavedLookupMethod,
    /// Path of the program or library.
    pub binary_path: String,
    /// Name of the function.
    pub function_name: String,
}

/// A probe at a tracepoint in user space.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct SavedTracepointProbe {
    /// How it is found.
    pub lookup_method: SavedLookupMethod,
    /// Path of the program or library.
    pub binary_path: String,
    /// Name of the provider.
    pub provider_name: String,
    /// Name of the probe.
    pub probe_name: String,
}

impl SavedEventAttributes {
    /// How many of the four there are.
    pub(super) fn count(&self) -> usize {
        let Self {
            probe_attributes,
            function_attributes,
            userspace_probe_function_attributes,
            userspace_probe_tracepoint_attributes,
        } = self;
        [
            probe_attributes.is_some(),
            function_attributes.is_some(),
            userspace_probe_function_attributes.is_some(),
            userspace_probe_tracepoint_attributes.is_some(),
        ]
        .iter()
        .filter(|is| **is)
        .count()
    }

    /// The attributes of a kernel probe or function, `None` for user space probes.
    #[must_use]
    pub fn probe(&self) -> Option<ProbeAttributes> {
        if let Some(probe) = &self.probe_attributes {
            return Some(ProbeAttributes {
                address: probe.address,
                offset: probe.offset,
                symbol: probe.symbol_name.clone(),
            });
        }
        let function = self.function_attributes.as_ref()?;
        Some(ProbeAttributes { symbol: function.symbol_name.clone(), ..Default::default() })
    }

    /// The place of a user space probe, `None` for others, or when what is looked up is not looked up so.
    #[must_use]
    pub fn location(&self) -> Option<ProbeLocation> {
        if let Some(probe) = self.userspace_probe_function_attributes.clone() {
            let SavedFunctionProbe { lookup_method, binary_path, function_name: name } = probe;
            let lookup = match lookup_method {
                SavedLookupMethod::Default => FunctionLookup::Default,
                SavedLookupMethod::Elf => FunctionLookup::Elf,
                SavedLookupMethod::Sdt => return None,
            };
            return Some(ProbeLocation::Function { name, binary_path, lookup });
        }
        let probe = self.userspace_probe_tracepoint_attributes.clone()?;
        let SavedTracepointProbe { lookup_method, binary_path, provider_name, probe_name } = probe;
        let (provider, name) = (provider_name, probe_name);
        (lookup_method == SavedLookupMethod::Sdt).then_some(ProbeLocation::Tracepoint {
            provider,
            name,
            binary_path,
        })
    }
}

impl From<ProbeLocation> for SavedEventAttributes {
    fn from(location: ProbeLocation) -> Self {
        match location {
            ProbeLocation::Function { name, binary_path, lookup } => {
                let lookup_method = match lookup {
                    FunctionLookup::Default => SavedLookupMethod::Default,
                    FunctionLookup::Elf => SavedLookupMethod::Elf,
                };
                let function =
                    SavedFunctionProbe { lookup_method, binary_path, function_name: name };
                Self { userspace_probe_function_attributes: Some(function), ..Self::default() }
            }
            ProbeLocation::Tracepoint { provider, name, binary_path } => {
                let tracepoint = SavedTracepointProbe {
                    lookup_method: SavedLookupMethod::Sdt,
                    binary_path,
                    provider_name: provider,
                    probe_name: name,
                };
                Self { userspace_probe_tracepoint_attributes: Some(tracepoint), ..Self::default() }
            }
        }
    }
}
