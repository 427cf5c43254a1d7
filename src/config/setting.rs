//! The description of a setting. Error messages, the JSON schema, the TypeScript types and the table in
//! `docs/configuration.md` are derived from it.

use crate::route::MAX_RENDER_HEADERS;
use crate::semantics::statuses;
use crate::semantics::vary::MAX_VARIANTS;
use crate::webhook::{MAX_RULES, MAX_WEBHOOKS};

/// The words that `query` accepts in place of a list: every parameter, and none.
pub const QUERY_WORDS: [&str; 2] = [ALL_QUERY, NO_QUERY];

/// The word that stands for every query parameter.
pub(super) const ALL_QUERY: &str = "all";

/// The word that stands for no query parameter.
pub(super) const NO_QUERY: &str = "none";

/// The most conditions of a rule of a webhook.
pub const MAX_CONDITIONS: usize = 10;

/// The most routes that a configuration may have.
pub const MAX_ROUTES: usize = 500;

/// What is known of a setting without the type of its values.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Its name in `wrangler.toml`.
    pub name: &'static str,
    /// The tables in which it is accepted.
    pub levels: &'static [SettingLevel],
    /// The values that it accepts.
    pub kind: ValueKind,
    /// Its value where it is left out.
    pub default: DefaultValue,
}

/// A table of the configuration in which settings are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingLevel {
    /// `[vars.ISR]`. A setting that is accepted here and in routes is the default of all routes.
    TopLevel,
    /// The table of a route.
    Route,
    /// The table `vary` of a route.
    Vary,
    /// The table of a webhook.
    Webhook,
    /// The table of a rule of a webhook.
    Rule,
}

/// The kind of values that a setting accepts.
#[derive(Debug, Clone, Copy)]
pub enum ValueKind {
    /// A number of seconds, `false` or 0.
    Lifetime(Bounds),
    /// A whole number.
    Number(Bounds),
    /// `true` or `false`.
    Flag,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A text.
    Text(TextForm),
    /// A list of texts.
    List(ListForm),
    /// A text, or a list of texts.
    Texts(ListForm),
    /// A list of the names of query parameters, or one of [`QUERY_WORDS`].
    Query(ListForm),
    /// A list of statuses.
    Statuses,
    /// A table of header values, by name.
    RenderHeaders,
    /// A table of lists of values, by name.
    ValuesByName {
        /// How such a table can look.
        example: &'static str,
    },
    /// The table of what a route varies by.
    Vary,
    /// The table of routes, by pattern.
    Routes,
    /// The table of webhooks, by name.
    Webhooks,
    /// A list of rules of a webhook.
    Rules,
    /// A table of values or lists of values, by JSON pointer.
    Conditions,
}

/// The bounds of a number, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// What the number counts.
    pub unit: Unit,
    /// The least value.
    pub min: u32,
    /// The greatest value.
    pub max: u32,
}

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// Durable Objects that share the work.
    Objects,
    /// Renders started per second.
    RendersPerSecond,
    /// Pages, each variant counted separately.
    Pages,
    /// Rows of a table.
    Rows,
}

/// The form of a text. It only restates what the parser accepts, for schemas and messages.
#[derive(Debug, Clone, Copy)]
pub struct TextForm {
    /// Words that are accepted besides the patterns.
    pub words: &'static [&'static str],
    /// Regular expressions, one of which the text matches.
    pub patterns: &'static [&'static str],
    /// The greatest number of characters; without it the patterns limit the length, or the parser does.
    pub max_chars: Option<usize>,
    /// What may be written, in words, without the length.
    pub description: &'static str,
}

/// The form of a list.
#[derive(Debug, Clone, Copy)]
pub struct ListForm {
    /// The greatest number of items.
    pub max_items: usize,
    /// The form of each item.
    pub item: ItemForm,
}

/// The form of an item of a list.
#[derive(Debug, Clone, Copy)]
pub enum ItemForm {
    /// One of these words.
    Word(&'static [&'static str]),
    /// A text.
    Text {
        /// A regular expression that each item matches.
        pattern: &'static str,
        /// The greatest number of characters; without it the pattern limits the length, or the parser does.
        max_chars: Option<usize>,
        /// What the items are, in the plural.
        noun: &'static str,
        /// How such a list can look.
        example: &'static str,
    },
}

