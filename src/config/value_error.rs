//! What can be wrong with one value.

use std::fmt;

use thiserror::Error;

use crate::route::{OriginError, RenderHeaderError, UrlError};
use crate::semantics::tag::TagError;
use crate::webhook::TemplateError;

/// Describes what is wrong with a value. The description follows the value in a message.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ValueError {
    /// The value has another type.
    #[error("is not {expected}")]
    WrongType {
        /// The type that is accepted.
        expected: ValueType,
    },
    /// The number is below the least value.
    #[error("is below {min}")]
    Below {
        /// The least value.
        min: u32,
    },
    /// The number is above the greatest value.
    #[error("is above {max}")]
    Above {
        /// The greatest value.
        max: u32,
    },
    /// The text, list or table is empty.
    #[error("is empty")]
    Empty,
    /// The text is too long.
    #[error("is {bytes} bytes long")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// The text does not have the one length that is accepted.
    #[error("has {chars} characters")]
    WrongLength {
        /// Its length.
        chars: usize,
    },
    /// The list or table has too many entries.
    #[error("has {entries} entries")]
    TooManyEntries {
        /// The number of its entries.
        entries: usize,
    },
    /// The text contains a character that is not accepted.
    #[error("contains {character:?}")]
    Character {
        /// The first such character.
        character: char,
    },
    /// The text is none of the words that are accepted.
    #[error("is not one of the accepted words")]
    UnknownWord,
    /// The text is not a language tag (RFC 5646).
    #[error("is not a language tag")]
    NotALanguage,
    /// The text is not a media type without parameters (RFC 9110 section 8.3.1).
    #[error("is not a media type")]
    NotAMediaType,
    /// The text is not the code of a country.
    #[error("is not two capital letters")]
    NotACountry,
    /// The text is neither a host nor `*.` and a host.
    #[error("is not a host")]
    NotAHost,
    /// The value belongs to a name that no cookie or header can have.
    #[error("belongs to a name that is not valid")]
    InvalidName,
    /// The value belongs to a header that something else sets or reads.
    #[error("belongs to a header that the connection, this cache or another setting uses")]
    ReservedName,
    /// The text is not a template of targets, or not a JSON pointer.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The text is not base64.
    #[error("is not base64")]
    NotBase64,
    /// The rule invalidates nothing.
    #[error("invalidates nothing")]
    NoTarget,
    /// The table makes too many variants.
    #[error("makes {variants} variants of each page")]
    TooManyVariants {
        /// The number of variants.
        variants: usize,
    },
    /// The number is not a status, or a status that is never stored.
    #[error("is not a status that can be stored")]
    UnstorableStatus,
    /// The text is not a tag.
    #[error("is not a tag ({0})")]
    Tag(#[from] TagError),
    /// The text is not a URL of the accepted form.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// The text is not an origin.
    #[error(transparent)]
    Origin(#[from] OriginError),
    /// The header can't be added to requests to the origin.
    #[error(transparent)]
    RenderHeader(#[from] RenderHeaderError),
}

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ValueType {
    /// A table.
    Table,
    /// A list.
    List,
    /// A text.
    Text,
    /// A number.
    Number,
    /// A number without a fraction.
    WholeNumber,
    /// `true` or `false`.
    Flag,
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Table => "a table",
            Self::List => "a list",
            Self::Text => "text",
            Self::Number => "a number",
            Self::WholeNumber => "a whole number",
            Self::Flag => "true or false",
        })
    }
}

impl ValueError {
    /// Reports that a value has another type.
    pub(super) fn not(expected: ValueType) -> Self {
        Self::WrongType { expected }
    }
}
