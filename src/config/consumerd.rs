//! The settings of one consumer daemon, and where an installed one stands.

use std::path::{Path, PathBuf};

/// What `lttng-consumerd` is called below `<libdir>/lttng/libexec`.
const BINARY: &str = "lttng-consumerd";

/// The settings of one consumer daemon.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConsumerdConfig {
    /// Its directory below the run directory.
    pub dir: PathBuf,
    /// Where it listens for commands.
    pub cmd_sock: PathBuf,
    /// Where it connects to announce itself and to report errors.
    pub err_sock: PathBuf,
    /// What to execute; `None` when there is no such consumer, so that its applications are refused.
    pub binary: Option<PathBuf>,
    /// Put in front of its `LD_LIBRARY_PATH`; `None` leaves that as it is.
    pub libdir: Option<PathBuf>,
}

impl ConsumerdConfig {
    fn in_dir(dir: PathBuf) -> Self {
        Self {
            cmd_sock: dir.join("command"),
            err_sock: dir.join("error"),
            dir,
            binary: None,
            libdir: None,
        }
    }

    /// The consumer of applications with `bits`-bit longs, as far as one is installed.
    pub(super) fn for_bits(run_dir: &Path, bits: u32) -> Self {
        let mut config = Self::in_dir(run_dir.join(format!("ustconsumerd{bits}")));
        let arch = std::env::consts::ARCH;
        let installed = if bits == usize::BITS {
            Installed::find(arch, &Path::is_file)
        } else {
            Installed::find_other(arch, &Path::is_file)
        };
        if let Some(installed) = installed {
            config.binary = Some(installed.binary);
            config.libdir = installed.libdir;
        }
        config
    }

    /// The kernel's consumer. It is the same program as that of the daemon's own word size, and
    /// needs no library path.
    pub(super) fn for_kernel(run_dir: &Path) -> Self {
        let mut config = Self::in_dir(run_dir.join("kconsumerd"));
        config.binary = Installed::find(std::env::consts::ARCH, &Path::is_file).map(|i| i.binary);
        config
    }
}

/// A consumer that the system's packages or a local build have installed.
#[derive(Debug, Eq, PartialEq)]
struct Installed {
    binary: PathBuf,
    libdir: Option<PathBuf>,
}

impl Installed {
    /// The first of the usual places at which `exists` finds a consumer.
    fn find(arch: &str, exists: &dyn Fn(&Path) -> bool) -> Option<Self> {
        let places = [
            multiarch(arch).map(|tuple| Self::below(Path::new("/usr/lib").join(tuple))),
            Some(Self::below("/usr/lib64".into())),
            Some(Self::below("/usr/lib".into())),
            Some(Self { binary: Path::new("/usr/libexec/lttng").join(BINARY), libdir: None }),
            Some(Self::below("/usr/local/lib".into())),
        ];
        places.into_iter().flatten().find(|place| exists(&place.binary))
    }

    /// The first of the places at which `exists` finds the consumer of the word size that is not that
    /// of `arch`. Only those that no consumer of `arch` itself is installed at.
    fn find_other(arch: &str, exists: &dyn Fn(&Path) -> bool) -> Option<Self> {
        let (other, libdir) = match arch {
            "x86_64" => ("x86", "/usr/lib32"),
            "x86" => ("x86_64", "/usr/lib64"),
            "aarch64" => ("arm", "/usr/lib32"),
            _ => return None,
        };
        let multiarch = multiarch(other).map(|tuple| Path::new("/usr/lib").join(tuple));
        let places = multiarch.into_iter().chain([libdir.into()]).map(Self::below);
        places.into_iter().find(|place| exists(&place.binary))
    }

    fn below(libdir: PathBuf) -> Self {
        Self { binary: libdir.join("lttng/libexec").join(BINARY), libdir: Some(libdir) }
    }
}

/// Debian's name for an architecture of `std::env::consts::ARCH`.
fn multiarch(arch: &str) -> Option<&'static str> {
    Some(match arch {
        "x86_64" => "x86_64-linux-gnu",
        "x86" => "i386-linux-gnu",
        "aarch64" => "aarch64-linux-gnu",
        "arm" => "arm-linux-gnueabihf",
        "powerpc64" => "powerpc64le-linux-gnu",
        "riscv64" => "riscv64-linux-gnu",
        "s390x" => "s390x-linux-gnu",
        "loongarch64" => "loongarch64-linux-gnu",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_existing_place_wins() {
        let debian = "/usr/lib/x86_64-linux-gnu/lttng/libexec/lttng-consumerd";
        let local = "/usr/local/lib/lttng/libexec/lttng-consumerd";
        let libexec = "/usr/libexec/lttng/lttng-consumerd";
        type Place = (&'static str, Option<&'static str>);
        let cases: [(&[&str], Option<Place>); 4] = [
            (&[local, debian], Some((debian, Some("/usr/lib/x86_64-linux-gnu")))),
            (&[local], Some((local, Some("/usr/local/lib")))),
            (&[local, libexec], Some((libexec, None))),
            (&[], None),
        ];
        for (existing, expected) in cases {
            let found = Installed::find("x86_64", &|path| {
                existing.iter().any(|place| Path::new(place) == path)
            });
            let expected = expected.map(|(binary, libdir)| Installed {
                binary: binary.into(),
                libdir: libdir.map(PathBuf::from),
            });
            assert_eq!(found, expected, "{existing:?}");
        }
    }

    #[test]
    fn the_other_word_size_has_places_of_its_own() {
        let find = |arch, existing: &'static str| {
            Installed::find_other(arch, &|path| path == Path::new(existing))
        };
        let (multiarch, lib32) = ("/usr/lib/i386-linux-gnu", "/usr/lib32");
        for libdir in [multiarch, lib32] {
            let binary = format!("{libdir}/lttng/libexec/lttng-consumerd");
            let expected = Installed { binary: binary.clone().into(), libdir: Some(libdir.into()) };
            assert_eq!(find("x86_64", binary.leak()), Some(expected));
        }
        assert_eq!(find("x86_64", "/usr/lib/lttng/libexec/lttng-consumerd"), None);
        assert_eq!(find("s390x", "/usr/lib32/lttng/libexec/lttng-consumerd"), None);
    }

    #[test]
    fn sockets_stand_in_the_consumers_directory() {
        let config = ConsumerdConfig::for_bits(Path::new("/r"), 32);
        assert_eq!(config.dir, Path::new("/r/ustconsumerd32"));
        assert_eq!(config.cmd_sock, Path::new("/r/ustconsumerd32/command"));
        assert_eq!(config.err_sock, Path::new("/r/ustconsumerd32/error"));
    }
}
