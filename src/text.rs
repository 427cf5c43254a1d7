//! Newtypes that are written as text.

/// Implements what `#[serde(try_from = "String", into = "String")]` asks of a type: `parse` takes a `&str` and returns a
/// `Result`, `text` takes the value and returns its `String`.
macro_rules! text_conversions {
    ($name:ty, $error:ty, $parse:expr, $text:expr) => {
        #[doc(hidden)]
        impl TryFrom<String> for $name {
            type Error = $error;

            fn try_from(text: String) -> Result<Self, $error> {
                let parse: fn(&str) -> Result<$name, $error> = $parse;
                parse(&text)
            }
        }

        #[doc(hidden)]
        impl From<$name> for String {
            fn from(value: $name) -> Self {
                let text: fn($name) -> Self = $text;
                text(value)
            }
        }
    };
}

pub(crate) use text_conversions;
