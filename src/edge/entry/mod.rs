//! The module that wrangler loads (`entry.ts`), and the short path of a plain HIT, on which it calls `hit`, and the page of the
//! dashboard, which the entry module serves if `dashboard` says so.

mod dashboard;
mod hit;
