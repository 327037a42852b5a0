//! The functions that a clock plugin calls (`include/lttng/ust-clock.h` of LTTng-UST 2.13), which
//! this program exports, see `build.rs`. A plugin's references are resolved to them even when it is
//! linked with LTTng-UST, which has functions of the same names: the program comes first.

use std::ffi::{c_char, c_int};
use std::sync::{Mutex, MutexGuard, PoisonError};

use lttngd_clock::boot_id;
use nix::libc::{EBUSY, EINVAL, ENOENT};
use rustix::time::{ClockId, clock_gettime};

pub type Read64 = unsafe extern "C" fn() -> u64;
pub type Freq = unsafe extern "C" fn() -> u64;
pub type Uuid = unsafe extern "C" fn(*mut c_char) -> c_int;
pub type Text = unsafe extern "C" fn() -> *const c_char;

/// Bytes of a UUID as text with its final zero byte.
const UUID_STR_LEN: usize = 37;
const NS_PER_S: u64 = 1_000_000_000;

/// The functions of a clock that overrides the default one.
#[derive(Clone, Copy, Debug)]
pub struct Functions {
    pub read64: Read64,
    pub freq: Freq,
    pub uuid: Uuid,
    pub name: Text,
    pub description: Text,
}

/// What a plugin has set.
struct Override {
    read64: Option<Read64>,
    freq: Option<Freq>,
    uuid: Option<Uuid>,
    name: Option<Text>,
    description: Option<Text>,
    /// From then on it does not change.
    enabled: bool,
}

static OVERRIDE: Mutex<Override> = Mutex::new(Override {
    read64: None,
    freq: None,
    uuid: None,
    name: None,
    description: None,
    enabled: false,
});

fn current() -> MutexGuard<'static, Override> {
    OVERRIDE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Override {
    /// The functions, if all that a clock needs are there.
    fn functions(&self) -> Option<Functions> {
        Some(Functions {
            read64: self.read64?,
            freq: self.freq?,
            uuid: self.uuid.unwrap_or(monotonic_uuid),
            name: self.name?,
            description: self.description?,
        })
    }
}

/// The clock that the plugin has enabled.
pub fn clock() -> Option<Functions> {
    let current = current();
    if current.enabled { current.functions() } else { None }
}

macro_rules! callbacks {
    ($($set:ident, $get:ident: $field:ident, $function:ty, $default:ident;)*) => {$(
        /// Sets a function of the clock. `-EBUSY` once the clock is enabled.
        #[unsafe(no_mangle)]
        extern "C" fn $set(function: Option<$function>) -> c_int {
            let mut current = current();
            if current.enabled {
                return -EBUSY;
            }
            current.$field = function;
            0
        }

        /// Writes the function that is in use.
        ///
        /// # Safety
        ///
        /// The pointer leads to a function pointer that can be written.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $get(function: *mut $function) -> c_int {
            let used = clock().map_or($default as $function, |clock| clock.$field);
            // SAFETY: the caller's promise.
            unsafe { function.write(used) };
            0
        }
    )*};
}

callbacks! {
    lttng_ust_trace_clock_set_read64_cb, lttng_ust_trace_clock_get_read64_cb:
        read64, Read64, monotonic_read64;
    lttng_ust_trace_clock_set_freq_cb, lttng_ust_trace_clock_get_freq_cb:
        freq, Freq, monotonic_freq;
    lttng_ust_trace_clock_set_uuid_cb, lttng_ust_trace_clock_get_uuid_cb:
        uuid, Uuid, monotonic_uuid;
    lttng_ust_trace_clock_set_name_cb, lttng_ust_trace_clock_get_name_cb:
        name, Text, monotonic_name;
    lttng_ust_trace_clock_set_description_cb, lttng_ust_trace_clock_get_description_cb:
        description, Text, monotonic_description;
}

/// Makes the functions that were set the trace clock. `-EBUSY` when that was done before, `-EINVAL`
/// when one other than that of the UUID is missing.
#[unsafe(no_mangle)]
extern "C" fn lttng_ust_enable_trace_clock_override() -> c_int {
    let mut current = current();
    if current.enabled {
        return -EBUSY;
    }
    if current.functions().is_none() {
        return -EINVAL;
    }
    current.enabled = true;
    0
}

extern "C" fn monotonic_read64() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec.cast_unsigned() * NS_PER_S + now.tv_nsec.cast_unsigned()
}

extern "C" fn monotonic_freq() -> u64 {
    NS_PER_S
}

/// # Safety
///
/// There is room for [`UUID_STR_LEN`] bytes.
unsafe extern "C" fn monotonic_uuid(room: *mut c_char) -> c_int {
    let Some(text) = boot_id() else { return -ENOENT };
    if text.len() != UUID_STR_LEN - 1 {
        return -EINVAL;
    }
    // SAFETY: the caller's promise; the text has one byte less than there is room for.
    unsafe {
        room.copy_from_nonoverlapping(text.as_ptr().cast(), text.len());
        room.add(text.len()).write(0);
    }
    0
}

extern "C" fn monotonic_name() -> *const c_char {
    c"monotonic".as_ptr()
}

extern "C" fn monotonic_description() -> *const c_char {
    c"Monotonic Clock".as_ptr()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::ffi::CStr;

    use super::*;

    extern "C" fn read64() -> u64 {
        7
    }

    extern "C" fn freq() -> u64 {
        1000
    }

    extern "C" fn name() -> *const c_char {
        c"coarse".as_ptr()
    }

    fn name_in_use() -> &'static CStr {
        let mut function: Text = monotonic_description;
        // SAFETY: it is a function pointer, and names are constants.
        unsafe {
            assert_eq!(lttng_ust_trace_clock_get_name_cb(&raw mut function), 0);
            CStr::from_ptr(function())
        }
    }

    /// The clock belongs to the process: one test goes through its life.
    #[test]
    fn a_clock_is_used_when_it_is_whole_and_does_not_change_then() {
        assert_eq!(lttng_ust_trace_clock_set_read64_cb(Some(read64)), 0);
        assert_eq!(lttng_ust_trace_clock_set_freq_cb(Some(freq)), 0);
        assert_eq!(lttng_ust_trace_clock_set_name_cb(Some(name)), 0);
        assert_eq!(lttng_ust_enable_trace_clock_override(), -EINVAL);
        assert_eq!(lttng_ust_trace_clock_set_description_cb(Some(name)), 0);
        assert!(clock().is_none());
        assert_eq!(name_in_use(), c"monotonic");

        assert_eq!(lttng_ust_enable_trace_clock_override(), 0);
        assert_eq!(name_in_use(), c"coarse");
        assert_eq!(lttng_ust_enable_trace_clock_override(), -EBUSY);
        assert_eq!(lttng_ust_trace_clock_set_read64_cb(None), -EBUSY);

        let clock = clock().unwrap();
        let mut room: [c_char; UUID_STR_LEN] = [1; UUID_STR_LEN];
        // SAFETY: the functions are those above, and there is room for a UUID.
        unsafe {
            assert_eq!(((clock.read64)(), (clock.freq)()), (7, 1000));
            // It set none.
            assert_eq!((clock.uuid)(room.as_mut_ptr()), 0);
            let uuid = CStr::from_ptr(room.as_ptr()).to_str().unwrap();
            assert_eq!(Some(uuid), boot_id().as_deref());
        }
    }
}
