//! The module that wrangler loads (`entry.ts`), and the short path of a plain HIT, on which it calls `hit`.

mod hit;
