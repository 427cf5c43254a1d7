//! What the documentation shows is what the code does.

use std::fs;
use std::path::Path;

// `cargo bolero` instruments every test program, and its runtime has to be in each.
use bolero as _;
use cloudflare_isr::config::{Config, SETTINGS, Scope};
use cloudflare_isr::semantics::cache_status::DETAILS;
use serde_json::Value;

const README: &str = include_str!("../README.md");
const STORAGE: &str = include_str!("../docs/storage.md");
const ORIGINS: &str = include_str!("../docs/origins.md");
const INSPECT: &str = include_str!("../docs/inspect.md");

/// The schemas of the objects, by the word that stands before the name of a query.
const SCHEMAS: [(&str, &[&str]); 2] = [
    (
        "coordinator",
        &[
            include_str!("../migrations/coordinator/0001_init.sql"),
            include_str!("../migrations/coordinator/0002_copies_and_breaker.sql"),
            include_str!("../migrations/coordinator/0003_scopes.sql"),
            include_str!("../migrations/coordinator/0004_sweeps.sql"),
            include_str!("../migrations/coordinator/0005_views.sql"),
        ],
    ),
    (
        "tag_index",
        &[
            include_str!("../migrations/tag_index/0001_init.sql"),
            include_str!("../migrations/tag_index/0002_scopes_and_directory.sql"),
            include_str!("../migrations/tag_index/0003_views.sql"),
            include_str!("../migrations/tag_index/0004_sinks.sql"),
        ],
    ),
];

/// Returns the contents of all fenced blocks of a language, without their indentation.
fn blocks(document: &str, language: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = document.lines();
    while let Some(line) = lines.next() {
        let indent = line.len() - line.trim_start().len();
        if line.trim_start() == format!("```{language}") {
            let block = lines.by_ref().take_while(|line| line.trim_start() != "```");
            found.push(block.map(|line| line.get(indent..).unwrap_or_default()).collect::<Vec<_>>().join("\n"));
        }
    }
    found
}

/// Code of an example is shown with the name of its file behind the language.
#[test]
fn code_of_examples_is_shown_as_it_stands_in_their_files() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut shown = 0;
    for entry in fs::read_dir(root.join("docs")).expect("there are documents") {
        let document = fs::read_to_string(entry.expect("it is readable").path()).expect("it is text");
        let heads = document.lines().filter_map(|line| line.trim_start().strip_prefix("```"));
        let heads =
            heads.filter(|head| head.split_whitespace().nth(1).is_some_and(|word| word.starts_with("examples/")));
        for head in heads {
            let name = head.split_whitespace().nth(1).expect("it is there");
            let file = fs::read_to_string(root.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
            for block in blocks(&document, head) {
                assert!(file.contains(&format!("{block}\n")), "{name} does not have\n{block}");
                shown += 1;
            }
        }
    }
    assert!(shown > 0, "no document shows code of an example");
}

fn isr_of(text: &str) -> Option<Value> {
    let table: toml::Table = toml::from_str(text).expect("it is TOML");
    let isr = table.get("vars")?.get("ISR")?.clone();
    Some(serde_json::to_value(isr).expect("TOML tables are JSON objects"))
}

#[test]
fn the_table_of_settings_lists_all_of_them_with_their_defaults_and_bounds() {
    for setting in SETTINGS {
        let place = match setting.scope {
            Scope::TopLevel => "top level",
            Scope::Route => "route",
            Scope::Both => "both",
            Scope::Vary => "`vary`",
        };
        let default = match setting.default_text() {
            words if words == "none" || words == "required" || words.starts_with("as ") => words,
            code => format!("`{code}`"),
        };
        let row = format!("| `{}` | {place} | {default} | {} |", setting.name, setting.accepts());
        assert!(README.contains(&row), "README.md lacks a row that begins with\n{row}");
    }
    let rows = README.lines().filter(|line| {
        line.contains(" | top level | ")
            || line.contains(" | route | ")
            || line.contains(" | both | ")
            || line.contains(" | `vary` | ")
    });
    assert_eq!(rows.count(), SETTINGS.len(), "a row of README.md names a setting that there is not");
}

#[test]
fn every_detail_of_cache_status_is_explained() {
    let mut sections = README.split("\n## ");
    let section = sections.find_map(|section| section.strip_prefix("What `Cache-Status` says\n"));
    let rows = section.expect("the section is there").lines();
    let words = rows.filter_map(|row| row.strip_prefix("| `")?.split('`').next());
    let explained: Vec<&str> = words.filter(|word| !word.starts_with("l1-after-")).collect();
    assert_eq!(explained, DETAILS);
}

#[test]
fn configurations_that_are_shown_are_accepted() {
    let blocks = [README, STORAGE, ORIGINS].map(|document| blocks(document, "toml")).concat();
    let shown: Vec<Value> = blocks.iter().filter_map(|block| isr_of(block)).collect();
    assert_eq!(shown.len(), 5);
    for isr in shown.iter().chain(&isr_of(include_str!("../wrangler.toml"))) {
        assert_eq!(Config::from_json(isr).map(|_| ()).map_err(|error| error.to_string()), Ok(()));
    }
}

/// Examples of frameworks are there twice: behind a gateway, and in front of a cache that they ask by a binding.
#[test]
fn examples_have_the_same_pages_cached_behind_a_gateway_and_by_a_binding() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut compared = 0;
    for entry in fs::read_dir(root).expect("there are examples") {
        let example = entry.expect("it is readable").path();
        let isr =
            |file: &str| isr_of(&fs::read_to_string(example.join(file)).expect("it is text")).expect("it has routes");
        if example.join("binding").is_dir() {
            assert_eq!(isr("binding/cache.toml"), isr("gateway/wrangler.toml"), "{}", example.display());
            compared += 1;
        }
    }
    assert!(compared >= 3, "{compared}");
}

/// That they give what they should, `tests/e2e/inspect.test.mjs` shows.
#[test]
fn queries_that_are_shown_are_for_one_object_each_and_run_there() {
    let heads: Vec<&str> = INSPECT.lines().filter_map(|line| line.strip_prefix("```sql ")).collect();
    assert!(heads.len() > 10 && blocks(INSPECT, "sql").is_empty(), "each says for which object it is, and its name");
    let mut run = 0;
    for (object, migrations) in SCHEMAS {
        let database = rusqlite::Connection::open_in_memory().expect("SQLite opens a database in memory");
        for migration in migrations {
            database.execute_batch(migration).expect("it is SQL");
        }
        for head in heads.iter().filter(|head| head.split(' ').next() == Some(object)) {
            for query in blocks(INSPECT, &format!("sql {head}")) {
                database.prepare(&query).unwrap_or_else(|error| panic!("{head}: {error}"));
                run += 1;
            }
        }
        let mut names = database
            .prepare("SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'")
            .expect("it is SQL");
        let names = names.query_map([], |row| row.get::<_, String>(0)).expect("it runs");
        for name in names.map(|name| name.expect("it is text")) {
            assert!(INSPECT.contains(&format!("`{name}`")), "docs/inspect.md does not say what {name} is");
        }
    }
    assert_eq!(run, heads.len(), "a name is there twice, or an object is unknown");
}
