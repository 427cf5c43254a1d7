//! The receipt of an invalidation, and its progress.

use serde::Deserialize;
use serde_json::Value;

use super::read;
use crate::failure::Failure;

/// The kinds of targets, as the fields of a receipt.
const KINDS: [&str; 4] = ["path", "tag", "prefix", "route"];

/// A receipt, as it is and as it is understood.
#[derive(Clone, Debug)]
pub(crate) struct Receipt {
    /// As the deployment wrote it.
    pub(crate) json: Value,
    /// What is understood of it.
    pub(crate) read: Progress,
}

/// The parts of a receipt that matter.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Progress {
    /// Its number in the log.
    pub(crate) seq: u64,
    mode: String,
    refresh: String,
    pages: Pages,
    /// The coordinators concerned.
    pub(crate) shards: Shards,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct Pages {
    matched: u64,
    /// Pages that a purge or an eager refresh still has to process; `None`: not known yet, or there is nothing to process.
    pending: Option<u64>,
}

/// The coordinators that an invalidation concerns.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Shards {
    /// Those that have applied it.
    pub(crate) applied: u64,
    /// Those that have not.
    pub(crate) pending: u64,
}

impl Receipt {
    /// Reads a receipt.
    pub(crate) fn read(json: &Value) -> Result<Self, Failure> {
        Ok(Self { json: json.clone(), read: read(json)? })
    }

    /// Returns whether every coordinator has applied the invalidation and has processed its pages. The receipt of an eager
    /// refresh does not tell; a later question does.
    pub(crate) fn is_done(&self) -> bool {
        let Progress { refresh, pages, shards, .. } = &self.read;
        let has_pages_to_process = match pages.pending {
            Some(pending) => pending > 0,
            None => refresh == "eager" && self.json.get("doneAt").is_none(),
        };
        shards.pending == 0 && !has_pages_to_process
    }

    /// Returns the cells of a table: number, target, mode, pages, applied, pending.
    pub(crate) fn row(&self) -> [String; 6] {
        let Progress { seq, mode, refresh, pages, shards } = &self.read;
        let named = KINDS.iter().find_map(|kind| Some(format!("{kind} {}", self.json.get(kind)?.as_str()?)));
        let mode = if refresh == "eager" { format!("{mode}, eager") } else { mode.clone() };
        [
            seq.to_string(),
            named.unwrap_or_else(|| "everything".to_owned()),
            mode,
            pages.matched.to_string(),
            shards.applied.to_string(),
            shards.pending.to_string(),
        ]
    }
}
