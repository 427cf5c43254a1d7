//! Checks that the documentation agrees with the code.
//!
//! The tables in `docs/configuration.md`, `docs/cache-status.md` and `docs/metrics.md` are generated: `UPDATE=1 cargo test --test docs`
//! updates them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

// `cargo bolero` instruments every test program, and its runtime has to be in each.
use bolero as _;
use cloudflare_isr::internals::admin_api::ENDPOINTS;
use cloudflare_isr::internals::config::{Config, SETTINGS, SettingLevel};
use cloudflare_isr::internals::coordinator::DecisionKind;
use cloudflare_isr::internals::metrics::scrape::METRICS;
use cloudflare_isr::internals::reason::{Reason, ReasonKind};
use cloudflare_isr::internals::semantics::statuses;
use cloudflare_isr::internals::semantics::tag::MAX_TAGS_PER_ROUTE;
use serde_json::{Value, json};

const CONFIGURATION: &str = include_str!("../docs/configuration.md");
const CACHE_STATUS: &str = include_str!("../docs/cache-status.md");
const ADMIN_API: &str = include_str!("../docs/admin-api.md");
const INSPECT: &str = include_str!("../docs/inspect.md");

/// The folder of the recipes: a document for each kind of site, and a folder of the same name with the files it shows.
const RECIPES: &str = "docs/recipes";

/// The schemas of the objects, by the word before the name of a query.
const SCHEMAS: [(&str, &[&str]); 2] = [
    (
        "coordinator",
        &[
            include_str!("../migrations/coordinator/0001_init.sql"),
            include_str!("../migrations/coordinator/0002_copies_and_breaker.sql"),
            include_str!("../migrations/coordinator/0003_scopes.sql"),
            include_str!("../migrations/coordinator/0004_sweeps.sql"),
            include_str!("../migrations/coordinator/0005_views.sql"),
            include_str!("../migrations/coordinator/0006_breaker_evidence.sql"),
            include_str!("../migrations/coordinator/0007_validators.sql"),
            include_str!("../migrations/coordinator/0008_unconfirmed_tags.sql"),
            include_str!("../migrations/coordinator/0009_unpublished.sql"),
            include_str!("../migrations/coordinator/0010_decisions.sql"),
            include_str!("../migrations/coordinator/0011_visits.sql"),
        ],
    ),
    (
        "tag_index",
        &[
            include_str!("../migrations/tag_index/0001_init.sql"),
            include_str!("../migrations/tag_index/0002_scopes_and_directory.sql"),
            include_str!("../migrations/tag_index/0003_views.sql"),
            include_str!("../migrations/tag_index/0004_sinks.sql"),
            include_str!("../migrations/tag_index/0005_bounds.sql"),
            include_str!("../migrations/tag_index/0006_idempotency_keys.sql"),
        ],
    ),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the documents of a folder, with their paths.
fn documents_in(folder: &Path) -> Vec<(PathBuf, String)> {
    let entries = fs::read_dir(folder).expect("it is a folder").map(|entry| entry.expect("it is readable").path());
    let paths = entries.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    paths.map(|path| (path.clone(), fs::read_to_string(path).expect("it is text"))).collect()
}

/// Returns all documents.
fn documents() -> Vec<(PathBuf, String)> {
    let mut folders = vec![root().to_owned(), root().join("docs"), root().join(RECIPES), root().join("tests/bench")];
    for parent in ["examples", "packages"] {
        let entries = fs::read_dir(root().join(parent)).expect("it is a folder");
        folders.extend(entries.map(|entry| entry.expect("it is readable").path()));
    }
    folders.iter().flat_map(|folder| documents_in(folder)).collect()
}

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

/// The code of an example is shown with the name of its file after the language.
#[test]
fn code_of_examples_is_shown_as_it_stands_in_their_files() {
    let mut shown = 0;
    for (_, document) in documents_in(&root().join("docs")) {
        let heads = document.lines().filter_map(|line| line.trim_start().strip_prefix("```"));
        let heads =
            heads.filter(|head| head.split_whitespace().nth(1).is_some_and(|word| word.starts_with("examples/")));
        for head in heads {
            let name = head.split_whitespace().nth(1).expect("it is there");
            let file = fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
            for block in blocks(&document, head) {
                assert!(file.contains(&format!("{block}\n")), "{name} does not have\n{block}");
                shown += 1;
            }
        }
    }
    assert!(shown > 0, "no document shows code of an example");
}

/// The tests of real sites use these files. A reader must see all of each, after the name of the file.
#[test]
fn files_of_recipes_are_shown_whole() {
    let mut shown = 0;
    for (path, document) in documents_in(&root().join(RECIPES)) {
        let folder = path.with_extension("");
        for entry in fs::read_dir(&folder).expect("each recipe has its files") {
            let file = entry.expect("it is readable").path();
            let text = fs::read_to_string(&file).expect("it is text");
            let name = file.strip_prefix(root()).expect("it is ours").display().to_string();
            let is_named = |head: &&str| head.split_whitespace().nth(1) == Some(name.as_str());
            let mut heads = document.lines().filter_map(|line| line.strip_prefix("```")).filter(is_named);
            let head = heads.next().unwrap_or_else(|| panic!("{} does not show {name}", path.display()));
            assert_eq!(blocks(&document, head), [text.trim_end()], "{name} in {}", path.display());
            if file.extension().is_some_and(|extension| extension == "toml") {
                let isr = isr_of(&text).expect("it has settings");
                assert_eq!(Config::from_json(&isr).map(|_| ()).map_err(|error| error.to_string()), Ok(()), "{name}");
            }
            shown += 1;
        }
    }
    assert!(shown >= 8, "there are more of them");
}

fn isr_of(text: &str) -> Option<Value> {
    let table: toml::Table = toml::from_str(text).expect("it is TOML");
    let isr = table.get("vars")?.get("ISR")?.clone();
    Some(serde_json::to_value(isr).expect("TOML tables are JSON objects"))
}

const SETTINGS_HEAD: &str = "| setting | where | default | accepts | meaning |\n";

/// Writes the table of the settings.
fn table_of_settings() -> String {
    let mut table = format!("{SETTINGS_HEAD}|---|---|---|---|---|\n");
    for setting in SETTINGS {
        let place = match setting.levels {
            [SettingLevel::TopLevel] => "top level",
            [SettingLevel::Route] => "route",
            [SettingLevel::TopLevel, SettingLevel::Route] => "both",
            [SettingLevel::Vary] => "`vary`",
            [SettingLevel::Webhook] => "webhook",
            [SettingLevel::Rule] => "rule",
            other => panic!("no word for {other:?}"),
        };
        let (name, default, accepts) = (setting.name, setting.default_text(), setting.accepts());
        let meaning = with_links(setting.documentation());
        writeln!(table, "| `{name}` | {place} | {default} | {accepts} | {meaning} |")
            .expect("writing to memory can't fail");
    }
    table
}

/// Turns the names of documents, such as `docs/storage.md`, into links from another document.
fn with_links(text: &str) -> String {
    let mut pieces = text.split("docs/");
    let mut linked = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (name, rest) = piece.split_once(".md").expect("it is the name of a document");
        write!(linked, "[{name}.md]({name}.md){rest}").expect("writing to memory can't fail");
    }
    linked
}

