//! What tungstenite does not bound: in how many pieces a message may come, and for how long it may be unfinished.
//!
//! Frame headers are read as they pass, on their way to tungstenite, which judges all the rest. Promise: a message in too
//! many pieces is an error before it is whole, and whoever asks learns since when one is under way.

use super::io::Io;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// Most pieces of one message: clients send one, and stacks that stream send pieces of a kilobyte or more.
pub(super) const PIECES_MAX: u32 = 64;
/// The longest frame header: two bytes, eight of length, four of mask.
const HEADER_BYTES_MAX: usize = 14;

/// A message came in too many pieces.
#[derive(Debug, thiserror::Error)]
#[error("a message in more pieces than are taken")]
pub(super) struct TooManyPieces;

/// Follows the frames of one direction.
#[derive(Debug)]
pub(super) struct Frames {
    header: [u8; HEADER_BYTES_MAX],
    have: u8,
    /// Bytes of payload that are still to come.
    payload: u64,
    pieces: u32,
    pieces_max: u32,
    /// Since when a message or frame is under way.
    since: Option<Instant>,
}

impl Frames {
    pub(super) fn new(pieces_max: u32) -> Self {
        Self { header: [0; HEADER_BYTES_MAX], have: 0, payload: 0, pieces: 0, pieces_max, since: None }
    }

    /// Follows the next bytes.
    pub(super) fn see(&mut self, mut bytes: &[u8]) -> Result<(), TooManyPieces> {
        while let Some(first) = bytes.first() {
            if self.payload > 0 {
                let passed = usize::try_from(self.payload).unwrap_or(usize::MAX).min(bytes.len());
                self.payload -= passed as u64;
                bytes = &bytes[passed..];
                continue;
            }
            self.header[usize::from(self.have)] = *first;
            self.have += 1;
            bytes = &bytes[1..];
            if let Some(length) = self.length() {
                self.have = 0;
                self.payload = length;
                self.count()?;
            }
        }
        let under_way = self.have > 0 || self.payload > 0 || self.pieces > 0;
        match self.since {
            None if under_way => self.since = Some(Instant::now()),
            Some(_) if !under_way => self.since = None,
            _ => {}
        }
        Ok(())
    }

    /// The payload's length, once the header is whole.
    fn length(&self) -> Option<u64> {
        let have = usize::from(self.have);
        let second = *self.header[..have].get(1)?;
        let extended = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let mask = if second & 0x80 == 0 { 0 } else { 4 };
        if have < 2 + extended + mask {
            return None;
        }
        let long = self.header[2..2 + extended].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        Some(if extended == 0 { u64::from(second & 0x7f) } else { long })
    }

    /// Control frames are no pieces of anything.
    fn count(&mut self) -> Result<(), TooManyPieces> {
        let (last, opcode) = (self.header[0] & 0x80 != 0, self.header[0] & 0x0f);
        if opcode >= 8 {
            return Ok(());
        }
        self.pieces = if last { 0 } else { self.pieces.saturating_add(1) };
        if self.pieces >= self.pieces_max { Err(TooManyPieces) } else { Ok(()) }
    }
}

/// A stream whose incoming frames are followed.
pub(super) struct Followed {
    io: Io,
    frames: Frames,
    failed: bool,
}

impl Followed {
    /// `early` has been read already and is given to tungstenite by somebody else.
    pub(super) fn new(io: Io, early: &[u8], pieces_max: u32) -> Self {
        let mut frames = Frames::new(pieces_max);
        let failed = frames.see(early).is_err();
        Self { io, frames, failed }
    }

    /// Since when a message is under way that is not whole.
    pub(super) fn unfinished_since(&self) -> Option<Instant> {
        self.frames.since
    }

    /// The stream itself, for the end: nobody follows it any more.
    pub(super) fn io(&mut self) -> &mut Io {
        &mut self.io
    }
}

impl AsyncRead for Followed {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        if !self.failed {
            ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
            self.failed = self.frames.see(&buf.filled()[before..]).is_err();
        }
        Poll::Ready(if self.failed { Err(io::Error::other(TooManyPieces)) } else { Ok(()) })
    }
}

impl AsyncWrite for Followed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A masked frame of `n` zeros.
    fn frame(first: u8, n: usize) -> Vec<u8> {
        let mut bytes = vec![first];
        match u16::try_from(n) {
            Ok(short @ 0..=125) => bytes.push(0x80 | short as u8),
            Ok(long) => {
                bytes.push(0x80 | 126);
                bytes.extend(long.to_be_bytes());
            }
            Err(_) => {
                bytes.push(0x80 | 127);
                bytes.extend((n as u64).to_be_bytes());
            }
        }
        bytes.resize(bytes.len() + 4 + n, 0);
        bytes
    }

    #[tokio::test]
    async fn pieces_are_counted_however_the_bytes_are_cut() {
        let talk = [frame(0x01, 0), frame(0x89, 5), frame(0x00, 200), frame(0x80, 70_000), frame(0x81, 3)].concat();
        for cut in [1, 2, 3, 7, 64, 1_000, talk.len()] {
            let mut frames = Frames::new(3);
            for part in talk.chunks(cut) {
                frames.see(part).expect("a message in three pieces");
            }
            assert_eq!((frames.have, frames.payload, frames.pieces, frames.since), (0, 0, 0, None), "{cut}");
            let mut fewer = Frames::new(2);
            assert!(talk.chunks(cut).any(|part| fewer.see(part).is_err()), "{cut}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_under_way_has_a_beginning() {
        let mut frames = Frames::new(8);
        let begun = Instant::now();
        for part in [&frame(0x01, 1)[..], &[0x80], &[0x82, 0, 0, 0, 0, 0]] {
            frames.see(part).expect("few pieces");
            assert_eq!(frames.since, Some(begun));
            tokio::time::advance(std::time::Duration::from_secs(1)).await;
        }
        frames.see(&[0]).expect("the last byte");
        assert_eq!(frames.since, None);
    }

    #[tokio::test]
    async fn no_length_makes_it_stumble() {
        for second in [0x7f, 0xff] {
            let mut frames = Frames::new(2);
            frames.see(&[0x82, second]).expect("no piece");
            frames.see(&[0xff; 12]).expect("no piece");
            assert!(frames.payload > 1 << 62);
            frames.see(&vec![0xff; 10_000]).expect("still payload");
        }
    }
}
