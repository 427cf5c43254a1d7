//! The origin behind the cache: a service binding, a URL, or the Worker itself.
//!
//! | module | what it does |
//! |---|---|
//! | `request` | sends renders to the origin, and passes clients' requests on |
//! | `loopback` | reaches the Worker's own entrypoints |
//! | `props` | recognises the requests from there |

mod loopback;
mod props;
mod request;

use worker::Env;

pub(in crate::edge) use self::loopback::Exports;
pub(in crate::edge) use self::props::Task;
pub(in crate::edge) use self::request::{FetchError, OriginClient, is_signed, passed, render_request};
use crate::config::Binding;
use crate::edge::platform::js::{self, Fetcher};
use crate::edge::settings::Settings;
use crate::route::{Origin, Route};
use crate::visit::classify;

/// Returns the origin of a route, or the default origin without a route. `None` if it is this Worker itself.
pub(in crate::edge) fn client_of(env: &Env, settings: &Settings, route: Option<&Route>) -> Option<OriginClient> {
    let name = match origin(settings, route) {
        Some(Origin::Url(url)) => {
            let member = classify::loop_member(settings.deployment.id);
            return Some(OriginClient::Url { base: url.as_str().to_owned(), member });
        }
        Some(Origin::Own) => return None,
        Some(Origin::Service(name)) => name.as_str(),
        None => Binding::Origin.default_name(),
    };
    let clients = js::binding::<Fetcher>(env, name)?;
    let renders = js::binding(env, &Binding::for_renders(name)).unwrap_or_else(|| clients.clone());
    Some(OriginClient::Service { clients, renders })
}

/// Returns the origin for a coordinator's renders. It may be this Worker itself.
pub(in crate::edge) fn renderer(
    env: &Env,
    settings: &Settings,
    route: Option<&Route>,
    exports: &Exports,
) -> Option<OriginClient> {
    match origin(settings, route) {
        Some(Origin::Own) => Some(OriginClient::Own(exports.clone())),
        _ => client_of(env, settings, route),
    }
}

fn origin<'a>(settings: &'a Settings, route: Option<&'a Route>) -> Option<&'a Origin> {
    route.map_or(settings.config.origin.as_ref(), Route::origin)
}
