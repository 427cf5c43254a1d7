//! The JSON schema and the TypeScript type of `[vars.ISR]` are made of the one list of settings, and agree with its parser.
//! The TypeScript type of reasons is made of their list.
//!
//! They are files of the npm package. `UPDATE=1 cargo test --test schema` writes them anew.

mod json;
mod reason;
mod typescript;

use std::path::Path;
use std::{env, fs};

// `cargo bolero` instruments every test program, and its runtime has to be in each.
use bolero as _;
use cloudflare_isr::config::{Config, SETTINGS, Scope, Setting};
use serde_json::Value;

const PACKAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/packages/cloudflare-isr");
const CONFIGURATION: &str = include_str!("../../docs/configuration.md");

/// Configurations with what becomes of them. `tests/e2e/package.test.mjs` holds the schema beside the same list.
const SAMPLES: &str = include_str!("samples.json");

/// Returns the settings that may stand in a table.
fn settings_of(table: Scope) -> impl Iterator<Item = &'static Setting> {
    SETTINGS.iter().filter(move |setting| {
        setting.scope == table || (setting.scope == Scope::Both && matches!(table, Scope::TopLevel | Scope::Route))
    })
}

/// Says what a setting is for, with its default: from the table of `docs/configuration.md`, so that editors show what it says.
fn description(setting: &Setting) -> String {
    let head = format!("| `{}` | ", setting.name);
    let row = CONFIGURATION.lines().find(|line| line.starts_with(&head)).expect("tests/docs.rs sees that it has a row");
    // The cells between the bars at both ends: name, place, default, what is accepted, meaning.
    let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
    let (default, meaning) = (cells[2], *cells.last().expect("a row has cells"));
    let meaning = without_links(meaning);
    let mut letters = meaning.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}. Accepts {}. Default: {default}.", letters.as_str(), setting.accepts())
}

/// Names the documents that a text links to, which stand beside the table: an editor shows no links.
fn without_links(text: &str) -> String {
    let mut pieces = text.split('[');
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        match piece.split_once("](").and_then(|(name, rest)| Some((name, rest.split_once(')')?.1))) {
            Some((name, rest)) => plain.extend(["docs/", name, rest]),
            // A bracket of another kind.
            None => plain.extend(["[", piece]),
        }
    }
    plain
}

/// Compares a file with what it should be, or writes it if that is asked for.
fn is_up_to_date(file: &str, text: &str) {
    let path = Path::new(PACKAGE).join(file);
    if env::var_os("UPDATE").is_some() {
        fs::write(&path, text).expect("the file can be written");
    }
    let present = fs::read_to_string(&path).unwrap_or_default();
    assert!(present == text, "{file} is not what the code says: run `UPDATE=1 cargo test --test schema`");
}

#[test]
fn the_schema_is_what_the_settings_say() {
    is_up_to_date("schema.json", &format!("{:#}\n", json::schema()));
}

#[test]
fn the_type_is_what_the_settings_say() {
    is_up_to_date("src/config.ts", &typescript::module());
}

#[test]
fn the_type_of_reasons_is_what_their_list_says() {
    is_up_to_date("src/reason.ts", &reason::module());
}

#[test]
fn samples_are_accepted_or_refused_by_the_parser_as_they_say() {
    let samples: Vec<Value> = serde_json::from_str(SAMPLES).expect("it is JSON");
    assert!(samples.len() > 10);
    for sample in samples {
        let read = Config::from_json(&sample["config"]);
        assert_eq!(Value::Bool(read.is_ok()), sample["valid"], "{}: {:?}", sample["name"], read.err());
    }
}
