//! A body with a mark behind its last byte.
//!
//! The platform reports to a Worker that the body of a response has broken off. It does not do so for the body of a
//! request without an announced length: such a body seems to have ended. So the body of a page that a caller stores is
//! sealed: the mark follows if, and only if, the page is complete. The mark is made of the lease's token, which no page
//! knows, so a body that breaks off never ends with it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use js_sys::{Object, Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::ReadableStream;

use crate::edge::body::Chunk;
use crate::edge::platform::js::Writable;
use crate::version::Version;

/// The first byte of a mark. It never occurs in UTF-8 text (RFC 3629 §1), so a piece of text never has to wait for the
/// next one.
const FIRST: u8 = 0xff;

fn mark(token: Version) -> Vec<u8> {
    [&[FIRST], token.to_string().as_bytes()].concat()
}

#[wasm_bindgen]
extern "C" {
    type IdentityTransformStream;

    #[wasm_bindgen(constructor, catch)]
    fn new() -> Result<IdentityTransformStream, JsValue>;

    #[wasm_bindgen(method, getter)]
    fn readable(this: &IdentityTransformStream) -> ReadableStream;

    #[wasm_bindgen(method, getter)]
    fn writable(this: &IdentityTransformStream) -> Writable;

    #[wasm_bindgen(extends = ReadableStream)]
    type Pipe;

    #[wasm_bindgen(method, catch, js_name = pipeTo)]
    fn pipe_to(this: &Pipe, to: &Writable, options: &Object) -> Result<Promise, JsValue>;
}

/// Seals a body. The second part has to be polled for the first to progress.
pub(in crate::edge) fn seal(
    body: Option<ReadableStream>,
    token: Version,
) -> Result<(ReadableStream, impl Future<Output = Result<(), JsValue>>), JsValue> {
    let passage = IdentityTransformStream::new()?;
    let (readable, writable) = (passage.readable(), passage.writable());
    let pump = async move {
        if let Some(body) = body {
            let options = Object::new();
            Reflect::set(&options, &"preventClose".into(), &true.into())?;
            JsFuture::from(body.unchecked_into::<Pipe>().pipe_to(&writable, &options)?).await?;
        }
        let writer = writable.writer()?;
        JsFuture::from(writer.write(&Uint8Array::from(mark(token).as_slice()))?).await?;
        JsFuture::from(writer.close()?).await.map(drop)
    };
    Ok((readable, pump))
}

/// Bytes of a sealed body that were read and not yet returned: they may contain the mark.
pub(in crate::edge) struct Unsealing {
    mark: Vec<u8>,
    pieces: RefCell<VecDeque<Uint8Array>>,
    has_ended: Cell<bool>,
}

impl Unsealing {
    /// Begins to unseal a body that was sealed with a token.
    pub(in crate::edge) fn new(token: Version) -> Self {
        Self { mark: mark(token), pieces: RefCell::default(), has_ended: Cell::default() }
    }

    /// Adds a piece, which must not be empty.
    pub(in crate::edge) fn push(&self, piece: Uint8Array) {
        self.pieces.borrow_mut().push_back(piece);
    }

    /// Takes the next piece that can't contain the mark.
    pub(in crate::edge) fn next(&self) -> Option<Uint8Array> {
        let mut pieces = self.pieces.borrow_mut();
        let behind: u64 = pieces.iter().skip(1).map(Chunk::bytes).sum();
        let is_certain =
            pieces.front().is_some_and(|piece| behind >= self.length().into() || !self.may_begin_in(piece));
        if is_certain { pieces.pop_front() } else { None }
    }

    /// Takes the rest after the last piece, without the mark; `None` if only the mark was left. Fails if there is no
    /// mark: the body has broken off.
    pub(in crate::edge) fn end(&self) -> Result<Option<Uint8Array>, JsValue> {
        if self.has_ended.replace(true) {
            return Ok(None);
        }
        let pieces = self.pieces.take();
        let last = Uint8Array::join(pieces.iter(), pieces.iter().map(Chunk::bytes).sum());
        let bytes = last.length().saturating_sub(self.length());
        if last.subarray(bytes, last.length()).to_vec() != self.mark {
            return Err("the body has broken off".into());
        }
        Ok((bytes > 0).then(|| last.subarray(0, bytes)))
    }

    /// Returns whether the mark may begin in a piece, if the body ends within the mark's length after it.
    fn may_begin_in(&self, piece: &Uint8Array) -> bool {
        let tail = piece.subarray(piece.length().saturating_sub(self.length()), piece.length());
        tail.to_vec().contains(&FIRST)
    }

    fn length(&self) -> u32 {
        // The mark has the length of a token.
        u32::try_from(self.mark.len()).unwrap_or(u32::MAX)
    }
}
