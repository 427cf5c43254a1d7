//! The loopback bindings to the Worker's own entrypoints, for its objects.
//!
//! A purge reaches the cache of the entrypoint that calls it, and no other (Cloudflare, "Workers Caching: purging the
//! cache"); a zone's API does not reach it at all. An object has no such cache. So the tag index calls the Worker's
//! default entrypoint over the loopback binding `ctx.exports.default`, and the entrypoint purges its own cache.

use std::time::Duration;

use js_sys::{Array, Function, Object, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Request, RequestInit, Response};

use crate::downstream::purges::PurgeOutcome;
use crate::edge::origin::props::Task;
use crate::edge::platform::js::{self, Fetcher};

/// How long a purge may take.
const WITHIN: Duration = Duration::from_secs(10);

/// The loopback bindings of an object, by which it reaches its Worker's entrypoints.
#[derive(Clone, Debug)]
pub(in crate::edge) struct Exports(JsValue);

impl Exports {
    /// Takes them from an object's JavaScript state.
    pub(in crate::edge) fn of(state: &JsValue) -> Self {
        Self(Reflect::get(state, &"exports".into()).unwrap_or_default())
    }

    /// Calls the default entrypoint to purge its cache of tags.
    pub(in crate::edge) async fn purge(&self, tags: &[String]) -> PurgeOutcome {
        match js::within(WITHIN, self.ask(tags)).await {
            Some(Ok(response)) if response.status() == 204 => PurgeOutcome::Done,
            Some(Ok(response)) if response.status() == 429 => {
                worker::console_warn!("the platform accepts no more purges of the downstream cache for now");
                PurgeOutcome::Limited { retry_after: None }
            }
            Some(Ok(response)) => {
                worker::console_error!("the downstream cache is not purged: the Worker answered {}", response.status());
                PurgeOutcome::Failed { retry_after: None }
            }
            Some(Err(error)) => {
                worker::console_error!("the downstream cache is not purged: {}", js::describe(&error));
                PurgeOutcome::Failed { retry_after: None }
            }
            None => {
                worker::console_error!("the downstream cache is not purged: no answer in time");
                PurgeOutcome::Failed { retry_after: None }
            }
        }
    }

    /// Returns the default entrypoint in the form that answers a render.
    ///
    /// A downstream cache of the entrypoint stores responses by path, query and `props` (Cloudflare, "Workers Caching:
    /// cache keys"), for as long as the origin allows or for two hours. Each render has unique `props`, so that it
    /// never gets a stored response.
    pub(in crate::edge) fn renderer(&self) -> Result<Fetcher, JsValue> {
        self.entrypoint(Task::Render, Some(&format!("{:x}", js::random())))
    }

    /// Returns the default entrypoint with the task in its `props.isr`.
    fn entrypoint(&self, task: Task, once: Option<&str>) -> Result<Fetcher, JsValue> {
        let default =
            Reflect::get(&self.0, &"default".into()).and_then(JsCast::dyn_into::<Function>).map_err(|_| {
                JsValue::from_str("the Worker has no `ctx.exports`: its compatibility date must be 2025-11-17 or later")
            })?;
        let (options, props) = (Object::new(), Object::new());
        Reflect::set(&props, &"isr".into(), &task.as_str().into())?;
        if let Some(once) = once {
            Reflect::set(&props, &"once".into(), &once.into())?;
        }
        Reflect::set(&options, &"props".into(), &props)?;
        // The function's own `call` can't be used: on a loopback binding that is the name of an RPC method.
        Ok(Reflect::apply(&default, &self.0, &Array::of1(&options))?.unchecked_into())
    }

    async fn ask(&self, tags: &[String]) -> Result<Response, JsValue> {
        let entrypoint = self.entrypoint(Task::Purge, None)?;
        let tags: Array = tags.iter().map(|tag| JsValue::from_str(tag)).collect();
        let init = RequestInit::new();
        // A cache never answers a POST.
        init.set_method("POST");
        init.set_body(&js_sys::JSON::stringify(&tags)?.into());
        entrypoint.fetch(&Request::new_with_str_and_init("https://entrypoint/__isr/purge", &init)?).await
    }
}