/// The value of a setting that is left out.
#[derive(Debug, Clone, Copy)]
pub enum DefaultValue {
    /// This number.
    Number(u32),
    /// This flag.
    Flag(bool),
    /// This text.
    Text(&'static str),
    /// A list of these numbers.
    Numbers(&'static [u16]),
    /// A list without items.
    EmptyList,
    /// The value of another setting.
    SameAs {
        /// The name of the other setting.
        setting: &'static str,
        /// The greatest value that is taken from it.
        at_most: Option<u32>,
    },
    /// A value that is described in words.
    Described(&'static str),
    /// There is no default, and the setting may be left out.
    None,
    /// There is no default, and the setting must be written.
    Required,
}

impl Setting {
    /// Returns whether the setting is accepted in a table.
    #[must_use]
    pub fn is_accepted_in(&self, level: SettingLevel) -> bool {
        self.levels.contains(&level)
    }

    /// Returns the default as it is written in `wrangler.toml`, or a description of it, in Markdown.
    #[must_use]
    pub fn default_text(&self) -> String {
        match self.default {
            DefaultValue::Number(number) => format!("`{number}`"),
            DefaultValue::Flag(flag) => format!("`{flag}`"),
            DefaultValue::Text(text) => format!("`\"{text}\"`"),
            DefaultValue::Numbers(numbers) => format!("`[{}]`", comma_separated(numbers)),
            DefaultValue::EmptyList => "`[]`".to_owned(),
            DefaultValue::SameAs { setting, at_most: None } => format!("as `{setting}`"),
            DefaultValue::SameAs { setting, at_most: Some(max) } => format!("as `{setting}`, at most {max}"),
            DefaultValue::Described(words) => words.to_owned(),
            DefaultValue::None => "none".to_owned(),
            DefaultValue::Required => "required".to_owned(),
        }
    }

    /// Returns what may be written, in words. Error messages contain it after "write".
    #[must_use]
    pub fn accepts(&self) -> String {
        match self.kind {
            ValueKind::Lifetime(bounds) => {
                format!("{}, `false` (never ages) or 0 (never stored)", bounds.description())
            }
            ValueKind::Number(bounds) => bounds.description(),
            ValueKind::Flag => "`true` or `false`".to_owned(),
            ValueKind::Word(words) => alternatives(words),
            ValueKind::Text(TextForm { max_chars: Some(max), description, .. }) => format!("1 to {max} {description}"),
            ValueKind::Text(TextForm { max_chars: None, description, .. }) => description.to_owned(),
            ValueKind::List(list) => list.description(),
            ValueKind::Texts(list) => format!("one or {}", list.description()),
            ValueKind::Query(list) => format!("{}, or {}", list.description(), alternatives(&QUERY_WORDS)),
            ValueKind::Statuses => format!("a list of at least one of {}", comma_separated(&statuses::ALLOWED)),
            ValueKind::RenderHeaders => {
                let example = "{ X-Preview = \"off\", Authorization = { secret = \"SITE_TOKEN\" } }";
                format!("at most {MAX_RENDER_HEADERS} headers with text or a secret each, such as {example}")
            }
            ValueKind::ValuesByName { example } => format!("lists of values by name, such as {example}"),
            ValueKind::Vary => {
                let example = "{ language = [\"en\", \"de\"] }";
                format!("a table that makes at most {MAX_VARIANTS} variants, such as {example}")
            }
            ValueKind::Routes => format!("1 to {MAX_ROUTES} tables, such as [vars.ISR.routes.\"/blog/[slug]\"]"),
            ValueKind::Webhooks => format!("at most {MAX_WEBHOOKS} tables, such as [vars.ISR.webhooks.cms]"),
            ValueKind::Rules => format!("1 to {MAX_RULES} tables, such as [[vars.ISR.webhooks.cms.rules]]"),
            ValueKind::Conditions => {
                let example = "{ \"/type\" = [\"post\", \"page\"] }";
                format!(
                    "at most {MAX_CONDITIONS} JSON pointers with a value or a list of values each, such as {example}"
                )
            }
        }
    }
}

impl Bounds {
    fn description(self) -> String {
        let Self { unit, min, max } = self;
        match unit {
            Unit::Seconds => format!("whole seconds from {min} to {max}"),
            Unit::Bytes | Unit::Objects | Unit::RendersPerSecond | Unit::Pages | Unit::Rows => {
                format!("a whole number from {min} to {max}")
            }
        }
    }
}

impl ListForm {
    fn description(self) -> String {
        match self.item {
            ItemForm::Word(words) => format!("a list of any of {}", alternatives(words)),
            ItemForm::Text { noun, example, .. } => format!("at most {} {noun}, such as {example}", self.max_items),
        }
    }
}

/// Returns `"a", "b" or "c"`.
fn alternatives(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    match quoted.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => quoted.concat(),
    }
}

fn comma_separated(numbers: &[u16]) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
