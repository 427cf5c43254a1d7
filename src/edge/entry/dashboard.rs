//! The decision whether there is a dashboard, for the entry module, which has its page: `entry/dashboard.ts`.

use wasm_bindgen::prelude::*;
use worker::Env;

use crate::edge::settings;

/// Returns whether somebody can sign in: the secret `ISR_ADMIN_TOKEN` exists. Otherwise there is nothing at the dashboard's path.
#[wasm_bindgen(js_name = isrHasDashboard)]
#[must_use]
#[allow(unreachable_pub, reason = "it is reached from JavaScript")]
pub fn has_dashboard(env: &JsValue) -> bool {
    settings::admin_token(env.unchecked_ref::<Env>()).is_some()
}
