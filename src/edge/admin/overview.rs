//! The overview of a deployment.

use serde_json::{Value, json};
use worker::Env;

use super::lists::invalidations;
use super::survey::{Checked, Surveyor};
use crate::admin_api::{InvalidationsRequest, MAX_ASKED, Overview, OverviewRequest};
use crate::edge::platform::js;
use crate::error::CallError;
use crate::inspection::survey::{ShardOverview, ShardSurvey};
use crate::inspection::words;

/// The number of recent invalidations.
const RECENT: u32 = 10;

/// Sums up at most [`MAX_ASKED`] coordinators.
pub(in crate::edge) async fn overview(env: &Env, request: OverviewRequest) -> Result<Value, CallError> {
    let surveyor = Surveyor::new(env)?;
    let asked = surveyor.asked(None, request.after.as_ref(), MAX_ASKED).await?;
    let answers = surveyor.ask_all::<ShardOverview>(&asked.shards, |_| ShardSurvey::Overview).await;
    let checked = Checked { asked: asked.shards.len(), answered: answers.len(), known: asked.known };
    let recent = InvalidationsRequest { after: None, limit: RECENT };
    let recent = invalidations(&surveyor, &recent).await?;
    let mut value = Overview::of(answers).to_json();
    value["now"] = json!(js::now());
    value["invalidations"] = recent["invalidations"].clone();
    value["checked"] = checked.to_json();
    value["after"] = json!(asked.after);
    Ok(words::with_utc(value))
}
