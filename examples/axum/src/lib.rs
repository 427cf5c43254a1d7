//! A site in Rust, with axum, and the cache in front of it in the same Worker.

mod api;
mod html;
mod pages;
mod posts;

use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use cloudflare_isr::{Builder, RouteBuilder};
use tower_service::Service;
use worker::{Context, Env, HttpRequest, Request, Response, event};

pub use cloudflare_isr::{IsrCoordinator, IsrTagIndex};
pub use posts::PostStore;

/// Configures the cached pages. The Worker and its objects both start with this event.
#[event(start)]
fn start() {
    let seconds = Duration::from_secs;
    cloudflare_isr::configure(
        Builder::default()
            .origin("self")
            .route("/", RouteBuilder::default().revalidate(seconds(60)).tags(["home"]))
            .route("/blog/[slug]", RouteBuilder::default().revalidate(seconds(120)))
            .route("/nested/*", RouteBuilder::default()),
    );
}

#[event(fetch)]
async fn fetch(request: Request, env: Env, context: Context) -> worker::Result<Response> {
    let mut site = router(env.clone());
    cloudflare_isr::serve(request, &env, &context, async |request| {
        let request: HttpRequest = request.try_into()?;
        let Ok(response) = site.call(request).await;
        response.try_into()
    })
    .await
}

fn router(env: Env) -> Router {
    Router::new()
        .route("/", get(pages::home))
        .route("/blog/{slug}", get(pages::blog_post))
        .route("/nested", get(pages::nested))
        .route("/nested/override", get(pages::nested_override))
        .route("/nested/optout", get(pages::nested_optout))
        .route("/api/revalidate", post(api::revalidate))
        .route("/api/edit", post(api::edit))
        .fallback(pages::missing)
        .with_state(env)
}
