//! Inspection: `question` is what a caller asks about pages, `answer` is what the objects say.

pub mod answer;
mod question;

pub use self::question::{DEFAULT_LIMIT, Inspect, InspectError, Kind, MAX_LIMIT, Place, Subject};
