//! Inspection: `question` parses a caller's question about pages, `answer` has the objects' answers, `explain` puts what
//! they say into words, and `health` judges a whole deployment.

pub mod answer;
pub mod explain;
mod explain_request;
pub mod health;
pub mod places;
mod question;
pub mod survey;
pub mod words;

pub use self::explain_request::{Explain, ExplainError};
pub use self::question::{Cursor, DEFAULT_LIMIT, Inspect, InspectError, MAX_LIMIT, Subject, SubjectKind};
