//! `check` over good and bad configurations.

use super::*;

const GOOD: &str = r#"
name = "gateway"
main = "index.js"

[[services]]
binding = "ORIGIN"
service = "site"

[[kv_namespaces]]
binding = "ISR_CACHE"

[[durable_objects.bindings]]
name = "COORDINATOR"
class_name = "IsrCoordinator"

[[durable_objects.bindings]]
name = "TAG_INDEX"
class_name = "IsrTagIndex"

[[migrations]]
tag = "v1"
new_sqlite_classes = ["IsrCoordinator", "IsrTagIndex"]

[vars.ISR]
revalidate = 60

[vars.ISR.routes."/blog/[slug]"]
revalidate = 300
"#;

fn args() -> CheckArgs {
    CheckArgs { file: PathBuf::from("wrangler.toml"), env: None, in_code: false, own_l2: false }
}

fn checked(text: &str, args: &CheckArgs) -> Report {
    check_text(&args.file, text, args, Screen::default()).unwrap()
}

/// Checks a changed configuration, and returns the problems of all environments: line, setting and message.
fn problems(text: &str, args: &CheckArgs) -> Vec<(Option<u64>, String, String)> {
    let report = checked(text, args);
    let environments = report.json["environments"].as_array().unwrap().clone();
    let problems = environments.iter().flat_map(|environment| environment["problems"].as_array().unwrap());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let problems: Vec<_> = problems
        .map(|problem| (problem["line"].as_u64(), text(&problem["setting"]), text(&problem["message"])))
        .collect();
    let verdict = if problems.is_empty() { Verdict::Yes } else { Verdict::Misconfigured };
    assert_eq!(report.verdict, verdict);
    problems
}

#[test]
fn a_good_configuration_has_no_problem() {
    let report = checked(GOOD, &args());
    assert_eq!((report.text.as_str(), report.verdict), ("wrangler.toml: no problem", Verdict::Yes));
}

#[test]
fn the_configurations_of_this_repository_are_good() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (file, in_code) in [
        ("wrangler.toml", false),
        ("examples/nuxt/gateway/wrangler.toml", false),
        ("examples/sveltekit/gateway/wrangler.toml", false),
        ("examples/solidstart/gateway/wrangler.toml", false),
        ("examples/axum/wrangler.toml", true),
        ("examples/worker/wrangler.toml", false),
        ("examples/nuxt/binding/cache.toml", false),
        ("docs/recipes/django/wrangler.toml", false),
        ("docs/recipes/hugo/wrangler.toml", false),
        ("docs/recipes/next/wrangler.toml", false),
        ("docs/recipes/wordpress/wrangler.toml", false),
    ] {
        let args = CheckArgs { file: root.join(file), in_code, ..args() };
        let report = check(&args, Screen::default()).unwrap();
        assert_eq!(report.verdict, Verdict::Yes, "{}", report.text);
    }
}

#[test]
fn each_mistake_is_named_with_its_line() {
    for (before, after, line, setting, part) in [
        ("revalidate = 60", "revalidat = 60", Some(25), "ISR.revalidat", "did you mean `revalidate`?"),
        ("revalidate = 300", "revalidate = \"5m\"", Some(28), "ISR.routes.\"/blog/[slug]\".revalidate", "write"),
        ("/blog/[slug]", "/blog/[slug", Some(27), "ISR.routes.\"/blog/[slug\"", "["),
        ("revalidate = 60", "l2 = \"r2\"", None, "ISR_BUCKET", "[[r2_buckets]]"),
        ("\"ISR_CACHE\"", "\"CACHE\"", None, "ISR_CACHE", "[[kv_namespaces]]"),
        ("\"ORIGIN\"", "\"SITE\"", None, "ORIGIN", "[[services]]"),
        ("name = \"TAG_INDEX\"", "name = \"TAGS\"", None, "TAG_INDEX", "[[durable_objects.bindings]]"),
        (
            "[\"IsrCoordinator\", \"IsrTagIndex\"]",
            "[\"IsrCoordinator\"]",
            None,
            "TAG_INDEX",
            "no migration makes the class `IsrTagIndex`",
        ),
        ("new_sqlite_classes", "new_classes", None, "COORDINATOR", "needs SQLite"),
        (
            "class_name = \"IsrTagIndex\"",
            "class_name = \"IsrCoordinator\"",
            Some(12),
            "TAG_INDEX",
            "write class_name = \"IsrTagIndex\"",
        ),
        ("revalidate = 60", "max_body_bytes = 30000000", Some(25), "ISR.max_body_bytes", "r2_buckets"),
    ] {
        let changed = GOOD.replace(before, after);
        assert_ne!(changed, GOOD, "{before}");
        let found = problems(&changed, &args());
        assert!(
            found.iter().any(|(at, name, message)| *at == line && name == setting && message.contains(part)),
            "{after}: {found:?}"
        );
    }
}

#[test]
fn a_wrong_setting_does_not_hide_a_missing_binding() {
    let found = problems(&GOOD.replace("revalidate = 60", "revalidate = \"1m\"\nl2 = \"r2\""), &args());
    let names: Vec<&str> = found.iter().map(|(_, name, _)| name.as_str()).collect();
    assert_eq!(names, ["ISR.revalidate", "ISR_BUCKET"]);
}

