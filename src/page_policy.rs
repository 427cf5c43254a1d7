//! The cache settings of a page that is being rendered: layouts set defaults, pages override them.

use std::collections::BTreeSet;

use serde_json::Value;
use thiserror::Error;

use crate::semantics::cache_control::MAX_DELTA_SECONDS;
use crate::semantics::freshness::Revalidate;
use crate::semantics::headers::HeaderList;
use crate::semantics::tag::{Tag, TagError};

/// The header with the freshness lifetime of a page.
const REVALIDATE_HEADER: &str = "x-isr-revalidate";

/// The cache settings of one layout or page: its freshness lifetime, and its tags.
///
/// They count as if the response had the headers `X-ISR-Revalidate` and one more `Cache-Tag`.
///
/// ```
/// use std::time::Duration;
/// use cloudflare_isr::{PageSettings, Revalidate};
///
/// let page = PageSettings::default().revalidate(Duration::from_secs(300)).tags(["posts", "post:42"])?;
/// let draft = PageSettings::default().revalidate(Revalidate::NoStore);
/// # Ok::<(), cloudflare_isr::TagError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageSettings {
    revalidate: Option<Revalidate>,
    tags: Vec<Tag>,
}

/// The beginning of what [`PageSettingsError`] says.
const EXPECTED: &str =
    "the settings of a page are { revalidate, tags }: a number of seconds or false, and a list of tags";

/// Why JSON is not the settings of a page.
///
/// ```
/// use cloudflare_isr::{PageSettingsError, TagError};
///
/// let error = PageSettingsError::Tag(TagError::Empty);
/// assert!(error.to_string().ends_with("a tag must not be empty"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PageSettingsError {
    /// It is not an object.
    #[error("{EXPECTED}; not {found}")]
    NotAnObject {
        /// The JSON.
        found: String,
    },
    /// It has a field that is not known.
    #[error("{EXPECTED}; not `{field}`")]
    UnknownField {
        /// The name of the field.
        field: String,
    },
    /// `revalidate` is neither a number of seconds nor `false`.
    #[error("{EXPECTED}; not {found}")]
    Revalidate {
        /// The JSON of the field.
        found: String,
    },
    /// `tags` is not a list.
    #[error("{EXPECTED}; tags are a list, not {found}")]
    Tags {
        /// The JSON of the field.
        found: String,
    },
    /// A member of `tags` is not text.
    #[error("{EXPECTED}; a tag is a text")]
    TagType,
    /// A member of `tags` is not a tag.
    #[error("{EXPECTED}; {0}")]
    Tag(#[from] TagError),
}

impl PageSettings {
    /// Sets the freshness lifetime: a time in whole seconds, [`Revalidate::Never`] or [`Revalidate::NoStore`].
    #[must_use]
    pub fn revalidate(self, revalidate: impl Into<Revalidate>) -> Self {
        Self { revalidate: Some(revalidate.into()), ..self }
    }

    /// Adds tags by which the page can be invalidated.
    ///
    /// # Errors
    /// Reports the first malformed tag: see [`Tag::parse`].
    pub fn tags<T: AsRef<str>>(mut self, tags: impl IntoIterator<Item = T>) -> Result<Self, TagError> {
        for tag in tags {
            self.tags.push(Tag::parse(tag.as_ref())?);
        }
        Ok(self)
    }

    /// Parses `{ revalidate?: number | false, tags?: string[] }`; `null` sets nothing.
    ///
    /// # Errors
    /// Says what is wrong with it.
    #[doc(hidden)]
    pub fn from_json(value: &Value) -> Result<Self, PageSettingsError> {
        let table = match value {
            Value::Null => return Ok(Self::default()),
            Value::Object(table) => table,
            other => return Err(PageSettingsError::NotAnObject { found: other.to_string() }),
        };
        let mut settings = Self::default();
        for (name, value) in table.iter().filter(|(_, value)| !value.is_null()) {
            settings = match name.as_str() {
                "revalidate" => {
                    let wrong = || PageSettingsError::Revalidate { found: value.to_string() };
                    settings.revalidate(lifetime(value).ok_or_else(wrong)?)
                }
                "tags" => {
                    let wrong = || PageSettingsError::Tags { found: value.to_string() };
                    let tags = value.as_array().ok_or_else(wrong)?.iter();
                    let texts: Option<Vec<&str>> = tags.map(Value::as_str).collect();
                    settings.tags(texts.ok_or(PageSettingsError::TagType)?)?
                }
                other => return Err(PageSettingsError::UnknownField { field: other.to_owned() }),
            };
        }
        Ok(settings)
    }

