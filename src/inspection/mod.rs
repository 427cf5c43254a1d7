//! Inspection: `question` parses a caller's question about pages, `answer` has the objects' answers.

pub mod answer;
mod question;

pub use self::question::{DEFAULT_LIMIT, Inspect, InspectError, Kind, MAX_LIMIT, Place, Subject};
