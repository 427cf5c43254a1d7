//! Inspection: `question` parses a caller's question about pages, `answer` has the objects' answers.

pub mod answer;
mod question;

pub use self::question::{Cursor, DEFAULT_LIMIT, Inspect, InspectError, MAX_LIMIT, Subject, SubjectKind};