    /// Returns the response headers with the same meaning.
    ///
    /// ```
    /// use cloudflare_isr::{PageSettings, Revalidate};
    ///
    /// let page = PageSettings::default().revalidate(Revalidate::Never).tags(["a", "b"])?;
    /// let headers = [("x-isr-revalidate", "false".to_owned()), ("cache-tag", "a, b".to_owned())];
    /// assert_eq!(page.headers(), headers);
    /// # Ok::<(), cloudflare_isr::TagError>(())
    /// ```
    #[must_use]
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let revalidate = self.revalidate.map(|revalidate| (REVALIDATE_HEADER, revalidate.to_header_value()));
        let tags: Vec<&str> = self.tags.iter().map(Tag::as_str).collect();
        let tags = (!tags.is_empty()).then(|| ("cache-tag", tags.join(", ")));
        revalidate.into_iter().chain(tags).collect()
    }

    /// Writes the settings into the headers of a response. The lifetime replaces an existing one; the tags are added.
    #[doc(hidden)]
    pub fn write(&self, headers: &mut HeaderList) {
        for (name, value) in self.headers() {
            if name == REVALIDATE_HEADER {
                headers.set(name, Some(value));
            } else {
                headers.push(name.to_owned(), value);
            }
        }
    }
}

fn lifetime(value: &Value) -> Option<Revalidate> {
    match value {
        Value::Bool(false) => Some(Revalidate::Never),
        number => {
            let seconds = number.as_u64().filter(|seconds| *seconds <= MAX_DELTA_SECONDS)?;
            Some(Revalidate::from_seconds(std::time::Duration::from_secs(seconds)))
        }
    }
}

/// Collects the settings of the layouts and the page of one request, in any order.
///
/// | | the last one that is set counts | all are combined |
/// |---|---|---|
/// | `revalidate` | of [`Self::set`], else of [`Self::defaults`] | |
/// | tags | | of both |
///
/// ```
/// use std::time::Duration;
/// use cloudflare_isr::{PageSettings, PagePolicy};
///
/// let mut policy = PagePolicy::default();
/// policy.set(PageSettings::default().revalidate(Duration::from_secs(30)).tags(["post:42"])?);
/// policy.defaults(PageSettings::default().revalidate(Duration::from_secs(300)).tags(["posts"])?);
/// let both = PageSettings::default().revalidate(Duration::from_secs(30)).tags(["posts", "post:42"])?;
/// assert_eq!(policy.resolve(), Some(both));
/// # Ok::<(), cloudflare_isr::TagError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PagePolicy {
    defaults: Option<PageSettings>,
    own: Option<PageSettings>,
}

impl PagePolicy {
    /// Sets values that apply unless the page overrides them: for layouts.
    pub fn defaults(&mut self, settings: PageSettings) {
        unite(&mut self.defaults, settings);
    }

    /// Sets values that override defaults: for pages.
    pub fn set(&mut self, settings: PageSettings) {
        unite(&mut self.own, settings);
    }

    /// Returns the response headers for the resulting settings: see [`PageSettings::headers`].
    #[must_use]
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        self.resolve().map(|settings| settings.headers()).unwrap_or_default()
    }

    /// Returns the resulting settings; `None` if nothing was set. Each tag occurs once, those of layouts first.
    #[must_use]
    pub fn resolve(&self) -> Option<PageSettings> {
        let mut resolved = self.defaults.clone();
        if let Some(own) = &self.own {
            unite(&mut resolved, own.clone());
        }
        let mut resolved = resolved?;
        let mut seen = BTreeSet::new();
        resolved.tags.retain(|tag| seen.insert(tag.clone()));
        Some(resolved)
    }
}