#[test]
fn the_table_of_settings_is_what_the_code_says() {
    let (before, rest) = CONFIGURATION.split_once(SETTINGS_HEAD).expect("the table is there");
    let (_, after) = rest.split_once("\n\n").expect("something follows the table");
    let document = format!("{before}{}\n{after}", table_of_settings());
    if env::var_os("UPDATE").is_some() {
        return fs::write(root().join("docs/configuration.md"), &document).expect("the file can be written");
    }
    assert!(
        document == CONFIGURATION,
        "docs/configuration.md is not what SETTINGS say: UPDATE=1 cargo test --test docs"
    );
}

/// Numbers and lists that the text of the document repeats.
#[test]
fn bounds_in_the_text_of_the_configuration_are_those_of_the_code() {
    let statuses: Vec<String> = statuses::DEFAULT.iter().map(ToString::to_string).collect();
    let (last, others) = statuses.split_last().expect("there are some");
    let text = CONFIGURATION.replace('\n', " ");
    for expected in [format!("{} or {last}", others.join(", ")), format!("more than {MAX_TAGS_PER_ROUTE} tags")] {
        assert!(text.contains(&expected), "docs/configuration.md does not say: {expected}");
    }
}

/// Writes the table of the reasons. The failures are between the two rows that are not about a single reason.
fn table_of_reasons() -> String {
    let mut table = "| detail | with | meaning |\n|---|---|---|\n".to_owned();
    let mut row = |detail: &str, outcomes: &str, meaning: &str| {
        writeln!(table, "| {detail} | {outcomes} | {meaning} |").expect("writing to memory can't fail");
    };
    row("none", "HIT", "The page comes from L1 of this colo.");
    let mut is_after_failures = false;
    for reason in Reason::ALL {
        let outcomes = match reason.kind() {
            ReasonKind::Source => "HIT",
            ReasonKind::Staleness | ReasonKind::Doubt => "STALE",
            ReasonKind::Failure => "STALE, SKIP",
            ReasonKind::Unstorable => "SKIP",
        };
        if reason.kind() == ReasonKind::Unstorable && !is_after_failures {
            let meaning = "The failure that the rest of the word names, but another request has filled L1 meanwhile.";
            row("`l1-after-…`", "HIT, STALE", meaning);
            is_after_failures = true;
        }
        row(&format!("`{reason}`"), outcomes, reason.description());
    }
    table
}

