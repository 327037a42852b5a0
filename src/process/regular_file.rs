//! Reading a file that somebody else has named.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// Reads a regular file of at most `len_max` bytes: nobody is waited for, as by a fifo or a terminal, and
/// nothing is read without end, as of `/dev/zero`.
///
/// # Errors
/// When it cannot be opened or read, is no regular file, or is larger.
pub fn read_regular_file(path: &Path, len_max: u64) -> io::Result<Vec<u8>> {
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    let file: File = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    read_to_limit(file, len_max)
}

/// Reads a file of at most `len_max` bytes to its end, whatever it is.
///
/// # Errors
/// When it cannot be read, or is larger.
pub fn read_to_limit(file: File, len_max: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    // One byte more shows that there is more.
    file.take(len_max.saturating_add(1)).read_to_end(&mut content)?;
    if content.len() as u64 > len_max {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn only_a_file_with_an_end_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        std::fs::write(&path, "text").unwrap();
        assert_eq!(read_regular_file(&path, 4).unwrap(), b"text");
        let error = read_regular_file(&path, 3).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);

        let fifo = directory.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
        for other in [&fifo, Path::new("/dev/zero"), directory.path()] {
            assert!(read_regular_file(other, 4).is_err(), "{}", other.display());
        }
    }
}
