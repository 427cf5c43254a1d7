//! Parts of error messages.

use serde_json::Value;

use crate::route::MAX_PATTERN_BYTES;

/// How many characters of a value a message repeats.
const MAX_SHOWN_CHARS: usize = 60;

/// How many characters of a key a message repeats. Every valid pattern is shown whole.
const MAX_KEY_CHARS: usize = MAX_PATTERN_BYTES + 2;

/// Returns the name that is most similar to a misspelt one, if it is similar enough to be meant.
pub(super) fn closest(name: &str, known: &[&'static str]) -> Option<&'static str> {
    let closest = known.iter().map(|known| (distance(&plain(name), &plain(known)), *known)).min();
    // A third of the letters may differ: enough for a slip, too few to turn one word into another.
    closest.filter(|&(distance, known)| distance * 3 <= known.len()).map(|(_, name)| name)
}

/// Returns a key as it is written in TOML: bare where possible, otherwise in quotes.
#[must_use]
pub fn key(name: &str) -> String {
    let bare = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if bare && name.len() <= MAX_KEY_CHARS {
        name.to_owned()
    } else {
        truncated(&Value::from(name).to_string(), MAX_KEY_CHARS)
    }
}

/// Returns a value as it is shown in a message: as JSON, truncated, or by its type.
pub(super) fn show(value: &Value) -> String {
    match value {
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a table".to_owned(),
        scalar => truncated(&scalar.to_string(), MAX_SHOWN_CHARS),
    }
}

fn truncated(text: &str, max_chars: usize) -> String {
    match text.char_indices().nth(max_chars) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// Returns the letters of a name without the differences between naming conventions: case, `_` and `-`.
fn plain(name: &str) -> Vec<char> {
    name.chars().take(MAX_SHOWN_CHARS).filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect()
}

/// Returns the Levenshtein distance: the number of letters to insert, remove or replace to turn one name into another.
fn distance(from: &[char], to: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        row[0] = left;
        for (j, b) in to.iter().enumerate() {
            let above = row[j + 1];
            left = (diagonal + usize::from(a != b)).min(above + 1).min(left + 1);
            diagonal = above;
            row[j + 1] = left;
        }
    }
    row[to.len()]
}
