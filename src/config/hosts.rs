//! The setting `hosts`.

use super::value_error::ValueError;

/// The most hosts that a configuration may list.
pub const MAX_HOSTS: usize = 100;

/// Parses a host, or `*.` and a host, and spells it like
/// [`RequestUrl::host`](crate::semantics::key::RequestUrl::host).
pub(super) fn parse(text: &str) -> Result<String, ValueError> {
    let (wildcard, host) = text.strip_prefix("*.").map_or(("", text), |host| ("*.", host));
    let host = url::Host::parse(host).ok().filter(|_| !host.contains('*')).ok_or(ValueError::NotAHost)?;
    Ok(format!("{wildcard}{host}"))
}

/// Returns whether a host is one that the pattern stands for.
pub(super) fn matches(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix('*') {
        // The rest of the pattern begins with a dot.
        Some(ending) => host.len() > ending.len() && host.ends_with(ending),
        None => host == pattern,
    }
}
