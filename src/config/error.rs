//! What can be wrong with a configuration, in the words of whoever writes it.

use serde_json::Value;
use thiserror::Error;

use super::render_headers::MAX_RENDER_HEADER_BYTES;
use super::settings::{SETTINGS, Scope};
use crate::route::{MAX_PATTERN_BYTES, PatternError, RoutesError};
use crate::semantics::tag::TagError;

/// How many characters of a value a message repeats.
const MAX_SHOWN_CHARS: usize = 60;

/// How many characters of a key a message repeats: every pattern that is not too long, whole.
const MAX_KEY_CHARS: usize = MAX_PATTERN_BYTES + 2;

/// Everything that is wrong with a configuration: at least one [`Problem`], each shown on a line of its own.
///
/// It is the operator's mistake: a Worker answers 500 without details, and logs it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}", lines(.problems))]
pub struct ConfigError {
    problems: Vec<Problem>,
}

impl ConfigError {
    /// Reports a binding that is not there, with the lines to add to `wrangler.toml`; `name` is the name looked for.
    #[must_use]
    pub fn missing_binding(binding: Binding, name: &str) -> Self {
        Self { problems: vec![Problem::new(name.to_owned(), Fault::MissingBinding { binding, name: name.to_owned() })] }
    }

    /// Reports that bodies larger than KV takes need another store, which is not bound.
    #[must_use]
    pub fn needs_bucket() -> Self {
        let reason = "KV takes no value over 25 MiB; larger pages go to R2";
        let fault = Fault::Needs { other: "[[r2_buckets]]", reason };
        Self { problems: vec![Problem::new("ISR.max_body_bytes".to_owned(), fault)] }
    }

    /// Reports that the secret which `zone_purge` needs is not there.
    #[must_use]
    pub fn missing_purge_token(name: &'static str) -> Self {
        let holds = "an API token with the permission Zone > Cache Purge for the zone in `zone_purge`";
        Self { problems: vec![Problem::new(name.to_owned(), Fault::MissingSecret { name: name.to_owned(), holds })] }
    }

    /// Reports that a secret which `render_headers` names is not there.
    #[must_use]
    pub fn missing_render_secret(name: &str) -> Self {
        let fault = Fault::MissingSecret { name: name.to_owned(), holds: "the value of a header in `render_headers`" };
        Self { problems: vec![Problem::new(name.to_owned(), fault)] }
    }

    /// Reports that a secret which `render_headers` names can't be the value of a header.
    #[must_use]
    pub fn malformed_render_secret(name: &str, flaw: Flaw) -> Self {
        let accepts = format!("1 to {MAX_RENDER_HEADER_BYTES} bytes of visible ASCII, with spaces only between");
        let fault = Fault::Value { found: "the secret".to_owned(), flaw, accepts };
        Self { problems: vec![Problem::new(name.to_owned(), fault)] }
    }

    /// Puts the problems of two errors together.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.problems.extend(other.problems);
        self
    }

    /// Returns the problems: at least one, in the order in which they were found.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    pub(super) fn from_problems(problems: Vec<Problem>) -> Option<Self> {
        if problems.is_empty() { None } else { Some(Self { problems }) }
    }
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// One thing to correct. Shown as `setting: what is wrong; what to write instead`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{setting}: {fault}")]
pub struct Problem {
    setting: String,
    fault: Fault,
}

impl Problem {
    pub(super) fn new(setting: String, fault: Fault) -> Self {
        Self { setting, fault }
    }

    /// Returns where the problem is, as one writes it in TOML below `vars`: `ISR.routes."/blog/[slug]".revalidate`.
    /// For a missing binding it is the binding's name.
    #[must_use]
    pub fn setting(&self) -> &str {
        &self.setting
    }

    /// Returns what is wrong.
    #[must_use]
    pub fn fault(&self) -> &Fault {
        &self.fault
    }
}