#[test]
fn every_environment_is_checked_because_it_inherits_neither_bindings_nor_variables() {
    let staging =
        GOOD.replace("[[migrations]]\ntag = \"v1\"\nnew_sqlite_classes = [\"IsrCoordinator\", \"IsrTagIndex\"]\n", "");
    let staging = staging[staging.find("[[services]]").unwrap()..]
        .replace("[[", "[[env.staging.")
        .replace("\n[vars", "\n[env.staging.vars");
    let both = format!("{GOOD}\n{staging}");
    assert_eq!(problems(&both, &args()), []);

    let wrong = both.replace("[env.staging.vars.ISR]\nrevalidate = 60", "[env.staging.vars.ISR]\nexpires = 60");
    let found = problems(&wrong, &args());
    assert_eq!((found.len(), found[0].1.as_str()), (1, "ISR.expires"));
    let line = wrong.lines().position(|line| line == "expires = 60").unwrap() as u64 + 1;
    assert_eq!(found[0].0, Some(line));
    assert!(checked(&wrong, &args()).text.contains("[env.staging]"));

    let empty = format!("{GOOD}\n[env.preview]\nname = \"preview\"\n");
    let preview = CheckArgs { env: Some("preview".to_owned()), ..args() };
    let names: Vec<String> = problems(&empty, &preview).into_iter().map(|(_, name, _)| name).collect();
    assert_eq!(names, ["ISR", "COORDINATOR", "TAG_INDEX", "ISR_CACHE", "ORIGIN"]);
    let unknown = CheckArgs { env: Some("prod".to_owned()), ..args() };
    let failure = check_text(&unknown.file, &empty, &unknown, Screen::default()).unwrap_err();
    assert!(failure.code() == 2 && failure.to_string().contains("preview"), "{failure}");

    // The cache may be deployed in environments only.
    let only = format!(
        "name = \"gateway\"\n[[migrations]]\ntag = \"v1\"\nnew_sqlite_classes = [\"IsrCoordinator\", \"IsrTagIndex\"]\n{staging}"
    );
    assert_eq!(problems(&only, &args()), []);
}

#[test]
fn what_the_worker_has_in_its_code_need_not_be_in_the_file() {
    let start = GOOD.find("[vars.ISR]").unwrap();
    let without = &GOOD[..start].replace("\"ORIGIN\"", "\"SITE\"");
    let in_code = CheckArgs { in_code: true, ..args() };
    assert_eq!(problems(without, &in_code), []);
    assert!(checked(without, &args()).text.contains("note: ISR: a Worker in Rust may have its settings in code"));
    let wrong = format!("{without}\n[vars.ISR]\nrevalidat = 1\n");
    assert_eq!(problems(&wrong, &in_code).len(), 1);
    let no_store = GOOD.replace("\"ISR_CACHE\"", "\"CACHE\"");
    assert_eq!(problems(&no_store, &CheckArgs { own_l2: true, ..args() }), []);
}

#[test]
fn objects_of_another_worker_need_no_migration_here() {
    let elsewhere = GOOD
        .replace("class_name = \"IsrCoordinator\"", "class_name = \"IsrCoordinator\"\nscript_name = \"gateway\"")
        .replace("class_name = \"IsrTagIndex\"", "class_name = \"IsrTagIndex\"\nscript_name = \"gateway\"")
        .replace("new_sqlite_classes = [\"IsrCoordinator\", \"IsrTagIndex\"]", "");
    assert_eq!(problems(&elsewhere, &args()), []);
}

#[test]
fn secrets_are_noted_because_a_file_does_not_tell() {
    let changed = GOOD.replace(
        "revalidate = 60",
        "render_headers = { X-Preview = { secret = \"PREVIEW\" } }\ncanonical_origin = \"https://e.com\"\nplatform_cache = \
         true\nzone_purge = \"0123456789abcdef0123456789abcdef\"",
    );
    let report = checked(&changed, &args());
    assert_eq!(report.verdict, Verdict::Yes, "{}", report.text);
    for name in ["PREVIEW", "ISR_PURGE_TOKEN"] {
        assert!(report.text.contains(&format!("note: {name}: the settings need this secret")), "{}", report.text);
    }
}

#[test]
fn a_file_that_can_not_be_read_is_a_mistake_of_the_caller() {
    for (name, text) in [("wrangler.toml", "a = "), ("wrangler.jsonc", "{ \"a\": }")] {
        let args = CheckArgs { file: PathBuf::from(name), ..args() };
        let failure = check_text(&args.file, text, &args, Screen::default()).unwrap_err();
        assert!(failure.code() == 2 && failure.to_string().starts_with(&format!("{name}: line 1: ")), "{failure}");
    }
    let nowhere = CheckArgs { file: PathBuf::from("/nowhere/wrangler.toml"), ..args() };
    assert_eq!(check(&nowhere, Screen::default()).unwrap_err().code(), 2);
}
