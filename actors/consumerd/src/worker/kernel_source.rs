//! Streams of the kernel as a source of packets.

use std::{io, os::fd::BorrowedFd};

use lttngd_kernelbuffer::{KernelStream, NotSent};
use lttngd_ringbuffer::{BeginOutcome, FlushMode, FlushOutcome, Losses, Mode, Positions, Wakeup};

use super::stream_source::{NoPacket, SourceLost, SourcePacket, StreamSource};
use crate::clock::PacketClock;

impl StreamSource for KernelStream {
    fn cpu(&self) -> u32 {
        self.cpu()
    }

    /// What its writers do is not told. Numbers that are left out tell of packets that were overwritten.
    fn mode(&self) -> Mode {
        Mode::Overwrite
    }

    fn subbuf_size_bytes(&self) -> u64 {
        self.subbuf_size_bytes()
    }

    fn num_subbuf(&self) -> u64 {
        self.packets_at_most()
    }

    fn wakeup_fd(&self) -> BorrowedFd<'_> {
        self.wakeup_fd()
    }

    fn take_wakeups(&mut self) -> Wakeup {
        self.wakeup()
    }

    fn stays_readable(&self) -> bool {
        true
    }

    fn now(&mut self, _: &PacketClock) -> Result<u64, SourceLost> {
        Ok(self.now()?)
    }

    fn get_next(&mut self) -> Result<(), NoPacket> {
        Ok(self.get_next()?)
    }

    fn read(&mut self) -> Result<(), SourceLost> {
        Ok(self.read()?)
    }

    fn movable_len(&self) -> Option<u64> {
        self.movable_len()
    }

    fn move_to(&mut self, file: BorrowedFd<'_>, offset: u64) -> io::Result<()> {
        Ok(self.move_to(file, offset)?)
    }

    fn send_to(&mut self, socket: BorrowedFd<'_>, len: u64) -> Result<usize, NotSent> {
        self.send_to(socket, len)
    }

    fn read_rest(&mut self) {
        self.read_rest();
    }

    fn packet(&self) -> Option<SourcePacket<'_>> {
        self.packet().map(Into::into)
    }

    fn last_packet(&self) -> Option<SourcePacket<'_>> {
        self.packet().map(Into::into)
    }

    fn put_next(&mut self) -> Result<(), SourceLost> {
        Ok(self.put_next()?)
    }

    fn is_readable(&mut self) -> Result<bool, SourceLost> {
        Ok(self.is_readable()?)
    }

    fn positions(&mut self) -> Result<Positions, SourceLost> {
        Ok(self.positions()?)
    }

    fn packets_left(&mut self) -> Result<u64, SourceLost> {
        Ok(self.packets_left()?)
    }

    fn flush(&mut self, mode: FlushMode, _: &PacketClock) -> Result<FlushOutcome, SourceLost> {
        Ok(self.flush(mode)?)
    }

    /// The session daemon closes packets itself when it stops the tracer, and the tracer does at its end.
    fn flush_quiescent(&mut self, _: &PacketClock) -> Result<FlushOutcome, SourceLost> {
        self.set_quiescent(true);
        Ok(self.flush(FlushMode::Active)?)
    }

    fn set_quiescent(&mut self, _: &PacketClock) -> Result<(), SourceLost> {
        self.set_quiescent(true);
        Ok(())
    }

    fn clear_quiescent(&mut self) {
        self.set_quiescent(false);
    }

    fn is_quiescent(&self) -> bool {
        self.is_quiescent()
    }

    fn begin_packet(&mut self, _: &PacketClock) -> Result<BeginOutcome, SourceLost> {
        Ok(self.begin_packet()?)
    }

    fn clear(&mut self, _: &PacketClock) -> Result<FlushOutcome, SourceLost> {
        Ok(self.clear()?)
    }

    /// The kernel finishes what it writes.
    fn unfinished_until(&mut self) -> Result<Option<u64>, SourceLost> {
        Ok(None)
    }

    fn finish_abandoned(&mut self, _: u64, _: &PacketClock) -> Result<usize, SourceLost> {
        Ok(0)
    }

    fn take_snapshot(&mut self, packets_max: u64, _: &PacketClock) -> Result<bool, SourceLost> {
        self.take_snapshot(packets_max)?;
        Ok(false)
    }

    fn put_snapshot_packet(&mut self) -> Result<(), SourceLost> {
        self.put_snapshot_packet();
        Ok(())
    }

    fn drop_snapshot(&mut self) {
        self.drop_snapshot();
    }

    fn check(&mut self) -> Result<(), SourceLost> {
        Ok(self.usable()?)
    }

    fn is_lost(&self) -> bool {
        self.usable().is_err()
    }

    /// Its metadata describes it from its beginning.
    fn is_untouched(&mut self) -> bool {
        false
    }

    fn losses(&self) -> Losses {
        self.losses()
    }

    fn count_lost_packet(&mut self) {
        self.count_lost_packet();
    }
}
