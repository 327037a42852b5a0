#![allow(clippy::unwrap_used)]

mod channel;
mod message;
mod reply;

use super::*;
use crate::ust::layout::{text_at, u32_at, u64_at};
