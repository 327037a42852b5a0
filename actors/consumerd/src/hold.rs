//! Data of monitored channels that stays in its buffers as long as a test wants it: scripts that need full
//! buffers say so by a pipe, as they do to the stock consumer daemon through a library that they load into it.
//! A build without debug assertions, as every release is one, has none of it.

#[cfg(debug_assertions)]
pub(crate) use self::armed::Hold;
#[cfg(not(debug_assertions))]
pub(crate) use self::unarmed::Hold;

#[cfg(debug_assertions)]
mod armed {
    use std::{
        fs::{File, OpenOptions},
        io::{self, Read},
        path::PathBuf,
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
        },
    };

    use rustix::fs::{CWD, Mode, mkfifoat};

    /// Says whether there are test points at all, in the environment.
    const ENABLE: &str = "LTTNG_TESTPOINT_ENABLE";
    /// What the pipe's path begins with, in the environment. The domain follows.
    const PIPE_PATH: &str = "CONSUMER_PAUSE_PIPE_PATH";

    /// Whether data stays where it is.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct Hold(Arc<AtomicBool>);

    /// The pipe, which goes when this does.
    #[derive(Debug)]
    pub(crate) struct HoldPipe(PathBuf);

    impl Hold {
        /// Whether data stays where it is now.
        pub(crate) fn is_on(&self) -> bool {
            self.0.load(Ordering::Relaxed)
        }

        /// Begins to listen at the pipe that the environment names, if it names one.
        ///
        /// # Errors
        /// When the pipe or its thread cannot be made.
        pub(crate) fn listen(&self, is_kernels: bool) -> io::Result<impl Sized> {
            let is_enabled = std::env::var(ENABLE).is_ok_and(|value| value != "0");
            let Some(path) = std::env::var_os(PIPE_PATH).filter(|_| is_enabled) else {
                return Ok(None);
            };
            let domain =
                if is_kernels { "kernel".to_owned() } else { format!("ust{}", usize::BITS) };
            let mut path = path;
            path.push(format!("-{domain}"));
            self.listen_at(path.into()).map(Some)
        }

        fn listen_at(&self, path: PathBuf) -> io::Result<HoldPipe> {
            mkfifoat(CWD, &path, Mode::from_raw_mode(0o660))?;
            let made = HoldPipe(path);
            // With a writer of our own it has no end.
            let pipe = OpenOptions::new().read(true).write(true).open(&made.0)?;
            let hold = self.clone();
            std::thread::Builder::new()
                .name("consumer-hold".into())
                .spawn(move || hold.obey(pipe))?;
            Ok(made)
        }

        /// Does what the newest byte says: 0 has data go on.
        fn obey(&self, mut pipe: File) {
            let mut bytes = [0; 64];
            while let Ok(len @ 1..) = pipe.read(&mut bytes) {
                self.0.store(bytes[len - 1] != 0, Ordering::Relaxed);
            }
        }
    }

    impl Drop for HoldPipe {
        fn drop(&mut self) {
            // Whoever made the directory may have removed it.
            let _ = std::fs::remove_file(&self.0);
        }
    }

    #[cfg(test)]
    impl Hold {
        /// Holds data, or lets it go on.
        pub(crate) fn set(&self, is_on: bool) {
            self.0.store(is_on, Ordering::Relaxed);
        }
    }

    #[cfg(test)]
    mod tests {
        #![allow(clippy::unwrap_used)]

        use std::io::Write;

        use super::*;

        #[test]
        fn a_script_holds_data_and_lets_it_go_by_a_pipe() {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("pipe");
            let hold = Hold::default();
            let pipe = hold.listen_at(path.clone()).unwrap();
            for (byte, is_on) in [(49, true), (0, false), (1, true)] {
                OpenOptions::new().write(true).open(&path).unwrap().write_all(&[byte]).unwrap();
                while hold.is_on() != is_on {
                    std::thread::yield_now();
                }
            }
            drop(pipe);
            assert!(!path.exists());
        }
    }
}

#[cfg(not(debug_assertions))]
mod unarmed {
    /// Nothing stays where it is.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct Hold;

    impl Hold {
        /// Never.
        pub(crate) fn is_on(&self) -> bool {
            false
        }

        /// There is nothing to listen to.
        ///
        /// # Errors
        /// None.
        pub(crate) fn listen(&self, _: bool) -> std::io::Result<impl Sized> {
            Ok(())
        }
    }
}
