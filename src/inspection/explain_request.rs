//! A caller's request to explain a page: the query of `GET /__isr/explain`, and the arguments of the RPC method `explain`.

use serde_json::Value;
use thiserror::Error;

use crate::reason::Reason;
use crate::semantics::key::RequestUrl;

/// What to explain.
///
/// ```
/// use cloudflare_isr::Explain;
///
/// assert!(Explain::from_query("url=https://example.com/blog/hello&detail=queue-full").is_ok());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explain {
    /// The absolute URL of the page.
    #[doc(hidden)]
    pub url: String,
    /// The `detail` of a response that is to be explained as well.
    #[doc(hidden)]
    pub detail: Option<Reason>,
}

/// Why a request to explain a page is not valid. The message says what to write instead.
///
/// ```
/// use cloudflare_isr::{Explain, ExplainError};
///
/// assert_eq!(Explain::from_query("url=/blog/hello"), Err(ExplainError::Url));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ExplainError {
    /// There is no valid URL.
    #[error("give the absolute `url` of a page, as in `https://example.com/blog/hello`")]
    Url,
    /// A field is unknown.
    #[error("unknown field {field:?}; there are `url` and `detail`")]
    UnknownField {
        /// Its name.
        field: String,
    },
    /// A field occurs twice.
    #[error("give `{field}` once")]
    Twice {
        /// Its name.
        field: &'static str,
    },
    /// The options are not an object.
    #[error("give the options as an object with `detail`")]
    NotAnObject,
    /// The reason is unknown.
    #[error("`detail` must be a word of `Cache-Status`, as in `queue-full`")]
    Detail,
}

impl Explain {
    /// Parses the query of a URL, without its question mark.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn from_query(query: &str) -> Result<Self, ExplainError> {
        let (mut url, mut detail) = (None, None);
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let (place, field) = match name.as_ref() {
                "url" => (&mut url, "url"),
                "detail" => (&mut detail, "detail"),
                other => return Err(ExplainError::UnknownField { field: other.to_owned() }),
            };
            if place.replace(value.into_owned()).is_some() {
                return Err(ExplainError::Twice { field });
            }
        }
        Self::new(&url.ok_or(ExplainError::Url)?, detail.as_deref())
    }

    /// Parses the arguments of the RPC method: the URL, and options.
    ///
    /// # Errors
    /// Says what is wrong with them.
    #[doc(hidden)]
    pub fn from_arguments(argument: &Value, options: &Value) -> Result<Self, ExplainError> {
        let options = match options {
            Value::Null => None,
            Value::Object(options) => Some(options),
            _ => return Err(ExplainError::NotAnObject),
        };
        let mut detail = None;
        for (name, value) in options.into_iter().flatten() {
            match (name.as_str(), value) {
                ("detail", Value::Null) => {}
                ("detail", value) => detail = Some(value.as_str().ok_or(ExplainError::Detail)?),
                (other, _) => return Err(ExplainError::UnknownField { field: other.to_owned() }),
            }
        }
        Self::new(argument.as_str().ok_or(ExplainError::Url)?, detail)
    }

    fn new(url: &str, detail: Option<&str>) -> Result<Self, ExplainError> {
        RequestUrl::parse(url).map_err(|_| ExplainError::Url)?;
        let reason = |word: &str| Reason::parse(word.trim_start_matches("l1-after-")).ok_or(ExplainError::Detail);
        Ok(Self { url: url.to_owned(), detail: detail.map(reason).transpose()? })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_request_is_the_same_over_http_and_by_rpc() {
        let url = "https://e.com/a?b=1";
        for (query, options, detail) in [
            ("url=https%3A%2F%2Fe.com%2Fa%3Fb%3D1", Value::Null, None),
            ("detail=aged&url=https://e.com/a?b%3D1", json!({ "detail": "aged" }), Some(Reason::Aged)),
            (
                "url=https://e.com/a?b%3D1&detail=l1-after-queue-full",
                json!({ "detail": "l1-after-queue-full" }),
                Some(Reason::QueueFull),
            ),
        ] {
            let explain = Ok(Explain { url: url.to_owned(), detail });
            assert_eq!(Explain::from_query(query), explain, "{query}");
            assert_eq!(Explain::from_arguments(&json!(url), &options), explain, "{options}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_remedy() {
        for (query, part) in [
            ("", "absolute `url`"),
            ("url=", "absolute `url`"),
            ("url=/a", "absolute `url`"),
            ("url=ftp://e.com/", "absolute `url`"),
            ("path=/a", "unknown field \"path\""),
            ("url=https://e.com/&url=https://e.com/", "give `url` once"),
            ("url=https://e.com/&detail=unheard-of", "a word of `Cache-Status`"),
        ] {
            let error = Explain::from_query(query).unwrap_err().to_string();
            assert!(error.contains(part), "{query}: {error}");
        }
        for (argument, options, part) in [
            (json!(1), Value::Null, "absolute `url`"),
            (json!("https://e.com/"), json!("aged"), "options as an object"),
            (json!("https://e.com/"), json!({ "detail": 1 }), "a word of `Cache-Status`"),
            (json!("https://e.com/"), json!({ "limit": 1 }), "unknown field \"limit\""),
        ] {
            let error = Explain::from_arguments(&argument, &options).unwrap_err().to_string();
            assert!(error.contains(part), "{argument} {options}: {error}");
        }
    }
}
