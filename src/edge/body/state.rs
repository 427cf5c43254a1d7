//! The state that writer, readers and body share.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::task::{Poll, Waker};

use super::BrokenOff;
use super::chunk::Chunk;
use crate::account::Account;

/// How many bytes the slowest reader of a wide body may be behind before the writer waits for it.
pub(super) const WINDOW: u64 = 1024 * 1024;

pub(super) struct State<C> {
    pub(super) phase: Phase<C>,
    pub(super) chunks: VecDeque<KeptChunk<C>>,
    /// The number of chunks before the first that is kept.
    pub(super) dropped: usize,
    /// Bytes of the kept chunks: in a wide body, those that the slowest reader does not have yet.
    pub(super) kept: u64,
    /// The part of them that counts against the budget.
    pub(super) charged: u64,
    /// The bytes that all growing bodies of the isolate may have together.
    pub(super) budget: Rc<Account>,
    pub(super) readers: BTreeMap<u64, ReaderPosition>,
    pub(super) last_reader: u64,
    pub(super) writer: Option<Waker>,
}

pub(super) enum Phase<C> {
    Growing,
    Wide { ended: bool },
    Whole(C),
    Broken,
}

pub(super) struct KeptChunk<C> {
    pub(super) chunk: C,
    /// How many readers of a wide body have yet to take it.
    pub(super) awaited_by: usize,
}

/// The position of a reader.
#[derive(Default)]
pub(super) struct ReaderPosition {
    /// The number of the next chunk.
    pub(super) next: usize,
    /// The number of bytes that it has.
    pub(super) taken: u64,
    pub(super) waker: Option<Waker>,
}

impl<C: Chunk> State<C> {
    pub(super) fn new(phase: Phase<C>, budget: Rc<Account>) -> Self {
        Self {
            phase,
            chunks: VecDeque::new(),
            dropped: 0,
            kept: 0,
            charged: 0,
            budget,
            readers: BTreeMap::new(),
            last_reader: 0,
            writer: None,
        }
    }

    /// Returns the reader's next chunk, or stores its waker. Also returns the waker to call, if there is one.
    pub(super) fn take(&mut self, id: u64, waker: &Waker) -> (Poll<Option<Result<C, BrokenOff>>>, Option<Waker>) {
        // A reader that was let go has no place any more.
        let Some(place) = self.readers.get_mut(&id) else {
            return (Poll::Ready(Some(Err(BrokenOff))), None);
        };
        let ended = match &self.phase {
            Phase::Broken => return (Poll::Ready(Some(Err(BrokenOff))), None),
            Phase::Whole(bytes) => {
                let rest = (place.taken < bytes.bytes()).then(|| Ok(bytes.rest(place.taken)));
                place.taken = bytes.bytes();
                return (Poll::Ready(rest), None);
            }
            Phase::Wide { ended } => *ended,
            Phase::Growing => false,
        };
        let Some(kept) = self.chunks.get_mut(place.next.saturating_sub(self.dropped)) else {
            if ended {
                return (Poll::Ready(None), None);
            }
            place.waker = Some(waker.clone());
            return (Poll::Pending, None);
        };
        place.next += 1;
        place.taken += kept.chunk.bytes();
        kept.awaited_by = kept.awaited_by.saturating_sub(1);
        let chunk = kept.chunk.clone();
        self.trim();
        let writer = if self.has_room() { self.writer.take() } else { None };
        (Poll::Ready(Some(Ok(chunk))), writer)
    }

    /// Removes a reader. The writer no longer waits for it.
    pub(super) fn sign_off(&mut self, id: u64) -> Option<ReaderPosition> {
        let place = self.readers.remove(&id)?;
        let next = place.next.saturating_sub(self.dropped);
        self.chunks.iter_mut().skip(next).for_each(|kept| kept.awaited_by = kept.awaited_by.saturating_sub(1));
        self.trim();
        Some(place)
    }

    /// Removes the readers that have yet to take the first chunk of a wide body. Returns the wakers of those that wait.
    pub(super) fn let_go(&mut self) -> Vec<Waker> {
        if self.chunks.is_empty() || !matches!(self.phase, Phase::Wide { .. }) {
            return Vec::new();
        }
        let first = self.dropped;
        let last: Vec<u64> = self.readers.iter().filter(|(_, place)| place.next <= first).map(|(id, _)| *id).collect();
        last.into_iter().filter_map(|id| self.sign_off(id)?.waker).collect()
    }

    /// Returns whether the writer may continue. It waits for readers that are far behind, and, while the budget is used
    /// up, for any reader that is behind.
    pub(super) fn has_room(&self) -> bool {
        self.kept == 0 || (self.kept <= WINDOW && self.kept == self.charged)
    }

    /// Makes the body wide: from now on chunks are kept only for the present readers.
    pub(super) fn widen(&mut self) {
        if !matches!(self.phase, Phase::Growing) {
            return;
        }
        self.phase = Phase::Wide { ended: false };
        let mut arriving = vec![0; self.chunks.len() + 1];
        for place in self.readers.values() {
            if let Some(readers) = arriving.get_mut(place.next) {
                *readers += 1;
            }
        }
        let mut awaited_by = 0;
        for (kept, readers) in self.chunks.iter_mut().zip(arriving) {
            awaited_by += readers;
            kept.awaited_by = awaited_by;
        }
        self.trim();
    }

    /// Drops the chunks of a wide body that all of its readers have.
    pub(super) fn trim(&mut self) {
        if !matches!(self.phase, Phase::Wide { .. }) {
            return;
        }
        while let Some(first) = self.chunks.front().filter(|first| first.awaited_by == 0) {
            self.kept -= first.chunk.bytes();
            self.dropped += 1;
            self.chunks.pop_front();
        }
        self.refund(self.charged.saturating_sub(self.kept));
    }

    pub(super) fn clear(&mut self) {
        self.chunks.clear();
        self.kept = 0;
        self.refund(self.charged);
    }

    pub(super) fn charge(&mut self, bytes: u64) -> bool {
        let has_room = self.budget.take(bytes);
        self.charged += if has_room { bytes } else { 0 };
        has_room
    }

    pub(super) fn refund(&mut self, bytes: u64) {
        self.charged -= bytes;
        self.budget.release(bytes);
    }

    /// Returns the wakers of all readers that wait.
    pub(super) fn take_wakers(&mut self) -> Vec<Waker> {
        self.readers.values_mut().filter_map(|place| place.waker.take()).collect()
    }
}

impl<C> Drop for State<C> {
    fn drop(&mut self) {
        self.budget.release(self.charged);
    }
}
