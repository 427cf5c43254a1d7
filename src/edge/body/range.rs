//! A range of a body's bytes, cut out while they stream.

use std::ops::RangeInclusive;

use js_sys::Object;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::Response;
use worker::Context;

use crate::edge::body::Chunk;
use crate::edge::body::source::Source;
use crate::edge::platform::js::{self, Writable, Writer};
use crate::semantics::range;

#[wasm_bindgen]
extern "C" {
    /// Passes on exactly the announced number of bytes: the platform sends that length to the client.
    type FixedLengthStream;

    #[wasm_bindgen(constructor, catch)]
    fn new(bytes: f64) -> Result<FixedLengthStream, JsValue>;

    #[wasm_bindgen(method, getter)]
    fn readable(this: &FixedLengthStream) -> Object;

    #[wasm_bindgen(method, getter)]
    fn writable(this: &FixedLengthStream) -> Writable;
}

/// Returns a range of a response's body, by the positions of its first and last byte. The bytes stay in JavaScript.
/// Bytes before the range are read and dropped; bytes after it are not read. If the body breaks off or is shorter, the
/// range breaks off for the client too.
pub(in crate::edge) fn of(
    response: &Response,
    positions: RangeInclusive<u64>,
    context: &Context,
) -> Result<Object, JsValue> {
    let source = Source::of(response.body())?;
    #[allow(clippy::cast_precision_loss, reason = "a body is far below 2^53 bytes")]
    let passage = FixedLengthStream::new((positions.end() - positions.start() + 1) as f64)?;
    let writer = passage.writable().writer()?;
    context.wait_until(async move {
        if let Err(error) = pump(&source, &writer, positions).await {
            // If the client has left, this fails as well, and no one needs the error.
            if let Ok(aborted) = writer.abort(&error) {
                js::forget(aborted);
            }
        }
    });
    Ok(passage.readable())
}

async fn pump(source: &Source, writer: &Writer, positions: RangeInclusive<u64>) -> Result<(), JsValue> {
    let (mut at, end) = (0, positions.end() + 1);
    while at < end {
        let Some(piece) = source.next().await? else {
            return Err(js_sys::Error::new("the body is shorter than it was said to be").into());
        };
        let wanted = range::of_piece(&positions, at, piece.bytes());
        if !wanted.is_empty() {
            // A piece is far below 2^32 bytes.
            let position = |at: u64| u32::try_from(at).unwrap_or(u32::MAX);
            JsFuture::from(writer.write(&piece.subarray(position(wanted.start), position(wanted.end)))?).await?;
        }
        at += piece.bytes();
    }
    JsFuture::from(writer.close()?).await.map(drop)
}