#[test]
fn the_table_of_reasons_is_what_the_code_says() {
    let (before, rest) = CACHE_STATUS.split_once("| detail | with | meaning |\n").expect("the table is there");
    let (_, after) = rest.split_once("\n\n").expect("something follows the table");
    let document = format!("{before}{}\n{after}", table_of_reasons());
    if env::var_os("UPDATE").is_some() {
        fs::write(root().join("docs/cache-status.md"), &document).expect("the file can be written");
    }
    assert!(document == CACHE_STATUS, "docs/cache-status.md is not what Reason says: UPDATE=1 cargo test --test docs");
}

const ENDPOINTS_HEAD: &str = "| endpoint | parameters | what it does |\n";
const DECISIONS_HEAD: &str = "| kind | meaning |\n";

/// Replaces the table under a head.
fn with_table(document: &str, head: &str, table: &str) -> String {
    let (before, rest) = document.split_once(head).expect("the table is there");
    let (_, after) = rest.split_once("\n\n").expect("something follows the table");
    format!("{before}{table}\n{after}")
}

#[test]
fn the_tables_of_the_admin_api_are_what_the_code_says() {
    let mut kinds = format!("{DECISIONS_HEAD}|---|---|\n");
    for kind in DecisionKind::ALL {
        writeln!(kinds, "| `{}` | {} |", kind.name(), kind.description()).expect("writing to memory can't fail");
    }
    let mut endpoints = format!("{ENDPOINTS_HEAD}|---|---|---|\n");
    for endpoint in ENDPOINTS {
        let parameters: Vec<String> = endpoint.parameters.iter().map(|it| format!("`{}`", it.name)).collect();
        let (method, path, summary) = (endpoint.method, endpoint.path, endpoint.summary);
        writeln!(endpoints, "| `{method} {path}` | {} | {summary} |", parameters.join(", "))
            .expect("writing to memory can't fail");
    }
    let document = with_table(&with_table(ADMIN_API, DECISIONS_HEAD, &kinds), ENDPOINTS_HEAD, &endpoints);
    if env::var_os("UPDATE").is_some() {
        return fs::write(root().join("docs/admin-api.md"), &document).expect("the file can be written");
    }
    assert!(document == ADMIN_API, "docs/admin-api.md is not what the code says: UPDATE=1 cargo test --test docs");
}

const METRICS_HEAD: &str = "| metric | type | labels | meaning |\n";

/// Writes the table of the metrics.
fn table_of_metrics() -> String {
    let mut table = format!("{METRICS_HEAD}|---|---|---|---|\n");
    for metric in METRICS {
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let labels = if labels.is_empty() { "none".to_owned() } else { labels.join(", ") };
        writeln!(table, "| `{}` | {} | {labels} | {}. |", metric.name, metric.kind.as_str(), metric.help)
            .expect("writing to memory can't fail");
    }
    table
}

#[test]
fn the_table_of_metrics_is_what_the_code_says() {
    let document = fs::read_to_string(root().join("docs/metrics.md")).expect("it is there");
    let (before, rest) = document.split_once(METRICS_HEAD).expect("the table is there");
    let (_, after) = rest.split_once("\n\n").expect("something follows the table");
    let expected = format!("{before}{}\n{after}", table_of_metrics());
    if env::var_os("UPDATE").is_some() {
        return fs::write(root().join("docs/metrics.md"), &expected).expect("the file can be written");
    }
    assert!(document == expected, "docs/metrics.md is not what METRICS say: UPDATE=1 cargo test --test docs");
}

