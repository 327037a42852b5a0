//! Going from one sub-buffer to the next.

use std::sync::atomic::Ordering::SeqCst;

use super::{PACKET_HEADER_LEN, Tracer};

const IS_FREE: u64 = 1 << 32;
const GENERATION_SHIFT: u32 = 33;
const PAGE_SIZE: u64 = 4096;

impl Tracer {
    /// The sub-buffer that is at `index` now.
    pub(super) fn physical(&self, index: u64) -> u64 {
        self.shared.id(index).load(SeqCst) & 0xffff_ffff
    }

    /// Pushes the reader out of what is written over, step by step.
    pub(super) fn push_reader(&self, position: u64) {
        let (channel, consumed) = (&self.channel, self.shared.consumed());
        loop {
            let old = consumed.load(SeqCst);
            let ahead = channel.trunc(position).wrapping_sub(channel.trunc(old));
            if (ahead as i64) < channel.buf_size() as i64 {
                return;
            }
            let _ = consumed.compare_exchange(old, channel.align(old), SeqCst, SeqCst);
        }
    }

    /// Keeps the reader out of a sub-buffer.
    pub(super) fn enter(&self, index: u64) {
        if !self.channel.overwrite {
            return;
        }
        let word = self.shared.id(index);
        loop {
            let id = word.load(SeqCst);
            if id & IS_FREE == 0 || word.compare_exchange(id, id & !IS_FREE, SeqCst, SeqCst).is_ok()
            {
                return;
            }
        }
    }

    /// The packet that ends at `position`, within its sub-buffer, gets no more events.
    pub(super) fn close_packet(&self, position: u64, now: u64, discarded: u64) {
        let last = position - 1;
        let index = self.channel.index(last);
        let data_size = self.channel.in_subbuf(last) + 1;
        let padding = self.channel.subbuf_size - data_size;
        self.shared.end_time(index).store(now, SeqCst);
        self.shared.data_size(self.physical(index)).store(data_size, SeqCst);
        let count = self.count_committed(index, padding);
        self.deliver(last, count, discarded);
        self.note_sequence(position + padding, index, count);
    }

    /// A packet begins at `position`.
    pub(super) fn open_packet(&self, position: u64, now: u64) {
        let (channel, shared) = (&self.channel, &self.shared);
        let index = channel.index(position);
        let data = shared.data(self.physical(index));
        let number = (shared.sequence(index).load(SeqCst) << channel.num_order) + index;
        let mut header = Vec::with_capacity(PACKET_HEADER_LEN as usize);
        header.extend(0xc1fc_1fc1_u32.to_ne_bytes());
        header.extend(channel.uuid);
        header.extend(channel.id.to_ne_bytes());
        header.extend(u64::from(shared.cpu()).to_ne_bytes());
        for word in [now, 0, u64::MAX, u64::MAX, number, 0] {
            header.extend(word.to_ne_bytes());
        }
        header.extend(shared.cpu().to_ne_bytes());
        shared.write(data, &header);
        let count = self.count_committed(index, PACKET_HEADER_LEN);
        self.deliver(position, count, 0);
        self.note_sequence(position + PACKET_HEADER_LEN, index, count);
    }

    /// An event fills its packet up to `end`.
    pub(super) fn fill_packet(&self, end: u64, now: u64) {
        let index = self.channel.index(end - 1);
        self.shared.end_time(index).store(now, SeqCst);
        let data_size = self.shared.data_size(self.physical(index));
        data_size.store(self.channel.subbuf_size, SeqCst);
    }

    pub(super) fn count_committed(&self, index: u64, size: u64) -> u64 {
        self.shared.committed(index).fetch_add(size, SeqCst) + size
    }

    /// The last one to write in a packet completes it and wakes the reader.
    pub(super) fn deliver(&self, position: u64, count: u64, discarded: u64) {
        let (channel, shared) = (&self.channel, &self.shared);
        let before = count.wrapping_sub(channel.subbuf_size);
        if channel.commit_base(position) != before & channel.commit_mask() {
            return;
        }
        let index = channel.index(position);
        let delivered = shared.delivered(index);
        if delivered.compare_exchange(before, before + 1, SeqCst, SeqCst).is_err() {
            return;
        }
        let physical = self.physical(index);
        let data_size = shared.data_size(physical).load(SeqCst);
        let packet_size = data_size.next_multiple_of(PAGE_SIZE);
        let words = [shared.end_time(index).load(SeqCst), data_size * 8, packet_size * 8];
        let data = shared.data(physical);
        shared.write(data + 40, words.map(u64::to_ne_bytes).as_flattened());
        shared.write(data + 72, &discarded.to_ne_bytes());
        shared.sequence(index).fetch_add(1, SeqCst);
        if channel.overwrite {
            let generation = position >> channel.buf_order();
            shared.id(index).store(physical | IS_FREE | generation << GENERATION_SHIFT, SeqCst);
        }
        delivered.store(count, SeqCst);
        shared.committed_sequence(index).store(count, SeqCst);
        self.wake();
    }

    /// What is committed without a gap, for those who look at the remains of a process: by the sum alone, to which an
    /// event that is not committed is nothing if one behind it is as long.
    pub(super) fn note_sequence(&self, position: u64, index: u64, count: u64) {
        if self.channel.in_subbuf(position.wrapping_sub(count)) != 0 {
            return;
        }
        let word = self.shared.committed_sequence(index);
        let _ = word.fetch_update(SeqCst, SeqCst, |old| {
            ((old.wrapping_sub(count) as i64) < 0).then_some(count)
        });
    }

    fn wake(&self) {
        let (channel, shared) = (&self.channel, &self.shared);
        if !channel.wakes || shared.active_readers().load(SeqCst) == 0 {
            return;
        }
        let consumed = shared.consumed().load(SeqCst);
        let delivered = shared.delivered(channel.index(consumed)).load(SeqCst);
        let before = delivered.wrapping_sub(channel.subbuf_size);
        if before & channel.commit_mask() == channel.commit_base(consumed) {
            // A full pipe has woken the reader already.
            let _ = rustix::io::write(&self.wakeup, &[0]);
        }
    }
}