/// What is wrong with a setting.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Fault {
    /// A value that can't be used.
    #[error("{found} {flaw}; write {accepts}")]
    Value {
        /// The value as JSON, cut short, or "a list", "a table"; "the value" where it may be a secret.
        found: String,
        /// What is wrong with it.
        flaw: Flaw,
        /// What may be written.
        accepts: String,
    },
    /// A required setting is not there.
    #[error("this setting is missing; write {accepts}")]
    Missing {
        /// What may be written.
        accepts: String,
    },
    /// No setting has this name.
    #[error("no setting has this name; {}", advice(.closest.as_deref(), .known))]
    Unknown {
        /// The most similar name, if one is similar enough to be meant.
        closest: Option<String>,
        /// All names that may stand here.
        known: Vec<&'static str>,
    },
    /// The setting belongs into the other kind of table.
    #[error("this setting stands in the wrong table; move it to {}", table(*.belongs))]
    Misplaced {
        /// Where it belongs.
        belongs: Scope,
    },
    /// The key is not a pattern.
    #[error(transparent)]
    Pattern(PatternError),
    /// The pattern does not go with another one.
    #[error(transparent)]
    Routes(RoutesError),
    /// The setting makes sense only together with another one.
    #[error("needs `{other}` as well: {reason}")]
    Needs {
        /// The other setting, as one writes it.
        other: &'static str,
        /// Why.
        reason: &'static str,
    },
    /// A secret is not there.
    #[error("this secret is missing; set it with `npx wrangler secret put {name}`: {holds}")]
    MissingSecret {
        /// Its name.
        name: String,
        /// What it holds.
        holds: &'static str,
    },
    /// A binding is not there. The lines to add follow, each indented by four spaces.
    #[error("{} is missing; add to wrangler.toml:\n{}", .binding.kind(), .binding.remedy(.name))]
    MissingBinding {
        /// Which part of the system it leads to.
        binding: Binding,
        /// The name looked for.
        name: String,
    },
}

impl Fault {
    /// Reports a name that no setting has, with the closest of those that may stand there.
    pub(super) fn unknown(name: &str, scope: Scope) -> Self {
        let known: Vec<_> = SETTINGS.iter().filter(|s| s.scope.includes(scope)).map(|s| s.name).collect();
        let closest = known.iter().map(|known| (distance(&plain(name), &plain(known)), *known)).min();
        // A third of the letters may differ: enough for a slip, too little to turn one word into another.
        let closest = closest.filter(|&(distance, known)| distance * 3 <= known.len()).map(|(_, name)| name.to_owned());
        Self::Unknown { closest, known }
    }
}

fn advice(closest: Option<&str>, known: &[&str]) -> String {
    match closest {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("write one of {}", known.join(", ")),
    }
}

fn table(scope: Scope) -> &'static str {
    match scope {
        Scope::TopLevel => "[vars.ISR]",
        Scope::Route => "the route's own table",
        Scope::Both => "[vars.ISR] or the route's own table",
        Scope::Vary => "the table `vary` of a route",
    }
}

/// What is wrong with a value; follows the value in a message.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Flaw {
    /// It is of another type than the one named.
    #[error("is not {0}")]
    Not(&'static str),
    /// It is within bounds but not whole.
    #[error("is not a whole number")]
    Fraction,
    /// It is under the least value.
    #[error("is below {0}")]
    Below(u32),
    /// It is over the greatest value.
    #[error("is above {0}")]
    Above(u32),
    /// It has nothing in it.
    #[error("is empty")]
    Empty,
    /// It has this many bytes, and that is too many.
    #[error("is {0} bytes long")]
    TooLong(usize),
    /// It has this many characters, and that is not how many it should have.
    #[error("has {0} characters")]
    Length(usize),
    /// It has this many entries, and that is too many.
    #[error("has {0} entries")]
    TooMany(usize),
    /// It has a character that may not stand there.
    #[error("has {0:?} in it")]
    Character(char),
    /// It is not a language tag.
    #[error("is not a language tag")]
    NotALanguage,
    /// It is not a class of devices.
    #[error("is not a class of devices")]
    NotADevice,
    /// It is not the code of a country.
    #[error("is not two capital letters")]
    NotACountry,
    /// It is not a host, nor `*.` and a host.
    #[error("is not a host")]
    NotAHost,
    /// It is neither of the words that may stand here.
    #[error("is not one of the words")]
    NotAWord,
    /// It is neither a URL nor the name of a service binding.
    #[error("is neither a URL nor the name of a service binding")]
    NotASite,
    /// A name has something in it that names of cookies and headers may not have.
    #[error("is under a name that can't be one")]
    NotAName,
    /// A header that is spoken for.
    #[error("is of a header that this cache, the connection or another setting has taken")]
    Reserved,
    /// A header that says who asks.
    #[error("is of a sensitive header that `render_sensitive_headers` does not list")]
    Sensitive,
    /// So many variants of each page, and that is too many.
    #[error("makes {0} variants of each page")]
    TooManyVariants(usize),
    /// It is a status that is never stored, or no status at all.
    #[error("is not a status that can be stored")]
    NeverStored,
    /// It is not a tag.
    #[error("is not a tag ({0})")]
    Tag(TagError),
    /// It is not a URL, or has no valid host or port.
    #[error("is not a URL ({0})")]
    NotUrl(url::ParseError),
    /// It is a URL of another scheme, or of none.
    #[error("does not begin with https:// or http://")]
    Scheme,
    /// Its authority has a user name or a password.
    #[error("has a user name in it")]
    Credentials,
    /// It has a path.
    #[error("has a path")]
    Path,
    /// It has a query.
    #[error("has a query")]
    Query,
    /// It has a fragment.
    #[error("has a fragment")]
    Fragment,
}

