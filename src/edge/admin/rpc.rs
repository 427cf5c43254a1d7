//! The admin calls as RPC methods, for Workers that are bound to the gateway or to its objects.

use serde::Deserialize;
use serde_json::{Value, json};
use wasm_bindgen::prelude::*;
use worker::Env;

use super::error::AdminError;
use super::inspect::inspect;
use super::{TagIndex, invalidate_all, invalidation};
use crate::inspection::{Inspect, Kind};
use crate::invalidation::Call;

/// An RPC call as the entry module writes it.
#[derive(Deserialize)]
struct RpcCall {
    method: String,
    #[serde(default)]
    argument: Value,
    #[serde(default)]
    options: Value,
}

/// Performs an RPC call outside of the tag index itself.
pub(in crate::edge) async fn rpc(env: &Env, call: &[u8]) -> String {
    rpc_with(call, env).await
}

/// Performs an RPC call, and returns its JSON answer: the value, or `{"error": {"code", "message"}}`, which the entry
/// module throws.
pub(in crate::edge) async fn rpc_with(call: &[u8], tag_index: &impl TagIndex) -> String {
    let answer = match serde_json::from_slice(call) {
        Ok(call) => carry_out(call, tag_index).await,
        Err(_) => Err(AdminError::NotFound),
    };
    answer.unwrap_or_else(|error| error.to_json()).to_string()
}

async fn carry_out(call: RpcCall, tag_index: &impl TagIndex) -> Result<Value, AdminError> {
    let RpcCall { method, argument, options } = call;
    let one = |mut receipts: Vec<Value>| receipts.pop().unwrap_or_default();
    match method.as_str() {
        "revalidatePath" => {
            invalidate_all(tag_index, Call::from_arguments("path", &argument, &options)?).await.map(one)
        }
        "revalidateTag" => invalidate_all(tag_index, Call::from_arguments("tag", &argument, &options)?).await.map(one),
        "invalidate" => {
            let receipts = invalidate_all(tag_index, Call::from_json(&argument)?).await?;
            Ok(json!({ "invalidations": receipts }))
        }
        "invalidation" => {
            let wrong = || AdminError::Argument("invalidation takes the `seq` of a receipt, a number".to_owned());
            invalidation(tag_index, argument.as_u64().ok_or_else(wrong)?).await
        }
        "inspectTag" => inspect(tag_index, Inspect::from_arguments(Kind::Tag, &argument, &options)?).await,
        "inspectPath" => inspect(tag_index, Inspect::from_arguments(Kind::Path, &argument, &options)?).await,
        "inspectShard" => inspect(tag_index, Inspect::from_arguments(Kind::Shard, &argument, &options)?).await,
        _ => Err(AdminError::NotFound),
    }
}

/// Performs an RPC call on the Worker's entrypoint. The entry module calls it with `env` and the call as JSON.
#[wasm_bindgen(js_name = isrRpc)]
#[allow(unreachable_pub, reason = "it is reached from JavaScript")]
pub async fn entrypoint_rpc(env: JsValue, call: String) -> String {
    rpc(&env.unchecked_into::<Env>(), call.as_bytes()).await
}
