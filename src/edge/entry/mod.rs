//! The module that wrangler loads (`entry.mjs`), and the short path of a plain HIT, on which it calls `hit`.

mod hit;
