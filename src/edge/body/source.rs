//! A body, read piece by piece.

use js_sys::{Object, Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::ReadableStream;

use crate::edge::body::sealed::Unsealing;
use crate::edge::platform::js;
use crate::version::Version;

/// The most bytes that one read returns. Without a buffer of our own, the platform returns 4 KiB at a time.
const READ_BYTES: u32 = 64 * 1024;

/// A piece that fills less of its buffer than this is moved to a buffer of its own length.
const ROOMY_BYTES: u32 = READ_BYTES / 2;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(extends = ReadableStream)]
    type ByteStream;

    #[wasm_bindgen(method, catch, js_name = getReader)]
    fn reader_with(this: &ByteStream, options: &Object) -> Result<Reader, JsValue>;

    /// A reader of either kind: one fills the buffer that it is given, the other returns its own.
    type Reader;

    #[wasm_bindgen(method, catch)]
    fn read(this: &Reader, into: &JsValue) -> Result<Promise, JsValue>;

    #[wasm_bindgen(method, catch)]
    fn cancel(this: &Reader) -> Result<Promise, JsValue>;
}

/// Reads a body. The bytes stay in JavaScript.
pub(in crate::edge) struct Source {
    reader: Option<Reader>,
    fills: bool,
    /// Set if a mark follows the last byte.
    seal: Option<Unsealing>,
}

impl Source {
    /// Takes over a body; `None` is an empty one.
    pub(in crate::edge) fn of(body: Option<ReadableStream>) -> Result<Self, JsValue> {
        let Some(stream) = body else {
            return Ok(Self { reader: None, fills: false, seal: None });
        };
        let stream: ByteStream = stream.unchecked_into();
        let options = Object::new();
        Reflect::set(&options, &"mode".into(), &"byob".into())?;
        match stream.reader_with(&options) {
            Ok(reader) => Ok(Self { reader: Some(reader), fills: true, seal: None }),
            // A stream that is made in JavaScript need not be a byte stream.
            Err(_) => Ok(Self { reader: Some(stream.reader_with(&Object::new())?), fills: false, seal: None }),
        }
    }

    /// Takes over a body that is [sealed](crate::edge::body::sealed) with a token.
    pub(in crate::edge) fn of_sealed(body: Option<ReadableStream>, token: Version) -> Result<Self, JsValue> {
        let mut source = Self::of(body)?;
        source.seal = Some(Unsealing::new(token));
        Ok(source)
    }

    /// Reads the next piece, which is never empty; `None` at the end. Fails if the body breaks off.
    pub(in crate::edge) async fn next(&self) -> Result<Option<Uint8Array>, JsValue> {
        let Some(seal) = &self.seal else {
            return self.read().await;
        };
        loop {
            if let Some(piece) = seal.next() {
                return Ok(Some(piece));
            }
            match self.read().await? {
                Some(piece) => seal.push(piece),
                None => return seal.end(),
            }
        }
    }

    async fn read(&self) -> Result<Option<Uint8Array>, JsValue> {
        let Some(reader) = &self.reader else {
            return Ok(None);
        };
        loop {
            let buffer = if self.fills { Uint8Array::new_with_length(READ_BYTES).into() } else { JsValue::UNDEFINED };
            let step = JsFuture::from(reader.read(&buffer)?).await?;
            if Reflect::get(&step, &"done".into())?.is_truthy() {
                return Ok(None);
            }
            let piece: Uint8Array = Reflect::get(&step, &"value".into())?.dyn_into()?;
            match piece.length() {
                0 => {}
                length if self.fills && length < ROOMY_BYTES => return Ok(Some(piece.slice(0, length))),
                _ => return Ok(Some(piece)),
            }
        }
    }
}

impl Drop for Source {
    /// Unread bytes are not needed: the sender can stop.
    fn drop(&mut self) {
        if let Some(Ok(cancelled)) = self.reader.as_ref().map(Reader::cancel) {
            js::forget(cancelled);
        }
    }
}
