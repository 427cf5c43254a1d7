//! The type of a reason in TypeScript.

use std::fmt::Write as _;

use cloudflare_isr::internals::reason::Reason;

/// Returns the whole module.
pub(crate) fn module() -> String {
    let mut text = "// Made of the list in src/reason.rs by tests/schema: change it there.\n\n\
        /** Why the cache answered as it did, as in `detail` of `Cache-Status`. */\nexport type IsrReason =\n"
        .to_owned();
    for reason in Reason::ALL {
        let end = if Reason::ALL.last() == Some(reason) { ";" } else { "" };
        // Writing to a string can't fail.
        let _ = writeln!(text, "  /** {} */\n  | \"{reason}\"{end}", reason.description());
    }
    text
}
