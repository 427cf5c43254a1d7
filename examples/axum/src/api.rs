//! The routes that change something. This example accepts every caller. In your own site, check here who is calling.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use cloudflare_isr::{Invalidate, InvalidateAnswer, Isr, IsrError, Mode};
use serde::Deserialize;
use serde_json::{Value, json};
use worker::Env;

use crate::posts::{self, Post};

/// The target of an invalidation: one of these.
#[derive(Deserialize)]
pub(crate) struct Wanted {
    path: Option<String>,
    tag: Option<String>,
    prefix: Option<String>,
}

/// Why a call failed.
pub(crate) enum Refused {
    Call(StatusCode, String),
    Cache(IsrError),
}

impl From<IsrError> for Refused {
    fn from(error: IsrError) -> Self {
        Self::Cache(error)
    }
}

impl From<worker::Error> for Refused {
    fn from(error: worker::Error) -> Self {
        Self::Cache(error.into())
    }
}

impl From<JsonRejection> for Refused {
    fn from(error: JsonRejection) -> Self {
        Self::Call(StatusCode::BAD_REQUEST, error.body_text())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let (status, message) = match self {
            Self::Call(status, message) => (status, message),
            Self::Cache(IsrError::InvalidArgument(error)) => (StatusCode::BAD_REQUEST, error.to_string()),
            Self::Cache(error) => {
                worker::console_error!("{error}");
                (StatusCode::SERVICE_UNAVAILABLE, "try again".to_owned())
            }
        };
        (status, Json(json!({ "error": message }))).into_response()
    }
}

/// Invalidates a path, a tag or a prefix.
#[worker::send]
pub(crate) async fn revalidate(
    State(env): State<Env>,
    wanted: Result<Json<Wanted>, JsonRejection>,
) -> Result<Json<Value>, Refused> {
    let Json(Wanted { path, tag, prefix }) = wanted?;
    let what = Invalidate {
        paths: path.into_iter().collect(),
        tags: tag.into_iter().collect(),
        prefixes: prefix.into_iter().collect(),
        ..Invalidate::default()
    };
    let receipts = Isr::new(&env)?.invalidate(&what).await?;
    Ok(Json(
        json!({ "revalidated": true, "receipts": receipts.iter().map(InvalidateAnswer::to_json).collect::<Vec<_>>() }),
    ))
}

/// Changes a post, and invalidates the pages that show it.
#[worker::send]
pub(crate) async fn edit(
    State(env): State<Env>,
    post: Result<Json<Post>, JsonRejection>,
) -> Result<Json<Value>, Refused> {
    let Json(post) = post?;
    if [&post.title, &post.text].iter().any(|text| text.trim().is_empty()) {
        return Err(Refused::Call(StatusCode::BAD_REQUEST, "title and text are wanted".to_owned()));
    }
    if !posts::edit(&env, &post).await? {
        return Err(Refused::Call(StatusCode::NOT_FOUND, "there is no such post".to_owned()));
    }
    Isr::new(&env)?.revalidate_tag(&format!("post:{}", post.slug), Mode::Expire).await?;
    Ok(Json(json!({ "saved": true })))
}
