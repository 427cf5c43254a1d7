//! The type of `[vars.ISR]` in TypeScript.

use std::fmt::Write as _;

use cloudflare_isr::internals::config::{DefaultValue, ItemForm, ListForm, QUERY_WORDS, SettingLevel, ValueKind};
use cloudflare_isr::internals::semantics::statuses;

use crate::{description, settings_of};

/// Returns the whole module.
pub(crate) fn module() -> String {
    let tables = [
        ("IsrConfig", SettingLevel::TopLevel, "The variable `ISR` of the gateway, `[vars.ISR]` in `wrangler.toml`."),
        (
            "IsrRoute",
            SettingLevel::Route,
            "The settings of one route. Settings that are left out have the top level's values.",
        ),
        ("IsrVary", SettingLevel::Vary, "Properties of a request that select one of several variants of a page."),
        ("IsrWebhook", SettingLevel::Webhook, "A webhook: a call of another system that invalidates pages."),
        ("IsrWebhookRule", SettingLevel::Rule, "What a delivery of a webhook invalidates, if its conditions hold."),
    ];
    let head = "// Generated from src/config/settings.rs by tests/schema. Make changes there.\n".to_owned();
    tables.into_iter().fold(head, |text, (name, level, about)| text + "\n" + &interface(name, level, about))
}

fn interface(name: &str, level: SettingLevel, about: &str) -> String {
    let fields = settings_of(level).fold(String::new(), |mut fields, setting| {
        let mark = if matches!(setting.default, DefaultValue::Required) { "" } else { "?" };
        // Writing to a string can't fail.
        let _ = write!(
            fields,
            "  /** {} */\n  {}{mark}: {};\n",
            description(setting).replace("*/", "*\\/"),
            setting.name,
            type_of(setting.kind)
        );
        fields
    });
    format!("/** {about} */\nexport interface {name} {{\n{fields}}}\n")
}

fn type_of(kind: ValueKind) -> String {
    match kind {
        ValueKind::Lifetime(_) => "number | false".to_owned(),
        ValueKind::Number(_) => "number".to_owned(),
        ValueKind::Flag => "boolean".to_owned(),
        ValueKind::Word(words) => union(words.iter().map(quoted)),
        ValueKind::Text(_) => "string".to_owned(),
        ValueKind::List(list) => list_of(list),
        ValueKind::Texts(list) => format!("string | {}", list_of(list)),
        ValueKind::Query(list) => format!("{} | {}", list_of(list), union(QUERY_WORDS.iter().map(quoted))),
        ValueKind::Statuses => format!("readonly ({})[]", union(statuses::ALLOWED.iter().map(ToString::to_string))),
        ValueKind::RenderHeaders => "{ [name: string]: string | { secret: string } }".to_owned(),
        ValueKind::ValuesByName { .. } => "{ [name: string]: readonly string[] }".to_owned(),
        ValueKind::Vary => "IsrVary".to_owned(),
        ValueKind::Routes => "{ [pattern: `/${string}`]: IsrRoute }".to_owned(),
        ValueKind::Webhooks => "{ [name: string]: IsrWebhook }".to_owned(),
        ValueKind::Rules => "readonly IsrWebhookRule[]".to_owned(),
        ValueKind::Conditions => {
            let value = "string | number | boolean";
            format!("{{ [pointer: string]: {value} | readonly ({value})[] }}")
        }
    }
}

fn list_of(list: ListForm) -> String {
    match list.item {
        ItemForm::Word(words) => format!("readonly ({})[]", union(words.iter().map(quoted))),
        ItemForm::Text { .. } => "readonly string[]".to_owned(),
    }
}

fn quoted(word: &&str) -> String {
    format!("\"{word}\"")
}

fn union(members: impl Iterator<Item = String>) -> String {
    members.collect::<Vec<_>>().join(" | ")
}
