//! The admin calls as RPC methods, for Workers that are bound to the gateway or to its objects.

use serde::Deserialize;
use serde_json::{Value, json};
use wasm_bindgen::prelude::*;
use worker::Env;

use super::decisions::decisions;
use super::explain::explain;
use super::inspect::inspect;
use super::overview::overview;
use super::{TagIndex, invalidate_all, invalidation, log};
use crate::admin_api::{DecisionsRequest, OverviewRequest};
use crate::error::{ArgumentError, CallError, ErrorCode};
use crate::inspection::{Explain, Inspect, SubjectKind};
use crate::invalidation::Call;

/// An RPC call as the entry module writes it.
#[derive(Deserialize)]
struct RpcCall {
    method: Method,
    #[serde(default)]
    argument: Value,
    #[serde(default)]
    options: Value,
}

/// The RPC methods that are carried out here.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Method {
    RevalidatePath,
    RevalidateTag,
    Invalidate,
    Invalidation,
    InspectTag,
    InspectPath,
    InspectShard,
    Explain,
    Overview,
    Decisions,
}

/// Performs an RPC call outside of the tag index itself.
pub(in crate::edge) async fn rpc(env: &Env, call: &[u8]) -> String {
    rpc_with(call, env).await
}

/// Performs an RPC call, and returns its JSON answer: the value, or `{"error": {"code", "message"}}`, which the entry
/// module throws.
pub(in crate::edge) async fn rpc_with(call: &[u8], tag_index: &impl TagIndex) -> String {
    let answer = match serde_json::from_slice(call) {
        Ok(call) => carry_out(call, tag_index).await.unwrap_or_else(|error| refusal(&error)),
        Err(_) => ErrorCode::NotFound.to_json(&"there is nothing here"),
    };
    answer.to_string()
}

/// Logs an error, and returns it as callers by RPC get it.
pub(in crate::edge) fn refusal(error: &CallError) -> Value {
    log(error);
    error.code().to_json(error)
}

async fn carry_out(call: RpcCall, tag_index: &impl TagIndex) -> Result<Value, CallError> {
    let RpcCall { method, argument, options } = call;
    let one = |mut receipts: Vec<Value>| receipts.pop().unwrap_or_default();
    match method {
        Method::RevalidatePath => {
            invalidate_all(tag_index, Call::from_arguments("path", &argument, &options)?).await.map(one)
        }
        Method::RevalidateTag => {
            invalidate_all(tag_index, Call::from_arguments("tag", &argument, &options)?).await.map(one)
        }
        Method::Invalidate => {
            let receipts = invalidate_all(tag_index, Call::from_json(&argument)?).await?;
            Ok(json!({ "invalidations": receipts }))
        }
        Method::Invalidation => {
            let seq = argument.as_u64().ok_or(CallError::Argument(ArgumentError::Seq))?;
            invalidation(tag_index, seq).await
        }
        Method::InspectTag => inspect(tag_index, Inspect::from_arguments(SubjectKind::Tag, &argument, &options)?).await,
        Method::InspectPath => {
            inspect(tag_index, Inspect::from_arguments(SubjectKind::Path, &argument, &options)?).await
        }
        Method::Explain => explain(tag_index.env(), Explain::from_arguments(&argument, &options)?).await,
        Method::Overview => overview(tag_index.env(), OverviewRequest::from_options(&argument)?).await,
        Method::Decisions => decisions(tag_index.env(), DecisionsRequest::from_options(&argument)?).await,
        Method::InspectShard => {
            inspect(tag_index, Inspect::from_arguments(SubjectKind::Shard, &argument, &options)?).await
        }
    }
}

/// Performs an RPC call on the Worker's entrypoint. The entry module calls it with `env` and the call as JSON.
#[wasm_bindgen(js_name = isrRpc)]
#[allow(unreachable_pub, reason = "it is reached from JavaScript")]
pub async fn entrypoint_rpc(env: JsValue, call: String) -> String {
    rpc(&env.unchecked_into::<Env>(), call.as_bytes()).await
}
