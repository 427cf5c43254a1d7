//! Pieces of text for people.

use cloudflare_isr::Timestamp;
use cloudflare_isr::internals::inspection::words;

/// The meaning of a color.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// All is well.
    Good,
    /// Something is wrong.
    Bad,
}

/// Colors a text, if colors are wanted.
pub(crate) fn paint(text: &str, tone: Tone, is_colored: bool) -> String {
    let code = match tone {
        Tone::Good => 32,
        Tone::Bad => 31,
    };
    if is_colored { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}

/// A text that grows line by line.
pub(crate) trait Lines {
    /// Adds text in a new line.
    fn line(&mut self, text: &str);

    /// Adds text after an empty line.
    fn paragraph(&mut self, text: &str);
}

impl Lines for String {
    fn line(&mut self, text: &str) {
        self.push('\n');
        self.push_str(text);
    }

    fn paragraph(&mut self, text: &str) {
        self.push_str("\n\n");
        self.push_str(text);
    }
}

/// Makes a text from outside harmless for a terminal: a path or a tag may contain control characters.
pub(crate) fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    for char in text.chars() {
        if char.is_control() { cleaned.extend(char.escape_default()) } else { cleaned.push(char) }
    }
    cleaned
}

/// Writes a time of day in UTC, with its date unless that is the one of `now`.
pub(crate) fn when(at: Option<Timestamp>, now: Timestamp) -> String {
    at.map_or_else(|| "–".to_owned(), |at| words::clock(at, now))
}

/// Writes a number with its noun: `1 page`, `2 pages`.
pub(crate) fn number(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_from_outside_can_not_steer_a_terminal() {
        assert_eq!(clean("/a\u{1b}[2Jb\nc\u{9b}d é"), "/a\\u{1b}[2Jb\\nc\\u{9b}d é");
        assert_eq!(paint("x", Tone::Bad, false), "x");
        assert_eq!(paint("x", Tone::Bad, true), "\u{1b}[31mx\u{1b}[0m");
    }

    #[test]
    fn times_are_written_in_relation_to_now() {
        let at = Timestamp::from_millis;
        assert_eq!((when(None, at(0)), when(Some(at(0)), at(1))), ("–".to_owned(), "00:00:00".to_owned()));
        assert_eq!((number(1, "page"), number(0, "page")), ("1 page".to_owned(), "0 pages".to_owned()));
    }
}
