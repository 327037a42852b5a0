//! Replies: `struct ustcomm_ust_reply`.

use lttngd_model::SYMBOL_NAME_LEN;
use thiserror::Error;

use crate::{
    DecodeError, Reader, Writer,
    ust::{self, Abi},
};

/// Size in bytes of every reply up to ABI 10.
pub const REPLY_LEN: usize = 324;
/// Size in bytes of every reply in ABI 11.
const FRAMED_REPLY_LEN: usize = 352;
/// Unused bytes between a reply's values and its union up to ABI 10.
const PADDING: usize = 32;
/// The same in ABI 11.
const FRAMED_PADDING: usize = 16;
/// Size in bytes of what of the union has a meaning.
const BODY_LEN: usize = 276;

/// Size in bytes of every reply in an ABI.
#[must_use]
pub fn reply_len(abi: Abi) -> usize {
    if abi == Abi::V11 { FRAMED_REPLY_LEN } else { REPLY_LEN }
}

/// Unused bytes at the end of a reply.
fn rest_len(abi: Abi) -> usize {
    reply_len(abi) - 4 * size_of::<u32>() - padding(abi) - BODY_LEN
}

/// Unused bytes between a reply's values and its union.
fn padding(abi: Abi) -> usize {
    if abi == Abi::V11 { FRAMED_PADDING } else { PADDING }
}

/// A reply of an application.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reply {
    /// The request's handle.
    pub handle: u32,
    /// The request's number.
    pub command: u32,
    /// 0, or the negated number of an error.
    pub ret_code: i32,
    /// The new handle for commands that create; the errno on errors.
    pub ret_val: u32,
    body: [u8; BODY_LEN],
}

/// What a reply begins with: all of it, for most commands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ReplyHead {
    /// The request's handle.
    pub handle: u32,
    /// The request's number.
    pub command: u32,
    /// 0, or the negated number of an error.
    pub ret_code: i32,
    /// The new handle for commands that create; the errno on errors.
    pub ret_val: u32,
}

/// Why a command did not succeed.
#[derive(Clone, Copy, Debug, Eq, Error, Hash, PartialEq)]
pub enum UstError {
    /// The reply is for something else: the socket has to be closed.
    #[error(
        "the application answered command {command:#x} of handle {handle} instead of the request"
    )]
    Mismatch {
        /// Handle in the reply.
        handle: u32,
        /// Command in the reply.
        command: u32,
    },
    /// `LTTNG_UST_ERR`: an error without a number of its own.
    #[error("the application answered an error (errno {errno})")]
    Unspecified {
        /// Its errno, positive; 0 when the reply does not say.
        errno: i32,
    },
    /// `LTTNG_UST_ERR_NOENT`: no such entry, or the end of a list.
    #[error("the application has no such entry")]
    NoEntry,
    /// `LTTNG_UST_ERR_EXIST`.
    #[error("the application has it already")]
    Exists,
    /// `LTTNG_UST_ERR_INVAL`.
    #[error("the application refused an argument")]
    Invalid,
    /// `LTTNG_UST_ERR_PERM`.
    #[error("the application does not permit it")]
    Permission,
    /// `LTTNG_UST_ERR_NOSYS`.
    #[error("the application does not know the command")]
    NoSys,
    /// `LTTNG_UST_ERR_EXITING`.
    #[error("the application is exiting")]
    Exiting,
    /// `LTTNG_UST_ERR_INVAL_MAGIC`.
    #[error("the application refused a magic number")]
    InvalidMagic,
    /// `LTTNG_UST_ERR_INVAL_SOCKET_TYPE`.
    #[error("the application refused a socket type")]
    InvalidSocketType,
    /// `LTTNG_UST_ERR_UNSUP_MAJOR`.
    #[error("the application does not support the ABI version")]
    UnsupportedMajor,
    /// `LTTNG_UST_ERR_PEERCRED`.
    #[error("the application could not tell the daemon's credentials")]
    PeerCredentials,
    /// `LTTNG_UST_ERR_PEERCRED_PID`.
    #[error("the application could not tell the daemon's process id")]
    PeerCredentialsPid,
    /// A code that is none of the above.
    #[error("the application answered an unknown code ({0})")]
    Unknown(i32),
}

impl UstError {
    fn from_ret_code(ret_code: i32, ret_val: u32) -> Self {
        match ret_code {
            // On errors the value is a negative errno, reinterpreted.
            -1024 => Self::Unspecified {
                errno: (ret_val as i32).checked_neg().filter(|errno| *errno > 0).unwrap_or(0),
            },
            -1025 => Self::NoEntry,
            -1026 => Self::Exists,
            -1027 => Self::Invalid,
            -1028 => Self::Permission,
            -1029 => Self::NoSys,
            -1030 => Self::Exiting,
            -1031 => Self::InvalidMagic,
            -1032 => Self::InvalidSocketType,
            -1033 => Self::UnsupportedMajor,
            -1034 => Self::PeerCredentials,
            -1035 => Self::PeerCredentialsPid,
            code => Self::Unknown(code),
        }
    }