fn unite(earlier: &mut Option<PageSettings>, later: PageSettings) {
    let mut united = earlier.take().unwrap_or_default();
    united.revalidate = later.revalidate.or(united.revalidate);
    united.tags.extend(later.tags);
    *earlier = Some(united);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    fn said(value: &Value) -> PageSettings {
        PageSettings::from_json(value).unwrap()
    }

    #[test]
    fn what_pages_say_goes_before_what_layouts_say_in_any_order() {
        let (layout, page) =
            (json!({ "revalidate": 300, "tags": ["a", "b"] }), json!({ "revalidate": 30, "tags": ["c", "a"] }));
        let both = json!({ "revalidate": 30, "tags": ["a", "b", "c"] });
        for (defaults, own, resolved) in [
            (vec![], vec![], None),
            (vec![json!({})], vec![], Some(json!({}))),
            (vec![layout.clone()], vec![], Some(layout.clone())),
            (vec![layout.clone()], vec![page.clone()], Some(both)),
            (
                vec![layout.clone()],
                vec![json!({ "revalidate": false })],
                Some(json!({ "revalidate": false, "tags": ["a", "b"] })),
            ),
            (
                vec![layout.clone(), json!({ "revalidate": 9 })],
                vec![json!({ "tags": ["c"] })],
                Some(json!({ "revalidate": 9, "tags": ["a", "b", "c"] })),
            ),
            (
                vec![],
                vec![json!({ "revalidate": 0 }), json!({ "revalidate": 5, "tags": ["x"] })],
                Some(json!({ "revalidate": 5, "tags": ["x"] })),
            ),
        ] {
            let mut orders = [PagePolicy::default(), PagePolicy::default()];
            for settings in &defaults {
                orders[0].defaults(said(settings));
            }
            for settings in &own {
                for policy in &mut orders {
                    policy.set(said(settings));
                }
            }
            for settings in &defaults {
                orders[1].defaults(said(settings));
            }
            for policy in orders {
                assert_eq!(policy.resolve(), resolved.as_ref().map(said), "{defaults:?} {own:?}");
            }
        }
    }

    #[test]
    fn settings_are_written_as_the_headers_that_a_site_sends() {
        let pairs = [("x-isr-revalidate", "5"), ("cache-tag", "posts"), ("content-type", "text/html")];
        for (settings, revalidate, tags) in [
            (json!(null), "5", "posts"),
            (json!({ "revalidate": false, "tags": ["a", "b"] }), "false", "posts, a, b"),
            (json!({ "revalidate": 0, "tags": [] }), "0", "posts"),
            (json!({ "revalidate": 2_147_483_648_u64, "tags": null }), "2147483648", "posts"),
        ] {
            let mut headers = HeaderList::from_pairs(&pairs);
            said(&settings).write(&mut headers);
            let written = (headers.joined("x-isr-revalidate").unwrap(), headers.joined("cache-tag").unwrap());
            assert_eq!(written, (revalidate.to_owned(), tags.to_owned()), "{settings}");
        }
        let almost = PageSettings::default().revalidate(Duration::from_millis(1500));
        let mut headers = HeaderList::default();
        almost.write(&mut headers);
        assert_eq!(headers.get("x-isr-revalidate"), Some("1"));
    }

    #[test]
    fn arguments_that_are_no_settings_are_refused() {
        for wrong in [
            json!(5),
            json!([]),
            json!({ "revalidate": true }),
            json!({ "revalidate": -1 }),
            json!({ "revalidate": 1.5 }),
            json!({ "revalidate": 2_147_483_649_u64 }),
            json!({ "revalidate": "60" }),
            json!({ "tags": "posts" }),
            json!({ "tags": [5] }),
            json!({ "tags": ["a,b"] }),
            json!({ "tags": [""] }),
            json!({ "expire": 5 }),
        ] {
            assert!(PageSettings::from_json(&wrong).is_err(), "{wrong}");
        }
    }
}
