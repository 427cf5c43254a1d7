//! The type of `[vars.ISR]` in TypeScript.

use std::fmt::Write as _;

use cloudflare_isr::config::{Kind, SENSITIVE_HEADERS, Scope};
use cloudflare_isr::semantics::key::TrailingSlash;
use cloudflare_isr::semantics::statuses;
use cloudflare_isr::semantics::vary::Device;

use crate::{description, settings_of};

/// Returns the whole module.
pub(crate) fn module() -> String {
    let tables = [
        ("IsrConfig", Scope::TopLevel, "The variable `ISR` of the gateway, `[vars.ISR]` in `wrangler.toml`."),
        ("IsrRoute", Scope::Route, "What is said of the pages of one route. What is left out is as at the top level."),
        ("IsrVary", Scope::Vary, "What makes pages of one URL different."),
    ];
    let head =
        "// Made of the list of settings in src/config/settings.rs by tests/schema: change it there.\n".to_owned();
    tables.into_iter().fold(head, |text, (name, scope, about)| text + "\n" + &interface(name, scope, about))
}

fn interface(name: &str, scope: Scope, about: &str) -> String {
    let fields = settings_of(scope).fold(String::new(), |mut fields, setting| {
        let mark = if setting.kind == Kind::Routes { "" } else { "?" };
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

fn type_of(kind: Kind) -> String {
    match kind {
        Kind::Lifetime(_) | Kind::LifetimeWithin(..) => "number | false".to_owned(),
        Kind::Number(_) | Kind::NumberAs(..) => "number".to_owned(),
        Kind::Flag { .. } => "boolean".to_owned(),
        Kind::CacheName | Kind::Origin | Kind::Site | Kind::Zone => "string".to_owned(),
        Kind::RenderHeaders => "{ [name: string]: string | { secret: string } }".to_owned(),
        Kind::SensitiveHeaders => format!("readonly ({})[]", union(&SENSITIVE_HEADERS.map(quoted))),
        Kind::L2 => union(&["kv", "r2"].map(quoted)),
        Kind::Routes => "{ [pattern: `/${string}`]: IsrRoute }".to_owned(),
        Kind::Statuses => format!("readonly ({})[]", union(&statuses::ALLOWED.map(|status| status.to_string()))),
        Kind::Tags | Kind::Hosts | Kind::IgnoredQuery | Kind::Languages | Kind::Countries => {
            "readonly string[]".to_owned()
        }
        Kind::Query => "readonly string[] | \"all\" | \"none\"".to_owned(),
        Kind::TrailingSlash => union(
            &[TrailingSlash::Strip, TrailingSlash::Keep, TrailingSlash::Redirect].map(|word| quoted(word.as_str())),
        ),
        Kind::Vary => "IsrVary".to_owned(),
        Kind::Devices => format!("readonly ({})[]", union(&Device::ALL.map(|device| quoted(device.as_str())))),
        Kind::Values { .. } => "{ [name: string]: readonly string[] }".to_owned(),
    }
}

fn quoted(word: &str) -> String {
    format!("\"{word}\"")
}

fn union(members: &[String]) -> String {
    members.join(" | ")
}
