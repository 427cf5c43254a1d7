//! The format of the files in `simulation/faults/`.
//!
//! ```text
//! What the mistake is, in one sentence.
//! Breaks promise 1.
//!
//! --- src/coordinator/breaker.rs
//!  a line before, for the context
//! -the line as shipped
//! +the line with the mistake
//! ```
//!
//! A hunk starts with `--- <file>`; a fault may have several. There are no line numbers: the context and the `-` lines must
//! occur exactly once in the file. Indentation and empty lines don't count. Text after `#` at the start of a line is a
//! comment.

/// The text of a patch without hunks: the simulation's own code asks for this fault.
const BY_SIMULATION: &str = "Made by the simulation itself.";

/// A deliberate fault.
#[derive(Debug)]
pub(crate) struct Patch {
    pub(crate) fault: String,
    pub(crate) mistake: String,
    /// The number of the promise that the fault breaks.
    pub(crate) promise: u8,
    pub(crate) hunks: Vec<Hunk>,
}

/// Consecutive lines of a file, and their replacement in the fault.
#[derive(Debug)]
pub(crate) struct Hunk {
    pub(crate) file: String,
    pub(crate) shipped: Vec<String>,
    pub(crate) faulty: Vec<String>,
}

impl Patch {
    /// Parses a patch file.
    pub(crate) fn parse(fault: &str, text: &str) -> Result<Self, String> {
        if !fault.starts_with(|first: char| first.is_ascii_uppercase())
            || fault.contains(|c: char| !c.is_alphanumeric())
        {
            return Err("the file's name is not a name in camel case".to_owned());
        }
        let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
        let (mut header, mut hunks) = (Vec::new(), Vec::<Hunk>::new());
        for line in lines {
            if let Some(file) = line.strip_prefix("--- ") {
                hunks.push(Hunk { file: file.trim().to_owned(), shipped: Vec::new(), faulty: Vec::new() });
                continue;
            }
            match hunks.last_mut() {
                Some(hunk) => hunk.add(line)?,
                None => header.push(line),
            }
        }
        let (mistake, promise, rest) = match header.as_slice() {
            [mistake, promise, rest @ ..] => ((*mistake).to_owned(), promise, rest),
            _ => return Err("the first line is not the mistake, and the second not `Breaks promise <n>.`".to_owned()),
        };
        let promise = promise.strip_prefix("Breaks promise ").and_then(|rest| rest.strip_suffix('.'));
        let promise = promise.and_then(|number| number.parse().ok());
        let promise = promise.ok_or("the second line is not `Breaks promise <n>.`")?;
        if hunks.is_empty() != (rest == [BY_SIMULATION]) {
            return Err(format!("has neither hunks nor the line `{BY_SIMULATION}`, or has both"));
        }
        if hunks.iter().any(|hunk| hunk.shipped.is_empty() || hunk.shipped == hunk.faulty) {
            return Err("a hunk says nothing of where it belongs, or changes nothing".to_owned());
        }
        Ok(Self { fault: fault.to_owned(), mistake, promise, hunks })
    }
}

impl Hunk {
    fn add(&mut self, line: &str) -> Result<(), String> {
        let (sign, code) = line.split_at_checked(1).ok_or_else(|| format!("starts with neither sign: {line}"))?;
        let code = code.trim().to_owned();
        match sign {
            " " => {
                self.shipped.push(code.clone());
                self.faulty.push(code);
            }
            "-" => self.shipped.push(code),
            "+" => self.faulty.push(code),
            _ => return Err(format!("starts with neither a space, `-` nor `+`: {line}")),
        }
        Ok(())
    }
}
