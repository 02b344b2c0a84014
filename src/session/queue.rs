//! What waits to be written to one socket, as plain bytes in order; it knows no socket.

use crate::{metrics::OutboxBytes, protocol::Share};
use bytes::{Buf, Bytes};
use std::{collections::VecDeque, io::IoSlice};

/// How many waiting pieces one system call takes.
const PIECES: usize = 64;

/// Whole frames that go out together.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) frames: Bytes,
    /// Why they are sent.
    pub(super) occasion: Occasion,
}

/// Why frames are sent: decides whether they count against a peer that does not read.
#[derive(Clone, Debug)]
pub(super) enum Occasion {
    /// Something happened: it comes whether or not the peer reads, so what waits of it is bounded.
    Event,
    /// The peer asked for a page.
    Page {
        /// Its place among what the session has under way, which is the bound: given back when the page has left.
        _share: Option<Share>,
    },
}

/// The pieces that the kernel did not take yet.
#[derive(Debug, Default)]
pub(super) struct Queue {
    pieces: VecDeque<Piece>,
    /// Bytes of all of them.
    bytes: OutboxBytes,
    /// Bytes of those that count against the peer.
    counted: usize,
    /// Whether the first piece is partly written: it can't be taken back.
    torn: bool,
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Bytes that wait.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.get()
    }

    /// Bytes that wait and count against a peer that does not read.
    pub(super) fn counted(&self) -> usize {
        self.counted
    }

    /// Puts what is left of a piece, of which the kernel took the first `written` bytes, behind everything else.
    pub(super) fn push(&mut self, mut piece: Piece, written: usize) {
        self.torn |= written > 0;
        piece.frames.advance(written);
        self.bytes.set(self.bytes.get() + piece.frames.len());
        self.counted += piece.counted();
        self.pieces.push_back(piece);
    }

    /// The first pieces, for one system call, and how many they are.
    pub(super) fn slices(&self) -> ([IoSlice<'_>; PIECES], usize) {
        let mut slices = [IoSlice::new(&[]); PIECES];
        for (slice, piece) in slices.iter_mut().zip(&self.pieces) {
            *slice = IoSlice::new(&piece.frames);
        }
        (slices, self.pieces.len().min(PIECES))
    }

    /// The first `written` bytes have left.
    pub(super) fn advance(&mut self, mut written: usize) {
        while let Some(first) = self.pieces.front_mut().filter(|_| written > 0) {
            let taken = written.min(first.frames.len());
            written -= taken;
            self.bytes.set(self.bytes.get() - taken);
            self.counted -= first.occasion.counts(taken);
            first.frames.advance(taken);
            self.torn = !first.frames.is_empty();
            if !self.torn {
                self.pieces.pop_front();
            }
        }
    }

    /// Gives up everything but a piece that is partly written: half a frame can't be taken back.
    pub(super) fn give_up(&mut self) {
        self.pieces.truncate(usize::from(self.torn));
        self.bytes.set(self.pieces.iter().map(|piece| piece.frames.len()).sum());
        self.counted = self.pieces.iter().map(Piece::counted).sum();
    }

    /// Gives up everything, with its memory.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

impl Piece {
    fn counted(&self) -> usize {
        self.occasion.counts(self.frames.len())
    }
}

impl Occasion {
    fn counts(&self, bytes: usize) -> usize {
        match self {
            Self::Event => bytes,
            Self::Page { .. } => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Step {
        Push { length: usize, written: usize, page: bool },
        Advance(usize),
        GiveUp,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (1..500_usize, 0..500_usize, any::<bool>())
                .prop_map(|(length, written, page)| Step::Push { length, written, page }),
            4 => (0..900_usize).prop_map(Step::Advance),
            1 => Just(Step::GiveUp),
        ]
    }

    /// Each piece is bytes of its own value, so that what leaves tells where it came from.
    fn piece(value: u8, length: usize, page: bool) -> Piece {
        let occasion = if page { Occasion::Page { _share: None } } else { Occasion::Event };
        Piece { frames: Bytes::from(vec![value; length]), occasion }
    }

    fn leaves(queue: &mut Queue, bytes: usize) -> Vec<u8> {
        let (slices, count) = queue.slices();
        let waiting: Vec<u8> = slices[..count].iter().flat_map(|slice| slice.to_vec()).collect();
        let left = waiting[..bytes.min(waiting.len())].to_vec();
        queue.advance(left.len());
        left
    }

    proptest! {
        /// What leaves is what was put in, in order; a piece that is given up was not begun.
        #[test]
        fn pieces_leave_whole_and_in_order(steps in prop::collection::vec(step(), 1..60)) {
            let mut queue = Queue::default();
            // Of each piece that must leave: its value, and the bytes of it that are still to come.
            let mut expected: VecDeque<(u8, usize, bool)> = VecDeque::new();
            for (value, step) in (0_u8..).zip(steps) {
                match step {
                    Step::Push { length, written, page } => {
                        // The kernel is only offered a piece while nothing waits, and never takes all of one that is put here.
                        let written = if queue.is_empty() { written.min(length - 1) } else { 0 };
                        queue.push(piece(value, length, page), written);
                        expected.push_back((value, length - written, page));
                    }
                    Step::Advance(bytes) => {
                        for byte in leaves(&mut queue, bytes) {
                            let first = expected.front_mut().expect("something is expected");
                            prop_assert_eq!(byte, first.0);
                            first.1 -= 1;
                            if first.1 == 0 {
                                expected.pop_front();
                            }
                        }
                    }
                    Step::GiveUp => {
                        expected.truncate(usize::from(queue.torn));
                        queue.give_up();
                    }
                }
                prop_assert_eq!(queue.bytes(), expected.iter().map(|piece| piece.1).sum::<usize>());
                prop_assert_eq!(queue.counted(), expected.iter().filter(|piece| !piece.2).map(|piece| piece.1).sum::<usize>());
                prop_assert_eq!(queue.is_empty(), expected.is_empty());
            }
        }
    }
}
