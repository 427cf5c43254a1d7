//! The bytes of an answer, as several readers see them while they still come.
//!
//! One [`Writer`] gives what the site sends; any number of [`Reader`]s get it, each at its own pace and each from the
//! first byte on, however late it joins. The bytes stay in JavaScript: what is moved here are references to them.
//!
//! ```text
//!              push                      push (over the bound)
//!            ┌──────┐                  ┌────────────────────┐
//!            ▼      │                  │                    ▼
//! grow() ─▶ growing ┴──────────────────┘           wide ─▶ wide, ended
//!              │  end                                │
//!              ├───────▶ whole                       │
//!              │                                     │
//!              └── dropped before the end ─▶ broken ◀┘
//! ```
//!
//! | state | bytes | a new reader | a reader that has all there is |
//! |---|---|---|---|
//! | growing | all are kept | begins with the first | waits |
//! | whole | all, as one buffer | gets the buffer | is at the end |
//! | wide: over the bound | kept until the readers at hand have them | is refused | waits |
//! | wide, ended | the same | is refused | is at the end |
//! | broken | none | is refused | gets an error, never a clean end |
//!
//! What may go wrong:
//!
//! | what | then |
//! |---|---|
//! | the site breaks off, or its time is over | the writer is dropped: broken |
//! | a body of unknown length passes the bound | wide: it streams on to those who have joined, and is not stored |
//! | all bodies of an object together are too many bytes | this one goes wide: see [`Budget`]; a wide one goes slower |
//! | a reader is slow | growing: nothing, all is kept anyway; wide: the writer waits once it is [`WINDOW`] behind |
//! | a reader goes away | dropping it is signing off; a wide body without readers is [`Deserted`] |
//! | a reader goes away and nobody says so | it holds up a wide body until the render's time is over, and then it breaks |

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use futures::{Stream, StreamExt};
use js_sys::{Object, Uint8Array};
use thiserror::Error;
use wasm_bindgen::JsCast;
use wasm_streams::ReadableStream;

/// How far the slowest reader of a wide body may be behind before the writer waits for it, in bytes.
const WINDOW: u64 = 1024 * 1024;

/// Some bytes. A clone does not copy them.
pub(super) trait Chunk: Clone {
    /// Returns how many they are.
    fn bytes(&self) -> u64;

    /// Returns what follows the first `taken` of them.
    fn rest(&self, taken: u64) -> Self;

    /// Copies chunks that have `bytes` bytes in all into one.
    fn join<'a>(chunks: impl Iterator<Item = &'a Self>, bytes: u64) -> Self
    where
        Self: 'a;
}

/// Bytes that all growing bodies of an object may have together. A clone is the same budget.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    left: Rc<Cell<u64>>,
}

/// The bytes of an answer: whole, or still growing. A clone is the same body.
pub(super) struct Body<C = Uint8Array>(Rc<RefCell<State<C>>>);

/// Gives a body its bytes. Dropped before the end it leaves the body broken.
pub(super) struct Writer<C: Chunk = Uint8Array> {
    state: Rc<RefCell<State<C>>>,
    limit: u64,
}

/// Gets a body's bytes from the first on. Dropping it is signing off.
pub(super) struct Reader<C: Chunk = Uint8Array> {
    state: Rc<RefCell<State<C>>>,
    id: u64,
}

/// Whether a body is within its bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// All of it is kept.
    Within,
    /// It goes on to those who read it already, and is not kept.
    Over,
}

/// Nobody reads a body that is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Deserted;

/// The body came to no end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the site broke off in the middle of the body")]
pub(super) struct BrokenOff;

struct State<C> {
    phase: Phase<C>,
    chunks: VecDeque<Kept<C>>,
    /// How many chunks stood before the first that is kept.
    dropped: usize,
    /// Bytes of the chunks that are kept: those that the slowest reader of a wide body is behind.
    kept: u64,
    /// What of them counts against the budget.
    charged: u64,
    budget: Budget,
    readers: BTreeMap<u64, Place>,
    last_reader: u64,
    writer: Option<Waker>,
}

enum Phase<C> {
    Growing,
    Wide { ended: bool },
    Whole(C),
    Broken,
}

