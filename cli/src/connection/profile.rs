//! The file with profiles, and which deployment is meant.
//!
//! ```toml
//! [profiles.production]
//! url = "https://example.com"
//! token_env = "ISR_TOKEN_OF_PRODUCTION"
//! ```

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::{Site, Token};
use crate::args::ConnectionArgs;
use crate::failure::Failure;

/// The profile that is used if nothing else names a deployment.
const DEFAULT_PROFILE: &str = "default";

/// The environment of the program.
pub(crate) struct Surroundings<'a> {
    /// Returns a variable.
    pub(crate) variable: &'a dyn Fn(&str) -> Option<String>,
    /// The text of the file with profiles; `None`: there is no file.
    pub(crate) profiles: Option<String>,
}

/// Where the file with profiles is.
pub(crate) fn profile_file(variable: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    // As the XDG Base Directory Specification says; a relative path there is to be ignored.
    let folder = set("XDG_CONFIG_HOME").filter(|folder| folder.is_absolute());
    let folder = folder.or_else(|| Some(set("HOME").or_else(|| set("USERPROFILE"))?.join(".config")))?;
    Some(folder.join("isr/config.toml"))
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    profiles: BTreeMap<String, Profile>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Profile {
    url: String,
    /// The token itself.
    token: Option<String>,
    /// The variable with the token.
    token_env: Option<String>,
}

impl std::fmt::Debug for Profile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Profile").field("url", &self.url).finish_non_exhaustive()
    }
}

/// A deployment, and the token for it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Connection {
    /// The deployment.
    pub(crate) site: Site,
    /// The token for it.
    pub(crate) token: Token,
}

impl Connection {
    /// Finds the deployment that is meant: that of `--url`, else of `--profile`, else of `ISR_URL`, else of
    /// `ISR_PROFILE`, else of the profile `default`. The token is that of `--token`, else of the profile, if it is used,
    /// else of `ISR_ADMIN_TOKEN`.
    pub(crate) fn find(args: &ConnectionArgs, surroundings: &Surroundings<'_>) -> Result<Self, Failure> {
        let variable = |name: &str| (surroundings.variable)(name).filter(|value| !value.is_empty());
        if args.url.is_some() && args.profile.is_some() {
            return Err(Failure::Usage("Give one of --url and --profile: both name a deployment.".to_owned()));
        }
        let url = args.url.clone().or_else(|| variable("ISR_URL").filter(|_| args.profile.is_none()));
        let (site, own) = if let Some(url) = url {
            (Site::parse(&url)?, None)
        } else {
            let named = args.profile.clone().or_else(|| variable("ISR_PROFILE"));
            let profile = profile(named.as_deref(), surroundings.profiles.as_deref())?;
            let token = match (&profile.token, &profile.token_env) {
                (Some(_), Some(_)) => {
                    return Err(Failure::Usage("Give one of `token` and `token_env` in a profile.".to_owned()));
                }
                (Some(token), None) => Some(token.clone()),
                // The token of another deployment is not sent to this one.
                (None, Some(name)) => Some(variable(name).ok_or_else(|| {
                    Failure::Usage(format!("The variable {name}, which the profile names for its token, is not set."))
                })?),
                (None, None) => None,
            };
            (Site::parse(&profile.url)?, token)
        };
        let token = args.token.clone().or(own).or_else(|| variable("ISR_ADMIN_TOKEN")).unwrap_or_default();
        Ok(Self { site, token: Token::parse(&token)?.ok_or(Failure::NoToken)? })
    }
}