    /// The code that applications send for it; `None` for [`UstError::Mismatch`].
    #[must_use]
    pub fn ret_code(self) -> Option<i32> {
        Some(match self {
            Self::Mismatch { .. } => return None,
            Self::Unspecified { .. } => -1024,
            Self::NoEntry => -1025,
            Self::Exists => -1026,
            Self::Invalid => -1027,
            Self::Permission => -1028,
            Self::NoSys => -1029,
            Self::Exiting => -1030,
            Self::InvalidMagic => -1031,
            Self::InvalidSocketType => -1032,
            Self::UnsupportedMajor => -1033,
            Self::PeerCredentials => -1034,
            Self::PeerCredentialsPid => -1035,
            Self::Unknown(code) => code,
        })
    }
}

impl Reply {
    /// A reply with nothing in its union.
    #[must_use]
    pub fn new(handle: u32, command: u32, ret_code: i32, ret_val: u32) -> Self {
        Self { handle, command, ret_code, ret_val, body: [0; BODY_LEN] }
    }

    /// The reply to TRACER_VERSION.
    #[must_use]
    pub fn with_tracer_version(mut self, (major, minor, patchlevel): (u32, u32, u32)) -> Self {
        let mut writer = Writer::with_capacity(BODY_LEN);
        writer.u32(major).u32(minor).u32(patchlevel);
        self.set_body(writer);
        self
    }

    /// The reply to TRACEPOINT_LIST_GET.
    #[must_use]
    pub fn with_tracepoint(mut self, name: &str, loglevel: i32) -> Self {
        let mut writer = Writer::with_capacity(BODY_LEN);
        writer.padded_string(name, SYMBOL_NAME_LEN).i32(loglevel);
        self.set_body(writer);
        self
    }

    fn set_body(&mut self, writer: Writer) {
        let mut bytes = writer.into_bytes();
        bytes.resize(BODY_LEN, 0);
        self.body.copy_from_slice(&bytes);
    }

    /// Reads a reply in the form of an ABI.
    ///
    /// # Errors
    /// A size that is not [`reply_len`].
    pub fn decode(bytes: &[u8], abi: Abi) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let ReplyHead { handle, command, ret_code, ret_val } = ReplyHead::read(&mut reader, abi)?;
        let mut body = [0; BODY_LEN];
        body.copy_from_slice(reader.bytes(BODY_LEN, "reply union")?);
        reader.bytes(rest_len(abi), "reply union")?;
        reader.finish("application reply")?;
        Ok(Self { handle, command, ret_code, ret_val, body })
    }

    /// The reply's bytes in the form of an ABI.
    #[must_use]
    pub fn encode(&self, abi: Abi) -> Vec<u8> {
        let mut writer = Writer::with_capacity(reply_len(abi));
        writer.u32(self.handle).u32(self.command).i32(self.ret_code).u32(self.ret_val);
        writer.zeros(padding(abi)).bytes(&self.body).zeros(rest_len(abi));
        writer.into_bytes()
    }

    /// Checks that the reply is the one to a request and a success; its value, the new object's
    /// handle for commands that create.
    ///
    /// # Errors
    /// [`UstError::Mismatch`] for another request's reply, else what the application says. A positive
    /// code is an error too.
    pub fn check(&self, handle: u32, command: u32) -> Result<u32, UstError> {
        self.head().check(handle, command)
    }

    /// What it begins with.
    #[must_use]
    pub fn head(&self) -> ReplyHead {
        let Self { handle, command, ret_code, ret_val, .. } = *self;
        ReplyHead { handle, command, ret_code, ret_val }
    }

    /// Major and minor version and patch level of the application's LTTng-UST, in the reply to
    /// TRACER_VERSION.
    #[must_use]
    pub fn tracer_version(&self) -> (u32, u32, u32) {
        let mut reader = Reader::new(&self.body);
        let mut number = || reader.u32("tracer version").unwrap_or_default();
        (number(), number(), number())
    }

    /// Name and log level of a tracepoint, in the reply to TRACEPOINT_LIST_GET.
    #[must_use]
    pub fn tracepoint(&self) -> (String, i32) {
        let mut reader = Reader::new(&self.body);
        let name = ust::name(&mut reader, SYMBOL_NAME_LEN, "tracepoint name").unwrap_or_default();
        (name, reader.i32("tracepoint loglevel").unwrap_or_default())
    }
}

impl ReplyHead {
    /// Reads what a reply of an ABI begins with.
    ///
    /// # Errors
    /// Too few bytes.
    pub fn decode(bytes: &[u8], abi: Abi) -> Result<Self, DecodeError> {
        Self::read(&mut Reader::new(bytes), abi)
    }

    fn read(reader: &mut Reader<'_>, abi: Abi) -> Result<Self, DecodeError> {
        let head = Self {
            handle: reader.u32("reply handle")?,
            command: reader.u32("reply cmd")?,
            ret_code: reader.i32("ret_code")?,
            ret_val: reader.u32("ret_val")?,
        };
        reader.bytes(padding(abi), "reply padding")?;
        Ok(head)
    }

    /// As [`Reply::check`].
    ///
    /// # Errors
    /// Those of [`Reply::check`].
    pub fn check(&self, handle: u32, command: u32) -> Result<u32, UstError> {
        if (self.handle, self.command) != (handle, command) {
            return Err(UstError::Mismatch { handle: self.handle, command: self.command });
        }
        match self.ret_code {
            0 => Ok(self.ret_val),
            code => Err(UstError::from_ret_code(code, self.ret_val)),
        }
    }
}