/// What the system needs to be bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding {
    /// The variable with the configuration, by default `ISR`.
    Settings,
    /// The Durable Objects that own pages, class `IsrCoordinator`, by default `COORDINATOR`.
    Coordinator,
    /// The Durable Object that owns invalidations, class `IsrTagIndex`, by default `TAG_INDEX`.
    TagIndex,
    /// The KV namespace with pages, by default `ISR_CACHE`.
    Cache,
    /// The R2 bucket with pages, by default `ISR_BUCKET`.
    Bucket,
    /// The service that renders the site, or the pages of a route, by default `ORIGIN`.
    Origin,
}

impl Binding {
    /// Returns the name that is looked for unless another is set.
    #[must_use]
    pub fn default_name(self) -> &'static str {
        match self {
            Self::Settings => "ISR",
            Self::Coordinator => "COORDINATOR",
            Self::TagIndex => "TAG_INDEX",
            Self::Cache => "ISR_CACHE",
            Self::Bucket => "ISR_BUCKET",
            Self::Origin => "ORIGIN",
        }
    }

    fn kind(self) -> &'static str {
        match self {
            Self::Settings => "this variable",
            Self::Coordinator | Self::TagIndex => "this Durable Object binding",
            Self::Cache => "this KV binding",
            Self::Bucket => "this R2 binding",
            Self::Origin => "this service binding",
        }
    }

    fn remedy(self, name: &str) -> String {
        let object = |class: &str| {
            format!(
                "    [[durable_objects.bindings]]\n    name = \"{name}\"\n    class_name = \"{class}\"\n\n    \
                 # once, for both classes, which the Worker's main module exports\n    [[migrations]]\n    tag = \"v1\"\n    \
                 new_sqlite_classes = [\"IsrCoordinator\", \"IsrTagIndex\"]"
            )
        };
        match self {
            Self::Settings => format!("    [vars.{name}.routes.\"/*\"]\n    revalidate = 60"),
            Self::Coordinator => object("IsrCoordinator"),
            Self::TagIndex => object("IsrTagIndex"),
            Self::Cache => format!(
                "    [[kv_namespaces]]\n    binding = \"{name}\"\n    \
                 id = \"<printed by: wrangler kv namespace create {name}>\""
            ),
            Self::Bucket => format!(
                "    [[r2_buckets]]\n    binding = \"{name}\"\n    \
                 bucket_name = \"<made by: wrangler r2 bucket create isr-pages>\""
            ),
            Self::Origin => format!(
                "    [[services]]\n    binding = \"{name}\"\n    service = \"<name of the Worker that renders the site>\"\
                 \n\n    # or, for a site that is not a Worker\n    [vars.ISR]\n    \
                 origin = \"https://site.example.com\" # or \"self\": this Worker, by a handler of its own"
            ),
        }
    }
}

/// Renders a key as TOML has it: bare where it can be, else in quotes.
pub(super) fn key(name: &str) -> String {
    let bare = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if bare && name.len() <= MAX_KEY_CHARS {
        name.to_owned()
    } else {
        cut(&Value::from(name).to_string(), MAX_KEY_CHARS)
    }
}

/// Renders a value for a message: as JSON, cut short, or by what it is.
pub(super) fn show(value: &Value) -> String {
    match value {
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a table".to_owned(),
        scalar => cut(&scalar.to_string(), MAX_SHOWN_CHARS),
    }
}

fn cut(text: &str, max_chars: usize) -> String {
    match text.char_indices().nth(max_chars) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// Strips a name of what people write differently: case, `_` and `-`.
fn plain(name: &str) -> Vec<char> {
    name.chars().take(MAX_SHOWN_CHARS).filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect()
}

/// Counts the letters to insert, remove or replace in order to turn one name into another (Levenshtein).
fn distance(from: &[char], to: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        row[0] = left;
        for (j, b) in to.iter().enumerate() {
            let above = row[j + 1];
            left = (diagonal + usize::from(a != b)).min(above + 1).min(left + 1);
            diagonal = above;
            row[j + 1] = left;
        }
    }
    row[to.len()]
}
