//! What stands still as long as a test wants it: scripts that need buffers or pipes to fill say so by a pipe, as
//! they do to LTTng's own daemons through a library that they load into them. A build without debug assertions, as
//! every release is one, has none of it.

#[cfg(debug_assertions)]
pub use self::armed::Pause;
#[cfg(not(debug_assertions))]
pub use self::unarmed::Pause;

#[cfg(debug_assertions)]
mod armed {
    use std::{
        fs::{File, OpenOptions},
        io::{self, Read},
        os::unix::fs::OpenOptionsExt,
        path::PathBuf,
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
        },
        time::Duration,
    };

    use rustix::fs::{CWD, Mode, OFlags, mkfifoat};

    /// Says whether there are test points at all, in the environment.
    const ENABLE: &str = "LTTNG_TESTPOINT_ENABLE";
    /// How long one who stands still waits before it looks again.
    const LOOKS: Duration = Duration::from_millis(20);

    /// Whether somebody stands still. Clones are the same.
    #[derive(Clone, Debug, Default)]
    pub struct Pause(Option<Arc<Piped>>);

    /// The pipe, which goes when nobody asks any more.
    #[derive(Debug)]
    struct Piped {
        path: PathBuf,
        pipe: File,
        is_on: AtomicBool,
    }

    impl Pause {
        /// That of the pipe whose path the environment gives by `variable`, with `suffix` behind it. It never is on
        /// where the environment gives none.
        ///
        /// # Errors
        /// When the pipe cannot be made.
        pub fn from_environment(variable: &str, suffix: &str) -> io::Result<Self> {
            let is_enabled = std::env::var(ENABLE).is_ok_and(|value| value != "0");
            let Some(mut path) = std::env::var_os(variable).filter(|_| is_enabled) else {
                return Ok(Self::default());
            };
            path.push(suffix);
            Self::by_pipe(path.into())
        }

        /// That of a pipe, which is made.
        ///
        /// # Errors
        /// When it cannot be.
        pub fn by_pipe(path: PathBuf) -> io::Result<Self> {
            mkfifoat(CWD, &path, Mode::from_raw_mode(0o660))?;
            let mut options = OpenOptions::new();
            // With a writer of our own it has no end.
            options.read(true).write(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed());
            let pipe = options.open(&path)?;
            Ok(Self(Some(Arc::new(Piped { path, pipe, is_on: AtomicBool::new(false) }))))
        }

        /// Whether somebody stands still, by the newest byte that was written: 0 has all go on. What is written
        /// counts for whatever comes after it.
        #[must_use]
        pub fn is_on(&self) -> bool {
            let Some(piped) = &self.0 else { return false };
            let mut bytes = [0; 64];
            while let Ok(len @ 1..) = (&piped.pipe).read(&mut bytes) {
                piped.is_on.store(bytes[len - 1] != 0, Ordering::Relaxed);
            }
            piped.is_on.load(Ordering::Relaxed)
        }

        /// Waits until nobody is to stand still.
        pub async fn over(&self) {
            while self.is_on() {
                tokio::time::sleep(LOOKS).await;
            }
        }
    }

    impl Drop for Piped {
        fn drop(&mut self) {
            // Whoever made the directory may have removed it.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(not(debug_assertions))]
mod unarmed {
    /// Nobody stands still.
    #[derive(Clone, Debug, Default)]
    pub struct Pause;

    impl Pause {
        /// There is no pipe.
        ///
        /// # Errors
        /// None.
        pub fn from_environment(_: &str, _: &str) -> std::io::Result<Self> {
            Ok(Self)
        }

        /// Never.
        #[must_use]
        pub fn is_on(&self) -> bool {
            false
        }

        /// At once.
        pub async fn over(&self) {}
    }
}