struct Kept<C> {
    chunk: C,
    /// How many readers of a wide body have yet to take it.
    awaited_by: usize,
}

/// How far a reader has come.
#[derive(Default)]
struct Place {
    /// The number of the next chunk.
    next: usize,
    /// The bytes that it has.
    taken: u64,
    waker: Option<Waker>,
}

impl Budget {
    /// Makes a budget of so many bytes.
    pub(super) fn new(bytes: u64) -> Self {
        Self { left: Rc::new(Cell::new(bytes)) }
    }
}

impl<C> Clone for Body<C> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<C> fmt::Debug for Body<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").finish_non_exhaustive()
    }
}

impl<C: Chunk> Body<C> {
    /// Makes a body of bytes that are all there.
    pub(super) fn whole(bytes: C) -> Self {
        Self(Rc::new(RefCell::new(State::new(Phase::Whole(bytes), Budget::new(0)))))
    }

    /// Begins a body. Up to `limit` bytes of it are kept, as long as `budget` lasts.
    pub(super) fn grow(limit: u64, budget: &Budget) -> (Writer<C>, Self) {
        let state = Rc::new(RefCell::new(State::new(Phase::Growing, budget.clone())));
        (Writer { state: Rc::clone(&state), limit }, Self(state))
    }

    /// Returns the bytes if they are all there.
    pub(super) fn bytes(&self) -> Option<C> {
        match &self.0.borrow().phase {
            Phase::Whole(bytes) => Some(bytes.clone()),
            Phase::Growing | Phase::Wide { .. } | Phase::Broken => None,
        }
    }

    /// Joins the readers, or returns `None` if what has come is not kept any more.
    pub(super) fn reader(&self) -> Option<Reader<C>> {
        let mut state = self.0.borrow_mut();
        match state.phase {
            Phase::Growing | Phase::Whole(_) => {}
            Phase::Wide { .. } | Phase::Broken => return None,
        }
        state.last_reader += 1;
        let id = state.last_reader;
        state.readers.insert(id, Place::default());
        Some(Reader { state: Rc::clone(&self.0), id })
    }
}

impl<C: Chunk> Writer<C> {
    /// Adds bytes. Once the body is over its bound, [`Self::room`] is to be awaited before more are added.
    pub(super) fn push(&mut self, chunk: C) -> Fit {
        let mut state = self.state.borrow_mut();
        let bytes = chunk.bytes();
        let is_growing = matches!(state.phase, Phase::Growing);
        let fits = is_growing && state.kept + bytes <= self.limit && state.charge(bytes);
        if !fits {
            state.widen();
        }
        let awaited_by = if fits { 0 } else { state.readers.len() };
        if fits || awaited_by > 0 {
            if !fits {
                state.charge(bytes);
            }
            state.kept += bytes;
            state.chunks.push_back(Kept { chunk, awaited_by });
        }
        let wakers = state.take_wakers();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        if fits { Fit::Within } else { Fit::Over }
    }

