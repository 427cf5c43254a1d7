//! The frames of a stream that the tag index sends to an edge: [`ToTagIndex::Listen`](crate::protocol::ToTagIndex).
//!
//! ```text
//! ┌────────────────────────────┬───────────────┐
//! │ length, 4 bytes big-endian │ frame in CBOR │  ... and so on until the stream ends
//! └────────────────────────────┴───────────────┘
//! ```
//!
//! The stream may deliver the bytes in pieces of any length.

use serde::{Deserialize, Serialize};

use crate::codec::{decode, encode};
use crate::invalidation::FeedPage;
use crate::time::Timestamp;

/// The status of an object that takes no further stream.
pub const FULL_STATUS: u16 = 429;

/// The longest frame. Its rows are bounded by the object, and its lagging routes by the configuration.
const MAX_FRAME_BYTES: usize = 4 * 1024 * 1024;

/// Each frame begins with its length, in this number of bytes.
const LENGTH_BYTES: usize = 4;

/// A frame: what the log had at a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushFrame<P = FeedPage> {
    /// Its number in the stream. The first has 0.
    pub number: u64,
    /// When the object has read the log, by its own clock.
    pub at: Timestamp,
    /// The number after which the rows follow.
    pub since: u64,
    /// The rows and what comes with them; `None` in a beat: nothing has changed since the frame before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<P>,
}

impl<P: Serialize> PushFrame<P> {
    /// Encodes the frame with its length.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let frame = encode(self);
        // The object bounds its frames far below 4 GiB.
        let length = u32::try_from(frame.len()).unwrap_or(u32::MAX);
        [&length.to_be_bytes(), frame.as_slice()].concat()
    }
}

/// A stream that is not one of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoFrame;

/// Joins the pieces of a stream to frames.
#[derive(Clone, Debug, Default)]
pub struct FrameReader {
    /// The bytes of a frame that is not complete.
    rest: Vec<u8>,
}

impl FrameReader {
    /// Takes a piece, and returns the frames that end in it.
    ///
    /// # Errors
    /// A frame is too long, or not of this version. Nothing after it can be read.
    pub fn take(&mut self, piece: &[u8]) -> Result<Vec<PushFrame>, NoFrame> {
        self.rest.extend_from_slice(piece);
        let mut frames = Vec::new();
        let mut from = 0;
        while let Some((length, bytes)) = self.rest[from..].split_first_chunk::<LENGTH_BYTES>() {
            let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
            if length > MAX_FRAME_BYTES {
                return Err(NoFrame);
            }
            let Some(frame) = bytes.get(..length) else { break };
            frames.push(decode(frame).ok_or(NoFrame)?);
            from += LENGTH_BYTES + length;
        }
        self.rest.drain(..from);
        Ok(frames)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(number: u64, page: Option<FeedPage>) -> PushFrame {
        PushFrame { number, at: Timestamp::from_millis(5), since: 3, page }
    }

    #[test]
    fn frames_arrive_in_pieces_of_any_length() {
        let sent = [frame(0, Some(FeedPage { seq: 9, ..FeedPage::default() })), frame(1, None), frame(2, None)];
        let bytes: Vec<u8> = sent.iter().flat_map(PushFrame::to_bytes).collect();
        for length in 1..=bytes.len() {
            let mut reader = FrameReader::default();
            let got: Vec<PushFrame> = bytes.chunks(length).flat_map(|piece| reader.take(piece).unwrap()).collect();
            assert_eq!((got.as_slice(), reader.rest.len()), (sent.as_slice(), 0), "{length}");
        }
        let page = FeedPage { seq: 9, ..FeedPage::default() };
        let borrowed = PushFrame { number: 0, at: Timestamp::from_millis(5), since: 3, page: Some(&page) };
        assert_eq!(borrowed.to_bytes(), sent[0].to_bytes());
    }

    #[test]
    fn anything_else_ends_the_stream() {
        for bytes in [&[0xff; 8][..], &[0, 0, 0, 2, 1, 1], b"<html><body>"] {
            assert_eq!(FrameReader::default().take(bytes), Err(NoFrame), "{bytes:?}");
        }
        assert_eq!(FrameReader::default().take(&[0, 0, 0, 2, 1]), Ok(vec![]), "the rest may come");
    }
}
