//! Reading what a peer announced.

/// Bytes that are taken at a time, and for which there is memory before they come.
pub const STEP_LEN: usize = 64 << 10;

/// The next `len` bytes, of which `read` fills each step. Memory grows with what has come: a peer
/// that announces much and sends nothing holds one step of it. Between the steps others go on.
///
/// # Errors
/// That of `read`.
pub async fn read_growing<E>(
    len: usize,
    mut read: impl AsyncFnMut(&mut [u8]) -> Result<(), E>,
) -> Result<Vec<u8>, E> {
    let mut bytes = Vec::new();
    while bytes.len() < len {
        let begin = bytes.len();
        if begin > 0 {
            tokio::task::yield_now().await;
        }
        bytes.resize(begin + STEP_LEN.min(len - begin), 0);
        read(&mut bytes[begin..]).await?;
    }
    Ok(bytes)
}

/// Takes the next `len` bytes and drops them, with the memory of one step.
///
/// # Errors
/// That of `read`.
pub async fn skip<E>(
    len: usize,
    read: impl AsyncFnMut(&mut [u8]) -> Result<(), E>,
) -> Result<(), E> {
    read_by_steps(len, read, async |_| Ok(())).await
}

/// Takes the next `len` bytes, each step of which `read` fills and `take` is given, with the memory of one. Between the
/// steps others go on.
///
/// # Errors
/// Those of `read` and `take`.
pub async fn read_by_steps<E>(
    len: usize,
    mut read: impl AsyncFnMut(&mut [u8]) -> Result<(), E>,
    mut take: impl AsyncFnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let mut scratch = vec![0; STEP_LEN.min(len)];
    let mut left = len;
    while left > 0 {
        let step = scratch.len().min(left);
        read(&mut scratch[..step]).await?;
        take(&scratch[..step]).await?;
        left -= step;
        tokio::task::yield_now().await;
    }
    Ok(())
}
