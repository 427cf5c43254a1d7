//! The bytes of a response, shared by several readers while they arrive.
//!
//! One [`Writer`] adds the bytes that the origin sends. Any number of [`Reader`]s get them, each at its own pace and
//! each from the first byte on, however late it joins. The bytes stay in JavaScript: only references to them move here.
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
//! | state | bytes | a new reader | a reader that has all bytes so far |
//! |---|---|---|---|
//! | growing | all are kept | begins with the first | waits |
//! | whole | all, as one buffer | gets the buffer | is at the end |
//! | wide: over the limit | kept until all present readers have them | is refused | waits |
//! | wide, ended | the same | is refused | is at the end |
//! | broken | none | is refused | gets an error, never a clean end |
//!
//! Failures:
//!
//! | what | then |
//! |---|---|
//! | the origin breaks off, or its time is over | the writer is dropped: broken |
//! | a body of unknown length passes the limit | wide: it streams on to the present readers, and is not stored |
//! | all bodies of an isolate together have too many bytes | this one becomes wide, and its render has no room: see [`Account`]; a wide one slows down |
//! | a reader is slow | growing: nothing, all is kept anyway; wide: the writer waits once it is 1 MiB behind |
//! | a reader leaves | dropping the reader signs it off; a wide body without readers is [`Deserted`] |
//! | a reader leaves without being dropped | once it has held up a wide body for a while, it is [let go](Writer::let_go) |

mod chunk;
pub(in crate::edge) mod range;
pub(in crate::edge) mod sealed;
pub(in crate::edge) mod source;
mod state;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
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

pub(in crate::edge) use self::chunk::Chunk;
use self::state::{KeptChunk, Phase, ReaderPosition, State};
use crate::account::Account;

/// The bytes of a response: whole, or still growing. A clone is the same body.
pub(in crate::edge) struct Body<C = Uint8Array>(Rc<RefCell<State<C>>>);

/// Adds bytes to a body. If it is dropped before the end, the body is broken.
pub(in crate::edge) struct Writer<C: Chunk = Uint8Array> {
    state: Rc<RefCell<State<C>>>,
    limit: u64,
}

/// Reads a body's bytes from the first on. Dropping it signs it off.
pub(in crate::edge) struct Reader<C: Chunk = Uint8Array> {
    state: Rc<RefCell<State<C>>>,
    id: u64,
}

/// Whether a body is within its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::edge) enum Fit {
    /// All of it is kept.
    Within,
    /// It streams on to its present readers, and is not kept.
    Over,
    /// The same, although it is within its limit: the bodies together have used up the isolate's memory.
    NoRoom,
}

/// A body that is not kept has no readers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::edge) struct Deserted;

/// The body broke off before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the site broke off in the middle of the body")]
pub(in crate::edge) struct BrokenOff;

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
    /// Makes a body of complete bytes.
    pub(in crate::edge) fn whole(bytes: C) -> Self {
        Self(Rc::new(RefCell::new(State::new(Phase::Whole(bytes), Rc::new(Account::new(0))))))
    }

    /// Begins a body. Up to `limit` bytes of it are kept, as long as `budget` lasts.
    pub(in crate::edge) fn grow(limit: u64, budget: &Rc<Account>) -> (Writer<C>, Self) {
        let state = Rc::new(RefCell::new(State::new(Phase::Growing, Rc::clone(budget))));
        (Writer { state: Rc::clone(&state), limit }, Self(state))
    }

    /// Returns the bytes if all of them are here.
    pub(in crate::edge) fn bytes(&self) -> Option<C> {
        match &self.0.borrow().phase {
            Phase::Whole(bytes) => Some(bytes.clone()),
            Phase::Growing | Phase::Wide { .. } | Phase::Broken => None,
        }
    }

    /// Adds a reader, or returns `None` if the first bytes are not kept any more.
    pub(in crate::edge) fn reader(&self) -> Option<Reader<C>> {
        let mut state = self.0.borrow_mut();
        match state.phase {
            Phase::Growing | Phase::Whole(_) => {}
            Phase::Wide { .. } | Phase::Broken => return None,
        }
        state.last_reader += 1;
        let id = state.last_reader;
        state.readers.insert(id, ReaderPosition::default());
        Some(Reader { state: Rc::clone(&self.0), id })
    }
}

impl<C: Chunk> Writer<C> {
    /// Adds bytes. Once the body is over its limit, [`Self::room`] must be awaited before more are added.
    pub(in crate::edge) fn push(&mut self, chunk: C) -> Fit {
        let mut state = self.state.borrow_mut();
        let bytes = chunk.bytes();
        let is_growing = matches!(state.phase, Phase::Growing);
        let is_within = is_growing && state.kept + bytes <= self.limit;
        let fits = is_within && state.charge(bytes);
        if !fits {
            state.widen();
        }
        let awaited_by = if fits { 0 } else { state.readers.len() };
        if fits || awaited_by > 0 {
            if !fits {
                state.charge(bytes);
            }
            state.kept += bytes;
            state.chunks.push_back(KeptChunk { chunk, awaited_by });
        }
        let wakers = state.take_wakers();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        match (fits, is_within) {
            (true, _) => Fit::Within,
            (false, true) => Fit::NoRoom,
            (false, false) => Fit::Over,
        }
    }

    /// Waits until the slowest reader of a wide body is not too far behind.
    ///
    /// # Errors
    /// [`Deserted`] if there are no readers.
    pub(in crate::edge) async fn room(&mut self) -> Result<(), Deserted> {
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

    /// Returns how many chunks all readers have taken. As long as the number rises, no reader holds the body up.
    pub(in crate::edge) fn taken_by_all(&self) -> usize {
        self.state.borrow().dropped
    }

    /// Breaks a wide body off for the readers that are the farthest behind, so that they no longer hold up the others.
    pub(in crate::edge) fn let_go(&mut self) {
        let mut state = self.state.borrow_mut();
        let wakers = state.let_go();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Ends the body, and returns all of its bytes if they were kept.
    pub(in crate::edge) fn end(self) -> Option<C> {
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
        let place = state.sign_off(self.id);
        let writer = state.writer.take();
        drop(state);
        // The waker's task may own readers of this body: it is dropped while the state is not borrowed.
        drop(place);
        writer.into_iter().for_each(Waker::wake);
    }
}

impl Reader {
    /// Returns the body for a `Response`: a buffer if all bytes are here, otherwise a stream.
    pub(in crate::edge) fn into_js(self) -> Object {
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
