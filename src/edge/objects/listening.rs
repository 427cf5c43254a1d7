//! The streams of a tag index object, as its [`Listeners`] decide.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use futures::channel::oneshot;
use futures::stream;
use js_sys::Uint8Array;
use wasm_bindgen::JsCast;
use wasm_streams::ReadableStream;
use web_sys::Headers;
use worker::Response;

use crate::edge::caches::envelope;
use crate::edge::platform::js;
use crate::invalidation::{FeedPage, FeedQuestion};
use crate::protocol::{FULL_STATUS, PushFrame};
use crate::sql::StoreError;
use crate::tag_index::{ListenerId, ListenerStep, Listeners};

/// Reads the feed.
pub(in crate::edge) type ReadFeed = dyn Fn(FeedQuestion) -> Result<FeedPage, StoreError>;

/// The open streams.
#[derive(Default)]
pub(in crate::edge) struct Listening {
    listeners: RefCell<Listeners>,
    /// Wake the streams that wait, when rows are recorded.
    waiting: RefCell<BTreeMap<ListenerId, oneshot::Sender<()>>>,
    /// The last answer from the database, for all streams that are as far: after how many changes, to which question.
    read: RefCell<Option<(u64, u64, Rc<FeedPage>)>>,
}

impl Listening {
    /// Returns the number of open streams.
    pub(in crate::edge) fn open_streams(&self) -> u64 {
        self.listeners.borrow().open() as u64
    }

    /// Wakes the streams: rows were recorded.
    pub(in crate::edge) fn recorded(&self) {
        self.listeners.borrow_mut().recorded();
        for waker in self.waiting.take().into_values() {
            // A stream that has ended does not wait any more.
            let _ = waker.send(());
        }
    }

    /// Records that anything else has changed.
    pub(in crate::edge) fn changed(&self) {
        self.listeners.borrow_mut().changed();
    }

    /// Answers with a stream.
    pub(in crate::edge) fn open(
        self: &Rc<Self>,
        question: FeedQuestion,
        every: Duration,
        read: Rc<ReadFeed>,
    ) -> worker::Result<Response> {
        let Ok(id) = self.listeners.borrow_mut().admit(question, every, js::now()) else {
            return Response::error("this object takes no further stream", FULL_STATUS);
        };
        let listener = Listener { listening: Rc::clone(self), id, read };
        let frames = stream::unfold(listener, |listener| async move {
            let frame = listener.next_frame().await?;
            Some((Ok(Uint8Array::from(frame.as_slice()).into()), listener))
        });
        let body: js_sys::Object = ReadableStream::from_stream(frames).into_raw().unchecked_into();
        let headers = Headers::new()?;
        headers.set("content-type", "application/octet-stream")?;
        Ok(envelope::response(200, &headers, Some(&body))?.into())
    }
}

/// A stream. It leaves when its reader has gone.
struct Listener {
    listening: Rc<Listening>,
    id: ListenerId,
    read: Rc<ReadFeed>,
}

impl Listener {
    /// Waits until a frame is due, and returns its bytes; `None` at the end. It is called when the last frame was read.
    async fn next_frame(&self) -> Option<Vec<u8>> {
        loop {
            let now = js::now();
            let step = self.listening.listeners.borrow().next(self.id, now);
            match step {
                ListenerStep::End => return None,
                ListenerStep::Read(question) => return self.answer(question),
                ListenerStep::Beat => {
                    let place = self.listening.listeners.borrow_mut().beat(self.id, now);
                    let (number, since) = (place.number, place.since);
                    return Some(PushFrame::<FeedPage> { number, at: now, since, page: None }.to_bytes());
                }
                ListenerStep::Wait(time) => {
                    let (waker, woken) = oneshot::channel();
                    self.listening.waiting.borrow_mut().insert(self.id, waker);
                    let _ = js::within(time, woken).await;
                }
            }
        }
    }

    fn answer(&self, question: FeedQuestion) -> Option<Vec<u8>> {
        let now = js::now();
        let page = match self.page(question) {
            Ok(page) => page,
            Err(error) => {
                worker::console_error!("tag index: a stream ends: {error}");
                return None;
            }
        };
        let place = self.listening.listeners.borrow_mut().answer(self.id, &page, now);
        Some(PushFrame { number: place.number, at: now, since: place.since, page: Some(&*page) }.to_bytes())
    }

    /// Reads the feed, or returns what another stream has read since the last change.
    fn page(&self, question: FeedQuestion) -> Result<Rc<FeedPage>, StoreError> {
        let changes = self.listening.listeners.borrow().changes();
        if question.known.is_none()
            && let Some((_, _, page)) = self
                .listening
                .read
                .borrow()
                .as_ref()
                .filter(|(at, since, _)| (*at, *since) == (changes, question.since))
        {
            return Ok(Rc::clone(page));
        }
        let page = Rc::new((self.read)(question)?);
        let changes = self.listening.listeners.borrow().changes();
        *self.listening.read.borrow_mut() = Some((changes, question.since, Rc::clone(&page)));
        Ok(page)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.listening.listeners.borrow_mut().leave(self.id);
        self.listening.waiting.borrow_mut().remove(&self.id);
    }
}
