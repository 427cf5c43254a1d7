//! Makes faults switchable at run time.
//!
//! A function that a fault changes gets a second body for it; all faults are compiled at once:
//!
//! ```text
//! fn holds_until(&self, now: Timestamp) -> Option<Timestamp> {
//!     if crate::fault::on(crate::fault::Fault::NoBreaker) {
//!         None
//!     } else {
//!         (self.is_open() && self.probe_at > now).then_some(self.probe_at)
//!     }
//! }
//! ```
//!
//! The last branch is the shipped body, byte by byte. [`weave`] proves it for each file: without the lines that it has added,
//! the woven text is the shipped one. Each fault changes the shipped body, so two faults may touch the same line.

use std::collections::BTreeMap;
use std::ops::Range;

use super::patch::Hunk;

/// Ends the line that opens the first faulty body of a function.
const FAULTY: &str = "// woven: faulty";

/// Ends the line that opens the shipped body.
const SHIPPED: &str = "// woven: shipped";

/// Ends the line that closes the shipped body.
const END: &str = "// woven: end";

/// Lines of a file, and their replacement in a fault.
type Change<'a> = (Range<usize>, &'a [String]);

/// Weaves hunks into a source file, or lists those that do not fit.
pub(crate) fn weave(source: &str, hunks: &[(&str, &Hunk)]) -> Result<String, Vec<String>> {
    if hunks.is_empty() {
        return Ok(source.to_owned());
    }
    let lines: Vec<&str> = source.lines().collect();
    // The bodies by their first line, with the faults that change them.
    let mut bodies = BTreeMap::<usize, (Range<usize>, BTreeMap<&str, Vec<Change<'_>>>)>::new();
    let mut problems = Vec::new();
    for (fault, hunk) in hunks {
        let change = place(&lines, &hunk.shipped).map(|at| change(at, hunk));
        match change.and_then(|change| Ok((body_around(&lines, &change.0)?, change))) {
            Ok((body, change)) => {
                let (_, faults) = bodies.entry(body.start).or_insert_with(|| (body, BTreeMap::new()));
                faults.entry(fault).or_default().push(change);
            }
            Err(problem) => {
                let (file, lines) = (&hunk.file, hunk.shipped.join("\n    "));
                problems.push(format!("faults/{fault}.patch: {problem} {file}:\n    {lines}"));
            }
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut woven = String::with_capacity(source.len() * 2);
    let mut next = 0;
    for (body, faults) in bodies.into_values() {
        push_lines(&mut woven, &lines[next..body.start]);
        push_bodies(&mut woven, &lines, &body, faults);
        next = body.end;
    }
    push_lines(&mut woven, &lines[next..]);
    if shipped(&woven) == source { Ok(woven) } else { Err(vec!["the woven text is not the shipped one".to_owned()]) }
}

/// Returns a woven text without the added lines.
fn shipped(woven: &str) -> String {
    let mut text = String::with_capacity(woven.len());
    let mut is_faulty = false;
    for line in woven.lines() {
        if line.ends_with(FAULTY) {
            is_faulty = true;
        } else if line.ends_with(SHIPPED) {
            is_faulty = false;
        } else if !is_faulty && !line.ends_with(END) {
            push_lines(&mut text, &[line]);
        }
    }
    text
}

fn push_lines(text: &mut String, lines: &[&str]) {
    for line in lines {
        text.push_str(line);
        text.push('\n');
    }
}

/// Adds the bodies of one function: one for each fault, then the shipped one.
fn push_bodies(text: &mut String, lines: &[&str], body: &Range<usize>, faults: BTreeMap<&str, Vec<Change<'_>>>) {
    let mut opening = "";
    for (fault, mut changes) in faults {
        push_lines(text, &[&format!("{opening}if crate::fault::on(crate::fault::Fault::{fault}) {{ {FAULTY}")]);
        changes.sort_by_key(|(place, _)| place.start);
        let mut next = body.start;
        for (place, faulty) in changes {
            push_lines(text, &lines[next..place.start]);
            push_lines(text, &faulty.iter().map(String::as_str).collect::<Vec<_>>());
            next = place.end;
        }
        push_lines(text, &lines[next..body.end]);
        opening = "} else ";
    }
    push_lines(text, &[&format!("}} else {{ {SHIPPED}")]);
    push_lines(text, &lines[body.clone()]);
    push_lines(text, &[&format!("}} {END}")]);
}

/// Finds the only place where these lines occur one after the other.
fn place(lines: &[&str], wanted: &[String]) -> Result<usize, String> {
    let is_here = |at: &usize| wanted.iter().zip(&lines[*at..]).all(|(wanted, line)| line.trim() == wanted);
    let last = (lines.len() + 1).saturating_sub(wanted.len());
    let places: Vec<usize> = (0..last).filter(is_here).collect();
    match places.as_slice() {
        [at] => Ok(*at),
        [] => Err("these lines are not in".to_owned()),
        places => Err(format!("these lines are {} times in", places.len())),
    }
}

/// Removes the context of a hunk, which may extend beyond the function.
fn change(at: usize, hunk: &Hunk) -> Change<'_> {
    let Hunk { shipped, faulty, .. } = hunk;
    let before = shipped.iter().zip(faulty).take_while(|(shipped, faulty)| shipped == faulty).count();
    let (shipped, faulty) = (&shipped[before..], &faulty[before..]);
    let after = shipped.iter().rev().zip(faulty.iter().rev()).take_while(|(shipped, faulty)| shipped == faulty).count();
    let start = at + before;
    (start..start + shipped.len() - after, &faulty[..faulty.len() - after])
}

/// Finds the body of the function around a place. The source is formatted by rustfmt: the brace that closes a function
/// stands alone, with the indentation of the function.
fn body_around(lines: &[&str], place: &Range<usize>) -> Result<Range<usize>, String> {
    let body_of = |head: usize| {
        let indent = indent(lines[head]);
        let is_opening = |at: &usize| lines[*at].ends_with('{') && (*at == head || indent_of(lines, *at) == indent);
        let start = (head..lines.len()).find(is_opening)? + 1;
        let end = (start..lines.len()).find(|at| lines[*at].trim() == "}" && indent_of(lines, *at) == indent)?;
        (start <= place.start && place.end <= end).then_some(start..end)
    };
    let heads = (0..place.start).rev().filter(|at| is_function(lines[*at]));
    heads.into_iter().find_map(body_of).ok_or_else(|| "these lines are not in the body of one function of".to_owned())
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

fn indent_of(lines: &[&str], at: usize) -> usize {
    indent(lines[at])
}

fn is_function(line: &str) -> bool {
    let is_qualifier = |word: &&str| word.starts_with("pub") || ["const", "async"].contains(word);
    line.split_whitespace().find(|word| !is_qualifier(word)) == Some("fn")
}
