//! The JSON schema and the TypeScript type of `[vars.ISR]` are generated from the declarations of the settings, and
//! agree with the parser. The TypeScript type of reasons is generated from their list.
//!
//! They are files of the npm package. `UPDATE=1 cargo test --test schema` updates them.

mod json;
mod reason;
mod typescript;

use std::path::Path;
use std::{env, fs};

// `cargo bolero` instruments every test program, and its runtime has to be in each.
use bolero as _;
use cloudflare_isr::internals::admin_api::document;
use cloudflare_isr::internals::config::{Config, SETTINGS, Setting, SettingLevel};
use cloudflare_isr::internals::coordinator::DecisionKind;
use serde_json::Value;

const PACKAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/packages/cloudflare-isr");

/// Configurations and their results. `tests/e2e/package.test.mjs` checks the schema with the same list.
const SAMPLES: &str = include_str!("samples.json");

/// Returns the settings that are accepted in a table.
fn settings_of(level: SettingLevel) -> impl Iterator<Item = &'static Setting> {
    SETTINGS.iter().copied().filter(move |setting| setting.is_accepted_in(level))
}

/// Returns the text that editors show for a setting.
fn description(setting: &Setting) -> String {
    format!("{} Accepts {}. Default: {}.", setting.documentation(), setting.accepts(), setting.default_text())
}

/// Compares a file with its expected text, or writes it if that is requested.
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
fn the_document_of_the_admin_api_is_what_the_endpoints_say() {
    is_up_to_date("openapi.json", &format!("{:#}\n", document()));
}

#[test]
fn the_type_of_decisions_has_each_kind() {
    let module = fs::read_to_string(Path::new(PACKAGE).join("src/inspection.ts")).expect("it is text");
    let (_, kinds) = module.split_once("  kind:\n").expect("the type is there");
    let kinds = kinds.split_once(';').expect("it ends").0;
    let listed: Vec<&str> = kinds.lines().map(|line| line.trim().trim_start_matches("| ").trim_matches('"')).collect();
    assert_eq!(listed, DecisionKind::ALL.iter().map(|kind| kind.name()).collect::<Vec<_>>());
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
