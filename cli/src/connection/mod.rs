//! The connection to a deployment.
//!
//! | module | what it has |
//! |---|---|
//! | `site` | the URL of a deployment, and where a token may be sent |
//! | `token` | the admin token |
//! | `profile` | the file with profiles, and which deployment is meant |
//! | `call` | a call and its answer, as values |
//! | `client` | performs calls over HTTP |

mod call;
mod client;
mod profile;
mod site;
mod token;

pub(crate) use self::call::{Answer, Call, Method, Service};
pub(crate) use self::client::Client;
pub(crate) use self::profile::{Connection, Surroundings, profile_file};
pub(crate) use self::site::Site;
pub(crate) use self::token::Token;

#[cfg(test)]
pub(crate) use self::call::tests;