/// Configurations of examples exist as files, and are used.
#[test]
fn configurations_that_are_shown_are_accepted() {
    let mut shown = 0;
    for (path, document) in documents() {
        for mut isr in blocks(&document, "toml").iter().filter_map(|block| isr_of(block)) {
            // A block may be about other settings than routes, without which there is no configuration.
            if let Some(settings) = isr.as_object_mut() {
                settings.entry("routes").or_insert_with(|| json!({ "/": {} }));
            }
            let read = Config::from_json(&isr).map(|_| ()).map_err(|error| error.to_string());
            assert_eq!(read, Ok(()), "{}", path.display());
            shown += 1;
        }
    }
    assert!(shown > 5, "there are more of them");
    let own = isr_of(include_str!("../wrangler.toml")).expect("it has one");
    assert_eq!(Config::from_json(&own).map(|_| ()).map_err(|error| error.to_string()), Ok(()));
}

#[test]
fn the_answer_to_a_mistaken_configuration_is_as_shown() {
    let shown = blocks(CONFIGURATION, "json").concat();
    let shown: Value = serde_json::from_str(&shown).expect("it is JSON");
    let problems = shown["error"]["problems"].as_array().expect("it is a list");
    let problems: Vec<&str> = problems.iter().filter_map(Value::as_str).collect();
    let mistaken = json!({ "revalidate": "1m", "routes": { "/blog/[slug]": { "revalidat": 300 } } });
    assert_eq!(Config::from_json(&mistaken).map_err(|error| error.to_string()).err(), Some(problems.join("\n")));
}

/// Returns the text of a document outside its fenced blocks, line by line, without inline code.
fn prose(document: &str) -> Vec<String> {
    let mut is_code = false;
    let lines = document.lines().filter(|line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    });
    lines.map(|line| line.split('`').step_by(2).collect()).collect()
}

/// Returns the anchors of the headings of a document, as its viewer generates them.
fn anchors(document: &str) -> Vec<String> {
    let mut is_code = false;
    let mut seen = BTreeMap::new();
    let mut found = Vec::new();
    for line in document.lines() {
        is_code ^= line.trim_start().starts_with("```");
        let title = line.trim_start_matches('#');
        if is_code || title == line || !title.starts_with(' ') {
            continue;
        }
        let letters = title.trim().to_lowercase();
        let letters = letters.chars().filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
        let name: String = letters.map(|letter| if letter == ' ' { '-' } else { letter }).collect();
        let times: &mut usize = seen.entry(name.clone()).or_default();
        found.push(if *times == 0 { name } else { format!("{name}-{times}") });
        *times += 1;
    }
    found
}

#[test]
fn links_lead_to_files_and_headings_that_are_there() {
    let mut checked = 0;
    let mut dead = Vec::new();
    for (path, document) in documents() {
        let text = prose(&document).join("\n");
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.contains("://") {
                continue;
            }
            checked += 1;
            let (name, anchor) = target.split_once('#').map_or((target, None), |(name, anchor)| (name, Some(anchor)));
            let file = if name.is_empty() { path.clone() } else { path.with_file_name(name) };
            let is_there = match anchor {
                None => file.exists(),
                Some(anchor) => {
                    fs::read_to_string(&file).is_ok_and(|text| anchors(&text).iter().any(|it| it == anchor))
                }
            };
            if !is_there {
                dead.push(format!("{}: {target}", path.display()));
            }
        }
    }
    assert!(checked > 50, "there are more of them");
    assert!(dead.is_empty(), "links lead nowhere:\n{}", dead.join("\n"));
}

/// A document or a test that moves must be renamed wherever it is mentioned.
#[test]
fn files_that_are_named_are_there() {
    let mut checked = 0;
    let mut missing = Vec::new();
    let ours =
        [root().to_owned(), root().join("docs"), root().join(RECIPES)].map(|folder| documents_in(&folder)).concat();
    for (path, document) in ours {
        for name in document.lines().flat_map(|line| line.split('`').skip(1).step_by(2)) {
            let is_ours =
                ["src/", "simulation/", "tests/", "docs/", "migrations/"].iter().any(|folder| name.starts_with(folder));
            if !is_ours || !name.chars().all(|letter| letter.is_ascii_alphanumeric() || "/._-".contains(letter)) {
                continue;
            }
            checked += 1;
            if !root().join(name).exists() {
                missing.push(format!("{}: {name}", path.display()));
            }
        }
    }
    assert!(checked > 50, "there are more of them");
    assert!(missing.is_empty(), "files are not there:\n{}", missing.join("\n"));
}

/// Each framework example has two forms: behind a gateway, and in front of a cache that it calls by a binding.
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

/// `tests/e2e/inspect.test.mjs` checks their results.
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
