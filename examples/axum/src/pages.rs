//! The pages. The cache settings of a page and of its layout are collected in a scope, which is written into headers.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{AppendHeaders, Html, IntoResponse, Response};
use cloudflare_isr::TagError;
use cloudflare_isr::{PagePolicy, PageSettings, Revalidate};
use std::time::Duration;
use worker::Env;

use crate::html::{escaped, layout};
use crate::posts::{self, Post};

/// Why a page failed: the visitor gets a 500, and the log has the reason.
pub(crate) struct Failed;

impl From<worker::Error> for Failed {
    fn from(error: worker::Error) -> Self {
        worker::console_error!("{error}");
        Self
    }
}

impl From<TagError> for Failed {
    fn from(error: TagError) -> Self {
        worker::console_error!("{error}");
        Self
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, "This page could not be rendered.\n").into_response()
    }
}

#[worker::send]
pub(crate) async fn home(State(env): State<Env>) -> Result<Response, Failed> {
    let mut policy = PagePolicy::default();
    policy.set(PageSettings::default().tags(["posts"])?);
    let posts = posts::list(&env).await?;
    let links = posts
        .iter()
        .map(|Post { slug, title, .. }| format!("<li><a href=\"/blog/{}\">{}</a></li>", escaped(slug), escaped(title)));
    Ok(page(&policy, "home", "Posts", &format!("<ul>{}</ul>", links.collect::<String>())))
}

#[worker::send]
pub(crate) async fn blog_post(State(env): State<Env>, Path(slug): Path<String>) -> Result<Response, Failed> {
    let Some(Post { slug, title, text }) = posts::list(&env).await?.into_iter().find(|post| post.slug == slug) else {
        return Ok(missing().await);
    };
    let mut policy = PagePolicy::default();
    policy.set(PageSettings::default().tags(["posts", &format!("post:{slug}")])?);
    let (slug, title, text) = (escaped(&slug), escaped(&title), escaped(&text));
    let content = format!(
        r#"<p>{text}</p>
<h2>Edit</h2>
<form data-slug="{slug}">
<p><label>Title <input name="title" value="{title}" required></label></p>
<p><label>Text <textarea name="text" rows="4" cols="50" required>{text}</textarea></label></p>
<p><button>Save</button> <output></output></p>
</form>
<script>
const form = document.querySelector("form");
form.addEventListener("submit", async (event) => {{
  event.preventDefault();
  const body = JSON.stringify({{ slug: form.dataset.slug, ...Object.fromEntries(new FormData(form)) }});
  const response = await fetch("/api/edit", {{ method: "POST", headers: {{ "content-type": "application/json" }}, body }});
  if (response.ok) location.reload();
  else form.querySelector("output").textContent = (await response.json()).error;
}});
</script>"#
    );
    Ok(page(&policy, "post", &title, &content))
}

/// Returns the settings of the layout of all pages under `/nested`.
fn nested_layout() -> Result<PagePolicy, TagError> {
    let mut policy = PagePolicy::default();
    policy.defaults(PageSettings::default().revalidate(Duration::from_secs(300)).tags(["nested"])?);
    Ok(policy)
}

pub(crate) async fn nested() -> Result<Response, Failed> {
    Ok(page(&nested_layout()?, "nested", "Nested", "<p>What the layout says holds: 300 seconds.</p>"))
}

pub(crate) async fn nested_override() -> Result<Response, Failed> {
    let mut policy = nested_layout()?;
    policy.set(PageSettings::default().revalidate(Duration::from_secs(30)).tags(["override"])?);
    Ok(page(&policy, "override", "Override", "<p>The page says otherwise: 30 seconds, and one tag more.</p>"))
}

pub(crate) async fn nested_optout() -> Result<Response, Failed> {
    let mut policy = nested_layout()?;
    policy.set(PageSettings::default().revalidate(Revalidate::NoStore));
    Ok(page(&policy, "optout", "Opted out", "<p>Never stored: each visitor has a render of his own.</p>"))
}

pub(crate) async fn missing() -> Response {
    let page = page(&PagePolicy::default(), "missing", "Not found", "<p>There is no such page.</p>");
    (StatusCode::NOT_FOUND, page).into_response()
}

fn page(policy: &PagePolicy, name: &str, title: &str, content: &str) -> Response {
    (AppendHeaders(policy.headers()), Html(layout(name, title, content))).into_response()
}