    /// Waits until the slowest reader of a wide body is not too far behind.
    ///
    /// # Errors
    /// [`Deserted`] if there are no readers.
    pub(super) async fn room(&mut self) -> Result<(), Deserted> {
        poll_fn(|context| {
            let mut state = self.state.borrow_mut();
            if state.readers.is_empty() {
                return Poll::Ready(Err(Deserted));
            }
            if state.has_room() {
                return Poll::Ready(Ok(()));
            }
            state.writer = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// Ends the body well, and returns all of its bytes if they were kept.
    pub(super) fn end(self) -> Option<C> {
        let mut state = self.state.borrow_mut();
        let bytes = match state.phase {
            Phase::Growing => {
                let bytes = C::join(state.chunks.iter().map(|kept| &kept.chunk), state.kept);
                state.clear();
                state.phase = Phase::Whole(bytes.clone());
                Some(bytes)
            }
            Phase::Wide { .. } => {
                state.phase = Phase::Wide { ended: true };
                None
            }
            Phase::Whole(_) | Phase::Broken => None,
        };
        let wakers = state.take_wakers();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        bytes
    }
}

impl<C: Chunk> Drop for Writer<C> {
    fn drop(&mut self) {
        let mut state = self.state.borrow_mut();
        if let Phase::Growing | Phase::Wide { ended: false } = state.phase {
            state.phase = Phase::Broken;
            state.clear();
        }
        let wakers = state.take_wakers();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl<C: Chunk> Stream for Reader<C> {
    type Item = Result<C, BrokenOff>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut state = self.state.borrow_mut();
        let (item, wakers) = state.take(self.id, context.waker());
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        item
    }
}

impl<C: Chunk> Drop for Reader<C> {
    fn drop(&mut self) {
        let mut state = self.state.borrow_mut();
        let place = state.readers.remove(&self.id);
        let next = place.as_ref().map_or(0, |place| place.next.saturating_sub(state.dropped));
        state.chunks.iter_mut().skip(next).for_each(|kept| kept.awaited_by = kept.awaited_by.saturating_sub(1));
        state.trim();
        let writer = state.writer.take();
        drop(state);
        // What a waker belongs to may own readers of this body: it is let go of when the state is not borrowed.
        drop(place);
        writer.into_iter().for_each(Waker::wake);
    }
}

impl Reader {
    /// Returns what a `Response` takes as its body: a buffer if all bytes are there, else a stream.
    pub(super) fn into_js(self) -> Object {
        if let Some(bytes) = Body(Rc::clone(&self.state)).bytes() {
            return bytes.into();
        }
        let chunks = self.map(|item| match item {
            Ok(chunk) => Ok(chunk.into()),
            Err(error) => Err(js_sys::Error::new(&error.to_string()).into()),
        });
        ReadableStream::from_stream(chunks).into_raw().unchecked_into()
    }
}

impl<C: Chunk> State<C> {
    fn new(phase: Phase<C>, budget: Budget) -> Self {
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

    /// Gives a reader what it has not yet, or remembers whom to wake; and returns who is to be woken.
    fn take(&mut self, id: u64, waker: &Waker) -> (Poll<Option<Result<C, BrokenOff>>>, Option<Waker>) {
        let Some(place) = self.readers.get_mut(&id) else {
            return (Poll::Ready(None), None);
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

    /// Tells whether the writer may go on: it waits for readers that are far behind, and, while the budget is used up, for
    /// any that is behind.
    fn has_room(&self) -> bool {
        self.kept == 0 || (self.kept <= WINDOW && self.kept == self.charged)
    }

    /// From now on chunks are kept only for the readers at hand.
    fn widen(&mut self) {
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
    fn trim(&mut self) {
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

    fn clear(&mut self) {
        self.chunks.clear();
        self.kept = 0;
        self.refund(self.charged);
    }

    fn charge(&mut self, bytes: u64) -> bool {
        let Some(left) = self.budget.left.get().checked_sub(bytes) else {
            return false;
        };
        self.budget.left.set(left);
        self.charged += bytes;
        true
    }

    fn refund(&mut self, bytes: u64) {
        self.charged -= bytes;
        self.budget.left.set(self.budget.left.get() + bytes);
    }

    /// Returns all readers that wait.
    fn take_wakers(&mut self) -> Vec<Waker> {
        self.readers.values_mut().filter_map(|place| place.waker.take()).collect()
    }
}

impl<C> Drop for State<C> {
    fn drop(&mut self) {
        self.budget.left.set(self.budget.left.get() + self.charged);
    }
}

impl Chunk for Uint8Array {
    fn bytes(&self) -> u64 {
        self.length().into()
    }

    fn rest(&self, taken: u64) -> Self {
        if taken == 0 { self.clone() } else { self.subarray(u32::try_from(taken).unwrap_or(u32::MAX), self.length()) }
    }

    fn join<'a>(chunks: impl Iterator<Item = &'a Self>, bytes: u64) -> Self {
        let body = Self::new_with_length(u32::try_from(bytes).unwrap_or(u32::MAX));
        let mut offset = 0;
        for chunk in chunks {
            body.set(chunk, offset);
            offset += chunk.length();
        }
        body
    }
}

#[cfg(test)]
#[path = "body_tests.rs"]
mod tests;
