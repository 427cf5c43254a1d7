//! The bytes of a body.

use js_sys::Uint8Array;

/// A piece of a body. A clone does not copy its bytes.
pub(in crate::edge) trait Chunk: Clone {
    /// Returns the number of bytes.
    fn bytes(&self) -> u64;

    /// Returns the bytes after the first `taken`.
    fn rest(&self, taken: u64) -> Self;

    /// Copies chunks with a total of `bytes` bytes into one.
    fn join<'a>(chunks: impl Iterator<Item = &'a Self>, bytes: u64) -> Self
    where
        Self: 'a;
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
