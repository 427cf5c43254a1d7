//! Fuzz targets: every parser of bytes or text from outside, with properties beyond "it does not panic".
//!
//! `cargo test` runs each for [`TIME`] with random seeds; a failure prints the reduced input, and the seed that
//! reproduces it. For longer: `BOLERO_RANDOM_TEST_TIME_MS=60000 cargo test --test fuzz`. Guided by coverage, with
//! `cargo-bolero`: `cargo +nightly bolero test --no-default-features -s NONE -T 60s bytes::an_l2_value`.

mod bytes;
mod config;
mod headers;
mod input;
mod names;

use std::time::Duration;

/// The time of one target.
const TIME: Duration = Duration::from_millis(700);
