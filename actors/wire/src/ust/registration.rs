//! The first message on each of an application's connections.

#[cfg(test)]
mod tests;

use thiserror::Error;

use crate::{DecodeError, Reader, Writer};

/// Size in bytes of a registration (`struct ustctl_reg_msg`).
pub const REGISTRATION_LEN: usize = 136;
/// Marks a registration (`LTTNG_UST_ABI_COMM_MAGIC`).
const MAGIC: u32 = 0xC57C_57C5;
/// Size in bytes of the process name (`LTTNG_UST_ABI_PROCNAME_LEN`).
const PROCNAME_SIZE: usize = 16;
/// Unused bytes at the end (`LTTNG_UST_REG_MSG_PADDING`).
const PADDING: usize = 64;

/// Which of an application's two connections (`enum lttng_ust_ctl_socket_type`).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[repr(u32)]
pub enum SocketKind {
    /// The daemon asks.
    Command = 0,
    /// The application asks.
    Notify = 1,
}

/// Alignments of an application's integers, in bits.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Alignments {
    /// Of `uint8_t`.
    pub uint8_bits: u32,
    /// Of `uint16_t`.
    pub uint16_bits: u32,
    /// Of `uint32_t`.
    pub uint32_bits: u32,
    /// Of `uint64_t`.
    pub uint64_bits: u32,
    /// Of `long`.
    pub long_bits: u32,
}

impl Alignments {
    /// Of an application that packs what it records, as LTTng-UST does on x86.
    pub const PACKED: Self =
        Self { uint8_bits: 8, uint16_bits: 8, uint32_bits: 8, uint64_bits: 8, long_bits: 8 };

    /// Whether LTTng-UST lays out buffers so on this machine: packed where it has unaligned access at no
    /// cost, elsewhere by each type's alignment. Readers know all buffers of a trace by these.
    #[must_use]
    pub fn are_of_this_machine(&self) -> bool {
        const PACKED: bool = cfg!(any(
            target_arch = "x86",
            target_arch = "x86_64",
            target_arch = "powerpc",
            target_arch = "powerpc64"
        ));
        let sizes = [
            (self.uint8_bits, 8),
            (self.uint16_bits, 16),
            (self.uint32_bits, 32),
            (self.uint64_bits, 64),
            (self.long_bits, 64),
        ];
        sizes.into_iter().all(|(bits, size)| {
            bits == 8 || !PACKED && bits.is_power_of_two() && (8..=size).contains(&bits)
        })
    }
}

/// How an application introduces itself. The ids are its own claims; the socket knows better.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Registration {
    /// ABI major version, see [`Abi`](super::Abi).
    pub major: u32,
    /// ABI minor version.
    pub minor: u32,
    /// Process id.
    pub pid: u32,
    /// Parent's process id.
    pub ppid: u32,
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Bits of a `long`, see [`lttngd_model::Bitness::from_bits_per_long`].
    pub bits_per_long: u32,
    /// Alignments of its integers.
    pub alignments: Alignments,
    /// Which connection this is.
    pub socket: SocketKind,
    /// Process name.
    pub name: String,
}

/// Why bytes are not a registration. The connection cannot be used.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum RegistrationError {
    /// The magic number is wrong.
    #[error("the registration's magic number is {0:#010x}, not that of LTTng-UST")]
    BadMagic(u32),
    /// The application's byte order is not this machine's.
    #[error("the application has the other byte order; it cannot be traced")]
    OtherByteOrder,
    /// A member is missing or has no meaning.
    #[error(transparent)]
    Malformed(#[from] DecodeError),
}

impl Registration {
    /// Reads a registration.
    ///
    /// # Errors
    /// [`RegistrationError`] for a wrong size, magic number or socket type.
    pub fn decode(bytes: &[u8]) -> Result<Self, RegistrationError> {
        let mut reader = Reader::new(bytes);
        let magic = reader.u32("magic")?;
        if magic == MAGIC.swap_bytes() {
            return Err(RegistrationError::OtherByteOrder);
        }
        if magic != MAGIC {
            return Err(RegistrationError::BadMagic(magic));
        }
        let major = reader.u32("major")?;
        let minor = reader.u32("minor")?;
        let pid = reader.u32("pid")?;
        let ppid = reader.u32("ppid")?;
        let uid = reader.u32("uid")?;
        let gid = reader.u32("gid")?;
        let bits_per_long = reader.u32("bits_per_long")?;
        let alignments = Alignments {
            uint8_bits: reader.u32("uint8_t alignment")?,
            uint16_bits: reader.u32("uint16_t alignment")?,
            uint32_bits: reader.u32("uint32_t alignment")?,
            uint64_bits: reader.u32("uint64_t alignment")?,
            long_bits: reader.u32("long alignment")?,
        };
        let socket = match reader.u32("socket type")? {
            0 => SocketKind::Command,
            1 => SocketKind::Notify,
            value => {
                return Err(DecodeError::BadValue { what: "socket type", value: value.into() })?;
            }
        };
        let name = super::name(&mut reader, PROCNAME_SIZE, "process name")?;
        reader.bytes(PADDING, "registration padding")?;
        reader.finish("registration")?;
        Ok(Self { major, minor, pid, ppid, uid, gid, bits_per_long, alignments, socket, name })
    }

    /// The registration's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(REGISTRATION_LEN);
        writer.u32(MAGIC).u32(self.major).u32(self.minor);
        writer.u32(self.pid).u32(self.ppid).u32(self.uid).u32(self.gid).u32(self.bits_per_long);
        let Alignments { uint8_bits, uint16_bits, uint32_bits, uint64_bits, long_bits } =
            self.alignments;
        writer.u32(uint8_bits).u32(uint16_bits).u32(uint32_bits).u32(uint64_bits).u32(long_bits);
        writer.u32(self.socket as u32).padded_string(&self.name, PROCNAME_SIZE).zeros(PADDING);
        writer.into_bytes()
    }
}
