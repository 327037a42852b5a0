//! What an ioctl is given.

/// The third argument of an ioctl.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Argument {
    /// Nothing.
    None,
    /// A number in its own place, no pointer.
    Value(i32),
    /// A structure, which the kernel reads, or writes its answer to.
    Structure(Vec<u8>),
}

impl Argument {
    /// The bytes of a structure; none for anything else.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::None | Self::Value(_) => &[],
            Self::Structure(bytes) => bytes,
        }
    }
}
