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

    /// The consumer of applications with `bits`-bit longs. The installed consumer, if any, is the
    /// one of the daemon's own word size.
    pub(super) fn for_bits(run_dir: &Path, bits: u32) -> Self {
        let mut config = Self::in_dir(run_dir.join(format!("ustconsumerd{bits}")));
        if bits == usize::BITS
            && let Some(installed) = Installed::find(std::env::consts::ARCH, &Path::is_file)
        {
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
        let below_libdir = |libdir: PathBuf| Self {
            binary: libdir.join("lttng/libexec").join(BINARY),
            libdir: Some(libdir),
        };
        let places = [
            multiarch(arch).map(|tuple| below_libdir(Path::new("/usr/lib").join(tuple))),
            Some(below_libdir("/usr/lib64".into())),
            Some(below_libdir("/usr/lib".into())),
            Some(Self { binary: Path::new("/usr/libexec/lttng").join(BINARY), libdir: None }),
            Some(below_libdir("/usr/local/lib".into())),
        ];
        places.into_iter().flatten().find(|place| exists(&place.binary))
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
    fn sockets_stand_in_the_consumers_directory() {
        let config = ConsumerdConfig::for_bits(Path::new("/r"), 32);
        assert_eq!(config.dir, Path::new("/r/ustconsumerd32"));
        assert_eq!(config.cmd_sock, Path::new("/r/ustconsumerd32/command"));
        assert_eq!(config.err_sock, Path::new("/r/ustconsumerd32/error"));
    }
}