fn profile(name: Option<&str>, file: Option<&str>) -> Result<Profile, Failure> {
    let file: File = match file {
        // The text of the error repeats a line of the file, in which a token may be.
        Some(text) => toml::from_str(text).map_err(|error| {
            let line = error.span().map(|span| text[..span.start].lines().count().max(1));
            let place = line.map(|line| format!(", line {line}")).unwrap_or_default();
            Failure::Usage(format!("The file with profiles, isr/config.toml{place}: {}", error.message()))
        })?,
        None => File::default(),
    };
    let wanted = name.unwrap_or(DEFAULT_PROFILE);
    match (file.profiles.get(wanted), name) {
        (Some(profile), _) => Ok(profile.clone()),
        (None, Some(name)) => {
            let known: Vec<&str> = file.profiles.keys().map(String::as_str).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            Err(Failure::Usage(format!("There is no profile {name:?} in isr/config.toml. Known profiles: {known}.")))
        }
        (None, None) => Err(Failure::Usage(
            "Which deployment? Give --url https://example.com, set ISR_URL, or write a profile; see docs/cli.md."
                .to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
        [profiles.default]
        url = "https://default.example"

        [profiles.staging]
        url = "https://staging.example"
        token_env = "STAGING"

        [profiles.own]
        url = "https://own.example"
        token = "of-the-file"
    "#;

    fn find(
        args: [Option<&str>; 3],
        variables: &[(&str, &str)],
        file: Option<&str>,
    ) -> Result<(String, String), Failure> {
        let [url, token, profile] = args.map(|arg| arg.map(str::to_owned));
        let variable = |name: &str| variables.iter().find(|(it, _)| *it == name).map(|(_, value)| (*value).to_owned());
        let surroundings = Surroundings { variable: &variable, profiles: file.map(str::to_owned) };
        let found = Connection::find(&ConnectionArgs { url, token, profile }, &surroundings)?;
        Ok((found.site.to_string(), found.token.authorization()))
    }

    #[test]
    fn the_deployment_is_found_with_its_own_token() {
        let variables = [("ISR_URL", "https://env.example"), ("ISR_ADMIN_TOKEN", "env"), ("STAGING", "of-staging")];
        let without_url = &variables[1..];
        for (args, variables, site, token) in [
            ([Some("https://a.example"), None, None], &variables[..], "https://a.example", "env"),
            ([Some("https://a.example"), Some("flag"), None], &variables, "https://a.example", "flag"),
            ([None, None, None], &variables, "https://env.example", "env"),
            ([None, None, None], without_url, "https://default.example", "env"),
            ([None, None, Some("staging")], &variables, "https://staging.example", "of-staging"),
            ([None, None, Some("own")], &variables, "https://own.example", "of-the-file"),
            ([None, Some("flag"), Some("own")], &variables, "https://own.example", "flag"),
        ] {
            let found = find(args, variables, Some(FILE)).unwrap();
            assert_eq!(found, (site.to_owned(), format!("Bearer {token}")), "{args:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let token = [("ISR_ADMIN_TOKEN", "env")];
        for (args, variables, file, code, part) in [
            ([None, None, None], &token[..], None, 2, "Which deployment?"),
            ([None, None, Some("prod")], &token, Some(FILE), 2, "Known profiles: default, own, staging"),
            ([None, None, Some("prod")], &token, None, 2, "Known profiles: none"),
            ([None, None, Some("staging")], &token, Some(FILE), 2, "STAGING"),
            ([Some("https://a.example"), None, Some("own")], &token, Some(FILE), 2, "one of --url and --profile"),
            ([Some("https://a.example"), None, None], &[], None, 3, "ISR_ADMIN_TOKEN"),
            ([None, None, Some("a")], &token, Some("[profiles.a]\nurl = \"x\"\ntoken = secret"), 2, "line 3"),
            ([None, None, Some("a")], &token, Some("[profiles.a]\nurl = \"https://a\"\ntokn = \"secret\""), 2, "tokn"),
        ] {
            let failure = find(args, variables, file).unwrap_err();
            assert_eq!(failure.code(), code, "{failure}");
            assert!(failure.to_string().contains(part), "{failure}");
            assert!(!failure.to_string().contains("secret\""), "{failure}");
        }
    }

    #[test]
    fn the_file_is_in_the_folder_for_configurations() {
        let file = |variables: &[(&str, &str)]| {
            profile_file(|name| variables.iter().find(|(it, _)| *it == name).map(|(_, value)| (*value).to_owned()))
        };
        for (variables, path) in [
            (&[("XDG_CONFIG_HOME", "/c"), ("HOME", "/h")][..], Some("/c/isr/config.toml")),
            (&[("XDG_CONFIG_HOME", "relative"), ("HOME", "/h")], Some("/h/.config/isr/config.toml")),
            (&[("HOME", "/h")], Some("/h/.config/isr/config.toml")),
            (&[], None),
        ] {
            assert_eq!(file(variables), path.map(PathBuf::from));
        }
    }
}
