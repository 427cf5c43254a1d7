//! Files of pinned bytes: readable for people, and compared with the code.
//!
//! A file is a list of sections. A section begins with `== <name>`. For a value in a header, the next line is its text,
//! as `<header>: <text>`. Then come the bytes in hexadecimal, with their meaning in CBOR's diagnostic notation after
//! `#`. The tests compare whole sections, so the notes are correct as well.

use std::fmt::Write;

use ciborium::Value;

/// A file of pinned bytes.
pub(crate) struct Pinned {
    sections: Vec<Section>,
}

/// The pinned value of one name: its section, the text of its header if there is one, and its bytes.
pub(crate) struct Section {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) header: String,
    pub(crate) bytes: Vec<u8>,
}

impl Pinned {
    /// Parses a file.
    pub(crate) fn read(file: &str) -> Self {
        let mut sections: Vec<Section> = Vec::new();
        for line in file.lines().filter(|line| !line.is_empty()) {
            if let Some(name) = line.strip_prefix("== ") {
                let name = name.to_owned();
                sections.push(Section { name, text: String::new(), header: String::new(), bytes: Vec::new() });
            }
            let section = sections.last_mut().expect("a file begins with a section");
            section.text += line;
            section.text.push('\n');
            match line.split_once(": ") {
                Some((name, value)) if name.starts_with("x-isr-") => value.clone_into(&mut section.header),
                _ if line.starts_with("== ") => {}
                _ => section.bytes.extend(from_hex(line.split('#').next().unwrap_or_default())),
            }
        }
        Self { sections }
    }

    /// Returns the names of all sections, in order.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.sections.iter().map(|section| section.name.as_str()).collect()
    }

    /// Returns all sections, in order.
    pub(crate) fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// Returns the section of this name; `None` if nothing is pinned under it yet.
    pub(crate) fn get(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name)
    }
}

/// Writes the head of a section.
pub(crate) fn head(name: &str) -> String {
    format!("== {name}\n")
}

/// Writes bytes and their meaning.
pub(crate) fn line(bytes: &[u8], meaning: &str) -> String {
    indented(bytes, 0, meaning)
}

/// Writes CBOR: one item per line, with the items of a list or a map below it.
pub(crate) fn cbor(bytes: &[u8]) -> String {
    let value: Value = ciborium::from_reader(bytes).expect("it is CBOR");
    assert_eq!(encoded(&value), bytes, "it is in the shortest form, with nothing behind it");
    let mut out = String::new();
    item(&value, 0, &mut out);
    out
}

fn item(value: &Value, depth: usize, out: &mut String) {
    let children: Vec<&Value> = match value {
        Value::Array(items) => items.iter().collect(),
        Value::Map(pairs) => pairs.iter().flat_map(|(key, value)| [key, value]).collect(),
        _ => Vec::new(),
    };
    let whole = encoded(value);
    let below: usize = children.iter().map(|child| encoded(child).len()).sum();
    let meaning = match value {
        Value::Array(items) => format!("list of {}", items.len()),
        Value::Map(pairs) => format!("map of {}", pairs.len()),
        Value::Text(text) => format!("{text:?}"),
        Value::Integer(number) => i128::from(*number).to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::Null => "null".to_owned(),
        other => format!("{other:?}"),
    };
    *out += &indented(&whole[..whole.len() - below], depth, &meaning);
    for child in children {
        item(child, depth + 1, out);
    }
}

fn encoded(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    ciborium::into_writer(value, &mut out).expect("writing to memory can't fail");
    out
}

fn indented(bytes: &[u8], depth: usize, meaning: &str) -> String {
    let mut out = "  ".repeat(depth);
    for byte in bytes {
        write!(out, "{byte:02x}").expect("writing to memory can't fail");
    }
    out + "  # " + meaning + "\n"
}

fn from_hex(line: &str) -> Vec<u8> {
    let digits: Vec<u32> = line.trim().chars().map(|c| c.to_digit(16).expect("a hexadecimal digit")).collect();
    let byte = |pair: &[u32]| pair.iter().fold(0, |byte, digit| byte << 4 | u8::try_from(*digit).expect("below 16"));
    digits.chunks(2).map(byte).collect()
}
