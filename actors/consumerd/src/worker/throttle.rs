//! Wake-ups that mean nothing. Writers wake their reader when there is a packet; an application that does
//! so without end would have a data thread, which comes before all others, do nothing else.

use std::time::Duration;

/// Wake-ups without a packet after which a pipe is not listened to for a while.
const WAKEUPS_MAX: u32 = 64;
/// How long it is not. Packets come as late at most.
pub(super) const MUTE_TIME: Duration = Duration::from_millis(20);

/// How often a pipe woke its reader in vain.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct WakeupThrottle {
    count: u32,
    is_muted: bool,
}

impl WakeupThrottle {
    /// It woke. Whether it is not to be listened to for now.
    pub(super) fn note_wakeup(&mut self) -> bool {
        self.count = self.count.saturating_add(1);
        self.is_muted = self.count > WAKEUPS_MAX;
        self.is_muted
    }

    /// There was a packet.
    pub(super) fn note_packet(&mut self) {
        self.count = 0;
    }

    /// Ends the time without listening. Whether it was one. The next wake-up in vain begins another: one that
    /// rings without end is read by the time alone.
    pub(super) fn unmute(&mut self) -> bool {
        std::mem::take(&mut self.is_muted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn woken(times: u32) -> WakeupThrottle {
        let mut throttle = WakeupThrottle::default();
        for _ in 0..times {
            throttle.note_wakeup();
        }
        throttle
    }

    #[test]
    fn some_wakeups_in_vain_are_borne() {
        assert!(!woken(WAKEUPS_MAX - 1).note_wakeup());
    }

    #[test]
    fn a_pipe_that_wakes_in_vain_without_end_is_muted() {
        assert!(woken(WAKEUPS_MAX).note_wakeup());
    }

    #[test]
    fn a_packet_makes_up_for_all_wakeups_before_it() {
        let mut throttle = woken(WAKEUPS_MAX);
        throttle.note_packet();
        for _ in 0..WAKEUPS_MAX {
            assert!(!throttle.note_wakeup());
        }
        assert!(throttle.note_wakeup());
    }

    #[test]
    fn a_pipe_is_listened_to_again_once() {
        let mut throttle = woken(WAKEUPS_MAX + 1);
        assert!(throttle.unmute());
        assert!(!throttle.unmute(), "it is listened to already");
        assert!(throttle.note_wakeup(), "it has not made up for those in vain");
        assert!(throttle.unmute());
        throttle.note_packet();
        assert!(!throttle.note_wakeup(), "now it has");
    }

    #[test]
    fn a_pipe_that_is_listened_to_needs_no_unmuting() {
        assert!(!woken(3).unmute());
    }

    #[test]
    fn wakeups_are_counted_as_long_as_the_machine_runs() {
        let mut throttle = WakeupThrottle { count: u32::MAX, is_muted: true };
        assert!(throttle.note_wakeup());
    }
}
